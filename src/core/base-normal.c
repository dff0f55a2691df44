/* normal: independent normal coordinates, standard, with trainable mean and scale, or with those that a net gives.
 *
 *   log p = -u^2 / 2 - log s - log(2 pi) / 2,  u = (x - mean) / s,  s = softplus(scale)
 *   ("variance": s^2 = softplus(variance), as the RealNVP tutorial has it)
 *   vjp: gx = -gp u / s;  gmean = gp u / s;  gs = gp (u^2 - 1) / s
 *   P(X > x) = erfc(u / sqrt 2) / 2, P(X <= x) the same of -u
 *   draws x = mean + s e: gmean = gx;  glog_s = gx (x - mean)
 *   prep, a coordinate: mean, 1 / s, -log s - log(2 pi) / 2; gprep: gradient of mean and of log s
 */
#include "base-loc_scale.h"

INLINE void normal_log_density_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  const real *prep = base_numbers_of(base, pass, rows).prep;
  for (int i = 0; i < base->d; i++) {
    loc_scale_at par = loc_scale_read(prep, 3 * i, rows);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      if (rows) par = loc_scale_read(prep + base_first(base, row, rows), 3 * i, rows);
      const vreal u = (vload(pass->x + at) - par.loc) * par.inverse;
      vstore(pass->log_density + row, vload(pass->log_density + row) + (par.c - vset(0.5) * u * u));
    }
  }
}

static void normal_log_density(const bj_base *base, const bj_base_pass *pass) {
  base_given(base, pass);
  BY_FLAG(base->net != NULL, normal_log_density_of, base, pass);
}

INLINE void normal_log_density_vjp_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  const loc_scale *self = base->self;
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  for (int i = 0; i < base->d; i++) {
    loc_scale_at par = loc_scale_read(numbers.prep, 3 * i, rows);
    vreal sum_mean = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const long first = base_first(base, row, rows);
      if (rows) par = loc_scale_read(numbers.prep + first, 3 * i, rows);
      const vreal u = (vload(pass->x + at) - par.loc) * par.inverse, gp = vload(pass->gp + row), gu = gp * u;
      vstore(pass->gx + at, vload(pass->gx + at) - gu * par.inverse);
      if (rows) {
        vstore(numbers.gprep + first + 3L * i * BJ_BLOCK, gu * par.inverse);
        vstore(numbers.gprep + first + (3L * i + 1) * BJ_BLOCK, gu * u - gp);
      } else {
        sum_mean += gu * par.inverse;
        sum_log_s += gu * u - gp;
      }
    }
    if (rows || !self->free) continue;
    numbers.gprep[3 * i] += vsum(sum_mean);
    numbers.gprep[3 * i + 1] += vsum(sum_log_s);
  }
}

static void normal_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  BY_FLAG(base->net != NULL, normal_log_density_vjp_of, base, pass);
  if (base->net) base_given_vjp(base, pass);
}

static void normal_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  BY_FLAG(base->net != NULL, loc_scale_log_tails, base, pass, below, above, base_normal_tails);
}

static void normal_prepare(const bj_base *base, const real *theta, real *prep) {
  const loc_scale *self = base->self;
  if (base->net) return;
  for (int i = 0; i < base->d; i++) {
    real unused, log_s;
    if (self->free) {
      log_s = (self->squared ? 0.5 : 1) * log(base_positive(theta[base->d + i], &unused));
    } else {
      log_s = log(self->scale[i]);
    }
    prep[3 * i] = self->free ? theta[i] : self->loc[i];
    prep[3 * i + 1] = exp(-log_s);
    prep[3 * i + 2] = -log_s - HALF_LOG_2PI;
  }
}

static void normal_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const loc_scale *self = base->self;
  (void)prep;
  if (base->net) return;
  for (int i = 0; i < base->d && self->free; i++) {
    real log_derivative;
    base_positive(theta[base->d + i], &log_derivative);
    gtheta[i] += gprep[3 * i];
    gtheta[base->d + i] += gprep[3 * i + 1] * (self->squared ? 0.5 : 1) * log_derivative;
  }
}

static void normal_prepare_rows(const bj_base *base, int nb, const real *raw, real *prep) {
  const int variance = ((const loc_scale *)base->self)->squared;
  loc_scale_prepare_rows(base, nb, raw, prep);
  for (long i = 0; i < (long)nb * base->d; i++) {
    FOR_ROWS(r) {
      real *inverse = prep + (3 * i + 1) * BJ_BLOCK + r, *c = inverse + BJ_BLOCK;
      if (variance) vstore(inverse, vsqrt(vload(inverse)));
      vstore(c, vset(variance ? 0.5 : 1) * vload(c) - vset(HALF_LOG_2PI));
    }
  }
}

static void normal_prepare_rows_vjp(const bj_base *base, int nb, const real *raw, const real *prep, const real *gprep,
                                    real *graw) {
  const long d = base->d;
  loc_scale_prepare_rows_vjp(base, nb, raw, prep, gprep, graw);
  for (int b = 0; b < nb && ((const loc_scale *)base->self)->squared; b++) {
    real *g = graw + (2 * b + 1) * d * BJ_BLOCK;
    for (long i = 0; i < d * BJ_BLOCK; i += BJ_LANES) vstore(g + i, 0.5 * vload(g + i));
  }
}

INLINE void normal_draw_of(const bj_base *base, const bj_base_pass *pass, real *x, int rows) {
  const real *prep = base_numbers_of(base, pass, rows).prep;
  for (int i = 0; i < base->d; i++) {
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const loc_scale_at par = loc_scale_read(prep + base_first(base, row, rows), 3 * i, rows);
      vstore(x + at, vload(x + at) / par.inverse + par.loc);
    }
  }
}

static void normal_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  base_given(base, pass);
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_normal2);
  BY_FLAG(base->net != NULL, normal_draw_of, base, pass, x);
}

static void normal_describe(const bj_base *base, bj_describe *out) {
  const loc_scale *self = base->self;
  if (!self->free) return;
  describe_slot(out, "mean", 1, base->d, 0);
  describe_slot(out, self->squared ? "variance" : "scale", 1, base->d, 0);
}

/* The tutorial's variance is softplus of U(0, 1) where it would be 1, but that of a net starts at 1. */
static void normal_init(const bj_base *base, real *theta, bj_rng *rng) {
  const loc_scale *self = base->self;
  if (!self->free) return;
  loc_scale_start(self, base->d, theta);
  for (int i = 0; i < base->d && self->squared; i++) {
    if (self->scale[i] == 1) theta[base->d + i] = rng_uniform(rng);
  }
}

static bj_status normal_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  loc_scale *self = base->self = build_alloc(build, sizeof(loc_scale));
  self->squared = spec_choice(build, spec, "parameter", "scale", "variance", NULL);
  base->n_prep = 3 * base->d;
  return loc_scale_finish(base, spec, spec_bool(build, spec, "trainable"), build);
}

static const bj_base_kind base_normal = {
    .name = "normal",
    .build = normal_build,
    .describe = normal_describe,
    .init = normal_init,
    .prepare = normal_prepare,
    .prepare_vjp = normal_prepare_vjp,
    .prepare_rows = normal_prepare_rows,
    .prepare_rows_vjp = normal_prepare_rows_vjp,
    .log_density = normal_log_density,
    .log_density_vjp = normal_log_density_vjp,
    .log_tails = normal_log_tails,
    .draw = normal_draw,
    .draw_vjp = loc_scale_draw_vjp,
};
