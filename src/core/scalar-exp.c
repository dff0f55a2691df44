/* exp: y = exp(x), onto (0, Inf).
 *
 *   log f' = x,  (log f')' = 1
 *   inverse x = log y:  slope 1 / y,  (log slope)' = -1 / y
 */
#include "scalar-fixed.h"

INLINE vreal exp_inner(vreal y, vint *inside) {
  *inside = vlt(vset(0), y);
  return vselect(*inside, y, vset(1));
}

INLINE vreal exp_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    logdet_add(logdet, at, x);
    return vexp(x);
  }
  vint inside;
  const vreal y = vlog(exp_inner(x, &inside));
  logdet_add(logdet, at, -y);
  return fixed_outside(inside, y, logdet, at);
}

INLINE fixed_slope exp_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar;
  if (direction == BJ_FORWARD) return (fixed_slope){y, vset(1)};
  vint inside;
  const vreal inner = exp_inner(x, &inside), slope = vselect(inside, 1.0 / inner, vset(0));
  return (fixed_slope){slope, -slope};
}

FIXED_KIND(exp, fixed_build)
