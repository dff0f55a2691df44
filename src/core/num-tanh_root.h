/* The root of a + (s - 1) tanh(a) = c: the inverse of planar layers and of tanh plus a line. */
#ifndef BJ_NUM_TANH_ROOT_H
#define BJ_NUM_TANH_ROOT_H

#include "num-simd.h"

/* a - tanh(a) for a >= 0: near 0, where the difference cancels, from the Pade approximant [7/6] of tanh. */
INLINE vreal minus_tanh(vreal a, vreal tanh_a) {
  const vreal z = a * a;
  const vreal above = z * (45045.0 + z * (2772.0 + z * 27.0));
  const vreal below = 135135.0 + z * (62370.0 + z * (3150.0 + z * 28.0));
  return vselect(vlt(a, vset(0.35)), a * above / below, a - tanh_a);
}

#define TANH_ROOT_STEPS 100
#define TANH_ROOT_NEAR BY_REAL(1e-12, 1e-5f) /* a step of this size, relative to a, is the last */

/* Turns c into the a with a + (s - 1) tanh(a) = c. The left side is odd, and for a > 0 concave (s > 1) or convex
 * (s < 1): Newton's steps from a bound on that side go to the root without passing it. Bounds: the left side lies
 * between a and s a, and between a and a + s - 1; and a - tanh(a) >= a^3 / 4.2 on [0, 1] keeps the start near where s
 * is tiny. A lane that has converged is left alone, so that a row does not depend on its neighbours. `failed` gathers
 * lanes that have not: where s is above about 1e4, rounding keeps the last digits moving.
 *
 * n vectors side by side, a constant of the caller: one alone waits for its own tanh and divisions. */
#define TANH_ROOT_MOST WAYS(4)

INLINE void tanh_root(vreal *c, const vreal *s, int n, vint *failed) {
  vreal a[TANH_ROOT_MOST], size[TANH_ROOT_MOST];
  vint active[TANH_ROOT_MOST], any = (vint)vset(0);
  UNROLL for (int k = 0; k < n; k++) {
    size[k] = vabs(c[k]);
    const vreal line = size[k] - (s[k] - 1.0), ratio = size[k] / s[k];
    const vreal cube = vexp(vlog((real)4.2 * size[k] / (1.0 - s[k])) * (real)(1.0 / 3));
    const vreal convex = vmin(vselect(vlt(cube, vset(1)), cube, line), vmin(line, ratio));
    a[k] = vselect(vlt(s[k], vset(1)), convex, vmax(line, ratio));
    active[k] = vle(vset(0), size[k]); /* not for NaN */
    any |= active[k];
  }
  for (int i = 0; i < TANH_ROOT_STEPS && vany(any); i++) {
    any = (vint)vset(0);
    UNROLL for (int k = 0; k < n; k++) {
      const vreal h = vtanh(a[k]), square = h * h;
      const vreal step = (minus_tanh(a[k], h) + s[k] * h - size[k]) / (square + (1.0 - square) * s[k]);
      a[k] = vselect(active[k], vmax(vset(0), a[k] - step), a[k]);
      active[k] &= vlt(a[k] * TANH_ROOT_NEAR, vabs(step));
      any |= active[k];
    }
  }
  *failed |= any;
  UNROLL for (int k = 0; k < n; k++) c[k] = vcopysign(a[k], c[k]);
}

#endif
