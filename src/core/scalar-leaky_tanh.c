/* leaky_tanh: y = tanh x for |x| < m, beyond it the tangent lines at +-m, of slope c = 1 - tanh(m)^2; onto the real
 * line.
 *
 *   inside   f' = 4 e / (1 + e)^2,  e = exp(-2 |x|);  (log f')' = -2 y
 *   outside  f' = c;  (log f')' = 0
 *   inverse  atanh y for |y| < tanh m, else the line; the slope is 1 / ((1 - y) (1 + y)) or 1 / c. Each branch sees a
 *            number from its own side, so that +-1, where the slope of atanh is infinite, spoils nothing.
 */
#include "scalar-fixed.h"

typedef struct {
  real max, tanh_max, slope;
} leaky_tanh;

/* |y| where it is on the curve, 0 elsewhere */
INLINE vreal leaky_tanh_inner(const leaky_tanh *self, vreal y, vint *inside) {
  *inside = vlt(vabs(y), vset(self->tanh_max));
  return vselect(*inside, vabs(y), vset(0));
}

INLINE vreal leaky_tanh_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  const leaky_tanh *self = scalar->self;
  vint inside;
  if (direction == BJ_FORWARD) {
    inside = vlt(vabs(x), vset(self->max));
    vreal slope;
    const vreal curve = vtanh_with_slope(vselect(inside, x, vset(0)), &slope);
    logdet_multiply(logdet, at, vselect(inside, slope, vset(self->slope)));
    const vreal line = self->tanh_max + self->slope * (vabs(x) - self->max);
    return vselect(inside, curve, vcopysign(line, x));
  }
  const vreal inner = leaky_tanh_inner(self, x, &inside), slope = 1.0 / ((1.0 - inner) * (1.0 + inner));
  logdet_multiply(logdet, at, vselect(inside, slope, vset(1 / self->slope)));
  const vreal line = self->max + (vabs(x) - self->tanh_max) * (1 / self->slope);
  /* atanh a with 2a / (1 - a) = 2a (1 + a) slope */
  const vreal curve = 0.5 * vlog1p(2.0 * inner * (1.0 + inner) * slope);
  return vcopysign(vselect(inside, curve, line), x);
}

INLINE fixed_slope leaky_tanh_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  const leaky_tanh *self = scalar->self;
  const vreal zero = vset(0);
  vint inside;
  if (direction == BJ_FORWARD) {
    inside = vlt(vabs(x), vset(self->max));
    return (fixed_slope){vselect(inside, fixed_tanh_slope(x), vset(self->slope)),
                         vselect(inside, (real)-2.0 * y, zero)};
  }
  const vreal inner = leaky_tanh_inner(self, x, &inside);
  const vreal slope = vselect(inside, 1.0 / ((1.0 - inner) * (1.0 + inner)), vset(1 / self->slope));
  return (fixed_slope){slope, 2.0 * vcopysign(inner, x) * slope};
}

static bj_status leaky_tanh_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  leaky_tanh *self = scalar->self = build_alloc(build, sizeof(leaky_tanh));
  self->max = spec_real(build, spec, "max_value", 0, 15);
  const real e = exp(-2 * self->max);
  self->tanh_max = tanh(self->max);
  self->slope = 4 * e / ((1 + e) * (1 + e));
  scalar->n_factor = 1;
  return build->status;
}

FIXED_KIND(leaky_tanh, leaky_tanh_build)
