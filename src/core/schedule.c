/* What all schedules share: with u = step / steps, rate = peak * factor(u, step), and during a linear warm-up of w
 * steps (step + 1) / (w + 1) of that. */
#include "optimizer.h"

static double cosine_between(double from, double to, double u) {
  return to + (from - to) * 0.5 * (1 + cos(3.14159265358979323846 * u));
}

static double schedule_rate(const bj_schedule *s, double step) {
  const double u = s->steps > 0 ? (step < s->steps ? step / s->steps : 1) : 0;
  const double rate = s->peak * s->kind->factor(s, u, step), rise = s->warmup * s->steps;
  return step < rise ? rate * (step + 1) / (rise + 1) : rate;
}
