/* support: the line onto an open interval (a, b), increasing; without parameters.
 *
 *   both ends infinite:  y = x
 *   one end c, with t = 1 for a lower and -1 for an upper one, m = t x and the distance v = t (y - c) from it:
 *     log:       v = exp(m),  log f' = m,  (log f')' = t
 *                inverse: m = log v, slope 1 / v, (log slope)' = -t / v
 *     softplus:  v = s log(1 + exp(m / s)),  f' = sigmoid(m / s),  (log f')' = t sigmoid(-m / s) / s
 *                inverse: m = v + s log(1 - exp(-v / s)), slope 1 / (1 - exp(-v / s)),
 *                (log slope)' = -t / (s (exp(v / s) - 1))
 *   two ends, w = b - a, e = exp(-|x|):  y = a + w e / (1 + e) for x < 0, else b - w e / (1 + e)
 *     log f' = log w - |x| - 2 log(1 + e),  (log f')' = -tanh(x / 2)
 *     inverse, l = y - a and h = b - y:  x = log l - log h,  slope w / (l h),  (log slope)' = (l - h) / (l h)
 *
 * Distances are taken from the nearer end, so an end at 0 keeps all digits. Rounding may not lead out of the interval:
 * a value is at most the last number inside. Slopes that would overflow are the largest number.
 */
#include "scalar-fixed.h"

typedef struct {
  real end, sign, scale; /* one end: c, t, s */
  real lower, upper, width, log_width;
  real first, last; /* numbers inside the interval */
} support;

INLINE vreal support_within(const support *self, vreal y) { return vmax(vset(self->first), vmin(vset(self->last), y)); }

INLINE vreal support_slope(vreal slope) { return vmin(vset(REAL_MAX), slope); }

/* v, and whether y is inside; 1 if not. */
INLINE vreal support_distance(const support *self, vreal y, vint *inside) {
  const vreal v = self->sign * (y - self->end);
  *inside = vlt(vset(0), v) & vlt(v, vset(INFINITY));
  return vselect(*inside, v, vset(1));
}

/* ---- both ends infinite ------------------------------------------------------------------------------------------ */

INLINE vreal support_real_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  (void)scalar, (void)direction, (void)logdet, (void)at;
  return x;
}
INLINE fixed_slope support_real_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  (void)scalar, (void)x, (void)y, (void)direction;
  return (fixed_slope){vset(1), vset(0)};
}

/* ---- one end ----------------------------------------------------------------------------------------------------- */

INLINE vreal support_log_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  const support *self = scalar->self;
  if (direction == BJ_FORWARD) {
    const vreal m = self->sign * x;
    logdet_add(logdet, at, m);
    return support_within(self, self->end + self->sign * vexp(m));
  }
  vint inside;
  const vreal m = vlog(support_distance(self, x, &inside));
  logdet_add(logdet, at, -m);
  return fixed_outside(inside, self->sign * m, logdet, at);
}

INLINE fixed_slope support_log_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  const support *self = scalar->self;
  (void)y;
  if (direction == BJ_FORWARD) return (fixed_slope){support_slope(vexp(self->sign * x)), vset(self->sign)};
  vint inside;
  const vreal v = support_distance(self, x, &inside), slope = vselect(inside, support_slope(1.0 / v), vset(0));
  return (fixed_slope){slope, -self->sign * slope};
}

INLINE vreal support_softplus_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet,
                                    long at) {
  const support *self = scalar->self;
  const real s = self->scale;
  if (direction == BJ_FORWARD) {
    const vreal m = self->sign * x, log_rest = log1p_unit(exp_of_negative(-vabs(m) / s));
    logdet_add(logdet, at, -support_slope(vmax(vset(0), -m) / s + log_rest));
    return support_within(self, self->end + self->sign * (vmax(vset(0), m) + s * log_rest));
  }
  vint inside;
  const vreal v = support_distance(self, x, &inside), u = v / s;
  /* log(1 - exp(-u)), each form where it is accurate; u itself may underflow */
  const vint small = vlt(u, vset(LN2)), tiny = vlt(u, vset(REAL_EPS * REAL_EPS));
  const vreal near = vlog(vselect(tiny, v, -vexpm1(-u))) - vselect(tiny, vset(log(s)), vset(0));
  const vreal log_slope = -vselect(small, near, vlog1p(-vselect(small, vset(0), exp_of_negative(-u))));
  logdet_add(logdet, at, log_slope);
  return fixed_outside(inside, self->sign * (v - s * log_slope), logdet, at);
}

INLINE fixed_slope support_softplus_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  const support *self = scalar->self;
  const real s = self->scale;
  (void)y;
  if (direction == BJ_FORWARD) {
    const vreal m = self->sign * x, e = exp_of_negative(-vabs(m) / s);
    return (fixed_slope){sigmoid_from_exp(m, e), self->sign * (sigmoid_from_exp(-m, e) / s)};
  }
  vint inside;
  const vreal v = support_distance(self, x, &inside), u = v / s, zero = vset(0);
  const vreal log_slope = -self->sign * support_slope(1.0 / (s * vexpm1(u)));
  return (fixed_slope){vselect(inside, support_slope((real)-1.0 / vexpm1(-u)), zero), vselect(inside, log_slope, zero)};
}

/* ---- two ends ---------------------------------------------------------------------------------------------------- */

/* log(v / w), also where the share itself underflows. */
INLINE vreal support_log_share(const support *self, vreal v) {
  const vreal share = v / self->width;
  const vint lost = vlt(share, vset(REAL_MIN_NORMAL));
  return vlog(vselect(lost, v, share)) - vselect(lost, vset(self->log_width), vset(0));
}

INLINE vreal support_two_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  const support *self = scalar->self;
  if (direction == BJ_FORWARD) {
    const vreal size = vabs(x), e = exp_of_negative(-size), distance = self->width * (e / (1.0 + e));
    logdet_add(logdet, at, self->log_width - size - 2.0 * log1p_unit(e));
    return support_within(self, vselect(vlt(x, vset(0)), self->lower + distance, self->upper - distance));
  }
  const vint inside = vlt(vset(self->lower), x) & vlt(x, vset(self->upper));
  const vreal half = vset(0.5 * self->width);
  const vreal l = vselect(inside, x - self->lower, half), h = vselect(inside, self->upper - x, half);
  const vreal log_l = support_log_share(self, l), log_h = support_log_share(self, h);
  logdet_add(logdet, at, -(log_l + log_h + self->log_width));
  /* The logs cancel in the middle. */
  const vint middle = vlt(vmax(l, h), vset((real)0.8 * self->width));
  const vreal odds = vselect(middle, (l - h) / h, vset(0));
  return fixed_outside(inside, vselect(middle, vlog1p(odds), log_l - log_h), logdet, at);
}

INLINE fixed_slope support_two_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  const support *self = scalar->self;
  (void)y;
  if (direction == BJ_FORWARD) {
    const vreal e = exp_of_negative(-vabs(x)), over = 1.0 / (1.0 + e);
    return (fixed_slope){self->width * (e * over * over), -vtanh(0.5 * x)};
  }
  const vint inside = vlt(vset(self->lower), x) & vlt(x, vset(self->upper));
  const vreal half = vset(0.5 * self->width);
  const vreal l = vselect(inside, x - self->lower, half), h = vselect(inside, self->upper - x, half);
  const vreal product = vmin(l, h) * (vmax(l, h) / self->width);
  const vreal slope = vselect(inside, support_slope(1.0 / product), vset(0));
  return (fixed_slope){slope, (l - h) / self->width * slope};
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

FIXED_INSTANCE(support_real, forward, BJ_FORWARD)
FIXED_INSTANCE(support_real, inverse, BJ_INVERSE)
FIXED_INSTANCE(support_log, forward, BJ_FORWARD)
FIXED_INSTANCE(support_log, inverse, BJ_INVERSE)
FIXED_INSTANCE(support_softplus, forward, BJ_FORWARD)
FIXED_INSTANCE(support_softplus, inverse, BJ_INVERSE)
FIXED_INSTANCE(support_two, forward, BJ_FORWARD)
FIXED_INSTANCE(support_two, inverse, BJ_INVERSE)

static bj_status support_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build);

#define SUPPORT_ROW(shape)                                                                                     \
  {                                                                                                            \
    .name = "support", .build = support_build, .describe = fixed_describe, .init = fixed_init,                 \
    .prepare = fixed_prepare, .prepare_vjp = fixed_prepare_vjp, .forward = {shape##_forward, shape##_forward}, \
    .inverse = {shape##_inverse, shape##_inverse}, .forward_vjp = {shape##_forward_vjp, shape##_forward_vjp},  \
    .inverse_vjp = {shape##_inverse_vjp, shape##_inverse_vjp},                                                 \
  }
static const bj_scalar_kind scalar_support = SUPPORT_ROW(support_real);
/* What a node has in its place, by the ends. */
static const bj_scalar_kind support_of_log = SUPPORT_ROW(support_log);
static const bj_scalar_kind support_of_softplus = SUPPORT_ROW(support_softplus);
static const bj_scalar_kind support_of_two = SUPPORT_ROW(support_two);

/* The next number in the direction of `to`; from 0 a normal one, whose reciprocal is finite. */
static real support_next(real from, real to) {
  const real next = BY_REAL(nextafter, nextafterf)(from, to);
  return from == 0 ? (to > 0 ? REAL_MIN_NORMAL : -REAL_MIN_NORMAL) : next;
}

static bj_status support_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  support *self = scalar->self = build_alloc(build, sizeof(support));
  const int below = spec_given(build, spec, "lower"), above = spec_given(build, spec, "upper");
  self->lower = below ? spec_real(build, spec, "lower", -INFINITY, INFINITY) : -INFINITY;
  self->upper = above ? spec_real(build, spec, "upper", -INFINITY, INFINITY) : INFINITY;
  self->first = below ? support_next(self->lower, INFINITY) : -REAL_MAX;
  self->last = above ? support_next(self->upper, -INFINITY) : REAL_MAX;
  if (below && above) {
    self->width = self->upper - self->lower;
    self->log_width = log(self->width);
    scalar->kind = &support_of_two;
    if (!(self->first < self->last) || !(self->width <= REAL_MAX) || !(self->width >= REAL_TINY)) {
      spec_error(build, "`lower` and `upper` of scalar_support() must be the ends of an interval of finite width");
    }
  } else if (below || above) {
    self->sign = below ? 1 : -1;
    self->end = below ? self->lower : self->upper;
    const int softplus = spec_choice(build, spec, "curve", "log", "softplus", NULL);
    if (softplus) self->scale = spec_real(build, spec, "scale", REAL_TINY, REAL_HUGE);
    scalar->kind = softplus ? &support_of_softplus : &support_of_log;
  }
  return build->status;
}
