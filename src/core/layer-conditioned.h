/* What coupling and autoregressive layers share: a net whose outputs are the raw parameters of a scalar bijection.
 *
 * Parameters are [scalar's global ones | net]. The net's output for the j-th transformed coordinate are n_param rows in
 * the scalar's own order; the scalar's initial raw values are added to them, so a zero output is the initial scalar. */
#ifndef BJ_LAYER_CONDITIONED_H
#define BJ_LAYER_CONDITIONED_H

#include "num-rows.h"
#include "protocol.h"

typedef struct {
  bj_scalar *scalar;
  bj_net *net;
  int n_transformed;
  const int *coordinate; /* which coordinates of the layer are transformed, in order */
  real *initial;         /* initial raw values of the scalar, then of its globals; drawn ones are drawn by init */
  /* offsets a block in the layer's cache and work */
  long cache_in, cache_out, cache_net, cache_scalar;
  long work_gin, work_gout, work_net, work_end;
} conditioned;

/* The net's view of a pass. */
INLINE bj_net_pass conditioned_net_pass(const bj_layer *layer, const conditioned *self, const bj_pass *pass) {
  const int n_global = self->scalar->n_global;
  bj_net_pass net = {
      .nb = pass->nb,
      .theta = pass->theta + n_global,
      .prep = pass->prep,
      .x = pass->cache + self->cache_in * pass->nb,
      .y = pass->cache + self->cache_out * pass->nb,
      .cache = pass->cache + self->cache_net * pass->nb,
  };
  (void)layer;
  if (pass->gy) {
    net.work = pass->work + self->work_net * pass->nb;
    net.gy = pass->work + self->work_gout * pass->nb;
    net.gx = pass->work + self->work_gin * pass->nb;
    net.gtheta = pass->gtheta + n_global;
    net.gprep = pass->gprep;
  }
  return net;
}

/* The scalar of the j-th transformed coordinate. In a vjp, `gy` is [block][d][BJ_BLOCK] with the layer's distances. */
INLINE bj_scalar_pass conditioned_scalar_pass(const bj_layer *layer, const conditioned *self, const bj_pass *pass,
                                              int j, const real *gy) {
  const bj_scalar *scalar = self->scalar;
  const long at = (long)self->coordinate[j] * BJ_BLOCK, par = (long)j * scalar->n_param * BJ_BLOCK;
  bj_scalar_pass one = {
      .nb = pass->nb,
      .stride = (long)layer->d * BJ_BLOCK,
      .x = pass->x + at,
      .y = pass->y + at,
      .logdet = pass->logdet,
      .par = pass->cache + self->cache_out * pass->nb + par,
      .par_stride = (long)self->net->n_out * BJ_BLOCK,
      .global = pass->theta,
      .cache = pass->cache + self->cache_scalar * pass->nb + (long)j * scalar->n_cache * BJ_BLOCK,
      .cache_stride = (long)self->n_transformed * scalar->n_cache * BJ_BLOCK,
  };
  if (gy) {
    one.gy = gy + at;
    one.gl = pass->gl;
    one.gx = pass->gx + at;
    one.gpar = pass->work + self->work_gout * pass->nb + par;
    one.gpar_stride = one.par_stride;
    one.gglobal = pass->gtheta;
  }
  return one;
}

static void conditioned_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const conditioned *self = layer->self;
  for (int j = 0; j < self->scalar->n_global; j++) theta[j] = self->initial[self->scalar->n_param + j];
  self->net->kind->init(self->net, theta + self->scalar->n_global, rng);
}

static void conditioned_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const conditioned *self = layer->self;
  if (self->net->kind->prepare) self->net->kind->prepare(self->net, theta + self->scalar->n_global, prep);
}

static void conditioned_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                    real *gprep, real *gtheta) {
  (void)run;
  const conditioned *self = layer->self;
  (void)theta;
  (void)prep;
  if (self->net->kind->prepare_vjp) self->net->kind->prepare_vjp(self->net, gprep, gtheta + self->scalar->n_global);
}

static void conditioned_describe_global(void *host, const char *name, int length) {
  describe_slot(host, name, length > 1, length, 0);
}

static void conditioned_describe(const bj_layer *layer, bj_describe *out) {
  const conditioned *self = layer->self;
  if (self->scalar->n_global > 0) {
    self->scalar->kind->describe_global(self->scalar, conditioned_describe_global, out);
  }
  const int mark = describe_enter(out, "net");
  self->net->kind->describe(self->net, out);
  describe_leave(out, mark);
}

/* Builds scalar and net and sets the layer's sizes; `request` comes with n_in and, for masks, the inputs' ranks. The
 * out_rank of a masked net is filled in here: the coordinate that an output belongs to. */
static bj_status conditioned_build(bj_layer *layer, const bj_spec *spec, const int *coordinate, int n_transformed,
                                   bj_net_request *request, bj_build *build) {
  conditioned *self = layer->self;
  bj_status status = scalar_build(build, spec_child(spec, "scalar"), spec->kind, &self->scalar);
  if (status != BJ_OK) return status;
  const bj_scalar *scalar = self->scalar;
  bj_rng rng = rng_start(0, 0);
  self->coordinate = coordinate;
  self->n_transformed = n_transformed;
  self->initial = build_alloc(build, sizeof(real) * (size_t)(scalar->n_param + scalar->n_global));
  scalar->kind->init(scalar, self->initial, &rng);
  request->n_out = n_transformed * scalar->n_param;
  if (spec_flag(spec, "add_initial", 1)) {
    real *offset = build_alloc(build, sizeof(real) * (size_t)request->n_out);
    for (int i = 0; i < request->n_out; i++) offset[i] = self->initial[i % scalar->n_param];
    request->offset = offset;
  }
  if (request->in_rank) {
    int *out_rank = build_alloc(build, sizeof(int) * (size_t)request->n_out);
    for (int i = 0; i < request->n_out; i++) out_rank[i] = i / scalar->n_param;
    request->out_rank = out_rank;
  }
  status = net_build(build, spec_child(spec, "net"), request, spec->kind, &self->net);
  if (status != BJ_OK) return status;
  const bj_net *net = self->net;
  layer->n_param = scalar->n_global + net->n_param;
  layer->n_prep = net->n_prep;
  self->cache_in = 0;
  self->cache_out = self->cache_in + (long)net->n_in * BJ_BLOCK;
  self->cache_net = self->cache_out + (long)net->n_out * BJ_BLOCK;
  self->cache_scalar = self->cache_net + net->n_cache;
  layer->n_cache = self->cache_scalar + (long)n_transformed * scalar->n_cache * BJ_BLOCK;
  self->work_gin = 0;
  self->work_gout = self->work_gin + (long)net->n_in * BJ_BLOCK;
  self->work_net = self->work_gout + (long)net->n_out * BJ_BLOCK;
  layer->n_work = self->work_end = self->work_net + net->n_work;
  return BJ_OK;
}

#endif
