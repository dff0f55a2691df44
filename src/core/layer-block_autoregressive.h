/* The block autoregressive layer: its network (layer-block_autoregressive-network.c) and what it keeps. Formulas in
 * layer-block_autoregressive.c. */
#ifndef BJ_LAYER_BLOCK_AUTOREGRESSIVE_H
#define BJ_LAYER_BLOCK_AUTOREGRESSIVE_H

#include "num-carve.h"
#include "num-gemm.h"
#include "num-rows.h"
#include "protocol.h"

#define BLOCKS_MAX_DEPTH 14
#define BLOCKS_MAX_DIM 256

typedef struct {
  int m, k; /* the matrix is m x k ... */
  int r, s; /* ... in d x d blocks of r x s */
  long theta_w, theta_scale, theta_b;
  long prep_a;                /* A, m x k */
  long prep_e;                /* E, d blocks of r x s */
  long prep_scale, prep_norm; /* m each */
  const int *k_hi, *m_lo;     /* A is lower block triangular: kept prefix of a row, first kept row of a column */
} block_linear;

typedef enum { BLOCKS_TANH_PLUS_LINEAR, BLOCKS_LEAKY_TANH, BLOCKS_LEAKY_RELU } blocks_activation;

typedef struct {
  int n_linear, block_dim, max_steps;
  blocks_activation activation;
  real least, most;     /* slopes of the activation */
  real bend, tanh_bend; /* leaky_tanh: where it becomes straight, and tanh there */
  real tolerance;
  block_linear linear[BLOCKS_MAX_DEPTH + 1];
  long theta_c;              /* Wc */
  long prep_log, prep_slope; /* d each: log of the factor taken out of a coordinate's E; product of its blocks */
  real lowest;               /* of the logarithm of an entry of E */
} blocks;

/* [block][rows][BJ_BLOCK], with m rows for hidden layer l, d or 1 for others. */
typedef struct {
  real *h[BLOCKS_MAX_DEPTH], *z[BLOCKS_MAX_DEPTH], *g[BLOCKS_MAX_DEPTH], *u; /* of the cache */
  real *gl, *gu, *gt[2], *gg[2];                                             /* vjp: gl is one row */
  real *y, *v, *w;                                                           /* inverse and its vjp: d rows each */
  real *chain[BLOCKS_MAX_DEPTH], *constants[BLOCKS_MAX_DEPTH + 1];           /* r rows of one coordinate */
} blocks_at;

static blocks_at blocks_carve(const bj_layer *layer, carver *cache, carver *work);
static void blocks_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep);
static void blocks_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                               real *gprep, real *gtheta);
/* Everything at x: y, the cache, the log-determinant, -1 times if `sign` is -1. */
static void blocks_run(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, const real *x, real *y,
                       int sign);
/* Gradient of sum(gy y) + sum(gl log|det dy/dx|) with respect to x, and unless gx_only to parameters and condition; gl
 * is that of `at`. */
static void blocks_run_vjp(const bj_layer *layer, const bj_pass *pass, const blocks_at *at, const real *x,
                           const real *gy, real *gx, int gx_only);

/* Kernels are compiled for each activation, the last of their arguments. */
#define BY_ACTIVATION(self, run, ...)                     \
  do {                                                    \
    if ((self)->activation == BLOCKS_TANH_PLUS_LINEAR) {  \
      run(__VA_ARGS__, BLOCKS_TANH_PLUS_LINEAR);          \
    } else if ((self)->activation == BLOCKS_LEAKY_TANH) { \
      run(__VA_ARGS__, BLOCKS_LEAKY_TANH);                \
    } else {                                              \
      run(__VA_ARGS__, BLOCKS_LEAKY_RELU);                \
    }                                                     \
  } while (0)

/* act(t), and z, from which act' and -act'' / act' come back: tanh t, or of leaky_relu act' itself. */
INLINE vreal blocks_act(const blocks *self, vreal t, vreal *z, blocks_activation activation) {
  if (activation == BLOCKS_TANH_PLUS_LINEAR) {
    *z = vtanh(t);
    return *z + vset(self->least) * t;
  }
  if (activation == BLOCKS_LEAKY_TANH) {
    const vreal inner = vmax(vset(-self->bend), vmin(vset(self->bend), t));
    const vint straight = vle(vset(self->bend), vabs(t));
    const vreal end = vselect(vlt(t, vset(0)), vset(-self->tanh_bend), vset(self->tanh_bend));
    *z = vselect(straight, end, vtanh(inner));
    return *z + vset(self->least) * (t - inner);
  }
  *z = vselect(vlt(t, vset(0)), vset(self->least), vset(1));
  return *z * t;
}

INLINE vreal blocks_slope(const blocks *self, vreal z, blocks_activation activation) {
  if (activation == BLOCKS_TANH_PLUS_LINEAR) return vset(self->most) - z * z;
  return activation == BLOCKS_LEAKY_TANH ? vset(1) - z * z : z;
}

INLINE vreal blocks_bend(const blocks *self, vreal z, vreal slope, blocks_activation activation) {
  if (activation == BLOCKS_TANH_PLUS_LINEAR) return vset(2) * z * (vset(1) - z * z) / slope;
  if (activation == BLOCKS_LEAKY_RELU) return vset(0);
  return vselect(vle(vset(self->tanh_bend), vabs(z)), vset(0), vset(2) * z);
}

/* The input of linear map l, from x. */
INLINE const real *blocks_input(const blocks_at *at, int l, const real *x) { return l > 0 ? at->h[l - 1] : x; }

#endif
