/* autoregressive: y_i = f(x_i; theta(x_1, ..., x_{i-1}, c)) with a masked net (Germain et al. 2015; Papamakarios et al.
 * 2017). log|det| = sum_i log f'.
 *
 * forward is one net evaluation. inverse finds x_1, then x_2, ...: the masks order the units by rank, so that after
 * x_i is known only the units of rank i are computed; all d steps together cost one net evaluation. The vjp of the
 * inverse runs the same steps backwards: the cotangent of x_i is complete once the parameters of all later coordinates
 * are done.
 */
#include "layer-conditioned.h"

/* The net's input is [c, x]: ranks -1, ..., -1, 0, 1, ..., d - 1. Which side of the layer is x depends on the call. */
static void autoregressive_condition(const bj_layer *layer, const bj_pass *pass) {
  const conditioned *self = layer->self;
  if (layer->n_condition == 0) return;
  copy_rows(pass->nb, pass->condition, (long)layer->n_condition * BJ_BLOCK, pass->cache + self->cache_in * pass->nb,
            (long)self->net->n_in * BJ_BLOCK, layer->n_condition);
}

/* Row of the net's input (or of its gradient) for coordinate i. */
INLINE real *autoregressive_row(const bj_layer *layer, real *input, int i) {
  return input + (long)(layer->n_condition + i) * BJ_BLOCK;
}

static bj_status autoregressive_forward(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const bj_net_pass net = conditioned_net_pass(layer, self, pass);
  real *input = pass->cache + self->cache_in * pass->nb;
  autoregressive_condition(layer, pass);
  copy_rows(pass->nb, pass->x, (long)layer->d * BJ_BLOCK, autoregressive_row(layer, input, 0),
            (long)self->net->n_in * BJ_BLOCK, layer->d);
  self->net->kind->forward(self->net, &net);
  for (int i = 0; i < layer->d; i++) {
    const bj_scalar_pass one = conditioned_scalar_pass(layer, self, pass, i, NULL);
    self->scalar->kind->forward[ROWWISE](self->scalar, &one);
  }
  return BJ_OK;
}

static bj_status autoregressive_inverse(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const bj_net_pass net = conditioned_net_pass(layer, self, pass);
  real *input = pass->cache + self->cache_in * pass->nb;
  autoregressive_condition(layer, pass);
  for (int i = 0; i < layer->d; i++) {
    const bj_scalar_pass one = conditioned_scalar_pass(layer, self, pass, i, NULL);
    self->net->kind->forward_rank(self->net, &net, i - 1);
    self->scalar->kind->inverse[ROWWISE](self->scalar, &one);
    copy_rows(pass->nb, one.y, one.stride, autoregressive_row(layer, input, i), (long)self->net->n_in * BJ_BLOCK, 1);
  }
  /* nothing depends on units of the last rank, but the vjp reads them */
  self->net->kind->forward_rank(self->net, &net, layer->d - 1);
  return BJ_OK;
}

static void autoregressive_gcondition(const bj_layer *layer, const bj_pass *pass, const real *gin) {
  const conditioned *self = layer->self;
  if (layer->n_condition == 0 || !pass->gcondition) return;
  add_rows(pass->nb, gin, (long)self->net->n_in * BJ_BLOCK, pass->gcondition, (long)layer->n_condition * BJ_BLOCK,
           layer->n_condition);
}

static bj_status autoregressive_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const bj_net_pass net = conditioned_net_pass(layer, self, pass);
  for (int i = 0; i < layer->d; i++) {
    const bj_scalar_pass one = conditioned_scalar_pass(layer, self, pass, i, pass->gy);
    self->scalar->kind->forward_vjp[ROWWISE](self->scalar, &one);
  }
  self->net->kind->vjp(self->net, &net);
  add_rows(pass->nb, autoregressive_row(layer, net.gx, 0), (long)self->net->n_in * BJ_BLOCK, pass->gx,
           (long)layer->d * BJ_BLOCK, layer->d);
  autoregressive_gcondition(layer, pass, net.gx);
  return BJ_OK;
}

static bj_status autoregressive_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  const conditioned *self = layer->self;
  const bj_net_pass net = conditioned_net_pass(layer, self, pass);
  const long size = (long)layer->d * BJ_BLOCK, in = (long)self->net->n_in * BJ_BLOCK;
  real *total = pass->work + self->work_end * pass->nb; /* cotangents of the x_i, the net's part included */
  for (int i = layer->d - 1; i >= 0; i--) {
    const long at = (long)i * BJ_BLOCK;
    self->net->kind->vjp_rank(self->net, &net, i);
    copy_rows(pass->nb, pass->gy + at, size, total + at, size, 1);
    add_rows(pass->nb, autoregressive_row(layer, net.gx, i), in, total + at, size, 1);
    const bj_scalar_pass one = conditioned_scalar_pass(layer, self, pass, i, total);
    self->scalar->kind->inverse_vjp[ROWWISE](self->scalar, &one);
  }
  self->net->kind->vjp_rank(self->net, &net, -1);
  self->net->kind->vjp_finish(self->net, &net);
  autoregressive_gcondition(layer, pass, net.gx);
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
  layer->n_work += (long)layer->d * BJ_BLOCK;
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
