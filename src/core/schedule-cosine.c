/* f + (1 - f) (1 + cos(pi u)) / 2 of the peak (Loshchilov, Hutter 2017), f = final. */
#include "optimizer.h"

static bj_status cosine_build(bj_schedule *schedule, const bj_spec *spec, bj_build *build) {
  double *final = schedule->self = build_alloc(build, sizeof(double));
  *final = spec_real(build, spec, "final", 0, 1);
  schedule->warmup = spec_real(build, spec, "warmup", 0, BELOW_ONE);
  return build->status;
}

static double cosine_factor(const bj_schedule *schedule, double u, double step) {
  (void)step;
  return cosine_between(1, *(const double *)schedule->self, u);
}

static const bj_schedule_kind schedule_cosine = {"cosine", cosine_build, cosine_factor};
