/* A flow inside the core: a base distribution and one layer (mostly a chain), and the workspace of one chunk. */
#ifndef BJ_FLOW_H
#define BJ_FLOW_H

#include "protocol.h"

struct bj_flow {
  int d, n_condition;
  long n_param, n_prep; /* base first, then the layer */
  bj_base *base;
  bj_layer *layer;
};

/* All that one chunk needs: every array is [block][..][BJ_BLOCK] for up to BJ_CHUNK blocks. */
typedef struct {
  real *x, *y, *condition;
  real *sum, *factor, *log_density;
  real *gy, *gx, *gl, *gp, *gcondition;
  real *penalty, *gpenalty;
  real *cache, *work;
  real *gtheta, *gprep; /* gradient of the slot: n_param + n_prep, contiguous */
  real loss, weight;    /* sums of the slot */
  bj_status status;
  bj_error error;
} flow_space;

/* Slots share the chunks of a call between them in a fixed way, each with its own gradient, whatever the number of
 * threads: that makes sums the same for any number. */
#define FLOW_SLOTS 4

typedef struct {
  const bj_flow *flow;
  const real *theta, *prep;
  bj_run run;
} flow_params;

#endif
