/* Adam and its relatives (Kingma, Ba 2015; Loshchilov, Hutter 2019; Reddi, Kale, Kumar 2018).
 *
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  m^ = m / (1 - b1^t);  v^ = v / (1 - b2^t)
 *   adam:    theta -= rate m^ / (sqrt(v^) + eps)
 *   adamw:   theta -= rate (m^ / (sqrt(v^) + eps) + decay theta)
 *   amsgrad: as adam with w = max(w, v^) in place of v^
 */
#include "opt-adam.h"

typedef struct {
  real beta1, beta2, correct1, correct2, eps, rate, decay;
  int keep_max;
} adam_constants;

/* BJ_LANES parameters; w is read and written only with keep_max. */
INLINE void adam_lanes(const adam_constants *c, const real *g, real *theta, real *m, real *v, real *w) {
  const vreal gradient = vload(g);
  const vreal first = vset(c->beta1) * vload(m) + vset(1 - c->beta1) * gradient;
  const vreal second = vset(c->beta2) * vload(v) + vset(1 - c->beta2) * (gradient * gradient);
  vreal scale = second * vset(c->correct2);
  vstore(m, first);
  vstore(v, second);
  if (c->keep_max) {
    scale = vmax(vload(w), scale);
    vstore(w, scale);
  }
  const vreal ratio = first * vset(c->correct1) / (vsqrt(scale) + vset(c->eps));
  vstore(theta, vload(theta) - vset(c->rate) * (ratio + vset(c->decay) * vload(theta)));
}

static void adam_run(const bj_optimizer *optimizer, const optimizer_step *s, int keep_max) {
  const adam *o = optimizer->self;
  const adam_constants c = {
      .beta1 = o->beta1,
      .beta2 = o->beta2,
      .correct1 = 1 / (1 - pow(o->beta1, s->t)),
      .correct2 = 1 / (1 - pow(o->beta2, s->t)),
      .eps = o->eps,
      .rate = s->rate,
      .decay = o->weight_decay,
      .keep_max = keep_max,
  };
  real *m = s->moment, *v = m + s->n, *w = keep_max ? v + s->n : v;
  long i = s->first;
  for (; i + BJ_LANES <= s->end; i += BJ_LANES) adam_lanes(&c, s->gradient + i, s->theta + i, m + i, v + i, w + i);
  if (i < s->end) {
    /* the tail goes through buffers, so that every parameter sees the same arithmetic */
    const size_t bytes = sizeof(real) * (size_t)(s->end - i);
    real tail[5][BJ_LANES] = {{0}};
    real *const from[4] = {s->theta + i, m + i, v + i, w + i};
    memcpy(tail[4], s->gradient + i, bytes);
    for (int k = 0; k < 4; k++) memcpy(tail[k], from[k], bytes);
    adam_lanes(&c, tail[4], tail[0], tail[1], tail[2], tail[3]);
    for (int k = 0; k < 3 + keep_max; k++) memcpy(from[k], tail[k], bytes);
  }
}

static void adam_step(const bj_optimizer *o, const optimizer_step *s) { adam_run(o, s, 0); }

static bj_status adam_build(bj_optimizer *optimizer, const bj_spec *spec, bj_build *build) {
  adam *self = optimizer->self = build_alloc(build, sizeof(adam));
  self->beta1 = spec_real(build, spec, "beta1", 0, BELOW_ONE);
  self->beta2 = spec_real(build, spec, "beta2", 0, BELOW_ONE);
  self->eps = spec_real(build, spec, "eps", REAL_MIN_NORMAL, REAL_MAX);
  return build->status;
}

static const bj_optimizer_kind opt_adam = {"adam", 2, adam_build, adam_step};
