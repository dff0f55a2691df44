/* power: y = x^p for x > 0 and p != 0, onto (0, Inf); decreasing for p < 0.
 *
 *   log|f'| = log|p| + (p - 1) log x,  f' = p y / x,  (log|f'|)' = (p - 1) / x
 *   inverse: the same with 1 / p
 */
#include "scalar-fixed.h"

INLINE real power_exponent(const bj_scalar *scalar, bj_direction direction) {
  const real p = *(const real *)scalar->self;
  return direction == BJ_FORWARD ? p : 1 / p;
}

INLINE vreal power_inner(vreal x, vint *inside) {
  *inside = vlt(vset(0), x);
  return vselect(*inside, x, vset(1));
}

INLINE vreal power_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  const real p = power_exponent(scalar, direction);
  vint inside;
  const vreal log_x = vlog(power_inner(x, &inside));
  logdet_add(logdet, at, (real)log(fabs(p)) + (p - 1) * log_x);
  return fixed_outside(inside, vexp(p * log_x), logdet, at);
}

INLINE fixed_slope power_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  const real p = power_exponent(scalar, direction);
  vint inside;
  const vreal over = 1.0 / power_inner(x, &inside), zero = vset(0);
  return (fixed_slope){vselect(inside, p * y * over, zero), vselect(inside, (p - 1) * over, zero)};
}

static bj_status power_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  real *exponent = scalar->self = build_alloc(build, sizeof(real));
  *exponent = spec_real(build, spec, "exponent", -INFINITY, INFINITY);
  scalar->n_factor = 1;
  if (*exponent == 0) return spec_error(build, "`exponent` of scalar_power() must not be 0");
  return build->status;
}

FIXED_KIND(power, power_build)
