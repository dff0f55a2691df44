/* Learning rates as functions of the step s = 0, 1, ... of n.
 *
 *   constant:    rate
 *   cosine:      rate (f + (1 - f) (1 + cos(pi u)) / 2), u = s / n
 *   exponential: rate decay^s
 *   one_cycle:   from start * rate up to rate along a cosine in the first `warmup` of the steps, then down to f * rate
 *   All but one_cycle may rise linearly from 0 during the first `warmup` of the steps.
 */
#include "core.h"

static double cosine_between(double from, double to, double u) {
  return to + (from - to) * 0.5 * (1 + cos(3.14159265358979323846 * u));
}

static double schedule_cosine(const bj_schedule *s, double u, double step) {
  (void)step;
  return s->rate * cosine_between(1, s->final, u);
}
static double schedule_constant(const bj_schedule *s, double u, double step) {
  (void)u;
  (void)step;
  return s->rate;
}
static double schedule_exponential(const bj_schedule *s, double u, double step) {
  (void)u;
  return s->rate * pow(s->decay, step);
}
static double schedule_one_cycle(const bj_schedule *s, double u, double step) {
  (void)step;
  if (u < s->warmup) return s->rate * cosine_between(s->start, 1, u / s->warmup);
  return s->rate * cosine_between(1, s->final, s->warmup < 1 ? (u - s->warmup) / (1 - s->warmup) : 1);
}

static const struct {
  const char *name;
  double (*rate)(const bj_schedule *, double, double);
  int linear_warmup;
} schedule_kinds[] = {
    {"constant", schedule_constant, 1},
    {"cosine", schedule_cosine, 1},
    {"exponential", schedule_exponential, 1},
    {"one_cycle", schedule_one_cycle, 0},
};

static double schedule_rate(const bj_schedule *s, double step) {
  const double u = s->steps > 0 ? (step < s->steps ? step / s->steps : 1) : 0;
  for (size_t i = 0; i < sizeof schedule_kinds / sizeof *schedule_kinds; i++) {
    if (strcmp(s->name, schedule_kinds[i].name)) continue;
    const double rate = schedule_kinds[i].rate(s, u, step), rise = s->warmup * s->steps;
    return schedule_kinds[i].linear_warmup && step < rise ? rate * (step + 1) / (rise + 1) : rate;
  }
  return 0;
}
