/* Dense products on blocks: the three that a linear layer y = W x + b and its gradient need.
 *
 * Activations are [block][feature][BJ_BLOCK]; xs and ys are reals from one block to the next. */
#ifndef BJ_NUM_GEMM_H
#define BJ_NUM_GEMM_H

#include "num-simd.h"

/* W, m x k, with element (i, j) at w[i * rs + j * cs]: either layout, and the transpose. */
typedef struct {
  int m, k;
  const real *w;
  long rs, cs;
  const real *bias; /* m, or NULL */
  /* NULL, or bounds of the j for which row i is not known to be zero: products outside are skipped where a whole tile
   * allows it, and W must hold zeros there. */
  const int *k_lo, *k_hi;
  const real *mask; /* of GEMM_RELU_MASK, laid out as y */
} gemm_matrix;

/* m x k numbers in columns, as R has them, and the transpose of such. */
INLINE gemm_matrix gemm_columns(const real *w, int m, int k, const real *bias) {
  return (gemm_matrix){.m = m, .k = k, .w = w, .rs = 1, .cs = m, .bias = bias};
}
INLINE gemm_matrix gemm_transpose(const real *w, int m, int k) {
  return (gemm_matrix){.m = k, .k = m, .w = w, .rs = m, .cs = 1};
}

typedef enum { GEMM_SET, GEMM_ADD, GEMM_RELU, GEMM_RELU_MASK } gemm_mode;

/* y[b] <- W x[b] + bias for nb blocks. SET stores; ADD adds to y; RELU stores max(0, .); RELU_MASK stores 0 where
 * mask[b][i] <= 0. */
static void gemm(gemm_mode mode, gemm_matrix a, int nb, const real *x, long xs, real *y, long ys);

/* g(i, k) += sum over blocks and rows of gy[b][i] x[b][k]; g(i, k) is at g[i + k * ldg] (column-major, like R).
 * k_lo, k_hi as above: entries that a tile skips are left as they are, others outside may be written. */
static void gemm_weight_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs, real_sum *g,
                             long ldg, const int *k_lo, const int *k_hi);

/* gb[i] += sum over blocks and rows of gy[b][i] */
static void gemm_bias_grad(int m, int nb, const real *gy, long gys, real_sum *gb);

#endif
