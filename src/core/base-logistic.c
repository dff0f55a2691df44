/* logistic: log p = |u| - 2 log(1 + e^|u|) - log s, the slope 1 - 2 sigmoid(u) = -tanh(u / 2); P(X <= x) = 1 / (1 +
 * e^-u). Location and scale are 0 and 1, or with a net its own.  draw: log(U) - log(1 - U)
 */
#include "base-loc_scale.h"

INLINE vreal logistic_shape(vreal sum, vreal u, vreal *slope) {
  const vreal size = vabs(u);
  *slope = -vtanh(vset(0.5) * u);
  return sum + size - vset(2) * vsoftplus(size);
}

INLINE void logistic_tails(vreal u, vreal *below, vreal *above) {
  *below = -vsoftplus(-u);
  *above = -vsoftplus(u);
}

INLINE vreal logistic_quantile(vreal u) { return vlog(u) - vlog(vset(1) - u); }

static bj_status logistic_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  base->self = build_alloc(build, sizeof(loc_scale));
  base->n_prep = 3 * base->d;
  return loc_scale_finish(base, spec, 0, build);
}

LOC_SCALE_KIND(logistic, logistic_build);
