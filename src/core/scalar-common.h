/* What scalar kinds share: access to the arrays of a pass, and the four instances of one inline kernel. */
#ifndef BJ_SCALAR_COMMON_H
#define BJ_SCALAR_COMMON_H

#include "num-rows.h"
#include "protocol.h"

INLINE vreal scalar_x(const bj_scalar_pass *pass, int b, int r) { return vload(pass->x + b * pass->stride + r); }
INLINE vreal scalar_y(const bj_scalar_pass *pass, int b, int r) { return vload(pass->y + b * pass->stride + r); }
INLINE vreal scalar_gy(const bj_scalar_pass *pass, int b, int r) { return vload(pass->gy + b * pass->stride + r); }
INLINE vreal scalar_gl(const bj_scalar_pass *pass, int b, int r) { return vload(pass->gl + b * BJ_BLOCK + r); }

/* Raw parameter j of the rows at r, ROWWISE. */
INLINE vreal scalar_par(const bj_scalar_pass *pass, int b, int j, int r) {
  return vload(pass->par + b * pass->par_stride + j * BJ_BLOCK + r);
}
INLINE real *scalar_gpar(const bj_scalar_pass *pass, int b, int j) {
  return pass->gpar + b * pass->gpar_stride + j * BJ_BLOCK;
}
INLINE real *scalar_cache(const bj_scalar_pass *pass, int b, int j) {
  return pass->cache + b * pass->cache_stride + j * BJ_BLOCK;
}
/* The same row of the cache that has the constrained parameters. */
INLINE const real *scalar_kept(const bj_scalar_pass *pass, int b, int j) {
  return (pass->twin ? pass->twin : pass->cache) + b * pass->cache_stride + j * BJ_BLOCK;
}

/* A kind writes NAME_map(scalar, pass, mode, direction) and NAME_vjp(scalar, pass, mode, direction) once, always
 * inlined; these are the eight functions of its table, each with mode and direction known to the compiler. */
#define SCALAR_INSTANCE(name, direction_name, direction, mode_name, mode)                                        \
  NOINLINE void name##_##direction_name##_##mode_name(const bj_scalar *scalar, const bj_scalar_pass *pass) {     \
    name##_map(scalar, pass, mode, direction);                                                                   \
  }                                                                                                              \
  NOINLINE void name##_##direction_name##_vjp_##mode_name(const bj_scalar *scalar, const bj_scalar_pass *pass) { \
    name##_vjp(scalar, pass, mode, direction);                                                                   \
  }
#define SCALAR_MODES(name)                                     \
  SCALAR_INSTANCE(name, forward, BJ_FORWARD, rowwise, ROWWISE) \
  SCALAR_INSTANCE(name, forward, BJ_FORWARD, shared, SHARED)   \
  SCALAR_INSTANCE(name, inverse, BJ_INVERSE, rowwise, ROWWISE) \
  SCALAR_INSTANCE(name, inverse, BJ_INVERSE, shared, SHARED)
#define SCALAR_TABLE(name)                                                \
  .forward = {name##_forward_rowwise, name##_forward_shared},             \
  .inverse = {name##_inverse_rowwise, name##_inverse_shared},             \
  .forward_vjp = {name##_forward_vjp_rowwise, name##_forward_vjp_shared}, \
  .inverse_vjp = {name##_inverse_vjp_rowwise, name##_inverse_vjp_shared}

#endif
