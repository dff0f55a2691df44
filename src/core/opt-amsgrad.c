/* AMSGrad: Adam with the largest second moment so far, see opt-adam.c. */
#include "opt-adam.h"

static void amsgrad_step(const bj_optimizer *optimizer, const optimizer_step *s) { adam_run(optimizer, s, 1); }

static const bj_optimizer_kind opt_amsgrad = {"amsgrad", 3, adam_build, amsgrad_step};
