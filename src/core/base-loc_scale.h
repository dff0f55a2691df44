/* Independent coordinates of one shape, standard or with trainable location and scale, u = (x - loc) / s.
 *
 *   log p = shape(u) - log s,  s = softplus(scale)
 *   vjp: gx = gp shape'(u) / s;  gloc = -gx;  glog s = -gp (1 + u shape'(u))
 *   prep, a coordinate: loc, 1 / s, -log s; gprep: gradient of loc and of log s
 *
 * A kind writes NAME_shape(u, slope) = log density and its derivative, NAME_tails(u, below, above) = the logarithms of
 * the distribution function and of its complement, and NAME_quantile(u) of a uniform u.
 * LOC_SCALE_KIND(NAME) makes the table.
 */
#ifndef BJ_BASE_LOC_SCALE_H
#define BJ_BASE_LOC_SCALE_H

#include "base-common.h"

typedef struct {
  int trainable;
} loc_scale;

/* In base-common.c. */
static void loc_scale_prepare(const bj_base *base, const real *theta, real *prep);
static void loc_scale_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta);
static void loc_scale_describe(const bj_base *base, bj_describe *out);
static void loc_scale_init(const bj_base *base, real *theta, bj_rng *rng);
static bj_status loc_scale_build(bj_base *base, const bj_spec *spec, bj_build *build);
static void loc_scale_draw_vjp(const bj_base *base, const bj_base_pass *pass);

typedef vreal (*loc_scale_shape)(vreal u, vreal *slope);

INLINE void loc_scale_log_density(const bj_base *base, const bj_base_pass *pass, loc_scale_shape shape) {
  for (int i = 0; i < base->d; i++) {
    const vreal loc = vset(pass->prep[3 * i]), inverse = vset(pass->prep[3 * i + 1]), c = vset(pass->prep[3 * i + 2]);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      vreal slope;
      const vreal value = shape((vload(pass->x + at) - loc) * inverse, &slope);
      vstore(pass->log_density + row, vload(pass->log_density + row) + value + c);
    }
  }
}

INLINE void loc_scale_log_density_vjp(const bj_base *base, const bj_base_pass *pass, loc_scale_shape shape) {
  const loc_scale *self = base->self;
  for (int i = 0; i < base->d; i++) {
    const vreal loc = vset(pass->prep[3 * i]), inverse = vset(pass->prep[3 * i + 1]);
    vreal sum_loc = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      vreal slope;
      const vreal u = (vload(pass->x + at) - loc) * inverse, gp = vload(pass->gp + row);
      shape(u, &slope);
      const vreal gx = gp * slope * inverse;
      vstore(pass->gx + at, vload(pass->gx + at) + gx);
      sum_loc -= gx;
      sum_log_s -= gp * (vset(1) + u * slope);
    }
    if (!self->trainable) continue;
    pass->gprep[3 * i] += vsum(sum_loc);
    pass->gprep[3 * i + 1] += vsum(sum_log_s);
  }
}

INLINE void loc_scale_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above,
                                void (*tails)(vreal u, vreal *below, vreal *above)) {
  const vreal loc = vset(pass->prep[0]), inverse = vset(pass->prep[1]);
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    vreal log_below, log_above;
    tails((vload(pass->x + at) - loc) * inverse, &log_below, &log_above);
    vstore(below + row, log_below);
    vstore(above + row, log_above);
  }
}

INLINE void loc_scale_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x,
                           vreal (*quantile)(vreal u)) {
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_uniform2);
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < base->d; i++) {
      real *row = x + ((long)b * base->d + i) * BJ_BLOCK;
      FOR_ROWS(r) vstore(row + r, quantile(vload(row + r)) / vset(pass->prep[3 * i + 1]) + vset(pass->prep[3 * i]));
    }
  }
}

#define LOC_SCALE_KIND(kind_name)                                                                                \
  NOINLINE void kind_name##_log_density(const bj_base *base, const bj_base_pass *pass) {                         \
    loc_scale_log_density(base, pass, kind_name##_shape);                                                        \
  }                                                                                                              \
  NOINLINE void kind_name##_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {                     \
    loc_scale_log_density_vjp(base, pass, kind_name##_shape);                                                    \
  }                                                                                                              \
  NOINLINE void kind_name##_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) { \
    loc_scale_log_tails(base, pass, below, above, kind_name##_tails);                                            \
  }                                                                                                              \
  static void kind_name##_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, \
                               real *x) {                                                                        \
    loc_scale_draw(base, pass, seed, first_row, x, kind_name##_quantile);                                        \
  }                                                                                                              \
  static const bj_base_kind base_##kind_name = {                                                                 \
      .name = #kind_name,                                                                                        \
      .build = loc_scale_build,                                                                                  \
      .describe = loc_scale_describe,                                                                            \
      .init = loc_scale_init,                                                                                    \
      .prepare = loc_scale_prepare,                                                                              \
      .prepare_vjp = loc_scale_prepare_vjp,                                                                      \
      .log_density = kind_name##_log_density,                                                                    \
      .log_density_vjp = kind_name##_log_density_vjp,                                                            \
      .log_tails = kind_name##_log_tails,                                                                        \
      .draw = kind_name##_draw,                                                                                  \
      .draw_vjp = loc_scale_draw_vjp,                                                                            \
  }

#endif
