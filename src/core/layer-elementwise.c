/* elementwise: a scalar bijection on every coordinate, y_i = f_i(x_i; theta_i), log|det| = sum_i log f_i'(x_i; theta_i)
 *
 * One scalar for all coordinates, each with its own parameters or all with the same: raw parameter j of coordinate i
 * is theta[n_global + i + j n_set], in column-major order an array (d) or (d x length) for each name, as params() shows
 * it. One scalar a coordinate: theta holds, for each, the globals of its scalar and then its raw parameters.
 * prep holds, a set, the prepared values and then the raw ones.
 */
#include <stdio.h>

#include "num-carve.h"
#include "protocol.h"

typedef struct {
  bj_scalar *scalar;
  long global, param,
      step; /* in theta: of its globals and of its first raw parameter; from one parameter to the next */
  long prep, cache;
} elementwise_column;

typedef struct {
  elementwise_column *columns; /* d */
  int n_set;                   /* the first columns, which have parameters of their own: d, or 1 if shared */
  int listed;                  /* one scalar a coordinate */
  long cache_stride;
  real *scratch; /* one set of initial values: init alone writes to it, which one thread calls */
} elementwise;

static void elementwise_each(const bj_layer *layer, const bj_pass *pass, bj_direction direction, int vjp) {
  const elementwise *self = layer->self;
  bj_scalar_pass one = {
      .nb = pass->nb,
      .stride = (long)layer->d * BJ_BLOCK,
      .logdet = pass->logdet,
      .cache_stride = self->cache_stride,
      .gl = pass->gl,
  };
  for (int i = 0; i < layer->d; i++) {
    const elementwise_column *column = self->columns + i;
    const bj_scalar *scalar = column->scalar;
    const bj_scalar_kind *kind = scalar->kind;
    const long at = (long)i * BJ_BLOCK;
    one.x = pass->x + at;
    one.y = pass->y + at;
    one.par = pass->prep + column->prep;
    one.global = pass->theta + column->global;
    one.cache = pass->cache + column->cache;
    if (!vjp) {
      (direction == BJ_FORWARD ? kind->forward : kind->inverse)[SHARED](scalar, &one);
    } else {
      one.gy = pass->gy + at;
      one.gx = pass->gx + at;
      one.gpar = pass->gprep + column->prep;
      one.gglobal = pass->gtheta + column->global;
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
  for (int i = 0; i < self->n_set; i++) {
    const elementwise_column *column = self->columns + i;
    const bj_scalar *scalar = column->scalar;
    real *set = prep + column->prep, *raw = set + scalar->n_prep;
    for (int j = 0; j < scalar->n_param; j++) raw[j] = theta[column->param + j * column->step];
    scalar->kind->prepare(scalar, raw, set);
  }
}

static void elementwise_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                    real *gprep, real *gtheta) {
  (void)run;
  const elementwise *self = layer->self;
  (void)theta;
  for (int i = 0; i < self->n_set; i++) {
    const elementwise_column *column = self->columns + i;
    const bj_scalar *scalar = column->scalar;
    const real *set = prep + column->prep;
    real *gset = gprep + column->prep, *graw = gset + scalar->n_prep; /* nothing else adds to graw: zeros */
    scalar->kind->prepare_vjp(scalar, set + scalar->n_prep, set, gset, graw);
    for (int j = 0; j < scalar->n_param; j++) gtheta[column->param + j * column->step] += graw[j];
  }
}

static void elementwise_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const elementwise *self = layer->self;
  for (int i = 0; i < self->n_set; i++) {
    const elementwise_column *column = self->columns + i;
    const bj_scalar *scalar = column->scalar;
    scalar->kind->init(scalar, self->scratch, rng);
    for (int j = 0; j < scalar->n_param; j++) theta[column->param + j * column->step] = self->scratch[j];
    for (int j = 0; j < scalar->n_global; j++) theta[column->global + j] = self->scratch[scalar->n_param + j];
  }
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

static void elementwise_describe_sets(const bj_scalar *scalar, bj_describe *out, int n_set) {
  elementwise_describing global = {out, 1}, sets = {out, n_set};
  if (scalar->n_global > 0) scalar->kind->describe_global(scalar, elementwise_describe_one, &global);
  scalar->kind->describe(scalar, elementwise_describe_one, &sets);
}

static void elementwise_describe(const bj_layer *layer, bj_describe *out) {
  const elementwise *self = layer->self;
  if (!self->listed) {
    elementwise_describe_sets(self->columns[0].scalar, out, self->n_set);
    return;
  }
  char name[16];
  for (int i = 0; i < layer->d; i++) {
    snprintf(name, sizeof name, "%d", i + 1);
    const int mark = describe_enter(out, name);
    elementwise_describe_sets(self->columns[i].scalar, out, 1);
    describe_leave(out, mark);
  }
}

static bj_status elementwise_build_one(bj_layer *layer, elementwise *self, const bj_spec *spec, bj_build *build) {
  bj_scalar *scalar;
  const bj_status status = scalar_build(build, spec, &scalar);
  if (status != BJ_OK) return status;
  for (int i = 0; i < layer->d; i++) {
    const long set = self->n_set > 1 ? i : 0;
    self->columns[i] = (elementwise_column){
        .scalar = scalar,
        .param = scalar->n_global + set,
        .step = self->n_set,
        .prep = set * (scalar->n_prep + scalar->n_param),
        .cache = (long)i * scalar->n_cache * BJ_BLOCK,
    };
  }
  layer->n_param = scalar->n_global + size_product(build, self->n_set, scalar->n_param);
  layer->n_prep = size_product(build, self->n_set, scalar->n_prep + scalar->n_param);
  layer->n_cache = size_product(build, layer->d, CHUNK_ROWS(scalar->n_cache));
  self->cache_stride = (long)layer->d * scalar->n_cache * BJ_BLOCK;
  self->scratch = build_alloc(build, sizeof(real) * (size_t)(scalar->n_param + scalar->n_global));
  return build->status;
}

static bj_status elementwise_build_each(bj_layer *layer, elementwise *self, const bj_spec *spec, bj_build *build) {
  int n;
  long scratch = 0;
  const bj_spec *scalars = spec_parts(build, spec, "scalar", 1, &n);
  if (build->status == BJ_OK && n != layer->d) {
    return spec_error(build, "`scalar` of layer_elementwise() must be one for each of %d coordinates", layer->d);
  }
  for (int i = 0; i < n && build->status == BJ_OK; i++) {
    elementwise_column *column = self->columns + i;
    if (scalar_build(build, scalars + i, &column->scalar) != BJ_OK) break;
    const bj_scalar *scalar = column->scalar;
    const long values = (long)scalar->n_global + scalar->n_param;
    column->global = layer->n_param;
    column->param = layer->n_param + scalar->n_global;
    column->step = 1;
    column->prep = layer->n_prep;
    column->cache = self->cache_stride;
    layer->n_param = size_sum(build, layer->n_param, values);
    layer->n_prep = size_sum(build, layer->n_prep, (long)scalar->n_prep + scalar->n_param);
    self->cache_stride = size_sum(build, self->cache_stride, (long)scalar->n_cache * BJ_BLOCK);
    if (values > scratch) scratch = values;
  }
  if (build->status != BJ_OK) return build->status;
  layer->n_cache = size_product(build, self->cache_stride, BJ_CHUNK);
  self->scratch = build_alloc(build, sizeof(real) * (size_t)scratch);
  return build->status;
}

static bj_status elementwise_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  elementwise *self = layer->self = build_alloc(build, sizeof(elementwise));
  self->columns = build_alloc(build, sizeof(elementwise_column) * (size_t)layer->d);
  self->listed = spec_listed(spec, "scalar");
  const int shared = spec_bool(build, spec, "shared");
  self->n_set = shared ? 1 : layer->d;
  if (!self->listed) return elementwise_build_one(layer, self, spec_part(build, spec, "scalar"), build);
  if (shared) return spec_error(build, "`shared` of layer_elementwise() must be FALSE for a list of scalars");
  return elementwise_build_each(layer, self, spec, build);
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
