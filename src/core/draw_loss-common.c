/* What losses of draws share. */
#include "draw_loss.h"

static double mean_of(long n, const double *w) {
  double sum = 0;
  for (long i = 0; i < n; i++) sum += w[i];
  return sum / (double)n;
}

static double log_mean_exp(double scale, long n, const double *w, double factor, double *share) {
  double most = -INFINITY, sum = 0;
  for (long i = 0; i < n; i++) {
    if (!(scale * w[i] <= most)) most = scale * w[i]; /* NaN, too */
  }
  for (long i = 0; i < n; i++) sum += exp(scale * w[i] - most);
  for (long i = 0; share && i < n; i++) share[i] = factor * exp(scale * w[i] - most) / sum;
  return most + log(sum / (double)n);
}
