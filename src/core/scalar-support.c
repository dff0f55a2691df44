/* support: the line onto an open interval (a, b), increasing; without parameters.
 *
 *   both ends infinite:  y = x
 *   one end c, with t = 1 for a lower and -1 for an upper one, m = t x and the distance v = t (y - c) from it:
 *     log:       v = exp(m),  log f' = m,  (log f')' = t
 *                inverse: m = log v, slope 1 / v, (log slope)' = -t / v
 *     softplus:  v = s log(1 + exp(m / s)),  f' = sigmoid(m / s),  (log f')' = t sigmoid(-m / s) / s
 *                inverse: m = v + s log(1 - exp(-v / s)), slope 1 / (1 - exp(-v / s)),
 *                (log slope)' = -t / (s (exp(v / s) - 1))
 *     power:     with q = log(1 + exp(m / s)) and a power p, v = s ((1 + p q)^(1/p) - 1): log for p -> 0, softplus
 *                for p = 1, and far out a power of m, as tails of Weibull and gamma distributions are;
 *                log f' = (1/p - 1) log(1 + p q) + log sigmoid(m / s),
 *                (log f')' = t ((1 - p) sigmoid(m / s) / (1 + p q) + sigmoid(-m / s)) / s
 *                inverse: r = log(1 + v / s), q = (exp(p r) - 1) / p, m = s (q + log(1 - exp(-q))),
 *                log slope = -(1 - p) r - log(1 - exp(-q)),
 *                (log slope)' = -t ((1 - p) / (s + v) + exp(-(1 - p) r) / (s (exp(q) - 1)))
 *     log or power f with a reach r: where v = r, at m = m_r, the curve turns into its tangent,
 *                v = r + f'(m_r) (m - m_r) for m > m_r;  log f' = log f'(m_r),  (log f')' = 0
 *   two ends, w = b - a, e = exp(-|x|):  y = a + w e / (1 + e) for x < 0, else b - w e / (1 + e)
 *     log f' = log w - |x| - 2 log(1 + e),  (log f')' = -tanh(x / 2)
 *     inverse, l = y - a and h = b - y:  x = log l - log h,  slope w / (l h),  (log slope)' = (l - h) / (l h)
 *
 * Distances are taken from the nearer end, so an end at 0 keeps all digits. Rounding may not lead out of the interval:
 * a value is at most the last number inside. Slopes that would overflow are the largest number.
 */
#include "scalar-fixed.h"

typedef struct {
  real end, sign, scale, power; /* one end: c, t, s, p */
  real reach, turn, tangent;    /* r, m_r, f'(m_r) */
  int by_power;                 /* the curve before the reach */
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

/* log(1 - exp(-q)) where log q is known, each form where it is accurate; q itself may underflow. */
INLINE vreal support_log_rest(vreal q, vreal log_q) {
  const vint small = vlt(q, vset(LN2)), tiny = vlt(q, vset(REAL_EPS * REAL_EPS));
  const vreal near = vselect(tiny, log_q, vlog(vselect(tiny, vset(1), -vexpm1(-q))));
  return vselect(small, near, vlog1p(-vselect(small, vset(0), exp_of_negative(-q))));
}

typedef struct {
  vreal r, q, log_q; /* as in the formulas */
} support_power_at;

INLINE support_power_at support_power_inside(const support *self, vreal v) {
  const vreal u = vmin(vset(REAL_MAX), v / self->scale), large = vset(REAL_PLUS_ONE);
  const vint tiny = vlt(u, vset(REAL_EPS * REAL_EPS));
  support_power_at at;
  at.r = vselect(vlt(u, large), vlog1p(vmin(large, u)), vlog(vmax(large, u)));
  at.q = vexpm1(self->power * at.r) / self->power;
  at.log_q = vlog(vselect(tiny, v, vmax(vset(REAL_MIN_NORMAL), at.q))) - vselect(tiny, vset(log(self->scale)), vset(0));
  return at;
}

INLINE vreal support_power_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet, long at) {
  const support *self = scalar->self;
  const real s = self->scale, p = self->power;
  if (direction == BJ_FORWARD) {
    const vreal z = self->sign * x / s, log_rest = log1p_unit(exp_of_negative(-vabs(z)));
    const vreal q = vmax(vset(0), z) + log_rest, grown = vlog1p(vmin(vset(REAL_PLUS_ONE), p * q)) / p;
    logdet_add(logdet, at, (1 - p) * grown - support_slope(vmax(vset(0), -z) + log_rest));
    return support_within(self, self->end + self->sign * vmin(vset(REAL_MAX), s * vexpm1(grown)));
  }
  vint inside;
  const support_power_at one = support_power_inside(self, support_distance(self, x, &inside));
  const vreal log_rest = support_log_rest(one.q, one.log_q);
  logdet_add(logdet, at, (p - 1) * one.r - log_rest);
  return fixed_outside(inside, self->sign * s * (one.q + log_rest), logdet, at);
}

INLINE fixed_slope support_power_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  const support *self = scalar->self;
  const real s = self->scale, p = self->power;
  (void)y;
  if (direction == BJ_FORWARD) {
    const vreal z = self->sign * x / s, e = exp_of_negative(-vabs(z));
    const vreal more = 1.0 + p * (vmax(vset(0), z) + log1p_unit(e));
    const vreal up = sigmoid_from_exp(z, e), down = sigmoid_from_exp(-z, e);
    const vreal slope = support_slope(vexp((1 / p - 1) * vlog(vmin(vset(REAL_MAX), more))) * up);
    return (fixed_slope){slope, self->sign * (((1 - p) * up / more + down) / s)};
  }
  vint inside;
  const vreal v = support_distance(self, x, &inside), zero = vset(0);
  const support_power_at at = support_power_inside(self, v);
  const vreal less = vexp((p - 1) * at.r);
  const vreal slope = support_slope((-less) / vexpm1(-at.q));
  const vreal log_slope = -self->sign * support_slope((1 - p) / (s + v) + less / (s * vexpm1(at.q)));
  return (fixed_slope){vselect(inside, slope, zero), vselect(inside, log_slope, zero)};
}

/* ---- one end, straight far from it ------------------------------------------------------------------------------- */

/* Where the curve is looked at: x, or the reach if x is beyond it, by `over`. Infinite x is left to the curve. */
INLINE vreal support_before_reach(const support *self, vreal x, bj_direction direction, vreal *over) {
  const real from = direction == BJ_FORWARD ? 0 : self->end, to = direction == BJ_FORWARD ? self->turn : self->reach;
  const vreal distance = self->sign * (x - from);
  const vint beyond = vlt(vset(to), distance) & vlt(distance, vset(INFINITY));
  *over = vselect(beyond, distance - to, vset(0));
  return vselect(beyond, vset(from + self->sign * to), x);
}

INLINE vreal support_straight_value(const bj_scalar *scalar, vreal x, bj_direction direction, bj_logdet *logdet,
                                    long at) {
  const support *self = scalar->self;
  vreal over;
  const vreal before = support_before_reach(self, x, direction, &over);
  const vreal value = self->by_power ? support_power_value(scalar, before, direction, logdet, at)
                                     : support_log_value(scalar, before, direction, logdet, at);
  if (direction == BJ_FORWARD) return support_within(self, value + self->sign * self->tangent * over);
  return value + self->sign * (over / self->tangent);
}

INLINE fixed_slope support_straight_slope(const bj_scalar *scalar, vreal x, vreal y, bj_direction direction) {
  vreal over;
  const vreal before = support_before_reach(scalar->self, x, direction, &over);
  const support *self = scalar->self;
  fixed_slope slope = self->by_power ? support_power_slope(scalar, before, y, direction)
                                     : support_log_slope(scalar, before, y, direction);
  slope.log_slope = vselect(vlt(vset(0), over), vset(0), slope.log_slope);
  return slope;
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
FIXED_INSTANCE(support_power, forward, BJ_FORWARD)
FIXED_INSTANCE(support_power, inverse, BJ_INVERSE)
FIXED_INSTANCE(support_straight, forward, BJ_FORWARD)
FIXED_INSTANCE(support_straight, inverse, BJ_INVERSE)
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
static const bj_scalar_kind support_of_power = SUPPORT_ROW(support_power);
static const bj_scalar_kind support_of_straight = SUPPORT_ROW(support_straight);
static const bj_scalar_kind support_of_two = SUPPORT_ROW(support_two);

/* The next number in the direction of `to`; from 0 a normal one, whose reciprocal is finite. */
static real support_next(real from, real to) {
  const real next = BY_REAL(nextafter, nextafterf)(from, to);
  return from == 0 ? (to > 0 ? REAL_MIN_NORMAL : -REAL_MIN_NORMAL) : next;
}

/* Where the curve turns into its tangent. */
static void support_turn(support *self) {
  if (!self->by_power) {
    self->turn = log(self->reach);
    self->tangent = self->reach;
    return;
  }
  const double p = self->power, s = self->scale, r = log1p(self->reach / s), q = expm1(p * r) / p;
  const double log_rest = log(-expm1(-q));
  self->turn = s * (q + log_rest);
  self->tangent = exp((1 - p) * r + log_rest);
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
    const bj_scalar_kind *const curves[] = {&support_of_log, &support_of_softplus, &support_of_power};
    const int curve = spec_choice(build, spec, "curve", "log", "softplus", "power", NULL);
    if (curve > 0) self->scale = spec_real(build, spec, "scale", REAL_TINY, REAL_HUGE);
    if (curve == 2) self->power = spec_real(build, spec, "power", BY_REAL(0.01, 0.01f), 1);
    scalar->kind = curves[curve];
    if (curve != 1 && spec_length(spec, "reach") > 0) {
      self->reach = spec_real(build, spec, "reach", REAL_TINY, REAL_HUGE);
      self->by_power = curve == 2;
      scalar->kind = &support_of_straight;
      if (build->status == BJ_OK) support_turn(self);
      if (!(fabs(self->turn) <= REAL_MAX && self->tangent > 0 && self->tangent <= REAL_MAX)) {
        spec_error(build, "`reach` of scalar_support() is too far from its `scale`");
      }
    }
  }
  return build->status;
}
