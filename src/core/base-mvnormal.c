/* mvnormal: normal with trainable mean and covariance L L'.
 *
 *   log p = -|u|^2 / 2 - sum_i log L_ii - d log(2 pi) / 2,  u = L^{-1} (x - mean)
 *   vjp: v = gp u; the rest, and L of the raw numbers, in base-covariance.h
 *   draw: mean + L z, z of N(0, 1);  gmean = gx,  gL_ij = gx_i z_j
 *   prep: a set, sum of log L_ii
 */
#include "base-covariance.h"

static void mvnormal_log_density(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  const vreal c = vset(-pass->prep[d + (long)d * d] - d * HALF_LOG_2PI);
  for (int b = 0; b < pass->nb; b++) {
    const real *u = pass->work;
    covariance_solve(d, pass->prep, pass->x + (long)b * d * BJ_BLOCK, pass->work);
    FOR_ROWS(r) {
      real *to = pass->log_density + b * BJ_BLOCK + r;
      vreal sum = c;
      for (int i = 0; i < d; i++) {
        const vreal ui = vload(u + i * BJ_BLOCK + r);
        sum = sum - vset(0.5) * ui * ui;
      }
      vstore(to, vload(to) + sum);
    }
  }
}

static void mvnormal_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  const long size = (long)d * BJ_BLOCK;
  real *u = pass->work, *w = u + size;
  for (int b = 0; b < pass->nb; b++) {
    const real *gp = pass->gp + b * BJ_BLOCK;
    covariance_solve(d, pass->prep, pass->x + b * size, u);
    for (int i = 0; i < d; i++) {
      FOR_ROWS(r) vstore(w + i * BJ_BLOCK + r, vload(gp + r) * vload(u + i * BJ_BLOCK + r));
    }
    covariance_vjp(d, pass->prep, pass->gprep, gp, u, w, pass->gx + b * size);
  }
}

static void mvnormal_prepare(const bj_base *base, const real *theta, real *prep) {
  const int d = base->d;
  memcpy(prep, theta, sizeof(real) * (size_t)d);
  prep[d + (long)d * d] = covariance_prepare(d, theta + d, prep + d);
}

static void mvnormal_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const int d = base->d;
  (void)prep;
  for (int i = 0; i < d; i++) gtheta[i] += gprep[i];
  covariance_prepare_vjp(d, theta + d, gprep + d, gtheta + d);
}

static void mvnormal_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_normal2);
  for (int b = 0; b < pass->nb; b++) covariance_multiply(base->d, pass->prep, x + (long)b * base->d * BJ_BLOCK);
}

static void mvnormal_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  const long size = (long)base->d * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) {
    covariance_solve(base->d, pass->prep, pass->x + b * size, pass->work);
    covariance_draw_vjp(base->d, pass->prep, pass->gprep, pass->work, pass->gx + b * size);
  }
}

static void mvnormal_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    vreal log_below, log_above;
    base_normal_tails((vload(pass->x + at) - vset(pass->prep[0])) / vset(pass->prep[1]), &log_below, &log_above);
    vstore(below + row, log_below);
    vstore(above + row, log_above);
  }
}

static void mvnormal_describe(const bj_base *base, bj_describe *out) {
  describe_slot(out, "mean", 1, base->d, 0);
  describe_slot(out, "cholesky", 2, base->d, base->d);
}

/* Standard normal. */
static void mvnormal_init(const bj_base *base, real *theta, bj_rng *rng) {
  (void)rng;
  for (int i = 0; i < base->d; i++) theta[i] = 0;
  covariance_init(base->d, theta + base->d);
}

static bj_status mvnormal_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  (void)spec;
  base->n_param = base->d + (long)base->d * base->d;
  base->n_prep = base->n_param + 1;
  base->n_work = 2L * base->d * BJ_BLOCK;
  return covariance_check(base, "mvnormal", build);
}

static const bj_base_kind base_mvnormal = {
    .name = "mvnormal",
    .build = mvnormal_build,
    .describe = mvnormal_describe,
    .init = mvnormal_init,
    .prepare = mvnormal_prepare,
    .prepare_vjp = mvnormal_prepare_vjp,
    .log_density = mvnormal_log_density,
    .log_density_vjp = mvnormal_log_density_vjp,
    .log_tails = mvnormal_log_tails,
    .draw = mvnormal_draw,
    .draw_vjp = mvnormal_draw_vjp,
};
