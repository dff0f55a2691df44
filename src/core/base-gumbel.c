/* gumbel (of maxima): log p = -u - e^-u - log s, the slope e^-u - 1.  draw: -log(-log U) */
#include "base-loc_scale.h"

/* e^-u is kept finite, so that the density of a far row is a large negative number and its gradient no NaN. */
INLINE vreal gumbel_shape(vreal u, vreal *slope) {
  *slope = vexp(vmin(vset(300), -u)) - vset(1);
  return -u - vexp(vmin(vset(700), -u));
}

INLINE vreal gumbel_quantile(vreal u) { return -vlog(-vlog(u)); }

LOC_SCALE_KIND(gumbel);
