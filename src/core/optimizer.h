/* An optimiser: one table row a kind, one loop over doubles a step. */
#ifndef BJ_OPTIMIZER_H
#define BJ_OPTIMIZER_H

#include "num-simd.h"

/* t counts steps from 1 since the moments were zero. Each moment is n reals, one after the other in `moment`. */
typedef struct {
  const bj_optimizer *options;
  long n;
  real rate, t;
  real *theta, *moment;
  const real *gradient;
} optimizer_step;

typedef struct {
  const char *name;
  int n_moment;
  void (*step)(const optimizer_step *step);
} optimizer_kind;

static const optimizer_kind *optimizer_find(const char *name);

#endif
