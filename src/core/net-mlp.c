/* mlp: a multilayer perceptron, dense or with autoregressive masks.
 *
 *   h_0 = x;  h_l = act(W_l h_{l-1} + b_l), l = 1..depth;  y = W_{depth+1} h_depth + b_{depth+1} + offset
 *
 * Masks (Germain et al. 2015, "MADE"): hidden unit j has the rank j mod (n_rank - 1) (with conditions: j mod n_rank -
 * 1), and a weight is kept where rank(out) >= rank(in), in the last matrix where rank(out) > rank(in). Units are
 * sorted by rank in prep, so that every row of a masked matrix is a prefix of kept weights followed by zeros: the
 * products skip the tiles of zeros, and the units of one rank are a range, which is what forward_rank() and vjp_rank()
 * compute.
 *
 * Relu nets of depth 1 with few inputs and outputs have kernels of their own: net-mlp-small.c. So have masked ones of
 * two coordinates without conditions: outputs of the second are a dense net of the first, those of the first biases.
 */
#include <stdio.h>

#include "net-mlp.h"
#include "num-gemm.h"

/* ---- forward ----------------------------------------------------------------------------------------------------- */

/* Rows lo..hi of linear layer l (from 0), and the activation behind it. */
static void mlp_rows(const bj_net *net, const bj_net_pass *pass, const mlp_at *at, int l, int lo, int hi) {
  const mlp *self = net->self;
  const mlp_linear *linear = self->linear + l;
  const int last = l == self->n_linear - 1, activate = !last && self->act->apply;
  const long at_lo = (long)lo * BJ_BLOCK, xs = (long)linear->k * BJ_BLOCK, ys = (long)linear->m * BJ_BLOCK;
  real *y = (last ? pass->y : at->h[l]) + at_lo;
  if (hi <= lo) return;
  gemm_matrix w = gemm_columns(mlp_weight(self, pass, l) + lo, linear->m, linear->k, mlp_bias(self, pass, l) + lo);
  w.m = hi - lo;
  w.k_hi = linear->k_hi ? linear->k_hi + lo : NULL;
  gemm(last || activate ? GEMM_SET : GEMM_RELU, w, pass->nb, l > 0 ? at->h[l - 1] : pass->x, xs, y, ys);
  for (int b = 0; b < pass->nb && activate; b++) {
    self->act->apply(y + b * ys, at->slope[l] + at_lo + b * ys, (hi - lo) * (long)BJ_BLOCK);
  }
}

static void mlp_forward(const bj_net *net, const bj_net_pass *pass) {
  const mlp *self = net->self;
  if (self->small) {
    for (int rank = -1; rank <= 0; rank++) mlp_small_forward(net, pass, rank);
    return;
  }
  const mlp_at at = CARVE(mlp_carve, net, pass);
  for (int l = 0; l < self->n_linear; l++) mlp_rows(net, pass, &at, l, 0, self->linear[l].m);
}

/* Range of the units of one rank in a sorted list of ranks. */
static void rank_range(const int *ranks, int n, int rank, int *lo, int *hi) {
  int i = 0;
  while (i < n && ranks[i] < rank) i++;
  *lo = i;
  while (i < n && ranks[i] == rank) i++;
  *hi = i;
}

static void mlp_forward_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const mlp *self = net->self;
  if (self->small) {
    mlp_small_forward(net, pass, rank);
    return;
  }
  const mlp_at at = CARVE(mlp_carve, net, pass);
  int lo, hi;
  for (int l = 0; l < self->n_linear; l++) {
    const int last = l == self->n_linear - 1;
    rank_range(self->linear[l].row_rank, self->linear[l].m, rank + last, &lo, &hi);
    mlp_rows(net, pass, &at, l, lo, hi);
  }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* Gradient with respect to what linear layer l gives. */
INLINE const real *mlp_gradient(const mlp *self, const bj_net_pass *pass, const mlp_at *at, int l) {
  return l == self->n_linear - 1 ? pass->gy : at->g[l];
}

/* Gradient with respect to units lo..hi that feed linear layer l: the transposed product, times act'. */
static void mlp_columns(const bj_net *net, const bj_net_pass *pass, const mlp_at *at, int l, int lo, int hi) {
  const mlp *self = net->self;
  const mlp_linear *linear = self->linear + l;
  const long at_lo = (long)lo * BJ_BLOCK, gs = (long)linear->m * BJ_BLOCK, gxs = (long)linear->k * BJ_BLOCK;
  const int masked = l > 0 && !self->act->apply;
  real *gx = l > 0 ? at->g[l - 1] : pass->gx;
  if (hi <= lo) return;
  gemm_matrix w = gemm_transpose(mlp_weight(self, pass, l) + (long)lo * linear->m, linear->m, hi - lo);
  w.k_lo = linear->m_lo ? linear->m_lo + lo : NULL;
  w.mask = masked ? at->h[l - 1] + at_lo : NULL;
  gemm(masked ? GEMM_RELU_MASK : GEMM_SET, w, pass->nb, mlp_gradient(self, pass, at, l), gs, gx + at_lo, gxs);
  for (int b = 0; b < pass->nb && l > 0 && !masked; b++) {
    real *row = gx + b * gxs;
    const real *slope = at->slope[l - 1] + b * gxs;
    for (long i = at_lo; i < (long)hi * BJ_BLOCK; i += BJ_LANES) vstore(row + i, vload(row + i) * vload(slope + i));
  }
}

static void mlp_finish(const bj_net *net, const bj_net_pass *pass) {
  const mlp *self = net->self;
  if (self->small) { /* the rest came with the inputs of rank 0 */
    gemm_bias_grad(net->n_out, pass->nb, pass->gy, (long)net->n_out * BJ_BLOCK, mlp_bias_sum(self, pass, 1));
    return;
  }
  const mlp_at at = CARVE(mlp_carve, net, pass);
  for (int l = 0; l < self->n_linear; l++) {
    const mlp_linear *linear = self->linear + l;
    const long gs = (long)linear->m * BJ_BLOCK, xs = (long)linear->k * BJ_BLOCK;
    const real *g = mlp_gradient(self, pass, &at, l), *x = l > 0 ? at.h[l - 1] : pass->x;
    gemm_weight_grad(linear->m, linear->k, pass->nb, g, gs, x, xs, mlp_weight_sum(self, pass, l), linear->m, NULL,
                     linear->k_hi);
    gemm_bias_grad(linear->m, pass->nb, g, gs, mlp_bias_sum(self, pass, l));
  }
}

static void mlp_vjp(const bj_net *net, const bj_net_pass *pass) {
  const mlp *self = net->self;
  const mlp_at at = CARVE(mlp_carve, net, pass);
  if (self->small) {
    for (int rank = self->masked ? 1 : 0; rank >= 0; rank--) mlp_small_vjp(net, pass, rank);
    mlp_finish(net, pass);
    return;
  }
  for (int l = self->n_linear - 1; l > 0; l--) mlp_columns(net, pass, &at, l, 0, self->linear[l].k);
  if (pass->gx) mlp_columns(net, pass, &at, 0, 0, net->n_in);
  mlp_finish(net, pass);
}

static void mlp_vjp_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const mlp *self = net->self;
  if (self->small) {
    mlp_small_vjp(net, pass, rank);
    return;
  }
  const mlp_at at = CARVE(mlp_carve, net, pass);
  int lo, hi;
  for (int l = self->n_linear - 1; l >= 0; l--) {
    rank_range(self->linear[l].column_rank, self->linear[l].k, rank, &lo, &hi);
    mlp_columns(net, pass, &at, l, lo, hi);
  }
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Units lo..m-1 of linear layer l, from their order in theta. */
static void mlp_sort(const mlp_linear *linear, int lo, const real *from, real *to) {
  if (linear->row) {
    for (int i = lo; i < linear->m; i++) to[i] = from[linear->row[i]];
  } else {
    memcpy(to + lo, from + lo, sizeof(real) * (size_t)(linear->m - lo));
  }
}

static void mlp_unsort_add(const mlp_linear *linear, int lo, const real *from, real *to) {
  if (linear->row) {
    for (int i = lo; i < linear->m; i++) to[linear->row[i]] += from[i];
  } else {
    for (int i = lo; i < linear->m; i++) to[i] += from[i];
  }
}

static void mlp_prepare(const bj_net *net, const real *theta, real *prep) {
  const mlp *self = net->self;
  const mlp_linear *last = self->linear + self->n_linear - 1;
  for (int l = 0; l < self->n_linear && self->masked; l++) {
    const mlp_linear *linear = self->linear + l;
    for (int k = 0; k < linear->k; k++) {
      const real *from = theta + linear->theta_w + (long)linear->column[k] * linear->m;
      real *to = prep + linear->prep_w + (long)k * linear->m;
      memset(to, 0, sizeof(real) * (size_t)linear->m_lo[k]);
      mlp_sort(linear, linear->m_lo[k], from, to);
    }
    mlp_sort(linear, 0, theta + linear->theta_b, prep + linear->prep_b);
  }
  if (!self->offset) return;
  for (int i = 0; i < last->m; i++) prep[last->prep_b + i] = theta[last->theta_b + i] + self->offset[i];
}

static void mlp_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  const mlp *self = net->self;
  for (int l = 0; l < self->n_linear && self->masked; l++) {
    const mlp_linear *linear = self->linear + l;
    for (int k = 0; k < linear->k; k++) {
      const real *from = gprep + linear->prep_w + (long)k * linear->m;
      real *to = gtheta + linear->theta_w + (long)linear->column[k] * linear->m;
      mlp_unsort_add(linear, linear->m_lo[k], from, to);
    }
    mlp_unsort_add(linear, 0, gprep + linear->prep_b, gtheta + linear->theta_b);
  }
}

static void mlp_describe(const bj_net *net, bj_describe *out) {
  const mlp *self = net->self;
  char name[16];
  for (int l = 0; l < self->n_linear; l++) {
    snprintf(name, sizeof name, "W%d", l + 1);
    describe_slot(out, name, 2, self->linear[l].m, self->linear[l].k);
    snprintf(name, sizeof name, "b%d", l + 1);
    describe_slot(out, name, 1, self->linear[l].m, 0);
  }
}

static void mlp_init(const bj_net *net, real *theta, bj_rng *rng) {
  const mlp *self = net->self;
  for (int l = 0; l < self->n_linear; l++) {
    const mlp_linear *linear = self->linear + l;
    const int last = l == self->n_linear - 1;
    net_start_draw(&self->start, last, 0, linear->k, (long)linear->m * linear->k, theta + linear->theta_w, rng);
    net_start_draw(&self->start, last, 1, linear->k, linear->m, theta + linear->theta_b, rng);
  }
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

/* Sorted order of the hidden units of one layer: units of rank -1 first, then 0, 1, ... */
static void mlp_hidden_ranks(const bj_net_request *request, int m, int *row, int *row_rank) {
  const int conditional = request->n_in > 0 && request->in_rank[0] < 0;
  const int first = conditional ? -1 : 0;
  const int cycle = conditional ? request->n_rank : (request->n_rank > 1 ? request->n_rank - 1 : 1);
  int at = 0;
  for (int rank = 0; rank < cycle; rank++) {
    for (int j = rank; j < m; j += cycle, at++) {
      row[at] = j;
      row_rank[at] = rank + first;
    }
  }
}

static void mlp_build_mask(mlp *self, const bj_net_request *request, int l, bj_build *build) {
  mlp_linear *linear = self->linear + l;
  const int last = l == self->n_linear - 1;
  int *row = last ? NULL : build_alloc(build, sizeof(int) * (size_t)linear->m);
  int *row_rank = build_alloc(build, sizeof(int) * (size_t)linear->m);
  int *k_hi = build_alloc(build, sizeof(int) * (size_t)linear->m);
  int *m_lo = build_alloc(build, sizeof(int) * (size_t)linear->k);
  if (last) {
    memcpy(row_rank, request->out_rank, sizeof(int) * (size_t)linear->m);
  } else {
    mlp_hidden_ranks(request, linear->m, row, row_rank);
  }
  linear->row = row;
  linear->row_rank = row_rank;
  linear->column = l > 0 ? self->linear[l - 1].row : request->in_column;
  linear->column_rank = l > 0 ? self->linear[l - 1].row_rank : request->in_rank;
  /* ranks ascend on both sides, and so do the bounds */
  for (int i = 0, k = 0; i < linear->m; i++) {
    while (k < linear->k && row_rank[i] - last >= linear->column_rank[k]) k++;
    k_hi[i] = k;
  }
  for (int k = 0, i = 0; k < linear->k; k++) {
    while (i < linear->m && row_rank[i] - last < linear->column_rank[k]) i++;
    m_lo[k] = i;
  }
  linear->k_hi = k_hi;
  linear->m_lo = m_lo;
}

static bj_status mlp_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  mlp *self = net->self = build_alloc(build, sizeof(mlp));
  int depth;
  const int *width = spec_counts(build, spec, "width", 0, &depth);
  if (depth >= MLP_MAX_LINEAR) return spec_error(build, "`depth` of a net must be at most %d", MLP_MAX_LINEAR - 1);
  self->n_linear = depth + 1;
  self->linear = build_alloc(build, sizeof(mlp_linear) * (size_t)self->n_linear);
  self->masked = request->in_rank != NULL;
  self->offset = request->offset;
  self->start = net_start_read(build, spec);
  self->act = activation_read(build, spec);
  if (depth == 1 && !self->act->apply) mlp_small_build(self, request);
  for (int l = 0; l < self->n_linear; l++) {
    mlp_linear *linear = self->linear + l;
    const int last = l == depth;
    linear->k = l > 0 ? self->linear[l - 1].m : request->n_in;
    linear->m = last ? request->n_out : width[l];
    const long weights = size_product(build, linear->m, linear->k);
    if (build->status != BJ_OK) return build->status;
    linear->theta_w = net->n_param;
    linear->theta_b = linear->theta_w + weights;
    net->n_param = size_sum(build, linear->theta_b, linear->m);
    linear->prep_w = linear->prep_b = -1;
    if (self->masked) {
      linear->prep_w = net->n_prep;
      net->n_prep += weights;
      mlp_build_mask(self, request, l, build);
    }
    if (self->masked || (last && self->offset)) {
      linear->prep_b = net->n_prep;
      net->n_prep += linear->m;
    }
  }
  MEASURE(mlp_carve, net);
  return build->status;
}

static const bj_net_kind net_mlp = {
    .name = "mlp",
    .masks = 1,
    .build = mlp_build,
    .describe = mlp_describe,
    .init = mlp_init,
    .prepare = mlp_prepare,
    .prepare_vjp = mlp_prepare_vjp,
    .forward = mlp_forward,
    .vjp = mlp_vjp,
    .forward_rank = mlp_forward_rank,
    .vjp_rank = mlp_vjp_rank,
    .vjp_finish = mlp_finish,
};
