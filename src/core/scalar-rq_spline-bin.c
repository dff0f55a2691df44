/* rq_spline: the bin of every row (formulas in scalar-rq_spline.c). */
#include "scalar-rq_spline.h"

/* The knots are cumulated along both axes; x is compared with
 * those of the axis on which it lies. */
INLINE void spline_search_rowwise(const rq_spline *self, const real *par, real *cache, vreal x,
                                  bj_direction direction) {
  const int n_bin = self->n_bin;
  const real *raw_w = par, *raw_h = par + n_bin * BJ_BLOCK;
  real *weight_w = cache + ROW_WEIGHTS * BJ_BLOCK, *weight_h = weight_w + n_bin * BJ_BLOCK;
  vreal max_w = vload(raw_w), max_h = vload(raw_h);
  for (int i = 1; i < n_bin; i++) {
    max_w = vmax(max_w, vload(raw_w + i * BJ_BLOCK));
    max_h = vmax(max_h, vload(raw_h + i * BJ_BLOCK));
  }
  vreal sum_w = vset(0), sum_h = vset(0);
  for (int i = 0; i < n_bin; i++) {
    const vreal w = spline_exp(vload(raw_w + i * BJ_BLOCK) - max_w);
    const vreal h = spline_exp(vload(raw_h + i * BJ_BLOCK) - max_h);
    vstore(weight_w + i * BJ_BLOCK, w);
    vstore(weight_h + i * BJ_BLOCK, h);
    sum_w += w;
    sum_h += h;
  }
  const vreal both = self->free / (sum_w * sum_h), scale_w = both * sum_h, scale_h = both * sum_w;
  vreal knot_x = vset(self->low), knot_y = knot_x, at_x = knot_x, at_y = knot_x, bin = vset(0), next = vset(1);
  for (int i = 0; i < n_bin - 1; i++) {
    knot_x += vload(weight_w + i * BJ_BLOCK) * scale_w + self->min_width;
    knot_y += vload(weight_h + i * BJ_BLOCK) * scale_h + self->min_width;
    const vint passed = vle(direction == BJ_FORWARD ? knot_x : knot_y, x);
    at_x = vselect(passed, knot_x, at_x);
    at_y = vselect(passed, knot_y, at_y);
    bin = vselect(passed, next, bin);
    next += 1.0;
  }
  vstore(cache + ROW_X * BJ_BLOCK, at_x);
  vstore(cache + ROW_Y * BJ_BLOCK, at_y);
  vstore(cache + ROW_BIN * BJ_BLOCK, bin);
  vstore(cache + ROW_SCALE_W * BJ_BLOCK, scale_w);
  vstore(cache + ROW_SCALE_H * BJ_BLOCK, scale_h);
}

/* The softmax weights and raw slopes of the bin: looking them up is cheaper than selecting them along
 * with the search. */
INLINE void spline_gather_rowwise(const rq_spline *self, const real *par, real *cache) {
  const int n_bin = self->n_bin;
  const real *weight_w = cache + ROW_WEIGHTS * BJ_BLOCK, *weight_h = weight_w + n_bin * BJ_BLOCK;
  const real *slopes = par + 2 * n_bin * BJ_BLOCK;
  for (int r = 0; r < BJ_BLOCK; r++) {
    const int bin = (int)cache[ROW_BIN * BJ_BLOCK + r];
    cache[ROW_W * BJ_BLOCK + r] = weight_w[bin * BJ_BLOCK + r];
    cache[ROW_H * BJ_BLOCK + r] = weight_h[bin * BJ_BLOCK + r];
    cache[ROW_D0 * BJ_BLOCK + r] = slopes[spline_slope_index(self, bin) * BJ_BLOCK + r];
    cache[ROW_D1 * BJ_BLOCK + r] = slopes[spline_slope_index(self, bin + 1) * BJ_BLOCK + r];
  }
}

/* Turns what was gathered into widths, heights and slopes. The last knot is exactly `high`. */
INLINE void spline_constrain_rowwise(const rq_spline *self, real *cache) {
  const vreal bin = vload(cache + ROW_BIN * BJ_BLOCK), one = vset(1);
  const vint first = veq(bin, vset(0)), last = veq(bin, vset(self->n_bin - 1));
  const vreal w = vload(cache + ROW_W * BJ_BLOCK) * vload(cache + ROW_SCALE_W * BJ_BLOCK) + self->min_width;
  const vreal h = vload(cache + ROW_H * BJ_BLOCK) * vload(cache + ROW_SCALE_H * BJ_BLOCK) + self->min_width;
  vreal dslope0, dslope1;
  vreal d0 = spline_slope(self, vload(cache + ROW_D0 * BJ_BLOCK), &dslope0);
  vreal d1 = spline_slope(self, vload(cache + ROW_D1 * BJ_BLOCK), &dslope1);
  if (self->boundary == SPLINE_LINEAR) {
    d0 = vselect(first, one, d0);
    d1 = vselect(last, one, d1);
  }
  vstore(cache + ROW_W * BJ_BLOCK, vselect(last, self->high - vload(cache + ROW_X * BJ_BLOCK), w));
  vstore(cache + ROW_H * BJ_BLOCK, vselect(last, self->high - vload(cache + ROW_Y * BJ_BLOCK), h));
  vstore(cache + ROW_D0 * BJ_BLOCK, d0);
  vstore(cache + ROW_D1 * BJ_BLOCK, d1);
  vstore(cache + ROW_DSLOPE0 * BJ_BLOCK, dslope0);
  vstore(cache + ROW_DSLOPE1 * BJ_BLOCK, dslope1);
}

INLINE void spline_search_shared(const rq_spline *self, const real *prep, real *cache, vreal x,
                                 bj_direction direction) {
  const real *knots = prep + (direction == BJ_FORWARD ? RECORD_X : RECORD_Y);
  vreal bin = vset(0);
  for (int i = 1; i < self->n_bin; i++) bin += spline_where(vle(vset(knots[i * RECORD_SIZE]), x), vset(1));
  vstore(cache + ROW_BIN * BJ_BLOCK, bin);
}

INLINE void spline_gather_shared(const real *prep, real *cache) {
  for (int r = 0; r < BJ_BLOCK; r++) {
    const real *record = prep + (int)cache[ROW_BIN * BJ_BLOCK + r] * RECORD_SIZE;
    UNROLL for (int j = 0; j < RECORD_SIZE; j++) cache[(ROW_X + j) * BJ_BLOCK + r] = record[j];
  }
}
