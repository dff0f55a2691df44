/* invert: the other direction of a scalar bijection, with the parameters of the one it turns round. */
#include "scalar-common.h"

#define TURNED(direction, other, mode_name, mode)                                                     \
  static void turned_##direction##_##mode_name(const bj_scalar *scalar, const bj_scalar_pass *pass) { \
    const bj_scalar *inner = scalar->self;                                                            \
    inner->kind->other[mode](inner, pass);                                                            \
  }
TURNED(forward, inverse, rowwise, ROWWISE)
TURNED(forward, inverse, shared, SHARED)
TURNED(inverse, forward, rowwise, ROWWISE)
TURNED(inverse, forward, shared, SHARED)
TURNED(forward_vjp, inverse_vjp, rowwise, ROWWISE)
TURNED(forward_vjp, inverse_vjp, shared, SHARED)
TURNED(inverse_vjp, forward_vjp, rowwise, ROWWISE)
TURNED(inverse_vjp, forward_vjp, shared, SHARED)

static void turned_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  const bj_scalar *inner = scalar->self;
  inner->kind->describe(inner, visit, host);
}
static void turned_describe_global(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  const bj_scalar *inner = scalar->self;
  if (inner->n_global > 0) inner->kind->describe_global(inner, visit, host);
}
static void turned_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  const bj_scalar *inner = scalar->self;
  inner->kind->init(inner, raw, rng);
}
static void turned_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  const bj_scalar *inner = scalar->self;
  inner->kind->prepare(inner, raw, prep);
}
static void turned_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                               real *graw) {
  const bj_scalar *inner = scalar->self;
  inner->kind->prepare_vjp(inner, raw, prep, gprep, graw);
}

static bj_status turned_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  bj_scalar *inner;
  const bj_status status = scalar_build(build, spec_part(build, spec, "scalar"), "scalar_invert", &inner);
  if (status != BJ_OK) return status;
  const bj_scalar_kind *kind = scalar->kind;
  *scalar = *inner; /* its sizes */
  scalar->kind = kind;
  scalar->self = inner;
  return BJ_OK;
}

static const bj_scalar_kind scalar_invert = {
    .name = "invert",
    .build = turned_build,
    .describe = turned_describe,
    .describe_global = turned_describe_global,
    .init = turned_init,
    .prepare = turned_prepare,
    .prepare_vjp = turned_prepare_vjp,
    SCALAR_TABLE(turned),
};
