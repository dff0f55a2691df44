/* triangular_affine: y = A x + loc with a triangular A of positive diagonal.
 *
 *   T = a triangle of `tri`, its diagonal softplus(tri_ii);  A = T, or with weight normalisation (Salimans, Kingma
 *   2016) A_i = softplus(scale_i) T_i / |T_i|, row by row, diagonal included
 *   log|det| = sum log A_ii (one number for all rows)
 *   vjp: gx = A' gy, gA = sum gy x', gloc = sum gy, gA_ii += sum gl / A_ii; gradient 0 on the other side
 *   inverse x = A^{-1} (y - loc): v = A^{-T} gx, gy = v, gA = -sum v x', gloc = -sum v, gA_ii -= sum gl / A_ii
 *
 * The diagonal of T is kept above TRIANGULAR_FLOOR. Prep: A, the log-determinant.
 */
#include "num-carve.h"
#include "num-gemm.h"
#include "num-triangular.h"
#include "protocol.h"

typedef struct {
  int upper, weight_norm;
  int start_glorot;
  const double *start; /* d x d, whose triangle without the diagonal is the start of tri; NULL: none is given */
} triangular_affine;

#define TRIANGULAR_FLOOR BY_REAL(1e-100, 1e-12f)

INLINE real triangular_softplus(real x) { return softplus_above(TRIANGULAR_FLOOR, x, NULL); }
/* columns of row i of the triangle */
INLINE int triangular_lo(const triangular_affine *self, int i) { return self->upper ? i : 0; }
INLINE int triangular_hi(const triangular_affine *self, int i, int d) { return self->upper ? d : i + 1; }

static void triangular_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const triangular_affine *self = layer->self;
  const int d = layer->d;
  const real *tri = theta + d, *scale = tri + (long)d * d;
  real log_det = 0;
  for (int i = 0; i < d; i++) {
    const int lo = triangular_lo(self, i), hi = triangular_hi(self, i, d);
    real *row = prep + i, square = 0;
    for (int j = 0; j < d; j++) {
      const real t = i == j ? triangular_softplus(tri[i + (long)i * d]) : tri[i + (long)j * d];
      row[(long)j * d] = j >= lo && j < hi ? t : 0;
      square += row[(long)j * d] * row[(long)j * d];
    }
    if (self->weight_norm) {
      const real factor = triangular_softplus(scale[i]) / sqrt(square);
      for (int j = lo; j < hi; j++) row[(long)j * d] *= factor;
    }
    log_det += log(row[(long)i * d]);
  }
  prep[(long)d * d] = log_det;
}

static void triangular_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                   real *gprep, real *gtheta) {
  (void)run;
  const triangular_affine *self = layer->self;
  const int d = layer->d;
  const real *tri = theta + d, *scale = tri + (long)d * d, glog_det = gprep[(long)d * d];
  real *gtri = gtheta + d, *gscale = gtri + (long)d * d;
  for (int i = 0; i < d; i++) {
    const int lo = triangular_lo(self, i), hi = triangular_hi(self, i, d);
    const real *a = prep + i;
    real *ga = gprep + i;
    ga[(long)i * d] += glog_det / a[(long)i * d];
    if (self->weight_norm) {
      /* with n = |T_i| and f = softplus(scale) / n: A = f T, gT = f (ga - A (ga'A) / |A|^2), gscale = ga'A / scale */
      const real length = triangular_softplus(scale[i]);
      real square = 0, along = 0;
      for (int j = lo; j < hi; j++) {
        const real t = i == j ? triangular_softplus(tri[i + (long)i * d]) : tri[i + (long)j * d];
        square += t * t;
        along += ga[(long)j * d] * a[(long)j * d];
      }
      const real factor = length / sqrt(square);
      gscale[i] += along / length * vfirst(vsigmoid(vset(scale[i])));
      for (int j = lo; j < hi; j++) {
        ga[(long)j * d] = factor * (ga[(long)j * d] - a[(long)j * d] * (along / length / length));
      }
    }
    ga[(long)i * d] *= vfirst(vsigmoid(vset(tri[i + (long)i * d])));
    for (int j = lo; j < hi; j++) gtri[i + (long)j * d] += ga[(long)j * d];
  }
}

static bj_status triangular_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const triangular_affine *self = layer->self;
  const real log_det = pass->prep[(long)layer->d * layer->d];
  triangular_affine_blocks(direction == BJ_FORWARD ? TRIANGULAR_MULTIPLY : TRIANGULAR_SOLVE, pass->prep, pass->theta,
                           layer->d, self->upper, pass->nb, pass->x, pass->y, pass->work);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    logdet_add(pass->logdet, b * BJ_BLOCK + r, vset(direction == BJ_FORWARD ? log_det : -log_det));
  }
  return BJ_OK;
}

static bj_status triangular_run_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const triangular_affine *self = layer->self;
  const int d = layer->d, nb = pass->nb;
  const long size = (long)d * BJ_BLOCK;
  const real gl = sum_rows(pass->gl, (long)nb * BJ_BLOCK);
  for (int b = 0; b < nb; b++) {
    triangular_block(direction == BJ_FORWARD ? TRIANGULAR_MULTIPLY : TRIANGULAR_SOLVE, pass->prep, d, self->upper, 1,
                     pass->gy + b * size, pass->gx + b * size);
  }
  const real *g = pass->gy, *x = pass->x;
  if (direction == BJ_INVERSE) {
    for (long i = 0; i < nb * size; i += BJ_LANES) vstore(pass->work + i, -vload(pass->gx + i));
    g = pass->work;
    x = pass->y;
  }
  gemm_weight_grad(d, d, nb, g, size, x, size, pass->gprep, d, NULL, NULL);
  gemm_bias_grad(d, nb, g, size, pass->gtheta);
  pass->gprep[(long)d * d] += direction == BJ_FORWARD ? gl : -gl;
  return BJ_OK;
}

LAYER_DIRECTIONS(triangular, triangular_run)

/* Unit diagonal and scale; off the diagonal 0, or U(-b, b) with Glorot and Bengio's b = sqrt(6 / (d + d)), or what is
 * given. */
static void triangular_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const triangular_affine *self = layer->self;
  const int d = layer->d;
  const real bound = self->start_glorot ? sqrt(3.0 / d) : 0;
  for (long i = 0; i < layer->n_param; i++) theta[i] = 0;
  for (int j = 0; j < d; j++) {
    for (int i = 0; i < d; i++) {
      const int inside = j >= triangular_lo(self, i) && j < triangular_hi(self, i, d);
      real *t = theta + d + i + (long)j * d;
      if (i == j) {
        *t = inverse_softplus(1);
      } else if (inside && self->start_glorot) {
        *t = bound * (2 * rng_uniform(rng) - 1);
      } else if (inside && self->start) {
        *t = self->start[i + (long)j * d];
      }
    }
    if (self->weight_norm) theta[d + (long)d * d + j] = inverse_softplus(1);
  }
}

static void triangular_describe(const bj_layer *layer, bj_describe *out) {
  const triangular_affine *self = layer->self;
  describe_slot(out, "loc", 1, layer->d, 0);
  describe_slot(out, "tri", 2, layer->d, layer->d);
  if (self->weight_norm) describe_slot(out, "scale", 1, layer->d, 0);
}

static bj_status triangular_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  triangular_affine *self = layer->self = build_alloc(build, sizeof(triangular_affine));
  const long d = layer->d, square = size_product(build, d, d);
  self->upper = !spec_bool(build, spec, "lower");
  self->weight_norm = spec_bool(build, spec, "weight_norm");
  if (spec_has_numbers(spec, "init")) {
    self->start = spec_numbers(build, spec, "init", square);
  } else {
    self->start_glorot = spec_choice(build, spec, "init", "identity", "glorot", NULL);
  }
  layer->n_param = d + square + (self->weight_norm ? d : 0);
  layer->n_prep = square + 1;
  layer->n_work = CHUNK_ROWS(d);
  return build->status;
}

static const bj_layer_kind layer_triangular_affine = {
    .name = "triangular_affine",
    .build = triangular_build,
    .describe = triangular_describe,
    .init = triangular_init,
    .prepare = triangular_prepare,
    .prepare_vjp = triangular_prepare_vjp,
    LAYER_TABLE(triangular),
};
