/* standardize: x = L z + m with fixed numbers, learned from training rows before the fit. L is diagonal or lower
 * triangular (whitening). It has no parameters; flows carry it as their layer next to the data.
 *
 *   log|det| = sum_i log L_ii (a constant).  vjp: gx = L' gy; inverse z = L^{-1} (x - m), gx = L^{-T} gy
 */
#include "num-triangular.h"
#include "protocol.h"

typedef struct {
  const real *loc, *scale; /* scale: d x d, column-major, if full; else d */
  int full;
  real log_det;
} standardize;

/* in times L (or its inverse), diagonal: the same for L' */
static void standardize_diagonal(const standardize *self, int d, bj_direction direction, const real *in, real *out) {
  for (int i = 0; i < d; i++) {
    const vreal scale = vset(self->scale[i]);
    FOR_ROWS(r) {
      const vreal x = vload(in + (long)i * BJ_BLOCK + r);
      vstore(out + (long)i * BJ_BLOCK + r, direction == BJ_FORWARD ? x * scale : x / scale);
    }
  }
}

static void standardize_diagonal_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const standardize *self = layer->self;
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < layer->d; i++) {
      const long at = ((long)b * layer->d + i) * BJ_BLOCK;
      const vreal scale = vset(self->scale[i]), loc = vset(self->loc[i]);
      FOR_ROWS(r) {
        const vreal x = vload(pass->x + at + r);
        vstore(pass->y + at + r, direction == BJ_FORWARD ? x * scale + loc : (x - loc) / scale);
      }
    }
  }
}

static bj_status standardize_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const standardize *self = layer->self;
  if (self->full) {
    triangular_affine_blocks(direction == BJ_FORWARD ? TRIANGULAR_MULTIPLY : TRIANGULAR_SOLVE, self->scale, self->loc,
                             layer->d, 0, pass->nb, pass->x, pass->y, pass->work);
  } else {
    standardize_diagonal_run(layer, pass, direction);
  }
  for (int b = 0; b < pass->nb; b++) {
    FOR_ROWS(r) {
      logdet_add(pass->logdet, b * BJ_BLOCK + r, vset(direction == BJ_FORWARD ? self->log_det : -self->log_det));
    }
  }
  return BJ_OK;
}

static bj_status standardize_run_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const standardize *self = layer->self;
  const long size = (long)layer->d * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) {
    const real *gy = pass->gy + b * size;
    if (self->full) {
      triangular_block(direction == BJ_FORWARD ? TRIANGULAR_MULTIPLY : TRIANGULAR_SOLVE, self->scale, layer->d, 0, 1,
                       gy, pass->gx + b * size);
    } else {
      standardize_diagonal(self, layer->d, direction, gy, pass->gx + b * size);
    }
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(standardize, standardize_run)

/* Numbers of a spec as reals. */
static const real *standardize_numbers(bj_build *build, const bj_spec *spec, const char *name, long n) {
  const double *from = spec_numbers(build, spec, name, n);
  real *to = build_alloc(build, sizeof(real) * (size_t)n);
  for (long i = 0; i < n; i++) to[i] = from[i];
  return to;
}

static bj_status standardize_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  standardize *self = layer->self = build_alloc(build, sizeof(standardize));
  const int d = layer->d;
  self->full = d > 1 && spec_length(spec, "scale") != d;
  self->loc = standardize_numbers(build, spec, "loc", d);
  self->scale = standardize_numbers(build, spec, "scale", self->full ? size_product(build, d, d) : d);
  for (int i = 0; i < d && build->status == BJ_OK; i++) {
    const real diagonal = self->full ? self->scale[i + (long)i * d] : self->scale[i];
    if (!(diagonal > 0)) return spec_error(build, "`scale` of layer_standardize() must have a positive diagonal");
    self->log_det += log(diagonal);
  }
  layer->n_work = (long)d * BJ_BLOCK; /* of one block */
  return build->status;
}

static const bj_layer_kind layer_standardize = {
    .name = "standardize",
    .build = standardize_build,
    LAYER_TABLE(standardize),
};
