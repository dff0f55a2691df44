/* The network of the block autoregressive layer: weights, forward pass with log-determinant, and its vjp. The layer
 * itself, with the numerical inverse, is in layer-block_autoregressive.c, and the formulas too. */
#ifndef BJ_LAYER_BLOCK_AUTOREGRESSIVE_H
#define BJ_LAYER_BLOCK_AUTOREGRESSIVE_H

#include "num-gemm.h"
#include "num-rows.h"
#include "protocol.h"

#define BLOCKS_MAX_DEPTH 14
#define BLOCKS_MAX_DIM 256
#define BLOCKS_LEAK 0.01 /* act(t) = tanh(t) + BLOCKS_LEAK t */

typedef struct {
  int m, k; /* the matrix is m x k ... */
  int r, s; /* ... in d x d blocks of r x s */
  long theta_w, theta_scale, theta_b;
  long prep_a;                       /* A, m x k */
  long prep_e;                       /* E, d blocks of r x s */
  long prep_scale, prep_norm;        /* m each */
  const int *k_hi, *m_lo;            /* A is lower block triangular: kept prefix of a row, first kept row of a column */
  long cache_h, cache_tanh, cache_g; /* offsets a block, hidden layers only */
} block_linear;

typedef struct {
  int n_linear, block_dim;
  block_linear linear[BLOCKS_MAX_DEPTH + 1];
  long theta_c;              /* Wc */
  long prep_log, prep_slope; /* d each: log of the factor taken out of a coordinate's E; product of its blocks */
  real lowest;               /* of the logarithm of an entry of E */
  long cache_u;
  long work_y, work_gl, work_gu, work_gt[2], work_gg[2]; /* offsets a block */
  long work_v, work_w, work_chain[BLOCKS_MAX_DEPTH], work_const[BLOCKS_MAX_DEPTH + 1];
} blocks;

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* softplus, and d log softplus / d raw; kept away from 0, where its logarithm ends. */
INLINE real blocks_positive(real raw, real *log_derivative) {
  vreal sigmoid;
  const real value = vfirst(vsoftplus_sigmoid(vset(fmax(raw, -300)), &sigmoid));
  *log_derivative = vfirst(sigmoid) / value;
  return value;
}

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
      real unused, largest = 0, sum = 0;
      for (int j = 0; j < (p + 1) * s; j++) {
        const real raw = theta[linear->theta_w + row + (long)j * m];
        const real entry = a[row + (long)j * m] = j < p * s ? raw : blocks_positive(raw, &unused);
        largest = fmax(largest, fabs(entry));
      }
      for (int j = 0; j < (p + 1) * s; j++) sum += a[row + (long)j * m] / largest * (a[row + (long)j * m] / largest);
      const real scale = blocks_positive(theta[linear->theta_scale + row], &unused), norm = largest * sqrt(sum);
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
          const real entry = blocks_positive(theta[linear->theta_w + at], &dlog);
          gtheta[linear->theta_w + at] += (g * entry + ge[(j - p * s) * r] * e[(j - p * s) * r]) * dlog;
        }
      }
      blocks_positive(theta[linear->theta_scale + i], &dlog);
      gtheta[linear->theta_scale + i] += sum * dlog;
    }
  }
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* The input of linear map l, at x: its rows of one block, and their distance. */
INLINE const real *blocks_input(const bj_layer *layer, const bj_pass *pass, int l, const real *x, long *stride) {
  const blocks *self = layer->self;
  *stride = l > 0 ? layer->n_cache : (long)layer->d * BJ_BLOCK;
  return l > 0 ? pass->cache + self->linear[l - 1].cache_h : x;
}

/* t becomes h and tanh t; u becomes g = u act'(t). In the first layer u is a constant, E itself. */
static void blocks_activate(const bj_layer *layer, const bj_pass *pass, int l) {
  const block_linear *linear = ((const blocks *)layer->self)->linear + l;
  for (int b = 0; b < pass->nb; b++) {
    real *here = pass->cache + b * layer->n_cache;
    for (int i = 0; i < linear->m; i++) {
      real *h = here + linear->cache_h + i * BJ_BLOCK, *th = here + linear->cache_tanh + i * BJ_BLOCK;
      real *g = here + linear->cache_g + i * BJ_BLOCK;
      const real first = pass->prep[linear->prep_e + i];
      FOR_ROWS(r) {
        const vreal t = vload(h + r), y = vtanh(t), u = l == 0 ? vset(first) : vload(g + r);
        vstore(h + r, y + vset(BLOCKS_LEAK) * t);
        vstore(th + r, y);
        vstore(g + r, u * (vset(1 + BLOCKS_LEAK) - y * y));
      }
    }
  }
}

/* u of the last map, and the log-determinant of the call: `sign` is -1 for an inverse. */
static void blocks_logdet(const bj_layer *layer, const bj_pass *pass, int sign) {
  const blocks *self = layer->self;
  const block_linear *linear = self->linear + self->n_linear - 1;
  for (int p = 0; p < layer->d; p++) {
    const real *e = pass->prep + linear->prep_e + (long)p * linear->s;
    const vreal log_factor = vset(sign * pass->prep[self->prep_log + p]);
    logdet_claim(pass->logdet, pass->nb, 1);
    FOR_BLOCK_ROWS(pass->nb, b, r) {
      real *here = pass->cache + b * layer->n_cache;
      vreal u = vset(e[0]);
      if (self->n_linear > 1) {
        const real *g = here + linear[-1].cache_g + (long)p * linear->s * BJ_BLOCK + r;
        u = u * vload(g);
        for (int j = 1; j < linear->s; j++) u = u + vset(e[j]) * vload(g + j * BJ_BLOCK);
      }
      vstore(here + self->cache_u + p * BJ_BLOCK + r, u);
      logdet_multiply(pass->logdet, b * BJ_BLOCK + r, sign > 0 ? u : vset(1) / u);
      logdet_add(pass->logdet, b * BJ_BLOCK + r, log_factor);
    }
  }
}

/* Everything at x: y ([block][d], blocks ys apart), the cache, the log-determinant. */
static void blocks_run(const bj_layer *layer, const bj_pass *pass, const real *x, real *y, long ys, int sign) {
  const blocks *self = layer->self;
  for (int l = 0; l < self->n_linear; l++) {
    const block_linear *linear = self->linear + l;
    const int last = l == self->n_linear - 1;
    long in;
    const real *from = blocks_input(layer, pass, l, x, &in);
    real *t = last ? y : pass->cache + linear->cache_h;
    const long out = last ? ys : layer->n_cache;
    gemm(GEMM_SET, linear->m, linear->k, pass->prep + linear->prep_a, 1, linear->m, pass->theta + linear->theta_b,
         pass->nb, from, in, t, out, NULL, NULL, linear->k_hi);
    if (l == 0 && layer->n_condition > 0) {
      gemm(GEMM_ADD, linear->m, layer->n_condition, pass->theta + self->theta_c, 1, linear->m, NULL, pass->nb,
           pass->condition, (long)layer->n_condition * BJ_BLOCK, t, out, NULL, NULL, NULL);
    }
    for (int p = 0; p < layer->d && l > 0 && !last; p++) {
      gemm(GEMM_SET, linear->r, linear->s, pass->prep + linear->prep_e + (long)p * linear->r * linear->s, 1, linear->r,
           NULL, pass->nb, pass->cache + linear[-1].cache_g + (long)p * linear->s * BJ_BLOCK, layer->n_cache,
           pass->cache + linear->cache_g + (long)p * linear->r * BJ_BLOCK, layer->n_cache, NULL, NULL, NULL);
    }
    if (!last) blocks_activate(layer, pass, l);
  }
  blocks_logdet(layer, pass, sign);
}

/* ---- gradient ---------------------------------------------------------------------------------------------------- */

/* Hidden layer l: gh and gg (of h and g) become gt and gu in place. Above the last hidden layer gg is not there yet: it
 * is E gu of one row. */
static void blocks_activate_vjp(const bj_layer *layer, const bj_pass *pass, int l, real *gt, real *gg) {
  const blocks *self = layer->self;
  const block_linear *linear = self->linear + l;
  const int top = l == self->n_linear - 2;
  const real *e = pass->prep + linear[1].prep_e;
  for (int b = 0; b < pass->nb; b++) {
    const real *here = pass->cache + b * layer->n_cache, *gu = pass->work + b * layer->n_work + self->work_gu;
    for (int i = 0; i < linear->m; i++) {
      const long at = (long)i * BJ_BLOCK, in = b * layer->n_work + at;
      const real *above = gu + (long)(i / linear->r) * BJ_BLOCK;
      FOR_ROWS(r) {
        const vreal th = vload(here + linear->cache_tanh + at + r), g = vload(here + linear->cache_g + at + r);
        const vreal square = th * th, slope = vset(1 + BLOCKS_LEAK) - square;
        const vreal from = top ? vset(e[i]) * vload(above + r) : vload(gg + in + r);
        vstore(gt + in + r, vload(gt + in + r) * slope - from * g * (vset(2) * th * (vset(1) - square) / slope));
        vstore(gg + in + r, from * slope);
      }
    }
  }
}

/* Gradient of sum(gy y) + sum(gl log|det dy/dx|) with respect to x, and unless gx_only to parameters and condition. gy
 * has blocks gys apart, gl stands in work (work_gl). */
static void blocks_run_vjp(const bj_layer *layer, const bj_pass *pass, const real *x, const real *gy, long gys,
                           real *gx, long gxs, int gx_only) {
  const blocks *self = layer->self;
  for (int p = 0; p < layer->d; p++) {
    FOR_BLOCK_ROWS(pass->nb, b, r) {
      real *work = pass->work + b * layer->n_work;
      const vreal u = vload(pass->cache + b * layer->n_cache + self->cache_u + p * BJ_BLOCK + r);
      vstore(work + self->work_gu + p * BJ_BLOCK + r, vload(work + self->work_gl + r) / u);
    }
  }
  const real *gt = gy, *gu = pass->work + self->work_gu;
  long gts = gys;
  for (int l = self->n_linear - 1; l >= 0; l--) {
    const block_linear *linear = self->linear + l;
    const real *a = pass->prep + linear->prep_a;
    if (!gx_only) {
      long in;
      const real *from = blocks_input(layer, pass, l, x, &in);
      real *ge = pass->gprep + linear->prep_e;
      gemm_weight_grad(linear->m, linear->k, pass->nb, gt, gts, from, in, pass->gprep + linear->prep_a, linear->m, NULL,
                       linear->k_hi);
      gemm_bias_grad(linear->m, pass->nb, gt, gts, pass->gtheta + linear->theta_b);
      if (l == 0) gemm_bias_grad(linear->m, pass->nb, gu, layer->n_work, ge);
      for (int p = 0; p < layer->d && l > 0; p++) {
        gemm_weight_grad(linear->r, linear->s, pass->nb, gu + (long)p * linear->r * BJ_BLOCK, layer->n_work,
                         pass->cache + linear[-1].cache_g + (long)p * linear->s * BJ_BLOCK, layer->n_cache,
                         ge + (long)p * linear->r * linear->s, linear->r, NULL, NULL);
      }
    }
    if (l == 0) {
      gemm(GEMM_SET, linear->k, linear->m, a, linear->m, 1, NULL, pass->nb, gt, gts, gx, gxs, NULL, linear->m_lo, NULL);
      break;
    }
    real *gh = pass->work + self->work_gt[l % 2], *gg = pass->work + self->work_gg[l % 2];
    gemm(GEMM_SET, linear->k, linear->m, a, linear->m, 1, NULL, pass->nb, gt, gts, gh, layer->n_work, NULL,
         linear->m_lo, NULL);
    for (int p = 0; p < layer->d && l < self->n_linear - 1; p++) {
      gemm(GEMM_SET, linear->s, linear->r, pass->prep + linear->prep_e + (long)p * linear->r * linear->s, linear->r, 1,
           NULL, pass->nb, gu + (long)p * linear->r * BJ_BLOCK, layer->n_work, gg + (long)p * linear->s * BJ_BLOCK,
           layer->n_work, NULL, NULL, NULL);
    }
    blocks_activate_vjp(layer, pass, l - 1, gh, gg);
    gt = gh;
    gu = gg;
    gts = layer->n_work;
  }
  if (gx_only || layer->n_condition == 0) return;
  const int m = self->linear[0].m;
  const long cs = (long)layer->n_condition * BJ_BLOCK;
  gemm_weight_grad(m, layer->n_condition, pass->nb, gt, gts, pass->condition, cs, pass->gtheta + self->theta_c, m, NULL,
                   NULL);
  if (pass->gcondition) {
    gemm(GEMM_ADD, layer->n_condition, m, pass->theta + self->theta_c, m, 1, NULL, pass->nb, gt, gts, pass->gcondition,
         cs, NULL, NULL, NULL);
  }
}

#endif
