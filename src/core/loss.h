/* What a loss of data is to the trainer. As the other kinds, see protocol.h. */
#ifndef BJ_LOSS_H
#define BJ_LOSS_H

#include "flow.h"

typedef struct bj_loss bj_loss;

typedef struct {
  const char *name;
  /* Reads the spec, and refuses flows that it cannot train; NULL: there is nothing to read. */
  bj_status (*build)(bj_loss *loss, const bj_spec *spec, const bj_flow *flow, bj_build *build);
  /* The loss of every row of a chunk into space->loss_row; data, conditions and weights (zero in the padding) are in
   * the space, and `row` numbers the first row for what is drawn. In training (params->run.purpose) it also adds the
   * gradient of sum(weight_row * loss_row) to the space's. */
  bj_status (*chunk)(const bj_loss *loss, const flow_params *params, flow_space *space, uint64_t row, int nb);
} bj_loss_kind;

struct bj_loss {
  const bj_loss_kind *kind;
  int velocity; /* only velocities of layers are asked for, see bj_run */
  int n_end;    /* further columns that it needs of every row, in space->ends */
  void *self;
};

static bj_status loss_build(bj_build *build, const bj_spec *spec, const bj_flow *flow, bj_loss **out);

#endif
