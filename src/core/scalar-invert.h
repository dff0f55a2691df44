/* What scalars that hold one other scalar, whose parameters are theirs, share. */
#ifndef BJ_SCALAR_INVERT_H
#define BJ_SCALAR_INVERT_H

#include "protocol.h"

static bj_status scalar_invert_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build);
static void scalar_invert_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host);
static void scalar_invert_describe_global(const bj_scalar *scalar, void (*visit)(void *, const char *, int),
                                          void *host);
static void scalar_invert_init(const bj_scalar *scalar, real *raw, bj_rng *rng);
static void scalar_invert_prepare(const bj_scalar *scalar, const real *raw, real *prep);
static void scalar_invert_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                      real *graw);

#endif
