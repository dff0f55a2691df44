/* radial: a scalar bijection on the distance from a centre, the same in all directions. Formulas in
 * layer-radial-common.c.
 *
 * prep: S, the prepared parameters of the scalar, F(0), and the pass that computed F(0) (rows x, y, sum, factor, then
 * the scalar's cache), which prepare_vjp() needs for the gradient of F(0).
 */
#include "layer-radial.h"

/* The pass of F(0), in the scratch of prep or gprep. */
static bj_scalar_pass radial_origin_pass(const bj_layer *layer, const real *theta, const real *values, real *scratch,
                                         bj_logdet *logdet) {
  const radial *self = layer->self;
  return (bj_scalar_pass){
      .nb = 1,
      .stride = BJ_BLOCK,
      .x = scratch,
      .y = scratch + BJ_BLOCK,
      .logdet = logdet,
      .par = values,
      .global = theta + 2 * layer->d,
      .cache = scratch + 4 * BJ_BLOCK,
      .cache_stride = (long)self->scalar->n_cache * BJ_BLOCK,
  };
}

static void radial_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const radial *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  real *scratch = prep + self->prep_scratch, *values = prep + self->prep_scalar;
  bj_logdet unused = {scratch + 2 * BJ_BLOCK, scratch + 3 * BJ_BLOCK, 0};
  const bj_scalar_pass origin = radial_origin_pass(layer, theta, values, scratch, &unused);
  radial_prepare_head(layer, theta, prep);
  scalar->kind->prepare(scalar, theta + 2 * layer->d + scalar->n_global, values);
  memset(scratch, 0, sizeof(real) * BJ_BLOCK);
  logdet_start(&unused, 1);
  scalar->kind->forward[SHARED](scalar, &origin);
  prep[self->prep_origin] = origin.y[0];
}

static void radial_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                               real *gprep, real *gtheta) {
  (void)run;
  const radial *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  const int raw = 2 * layer->d + scalar->n_global;
  real *scratch = gprep + self->prep_scratch, *gy = scratch + 2 * BJ_BLOCK, *gx = scratch + 3 * BJ_BLOCK;
  memcpy(scratch, prep + self->prep_scratch, sizeof(real) * (size_t)(layer->n_prep - self->prep_scratch));
  memset(gy, 0, sizeof(real) * BJ_BLOCK);
  gy[0] = gprep[self->prep_origin];
  bj_scalar_pass origin = radial_origin_pass(layer, theta, prep + self->prep_scalar, scratch, NULL);
  origin.gy = gy;
  origin.gl = origin.x; /* zeros */
  origin.gx = gx;
  origin.gpar = gprep + self->prep_scalar;
  origin.gglobal = gtheta + 2 * layer->d;
  scalar->kind->forward_vjp[SHARED](scalar, &origin);
  scalar->kind->prepare_vjp(scalar, theta + raw, prep + self->prep_scalar, gprep + self->prep_scalar, gtheta + raw);
}

static void radial_describe(const bj_layer *layer, bj_describe *out) {
  const radial *self = layer->self;
  radial_describe_head(layer, out);
  self->scalar->kind->describe(self->scalar, radial_describe_one, out);
}

/* The scalar's own draws: raw, then globals, which are turned round. */
static void radial_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const radial *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  const int n = scalar->n_param + scalar->n_global;
  real *own = theta + 2 * layer->d;
  radial_init_head(layer, theta);
  scalar->kind->init(scalar, own, rng);
  for (int j = 0; j < scalar->n_global; j++) {
    const real last = own[n - 1];
    memmove(own + 1, own, sizeof(real) * (size_t)(n - 1));
    own[0] = last;
  }
}

static bj_status radial_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  const bj_status status = radial_build_head(layer, spec, build);
  if (status != BJ_OK) return status;
  radial *self = layer->self;
  layer->n_param += self->scalar->n_param;
  self->prep_scalar = layer->n_prep;
  self->prep_origin = self->prep_scalar + self->scalar->n_prep;
  self->prep_scratch = self->prep_origin + 1;
  layer->n_prep = self->prep_scratch + (4 + (long)self->scalar->n_cache) * BJ_BLOCK;
  MEASURE(radial_carve, layer);
  return build->status;
}

LAYER_DIRECTIONS(radial, radial_run)

static const bj_layer_kind layer_radial = {
    .name = "radial",
    .build = radial_build,
    .describe = radial_describe,
    .init = radial_init,
    .prepare = radial_prepare,
    .prepare_vjp = radial_prepare_vjp,
    LAYER_TABLE(radial),
};
