/* The network of the block autoregressive layer: weights, forward pass with log-determinant, and its vjp. The layer
 * itself, with the numerical inverse, is in layer-block_autoregressive.c, and the formulas too. */
#include "layer-block_autoregressive.h"

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Entries are 0 above the block diagonal and softplus on it; then the rows are normalised. E of a coordinate is its
 * block of A divided by the block's largest entry, whose logarithm is kept, so that products of E neither overflow nor
 * underflow whatever the parameters are. */
static void blocks_prepare_linear(const blocks *self, const block_linear *linear, const real *theta, real *prep,
                                  int d) {
  const int m = linear->m, r = linear->r, s = linear->s;
  real *a = prep + linear->prep_a;
  memset(a, 0, sizeof(real) * (size_t)m * (size_t)linear->k);
  for (int p = 0; p < d; p++) {
    real *e = prep + linear->prep_e + (long)p * r * s, most = -INFINITY;
    for (int i = 0; i < r; i++) {
      const long row = p * r + i;
      real largest = 0, sum = 0;
      for (int j = 0; j < (p + 1) * s; j++) {
        const real raw = theta[linear->theta_w + row + (long)j * m];
        const real entry = a[row + (long)j * m] = j < p * s ? raw : softplus_above(0, raw, NULL);
        largest = fmax(largest, fabs(entry));
      }
      for (int j = 0; j < (p + 1) * s; j++) sum += a[row + (long)j * m] / largest * (a[row + (long)j * m] / largest);
      const real scale = softplus_above(0, theta[linear->theta_scale + row], NULL), norm = largest * sqrt(sum);
      const real log_factor = log(scale) - log(norm);
      for (int j = 0; j < s; j++) {
        e[i + j * r] = log(a[row + (long)(p * s + j) * m]) + log_factor;
        most = fmax(most, e[i + j * r]);
      }
      for (int j = 0; j < (p + 1) * s; j++) a[row + (long)j * m] *= scale / norm;
      prep[linear->prep_scale + row] = scale;
      prep[linear->prep_norm + row] = norm;
    }
    for (int i = 0; i < r * s; i++) e[i] = exp(fmax(e[i] - most, self->lowest));
    prep[self->prep_log + p] += most;
  }
}

/* The slope of a coordinate if every activation had slope 1: the product of its blocks. */
static void blocks_prepare_slope(const blocks *self, real *prep, int d) {
  for (int p = 0; p < d; p++) {
    const block_linear *linear = self->linear;
    real from[BLOCKS_MAX_DIM], to[BLOCKS_MAX_DIM];
    from[0] = 1;
    for (int l = 0; l < self->n_linear; l++, linear++) {
      const real *e = prep + linear->prep_e + (long)p * linear->r * linear->s;
      for (int i = 0; i < linear->r; i++) {
        to[i] = 0;
        for (int j = 0; j < linear->s; j++) to[i] += e[i + j * linear->r] * from[j];
      }
      memcpy(from, to, sizeof(real) * (size_t)linear->r);
    }
    prep[self->prep_slope + p] = from[0] * exp(prep[self->prep_log + p]);
  }
}

static void blocks_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const blocks *self = layer->self;
  for (int p = 0; p < layer->d; p++) prep[self->prep_log + p] = 0;
  for (int l = 0; l < self->n_linear; l++) {
    blocks_prepare_linear(self, self->linear + l, theta, prep, layer->d);
  }
  blocks_prepare_slope(self, prep, layer->d);
}

/* With A = scale T / norm and log E = log T + log scale - log norm + constant, and q = gE * E:
 *   R_i = sum_j gA_ij A_ij / scale_i + sum_j q_ij / scale_i;  gscale_i = R_i
 *   gT_ij = scale_i / norm_i (gA_ij - R_i T_ij / norm_i) + q_ij / T_ij */
static void blocks_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                               real *gprep, real *gtheta) {
  (void)run;
  const blocks *self = layer->self;
  for (int l = 0; l < self->n_linear; l++) {
    const block_linear *linear = self->linear + l;
    const int m = linear->m, r = linear->r, s = linear->s;
    const real *a = prep + linear->prep_a, *ga = gprep + linear->prep_a;
    for (int i = 0; i < m; i++) {
      const int p = i / r;
      const real scale = prep[linear->prep_scale + i], norm = prep[linear->prep_norm + i];
      const real *e = prep + linear->prep_e + (long)p * r * s + i % r;
      const real *ge = gprep + linear->prep_e + (long)p * r * s + i % r;
      real sum = 0, dlog;
      for (int j = 0; j < linear->k_hi[i]; j++) sum += ga[i + (long)j * m] * a[i + (long)j * m];
      for (int j = 0; j < s; j++) sum += ge[j * r] * e[j * r];
      for (int j = 0; j < linear->k_hi[i]; j++) {
        const long at = i + (long)j * m;
        const real g = scale / norm * (ga[at] - sum / scale * (a[at] / scale));
        if (j < p * s) {
          gtheta[linear->theta_w + at] += g;
        } else {
          const real entry = softplus_above(0, theta[linear->theta_w + at], &dlog);
          gtheta[linear->theta_w + at] += (g * entry + ge[(j - p * s) * r] * e[(j - p * s) * r]) * dlog;
        }
      }
      softplus_above(0, theta[linear->theta_scale + i], &dlog);
      gtheta[linear->theta_scale + i] += sum * dlog;
    }
  }
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static blocks_at blocks_carve(const bj_layer *layer, carver *cache, carver *work) {
  const blocks *self = layer->self;
  const int depth = self->n_linear - 1, d = layer->d, units = d * self->block_dim;
  blocks_at at;
  for (int l = 0; l <= depth; l++) at.constants[l] = carve_rows(work, self->linear[l].r);
  for (int l = 0; l < depth; l++) {
    at.h[l] = carve_rows(cache, units);
    at.z[l] = carve_rows(cache, units);
    at.g[l] = carve_rows(cache, units);
    at.chain[l] = carve_rows(work, units);
  }
  at.u = carve_rows(cache, d);
  for (int i = 0; i < 2 && depth > 0; i++) {
    at.gt[i] = carve_rows(work, units);
    at.gg[i] = carve_rows(work, units);
  }
  at.gl = carve_rows(work, 1);
  at.gu = carve_rows(work, d);
  at.y = carve_rows(work, d);
  at.v = carve_rows(work, d);
  at.w = carve_rows(work, d);
  return at;
}

/* t becomes h and z; u becomes g = u act'(t). In the first layer u is a constant, E itself. */
INLINE void blocks_activate(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, int l,
                            blocks_activation activation) {
  const blocks *self = layer->self;
  const block_linear *linear = self->linear + l;
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < linear->m; i++) {
      const long row = ((long)b * linear->m + i) * BJ_BLOCK;
      real *h = at->h[l] + row, *to = at->z[l] + row, *g = at->g[l] + row;
      const real first = pass->prep[linear->prep_e + i];
      FOR_ROWS(r) {
        vreal z;
        const vreal u = l == 0 ? vset(first) : vload(g + r);
        vstore(h + r, blocks_act(self, vload(h + r), &z, activation));
        vstore(to + r, z);
        vstore(g + r, u * blocks_slope(self, z, activation));
      }
    }
  }
}

/* u of the last map, and the log-determinant of the call: `sign` is -1 for an inverse. */
static void blocks_logdet(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, int sign) {
  const blocks *self = layer->self;
  const block_linear *linear = self->linear + self->n_linear - 1;
  for (int p = 0; p < layer->d; p++) {
    const real *e = pass->prep + linear->prep_e + (long)p * linear->s;
    const vreal log_factor = vset(sign * pass->prep[self->prep_log + p]);
    logdet_claim(pass->logdet, pass->nb, 1);
    FOR_BLOCK_ROWS(pass->nb, b, r) {
      vreal u = vset(e[0]);
      if (self->n_linear > 1) {
        const real *g = at->g[self->n_linear - 2] + ((long)b * linear->k + (long)p * linear->s) * BJ_BLOCK + r;
        u = u * vload(g);
        for (int j = 1; j < linear->s; j++) u = u + vset(e[j]) * vload(g + j * BJ_BLOCK);
      }
      vstore(at->u + ((long)b * layer->d + p) * BJ_BLOCK + r, u);
      logdet_multiply(pass->logdet, b * BJ_BLOCK + r, sign > 0 ? u : vset(1) / u);
      logdet_add(pass->logdet, b * BJ_BLOCK + r, log_factor);
    }
  }
}

static void blocks_run(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, const real *x, real *y,
                       int sign) {
  const blocks *self = layer->self;
  for (int l = 0; l < self->n_linear; l++) {
    const block_linear *linear = self->linear + l;
    const int last = l == self->n_linear - 1;
    const long in = (long)linear->k * BJ_BLOCK, out = (long)linear->m * BJ_BLOCK;
    real *t = last ? y : at->h[l];
    gemm_matrix a = gemm_columns(pass->prep + linear->prep_a, linear->m, linear->k, pass->theta + linear->theta_b);
    a.k_hi = linear->k_hi;
    gemm(GEMM_SET, a, pass->nb, blocks_input(at, l, x), in, t, out);
    if (l == 0 && layer->n_condition > 0) {
      gemm(GEMM_ADD, gemm_columns(pass->theta + self->theta_c, linear->m, layer->n_condition, NULL), pass->nb,
           pass->condition, (long)layer->n_condition * BJ_BLOCK, t, out);
    }
    for (int p = 0; p < layer->d && l > 0 && !last; p++) {
      const real *e = pass->prep + linear->prep_e + (long)p * linear->r * linear->s;
      gemm(GEMM_SET, gemm_columns(e, linear->r, linear->s, NULL), pass->nb,
           at->g[l - 1] + (long)p * linear->s * BJ_BLOCK, in, at->g[l] + (long)p * linear->r * BJ_BLOCK, out);
    }
    if (!last) BY_ACTIVATION(self, blocks_activate, layer, pass, at, l);
  }
  blocks_logdet(layer, pass, at, sign);
}

/* ---- gradient ---------------------------------------------------------------------------------------------------- */

/* Hidden layer l: gh and gg (of h and g) become gt and gu in place. Above the last hidden layer gg is not there yet: it
 * is E gu of one row. */
INLINE void blocks_activate_vjp(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, int l, real *gt,
                                real *gg, blocks_activation activation) {
  const blocks *self = layer->self;
  const block_linear *linear = self->linear + l;
  const int top = l == self->n_linear - 2;
  const real *e = pass->prep + linear[1].prep_e;
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < linear->m; i++) {
      const long row = ((long)b * linear->m + i) * BJ_BLOCK;
      const real *above = at->gu + ((long)b * layer->d + i / linear->r) * BJ_BLOCK;
      FOR_ROWS(r) {
        const vreal z = vload(at->z[l] + row + r), g = vload(at->g[l] + row + r);
        const vreal slope = blocks_slope(self, z, activation);
        const vreal from = top ? vset(e[i]) * vload(above + r) : vload(gg + row + r);
        vstore(gt + row + r, vload(gt + row + r) * slope - from * g * blocks_bend(self, z, slope, activation));
        vstore(gg + row + r, from * slope);
      }
    }
  }
}

/* Gradient of the parameters of map l, from gt and gu of what it gives. */
static void blocks_linear_vjp(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, int l, const real *x,
                              const real *gt, const real *gu) {
  const block_linear *linear = ((const blocks *)layer->self)->linear + l;
  const int m = linear->m, r = linear->r, s = linear->s, nb = pass->nb;
  const long in = (long)linear->k * BJ_BLOCK, out = (long)m * BJ_BLOCK;
  real *ge = pass->gprep + linear->prep_e;
  gemm_weight_grad(m, linear->k, nb, gt, out, blocks_input(at, l, x), in, pass->gprep + linear->prep_a, m, NULL,
                   linear->k_hi);
  gemm_bias_grad(m, nb, gt, out, pass->gtheta + linear->theta_b);
  if (l == 0) gemm_bias_grad(m, nb, gu, out, ge);
  for (int p = 0; p < layer->d && l > 0; p++) {
    gemm_weight_grad(r, s, nb, gu + (long)p * r * BJ_BLOCK, out, at->g[l - 1] + (long)p * s * BJ_BLOCK, in,
                     ge + (long)p * r * s, r, NULL, NULL);
  }
}

static void blocks_run_vjp(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, const real *x,
                           const real *gy, real *gx, int gx_only) {
  const blocks *self = layer->self;
  for (int p = 0; p < layer->d; p++) {
    FOR_BLOCK_ROWS(pass->nb, b, r) {
      const long row = ((long)b * layer->d + p) * BJ_BLOCK + r;
      vstore(at->gu + row, vload(at->gl + (long)b * BJ_BLOCK + r) / vload(at->u + row));
    }
  }
  const real *gt = gy, *gu = at->gu;
  for (int l = self->n_linear - 1; l >= 0; l--) {
    const block_linear *linear = self->linear + l;
    const int m = linear->m, r = linear->r, s = linear->s, top = l == self->n_linear - 1;
    const long in = (long)linear->k * BJ_BLOCK, out = (long)m * BJ_BLOCK;
    real *gh = l > 0 ? at->gt[l % 2] : gx, *gg = l > 0 ? at->gg[l % 2] : NULL;
    if (!gx_only) blocks_linear_vjp(layer, pass, at, l, x, gt, gu);
    gemm_matrix a = gemm_transpose(pass->prep + linear->prep_a, m, linear->k);
    a.k_lo = linear->m_lo;
    gemm(GEMM_SET, a, pass->nb, gt, out, gh, in);
    if (l == 0) break;
    for (int p = 0; p < layer->d && !top; p++) {
      gemm(GEMM_SET, gemm_transpose(pass->prep + linear->prep_e + (long)p * r * s, r, s), pass->nb,
           gu + (long)p * r * BJ_BLOCK, out, gg + (long)p * s * BJ_BLOCK, in);
    }
    BY_ACTIVATION(self, blocks_activate_vjp, layer, pass, at, l - 1, gh, gg);
    gt = gh;
    gu = gg;
  }
  if (gx_only || layer->n_condition == 0) return;
  const int m = self->linear[0].m;
  const long cs = (long)layer->n_condition * BJ_BLOCK, out = (long)m * BJ_BLOCK;
  gemm_weight_grad(m, layer->n_condition, pass->nb, gt, out, pass->condition, cs, pass->gtheta + self->theta_c, m, NULL,
                   NULL);
  if (pass->gcondition) {
    gemm(GEMM_ADD, gemm_transpose(pass->theta + self->theta_c, m, layer->n_condition), pass->nb, gt, out,
         pass->gcondition, cs);
  }
}
