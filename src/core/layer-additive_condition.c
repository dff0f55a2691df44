/* additive_condition: y = x + Wc c, or y = x + net(c). Without conditions it is the identity.
 *
 *   log|det| = 0.  vjp: gx = gy, the linear map's or the net's vjp of gy; inverse x = y - net(c): the same of -gx
 */
#include "net-common.h"
#include "num-gemm.h"

typedef struct {
  net_slot net; /* none: Wc */
} additive;

typedef struct {
  real *shift, *gshift; /* what is added, of the cache, and its cotangent */
  net_rows net;         /* with a net, its y and gy are shift and gshift */
} additive_at;

INLINE additive_at additive_carve(const bj_layer *layer, carver *cache, carver *work) {
  const additive *self = layer->self;
  additive_at at = {0};
  if (self->net.net) {
    at.net = net_slot_carve(&self->net, cache, work);
    at.shift = at.net.y;
    at.gshift = at.net.gy;
  } else {
    at.shift = carve_rows(cache, layer->d);
    at.gshift = carve_rows(work, layer->d);
  }
  return at;
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
  const additive_at at = CARVE(additive_carve, layer, pass);
  if (self->net.net) {
    net_slot_forward(&self->net, net_rows_pass(&at.net, pass, pass->condition));
  } else {
    gemm(GEMM_SET, gemm_columns(pass->theta, d, k, NULL), pass->nb, pass->condition, (long)k * BJ_BLOCK, at.shift,
         size);
  }
  for (long i = 0; i < pass->nb * size; i += BJ_LANES) {
    vstore(pass->y + i, vload(pass->x + i) + sign * vload(at.shift + i));
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
  const additive_at at = CARVE(additive_carve, layer, pass);
  for (long i = 0; i < pass->nb * size; i += BJ_LANES) vstore(at.gshift + i, sign * vload(pass->gy + i));
  if (self->net.net) {
    net_slot_vjp(&self->net, net_rows_pass(&at.net, pass, pass->condition), pass->gcondition);
    return BJ_OK;
  }
  gemm_weight_grad(d, k, pass->nb, at.gshift, size, pass->condition, in, pass->gtheta, d, NULL, NULL);
  if (pass->gcondition) {
    gemm(GEMM_ADD, gemm_transpose(pass->theta, d, k), pass->nb, at.gshift, size, pass->gcondition, in);
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(additive, additive_run)

/* Wc starts at 0: the identity. */
static void additive_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const additive *self = layer->self;
  if (self->net.net) {
    net_slot_init(&self->net, theta, rng);
  } else {
    for (long i = 0; i < layer->n_param; i++) theta[i] = 0;
  }
}

static void additive_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const additive *self = layer->self;
  if (self->net.net) net_slot_prepare(&self->net, theta, prep);
}

static void additive_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                 real *gprep, real *gtheta) {
  (void)run;
  const additive *self = layer->self;
  (void)theta;
  (void)prep;
  if (self->net.net) net_slot_prepare_vjp(&self->net, gprep, gtheta);
}

static void additive_describe(const bj_layer *layer, bj_describe *out) {
  const additive *self = layer->self;
  if (self->net.net) {
    net_slot_describe(&self->net, "net", out);
  } else if (layer->n_condition > 0) {
    describe_slot(out, "Wc", 2, layer->d, layer->n_condition);
  }
}

static bj_status additive_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  additive *self = layer->self = build_alloc(build, sizeof(additive));
  const int d = layer->d, k = layer->n_condition;
  if (spec_given(build, spec, "net") && k > 0) {
    const bj_net_request request = {.n_in = k, .n_out = d};
    const bj_status status = net_slot_build(build, spec_part(build, spec, "net"), &request, k, spec->kind,
                                            &layer->n_param, &layer->n_prep, &self->net);
    if (status != BJ_OK) return status;
  } else {
    layer->n_param = size_product(build, d, k);
  }
  MEASURE(additive_carve, layer);
  return build->status;
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
