/* Stochastic gradient descent with (Nesterov) momentum: b = momentum b + g; theta -= rate b, or rate (g + momentum b).
 * weight_decay adds decay * theta to g. */
#include "optimizer.h"

static void sgd_step(const optimizer_step *s) {
  const bj_optimizer *o = s->options;
  for (long i = 0; i < s->n; i++) {
    const real g = s->gradient[i] + o->weight_decay * s->theta[i];
    const real b = s->moment[i] = o->momentum * s->moment[i] + g;
    s->theta[i] -= s->rate * (o->nesterov ? g + o->momentum * b : b);
  }
}

static const optimizer_kind opt_sgd = {"sgd", 1, sgd_step};
