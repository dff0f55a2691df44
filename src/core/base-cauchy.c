/* cauchy: log p = -log(1 + u^2) - log(pi) - log s, the slope -2 u / (1 + u^2); the tail is 1/2 - atan|u| / pi.
 *   draw: tan(pi (U - 1/2)) = -1 / tan(pi U) */
#include "base-loc_scale.h"
#include "num-special.h"

#define LOG_PI 1.1447298858494001741

/* Beyond 1e8, u^2 is all of 1 + u^2, and may overflow. */
INLINE vreal cauchy_shape(vreal sum, vreal u, vreal *slope) {
  const vreal size = vabs(u), huge = vset(1e8), near = vmin(huge, size), square = near * near;
  const vint far = vlt(huge, size);
  *slope = vcopysign(vselect(far, vset(2) / vmax(huge, size), vset(2) * near / (vset(1) + square)), -u);
  return sum + (-vset(LOG_PI) - vselect(far, vset(2) * vlog(vmax(huge, size)), vlog1p(square)));
}

/* atan2(1, |u|) / pi; beyond 1e8 it is 1 / (pi |u|). */
INLINE void cauchy_tails(vreal u, vreal *below, vreal *above) {
  const vreal size = vabs(u), huge = vset(1e8), near = vmax(vset(1), vmin(huge, size));
  const vreal outer = vlog(vatan(1.0 / near)) - vset(LOG_PI);
  const vreal inner = vlog(vset(0.5) - vatan(vmin(vset(1), size)) * (real)0.31830988618379067154);
  const vreal far = -vlog(vmax(huge, size)) - vset(LOG_PI);
  base_tails(vselect(vlt(huge, size), far, vselect(vlt(vset(1), size), outer, inner)), vlt(vset(0), u), below, above);
}

/* From the nearer end, where pi U keeps its digits. */
INLINE vreal cauchy_quantile(vreal u) {
  const vreal other = vset(1) - u;
  vreal sine, cosine;
  vsincos(vset(3.14159265358979323846) * vmin(u, other), &sine, &cosine);
  return vcopysign(cosine / sine, u - other);
}

LOC_SCALE_KIND(cauchy, loc_scale_build);
