/* permute: y_i = x_{p(i)}. The log-determinant is 0; the gradient is permuted back. */
#include "num-rows.h"
#include "protocol.h"

typedef struct {
  int *to; /* y[i] = x[to[i]], coordinates from 0 */
} permute;

static void permute_to(const bj_layer *layer, int nb, const real *in, real *out, int gather) {
  permute_rows(((const permute *)layer->self)->to, layer->d, nb, in, out, gather);
}
static bj_status permute_forward(const bj_layer *layer, bj_pass *pass) {
  return permute_to(layer, pass->nb, pass->x, pass->y, 1), BJ_OK;
}
static bj_status permute_inverse(const bj_layer *layer, bj_pass *pass) {
  return permute_to(layer, pass->nb, pass->x, pass->y, 0), BJ_OK;
}
static bj_status permute_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  return permute_to(layer, pass->nb, pass->gy, pass->gx, 0), BJ_OK;
}
static bj_status permute_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  return permute_to(layer, pass->nb, pass->gy, pass->gx, 1), BJ_OK;
}

static bj_status permute_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  permute *self = layer->self = build_alloc(build, sizeof(permute));
  self->to = spec_permutation(build, spec, "permutation", layer->d);
  return build->status;
}

static const bj_layer_kind layer_permute = {
    .name = "permute",
    .build = permute_build,
    .forward = permute_forward,
    .inverse = permute_inverse,
    .forward_vjp = permute_forward_vjp,
    .inverse_vjp = permute_inverse_vjp,
};
