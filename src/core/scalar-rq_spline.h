/* What the parts of rq_spline share: its parameters, records and rows. */
#ifndef BJ_SCALAR_RQ_SPLINE_H
#define BJ_SCALAR_RQ_SPLINE_H

#include "scalar-common.h"

typedef enum { SPLINE_LINEAR, SPLINE_FREE, SPLINE_CIRCULAR } spline_boundary;

typedef struct {
  int n_bin, n_slope;
  spline_boundary boundary;
  real low, high, min_width, min_slope, free;
} rq_spline;

/* Beyond it a slope no longer grows: products of a few slopes stay finite whatever the raw values. */
#define SPLINE_MAX_SLOPE BY_REAL(0x1p100, 0x1p12f)

enum { RECORD_X, RECORD_Y, RECORD_W, RECORD_H, RECORD_D0, RECORD_D1, RECORD_SIZE };

/* Rows of the cache; ROWWISE the softmax weights of widths and heights (n each) follow. ROW_X ... ROW_D1 are in the
 * order of a record. ROW_DSLOPE*: d slope / d raw; ROW_SCALE_*: free / sum of the softmax weights. */
enum {
  ROW_X,
  ROW_Y,
  ROW_W,
  ROW_H,
  ROW_D0,
  ROW_D1,
  ROW_BIN,
  ROW_U,
  ROW_DSLOPE0,
  ROW_DSLOPE1,
  ROW_SCALE_W,
  ROW_SCALE_H,
  ROW_WEIGHTS
};

INLINE vreal spline_where(vint mask, vreal x) { return vfrombits(mask & vbits(x)); }

INLINE vint spline_inside(const rq_spline *self, vreal x) { return vle(vset(self->low), x) & vle(x, vset(self->high)); }

/* The nearest point of the interval: rows outside go through the formulas too, and must not overflow. */
INLINE vreal spline_clamp(const rq_spline *self, vreal x) { return vmin(vmax(x, vset(self->low)), vset(self->high)); }

/* e^x for x <= 0; vexp without what it does for large arguments. */
INLINE vreal spline_exp(vreal x) {
  vreal r;
  const vreal shifted = exp_split(vmax(vset(-REAL_EXP_SAFE), x), &r);
  return (1.0 + exp_polynomial(r)) * exp_scale(shifted, 0);
}

/* The raw slope of a knot (0 ... n_bin); the ends of "linear" have none, and get any. */
INLINE int spline_slope_index(const rq_spline *self, int knot) {
  if (self->boundary == SPLINE_FREE) return knot;
  if (self->boundary == SPLINE_CIRCULAR) return knot < self->n_bin ? knot : 0;
  return knot == 0 ? 0 : knot < self->n_bin ? knot - 1 : self->n_slope - 1;
}

INLINE vreal spline_slope(const rq_spline *self, vreal raw, vreal *dslope) {
  return vsoftplus_sigmoid(vmin(vset(SPLINE_MAX_SLOPE), raw), dslope) + self->min_slope;
}

/* ---- the bin of every row: scalar-rq_spline-bin.c ---------------------------------------------------------------- */

/* `par` and `cache` stand at the first row of the vector. Search finds the bin, and ROWWISE where it begins; gather
 * looks up what belongs to it; constrain turns that into widths, heights and slopes, which SHARED ones are already. */
INLINE void spline_search_rowwise(const rq_spline *self, const real *par, real *cache, vreal x, bj_direction direction);
INLINE void spline_gather_rowwise(const rq_spline *self, const real *par, real *cache);
INLINE void spline_constrain_rowwise(const rq_spline *self, real *cache);
INLINE void spline_search_shared(const rq_spline *self, const real *prep, real *cache, vreal x, bj_direction direction);
INLINE void spline_gather_shared(const real *prep, real *cache);

#endif
