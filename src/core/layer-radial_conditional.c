/* radial_conditional: a scalar bijection on the distance from a centre, its raw parameters a net of the direction (and
 * of the condition). Formulas in layer-radial-common.c. F(0) is an evaluation of its own in every row.
 */
#include "layer-radial.h"

static void radial_conditional_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const radial *self = layer->self;
  radial_prepare_head(layer, theta, prep);
  net_slot_prepare(&self->net, theta, prep);
}

static void radial_conditional_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta,
                                           const real *prep, real *gprep, real *gtheta) {
  (void)run, (void)theta, (void)prep;
  net_slot_prepare_vjp(&((const radial *)layer->self)->net, gprep, gtheta);
}

static void radial_conditional_describe(const bj_layer *layer, bj_describe *out) {
  radial_describe_head(layer, out);
  net_slot_describe(&((const radial *)layer->self)->net, "net", out);
}

static void radial_conditional_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  radial_init_head(layer, theta);
  net_slot_init(&((const radial *)layer->self)->net, theta, rng);
}

static bj_status radial_conditional_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  bj_status status = radial_build_head(layer, spec, build);
  if (status != BJ_OK) return status;
  radial *self = layer->self;
  bj_net_request request = {.n_in = layer->d + layer->n_condition, .n_out = self->scalar->n_param};
  if (spec_bool(build, spec, "add_initial")) request.offset = self->initial;
  status = net_slot_build(build, spec_part(build, spec, "net"), &request, layer->n_condition, spec->kind,
                          &layer->n_param, &layer->n_prep, &self->net);
  if (status != BJ_OK) return status;
  MEASURE(radial_carve, layer);
  return build->status;
}

LAYER_DIRECTIONS(radial_conditional, radial_run)

static const bj_layer_kind layer_radial_conditional = {
    .name = "radial_conditional",
    .build = radial_conditional_build,
    .describe = radial_conditional_describe,
    .init = radial_conditional_init,
    .prepare = radial_conditional_prepare,
    .prepare_vjp = radial_conditional_prepare_vjp,
    LAYER_TABLE(radial_conditional),
};
