/* What base distributions share. */
#ifndef BJ_BASE_COMMON_H
#define BJ_BASE_COMMON_H

#include "num-rows.h"
#include "protocol.h"

/* Every vector of rows of coordinate i of a pass: `at` is its place in x and gx, `row` in log_density and gp. */
#define FOR_BASE_ROWS(base, pass, i, at, row)                                                                 \
  for (int b_ = 0; b_ < (pass)->nb; b_++)                                                                     \
    for (long r_ = 0, at = ((long)b_ * (base)->d + (i)) * BJ_BLOCK, row = (long)b_ * BJ_BLOCK; r_ < BJ_BLOCK; \
         r_ += BJ_LANES, at += BJ_LANES, row += BJ_LANES)

/* Fills x from pairs of random rows; each kind then turns uniforms or normals into its own draws in place. */
INLINE void base_draw_pairs(const bj_base *base, uint64_t seed, uint64_t first_row, int nb, real *x,
                            void (*draw)(uint64_t, uint64_t, uint32_t, real *, real *)) {
  real spare[BJ_BLOCK];
  for (int b = 0; b < nb; b++) {
    for (int i = 0; i < base->d; i += 2) {
      real *here = x + ((long)b * base->d + i) * BJ_BLOCK;
      draw(seed, first_row + (uint64_t)b * BJ_BLOCK, (uint32_t)(i / 2), here,
           i + 1 < base->d ? here + BJ_BLOCK : spare);
    }
  }
}

#define BASE_LEAST BY_REAL(1e-130, 1e-16f)

/* softplus(raw), kept where 1 / s^2 is finite, and the derivative of its logarithm */
INLINE real base_positive(real raw, real *log_derivative) { return softplus_above(BASE_LEAST, raw, log_derivative); }

#define HALF_LOG_2PI 0.91893853320467274178

#endif
