/* bounded: coordinates are bounded before another net, beyond what data reach.
 *
 *   y = net(h(x), c),  h(x) = x for |x| <= L,  sign(x) L (2 - L / |x|) beyond: smooth, and within +-2 L
 *   vjp: gx = h'(x) g, g the gradient of the net's input,  h' = 1, or (L / x)^2 beyond
 *
 * Nets are linear far out. A point that came out far off would make the next coordinates' shifts as large, and these
 * the next: behind this no shift or scale is larger than at the edge of what the net has seen. Conditions stay as they
 * are: they have bounds of their own.
 */
#include "net-common.h"

typedef struct {
  real limit;
  int first, last;    /* inputs from `first` to `last` - 1 are bounded */
  const int *in_rank; /* of the inputs; NULL without masks */
  net_slot inner;
} bounded;

typedef struct {
  real *x, *cache, *gx, *work; /* of the net */
} bounded_at;

static bounded_at bounded_carve(const bj_net *net, carver *cache, carver *work) {
  const bj_net *inner = ((const bounded *)net->self)->inner.net;
  bounded_at at;
  at.x = carve_rows(cache, net->n_in);
  at.cache = carve(cache, inner->n_cache);
  at.gx = carve_rows(work, net->n_in);
  at.work = carve(work, inner->n_work);
  return at;
}

static bj_net_pass bounded_pass(const bj_net *net, const bj_net_pass *pass, const bounded_at *at) {
  const bounded *self = net->self;
  bj_net_pass one = net_slot_pass(&self->inner, *pass);
  one.x = at->x;
  one.cache = at->cache;
  one.work = at->work;
  one.gx = at->gx;
  return one;
}

/* Inputs, all or those of one rank, on their way in. */
static void bounded_in(const bj_net *net, const bj_net_pass *pass, const bounded_at *at, int all, int rank) {
  const bounded *self = net->self;
  const vreal limit = vset(self->limit);
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < net->n_in; i++) {
      if (!all && self->in_rank[i] != rank) continue;
      const long row = ((long)b * net->n_in + i) * BJ_BLOCK;
      if (i < self->first || i >= self->last) {
        memcpy(at->x + row, pass->x + row, sizeof(real) * BJ_BLOCK);
        continue;
      }
      FOR_ROWS(r) {
        const vreal x = vload(pass->x + row + r), size = vabs(x);
        const vreal far = limit * (2.0 - limit / vmax(limit, size));
        vstore(at->x + row + r, vselect(vlt(limit, size), vcopysign(far, x), x));
      }
    }
  }
}

/* Their gradients on the way back. */
static void bounded_back(const bj_net *net, const bj_net_pass *pass, const bounded_at *at, int all, int rank) {
  const bounded *self = net->self;
  const vreal limit = vset(self->limit);
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < net->n_in; i++) {
      if (!all && self->in_rank[i] != rank) continue;
      const long row = ((long)b * net->n_in + i) * BJ_BLOCK;
      if (i < self->first || i >= self->last) {
        memcpy(pass->gx + row, at->gx + row, sizeof(real) * BJ_BLOCK);
        continue;
      }
      FOR_ROWS(r) {
        const vreal ratio = limit / vmax(limit, vabs(vload(pass->x + row + r)));
        vstore(pass->gx + row + r, ratio * ratio * vload(at->gx + row + r));
      }
    }
  }
}

static void bounded_forward(const bj_net *net, const bj_net_pass *pass) {
  const bounded *self = net->self;
  const bounded_at at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = bounded_pass(net, pass, &at);
  bounded_in(net, pass, &at, 1, 0);
  self->inner.net->kind->forward(self->inner.net, &one);
}

static void bounded_vjp(const bj_net *net, const bj_net_pass *pass) {
  const bounded *self = net->self;
  const bounded_at at = CARVE(bounded_carve, net, pass);
  bj_net_pass one = bounded_pass(net, pass, &at);
  if (!pass->gx) one.gx = NULL;
  self->inner.net->kind->vjp(self->inner.net, &one);
  if (pass->gx) bounded_back(net, pass, &at, 1, 0);
}

static void bounded_forward_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const bounded *self = net->self;
  const bounded_at at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = bounded_pass(net, pass, &at);
  bounded_in(net, pass, &at, 0, rank);
  self->inner.net->kind->forward_rank(self->inner.net, &one, rank);
}

static void bounded_vjp_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const bounded *self = net->self;
  const bounded_at at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = bounded_pass(net, pass, &at);
  self->inner.net->kind->vjp_rank(self->inner.net, &one, rank);
  bounded_back(net, pass, &at, 0, rank);
}

static void bounded_vjp_finish(const bj_net *net, const bj_net_pass *pass) {
  const bounded *self = net->self;
  const bounded_at at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = bounded_pass(net, pass, &at);
  self->inner.net->kind->vjp_finish(self->inner.net, &one);
}

static void bounded_prepare(const bj_net *net, const real *theta, real *prep) {
  net_slot_prepare(&((const bounded *)net->self)->inner, theta, prep);
}

static void bounded_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  net_slot_prepare_vjp(&((const bounded *)net->self)->inner, gprep, gtheta);
}

/* The parameters are those of the net, under its own names. */
static void bounded_describe(const bj_net *net, bj_describe *out) {
  const bj_net *inner = ((const bounded *)net->self)->inner.net;
  inner->kind->describe(inner, out);
}

static void bounded_init(const bj_net *net, real *theta, bj_rng *rng) {
  net_slot_init(&((const bounded *)net->self)->inner, theta, rng);
}

static bj_status bounded_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  bounded *self = net->self = build_alloc(build, sizeof(bounded));
  self->limit = spec_real(build, spec, "limit", BY_REAL(1e-3, 1e-3f), BY_REAL(1e6, 1e6f));
  self->in_rank = request->in_rank;
  self->first = request->in_rank ? request->n_condition : 0;
  self->last = request->in_rank ? request->n_in : request->n_in - request->n_condition;
  const bj_status status = net_slot_build(build, spec_part(build, spec, "net"), request, 0, "net_bounded",
                                          &net->n_param, &net->n_prep, &self->inner);
  if (status != BJ_OK) return status;
  MEASURE(bounded_carve, net);
  return build->status;
}

static const bj_net_kind net_bounded = {
    .name = "bounded",
    .masks = 1,
    .build = bounded_build,
    .describe = bounded_describe,
    .init = bounded_init,
    .prepare = bounded_prepare,
    .prepare_vjp = bounded_prepare_vjp,
    .forward = bounded_forward,
    .vjp = bounded_vjp,
    .forward_rank = bounded_forward_rank,
    .vjp_rank = bounded_vjp_rank,
    .vjp_finish = bounded_vjp_finish,
};
