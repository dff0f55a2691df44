/* tanh_plus_linear: y = tanh x + m x with 0 < m <= 1, onto the real line.
 *
 *   f' = s + m,  s = 1 - tanh(x)^2;  (log f')' = -2 tanh(x) s / f'
 *   inverse: the root x of x + tanh(x) / m = y / m;  slope 1 / f'(x),  (log slope)' = -(log f')'(x) / f'(x)
 */
#include "num-tanh_root.h"
#include "scalar-fixed.h"

/* An infinite y / m has no root. */
#define TANH_PLUS_LINEAR_MOST BY_REAL(1.7e308, 3.3e38f)

/* That the root may not settle to the last digit does no harm: Newton's steps do not pass it. */
INLINE vreal tanh_plus_linear_root(real m, vreal y) {
  const vreal s = vset(1 + 1 / m);
  vreal x = vmax(vset(-TANH_PLUS_LINEAR_MOST), vmin(vset(TANH_PLUS_LINEAR_MOST), y / m));
  vint unsettled = (vint)vset(0);
  tanh_root(&x, &s, 1, &unsettled);
  return x;
}

INLINE vreal tanh_plus_linear_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet,
                                    long at) {
  const real m = *(const real *)scalar->self;
  const vreal from = direction == BJ_FORWARD ? x : tanh_plus_linear_root(m, x), slope = fixed_tanh_slope(from) + m;
  logdet_multiply(logdet, at, direction == BJ_FORWARD ? slope : 1.0 / slope);
  return direction == BJ_FORWARD ? vtanh(x) + m * x : from;
}

INLINE fixed_slope tanh_plus_linear_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  const real m = *(const real *)scalar->self;
  const vreal from = direction == BJ_FORWARD ? x : y, bend = fixed_tanh_slope(from), slope = bend + m;
  const vreal log_slope = (real)-2.0 * vtanh(from) * bend / slope;
  if (direction == BJ_FORWARD) return (fixed_slope){slope, log_slope};
  return (fixed_slope){1.0 / slope, -log_slope / slope};
}

static bj_status tanh_plus_linear_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  real *m = scalar->self = build_alloc(build, sizeof(real));
  *m = spec_real(build, spec, "min_slope", 0, 1);
  scalar->n_factor = 1;
  return build->status;
}

FIXED_KIND(tanh_plus_linear, tanh_plus_linear_build)
