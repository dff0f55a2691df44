/* What distributions with a full covariance, or scale matrix, L L' share.
 *
 *   L is the lower triangle of d x d raw numbers, its diagonal softplus of the raw one; what stands above takes part in
 *   nothing.
 *   u = L^{-1} (x - mean); of a log density f(u) - sum_i log L_ii with the cotangent g, and v = -g f'(u):
 *   w = L'^{-1} v:  gx = -w,  gmean = w,  gL_ij = w_i u_j - [i = j] g / L_ii
 *
 * A set of prep is the mean and L (column-major); one of gprep the gradients of the mean, of L below the diagonal, and
 * of log L_ii on it, so that nothing is divided by a small L_ii. Blocks of rows are [d][BJ_BLOCK].
 */
#ifndef BJ_BASE_COVARIANCE_H
#define BJ_BASE_COVARIANCE_H

#include "base-common.h"

#define COVARIANCE_MAX 1024 /* coordinates */

/* In base-covariance-common.c. */

/* More coordinates than COVARIANCE_MAX are an error; base_<name>() is told. */
static bj_status covariance_check(const bj_base *base, const char *name, bj_build *build);
/* Raw numbers of the identity. */
static void covariance_init(int d, real *raw);
/* L of the raw numbers; returns sum_i log L_ii. */
static real covariance_prepare(int d, const real *raw, real *l);
/* Adds to graw what the gradients in the L of a set of gprep make of it. */
static void covariance_prepare_vjp(int d, const real *raw, const real *gl, real *graw);
/* u of the rows x of a block. */
static void covariance_solve(int d, const real *set, const real *x, real *u);
/* mean + L x in the place of x. */
static void covariance_multiply(int d, const real *set, real *x);
/* Of rows mean + L u, draws, with cotangents gx: adds to gset. */
static void covariance_draw_vjp(int d, const real *set, real *gset, const real *u, const real *gx);
/* Adds to gset and to gx, of one block. `w` is v at first, and scratch. */
static void covariance_vjp(int d, const real *set, real *gset, const real *g, const real *u, real *w, real *gx);

/* Sum of a b over the rows of a block. */
INLINE real covariance_dot(const real *a, const real *b) {
  vreal even = vset(0), odd = vset(0);
  for (int r = 0; r < BJ_BLOCK; r += 2 * BJ_LANES) {
    even = even + vload(a + r) * vload(b + r);
    odd = odd + vload(a + r + BJ_LANES) * vload(b + r + BJ_LANES);
  }
  return vsum(even + odd);
}

#endif
