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
#define BLOCKS_LEAK 0.01 /* act(t) = tanh(t) + BLOCKS_LEAK t */

typedef struct {
  int m, k; /* the matrix is m x k ... */
  int r, s; /* ... in d x d blocks of r x s */
  long theta_w, theta_scale, theta_b;
  long prep_a;                /* A, m x k */
  long prep_e;                /* E, d blocks of r x s */
  long prep_scale, prep_norm; /* m each */
  const int *k_hi, *m_lo;     /* A is lower block triangular: kept prefix of a row, first kept row of a column */
} block_linear;

typedef struct {
  int n_linear, block_dim;
  block_linear linear[BLOCKS_MAX_DEPTH + 1];
  long theta_c;              /* Wc */
  long prep_log, prep_slope; /* d each: log of the factor taken out of a coordinate's E; product of its blocks */
  real lowest;               /* of the logarithm of an entry of E */
} blocks;

/* [block][rows][BJ_BLOCK], with m rows for hidden layer l, d or 1 for others. */
typedef struct {
  real *h[BLOCKS_MAX_DEPTH], *tanh_t[BLOCKS_MAX_DEPTH], *g[BLOCKS_MAX_DEPTH], *u; /* of the cache */
  real *gl, *gu, *gt[2], *gg[2];                                                  /* vjp: gl is one row */
  real *y, *v, *w;                                                                /* inverse and its vjp: d rows each */
  real *chain[BLOCKS_MAX_DEPTH], *constants[BLOCKS_MAX_DEPTH + 1];                /* r rows of one coordinate */
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

/* The input of linear map l, from x. */
INLINE const real *blocks_input(const blocks_at *at, int l, const real *x) { return l > 0 ? at->h[l - 1] : x; }

#endif
