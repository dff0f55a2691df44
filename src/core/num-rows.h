/* Loops over rows of blocks, and single numbers out of vector code. */
#ifndef BJ_NUM_ROWS_H
#define BJ_NUM_ROWS_H

#include "num-simd.h"

/* All rows of nb blocks, a vector at a time. */
#define FOR_BLOCK_ROWS(nb, b, r) \
  for (int b = 0; b < (nb); b++) \
    for (int r = 0; r < BJ_BLOCK; r += BJ_LANES)

/* to = from, and to += from, on n rows a block; fs and ts: from one block to the next. */
INLINE void copy_rows(int nb, const real *from, long fs, real *to, long ts, int n) {
  for (int b = 0; b < nb; b++) memcpy(to + b * ts, from + b * fs, sizeof(real) * (size_t)n * BJ_BLOCK);
}
INLINE void add_rows(int nb, const real *from, long fs, real *to, long ts, int n) {
  for (int b = 0; b < nb; b++) {
    for (long i = 0; i < (long)n * BJ_BLOCK; i += BJ_LANES) {
      vstore(to + b * ts + i, vload(to + b * ts + i) + vload(from + b * fs + i));
    }
  }
}

/* Of each block, out row i = in row p(i), or out row p(i) = in row i. */
INLINE void permute_rows(const int *p, int d, int nb, const real *in, real *out, int gather) {
  for (int b = 0; b < nb; b++, in += (long)d * BJ_BLOCK, out += (long)d * BJ_BLOCK) {
    for (int i = 0; i < d; i++) {
      const long here = (long)i * BJ_BLOCK, there = (long)p[i] * BJ_BLOCK;
      memcpy(out + (gather ? here : there), in + (gather ? there : here), sizeof(real) * BJ_BLOCK);
    }
  }
}

/* Rows first, ..., first + 31 of a column-major table of n rows and d numbers; beyond the last they are that one. Gives
 * the number of rows that are there. */
static inline long load_block(const double *from, long n, int d, long first, real *to) {
  const long left = n - first, rows = left < BJ_BLOCK ? left : BJ_BLOCK;
  for (int j = 0; j < d; j++) {
    const double *column = from + (long)j * n + first;
    for (long r = 0; r < BJ_BLOCK; r++) to[(long)j * BJ_BLOCK + r] = (real)column[r < rows ? r : rows - 1];
  }
  return rows;
}

/* [block][d][BJ_BLOCK] to a column-major matrix of all their rows, and back. */
INLINE void rows_to_columns(int nb, int d, const real *from, real *to) {
  for (int b = 0; b < nb; b++) {
    for (int j = 0; j < d; j++) {
      memcpy(to + ((long)j * nb + b) * BJ_BLOCK, from + ((long)b * d + j) * BJ_BLOCK, sizeof(real) * BJ_BLOCK);
    }
  }
}
INLINE void columns_to_rows(int nb, int d, const real *from, real *to) {
  for (int b = 0; b < nb; b++) {
    for (int j = 0; j < d; j++) {
      memcpy(to + ((long)b * d + j) * BJ_BLOCK, from + ((long)j * nb + b) * BJ_BLOCK, sizeof(real) * BJ_BLOCK);
    }
  }
}

/* sum of n numbers, a multiple of BJ_BLOCK */
INLINE real sum_rows(const real *x, long n) {
  vreal sum = vset(0);
  for (long i = 0; i < n; i += BJ_LANES) sum += vload(x + i);
  return vsum(sum);
}

/* What a vector function gives for one number: vfirst(vtanh(vset(x))). */
INLINE real vfirst(vreal v) {
  real lanes[BJ_LANES];
  vstore(lanes, v);
  return lanes[0];
}

/* Of raw numbers: below it softplus is e^raw, and no smaller one is needed. */
#define SOFTPLUS_LEAST BY_REAL(-300, -80)

/* softplus(raw), at least `floor`, and the derivative of its logarithm, NULL if not wanted. */
INLINE real softplus_above(real floor, real raw, real *log_derivative) {
  vreal sigmoid;
  const real value = fmax(vfirst(vsoftplus_sigmoid(vset(fmax(raw, SOFTPLUS_LEAST)), &sigmoid)), floor);
  if (log_derivative) *log_derivative = vfirst(sigmoid) / value;
  return value;
}

/* log(exp(y) - 1) without overflow or cancellation, y > 0 */
INLINE real inverse_softplus(real y) { return y > 30 ? y : log(expm1(y)); }

#endif
