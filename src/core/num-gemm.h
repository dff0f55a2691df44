/* Dense products on blocks: the three that a linear layer y = W x + b and its gradient need.
 *
 * Activations are [block][feature][BJ_BLOCK]. W has element (i, k) at w[i * rs + k * cs], so either layout and the
 * transpose are the same call. */
#ifndef BJ_NUM_GEMM_H
#define BJ_NUM_GEMM_H

#include "num-simd.h"

typedef enum { GEMM_SET, GEMM_ADD, GEMM_RELU, GEMM_RELU_MASK } gemm_mode;

/* y[b][i] (i < m)  <-  sum_k w(i, k) x[b][k] (k < kn) + bias[i], for nb blocks; xs, ys: reals between blocks of x, y.
 * SET stores; ADD adds to y; RELU stores max(0, .); RELU_MASK stores 0 where mask[b][i] <= 0 (mask laid out as y).
 * bias may be NULL. k_lo[i], k_hi[i] (may be NULL) bound the k for which row i of w is not known to be zero: products
 * outside are skipped where a whole tile allows it, and w must hold zeros there. */
static void gemm(gemm_mode mode, int m, int kn, const real *w, long rs, long cs, const real *bias, int nb,
                 const real *x, long xs, real *y, long ys, const real *mask, const int *k_lo, const int *k_hi);

/* g(i, k) += sum over blocks and rows of gy[b][i] x[b][k]; g(i, k) is at g[i + k * ldg] (column-major, like R).
 * k_lo, k_hi as above: entries that a tile skips are left as they are, others outside may be written. */
static void gemm_weight_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs, real *g, long ldg,
                             const int *k_lo, const int *k_hi);

/* gb[i] += sum over blocks and rows of gy[b][i] */
static void gemm_bias_grad(int m, int nb, const real *gy, long gys, real *gb);

#endif
