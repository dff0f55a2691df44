/* The peak rate, always. */
#include "optimizer.h"

static bj_status constant_build(bj_schedule *schedule, const bj_spec *spec, bj_build *build) {
  schedule->warmup = spec_real(build, spec, "warmup", 0, BELOW_ONE);
  return build->status;
}

static double constant_factor(const bj_schedule *schedule, double u, double step) {
  (void)schedule;
  (void)u;
  (void)step;
  return 1;
}

static const bj_schedule_kind schedule_constant = {"constant", constant_build, constant_factor};
