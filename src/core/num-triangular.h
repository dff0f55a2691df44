/* Products and solves with a triangular matrix, on one block of rows. */
#ifndef BJ_NUM_TRIANGULAR_H
#define BJ_NUM_TRIANGULAR_H

#include "num-rows.h"

typedef enum { TRIANGULAR_MULTIPLY, TRIANGULAR_SOLVE } triangular_task;

/* out = A in, or A^{-1} in, with A' in place of A if `transposed`. A is d x d, column-major, lower or upper; its other
 * side is not read. in and out are [d][BJ_BLOCK], different arrays. */
static void triangular_block(triangular_task task, const real *a, int d, int upper, int transposed, const real *in,
                             real *out) {
  const int solve = task == TRIANGULAR_SOLVE, ascending = upper == transposed;
  const long row = transposed ? d : 1, column = transposed ? 1 : d;
  for (int step = 0; step < d; step++) {
    /* a solve must go the way that the triangle allows; a product may go either way */
    const int i = ascending ? step : d - 1 - step;
    const int lo = ascending ? 0 : i + 1, hi = ascending ? i : d;
    const real *ai = a + i * row;
    const real diagonal = ai[i * column];
    const real *from = solve ? out : in;
    FOR_ROWS(r) {
      vreal sum = vload(in + (long)i * BJ_BLOCK + r);
      if (!solve) sum = sum * vset(diagonal);
      for (int j = lo; j < hi; j++) {
        const vreal term = vset(ai[j * column]) * vload(from + (long)j * BJ_BLOCK + r);
        sum = solve ? sum - term : sum + term;
      }
      vstore(out + (long)i * BJ_BLOCK + r, solve ? sum / vset(diagonal) : sum);
    }
  }
}

/* nb blocks of x -> A x + shift, or of x -> A^{-1} (x - shift). work: d rows. */
static void triangular_affine_blocks(triangular_task task, const real *a, const real *shift, int d, int upper, int nb,
                                     const real *x, real *y, real *work) {
  const long size = (long)d * BJ_BLOCK;
  for (int b = 0; b < nb; b++, x += size, y += size) {
    if (task == TRIANGULAR_SOLVE) {
      for (int i = 0; i < d; i++) {
        FOR_ROWS(r) vstore(work + i * BJ_BLOCK + r, vload(x + i * BJ_BLOCK + r) - vset(shift[i]));
      }
      triangular_block(task, a, d, upper, 0, work, y);
    } else {
      triangular_block(task, a, d, upper, 0, x, y);
      for (int i = 0; i < d; i++) {
        FOR_ROWS(r) vstore(y + i * BJ_BLOCK + r, vload(y + i * BJ_BLOCK + r) + vset(shift[i]));
      }
    }
  }
}

#endif
