/* elementwise: a scalar bijection on every coordinate, y_i = f(x_i; theta_i), each coordinate with its own parameters
 * or all with the same. log|det| = sum_i log f'(x_i; theta_i).
 *
 * Raw parameter j of coordinate i is theta[n_global + i + j n_set]: in column-major order an array (d) or (d x length)
 * for each name, as params() shows it. prep holds, a set, the prepared values and then the raw ones.
 */
#include "num-carve.h"
#include "protocol.h"

typedef struct {
  bj_scalar *scalar;
  int n_set;     /* d, or 1 if shared */
  real *scratch; /* one set of initial values: init alone writes to it, which one thread calls */
} elementwise;

static void elementwise_each(const bj_layer *layer, const bj_pass *pass, bj_direction direction, int vjp) {
  const elementwise *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  const bj_scalar_kind *kind = scalar->kind;
  const long set_size = scalar->n_prep + scalar->n_param;
  bj_scalar_pass one = {
      .nb = pass->nb,
      .stride = (long)layer->d * BJ_BLOCK,
      .logdet = pass->logdet,
      .global = pass->theta,
      .cache_stride = (long)layer->d * scalar->n_cache * BJ_BLOCK,
      .gl = pass->gl,
      .gglobal = pass->gtheta,
  };
  for (int i = 0; i < layer->d; i++) {
    const long at = (long)i * BJ_BLOCK, set = (self->n_set > 1 ? i : 0) * set_size;
    one.x = pass->x + at;
    one.y = pass->y + at;
    one.par = pass->prep + set;
    one.cache = pass->cache + (long)i * scalar->n_cache * BJ_BLOCK;
    if (!vjp) {
      (direction == BJ_FORWARD ? kind->forward : kind->inverse)[SHARED](scalar, &one);
    } else {
      one.gy = pass->gy + at;
      one.gx = pass->gx + at;
      one.gpar = pass->gprep + set;
      (direction == BJ_FORWARD ? kind->forward_vjp : kind->inverse_vjp)[SHARED](scalar, &one);
    }
  }
}

static bj_status elementwise_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  elementwise_each(layer, pass, direction, 0);
  return BJ_OK;
}
static bj_status elementwise_run_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  elementwise_each(layer, pass, direction, 1);
  return BJ_OK;
}
LAYER_DIRECTIONS(elementwise, elementwise_run)

static void elementwise_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const elementwise *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  for (int i = 0; i < self->n_set; i++) {
    real *set = prep + (long)i * (scalar->n_prep + scalar->n_param), *raw = set + scalar->n_prep;
    for (int j = 0; j < scalar->n_param; j++) raw[j] = theta[scalar->n_global + i + (long)j * self->n_set];
    scalar->kind->prepare(scalar, raw, set);
  }
}

static void elementwise_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                    real *gprep, real *gtheta) {
  (void)run;
  const elementwise *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  (void)theta;
  for (int i = 0; i < self->n_set; i++) {
    const long set = (long)i * (scalar->n_prep + scalar->n_param);
    real *graw = gprep + set + scalar->n_prep; /* nothing else adds to it: zeros */
    scalar->kind->prepare_vjp(scalar, prep + set + scalar->n_prep, prep + set, gprep + set, graw);
    for (int j = 0; j < scalar->n_param; j++) gtheta[scalar->n_global + i + (long)j * self->n_set] += graw[j];
  }
}

static void elementwise_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const elementwise *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  for (int i = 0; i < self->n_set; i++) {
    scalar->kind->init(scalar, self->scratch, rng);
    for (int j = 0; j < scalar->n_param; j++) theta[scalar->n_global + i + (long)j * self->n_set] = self->scratch[j];
  }
  for (int j = 0; j < scalar->n_global; j++) theta[j] = self->scratch[scalar->n_param + j];
}

typedef struct {
  bj_describe *out;
  int n_set;
} elementwise_describing;

static void elementwise_describe_one(void *host, const char *name, int length) {
  const elementwise_describing *to = host;
  if (to->n_set == 1) {
    describe_slot(to->out, name, length > 1, length, 0);
  } else {
    describe_slot(to->out, name, length > 1 ? 2 : 1, to->n_set, length);
  }
}

static void elementwise_describe(const bj_layer *layer, bj_describe *out) {
  const elementwise *self = layer->self;
  elementwise_describing global = {out, 1}, sets = {out, self->n_set};
  if (self->scalar->n_global > 0) self->scalar->kind->describe_global(self->scalar, elementwise_describe_one, &global);
  self->scalar->kind->describe(self->scalar, elementwise_describe_one, &sets);
}

static bj_status elementwise_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  elementwise *self = layer->self = build_alloc(build, sizeof(elementwise));
  const bj_status status = scalar_build(build, spec_part(build, spec, "scalar"), &self->scalar);
  if (status != BJ_OK) return status;
  const bj_scalar *scalar = self->scalar;
  self->n_set = spec_bool(build, spec, "shared") ? 1 : layer->d;
  self->scratch = build_alloc(build, sizeof(real) * (size_t)(scalar->n_param + scalar->n_global));
  layer->n_param = scalar->n_global + size_product(build, self->n_set, scalar->n_param);
  layer->n_prep = size_product(build, self->n_set, scalar->n_prep + scalar->n_param);
  layer->n_cache = size_product(build, layer->d, CHUNK_ROWS(scalar->n_cache));
  return build->status;
}

static const bj_layer_kind layer_elementwise = {
    .name = "elementwise",
    .build = elementwise_build,
    .describe = elementwise_describe,
    .init = elementwise_init,
    .prepare = elementwise_prepare,
    .prepare_vjp = elementwise_prepare_vjp,
    LAYER_TABLE(elementwise),
};
