/* sigmoid: y = 1 / (1 + exp(-x)), onto (0, 1).
 *
 *   log f' = -|x| - 2 log(1 + e),  f' = e / (1 + e)^2,  e = exp(-|x|);  (log f')' = 1 - 2 y
 *   inverse x = log y - log(1 - y):  slope 1 / (y (1 - y)),  (log slope)' = (2 y - 1) / (y (1 - y))
 */
#include "scalar-fixed.h"

INLINE vreal sigmoid_inner(vreal y, vint *inside) {
  *inside = vlt(vset(0), y) & vlt(y, vset(1));
  return vselect(*inside, y, vset(0.5));
}

INLINE vreal sigmoid_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    const vreal a = vabs(x), e = vexp(-a);
    logdet_add(logdet, at, -a - 2.0 * log1p_unit(e));
    return sigmoid_from_exp(x, e);
  }
  vint inside;
  const vreal inner = sigmoid_inner(x, &inside), log_inner = vlog(inner), log_rest = vlog1p(-inner);
  logdet_add(logdet, at, -(log_inner + log_rest));
  /* The logs cancel around 1/2; there 2 y - 1 is exact. */
  const vint low = vlt(inner, vset(0.25));
  const vreal odds = (2.0 * inner - 1.0) / (1.0 - inner);
  return fixed_outside(inside, vselect(low, log_inner - log_rest, vlog1p(odds)), logdet, at);
}

INLINE fixed_slope sigmoid_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    const vreal e = vexp(-vabs(x)), over = 1.0 / (1.0 + e);
    return (fixed_slope){e * over * over, 1.0 - 2.0 * y};
  }
  vint inside;
  const vreal inner = sigmoid_inner(x, &inside);
  const vreal slope = vselect(inside, 1.0 / (inner * (1.0 - inner)), vset(0));
  return (fixed_slope){slope, (2.0 * inner - 1.0) * slope};
}

FIXED_KIND(sigmoid, fixed_build)
