/* r: a layer whose map and gradient the host's functions compute: for trying ideas, and slow.
 *
 *   forward(x, params, condition) gives value and logdet; inverse(x, params, condition) the same of the inverse
 *   vjp(x, g_value, g_logdet, params, condition) gives the gradient of sum(g_value value) + sum(g_logdet logdet) of
 *     forward in x, params and condition; without it the host takes differences of forward ("differences")
 *   Without an inverse it is a root of forward, and its gradient is that of the root in any case: layer-default.c.
 *
 * The functions see matrices with a row a point, those of a chunk at a time; rows that pad its last block repeat
 * others.
 */
#include "num-carve.h"
#include "num-rows.h"
#include "protocol.h"

typedef struct {
  const bj_function *forward, *inverse, *vjp;
  const double *start;
} r_layer;

/* Column-major, of the rows of a chunk; gtheta of all. */
typedef struct {
  real *x, *y, *logdet, *condition, *gy, *gx, *gcondition, *gtheta;
} layer_r_space;

static layer_r_space layer_r_carve(const bj_layer *layer, carver *cache, carver *work) {
  (void)cache;
  return (layer_r_space){
      .x = carve_rows(work, layer->d),
      .y = carve_rows(work, layer->d),
      .logdet = carve_rows(work, 1),
      .condition = carve_rows(work, layer->n_condition),
      .gy = carve_rows(work, layer->d),
      .gx = carve_rows(work, layer->d),
      .gcondition = carve_rows(work, layer->n_condition),
      .gtheta = carve(work, layer->n_param),
  };
}

/* With x and conditions in columns, which every function is given. */
static layer_r_space layer_r_begin(const bj_layer *layer, const bj_pass *pass) {
  const layer_r_space at = CARVE(layer_r_carve, layer, pass);
  rows_to_columns(pass->nb, layer->d, pass->x, at.x);
  if (layer->n_condition > 0) rows_to_columns(pass->nb, layer->n_condition, pass->condition, at.condition);
  return at;
}

static bj_status layer_r_map(const bj_layer *layer, bj_pass *pass, const bj_function *map, const char *what) {
  const layer_r_space at = layer_r_begin(layer, pass);
  const int d = layer->d;
  const long n = (long)pass->nb * BJ_BLOCK;
  const bj_array in[] = {{"x", n, d, .from = at.x},
                         {"params", layer->n_param, -1, .from = pass->theta},
                         {"condition", n, layer->n_condition, .from = at.condition}};
  const bj_array out[] = {{"value", n, d, .to = at.y}, {"logdet", n, -1, .to = at.logdet}};
  const bj_status status = map->call(map->function, "layer_r", what, 3, in, 2, out);
  if (status != BJ_OK) return status;
  columns_to_rows(pass->nb, d, at.y, pass->y);
  for (long i = 0; i < n; i++) pass->logdet->sum[i] += at.logdet[i];
  return BJ_OK;
}

static bj_status layer_r_forward(const bj_layer *layer, bj_pass *pass) {
  return layer_r_map(layer, pass, ((const r_layer *)layer->self)->forward, "forward");
}

static bj_status layer_r_inverse(const bj_layer *layer, bj_pass *pass) {
  return layer_r_map(layer, pass, ((const r_layer *)layer->self)->inverse, "inverse");
}

static bj_status layer_r_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  const r_layer *self = layer->self;
  const layer_r_space at = layer_r_begin(layer, pass);
  const int d = layer->d, n_condition = layer->n_condition;
  const long n = (long)pass->nb * BJ_BLOCK;
  rows_to_columns(pass->nb, d, pass->gy, at.gy);
  const bj_array in[] = {{"x", n, d, .from = at.x},
                         {"g_value", n, d, .from = at.gy},
                         {"g_logdet", n, -1, .from = pass->gl},
                         {"params", layer->n_param, -1, .from = pass->theta},
                         {"condition", n, n_condition, .from = at.condition}};
  const bj_array out[] = {{"x", n, d, .to = at.gx},
                          {"params", layer->n_param, -1, .to = at.gtheta},
                          {"condition", n, n_condition, .to = at.gcondition}};
  const bj_function *vjp = self->vjp ? self->vjp : self->forward;
  const bj_status status = vjp->call(vjp->function, "layer_r", self->vjp ? "vjp" : "differences", 5, in, 3, out);
  if (status != BJ_OK) return status;
  columns_to_rows(pass->nb, d, at.gx, pass->gx);
  for (long i = 0; i < layer->n_param; i++) pass->gtheta[i] += at.gtheta[i];
  if (!pass->gcondition || n_condition == 0) return BJ_OK;
  columns_to_rows(pass->nb, n_condition, at.gcondition, at.condition);
  for (long i = 0; i < n * n_condition; i++) pass->gcondition[i] += at.condition[i];
  return BJ_OK;
}

static void layer_r_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  (void)rng;
  for (long i = 0; i < layer->n_param; i++) theta[i] = (real)((const r_layer *)layer->self)->start[i];
}

static void layer_r_describe(const bj_layer *layer, bj_describe *out) {
  if (layer->n_param > 0) describe_slot(out, "params", 1, (int)layer->n_param, 0);
}

static bj_status layer_r_build(bj_layer *layer, const bj_spec *spec, bj_build *build);

static const bj_layer_kind layer_r = {
    .name = "r",
    .build = layer_r_build,
    .describe = layer_r_describe,
    .init = layer_r_init,
    .forward = layer_r_forward,
    .inverse = layer_r_inverse,
    .forward_vjp = layer_r_forward_vjp,
};

static bj_status layer_r_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  r_layer *self = layer->self = build_alloc(build, sizeof(r_layer));
  self->forward = spec_function(build, spec, "forward");
  if (spec_given(build, spec, "inverse")) self->inverse = spec_function(build, spec, "inverse");
  if (spec_given(build, spec, "vjp")) self->vjp = spec_function(build, spec, "vjp");
  layer->n_param = spec_length(spec, "params");
  self->start = spec_numbers(build, spec, "params", layer->n_param);
  if (!self->inverse) {
    bj_layer_kind *kind = build_alloc(build, sizeof *kind);
    *kind = layer_r;
    kind->inverse = NULL;
    layer->kind = kind;
  }
  MEASURE(layer_r_carve, layer);
  return build->status;
}
