/* The importance-weighted bound: the mean over groups of k draws in turn of -log(1/k sum_i exp(w_i)). A share is that
 * of exp(w_i) in the sum of its group, over the number of groups. */
#include "draw_loss.h"

static bj_status importance_weighted_build(bj_draw_loss *loss, const bj_spec *spec, bj_build *build) {
  int *k = loss->self = build_alloc(build, sizeof(int));
  *k = spec_count(build, spec, "draws", 1, COUNT_MOST);
  return build->status;
}

/* k divides n, which the host sees to: draws beyond the last group have no part. */
static double importance_weighted_value(const bj_draw_loss *loss, long n, const double *w, double *share) {
  const long k = *(const int *)loss->self, groups = n / k;
  double sum = 0;
  for (long g = 0; g < groups; g++) {
    sum += log_mean_exp(1, k, w + g * k, 1 / (double)groups, share ? share + g * k : NULL);
  }
  for (long i = groups * k; share && i < n; i++) share[i] = 0;
  return -sum / (double)groups;
}

static void importance_weighted_path(const bj_draw_loss *loss, long n, double *share) {
  const double groups = (double)(n / *(const int *)loss->self);
  for (long i = 0; i < n; i++) share[i] *= share[i] * groups;
}

static const bj_draw_loss_kind draw_loss_importance_weighted = {
    .name = "importance_weighted",
    .build = importance_weighted_build,
    .value = importance_weighted_value,
    .path = importance_weighted_path,
};
