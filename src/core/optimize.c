/* One optimiser step with a gradient that comes from outside: for losses that the host computes. */
#include "optimizer.h"

static double optimize(const bj_optimizer *options, long n, double rate, double t, double clip, double *theta,
                       double *moment, double *gradient) {
  const double norm = sqrt(sum_of_squares(gradient, n));
  if (!isfinite(norm)) return norm;
  for (long i = 0; i < n && clip > 0 && norm >= clip; i++) gradient[i] *= clip / norm;
  const optimizer_step step = {options, n, rate, t, theta, moment, gradient};
  optimizer_find(options->name)->step(&step);
  return norm;
}
