/* gumbel (of maxima): log p = -u - e^-u - log s, the slope e^-u - 1; P(X <= x) = exp(-e^-u).  draw: -log(-log U) */
#include "base-loc_scale.h"

#define GUMBEL_STEEP BY_REAL(300, 40) /* of -u: the slope grows no further, and may be multiplied */

/* e^-u is kept finite, so that the density of a far row is a large negative number and its gradient no NaN. */
INLINE vreal gumbel_shape(vreal sum, vreal u, vreal *slope) {
  *slope = vexp(vmin(vset(GUMBEL_STEEP), -u)) - vset(1);
  return sum + (-u - vexp(vmin(vset(REAL_EXP_SAFE), -u)));
}

INLINE void gumbel_tails(vreal u, vreal *below, vreal *above) {
  const vreal e = vexp(vmin(vset(REAL_EXP_SAFE), -u)), far = vset(30);
  *below = vselect(vle(u, vset(-INFINITY)), u, -e);
  *above = vselect(vlt(far, u), -u, vlog(-vexpm1(-e)));
}

INLINE vreal gumbel_quantile(vreal u) { return -vlog(-vlog(u)); }

LOC_SCALE_KIND(gumbel, loc_scale_build);
