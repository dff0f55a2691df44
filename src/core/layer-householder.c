/* householder: y = H_m ... H_1 x with reflections H_i = I - 2 v_i v_i' / |v_i|^2 (Tomczak, Welling 2016).
 *
 *   The orthogonal matrix Q = H_m ... H_1 is made once a step, so a row costs one product with it.
 *   log|det| = 0.  y = Q x: gx = Q' gy, gQ = sum gy x';  inverse x = Q' y: gy = Q gx, gQ = sum y gx'
 *   gQ to gv, from the last reflection to the first, with P = H_i ... H_1, w = v / |v|: P loses H_i (H_i H_i = I),
 *     gw = -2 (G P'w + P G'w), gv = (gw - w w'gw) / |v|, then G becomes H_i G
 */
#include "num-gemm.h"
#include "protocol.h"

typedef struct {
  int n_reflection;
} householder;

/* m becomes (I - 2 w w') m; dots = m'w of before. */
static void householder_reflect(const real *w, int d, real *m, real *dots) {
  for (int j = 0; j < d; j++) {
    real *column = m + (long)j * d, dot = 0;
    for (int i = 0; i < d; i++) dot += w[i] * column[i];
    for (int i = 0; i < d; i++) column[i] -= 2 * dot * w[i];
    dots[j] = dot;
  }
}

#define HOUSEHOLDER_LEAST BY_REAL(1e-150, 1e-18f) /* its square is normal */

/* w = v / |v|; a vector of zeros reflects nothing. Returns |v|. */
static real householder_unit(const real *v, int d, real *w) {
  real largest = HOUSEHOLDER_LEAST, square = 0;
  for (int i = 0; i < d; i++) largest = fmax(largest, fabs(v[i]));
  for (int i = 0; i < d; i++) square += (v[i] / largest) * (v[i] / largest);
  const real norm = largest * fmax(sqrt(square), HOUSEHOLDER_LEAST);
  for (int i = 0; i < d; i++) w[i] = v[i] / norm;
  return norm;
}

/* prep: Q, then a vector w, then one of dots; gprep: G, w, dots, gw, P */
static void householder_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const householder *self = layer->self;
  const int d = layer->d;
  real *w = prep + (long)d * d, *dots = w + d;
  for (int j = 0; j < d; j++) {
    for (int i = 0; i < d; i++) prep[i + (long)j * d] = i == j;
  }
  for (int m = 0; m < self->n_reflection; m++) {
    householder_unit(theta + (long)m * d, d, w);
    householder_reflect(w, d, prep, dots);
  }
}

static void householder_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                    real *gprep, real *gtheta) {
  (void)run;
  const householder *self = layer->self;
  const int d = layer->d;
  real *g = gprep, *w = g + (long)d * d, *dots = w + d, *gw = dots + d, *p = gw + d;
  memcpy(p, prep, sizeof(real) * (size_t)d * (size_t)d);
  for (int m = self->n_reflection - 1; m >= 0; m--) {
    const real norm = householder_unit(theta + (long)m * d, d, w);
    real along = 0;
    memset(gw, 0, sizeof(real) * (size_t)d);
    householder_reflect(w, d, p, dots);
    for (int j = 0; j < d; j++) {
      /* P'w of the P without H_i is minus that of before */
      for (int i = 0; i < d; i++) gw[i] += 2 * g[i + (long)j * d] * dots[j];
    }
    householder_reflect(w, d, g, dots);
    for (int j = 0; j < d; j++) {
      for (int i = 0; i < d; i++) gw[i] -= 2 * p[i + (long)j * d] * dots[j];
    }
    for (int i = 0; i < d; i++) along += gw[i] * w[i];
    for (int i = 0; i < d; i++) gtheta[(long)m * d + i] += (gw[i] - w[i] * along) / norm;
  }
}

/* out = Q in, or Q' in */
static void householder_product(const bj_layer *layer, const bj_pass *pass, int transposed, const real *in, real *out) {
  const int d = layer->d;
  const long size = (long)d * BJ_BLOCK;
  gemm(GEMM_SET, transposed ? gemm_transpose(pass->prep, d, d) : gemm_columns(pass->prep, d, d, NULL), pass->nb, in,
       size, out, size);
}

static bj_status householder_forward(const bj_layer *layer, bj_pass *pass) {
  householder_product(layer, pass, 0, pass->x, pass->y);
  return BJ_OK;
}
static bj_status householder_inverse(const bj_layer *layer, bj_pass *pass) {
  householder_product(layer, pass, 1, pass->x, pass->y);
  return BJ_OK;
}
static bj_status householder_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  const long size = (long)layer->d * BJ_BLOCK;
  householder_product(layer, pass, 1, pass->gy, pass->gx);
  gemm_weight_grad(layer->d, layer->d, pass->nb, pass->gy, size, pass->x, size, pass->gprep, layer->d, NULL, NULL);
  return BJ_OK;
}
static bj_status householder_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  const long size = (long)layer->d * BJ_BLOCK;
  householder_product(layer, pass, 0, pass->gy, pass->gx);
  gemm_weight_grad(layer->d, layer->d, pass->nb, pass->x, size, pass->gy, size, pass->gprep, layer->d, NULL, NULL);
  return BJ_OK;
}

static void householder_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  for (long i = 0; i < layer->n_param; i++) theta[i] = rng_normal(rng);
}

static void householder_describe(const bj_layer *layer, bj_describe *out) {
  const householder *self = layer->self;
  describe_slot(out, "v", 2, layer->d, self->n_reflection);
}

static bj_status householder_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  householder *self = layer->self = build_alloc(build, sizeof(householder));
  const long d = layer->d;
  self->n_reflection = spec_count(build, spec, "n_reflections", 1, COUNT_MOST);
  layer->n_param = size_product(build, d, self->n_reflection);
  layer->n_prep = 2 * size_product(build, d, d) + 3 * d;
  return build->status;
}

static const bj_layer_kind layer_householder = {
    .name = "householder",
    .build = householder_build,
    .describe = householder_describe,
    .init = householder_init,
    .prepare = householder_prepare,
    .prepare_vjp = householder_prepare_vjp,
    .forward = householder_forward,
    .inverse = householder_inverse,
    .forward_vjp = householder_forward_vjp,
    .inverse_vjp = householder_inverse_vjp,
};
