/* chain: layers applied one after another.
 *
 *   forward: x -> layer 1 -> layer 2 -> ... -> y, log-determinants added; inverse: the way back.
 *   The cache keeps the value between every two layers, then the caches of the layers.
 */
#include <stdio.h>

#include "layer-chain.h"
#include "num-carve.h"

typedef struct {
  int n;
  bj_layer **layers;
  long *theta_at, *prep_at, *cache_at; /* where those of each layer begin */
} layer_list;

/* The value between layer i - 1 and layer i (i = 1 .. n - 1). */
INLINE real *layer_chain_between(const bj_layer *layer, const bj_pass *pass, int i) {
  return pass->cache + (i - 1) * CHUNK_ROWS(layer->d);
}

static int layer_chain_size(const bj_layer *layer) { return ((const layer_list *)layer->self)->n; }

static const bj_layer *layer_chain_member(const bj_layer *layer, int i) {
  return ((const layer_list *)layer->self)->layers[i];
}

INLINE void layer_chain_enter(const bj_layer *layer, const bj_pass *pass, int i, bj_direction direction,
                              bj_pass *child) {
  const layer_list *self = layer->self;
  const int first = direction == BJ_FORWARD ? i == 0 : i == self->n - 1;
  const int last = direction == BJ_FORWARD ? i == self->n - 1 : i == 0;
  child->theta = pass->theta + self->theta_at[i];
  child->prep = pass->prep + self->prep_at[i];
  child->cache = pass->cache + self->cache_at[i];
  if (pass->gtheta) {
    child->gtheta = pass->gtheta + self->theta_at[i];
    child->gprep = pass->gprep + self->prep_at[i];
  }
  child->x = first ? pass->x : layer_chain_between(layer, pass, direction == BJ_FORWARD ? i : i + 1);
  child->y = last ? pass->y : layer_chain_between(layer, pass, direction == BJ_FORWARD ? i + 1 : i);
}

static bj_status layer_chain_part(const bj_layer *layer, bj_pass *pass, int first, int end, bj_direction direction) {
  const layer_list *self = layer->self;
  bj_pass child = *pass;
  for (int step = 0; step < end - first; step++) {
    const int i = direction == BJ_FORWARD ? first + step : end - 1 - step;
    const bj_layer_kind *kind = self->layers[i]->kind;
    layer_chain_enter(layer, pass, i, direction, &child);
    const bj_status status = (direction == BJ_FORWARD ? kind->forward : kind->inverse)(self->layers[i], &child);
    if (status != BJ_OK) return status;
  }
  return BJ_OK;
}

static bj_status layer_chain_run(const bj_layer *layer, bj_pass *pass, bj_direction direction) {
  const int n = layer_chain_size(layer);
  if (n == 0) memcpy(pass->y, pass->x, sizeof(real) * (size_t)pass->nb * (size_t)layer->d * BJ_BLOCK);
  return layer_chain_part(layer, pass, 0, n, direction);
}

/* Gradients travel through two buffers, so that gx never overlaps gy; what follows is the work of one layer. */
static bj_status layer_chain_run_vjp(const bj_layer *layer, bj_pass *pass, bj_direction direction) {
  const layer_list *self = layer->self;
  carver work = {.memory = pass->work};
  real *const between[] = {carve_rows(&work, layer->d), carve_rows(&work, layer->d)};
  if (self->n == 0) memcpy(pass->gx, pass->gy, sizeof(real) * (size_t)pass->nb * (size_t)layer->d * BJ_BLOCK);
  bj_pass child = *pass;
  child.work = work.memory + work.used;
  for (int step = 0; step < self->n; step++) {
    const int i = direction == BJ_FORWARD ? self->n - 1 - step : step;
    const bj_layer_kind *kind = self->layers[i]->kind;
    layer_chain_enter(layer, pass, i, direction, &child);
    child.gy = step == 0 ? pass->gy : between[step % 2];
    child.gx = step == self->n - 1 ? pass->gx : between[(step + 1) % 2];
    const bj_status status = (direction == BJ_FORWARD ? kind->forward_vjp : kind->inverse_vjp)(self->layers[i], &child);
    if (status != BJ_OK) return status;
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(layer_chain, layer_chain_run)

static void layer_chain_describe(const bj_layer *layer, bj_describe *out) {
  const layer_list *self = layer->self;
  char name[16];
  for (int i = 0; i < self->n; i++) {
    snprintf(name, sizeof name, "%d", i + 1);
    const int mark = describe_enter(out, name);
    layer_describe(self->layers[i], out);
    describe_leave(out, mark);
  }
}

static void layer_chain_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const layer_list *self = layer->self;
  for (int i = 0; i < self->n; i++) layer_init(self->layers[i], theta + self->theta_at[i], rng);
}

/* A preparation, or with gtheta its vjp. */
typedef struct {
  const layer_list *list;
  bj_run run;
  const real *theta;
  real *prep, *gprep, *gtheta;
} chain_preparation;

static void layer_chain_prepare_one(void *arg, int i) {
  const chain_preparation *at = arg;
  const long theta = at->list->theta_at[i], prep = at->list->prep_at[i];
  const bj_layer *layer = at->list->layers[i];
  if (at->gtheta) {
    layer_prepare_vjp(layer, &at->run, at->theta + theta, at->prep + prep, at->gprep + prep, at->gtheta + theta);
  } else {
    layer_prepare(layer, &at->run, at->theta + theta, at->prep + prep);
  }
}

static void layer_chain_prepare_all(const bj_layer *layer, chain_preparation *all) {
  const bj_workers *workers = all->run.workers;
  const int n = layer_chain_size(layer);
  all->list = layer->self;
  if (workers && n > 1) {
    all->run.workers = NULL; /* members are prepared by one each */
    workers->run(workers->host, n, layer_chain_prepare_one, all);
    return;
  }
  for (int i = 0; i < n; i++) layer_chain_prepare_one(all, i);
}

static void layer_chain_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  chain_preparation all = {.run = *run, .theta = theta, .prep = prep};
  layer_chain_prepare_all(layer, &all);
}

static void layer_chain_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                    real *gprep, real *gtheta) {
  chain_preparation all = {.run = *run, .theta = theta, .prep = (real *)prep, .gprep = gprep, .gtheta = gtheta};
  layer_chain_prepare_all(layer, &all);
}

static bj_status layer_chain_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  layer_list *self = layer->self = build_alloc(build, sizeof(layer_list));
  int n;
  const bj_spec *layers = spec_parts(build, spec, "layers", 0, &n);
  self->n = n;
  self->layers = build_alloc(build, sizeof(bj_layer *) * (size_t)n);
  self->theta_at = build_alloc(build, sizeof(long) * (size_t)n);
  self->prep_at = build_alloc(build, sizeof(long) * (size_t)n);
  self->cache_at = build_alloc(build, sizeof(long) * (size_t)n);
  layer->n_cache = n > 1 ? size_product(build, n - 1, CHUNK_ROWS(layer->d)) : 0;
  for (int i = 0; i < n; i++) {
    const bj_status status = layer_build(build, layers + i, layer->d, layer->n_condition, self->layers + i);
    if (status != BJ_OK) return status;
    const bj_layer *child = self->layers[i];
    self->theta_at[i] = layer->n_param;
    self->prep_at[i] = layer->n_prep;
    self->cache_at[i] = layer->n_cache;
    layer->n_param = size_sum(build, layer->n_param, child->n_param);
    layer->n_prep = size_sum(build, layer->n_prep, child->n_prep);
    layer->n_cache = size_sum(build, layer->n_cache, child->n_cache);
    if (child->n_work > layer->n_work) layer->n_work = child->n_work;
  }
  layer->n_work += 2 * CHUNK_ROWS(layer->d);
  return build->status;
}

static const bj_layer_kind layer_chain = {
    .name = "chain",
    .build = layer_chain_build,
    .describe = layer_chain_describe,
    .init = layer_chain_init,
    .prepare = layer_chain_prepare,
    .prepare_vjp = layer_chain_prepare_vjp,
    LAYER_TABLE(layer_chain),
};
