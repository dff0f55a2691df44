/* The constant of Student's t density, its tails, and how draws move with the degrees of freedom. Formulas in
 * base-student.h.
 */
#include "base-student.h"
#include "num-special.h"

/* psi(x) for x > 0: upward recurrence to x >= 10, then the asymptotic series. */
static real digamma(real x) {
  real sum = 0;
  for (; x < 10; x++) sum -= 1 / x;
  const real w = 1 / (x * x);
  return sum + log(x) - 0.5 / x -
         w * (1.0 / 12 - w * (1.0 / 120 - w * (1.0 / 252 - w * (1.0 / 240 - w * (1.0 / 132 - w * 691.0 / 32760)))));
}

/* c(v) and c'(v). For large v the two lgamma cancel; there
 *   lgamma((v + 1) / 2) - lgamma(v / 2) = log(v / 2) / 2 - 1 / (4 v) + 1 / (24 v^3) + O(v^-5),
 * and log(v pi) takes its first term away. */
static void student_t_constant(real v, real *c, real *dc) {
  if (v > 1e3) {
    const real w = 1 / v;
    *c = -HALF_LOG_2PI - 0.25 * w + w * w * w / 24;
    *dc = 0.25 * w * w - 0.125 * w * w * w * w;
    return;
  }
  *c = lgamma(0.5 * (v + 1)) - lgamma(0.5 * v) - 0.5 * log(v * 3.14159265358979323846);
  *dc = 0.5 * (digamma(0.5 * (v + 1)) - digamma(0.5 * v) - 1 / v);
}

/* A number and its derivative by v. */
typedef struct {
  double at, by_v;
} student_dual;

INLINE student_dual student_times(student_dual a, student_dual b) {
  return (student_dual){a.at * b.at, a.by_v * b.at + a.at * b.by_v};
}

INLINE student_dual student_over(student_dual a, student_dual b) {
  const double at = a.at / b.at;
  return (student_dual){at, (a.by_v - at * b.by_v) / b.at};
}

INLINE student_dual student_plus(student_dual a, double number) { return (student_dual){a.at + number, a.by_v}; }

INLINE student_dual student_not_zero(student_dual a) {
  return (student_dual){fabs(a.at) < REAL_MIN_NORMAL ? REAL_MIN_NORMAL : a.at, a.by_v};
}

/* The numerator of step m of the continued fraction of I(x; a, b). */
static student_dual student_numerator(student_dual a, student_dual b, student_dual x, int m, int odd) {
  const student_dual end = student_plus(a, 2 * m);
  student_dual top;
  if (!odd) {
    top = student_times(student_times((student_dual){m, 0}, student_plus(b, -m)), x);
    return student_over(top, student_times(student_plus(end, -1), end));
  }
  top = student_times(student_plus(a, m), student_plus((student_dual){a.at + b.at, a.by_v + b.by_v}, m));
  top = student_over(student_times(top, x), student_times(end, student_plus(end, 1)));
  return (student_dual){-top.at, -top.by_v};
}

/* The fraction by the method of Lentz, for x < (a + 1) / (a + b + 2): it takes some sqrt(a) steps. `both`: until its
 * derivative stands too. */
static student_dual student_fraction(student_dual a, student_dual b, student_dual x, int both) {
  const student_dual one = {1, 0};
  student_dual c = one, d = student_plus(student_numerator(a, b, x, 0, 1), 1);
  d = student_over(one, student_not_zero(d));
  student_dual value = d, grown = one;
  for (int m = 1; m <= 20000; m++) {
    for (int odd = 0; odd < 2; odd++) {
      const student_dual top = student_numerator(a, b, x, m, odd);
      d = student_over(one, student_not_zero(student_plus(student_times(top, d), 1)));
      c = student_not_zero(student_plus(student_over(top, c), 1));
      grown = student_times(d, c);
      value = student_times(value, grown);
    }
    if (fabs(grown.at - 1) < 1e-16 * 4 && !(both && fabs(grown.by_v * value.at) > 1e-16 * 4 * fabs(value.by_v))) break;
  }
  return value;
}

/* With so many degrees of freedom the distribution function is the normal one at a (1 - 1 / (4 v)) / sqrt(1 + a^2 /
 * (2 v)), to terms of 1 / v^2. */
#define STUDENT_T_NORMAL 1e8

static double student_t_log_tail(double v, double c, double dc, double a, double *by_v) {
  if (by_v) *by_v = 0;
  if (a == 0) return -LN2;
  if (!(a < INFINITY)) return -a;
  if (v > STUDENT_T_NORMAL) {
    const double less = 1 - 0.25 / v, square = 1 + 0.5 * a / v * a, u = a * less / sqrt(square);
    return -(double)vfirst(normal_tail_at(vset(fmin(u, REAL_SQUARE))).e) - LN2;
  }
  const double t = a / sqrt(v), square = t * t;
  const double log_x = t > 1e8 ? -2 * log(t) : -log1p(square), x = t > 1e8 ? 1 / t / t : 1 / (1 + square);
  const double y = t > 1e8 ? 1 : square / (1 + square);
  /* x^(v/2) y^(1/2) / B(v/2, 1/2), where -log B = c(v) + log(v) / 2 */
  const double log_power = 0.5 * v * log_x + 0.5 * log(y) + c + 0.5 * log(v);
  const double power_by_v = 0.5 * (log_x + y) + 0.5 * y / v + dc;
  const student_dual by_df = {0.5 * v, 0.5}, half = {0.5, 0};
  if (x < (0.5 * v + 1) / (0.5 * v + 2.5)) {
    const student_dual f = student_fraction(by_df, half, (student_dual){x, x * y / v}, by_v != NULL);
    if (by_v) *by_v = power_by_v - 1 / v + f.by_v / f.at;
    return log_power - log(0.5 * v) + log(f.at) - LN2;
  }
  const student_dual f = student_fraction(half, by_df, (student_dual){y, -x * y / v}, by_v != NULL);
  if (by_v) {
    const double within = 2 * exp(log_power) * f.at;
    *by_v = -within * (power_by_v + f.by_v / f.at) / (1 - within);
  }
  return log1p(-2 * exp(log_power) * f.at) - LN2;
}

static void student_t_tails(real v, real c, vreal u, vreal *below, vreal *above) {
  real tail[BJ_LANES];
  vstore(tail, vabs(u));
  for (int r = 0; r < BJ_LANES; r++) tail[r] = student_t_log_tail(v, c, 0, tail[r], NULL);
  base_tails(vload(tail), vlt(vset(0), u), below, above);
}

/* Of so many degrees of freedom du/dv is -(u + u^3) / (4 v^2) but for parts of u^2 / v, and the fraction has no digits
 * left. */
#define STUDENT_T_MANY 1e7

static vreal student_t_move(real v, real c, real dc, vreal u) {
  real at[BJ_LANES];
  vstore(at, u);
  if (v > STUDENT_T_MANY) {
    const vreal move = u * (vset(1) + u * u) * vset(-0.25 / v / v);
    const vreal kept = vmax(vset(-REAL_SQUARE), vmin(vset(REAL_SQUARE), move));
    return vselect(vlt(vabs(u), vset(INFINITY)), kept, vset(0));
  }
  for (int r = 0; r < BJ_LANES; r++) {
    double by_v;
    const double a = fabs(at[r]), t = a / sqrt(v);
    const double log_term = t > 1e8 ? 2 * log(t) : log1p(t * t), log_tail = student_t_log_tail(v, c, dc, a, &by_v);
    const double move = a < INFINITY ? exp(log_tail + 0.5 * (v + 1) * log_term - c) * by_v : 0;
    at[r] = (at[r] < 0 ? -1 : 1) * fmax(-REAL_SQUARE, fmin(REAL_SQUARE, move));
  }
  return vload(at);
}
