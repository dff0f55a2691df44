/* mlp with `precision` "single": field-mlp.c in floats, see single.h. Value, trace and gradients of a call are those of
 * floats; the states of the solver, its sums over stages and those of the gradients of weights are doubles.
 *
 * prep holds the parameters as floats. The node in double precision names and starts them.
 */
#include "field.h"
#include "num-convert.h"
#include "single.h"

typedef struct {
  bj_field *whole;
  bj_single_node single;
} single_field;

typedef struct {
  float *cache;
  float *z, *condition, *probe, *times, *f, *trace, *square; /* a row: times, cotangents of trace and square */
  float *gf, *gtrace, *gsquare, *gz, *gcondition;
  float *work;
} single_field_rows;

INLINE single_field_rows field_single_carve(const bj_field *field, carver *cache, carver *work) {
  const single_field *self = field->self;
  const long row = (long)field->group * BJ_BLOCK, rows = row * field->d, given = row * field->n_condition;
  single_field_rows at;
  at.cache = carve_single(cache, self->single.n_cache);
  at.z = carve_single(work, rows);
  at.condition = carve_single(work, given);
  at.probe = carve_single(work, rows);
  at.times = carve_single(work, row);
  at.f = carve_single(work, rows);
  at.trace = carve_single(work, rows);
  at.square = carve_single(work, rows);
  at.gf = carve_single(work, rows);
  at.gtrace = carve_single(work, row);
  at.gsquare = carve_single(work, row);
  at.gz = carve_single(work, rows);
  at.gcondition = carve_single(work, given);
  at.work = carve_single(work, self->single.n_work);
  return at;
}

#ifdef BJ_SINGLE_CORE

/* n rows of each block to floats that stand close. */
static float *field_single_in(int nb, int n, const real *from, long stride, float *to) {
  rows_to_single(nb, n, from, stride, to, (long)n * BJ_BLOCK);
  return to;
}

static bj_single_field_pass field_single_pass(const bj_field *field, const bj_field_pass *pass,
                                              const single_field_rows *at) {
  const int nb = pass->nb, d = field->d, n_condition = field->n_condition;
  return (bj_single_field_pass){
      .nb = nb,
      .weights = (const float *)pass->prep,
      .time = (float)pass->time,
      .times = pass->times ? field_single_in(nb, 1, pass->times, BJ_BLOCK, at->times) : NULL,
      .probe = pass->probe ? field_single_in(nb, d, pass->probe, (long)d * BJ_BLOCK, at->probe) : NULL,
      .condition = n_condition > 0
                       ? field_single_in(nb, n_condition, pass->condition, (long)n_condition * BJ_BLOCK, at->condition)
                       : NULL,
      .f = at->f,
      .trace = pass->trace ? at->trace : NULL,
      .square = pass->square ? at->square : NULL,
      .fixed = (const float *)pass->fixed,
      .gfixed = pass->gfixed,
      .cache = at->cache,
      .work = at->work,
  };
}

static void field_single_begin(const bj_field *field, const real *theta, const real *prep, real *fixed) {
  const single_field *self = field->self;
  (void)theta;
  BJ_SINGLE_CORE.field_begin(&self->single, (const float *)prep, (float *)fixed);
}

static void field_single_begin_vjp(const bj_field *field, const real *theta, const real *prep, const real *fixed,
                                   const real_sum *gfixed, real_sum *gtheta) {
  const single_field *self = field->self;
  (void)theta;
  BJ_SINGLE_CORE.field_begin_vjp(&self->single, (const float *)prep, (const float *)fixed, gfixed, gtheta);
}

static void field_single_value(const bj_field *field, const bj_field_pass *pass) {
  const single_field *self = field->self;
  const long rows = (long)field->d * BJ_BLOCK; /* of floats, from block to block */
  const single_field_rows at = CARVE(field_single_carve, field, pass);
  bj_single_field_pass single = field_single_pass(field, pass, &at);
  single.z = field_single_in(pass->nb, field->d, pass->z, pass->stride, at.z);
  BJ_SINGLE_CORE.field_value(&self->single, &single);
  rows_from_single(pass->nb, field->d, at.f, rows, pass->f, pass->stride);
  if (pass->trace) rows_from_single(pass->nb, 1, at.trace, rows, pass->trace, pass->stride);
  if (pass->square) rows_from_single(pass->nb, 1, at.square, rows, pass->square, pass->stride);
}

static void field_single_vjp(const bj_field *field, const bj_field_pass *pass) {
  const single_field *self = field->self;
  const single_field_rows at = CARVE(field_single_carve, field, pass);
  const int nb = pass->nb, n_condition = field->n_condition;
  bj_single_field_pass single = field_single_pass(field, pass, &at);
  single.gweights = pass->gtheta;
  single.gz = at.gz;
  single.gf = field_single_in(nb, field->d, pass->gf, pass->stride, at.gf);
  single.gtrace = pass->trace ? field_single_in(nb, 1, pass->gtrace, BJ_BLOCK, at.gtrace) : NULL;
  single.gsquare = pass->square ? field_single_in(nb, 1, pass->gsquare, BJ_BLOCK, at.gsquare) : NULL;
  if (pass->gcondition) {
    memset(at.gcondition, 0, sizeof(float) * (size_t)nb * (size_t)n_condition * BJ_BLOCK);
    single.gcondition = at.gcondition;
  }
  BJ_SINGLE_CORE.field_vjp(&self->single, &single);
  rows_from_single(nb, field->d, at.gz, (long)field->d * BJ_BLOCK, pass->gz, pass->stride);
  if (pass->gcondition) add_single((long)nb * n_condition * BJ_BLOCK, at.gcondition, pass->gcondition);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static void field_single_prepare(const bj_field *field, const real *theta, real *prep) {
  to_single(field->n_param, theta, (float *)prep);
}

static void field_single_describe(const bj_field *field, bj_describe *out) {
  field_mlp.describe(((const single_field *)field->self)->whole, out);
}

static void field_single_init(const bj_field *field, real *theta, bj_rng *rng) {
  field_mlp.init(((const single_field *)field->self)->whole, theta, rng);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static bj_status field_single_build(bj_field *field, const bj_spec *spec, bj_build *build) {
  single_field *self = field->self = build_alloc(build, sizeof(single_field));
  self->whole = build_alloc(build, sizeof(bj_field));
  *self->whole = *field;
  self->whole->kind = &field_mlp;
  if (field_mlp.build(self->whole, spec, build) != BJ_OK) return build->status;
  if (BJ_SINGLE_CORE.field_build(spec, field->d, field->n_condition, field->group, build->memory, build->error,
                                 &self->single) != BJ_OK) {
    return build->status = BJ_BAD_SPEC;
  }
  if (self->single.n_cache > SIZE_MOST || self->single.n_work > SIZE_MOST) {
    return spec_error(build, "field_%s() is too large", spec->kind);
  }
  field->n_param = self->whole->n_param;
  field->n_prep = SINGLE_REALS(field->n_param);
  field->n_fixed = SINGLE_REALS(self->single.n_fixed);
  field->n_gfixed = self->single.n_gfixed;
  MEASURE(field_single_carve, field);
  return build->status;
}

static const bj_field_kind field_single = {
    .name = "mlp",
    .build = field_single_build,
    .describe = field_single_describe,
    .init = field_single_init,
    .prepare = field_single_prepare,
    .begin = field_single_begin,
    .begin_vjp = field_single_begin_vjp,
    .value = field_single_value,
    .vjp = field_single_vjp,
};

#endif
