/* Flow matching (Lipman et al. 2023, arXiv:2210.02747) of the one layer that follows a vector field f: each row of the
 * data is paired with a draw of the base. Brought to the two sides of that layer they are x1 and x0, and with
 * u ~ U(0, 1)
 *
 *   t = t0 + u (t1 - t0), z = x0 + u (x1 - x0): |f(t, z) - (x1 - x0) / (t1 - t0)|^2
 *
 * Layers before and behind it are taken as they are: they get no gradient.
 */
#include "layer-chain.h"
#include "loss.h"
#include "num-rows.h"
#include "num-streams.h"

typedef struct {
  int at; /* number of the layer in the chain */
} matching;

static bj_status matching_build(bj_loss *loss, const bj_spec *spec, const bj_flow *flow, bj_build *build) {
  matching *self = loss->self = build_alloc(build, sizeof(matching));
  const bj_layer *chain = flow->layer;
  int found = 0;
  (void)spec;
  for (int i = 0; chain->kind == &layer_chain && i < layer_chain_size(chain); i++) {
    if (!layer_chain_member(chain, i)->kind->velocity) continue;
    self->at = i;
    found++;
  }
  loss->velocity = 1;
  if (found != 1) return spec_error(build, "flow matching needs one continuous layer in a chain");
  return BJ_OK;
}

/* One group of blocks of the layer's pass, whose x and y are x1 and x0. z, f and t are buffers of the space; f becomes
 * the cotangent of f. */
static void matching_group(const bj_layer *layer, bj_pass pass, const real *weight, uint64_t seed, real *z, real *f,
                           real *t, real *loss_row) {
  const real *x1 = pass.x, *x0 = pass.y;
  const int d = layer->d;
  const real t0 = layer->t0, t1 = layer->t1;
  for (int b = 0; b < pass.nb; b++) {
    real unused[BJ_BLOCK], *u = t + (long)b * BJ_BLOCK;
    random_uniform2(seed, pass.row + (uint64_t)b * BJ_BLOCK, 0, u, unused);
    FOR_ROWS(r) {
      for (int j = 0; j < d; j++) {
        const long at = ((long)b * d + j) * BJ_BLOCK + r;
        vstore(z + at, vload(x0 + at) + vload(u + r) * (vload(x1 + at) - vload(x0 + at)));
      }
      vstore(u + r, t0 + vload(u + r) * (t1 - t0));
    }
  }
  pass.x = z;
  pass.y = f;
  layer->kind->velocity(layer, &pass, t);
  FOR_BLOCK_ROWS(pass.nb, b, r) {
    const long row = (long)b * BJ_BLOCK + r;
    vreal sum = vset(0);
    for (int j = 0; j < d; j++) {
      const long at = ((long)b * d + j) * BJ_BLOCK + r;
      const vreal speed = (vload(x1 + at) - vload(x0 + at)) * (1 / (t1 - t0));
      const vreal miss = vload(f + at) - speed;
      sum += miss * miss;
      vstore(f + at, 2.0 * miss * vload(weight + row));
    }
    vstore(loss_row + row, sum);
  }
  if (pass.run->purpose != RUN_TRAIN) return;
  pass.gy = f;
  layer->kind->velocity_vjp(layer, &pass, t);
}

static bj_status matching_chunk(const bj_loss *loss, const flow_params *params, flow_space *space, uint64_t row,
                                int nb) {
  const bj_base *base = params->flow->base;
  const bj_layer *chain = params->flow->layer;
  const int at = ((const matching *)loss->self)->at;
  const bj_layer *layer = layer_chain_member(chain, at);
  bj_logdet logdet = {space->sum, space->factor, 0};
  bj_pass pass = chunk_pass(params, space, row, nb, &logdet);
  pass.gtheta = space->gtheta + base->n_param;
  pass.gprep = space->gprep + base->n_prep;
  const bj_base_pass base_pass = chunk_base_pass(params, space, nb, BJ_INVERSE);
  base->kind->draw(base, &base_pass, stream_seed(params->run.seed, STREAM_PAIR, 0), row, space->y);
  logdet_start(&logdet, nb);
  bj_pass drawn = pass;
  drawn.x = space->y;
  bj_status status = layer_chain_part(chain, &drawn, 0, at, BJ_FORWARD);
  if (status == BJ_OK) status = layer_chain_part(chain, &pass, at + 1, layer_chain_size(chain), BJ_INVERSE);
  if (status != BJ_OK) return status;
  bj_pass own = pass;
  layer_chain_enter(chain, &pass, at, BJ_INVERSE, &own);
  const uint64_t seed = stream_seed(params->run.seed, STREAM_MATCH, layer->number);
  for (int first = 0; first < nb; first += layer->group) {
    const long rows = (long)first * BJ_BLOCK, points = rows * layer->d;
    bj_pass part = own;
    part.nb = nb - first < layer->group ? nb - first : layer->group;
    part.row += (uint64_t)rows;
    part.x += points;
    part.y += points;
    if (part.condition) part.condition += rows * layer->n_condition;
    matching_group(layer, part, space->weight_row + rows, seed, space->gx + points, space->gy + points,
                   space->gl + rows, space->loss_row + rows);
  }
  return BJ_OK;
}

static const bj_loss_kind loss_flow_matching = {
    .name = "flow_matching",
    .build = matching_build,
    .chunk = matching_chunk,
};
