/* normal: independent normal coordinates, standard or with trainable mean and scale.
 *
 *   log p = -u^2 / 2 - log s - log(2 pi) / 2,  u = (x - mean) / s,  s = softplus(scale)
 *   ("variance": s^2 = softplus(variance), as the RealNVP tutorial has it)
 *   vjp: gx = -gp u / s;  gmean = gp u / s;  gs = gp (u^2 - 1) / s
 *   P(X > x) = erfc(u / sqrt 2) / 2, P(X <= x) the same of -u
 *   draws x = mean + s e: gmean = gx;  glog_s = gx (x - mean)
 *   prep, a coordinate: mean, 1 / s, -log s - log(2 pi) / 2; gprep: gradient of mean and of log s
 */
#include "base-common.h"
#include "num-special.h"

typedef struct {
  int trainable, variance;
} normal;

static void normal_log_density(const bj_base *base, const bj_base_pass *pass) {
  for (int i = 0; i < base->d; i++) {
    const vreal mean = vset(pass->prep[3 * i]), inverse = vset(pass->prep[3 * i + 1]), c = vset(pass->prep[3 * i + 2]);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal u = (vload(pass->x + at) - mean) * inverse;
      vstore(pass->log_density + row, vload(pass->log_density + row) + (c - vset(0.5) * u * u));
    }
  }
}

static void normal_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const normal *self = base->self;
  for (int i = 0; i < base->d; i++) {
    const vreal mean = vset(pass->prep[3 * i]), inverse = vset(pass->prep[3 * i + 1]);
    vreal sum_mean = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal u = (vload(pass->x + at) - mean) * inverse, gp = vload(pass->gp + row), gu = gp * u;
      vstore(pass->gx + at, vload(pass->gx + at) - gu * inverse);
      sum_mean += gu * inverse;
      sum_log_s += gu * u - gp;
    }
    if (!self->trainable) continue;
    pass->gprep[3 * i] += vsum(sum_mean);
    pass->gprep[3 * i + 1] += vsum(sum_log_s);
  }
}

static void normal_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  const vreal mean = vset(pass->prep[0]), inverse = vset(pass->prep[1]);
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    const vreal u = (vload(pass->x + at) - mean) * inverse, size = vabs(u);
    vreal log_below, log_above;
    const vreal tail = -normal_tail_at(vmin(vset(REAL_SQUARE), size)).e - vset(LN2);
    base_tails(vselect(vlt(size, vset(INFINITY)), tail, -size), vlt(vset(0), u), &log_below, &log_above);
    vstore(below + row, log_below);
    vstore(above + row, log_above);
  }
}

static void normal_prepare(const bj_base *base, const real *theta, real *prep) {
  const normal *self = base->self;
  for (int i = 0; i < base->d; i++) {
    real unused, log_s = 0;
    if (self->trainable) log_s = (self->variance ? 0.5 : 1) * log(base_positive(theta[base->d + i], &unused));
    prep[3 * i] = self->trainable ? theta[i] : 0;
    prep[3 * i + 1] = exp(-log_s);
    prep[3 * i + 2] = -log_s - HALF_LOG_2PI;
  }
}

static void normal_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const normal *self = base->self;
  (void)prep;
  for (int i = 0; i < base->d && self->trainable; i++) {
    real log_derivative;
    base_positive(theta[base->d + i], &log_derivative);
    gtheta[i] += gprep[3 * i];
    gtheta[base->d + i] += gprep[3 * i + 1] * (self->variance ? 0.5 : 1) * log_derivative;
  }
}

static void normal_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_normal2);
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < base->d; i++) {
      real *row = x + ((long)b * base->d + i) * BJ_BLOCK;
      FOR_ROWS(r) vstore(row + r, vload(row + r) / vset(pass->prep[3 * i + 1]) + vset(pass->prep[3 * i]));
    }
  }
}

static void normal_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  for (int i = 0; i < base->d; i++) {
    const vreal mean = vset(pass->prep[3 * i]);
    vreal sum_mean = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal gx = vload(pass->gx + at);
      sum_mean += gx;
      sum_log_s += gx * (vload(pass->x + at) - mean);
    }
    pass->gprep[3 * i] += vsum(sum_mean);
    pass->gprep[3 * i + 1] += vsum(sum_log_s);
  }
}

static void normal_describe(const bj_base *base, bj_describe *out) {
  const normal *self = base->self;
  if (!self->trainable) return;
  describe_slot(out, "mean", 1, base->d, 0);
  describe_slot(out, self->variance ? "variance" : "scale", 1, base->d, 0);
}

/* Standard normal at the start; the tutorial's variance is softplus of U(0, 1). */
static void normal_init(const bj_base *base, real *theta, bj_rng *rng) {
  const normal *self = base->self;
  for (int i = 0; i < base->d && self->trainable; i++) {
    theta[i] = 0;
    theta[base->d + i] = self->variance ? rng_uniform(rng) : inverse_softplus(1);
  }
}

static bj_status normal_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  normal *self = base->self = build_alloc(build, sizeof(normal));
  self->trainable = spec_bool(build, spec, "trainable");
  self->variance = spec_choice(build, spec, "parameter", "scale", "variance", NULL);
  base->n_param = self->trainable ? 2 * base->d : 0;
  base->n_prep = 3 * base->d;
  return build->status;
}

static const bj_base_kind base_normal = {
    .name = "normal",
    .build = normal_build,
    .describe = normal_describe,
    .init = normal_init,
    .prepare = normal_prepare,
    .prepare_vjp = normal_prepare_vjp,
    .log_density = normal_log_density,
    .log_density_vjp = normal_log_density_vjp,
    .log_tails = normal_log_tails,
    .draw = normal_draw,
    .draw_vjp = normal_draw_vjp,
};
