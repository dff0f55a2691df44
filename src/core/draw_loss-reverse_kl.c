/* The reverse Kullback-Leibler divergence, but for log Z: -1/n sum_i w_i, the negative ELBO. Every share is 1/n. */
#include "draw_loss.h"

static double reverse_kl_value(const bj_draw_loss *loss, long n, const double *w, double *share) {
  (void)loss;
  for (long i = 0; share && i < n; i++) share[i] = 1 / (double)n;
  return -mean_of(n, w);
}

static const bj_draw_loss_kind draw_loss_reverse_kl = {
    .name = "reverse_kl",
    .value = reverse_kl_value,
};
