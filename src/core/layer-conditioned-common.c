/* What coupling and autoregressive layers share: see layer-conditioned-common.h. */
#include "layer-conditioned-common.h"

INLINE conditioned_at conditioned_carve(const bj_layer *layer, carver *cache, carver *work) {
  const conditioned *self = layer->self;
  conditioned_at at;
  at.in = carve_rows(cache, self->net.net->n_in);
  at.net = net_slot_carve(&self->net, cache, work);
  at.scalar = carve_rows(cache, (long)self->n_transformed * self->scalar->n_cache);
  return at;
}

INLINE bj_scalar_pass conditioned_scalar(const bj_layer *layer, const bj_pass *pass, const conditioned_at *at, int j) {
  const conditioned *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  const long row = (long)self->coordinate[j] * BJ_BLOCK;
  return (bj_scalar_pass){
      .nb = pass->nb,
      .stride = (long)layer->d * BJ_BLOCK,
      .x = pass->x + row,
      .y = pass->y + row,
      .logdet = pass->logdet,
      .par = at->net.y + (long)j * scalar->n_param * BJ_BLOCK,
      .par_stride = (long)self->net.net->n_out * BJ_BLOCK,
      .global = pass->theta,
      .cache = at->scalar + (long)j * scalar->n_cache * BJ_BLOCK,
      .cache_stride = (long)self->n_transformed * scalar->n_cache * BJ_BLOCK,
  };
}

INLINE bj_scalar_pass conditioned_scalar_vjp(const bj_layer *layer, const bj_pass *pass, const conditioned_at *at,
                                             int j, const real *gy) {
  const conditioned *self = layer->self;
  const long row = (long)self->coordinate[j] * BJ_BLOCK;
  bj_scalar_pass one = conditioned_scalar(layer, pass, at, j);
  one.gy = gy + row;
  one.gl = pass->gl;
  one.gx = pass->gx + row;
  one.gpar = at->net.gy + (long)j * self->scalar->n_param * BJ_BLOCK;
  one.gpar_stride = one.par_stride;
  one.gglobal = pass->gtheta;
  return one;
}

static void conditioned_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const conditioned *self = layer->self;
  for (int j = 0; j < self->scalar->n_global; j++) theta[j] = self->initial[self->scalar->n_param + j];
  net_slot_init(&self->net, theta, rng);
}

static void conditioned_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  net_slot_prepare(&((const conditioned *)layer->self)->net, theta, prep);
}

static void conditioned_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                    real *gprep, real *gtheta) {
  (void)run, (void)theta, (void)prep;
  net_slot_prepare_vjp(&((const conditioned *)layer->self)->net, gprep, gtheta);
}

static void conditioned_describe_global(void *host, const char *name, int length) {
  describe_slot(host, name, length > 1, length, 0);
}

static void conditioned_describe(const bj_layer *layer, bj_describe *out) {
  const conditioned *self = layer->self;
  if (self->scalar->n_global > 0) {
    self->scalar->kind->describe_global(self->scalar, conditioned_describe_global, out);
  }
  net_slot_describe(&self->net, "net", out);
}

static bj_status conditioned_build(bj_layer *layer, const bj_spec *spec, const int *coordinate, int n_transformed,
                                   bj_net_request *request, bj_build *build) {
  conditioned *self = layer->self;
  bj_status status = scalar_build(build, spec_part(build, spec, "scalar"), &self->scalar);
  if (status != BJ_OK) return status;
  const bj_scalar *scalar = self->scalar;
  bj_rng rng = rng_start(0, 0);
  self->coordinate = coordinate;
  self->n_transformed = n_transformed;
  self->initial = build_alloc(build, sizeof(real) * (size_t)(scalar->n_param + scalar->n_global));
  scalar->kind->init(scalar, self->initial, &rng);
  request->n_out = (int)size_product(build, n_transformed, scalar->n_param);
  if (build->status != BJ_OK) return build->status;
  if (spec_bool(build, spec, "add_initial")) {
    real *offset = build_alloc(build, sizeof(real) * (size_t)request->n_out);
    for (int j = 0; j < n_transformed; j++) {
      memcpy(offset + (long)j * scalar->n_param, self->initial, sizeof(real) * (size_t)scalar->n_param);
    }
    request->offset = offset;
  }
  if (request->in_rank) {
    int *out_rank = build_alloc(build, sizeof(int) * (size_t)request->n_out);
    for (int j = 0; j < n_transformed; j++) {
      for (int i = 0; i < scalar->n_param; i++) out_rank[(long)j * scalar->n_param + i] = j;
    }
    request->out_rank = out_rank;
  }
  layer->n_param = scalar->n_global;
  status = net_slot_build(build, spec_part(build, spec, "net"), request, layer->n_condition, spec->kind,
                          &layer->n_param, &layer->n_prep, &self->net);
  if (status != BJ_OK) return status;
  MEASURE(conditioned_carve, layer);
  return build->status;
}
