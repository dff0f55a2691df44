/* mvnormal: normal with trainable mean and covariance L L'.
 *
 *   L is the lower triangle of `cholesky`, its diagonal softplus of the raw one; what stands above takes part in
 *   nothing.
 *   log p = -|u|^2 / 2 - sum_i log L_ii - d log(2 pi) / 2,  u = L^{-1} (x - mean)
 *   vjp: w = L'^{-1} u:  gx = -gp w,  gmean = gp w,  gL_ij = gp (w_i u_j - [i = j] / L_ii)
 *   prep: mean, L (column-major), sum of log L_ii; gprep: gradient of mean, of L below the diagonal and of log L_ii
 */
#include "base-common.h"

#define MVNORMAL_MAX 64 /* coordinates */

/* u of the rows at x, one vector a coordinate. */
INLINE void mvnormal_solve(const bj_base *base, const real *prep, const real *x, vreal *u) {
  const int d = base->d;
  const real *l = prep + d;
  for (int i = 0; i < d; i++) {
    vreal sum = vload(x + i * BJ_BLOCK) - vset(prep[i]);
    for (int j = 0; j < i; j++) sum = sum - vset(l[i + (long)j * d]) * u[j];
    u[i] = sum / vset(l[i + (long)i * d]);
  }
}

static void mvnormal_log_density(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  const vreal c = vset(-pass->prep[d + (long)d * d] - d * HALF_LOG_2PI);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal u[MVNORMAL_MAX], sum = c;
    real *to = pass->log_density + b * BJ_BLOCK + r;
    mvnormal_solve(base, pass->prep, pass->x + (long)b * d * BJ_BLOCK + r, u);
    for (int i = 0; i < d; i++) sum = sum - vset(0.5) * u[i] * u[i];
    vstore(to, vload(to) + sum);
  }
}

static void mvnormal_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  const real *l = pass->prep + d;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal u[MVNORMAL_MAX], w[MVNORMAL_MAX];
    const vreal gp = vload(pass->gp + b * BJ_BLOCK + r);
    const long at = (long)b * d * BJ_BLOCK + r;
    mvnormal_solve(base, pass->prep, pass->x + at, u);
    for (int i = d - 1; i >= 0; i--) {
      vreal sum = u[i];
      for (int j = i + 1; j < d; j++) sum = sum - vset(l[j + (long)i * d]) * w[j];
      w[i] = sum / vset(l[i + (long)i * d]);
    }
    for (int i = 0; i < d; i++) {
      const vreal g = gp * w[i];
      real *gx = pass->gx + at + i * BJ_BLOCK;
      vstore(gx, vload(gx) - g);
      pass->gprep[i] += vsum(g);
      for (int j = 0; j < i; j++) pass->gprep[d + i + (long)j * d] += vsum(g * u[j]);
      /* of log L_ii, so that nothing is divided by a small L_ii */
      pass->gprep[d + i + (long)i * d] += vsum(gp * (w[i] * vset(l[i + (long)i * d]) * u[i] - vset(1)));
    }
  }
}

static void mvnormal_prepare(const bj_base *base, const real *theta, real *prep) {
  const int d = base->d;
  real sum = 0;
  memcpy(prep, theta, sizeof(real) * (size_t)(d + (long)d * d));
  for (int i = 0; i < d; i++) {
    real *diagonal = prep + d + i + (long)i * d, unused;
    *diagonal = base_positive(*diagonal, &unused);
    sum += log(*diagonal);
  }
  prep[d + (long)d * d] = sum;
}

static void mvnormal_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const int d = base->d;
  (void)prep;
  for (int i = 0; i < d; i++) {
    const long diagonal = d + i + (long)i * d;
    real dlog;
    base_positive(theta[diagonal], &dlog);
    gtheta[i] += gprep[i];
    gtheta[diagonal] += gprep[diagonal] * dlog;
    for (int j = 0; j < i; j++) gtheta[d + i + (long)j * d] += gprep[d + i + (long)j * d];
  }
}

static void mvnormal_draw(const bj_base *base, const real *theta, const real *prep, uint64_t seed, uint64_t first_row,
                          int nb, real *x) {
  const int d = base->d;
  const real *l = prep + d;
  (void)theta;
  base_draw_pairs(base, seed, first_row, nb, x, random_normal2);
  FOR_BLOCK_ROWS(nb, b, r) {
    real *row = x + (long)b * d * BJ_BLOCK + r;
    for (int i = d - 1; i >= 0; i--) {
      vreal sum = vset(prep[i]);
      for (int j = 0; j <= i; j++) sum = sum + vset(l[i + (long)j * d]) * vload(row + j * BJ_BLOCK);
      vstore(row + i * BJ_BLOCK, sum);
    }
  }
}

/* x = mean + L z */
static void mvnormal_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal z[MVNORMAL_MAX];
    const long at = (long)b * d * BJ_BLOCK + r;
    mvnormal_solve(base, pass->prep, pass->x + at, z);
    for (int i = 0; i < d; i++) {
      const vreal gx = vload(pass->gx + at + i * BJ_BLOCK);
      pass->gprep[i] += vsum(gx);
      for (int j = 0; j < i; j++) pass->gprep[d + i + (long)j * d] += vsum(gx * z[j]);
      pass->gprep[d + i + (long)i * d] += vsum(gx * z[i]) * pass->prep[d + i + (long)i * d];
    }
  }
}

static void mvnormal_describe(const bj_base *base, bj_describe *out) {
  describe_slot(out, "mean", 1, base->d, 0);
  describe_slot(out, "cholesky", 2, base->d, base->d);
}

/* Standard normal. */
static void mvnormal_init(const bj_base *base, real *theta, bj_rng *rng) {
  (void)rng;
  for (long i = 0; i < base->n_param; i++) theta[i] = 0;
  for (int i = 0; i < base->d; i++) theta[base->d + i + (long)i * base->d] = inverse_softplus(1);
}

static bj_status mvnormal_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  (void)spec;
  if (base->d > MVNORMAL_MAX) {
    return spec_error(build, "base_mvnormal() takes at most %d coordinates, not %d", MVNORMAL_MAX, base->d);
  }
  base->n_param = base->d + (long)base->d * base->d;
  base->n_prep = base->n_param + 1;
  return BJ_OK;
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
    .draw = mvnormal_draw,
    .draw_vjp = mvnormal_draw_vjp,
};
