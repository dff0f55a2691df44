/* Flow matching (Lipman et al. 2023, arXiv:2210.02747) of the one continuous layer: each row x of the data is paired
 * with a draw of the base. */
#include "loss.h"
#include "num-streams.h"

static bj_status matching_build(bj_loss *loss, const bj_spec *spec, const bj_flow *flow, bj_build *build) {
  (void)spec;
  (void)flow;
  (void)build;
  loss->velocity = 1;
  return BJ_OK;
}

static bj_status matching_chunk(const bj_loss *loss, const flow_params *params, flow_space *space, uint64_t row,
                                int nb) {
  const bj_base *base = params->flow->base;
  const bj_layer *layer = params->flow->layer;
  bj_logdet logdet = {space->sum, space->factor, 0};
  (void)loss;
  bj_pass pass = chunk_pass(params, space, row, nb, &logdet);
  base->kind->draw(base, params->theta, params->prep, stream_seed(params->run.seed, STREAM_PAIR, 0), row, nb, space->y);
  memset(space->penalty, 0, sizeof(real) * (size_t)nb * BJ_BLOCK);
  memcpy(space->gpenalty, space->weight_row, sizeof(real) * (size_t)nb * BJ_BLOCK);
  logdet_start(&logdet, nb);
  pass.penalty = space->penalty;
  pass.gcondition = space->gcondition;
  pass.gtheta = space->gtheta + base->n_param;
  pass.gprep = space->gprep + base->n_prep;
  const bj_status status = layer->kind->match(layer, &pass);
  memcpy(space->loss_row, space->penalty, sizeof(real) * (size_t)nb * BJ_BLOCK);
  return status;
}

static const bj_loss_kind loss_flow_matching = {
    .name = "flow_matching",
    .build = matching_build,
    .chunk = matching_chunk,
};
