/* laplace: log p = -|u| - log 2 - log s, the slope -sign(u) (0 at the peak); the tail is e^-|u| / 2.
 *   draw: sign(v) (-log(1 - |v|)), v = 2 U - 1, where 1 - |v| = 2 min(U, 1 - U). */
#include "base-loc_scale.h"

INLINE vreal laplace_shape(vreal sum, vreal u, vreal *slope) {
  *slope = vselect(veq(u, vset(0)), vset(0), vcopysign(vset(1), -u));
  return sum + (-vabs(u) - vset(LN2));
}

INLINE void laplace_tails(vreal u, vreal *below, vreal *above) {
  base_tails(-vabs(u) - vset(LN2), vlt(vset(0), u), below, above);
}

INLINE vreal laplace_quantile(vreal u) {
  const vreal other = vset(1) - u;
  return vcopysign(-vlog(vset(2) * vmin(u, other)), u - other);
}

LOC_SCALE_KIND(laplace, loc_scale_build);
