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

static net_inputs bounded_carve(const bj_net *net, carver *cache, carver *work) {
  return net_inputs_carve(&((const bounded *)net->self)->inner, cache, work);
}

INLINE void bounded_in(vreal limit, const real *from, real *to) {
  FOR_ROWS(r) {
    const vreal x = vload(from + r), size = vabs(x);
    const vreal far = limit * (2.0 - limit / vmax(limit, size));
    vstore(to + r, vselect(vlt(limit, size), vcopysign(far, x), x));
  }
}

INLINE void bounded_back(vreal limit, const real *x, const real *from, real *to) {
  FOR_ROWS(r) {
    const vreal ratio = limit / vmax(limit, vabs(vload(x + r)));
    vstore(to + r, ratio * ratio * vload(from + r));
  }
}

/* Inputs on their way in, all or those of one rank, or their gradients on the way back. */
static void bounded_hand_on(const bj_net *net, const bj_net_pass *pass, const net_inputs *at, int all, int rank,
                            int back) {
  const bounded *self = net->self;
  const vreal limit = vset(self->limit);
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < net->n_in; i++) {
      if (!all && self->in_rank[i] != rank) continue;
      const long row = ((long)b * net->n_in + i) * BJ_BLOCK;
      const real *from = (back ? at->gx : pass->x) + row;
      real *to = (back ? pass->gx : at->x) + row;
      if (i < self->first || i >= self->last) {
        memcpy(to, from, sizeof(real) * BJ_BLOCK);
      } else if (back) {
        bounded_back(limit, pass->x + row, from, to);
      } else {
        bounded_in(limit, from, to);
      }
    }
  }
}

static void bounded_forward(const bj_net *net, const bj_net_pass *pass) {
  const bounded *self = net->self;
  const net_inputs at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  bounded_hand_on(net, pass, &at, 1, 0, 0);
  self->inner.net->kind->forward(self->inner.net, &one);
}

static void bounded_vjp(const bj_net *net, const bj_net_pass *pass) {
  const bounded *self = net->self;
  const net_inputs at = CARVE(bounded_carve, net, pass);
  bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  if (!pass->gx) one.gx = NULL;
  self->inner.net->kind->vjp(self->inner.net, &one);
  if (pass->gx) bounded_hand_on(net, pass, &at, 1, 0, 1);
}

static void bounded_forward_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const bounded *self = net->self;
  const net_inputs at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  bounded_hand_on(net, pass, &at, 0, rank, 0);
  self->inner.net->kind->forward_rank(self->inner.net, &one, rank);
}

static void bounded_vjp_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const bounded *self = net->self;
  const net_inputs at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  self->inner.net->kind->vjp_rank(self->inner.net, &one, rank);
  bounded_hand_on(net, pass, &at, 0, rank, 1);
}

static void bounded_vjp_finish(const bj_net *net, const bj_net_pass *pass) {
  const bounded *self = net->self;
  const net_inputs at = CARVE(bounded_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
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
