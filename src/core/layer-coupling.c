/* coupling: y_1 = x_1, y_2 = f(x_2; theta(x_1, c)) (Dinh, Sohl-Dickstein, Bengio 2017).
 *
 *   log|det| = sum over the transformed coordinates of log f'. Both directions cost one net evaluation, because the net
 *   sees only what does not change. vjp: scalar's vjp gives gx_2 and the gradient of its parameters; the net's vjp of
 *   that is added to gy_1.
 */
#include "layer-conditioned-common.h"

typedef struct {
  conditioned base; /* must be first: layer-conditioned-common.c reads it through layer->self */
  int n_unchanged;
  const int *unchanged;
} coupling;

static void coupling_net_input(const bj_layer *layer, const bj_pass *pass, real *to) {
  const coupling *self = layer->self;
  const long in = (long)self->base.net.net->n_in * BJ_BLOCK, size = (long)layer->d * BJ_BLOCK;
  for (int i = 0; i < self->n_unchanged; i++) {
    const long at = (long)self->unchanged[i] * BJ_BLOCK;
    copy_rows(pass->nb, pass->x + at, size, to + (long)i * BJ_BLOCK, in, 1);
    copy_rows(pass->nb, pass->x + at, size, pass->y + at, size, 1);
  }
  if (layer->n_condition > 0) {
    copy_rows(pass->nb, pass->condition, (long)layer->n_condition * BJ_BLOCK, to + (long)self->n_unchanged * BJ_BLOCK,
              in, layer->n_condition);
  }
}

static bj_status coupling_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const coupling *self = layer->self;
  const bj_scalar *scalar = self->base.scalar;
  const conditioned_at at = CARVE(conditioned_carve, layer, pass);
  coupling_net_input(layer, pass, at.in);
  net_slot_forward(&self->base.net, net_rows_pass(&at.net, pass, at.in));
  for (int j = 0; j < self->base.n_transformed; j++) {
    const bj_scalar_pass one = conditioned_scalar(layer, pass, &at, j);
    (direction == BJ_FORWARD ? scalar->kind->forward : scalar->kind->inverse)[ROWWISE](scalar, &one);
  }
  return BJ_OK;
}

static bj_status coupling_run_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const coupling *self = layer->self;
  const bj_scalar *scalar = self->base.scalar;
  const conditioned_at at = CARVE(conditioned_carve, layer, pass);
  const long in = (long)self->base.net.net->n_in * BJ_BLOCK, size = (long)layer->d * BJ_BLOCK;
  for (int j = 0; j < self->base.n_transformed; j++) {
    const bj_scalar_pass one = conditioned_scalar_vjp(layer, pass, &at, j, pass->gy);
    (direction == BJ_FORWARD ? scalar->kind->forward_vjp : scalar->kind->inverse_vjp)[ROWWISE](scalar, &one);
  }
  net_slot_vjp(&self->base.net, net_rows_pass(&at.net, pass, at.in), pass->gcondition);
  for (int i = 0; i < self->n_unchanged; i++) {
    const long row = (long)self->unchanged[i] * BJ_BLOCK;
    copy_rows(pass->nb, pass->gy + row, size, pass->gx + row, size, 1);
    add_rows(pass->nb, at.net.gx + (long)i * BJ_BLOCK, in, pass->gx + row, size, 1);
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(coupling, coupling_run)

static bj_status coupling_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  coupling *self = layer->self = build_alloc(build, sizeof(coupling));
  const double *mask = spec_numbers(build, spec, "mask", layer->d);
  int *unchanged = build_alloc(build, sizeof(int) * (size_t)layer->d);
  int *transformed = build_alloc(build, sizeof(int) * (size_t)layer->d);
  int n_transformed = 0;
  for (int i = 0; i < layer->d; i++) {
    if (mask[i] != 0) {
      unchanged[self->n_unchanged++] = i;
    } else {
      transformed[n_transformed++] = i;
    }
  }
  if (n_transformed == 0) return spec_error(build, "`mask` of layer_coupling() leaves nothing to transform");
  self->unchanged = unchanged;
  bj_net_request request = {.n_in = self->n_unchanged + layer->n_condition};
  return conditioned_build(layer, spec, transformed, n_transformed, &request, build);
}

static const bj_layer_kind layer_coupling = {
    .name = "coupling",
    .build = coupling_build,
    .describe = conditioned_describe,
    .init = conditioned_init,
    .prepare = conditioned_prepare,
    .prepare_vjp = conditioned_prepare_vjp,
    LAYER_TABLE(coupling),
};
