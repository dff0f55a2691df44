/* Renyi's bound of order alpha: -log(1/n sum_i exp((1 - alpha) w_i)) / (1 - alpha), for alpha = 1 -1/n sum_i w_i. A
 * share is that of exp((1 - alpha) w_i) in its sum. */
#include "draw_loss.h"

static bj_status renyi_build(bj_draw_loss *loss, const bj_spec *spec, bj_build *build) {
  double *alpha = loss->self = build_alloc(build, sizeof(double));
  *alpha = spec_real(build, spec, "alpha", -INFINITY, INFINITY);
  return build->status;
}

static double renyi_value(const bj_draw_loss *loss, long n, const double *w, double *share) {
  const double order = 1 - *(const double *)loss->self;
  const double bound = log_mean_exp(order, n, w, 1, share);
  return order == 0 ? -mean_of(n, w) : -bound / order;
}

static void renyi_path(const bj_draw_loss *loss, long n, double *share) {
  const double alpha = *(const double *)loss->self;
  for (long i = 0; i < n; i++) share[i] = alpha * share[i] + (1 - alpha) * share[i] * share[i];
}

static const bj_draw_loss_kind draw_loss_renyi = {
    .name = "renyi",
    .build = renyi_build,
    .value = renyi_value,
    .path = renyi_path,
};
