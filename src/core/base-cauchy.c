/* cauchy: log p = -log(1 + u^2) - log(pi) - log s, the slope -2 u / (1 + u^2).
 *   draw: tan(pi (U - 1/2)) = -1 / tan(pi U) */
#include "base-loc_scale.h"

#define LOG_PI 1.1447298858494001741

/* Beyond 1e8, u^2 is all of 1 + u^2, and may overflow. */
INLINE vreal cauchy_shape(vreal u, vreal *slope) {
  const vreal size = vabs(u), huge = vset(1e8), near = vmin(huge, size), square = near * near;
  const vint far = vlt(huge, size);
  *slope = vcopysign(vselect(far, vset(2) / vmax(huge, size), vset(2) * near / (vset(1) + square)), -u);
  return -vset(LOG_PI) - vselect(far, vset(2) * vlog(vmax(huge, size)), vlog1p(square));
}

/* From the nearer end, where pi U keeps its digits. */
INLINE vreal cauchy_quantile(vreal u) {
  const vreal other = vset(1) - u;
  vreal sine, cosine;
  vsincos(vset(3.14159265358979323846) * vmin(u, other), &sine, &cosine);
  return vcopysign(cosine / sine, u - other);
}

LOC_SCALE_KIND(cauchy);
