/* uniform: independent uniform coordinates on [min, max]. log p = -log(max - min) inside, -Inf outside. */
#include "base-common.h"

typedef struct {
  real min, max;
} uniform;

static void uniform_log_density(const bj_base *base, const bj_base_pass *pass) {
  const uniform *self = base->self;
  const vreal inside = vset(-log(self->max - self->min)), outside = vset(-INFINITY);
  for (int i = 0; i < base->d; i++) {
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal x = vload(pass->x + at);
      const vint in = vle(vset(self->min), x) & vle(x, vset(self->max));
      vstore(pass->log_density + row, vload(pass->log_density + row) + vselect(in, inside, outside));
    }
  }
}

/* The density is flat where it is positive: nothing to add. */
static void uniform_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  (void)base;
  (void)pass;
}

static void uniform_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  const uniform *self = base->self;
  const vreal min = vset(self->min), max = vset(self->max), width = vset(self->max - self->min);
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    const vreal x = vmin(max, vmax(min, vload(pass->x + at)));
    vstore(below + row, vlog((x - min) / width));
    vstore(above + row, vlog((max - x) / width));
  }
}

static void uniform_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  const uniform *self = base->self;
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_uniform2);
  for (long i = 0; i < (long)pass->nb * base->d * BJ_BLOCK; i += BJ_LANES) {
    vstore(x + i, vset(self->min) + vload(x + i) * vset(self->max - self->min));
  }
}

static bj_status uniform_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  uniform *self = base->self = build_alloc(build, sizeof(uniform));
  self->min = spec_real(build, spec, "min", -INFINITY, INFINITY);
  self->max = spec_real(build, spec, "max", -INFINITY, INFINITY);
  if (!(self->min < self->max)) return spec_error(build, "`min` of base_uniform() must be below `max`");
  return build->status;
}

static const bj_base_kind base_uniform = {
    .name = "uniform",
    .build = uniform_build,
    .log_density = uniform_log_density,
    .log_density_vjp = uniform_log_density_vjp,
    .log_tails = uniform_log_tails,
    .draw = uniform_draw,
};
