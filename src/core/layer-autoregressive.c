/* autoregressive: y_i = f(x_i; theta(x_1, ..., x_{i-1}, c)) with a masked net (Germain et al. 2015; Papamakarios et al.
 * 2017). log|det| = sum_i log f'.
 *
 * forward is one net evaluation. inverse finds x_1, then x_2, ...: the masks order the units by rank, so that after
 * x_i is known only the units of rank i are computed; all d steps together cost one net evaluation. The vjp of the
 * inverse runs the same steps backwards: the cotangent of x_i is complete once the parameters of all later coordinates
 * are done.
 */
#include "layer-conditioned-common.h"

typedef struct {
  conditioned_at base;
  real *total; /* cotangents of the x_i, the net's part included */
} autoregressive_at;

INLINE autoregressive_at autoregressive_carve(const bj_layer *layer, carver *cache, carver *work) {
  autoregressive_at at;
  at.base = conditioned_carve(layer, cache, work);
  at.total = carve_rows(work, layer->d);
  return at;
}

/* The net's input is [c, x]: ranks -1, ..., -1, 0, 1, ..., d - 1. Which side of the layer is x depends on the call. */
static void autoregressive_condition(const bj_layer *layer, const bj_pass *pass, real *input) {
  const int n = layer->n_condition;
  if (n > 0) copy_rows(pass->nb, pass->condition, (long)n * BJ_BLOCK, input, (long)(n + layer->d) * BJ_BLOCK, n);
}

/* Row of the net's input (or of its gradient) for coordinate i. */
INLINE real *autoregressive_row(const bj_layer *layer, real *input, int i) {
  return input + (long)(layer->n_condition + i) * BJ_BLOCK;
}

static bj_status autoregressive_forward(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const conditioned_at at = CARVE(conditioned_carve, layer, pass);
  autoregressive_condition(layer, pass, at.in);
  copy_rows(pass->nb, pass->x, (long)layer->d * BJ_BLOCK, autoregressive_row(layer, at.in, 0),
            (long)self->net.net->n_in * BJ_BLOCK, layer->d);
  net_slot_forward(&self->net, net_rows_pass(&at.net, pass, at.in));
  for (int i = 0; i < layer->d; i++) {
    const bj_scalar_pass one = conditioned_scalar(layer, pass, &at, i);
    self->scalar->kind->forward[ROWWISE](self->scalar, &one);
  }
  return BJ_OK;
}

static bj_status autoregressive_inverse(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const bj_net *net = self->net.net;
  const conditioned_at at = CARVE(conditioned_carve, layer, pass);
  const bj_net_pass net_pass = net_slot_pass(&self->net, net_rows_pass(&at.net, pass, at.in));
  autoregressive_condition(layer, pass, at.in);
  for (int i = 0; i < layer->d; i++) {
    const bj_scalar_pass one = conditioned_scalar(layer, pass, &at, i);
    net->kind->forward_rank(net, &net_pass, i - 1);
    self->scalar->kind->inverse[ROWWISE](self->scalar, &one);
    copy_rows(pass->nb, one.y, one.stride, autoregressive_row(layer, at.in, i), (long)net->n_in * BJ_BLOCK, 1);
  }
  /* nothing depends on units of the last rank, but the vjp reads them */
  net->kind->forward_rank(net, &net_pass, layer->d - 1);
  return BJ_OK;
}

static bj_status autoregressive_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const conditioned_at at = CARVE(conditioned_carve, layer, pass);
  for (int i = 0; i < layer->d; i++) {
    const bj_scalar_pass one = conditioned_scalar_vjp(layer, pass, &at, i, pass->gy);
    self->scalar->kind->forward_vjp[ROWWISE](self->scalar, &one);
  }
  net_slot_vjp(&self->net, net_rows_pass(&at.net, pass, at.in), pass->gcondition);
  add_rows(pass->nb, autoregressive_row(layer, at.net.gx, 0), (long)self->net.net->n_in * BJ_BLOCK, pass->gx,
           (long)layer->d * BJ_BLOCK, layer->d);
  return BJ_OK;
}

static bj_status autoregressive_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const bj_net *net = self->net.net;
  const autoregressive_at at = CARVE(autoregressive_carve, layer, pass);
  const bj_net_pass net_pass = net_slot_pass(&self->net, net_rows_pass(&at.base.net, pass, at.base.in));
  const long size = (long)layer->d * BJ_BLOCK, in = (long)net->n_in * BJ_BLOCK;
  for (int i = layer->d - 1; i >= 0; i--) {
    const long row = (long)i * BJ_BLOCK;
    net->kind->vjp_rank(net, &net_pass, i);
    copy_rows(pass->nb, pass->gy + row, size, at.total + row, size, 1);
    add_rows(pass->nb, autoregressive_row(layer, net_pass.gx, i), in, at.total + row, size, 1);
    const bj_scalar_pass one = conditioned_scalar_vjp(layer, pass, &at.base, i, at.total);
    self->scalar->kind->inverse_vjp[ROWWISE](self->scalar, &one);
  }
  net->kind->vjp_rank(net, &net_pass, -1);
  net->kind->vjp_finish(net, &net_pass);
  net_slot_gcondition(&self->net, &net_pass, pass->gcondition);
  return BJ_OK;
}

static bj_status autoregressive_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  layer->self = build_alloc(build, sizeof(conditioned));
  const int n_in = layer->n_condition + layer->d;
  int *coordinate = build_alloc(build, sizeof(int) * (size_t)layer->d);
  int *in_rank = build_alloc(build, sizeof(int) * (size_t)n_in);
  int *in_column = build_alloc(build, sizeof(int) * (size_t)n_in);
  for (int i = 0; i < n_in; i++) {
    const int condition = i < layer->n_condition;
    in_rank[i] = condition ? -1 : i - layer->n_condition;
    in_column[i] = condition ? layer->d + i : i - layer->n_condition;
  }
  for (int i = 0; i < layer->d; i++) coordinate[i] = i;
  bj_net_request request = {.n_in = n_in, .in_rank = in_rank, .in_column = in_column, .n_rank = layer->d};
  const bj_status status = conditioned_build(layer, spec, coordinate, layer->d, &request, build);
  if (status != BJ_OK) return status;
  MEASURE(autoregressive_carve, layer);
  return BJ_OK;
}

static const bj_layer_kind layer_autoregressive = {
    .name = "autoregressive",
    .build = autoregressive_build,
    .describe = conditioned_describe,
    .init = conditioned_init,
    .prepare = conditioned_prepare,
    .prepare_vjp = conditioned_prepare_vjp,
    .forward = autoregressive_forward,
    .inverse = autoregressive_inverse,
    .forward_vjp = autoregressive_forward_vjp,
    .inverse_vjp = autoregressive_inverse_vjp,
};
