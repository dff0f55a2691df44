/* AdamW: Adam with decoupled weight decay, see opt-adam.c. */
#include "opt-adam.h"

static bj_status adamw_build(bj_optimizer *optimizer, const bj_spec *spec, bj_build *build) {
  adam_build(optimizer, spec, build);
  adam *self = optimizer->self;
  self->weight_decay = spec_real(build, spec, "weight_decay", 0, REAL_MAX);
  return build->status;
}

static const bj_optimizer_kind opt_adamw = {"adamw", 2, adamw_build, adam_step};
