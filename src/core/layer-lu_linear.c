/* lu_linear: y = P L (U + S) x (Kingma, Dhariwal 2018, "Glow"): a fixed permutation, (P q)_i = q_{p(i)}, L unit lower
 * triangular, U strictly upper triangular, S = diag(exp(log_scale)).
 *
 *   log|det| = sum log_scale (one number for all rows)
 *   with v = (U + S) x, q = L v:  gq = P' gy, gL = sum gq v', gv = L' gq, gU = sum gv x', gx = (U + S)' gv
 *   inverse: q = P' y, v = L^{-1} q, x = (U + S)^{-1} v;  gv = (U + S)^{-T} gx, gU = -sum gv x', gq = L^{-T} gv,
 *     gL = -sum gq v', gy = P gq.  glog_scale_i = gU_ii S_ii +- sum gl
 *
 * Prep: L, U + S, the log-determinant. S is kept within e^+-230, so that a product of three stays finite.
 */
#include "num-carve.h"
#include "num-gemm.h"
#include "num-triangular.h"
#include "protocol.h"

typedef struct {
  int *from; /* p, coordinates from 0 */
} lu_linear;

#define LU_BOUND 230.0

static void lu_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const long d = layer->d;
  const real *upper = theta + d * d, *log_scale = upper + d * d;
  prep[2 * d * d] = 0;
  for (long j = 0; j < d; j++) {
    for (long i = 0; i < d; i++) {
      const real scale = exp(fmax(-LU_BOUND, fmin(LU_BOUND, log_scale[i])));
      prep[i + j * d] = i == j ? 1 : i > j ? theta[i + j * d] : 0;
      prep[d * d + i + j * d] = i == j ? scale : i < j ? upper[i + j * d] : 0;
    }
    prep[2 * d * d] += fmax(-LU_BOUND, fmin(LU_BOUND, log_scale[j]));
  }
}

static void lu_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep, real *gprep,
                           real *gtheta) {
  (void)run;
  const long d = layer->d;
  (void)theta;
  for (long j = 0; j < d; j++) {
    for (long i = j + 1; i < d; i++) gtheta[i + j * d] += gprep[i + j * d];
    for (long i = 0; i < j; i++) gtheta[d * d + i + j * d] += gprep[d * d + i + j * d];
    gtheta[2 * d * d + j] += gprep[d * d + j + j * d] * prep[d * d + j + j * d] + gprep[2 * d * d];
  }
}

typedef struct {
  real *v; /* (U + S) x */
  real *gq, *gv;
} lu_at;

static lu_at lu_carve(const bj_layer *layer, carver *cache, carver *work) {
  lu_at at;
  at.v = carve_rows(cache, layer->d);
  at.gq = carve_rows(work, layer->d);
  at.gv = carve_rows(work, layer->d);
  return at;
}

/* all blocks times L or U + S */
static void lu_triangle(const bj_layer *layer, const bj_pass *pass, triangular_task task, int upper, int transposed,
                        const real *in, real *out) {
  const long d = layer->d, size = d * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) {
    triangular_block(task, pass->prep + upper * d * d, layer->d, upper, transposed, in + b * size, out + b * size);
  }
}

static void lu_logdet(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const real log_det = pass->prep[2L * layer->d * layer->d];
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    logdet_add(pass->logdet, b * BJ_BLOCK + r, vset(direction == BJ_FORWARD ? log_det : -log_det));
  }
}

static bj_status lu_forward(const bj_layer *layer, bj_pass *pass) {
  const lu_linear *self = layer->self;
  const lu_at at = CARVE(lu_carve, layer, pass);
  lu_triangle(layer, pass, TRIANGULAR_MULTIPLY, 1, 0, pass->x, at.v);
  lu_triangle(layer, pass, TRIANGULAR_MULTIPLY, 0, 0, at.v, at.gq);
  permute_rows(self->from, layer->d, pass->nb, at.gq, pass->y, 1);
  lu_logdet(layer, pass, BJ_FORWARD);
  return BJ_OK;
}

static bj_status lu_inverse(const bj_layer *layer, bj_pass *pass) {
  const lu_linear *self = layer->self;
  const lu_at at = CARVE(lu_carve, layer, pass);
  permute_rows(self->from, layer->d, pass->nb, pass->x, at.gq, 0);
  lu_triangle(layer, pass, TRIANGULAR_SOLVE, 0, 0, at.gq, at.v);
  lu_triangle(layer, pass, TRIANGULAR_SOLVE, 1, 0, at.v, pass->y);
  lu_logdet(layer, pass, BJ_INVERSE);
  return BJ_OK;
}

static void lu_weight_grad(const bj_layer *layer, const bj_pass *pass, int upper, const real *g, const real *x) {
  const long d = layer->d, size = d * BJ_BLOCK;
  gemm_weight_grad(layer->d, layer->d, pass->nb, g, size, x, size, pass->gprep + upper * d * d, d, NULL, NULL);
}

static bj_status lu_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  const lu_linear *self = layer->self;
  const long d = layer->d, rows = (long)pass->nb * BJ_BLOCK;
  const lu_at at = CARVE(lu_carve, layer, pass);
  permute_rows(self->from, layer->d, pass->nb, pass->gy, at.gq, 0);
  lu_weight_grad(layer, pass, 0, at.gq, at.v);
  lu_triangle(layer, pass, TRIANGULAR_MULTIPLY, 0, 1, at.gq, at.gv);
  lu_weight_grad(layer, pass, 1, at.gv, pass->x);
  lu_triangle(layer, pass, TRIANGULAR_MULTIPLY, 1, 1, at.gv, pass->gx);
  pass->gprep[2 * d * d] += sum_rows(pass->gl, rows);
  return BJ_OK;
}

/* Everything is linear: the gradients travel with the sign turned, which the weights want, and are turned back last. */
static bj_status lu_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  const lu_linear *self = layer->self;
  const long d = layer->d, rows = (long)pass->nb * BJ_BLOCK;
  const lu_at at = CARVE(lu_carve, layer, pass);
  for (long i = 0; i < rows * d; i += BJ_LANES) vstore(at.gq + i, -vload(pass->gy + i));
  lu_triangle(layer, pass, TRIANGULAR_SOLVE, 1, 1, at.gq, at.gv);
  lu_weight_grad(layer, pass, 1, at.gv, pass->y);
  lu_triangle(layer, pass, TRIANGULAR_SOLVE, 0, 1, at.gv, at.gq);
  lu_weight_grad(layer, pass, 0, at.gq, at.v);
  for (long i = 0; i < rows * d; i += BJ_LANES) vstore(at.gq + i, -vload(at.gq + i));
  permute_rows(self->from, layer->d, pass->nb, at.gq, pass->gx, 1);
  pass->gprep[2 * d * d] -= sum_rows(pass->gl, rows);
  return BJ_OK;
}

/* L = I, U = 0, S = I: the permutation. */
static void lu_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  (void)rng;
  for (long i = 0; i < layer->n_param; i++) theta[i] = 0;
}

static void lu_describe(const bj_layer *layer, bj_describe *out) {
  describe_slot(out, "lower", 2, layer->d, layer->d);
  describe_slot(out, "upper", 2, layer->d, layer->d);
  describe_slot(out, "log_scale", 1, layer->d, 0);
}

static bj_status lu_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  lu_linear *self = layer->self = build_alloc(build, sizeof(lu_linear));
  const long d = layer->d, square = size_product(build, d, d);
  self->from = spec_permutation(build, spec, "permutation", layer->d);
  layer->n_param = 2 * square + d;
  layer->n_prep = 2 * square + 1;
  MEASURE(lu_carve, layer);
  return build->status;
}

static const bj_layer_kind layer_lu_linear = {
    .name = "lu_linear",
    .build = lu_build,
    .describe = lu_describe,
    .init = lu_init,
    .prepare = lu_prepare,
    .prepare_vjp = lu_prepare_vjp,
    .forward = lu_forward,
    .inverse = lu_inverse,
    .forward_vjp = lu_forward_vjp,
    .inverse_vjp = lu_inverse_vjp,
};
