/* invert: the other direction of a scalar bijection, with the parameters of the one it turns round. */
#include "scalar-common.h"
#include "scalar-invert.h"

#define SCALAR_INVERT(direction, other, mode_name, mode)                                                     \
  static void scalar_invert_##direction##_##mode_name(const bj_scalar *scalar, const bj_scalar_pass *pass) { \
    const bj_scalar *inner = scalar->self;                                                                   \
    inner->kind->other[mode](inner, pass);                                                                   \
  }
SCALAR_INVERT(forward, inverse, rowwise, ROWWISE)
SCALAR_INVERT(forward, inverse, shared, SHARED)
SCALAR_INVERT(inverse, forward, rowwise, ROWWISE)
SCALAR_INVERT(inverse, forward, shared, SHARED)
SCALAR_INVERT(forward_vjp, inverse_vjp, rowwise, ROWWISE)
SCALAR_INVERT(forward_vjp, inverse_vjp, shared, SHARED)
SCALAR_INVERT(inverse_vjp, forward_vjp, rowwise, ROWWISE)
SCALAR_INVERT(inverse_vjp, forward_vjp, shared, SHARED)

static void scalar_invert_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  const bj_scalar *inner = scalar->self;
  inner->kind->describe(inner, visit, host);
}
static void scalar_invert_describe_global(const bj_scalar *scalar, void (*visit)(void *, const char *, int),
                                          void *host) {
  const bj_scalar *inner = scalar->self;
  if (inner->n_global > 0) inner->kind->describe_global(inner, visit, host);
}
static void scalar_invert_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  const bj_scalar *inner = scalar->self;
  inner->kind->init(inner, raw, rng);
}
static void scalar_invert_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  const bj_scalar *inner = scalar->self;
  inner->kind->prepare(inner, raw, prep);
}
static void scalar_invert_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                      real *graw) {
  const bj_scalar *inner = scalar->self;
  inner->kind->prepare_vjp(inner, raw, prep, gprep, graw);
}

static bj_status scalar_invert_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  bj_scalar *inner;
  const bj_status status = scalar_build(build, spec_part(build, spec, "scalar"), &inner);
  if (status != BJ_OK) return status;
  const bj_scalar_kind *kind = scalar->kind;
  *scalar = *inner; /* its sizes */
  scalar->kind = kind;
  scalar->self = inner;
  return BJ_OK;
}

static const bj_scalar_kind scalar_invert = {
    .name = "invert",
    .build = scalar_invert_build,
    .describe = scalar_invert_describe,
    .describe_global = scalar_invert_describe_global,
    .init = scalar_invert_init,
    .prepare = scalar_invert_prepare,
    .prepare_vjp = scalar_invert_prepare_vjp,
    SCALAR_TABLE(scalar_invert),
};
