/* Kernels of the distances between rows x of one table and rows y of another, of d numbers each:
 *
 *   out(i, j) = exp(-rate r)   or   exp(-rate r^2),   r^2 = sum_k (x_ik - y_jk)^2
 *
 * Squares of differences, not |x|^2 + |y|^2 - 2 x'y, which leaves rounding where rows are near. A row of x is computed
 * in the same way wherever it stands.
 */
#include "num-carve.h"
#include "num-math.h"
#include "num-rows.h"

static void near_block(const bj_near_job *job, const real *x, long j, real *value) {
  FOR_ROWS(r) {
    vreal square = vset(0);
    for (int k = 0; k < job->d; k++) {
      const vreal shift = vload(x + (long)k * BJ_BLOCK + r) - vset((real)job->y[(long)k * job->m + j]);
      square = square + shift * shift;
    }
    vstore(value + r, exp_of_negative((job->squared ? square : vsqrt(square)) * vset((real)-job->rate)));
  }
}

/* Blocks of rows of x, each against all rows of y. */
static void near_kernels(const bj_near_job *job, const bj_memory *memory) {
  const int64_t size = (int64_t)job->d * BJ_BLOCK;
  carver measure = {0};
  carve(&measure, size);
  carve(&measure, BJ_BLOCK);
  carver from = {.memory = carve_block(memory, measure.used)};
  real *x = carve(&from, size), *value = carve(&from, BJ_BLOCK);
  for (long first = 0; first < job->n; first += BJ_BLOCK) {
    const long rows = load_block(job->x, job->n, job->d, first, x);
    for (long j = 0; j < job->m; j++) {
      near_block(job, x, j, value);
      for (long r = 0; r < rows; r++) job->out[j * job->n + first + r] = value[r];
    }
  }
}
