/* sinh: y = sinh x.
 *
 *   log f' = log cosh x = |x| + log(1 + e^(-2 |x|)) - log 2,  (log f')' = tanh x
 *   inverse x = asinh y:  slope 1 / sqrt(1 + y^2), which is 1 / |y| where the square would overflow,
 *     (log slope)' = -y slope^2
 */
#include "scalar-fixed.h"

/* sqrt(1 + y^2) */
INLINE vreal sinh_root(vreal y) {
  const vreal a = vabs(y);
  return vselect(vlt(vset(REAL_PLUS_ONE), a), a, vsqrt(1.0 + a * a));
}

INLINE vreal sinh_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    const vreal a = vabs(x);
    logdet_add(logdet, at, a + (log1p_unit(exp_of_negative((real)-2.0 * a)) - LN2));
    return vsinh(x);
  }
  logdet_add(logdet, at, -vlog(sinh_root(x)));
  return vasinh(x);
}

INLINE fixed_slope sinh_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar, (void)y;
  if (direction == BJ_FORWARD) return (fixed_slope){vcosh(x), vtanh(x)};
  const vreal slope = 1.0 / sinh_root(x);
  return (fixed_slope){slope, -(x * slope) * slope};
}

FIXED_KIND(sinh, fixed_build)
