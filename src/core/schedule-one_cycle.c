/* One cycle (Smith, Topin 2018): from `start` of the peak up to it along a cosine in the share `rise` of the steps,
 * then down to `final` of it. */
#include "optimizer.h"

typedef struct {
  double start, final, rise;
} one_cycle;

static bj_status one_cycle_build(bj_schedule *schedule, const bj_spec *spec, bj_build *build) {
  one_cycle *self = schedule->self = build_alloc(build, sizeof(one_cycle));
  self->start = spec_real(build, spec, "start", 0, 1);
  self->final = spec_real(build, spec, "final", 0, 1);
  self->rise = spec_real(build, spec, "warmup", 0, BELOW_ONE);
  return build->status;
}

static double one_cycle_factor(const bj_schedule *schedule, double u, double step) {
  const one_cycle *self = schedule->self;
  (void)step;
  if (u < self->rise) return cosine_between(self->start, 1, u / self->rise);
  return cosine_between(1, self->final, self->rise < 1 ? (u - self->rise) / (1 - self->rise) : 1);
}

static const bj_schedule_kind schedule_one_cycle = {"one_cycle", one_cycle_build, one_cycle_factor};
