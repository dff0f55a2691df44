/* Maximum likelihood: -log p(x), and in training the penalties of layers. */
#include "loss.h"

static bj_status likelihood_chunk(const bj_loss *loss, const flow_params *params, flow_space *space, uint64_t row,
                                  int nb) {
  const int training = params->run.purpose == RUN_TRAIN;
  (void)loss;
  const bj_status status = chunk_run(params, space, row, nb);
  if (status != BJ_OK) return status;
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    space->loss_row[i] = (training ? space->penalty[i] : 0) - space->log_density[i];
  }
  if (!training) return BJ_OK;
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    space->gpenalty[i] = space->weight_row[i];
    space->gp[i] = -space->weight_row[i];
    space->gl[i] = 0;
  }
  memset(space->gy, 0, sizeof(real) * (size_t)nb * (size_t)params->flow->d * BJ_BLOCK);
  return chunk_vjp(params, space, row, nb);
}

static const bj_loss_kind loss_maximum_likelihood = {
    .name = "maximum_likelihood",
    .chunk = likelihood_chunk,
};
