/* standardize: x = L z + m with fixed numbers, learned from training rows before the fit. L is diagonal or lower
 * triangular (whitening). It has no parameters; flows carry it as their layer next to the data.
 *
 *   log|det| = sum_i log L_ii (a constant).  vjp: gx = L' gy; inverse z = L^{-1} (x - m), gx = L^{-T} gy
 */
#include "protocol.h"

typedef struct {
  const real *loc, *scale; /* scale: d x d, column-major, if full; else d */
  int full;
  real log_det;
} standardize;

/* L' or L times a block of rows, or a solve with either; in and out are different arrays. */
static void standardize_block(const bj_layer *layer, const real *in, real *out, bj_direction direction, int transposed) {
  const standardize *self = layer->self;
  const int d = layer->d, solve = direction == BJ_INVERSE;
  for (int step = 0; step < d; step++) {
    /* a solve must go the way the triangle allows; a product may go either way */
    const int i = solve && transposed ? d - 1 - step : step;
    const real diagonal = self->full ? self->scale[i + (long)i * d] : self->scale[i];
    const int lo = !self->full || !transposed ? 0 : i + 1, hi = !self->full ? 0 : transposed ? d : i;
    FOR_ROWS(r) {
      vreal sum = vload(in + (long)i * BJ_BLOCK + r);
      if (!solve) sum = sum * vset(diagonal);
      for (int j = lo; j < hi; j++) {
        const vreal w = vset(transposed ? self->scale[j + (long)i * d] : self->scale[i + (long)j * d]);
        sum = solve ? sum - w * vload(out + (long)j * BJ_BLOCK + r) : sum + w * vload(in + (long)j * BJ_BLOCK + r);
      }
      vstore(out + (long)i * BJ_BLOCK + r, solve ? sum / vset(diagonal) : sum);
    }
  }
}

/* The shift is taken off before a solve and put on after a product. */
static void standardize_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const standardize *self = layer->self;
  const long size = (long)layer->d * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) {
    const real *in = pass->x + b * size;
    if (direction == BJ_INVERSE) {
      for (int i = 0; i < layer->d; i++) {
        FOR_ROWS(r) vstore(pass->work + i * BJ_BLOCK + r, vload(in + i * BJ_BLOCK + r) - vset(self->loc[i]));
      }
      in = pass->work;
    }
    standardize_block(layer, in, pass->y + b * size, direction, 0);
    FOR_ROWS(r) {
      if (direction == BJ_FORWARD) {
        for (int i = 0; i < layer->d; i++) {
          real *y = pass->y + b * size + i * BJ_BLOCK + r;
          vstore(y, vload(y) + vset(self->loc[i]));
        }
      }
      logdet_add(pass->logdet, b * BJ_BLOCK + r, vset(direction == BJ_FORWARD ? self->log_det : -self->log_det));
    }
  }
}

static void standardize_run_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const long size = (long)layer->d * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) standardize_block(layer, pass->gy + b * size, pass->gx + b * size, direction, 1);
}

static bj_status standardize_forward(const bj_layer *layer, bj_pass *pass) {
  standardize_run(layer, pass, BJ_FORWARD);
  return BJ_OK;
}
static bj_status standardize_inverse(const bj_layer *layer, bj_pass *pass) {
  standardize_run(layer, pass, BJ_INVERSE);
  return BJ_OK;
}
static bj_status standardize_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  standardize_run_vjp(layer, pass, BJ_FORWARD);
  return BJ_OK;
}
static bj_status standardize_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  standardize_run_vjp(layer, pass, BJ_INVERSE);
  return BJ_OK;
}

static bj_status standardize_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  standardize *self = layer->self = build_alloc(build, sizeof(standardize));
  const bj_field *loc = spec_field(spec, "loc"), *scale = spec_field(spec, "scale");
  const int d = layer->d;
  if (!loc || loc->n != d || !scale || (scale->n != d && (long)scale->n != (long)d * d)) {
    return spec_error(build, "`loc` and `scale` of layer_standardize() must fit %d coordinates", d);
  }
  self->full = d > 1 && scale->n != d;
  self->loc = loc->numbers;
  self->scale = scale->numbers;
  for (int i = 0; i < d; i++) {
    const real diagonal = self->full ? self->scale[i + (long)i * d] : self->scale[i];
    if (!(diagonal > 0)) return spec_error(build, "`scale` of layer_standardize() must have a positive diagonal");
    self->log_det += log(diagonal);
  }
  layer->n_work = (long)d * BJ_BLOCK;
  return BJ_OK;
}

static const bj_layer_kind layer_standardize = {
    .name = "standardize",
    .build = standardize_build,
    .forward = standardize_forward,
    .inverse = standardize_inverse,
    .forward_vjp = standardize_forward_vjp,
    .inverse_vjp = standardize_inverse_vjp,
};
