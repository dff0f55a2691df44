/* What the files of mlp share (see net-mlp.c). */
#ifndef BJ_NET_MLP_H
#define BJ_NET_MLP_H

#include "net-mlp-activation.h"
#include "net-mlp-small.h"
#include "net-start.h"
#include "num-carve.h"
#include "protocol.h"

#define MLP_MAX_LINEAR 34 /* depth of at most 33 */

typedef struct {
  int m, k;                /* W is m x k */
  long theta_w, theta_b;   /* offsets in the parameters */
  long prep_w, prep_b;     /* offsets in prep (masked nets; prep_b also where the output has an offset) */
  const int *row, *column; /* sorted position -> position in theta (masked nets); row NULL: the same, the last layer */
  const int *row_rank, *column_rank;
  const int *k_hi; /* kept prefix of each row */
  const int *m_lo; /* first kept row of each column: the same mask seen by the transpose */
} mlp_linear;

typedef struct {
  int n_linear, masked;
  const small_kernels *small; /* of net-mlp-small.c, or NULL */
  int small_first;            /* the first of the outputs that they give */
  const activation *act;
  mlp_linear *linear; /* n_linear */
  const real *offset;
  net_start start;
} mlp;

/* What linear layer l leaves, all but the last: h, act' (NULL with relu) and the gradient of what act takes. */
typedef struct {
  real *h[MLP_MAX_LINEAR], *slope[MLP_MAX_LINEAR], *g[MLP_MAX_LINEAR];
  real *gx; /* small nets: for a gx that nobody wants */
} mlp_at;

INLINE mlp_at mlp_carve(const bj_net *net, carver *cache, carver *work) {
  const mlp *self = net->self;
  mlp_at at = {0};
  if (self->small) at.gx = carve_rows(work, net->n_in);
  for (int l = 0; l < self->n_linear - 1 && !self->small; l++) {
    const int m = self->linear[l].m;
    at.h[l] = carve_rows(cache, m);
    at.slope[l] = self->act->apply ? carve_rows(cache, m) : NULL;
    at.g[l] = carve_rows(work, m);
  }
  return at;
}

INLINE const real *mlp_weight(const mlp *self, const bj_net_pass *pass, int l) {
  return self->masked ? pass->prep + self->linear[l].prep_w : pass->theta + self->linear[l].theta_w;
}

INLINE const real *mlp_bias(const mlp *self, const bj_net_pass *pass, int l) {
  const mlp_linear *linear = self->linear + l;
  return linear->prep_b >= 0 ? pass->prep + linear->prep_b : pass->theta + linear->theta_b;
}

/* Where the gradients of linear layer l are summed up. */
INLINE real_sum *mlp_weight_sum(const mlp *self, const bj_net_pass *pass, int l) {
  return self->masked ? pass->gprep + self->linear[l].prep_w : pass->gtheta + self->linear[l].theta_w;
}
INLINE real_sum *mlp_bias_sum(const mlp *self, const bj_net_pass *pass, int l) {
  return self->masked ? pass->gprep + self->linear[l].prep_b : pass->gtheta + self->linear[l].theta_b;
}

/* ---- small nets: net-mlp-small.c --------------------------------------------------------------------------------- */

/* Finds the kernels of a net of depth 1 with relu units, if it has any. */
static void mlp_small_build(mlp *self, const bj_net_request *request);
/* Outputs of the rank behind `rank`, of which there are those of -1 and 0; those of dense nets count as of rank 1. */
static void mlp_small_forward(const bj_net *net, const bj_net_pass *pass, int rank);
/* The gradient of inputs of rank `rank`, of which there are 0 and 1, and with those of rank 0 of all parameters but the
 * last bias. */
static void mlp_small_vjp(const bj_net *net, const bj_net_pass *pass, int rank);

#endif
