/* What Adam's relatives share with it. */
#ifndef BJ_OPT_ADAM_H
#define BJ_OPT_ADAM_H

#include "optimizer.h"

typedef struct {
  double beta1, beta2, eps, weight_decay;
} adam;

static bj_status adam_build(bj_optimizer *optimizer, const bj_spec *spec, bj_build *build); /* without decay */
static void adam_step(const bj_optimizer *optimizer, const optimizer_step *s);
static void adam_run(const bj_optimizer *optimizer, const optimizer_step *s, int keep_max);

#endif
