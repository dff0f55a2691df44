/* Stochastic gradient descent with (Nesterov) momentum: b = momentum b + g; theta -= rate b, or rate (g + momentum b).
 * weight_decay adds decay * theta to g. */
#include "optimizer.h"

typedef struct {
  double momentum, weight_decay;
  int nesterov;
} sgd;

static void sgd_step(const bj_optimizer *optimizer, const optimizer_step *s) {
  const sgd *o = optimizer->self;
  for (long i = s->first; i < s->end; i++) {
    const real g = s->gradient[i] + o->weight_decay * s->theta[i];
    const real b = s->moment[i] = o->momentum * s->moment[i] + g;
    s->theta[i] -= s->rate * (o->nesterov ? g + o->momentum * b : b);
  }
}

static bj_status sgd_build(bj_optimizer *optimizer, const bj_spec *spec, bj_build *build) {
  sgd *self = optimizer->self = build_alloc(build, sizeof(sgd));
  self->momentum = spec_real(build, spec, "momentum", 0, BELOW_ONE);
  self->weight_decay = spec_real(build, spec, "weight_decay", 0, REAL_MAX);
  self->nesterov = spec_bool(build, spec, "nesterov");
  return build->status;
}

static const bj_optimizer_kind opt_sgd = {"sgd", 1, sgd_build, sgd_step};
