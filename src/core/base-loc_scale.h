/* Independent coordinates of one shape, standard, with trainable location and scale, or with those that a net gives
 * each row, u = (x - loc) / s.
 *
 *   log p = shape(u) - log s,  s = softplus(scale)
 *   vjp: gx = gp shape'(u) / s;  gloc = -gx;  glog s = -gp (1 + u shape'(u))
 *   prep, a coordinate: loc, 1 / s, -log s; gprep: gradient of loc and of log s
 *
 * A kind writes NAME_shape(sum, u, slope) = sum + log density, and its derivative, NAME_tails(u, below, above) = the
 * logarithms of the distribution function and of its complement, and NAME_quantile(u) of a uniform u.
 * LOC_SCALE_KIND(NAME, build) makes the table.
 */
#ifndef BJ_BASE_LOC_SCALE_H
#define BJ_BASE_LOC_SCALE_H

#include "base-common.h"

typedef struct {
  int free;                /* location and scale are parameters of the base */
  int squared;             /* the raw scale is that of a variance */
  const real *loc, *scale; /* d each: what they are, or start at */
} loc_scale;

/* In base-common.c. A kind that keeps more than these in `self` and in prep begins with a loc_scale, and has the three
 * numbers of its coordinates somewhere in prep, `step` from one to the next. */
static void loc_scale_numbers(const loc_scale *self, int d, const real *theta, real *prep, long step);
static void loc_scale_numbers_vjp(const loc_scale *self, int d, const real *theta, const real *gprep, long step,
                                  real *gtheta);
static void loc_scale_start(const loc_scale *self, int d, real *raw);
static bj_status loc_scale_finish(bj_base *base, const bj_spec *spec, int trainable, bj_build *build);
INLINE void loc_scale_move(const bj_base *base, const bj_base_pass *pass, int at, int step, int rows);
static void loc_scale_prepare(const bj_base *base, const real *theta, real *prep);
static void loc_scale_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta);
static void loc_scale_prepare_rows(const bj_base *base, int nb, const real *raw, real *prep);
static void loc_scale_prepare_rows_vjp(const bj_base *base, int nb, const real *raw, const real *prep,
                                       const real *gprep, real *graw);
static void loc_scale_describe(const bj_base *base, bj_describe *out);
static void loc_scale_init(const bj_base *base, real *theta, bj_rng *rng);
static bj_status loc_scale_build(bj_base *base, const bj_spec *spec, bj_build *build);
static void loc_scale_draw_vjp(const bj_base *base, const bj_base_pass *pass);

/* The three numbers at place i of prep. */
typedef struct {
  vreal loc, inverse, c;
} loc_scale_at;

INLINE loc_scale_at loc_scale_read(const real *prep, long i, int rows) {
  return (loc_scale_at){base_number(prep, i, rows), base_number(prep, i + 1, rows), base_number(prep, i + 2, rows)};
}

typedef vreal (*loc_scale_shape)(vreal sum, vreal u, vreal *slope);

INLINE void loc_scale_log_density(const bj_base *base, const bj_base_pass *pass, loc_scale_shape shape, int rows) {
  const real *prep = base_numbers_of(base, pass, rows).prep;
  for (int i = 0; i < base->d; i++) {
    loc_scale_at par = loc_scale_read(prep, 3 * i, rows);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      vreal slope;
      if (rows) par = loc_scale_read(prep + base_first(base, row, rows), 3 * i, rows);
      const vreal u = (vload(pass->x + at) - par.loc) * par.inverse;
      vstore(pass->log_density + row, shape(vload(pass->log_density + row), u, &slope) + par.c);
    }
  }
}

INLINE void loc_scale_log_density_vjp(const bj_base *base, const bj_base_pass *pass, loc_scale_shape shape, int rows) {
  const loc_scale *self = base->self;
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  for (int i = 0; i < base->d; i++) {
    loc_scale_at par = loc_scale_read(numbers.prep, 3 * i, rows);
    vreal sum_loc = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      vreal slope;
      const long first = base_first(base, row, rows);
      if (rows) par = loc_scale_read(numbers.prep + first, 3 * i, rows);
      const vreal u = (vload(pass->x + at) - par.loc) * par.inverse, gp = vload(pass->gp + row);
      shape(vset(0), u, &slope);
      const vreal gx = gp * slope * par.inverse, g_log_s = gp * (vset(1) + u * slope);
      vstore(pass->gx + at, vload(pass->gx + at) + gx);
      if (rows) {
        vstore(numbers.gprep + first + 3L * i * BJ_BLOCK, -gx);
        vstore(numbers.gprep + first + (3L * i + 1) * BJ_BLOCK, -g_log_s);
      } else {
        sum_loc -= gx;
        sum_log_s -= g_log_s;
      }
    }
    if (rows || !self->free) continue;
    numbers.gprep[3 * i] += vsum(sum_loc);
    numbers.gprep[3 * i + 1] += vsum(sum_log_s);
  }
}

INLINE void loc_scale_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above,
                                void (*tails)(vreal u, vreal *below, vreal *above), int rows) {
  const real *prep = base_numbers_of(base, pass, rows).prep;
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    const loc_scale_at par = loc_scale_read(prep + base_first(base, row, rows), 0, rows);
    vreal log_below, log_above;
    tails((vload(pass->x + at) - par.loc) * par.inverse, &log_below, &log_above);
    vstore(below + row, log_below);
    vstore(above + row, log_above);
  }
}

INLINE void loc_scale_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x,
                           vreal (*quantile)(vreal u), int rows) {
  const real *prep = base_numbers_of(base, pass, rows).prep;
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_uniform2);
  for (int i = 0; i < base->d; i++) {
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const loc_scale_at par = loc_scale_read(prep + base_first(base, row, rows), 3 * i, rows);
      vstore(x + at, quantile(vload(x + at)) / par.inverse + par.loc);
    }
  }
}

#define LOC_SCALE_KIND(kind_name, kind_build)                                                                    \
  NOINLINE void kind_name##_log_density(const bj_base *base, const bj_base_pass *pass) {                         \
    base_given(base, pass);                                                                                      \
    BY_FLAG(base->net != NULL, loc_scale_log_density, base, pass, kind_name##_shape);                            \
  }                                                                                                              \
  NOINLINE void kind_name##_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {                     \
    BY_FLAG(base->net != NULL, loc_scale_log_density_vjp, base, pass, kind_name##_shape);                        \
    if (base->net) base_given_vjp(base, pass);                                                                   \
  }                                                                                                              \
  NOINLINE void kind_name##_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) { \
    BY_FLAG(base->net != NULL, loc_scale_log_tails, base, pass, below, above, kind_name##_tails);                \
  }                                                                                                              \
  static void kind_name##_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, \
                               real *x) {                                                                        \
    base_given(base, pass);                                                                                      \
    BY_FLAG(base->net != NULL, loc_scale_draw, base, pass, seed, first_row, x, kind_name##_quantile);            \
  }                                                                                                              \
  static const bj_base_kind base_##kind_name = {                                                                 \
      .name = #kind_name,                                                                                        \
      .build = kind_build,                                                                                       \
      .describe = loc_scale_describe,                                                                            \
      .init = loc_scale_init,                                                                                    \
      .prepare = loc_scale_prepare,                                                                              \
      .prepare_vjp = loc_scale_prepare_vjp,                                                                      \
      .prepare_rows = loc_scale_prepare_rows,                                                                    \
      .prepare_rows_vjp = loc_scale_prepare_rows_vjp,                                                            \
      .log_density = kind_name##_log_density,                                                                    \
      .log_density_vjp = kind_name##_log_density_vjp,                                                            \
      .log_tails = kind_name##_log_tails,                                                                        \
      .draw = kind_name##_draw,                                                                                  \
      .draw_vjp = loc_scale_draw_vjp,                                                                            \
  }

#endif
