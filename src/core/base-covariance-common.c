/* Solves and products with the triangle of a covariance, and their gradients. Formulas in base-covariance.h.
 *
 * Several vectors of rows go side by side, so that an element of L is read once for them and no sum waits for itself.
 */
#include "base-covariance.h"

#define COVARIANCE_WAYS WAYS(8)
#define EACH_WAY UNROLL for (int k = 0; k < COVARIANCE_WAYS; k++)
#define FOR_WAY_ROWS(r) for (int r = 0; r < BJ_BLOCK; r += COVARIANCE_WAYS * BJ_LANES)

static bj_status covariance_check(const bj_base *base, const char *name, bj_build *build) {
  if (base->d <= COVARIANCE_MAX) return BJ_OK;
  return spec_error(build, "base_%s() takes at most %d coordinates, not %d", name, COVARIANCE_MAX, base->d);
}

static void covariance_init(int d, real *raw) {
  for (long i = 0; i < (long)d * d; i++) raw[i] = 0;
  for (int i = 0; i < d; i++) raw[i + (long)i * d] = inverse_softplus(1);
}

static real covariance_prepare(int d, const real *raw, real *l) {
  real sum = 0;
  memcpy(l, raw, sizeof(real) * (size_t)d * (size_t)d);
  for (int i = 0; i < d; i++) {
    real *diagonal = l + i + (long)i * d, unused;
    *diagonal = base_positive(*diagonal, &unused);
    sum += log(*diagonal);
  }
  return sum;
}

static void covariance_prepare_vjp(int d, const real *raw, const real *gl, real *graw) {
  for (int j = 0; j < d; j++) {
    const long column = (long)j * d;
    real dlog;
    base_positive(raw[j + column], &dlog);
    graw[j + column] += gl[j + column] * dlog;
    for (int i = j + 1; i < d; i++) graw[i + column] += gl[i + column];
  }
}

/* sum_k -= sum over j from .. to - 1 of a_j v_j, a_j `step` apart. */
INLINE void covariance_subtract(vreal *sum, const real *a, long step, const real *v, int from, int to) {
  for (int j = from; j < to; j++) {
    const vreal factor = vset(a[j * step]);
    EACH_WAY sum[k] = sum[k] - factor * vload(v + (long)j * BJ_BLOCK + k * BJ_LANES);
  }
}

static void covariance_solve(int d, const real *set, const real *x, real *u) {
  const real *l = set + d;
  for (int i = 0; i < d; i++) {
    const long at = (long)i * BJ_BLOCK;
    FOR_WAY_ROWS(r) {
      vreal sum[COVARIANCE_WAYS];
      EACH_WAY sum[k] = vload(x + at + r + k * BJ_LANES) - vset(set[i]);
      covariance_subtract(sum, l + i, d, u + r, 0, i);
      EACH_WAY vstore(u + at + r + k * BJ_LANES, sum[k] / vset(l[i + (long)i * d]));
    }
  }
}

static void covariance_multiply(int d, const real *set, real *x) {
  const real *l = set + d;
  for (int i = d - 1; i >= 0; i--) {
    FOR_WAY_ROWS(r) {
      vreal sum[COVARIANCE_WAYS];
      EACH_WAY sum[k] = vset(set[i]);
      for (int j = 0; j <= i; j++) {
        const vreal factor = vset(l[i + (long)j * d]);
        EACH_WAY sum[k] = sum[k] + factor * vload(x + (long)j * BJ_BLOCK + r + k * BJ_LANES);
      }
      EACH_WAY vstore(x + (long)i * BJ_BLOCK + r + k * BJ_LANES, sum[k]);
    }
  }
}

static void covariance_vjp(int d, const real *set, real *gset, const real *g, const real *u, real *w, real *gx) {
  const real *l = set + d;
  real *gl = gset + d;
  for (int i = d - 1; i >= 0; i--) {
    const long at = (long)i * BJ_BLOCK, diagonal = i + (long)i * d;
    vreal gmean = vset(0), glog = vset(0);
    FOR_WAY_ROWS(r) {
      vreal sum[COVARIANCE_WAYS];
      EACH_WAY sum[k] = vload(w + at + r + k * BJ_LANES);
      covariance_subtract(sum, l + (long)i * d, 1, w + r, i + 1, d);
      EACH_WAY {
        const vreal here = sum[k] / vset(l[diagonal]);
        const long row = at + r + k * BJ_LANES;
        vstore(w + row, here);
        vstore(gx + row, vload(gx + row) - here);
        gmean = gmean + here;
        glog = glog + (here * vset(l[diagonal]) * vload(u + row) - vload(g + r + k * BJ_LANES));
      }
    }
    gset[i] += vsum(gmean);
    gl[diagonal] += vsum(glog);
    for (int j = 0; j < i; j++) gl[i + (long)j * d] += covariance_dot(w + at, u + (long)j * BJ_BLOCK);
  }
}

static void covariance_draw_vjp(int d, const real *set, real *gset, const real *u, const real *gx) {
  const real *l = set + d;
  for (int i = 0; i < d; i++) {
    const real *g = gx + (long)i * BJ_BLOCK;
    real *gl = gset + d + i;
    gset[i] += sum_rows(g, BJ_BLOCK);
    for (int j = 0; j <= i; j++) {
      gl[(long)j * d] += covariance_dot(g, u + (long)j * BJ_BLOCK) * (i == j ? l[i + (long)i * d] : 1);
    }
  }
}

#undef COVARIANCE_WAYS
#undef EACH_WAY
#undef FOR_WAY_ROWS
