/* softplus: y = log(1 + exp(x)), onto (0, Inf).
 *
 *   f' = sigmoid(x),  log f' = -softplus(-x),  (log f')' = sigmoid(-x)
 *   inverse x = y + log(1 - exp(-y)):  slope 1 / (1 - exp(-y)),  (log slope)' = -1 / (exp(y) - 1)
 */
#include "scalar-fixed.h"

INLINE vreal softplus_inner(vreal y, vint *inside) {
  *inside = vlt(vset(0), y);
  return vselect(*inside, y, vset(1));
}

INLINE vreal softplus_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    logdet_add(logdet, at, -vsoftplus(-x));
    return vsoftplus(x);
  }
  vint inside;
  const vreal inner = softplus_inner(x, &inside), e = vexp(-inner);
  /* log(1 - exp(-y)): each form is accurate on its side */
  const vint small = vlt(inner, vset(LN2));
  const vreal log_slope = -vselect(small, vlog(-vexpm1(-inner)), vlog1p(-vselect(small, vset(0), e)));
  logdet_add(logdet, at, log_slope);
  return fixed_outside(inside, inner - log_slope, logdet, at);
}

INLINE fixed_slope softplus_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar, (void)y;
  if (direction == BJ_FORWARD) return (fixed_slope){vsigmoid(x), vsigmoid(-x)};
  vint inside;
  const vreal inner = softplus_inner(x, &inside), zero = vset(0);
  const vreal slope = (real)-1.0 / vexpm1(-inner);
  return (fixed_slope){vselect(inside, slope, zero), vselect(inside, -vexp(-inner) * slope, zero)};
}

FIXED_KIND(softplus, fixed_build)
