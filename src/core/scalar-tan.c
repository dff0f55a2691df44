/* tan: y = tan(pi (x - 1/2)), of the unit interval onto the real line.
 *
 *   With m = min(x, 1 - x), |y| = cos(pi m) / sin(pi m), which keeps what x says near 0 and 1; between 1/4 and 3/4,
 *   where the cosine would cancel, y = sin / cos of pi (x - 1/2).
 *   f' = pi (1 + y^2),  log f' = log pi - 2 log sin(pi m),  (log f')' = 2 pi y
 *   inverse x = 1/2 + atan(y) / pi, for y < -1 atan(1 / |y|) / pi:  log slope = -log pi - log(1 + y^2),
 *     (log slope)' = -2 y / (1 + y^2)
 */
#include "num-special.h"
#include "scalar-fixed.h"

#define TAN_PI ((real)3.14159265358979323846)
#define TAN_LOG_PI ((real)1.14472988584940017414)
#define TAN_STEEP BY_REAL(1e153, 5e18f) /* pi times its square is nearly the largest number */

INLINE vreal tan_inner(vreal x, vint *inside) {
  *inside = vlt(vset(0), x) & vlt(x, vset(1));
  return vselect(*inside, x, vset(0.5));
}

INLINE vreal tan_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    vint inside;
    const vreal inner = tan_inner(x, &inside), m = vmin(inner, 1.0 - inner), centred = inner - 0.5;
    const vint middle = vle(vset(0.25), m);
    vreal sine, cosine;
    vsincos(TAN_PI * vselect(middle, vabs(centred), m), &sine, &cosine);
    logdet_add(logdet, at, TAN_LOG_PI - 2.0 * vlog(vselect(middle, cosine, sine)));
    return fixed_outside(inside, vcopysign(vselect(middle, sine / cosine, cosine / sine), centred), logdet, at);
  }
  const vreal a = vabs(x);
  const vint large = vlt(vset(REAL_PLUS_ONE), a);
  const vreal log_square = vselect(large, 2.0 * vlog(a), vlog1p(vselect(large, vset(0), a * a)));
  logdet_add(logdet, at, -TAN_LOG_PI - log_square);
  const vreal outer = vatan(1.0 / a) * (1 / TAN_PI);
  const vreal tail = vselect(vlt(x, vset(0)), outer, 1.0 - outer);
  return vselect(vlt(vset(1), a), tail, 0.5 + vatan(x) * (1 / TAN_PI));
}

INLINE fixed_slope tan_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar;
  if (direction == BJ_FORWARD) {
    vint inside;
    tan_inner(x, &inside);
    const vreal bounded = vmax(vset(-TAN_STEEP), vmin(vset(TAN_STEEP), y)), zero = vset(0);
    return (fixed_slope){vselect(inside, TAN_PI * (1.0 + bounded * bounded), zero),
                         vselect(inside, 2 * TAN_PI * y, zero)};
  }
  const vreal a = vabs(x), over = 1.0 / a;
  const vint large = vlt(vset(REAL_PLUS_ONE), a);
  const vreal slope = vselect(large, over * over, 1.0 / (1.0 + x * x));
  return (fixed_slope){slope * (1 / TAN_PI), (real)-2.0 * vselect(large, vcopysign(over, x), x * slope)};
}

FIXED_KIND(tan, fixed_build)
