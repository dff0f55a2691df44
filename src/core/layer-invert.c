/* invert: the other direction of a layer. forward of the one is inverse of the other; parameters are its own. */
#include "layer-invert.h"

static bj_status invert_forward(const bj_layer *layer, bj_pass *pass) {
  const bj_layer *inner = layer->self;
  return inner->kind->inverse(inner, pass);
}
static bj_status invert_inverse(const bj_layer *layer, bj_pass *pass) {
  const bj_layer *inner = layer->self;
  return inner->kind->forward(inner, pass);
}
static bj_status invert_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  const bj_layer *inner = layer->self;
  return inner->kind->inverse_vjp(inner, pass);
}
static bj_status invert_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  const bj_layer *inner = layer->self;
  return inner->kind->forward_vjp(inner, pass);
}
static void invert_describe(const bj_layer *layer, bj_describe *out) { layer_describe(layer->self, out); }
static void invert_init(const bj_layer *layer, real *theta, bj_rng *rng) { layer_init(layer->self, theta, rng); }
static bj_run invert_run(const bj_run *run) {
  bj_run inner = *run;
  inner.direction = run->direction == BJ_FORWARD ? BJ_INVERSE : BJ_FORWARD;
  return inner;
}
static void invert_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  const bj_run inner = invert_run(run);
  layer_prepare(layer->self, &inner, theta, prep);
}
static void invert_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                               real *gprep, real *gtheta) {
  const bj_run inner = invert_run(run);
  layer_prepare_vjp(layer->self, &inner, theta, prep, gprep, gtheta);
}

static bj_status invert_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  const bj_spec *child = spec_part(build, spec, "layer");
  bj_layer *inner;
  if (!child) return build->status;
  const bj_status status = layer_build(build, child, layer->d, layer->n_condition, &inner);
  if (status != BJ_OK) return status;
  layer->self = inner;
  layer->n_param = inner->n_param;
  layer->n_prep = inner->n_prep;
  layer->n_cache = inner->n_cache;
  layer->n_work = inner->n_work;
  return BJ_OK;
}

static const bj_layer_kind layer_invert = {
    .name = "invert",
    .build = invert_build,
    .describe = invert_describe,
    .init = invert_init,
    .prepare = invert_prepare,
    .prepare_vjp = invert_prepare_vjp,
    .forward = invert_forward,
    .inverse = invert_inverse,
    .forward_vjp = invert_forward_vjp,
    .inverse_vjp = invert_inverse_vjp,
};
