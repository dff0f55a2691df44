/* decay^step of the peak. */
#include "optimizer.h"

static bj_status exponential_build(bj_schedule *schedule, const bj_spec *spec, bj_build *build) {
  double *decay = schedule->self = build_alloc(build, sizeof(double));
  *decay = spec_real(build, spec, "decay", 0, 1);
  schedule->warmup = spec_real(build, spec, "warmup", 0, BELOW_ONE);
  return build->status;
}

static double exponential_factor(const bj_schedule *schedule, double u, double step) {
  (void)u;
  return pow(*(const double *)schedule->self, step);
}

static const bj_schedule_kind schedule_exponential = {"exponential", exponential_build, exponential_factor};
