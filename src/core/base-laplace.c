/* laplace: log p = -|u| - log 2 - log s, the slope -sign(u) (0 at the peak).
 *   draw: sign(v) (-log(1 - |v|)), v = 2 U - 1, where 1 - |v| = 2 min(U, 1 - U). */
#include "base-loc_scale.h"

INLINE vreal laplace_shape(vreal u, vreal *slope) {
  *slope = vselect(veq(u, vset(0)), vset(0), vcopysign(vset(1), -u));
  return -vabs(u) - vset(LN2);
}

INLINE vreal laplace_quantile(vreal u) {
  const vreal other = vset(1) - u;
  return vcopysign(-vlog(vset(2) * vmin(u, other)), u - other);
}

LOC_SCALE_KIND(laplace);
