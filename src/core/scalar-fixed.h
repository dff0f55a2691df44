/* What kinds without parameters share; ROWWISE and SHARED are then the same. A kind writes, always inlined,
 *
 *   vreal NAME_value(scalar, x, direction, logdet, at)     the value; puts its log-derivative on the rows at `at`
 *   fixed_slope NAME_slope(scalar, x, y, direction)        f' and (log f')' at x, where y is the value
 *
 * An input outside the domain (or, of the inverse, outside the range) has density 0: its value is 0, its log-derivative
 * -Inf, and both derivatives are 0, so that one such row does not make a gradient NaN. The formulas see a number from
 * inside the domain in its place.
 */
#ifndef BJ_SCALAR_FIXED_H
#define BJ_SCALAR_FIXED_H

#include "scalar-common.h"

typedef struct {
  vreal slope, log_slope; /* f', d log f' / dx */
} fixed_slope;

/* The value of a row outside the domain, and its log-derivative. */
INLINE vreal fixed_outside(vint inside, vreal y, bj_logdet *logdet, long at) {
  logdet_add(logdet, at, vselect(inside, vset(0), vset(-INFINITY)));
  return vselect(inside, y, vset(0));
}

/* atanh a for 0 <= a < 1: accurate at both ends, as 1 - a is exact where it is small. */
INLINE vreal fixed_atanh(vreal a) { return 0.5 * vlog1p(2.0 * a / (1.0 - a)); }

/* d tanh x / dx, with relative accuracy in the tails. */
INLINE vreal fixed_tanh_slope(vreal x) {
  const vreal e = vexp((real)-2.0 * vabs(x)), over = 1.0 / (1.0 + e);
  return 4.0 * e * over * over;
}

static inline void fixed_init(const bj_scalar *scalar, real *raw, bj_rng *rng) { (void)scalar, (void)raw, (void)rng; }
static inline void fixed_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar, (void)visit, (void)host;
}
static inline void fixed_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  (void)scalar, (void)raw, (void)prep;
}
static inline void fixed_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                     real *graw) {
  (void)scalar, (void)raw, (void)prep, (void)gprep, (void)graw;
}
/* For kinds that read nothing from their spec. */
static inline bj_status fixed_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  (void)spec, (void)build;
  scalar->n_factor = 1;
  return BJ_OK;
}

#define FIXED_INSTANCE(name, direction_name, direction)                                                      \
  NOINLINE void name##_##direction_name(const bj_scalar *scalar, const bj_scalar_pass *pass) {               \
    logdet_claim(pass->logdet, pass->nb, scalar->n_factor);                                                  \
    FOR_BLOCK_ROWS(pass->nb, b, r) {                                                                         \
      const vreal y = name##_value(scalar, scalar_x(pass, b, r), direction, pass->logdet, b * BJ_BLOCK + r); \
      vstore(pass->y + b * pass->stride + r, y);                                                             \
    }                                                                                                        \
  }                                                                                                          \
  NOINLINE void name##_##direction_name##_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass) {         \
    FOR_BLOCK_ROWS(pass->nb, b, r) {                                                                         \
      const fixed_slope at = name##_slope(scalar, scalar_x(pass, b, r), scalar_y(pass, b, r), direction);    \
      const vreal gx = scalar_gy(pass, b, r) * at.slope + scalar_gl(pass, b, r) * at.log_slope;              \
      vstore(pass->gx + b * pass->stride + r, gx);                                                           \
    }                                                                                                        \
  }

#define FIXED_KIND(kind, build_kind)                           \
  FIXED_INSTANCE(kind, forward, BJ_FORWARD)                    \
  FIXED_INSTANCE(kind, inverse, BJ_INVERSE)                    \
  static const bj_scalar_kind scalar_##kind = {                \
      .name = #kind,                                           \
      .build = build_kind,                                     \
      .describe = fixed_describe,                              \
      .init = fixed_init,                                      \
      .prepare = fixed_prepare,                                \
      .prepare_vjp = fixed_prepare_vjp,                        \
      .forward = {kind##_forward, kind##_forward},             \
      .inverse = {kind##_inverse, kind##_inverse},             \
      .forward_vjp = {kind##_forward_vjp, kind##_forward_vjp}, \
      .inverse_vjp = {kind##_inverse_vjp, kind##_inverse_vjp}, \
  };

#endif
