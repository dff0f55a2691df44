/* additive_condition: y = x + Wc c, or y = x + net(c). Without conditions it is the identity.
 *
 *   log|det| = 0.  vjp: gx = gy, the linear map's or the net's vjp of gy; inverse x = y - net(c): the same of -gx
 */
#include "layer-conditioned.h"
#include "num-gemm.h"

typedef struct {
  bj_net *net;
  long cache_net;          /* after the net's output */
  long work_gin, work_net; /* after the output's gradient */
} additive;

/* What is added, [block][d][BJ_BLOCK], at the head of the cache. */
static bj_net_pass additive_net_pass(const bj_layer *layer, const bj_pass *pass) {
  const additive *self = layer->self;
  bj_net_pass net = {
      .nb = pass->nb,
      .theta = pass->theta,
      .prep = pass->prep,
      .x = pass->condition,
      .y = pass->cache,
      .cache = pass->cache + self->cache_net * pass->nb,
      .work = pass->work + self->work_net * pass->nb,
  };
  if (pass->gy) {
    net.gy = pass->work;
    net.gx = pass->gcondition ? pass->work + self->work_gin * pass->nb : NULL;
    net.gtheta = pass->gtheta;
    net.gprep = pass->gprep;
  }
  return net;
}

static bj_status additive_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const additive *self = layer->self;
  const int d = layer->d, k = layer->n_condition;
  const long size = (long)d * BJ_BLOCK;
  const vreal sign = vset(direction == BJ_FORWARD ? 1 : -1);
  if (k == 0) {
    memcpy(pass->y, pass->x, sizeof(real) * (size_t)(pass->nb * size));
    return BJ_OK;
  }
  if (self->net) {
    const bj_net_pass net = additive_net_pass(layer, pass);
    self->net->kind->forward(self->net, &net);
  } else {
    gemm(GEMM_SET, d, k, pass->theta, 1, d, NULL, pass->nb, pass->condition, (long)k * BJ_BLOCK, pass->cache, size,
         NULL, NULL, NULL);
  }
  for (long i = 0; i < pass->nb * size; i += BJ_LANES) {
    vstore(pass->y + i, vload(pass->x + i) + sign * vload(pass->cache + i));
  }
  return BJ_OK;
}

static bj_status additive_run_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const additive *self = layer->self;
  const int d = layer->d, k = layer->n_condition;
  const long size = (long)d * BJ_BLOCK, in = (long)k * BJ_BLOCK;
  const vreal sign = vset(direction == BJ_FORWARD ? 1 : -1);
  memcpy(pass->gx, pass->gy, sizeof(real) * (size_t)(pass->nb * size));
  if (k == 0) return BJ_OK;
  for (long i = 0; i < pass->nb * size; i += BJ_LANES) vstore(pass->work + i, sign * vload(pass->gy + i));
  if (self->net) {
    const bj_net_pass net = additive_net_pass(layer, pass);
    self->net->kind->vjp(self->net, &net);
    if (net.gx) add_rows(pass->nb, net.gx, in, pass->gcondition, in, k);
    return BJ_OK;
  }
  gemm_weight_grad(d, k, pass->nb, pass->work, size, pass->condition, in, pass->gtheta, d, NULL, NULL);
  if (pass->gcondition) {
    gemm(GEMM_ADD, k, d, pass->theta, d, 1, NULL, pass->nb, pass->work, size, pass->gcondition, in, NULL, NULL, NULL);
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(additive, additive_run)

/* Wc starts at 0: the identity. */
static void additive_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const additive *self = layer->self;
  if (self->net) {
    self->net->kind->init(self->net, theta, rng);
  } else {
    for (long i = 0; i < layer->n_param; i++) theta[i] = 0;
  }
}

static void additive_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const additive *self = layer->self;
  if (self->net && self->net->kind->prepare) self->net->kind->prepare(self->net, theta, prep);
}

static void additive_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                 real *gprep, real *gtheta) {
  (void)run;
  const additive *self = layer->self;
  (void)theta;
  (void)prep;
  if (self->net && self->net->kind->prepare_vjp) self->net->kind->prepare_vjp(self->net, gprep, gtheta);
}

static void additive_describe(const bj_layer *layer, bj_describe *out) {
  const additive *self = layer->self;
  if (self->net) {
    const int mark = describe_enter(out, "net");
    self->net->kind->describe(self->net, out);
    describe_leave(out, mark);
  } else if (layer->n_condition > 0) {
    describe_slot(out, "Wc", 2, layer->d, layer->n_condition);
  }
}

static bj_status additive_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  additive *self = layer->self = build_alloc(build, sizeof(additive));
  const int d = layer->d, k = layer->n_condition;
  layer->n_cache = layer->n_work = (long)d * BJ_BLOCK;
  if (k == 0) return BJ_OK;
  if (!spec_child(spec, "net")) {
    layer->n_param = (long)d * k;
    return BJ_OK;
  }
  const bj_net_request request = {.n_in = k, .n_out = d};
  const bj_status status = net_build(build, spec_child(spec, "net"), &request, "layer_additive_condition", &self->net);
  if (status != BJ_OK) return status;
  layer->n_param = self->net->n_param;
  layer->n_prep = self->net->n_prep;
  self->cache_net = (long)d * BJ_BLOCK;
  layer->n_cache = self->cache_net + self->net->n_cache;
  self->work_gin = (long)d * BJ_BLOCK;
  self->work_net = self->work_gin + (long)k * BJ_BLOCK;
  layer->n_work = self->work_net + self->net->n_work;
  return BJ_OK;
}

static const bj_layer_kind layer_additive_condition = {
    .name = "additive_condition",
    .build = additive_build,
    .describe = additive_describe,
    .init = additive_init,
    .prepare = additive_prepare,
    .prepare_vjp = additive_prepare_vjp,
    LAYER_TABLE(additive),
};
