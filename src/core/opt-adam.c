/* Adam and its relatives (Kingma, Ba 2015; Loshchilov, Hutter 2019; Reddi, Kale, Kumar 2018).
 *
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  m^ = m / (1 - b1^t);  v^ = v / (1 - b2^t)
 *   adam:    theta -= rate m^ / (sqrt(v^) + eps)
 *   adamw:   theta -= rate (m^ / (sqrt(v^) + eps) + decay theta)
 *   amsgrad: as adam with w = max(w, v^) in place of v^
 */
#include "optimizer.h"

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

static void adam_run(const optimizer_step *s, real decay, int keep_max) {
  const bj_optimizer *o = s->options;
  const adam_constants c = {
      o->beta1, o->beta2, 1 / (1 - pow(o->beta1, s->t)), 1 / (1 - pow(o->beta2, s->t)), o->eps, s->rate,
      decay,    keep_max};
  real *m = s->moment, *v = m + s->n, *w = keep_max ? v + s->n : v;
  long i = 0;
  for (; i + BJ_LANES <= s->n; i += BJ_LANES) adam_lanes(&c, s->gradient + i, s->theta + i, m + i, v + i, w + i);
  if (i < s->n) {
    /* the tail goes through buffers, so that every parameter sees the same arithmetic */
    const size_t bytes = sizeof(real) * (size_t)(s->n - i);
    real tail[5][BJ_LANES] = {{0}};
    real *const from[4] = {s->theta + i, m + i, v + i, w + i};
    memcpy(tail[4], s->gradient + i, bytes);
    for (int k = 0; k < 4; k++) memcpy(tail[k], from[k], bytes);
    adam_lanes(&c, tail[4], tail[0], tail[1], tail[2], tail[3]);
    for (int k = 0; k < 3 + keep_max; k++) memcpy(from[k], tail[k], bytes);
  }
}

static void adam_step(const optimizer_step *s) { adam_run(s, 0, 0); }
static void adamw_step(const optimizer_step *s) { adam_run(s, s->options->weight_decay, 0); }
static void amsgrad_step(const optimizer_step *s) { adam_run(s, 0, 1); }

static const optimizer_kind opt_adam = {"adam", 2, adam_step};
static const optimizer_kind opt_adamw = {"adamw", 2, adamw_step};
static const optimizer_kind opt_amsgrad = {"amsgrad", 3, amsgrad_step};
