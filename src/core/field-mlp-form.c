/* The exact trace of field_mlp() with one or two hidden layers: a form of their slopes, which takes one product
 * whatever d is.
 *
 *   depth 1: tr J = T act'(p_1),              T_0j = Q_0j = sum_k W2_kj W1_jk
 *   depth 2: tr J = act'(p_2)' T act'(p_1),   T_ij = W2_ij Q_ij, Q_ij = sum_k W3_ki W1_jk
 *
 * with k over the d coordinates. T and Q are made once a solve, and the gradient of T, summed up over its calls, is
 * brought to the weights when the vjp of the solve ends.
 *   vjp of a call, with g the cotangent of the trace: u = g act'(p_2) (g at depth 1), gT += u act'(p_1)',
 *   gp_2 = g act''(p_2) (T act'(p_1)), gp_1 = act''(p_1) (T'u).
 */
#include "field-mlp.h"
#include "num-gemm.h"
#include "num-rows.h"

/* T is form_high() x width[1], in rows; Q stands behind it. */
static int form_high(const field_net *self) { return self->depth == 2 ? self->width[2] : 1; }

static long field_form_size(const field_net *self) {
  return self->depth <= 2 ? (long)form_high(self) * self->width[1] : 0;
}

/* Where theta has the factor of W1_jk in Q_ij. */
INLINE long form_out(const bj_field *field, int i, int j, int k) {
  const field_net *self = field->self;
  return self->theta_w[self->depth] + (long)(self->depth == 2 ? i : j) * field->d + k;
}

static void field_form_begin(const bj_field *field, const real *theta, const real *prep, real *fixed) {
  const field_net *self = field->self;
  const int high = form_high(self), n = self->width[1];
  (void)prep;
  memset(fixed, 0, sizeof(real) * 2 * (size_t)field_form_size(self));
  for (int i = 0; i < high; i++) {
    real *t = fixed + (long)i * n, *q = t + field_form_size(self);
    for (int k = 0; k < field->d; k++) {
      const real *w1 = theta + self->theta_w[0] + (long)k * n;
      for (int j = 0; j < n; j++) q[j] += theta[form_out(field, i, j, k)] * w1[j];
    }
    for (int j = 0; j < n; j++) t[j] = q[j] * (self->depth == 2 ? theta[self->theta_w[1] + i + (long)j * high] : 1);
  }
}

static void field_form_begin_vjp(const bj_field *field, const real *theta, const real *prep, const real *fixed,
                                 const real_sum *gfixed, real_sum *gtheta) {
  const field_net *self = field->self;
  const int high = form_high(self), n = self->width[1];
  const real *q = fixed + field_form_size(self);
  (void)prep;
  for (int i = 0; i < high; i++) {
    for (int j = 0; j < n; j++) {
      const long at = (long)i * n + j, between = self->theta_w[1] + i + (long)j * high;
      real_sum gq = gfixed[at];
      if (self->depth == 2) {
        gtheta[between] += gq * q[at];
        gq *= theta[between];
      }
      for (int k = 0; k < field->d; k++) {
        const long in = self->theta_w[0] + j + (long)k * n, out = form_out(field, i, j, k);
        gtheta[in] += gq * theta[out];
        gtheta[out] += gq * theta[in];
      }
    }
  }
}

/* T act'(p_1), the first rows of blocks of `widest` rows. */
static void form_product(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at, real *to) {
  const field_net *self = field->self;
  const int n = self->width[1];
  gemm(GEMM_SET, gemm_transpose(pass->fixed, n, form_high(self)), pass->nb, at->slope[1], rows_stride(n), to,
       rows_stride(self->widest));
}

static void field_form_value(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at) {
  const field_net *self = field->self;
  const int two = self->depth == 2, high = form_high(self);
  form_product(field, pass, at, at->g);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const real *product = at->g + b * rows_stride(self->widest) + r;
    const real *slope = two ? at->slope[2] + b * rows_stride(high) + r : NULL;
    vreal sum = vset(0);
    for (long i = 0; i < rows_stride(high); i += BJ_BLOCK) {
      sum += two ? vload(product + i) * vload(slope + i) : vload(product + i);
    }
    vstore(pass->trace + b * pass->stride + r, sum);
  }
}

/* u into g, and the gp of the second layer. */
static void form_cotangents(const field_net *self, const bj_field_pass *pass, const field_net_rows *at) {
  const int high = form_high(self);
  const long wide = rows_stride(self->widest);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const vreal g = vload(pass->gtrace + (long)b * BJ_BLOCK + r);
    real *u = at->g + b * wide + r;
    const real *product = at->ga + b * wide + r;
    if (self->depth == 1) {
      vstore(u, g);
      continue;
    }
    for (int i = 0; i < high; i++) {
      const long row = b * rows_stride(high) + (long)i * BJ_BLOCK + r, in = (long)i * BJ_BLOCK;
      vstore(u + in, g * vload(at->slope[2] + row));
      vstore(at->gp[2] + row, g * vload(at->bend[2] + row) * vload(product + in));
    }
  }
}

static void field_form_vjp(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at) {
  const field_net *self = field->self;
  const int high = form_high(self), n = self->width[1];
  const long wide = rows_stride(self->widest);
  if (self->depth == 2) form_product(field, pass, at, at->ga);
  form_cotangents(self, pass, at);
  gemm_weight_grad(n, high, pass->nb, at->slope[1], rows_stride(n), at->g, wide, pass->gfixed, n, NULL, NULL);
  gemm(GEMM_SET, gemm_columns(pass->fixed, n, high, NULL), pass->nb, at->g, wide, at->ga, wide);
  for (int b = 0; b < pass->nb; b++) {
    for (long j = 0; j < rows_stride(n); j += BJ_LANES) {
      const long row = b * rows_stride(n) + j;
      vstore(at->gp[1] + row, vload(at->bend[1] + row) * vload(at->ga + b * wide + j));
    }
  }
}
