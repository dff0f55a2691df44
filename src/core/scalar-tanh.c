/* tanh: y = tanh x, onto (-1, 1).
 *
 *   log f' = 2 (log 2 - |x| - log(1 + e)),  f' = 4 e / (1 + e)^2,  e = exp(-2 |x|);  (log f')' = -2 y
 *   inverse x = atanh y:  slope 1 / ((1 - y) (1 + y)),  (log slope)' = 2 y / ((1 - y) (1 + y))
 */
#include "scalar-fixed.h"

INLINE vreal tanh_inner(vreal y, vint *inside) {
  *inside = vlt(vabs(y), vset(1));
  return vselect(*inside, y, vset(0));
}

INLINE vreal tanh_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar;
  const vreal a = vabs(x);
  if (direction == BJ_FORWARD) {
    logdet_add(logdet, at, 2.0 * (LN2 - a - log1p_unit(vexp((real)-2.0 * a))));
    return vtanh(x);
  }
  vint inside;
  const vreal inner = tanh_inner(x, &inside);
  logdet_multiply(logdet, at, 1.0 / ((1.0 - inner) * (1.0 + inner)));
  return fixed_outside(inside, vcopysign(fixed_atanh(vabs(inner)), x), logdet, at);
}

INLINE fixed_slope tanh_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar;
  if (direction == BJ_FORWARD) return (fixed_slope){fixed_tanh_slope(x), (real)-2.0 * y};
  vint inside;
  const vreal inner = tanh_inner(x, &inside);
  const vreal slope = vselect(inside, 1.0 / ((1.0 - inner) * (1.0 + inner)), vset(0));
  return (fixed_slope){slope, 2.0 * inner * slope};
}

FIXED_KIND(tanh, fixed_build)
