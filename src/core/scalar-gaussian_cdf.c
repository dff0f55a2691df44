/* gaussian_cdf: y = Phi(x), the distribution function of N(0, 1), onto (0, 1).
 *
 *   log f' = -x^2 / 2 - log sqrt(2 pi),  (log f')' = -x
 *   inverse x = Phi^-1(y):  log slope = x^2 / 2 + log sqrt(2 pi),  (log slope)' = x slope
 */
#include "num-special.h"
#include "scalar-fixed.h"

/* Below this the slope of the inverse overflows. */
#define GAUSSIAN_CDF_TINY BY_REAL(1e-305, 1e-37f)

INLINE vreal gaussian_cdf_inner(vreal y, vint *inside) {
  *inside = vlt(vset(0), y) & vlt(y, vset(1));
  return vselect(*inside, vmax(vset(GAUSSIAN_CDF_TINY), y), vset(0.5));
}

INLINE vreal gaussian_cdf_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    const vreal bounded = vmax(vset(-REAL_SQUARE), vmin(vset(REAL_SQUARE), x)); /* the square must not overflow */
    logdet_add(logdet, at, (real)-0.5 * bounded * bounded - LOG_SQRT_2PI);
    return vpnorm(x);
  }
  vint inside;
  const vreal y = vqnorm(gaussian_cdf_inner(x, &inside));
  logdet_add(logdet, at, 0.5 * y * y + LOG_SQRT_2PI);
  return fixed_outside(inside, y, logdet, at);
}

INLINE fixed_slope gaussian_cdf_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar;
  if (direction == BJ_FORWARD) return (fixed_slope){vexp((real)-0.5 * x * x - LOG_SQRT_2PI), -x};
  vint inside;
  gaussian_cdf_inner(x, &inside);
  const vreal slope = vselect(inside, vexp(0.5 * y * y + LOG_SQRT_2PI), vset(0));
  return (fixed_slope){slope, y * slope};
}

FIXED_KIND(gaussian_cdf, fixed_build)
