/* The loss of a set of rows, sum_i w_i loss_i / sum_i w_i, and its gradient: rows are gathered into chunks, which go
 * through a loss of data (loss.h) slot by slot. */
#include "num-streams.h"
#include "trainer.h"

/* Noise regularisation: x += amplitude root e, e ~ N(0, I), a fresh draw a row and step. The amplitude falls along a
 * cosine to zero at the end of the schedule. Row i of the batch at step s has draw number s * n + i. */
static void add_noise(const trainer *t, real *x, long first, int nb) {
  const bj_train_setup *setup = t->setup;
  const int d = t->params.flow->d;
  const double amplitude = setup->noise * cosine_between(1, 0, fmin(t->state->step / setup->schedule_steps, 1));
  const uint64_t seed = stream_seed(setup->seed, STREAM_NOISE, 0);
  real e[2][BJ_BLOCK];
  for (int b = 0; b < nb; b++) {
    const uint64_t row = (uint64_t)t->state->step * (uint64_t)setup->n + (uint64_t)(first + b * BJ_BLOCK);
    for (int k = 0; k < d; k++) {
      if (k % 2 == 0) random_normal2(seed, row, (uint32_t)(k / 2), e[0], e[1]);
      for (int j = k; j < d; j++) {
        const vreal root = vset(amplitude * setup->noise_root[j + (long)k * d]);
        real *to = x + ((long)b * d + j) * BJ_BLOCK;
        FOR_ROWS(r) vstore(to + r, vload(to + r) + root * vload(e[k % 2] + r));
      }
    }
  }
}

/* Noise for a chunk; all ends of an interval move alike. */
static void move_rows(const trainer *t, flow_space *space, long first, int nb) {
  const int n_end = t->loss->n_end;
  if (n_end == 0) {
    add_noise(t, space->x, first, nb);
    return;
  }
  real *moves = space->tails;
  memset(moves, 0, sizeof(real) * (size_t)nb * BJ_BLOCK);
  add_noise(t, moves, first, nb);
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    real *ends = space->ends + (long)(i / BJ_BLOCK) * n_end * BJ_BLOCK + i % BJ_BLOCK;
    space->x[i] += moves[i];
    for (int k = 0; k < n_end; k++) ends[k * BJ_BLOCK] += moves[i];
  }
}

/* Adds the chunk's weighted loss, its weight, and the gradient of the loss. `first` is its first row in the batch. */
static void rows_chunk(const trainer *t, flow_space *space, long first, int n) {
  const int *rows = t->rows + first;
  const bj_train_setup *setup = t->setup;
  const bj_flow *flow = t->params.flow;
  const int nb = (n + BJ_BLOCK - 1) / BJ_BLOCK;
  space->status = pack_rows(&setup->data, flow->d, rows, 0, n, nb, space->x);
  if (space->status != BJ_OK) return;
  space->status = pack_rows(&setup->condition, flow->n_condition, rows, 0, n, nb, space->condition);
  if (space->status != BJ_OK) return;
  if (t->loss->n_end > 0) space->status = pack_rows(&setup->ends, t->loss->n_end, rows, 0, n, nb, space->ends);
  if (space->status != BJ_OK) return;
  if (t->params.run.purpose == RUN_TRAIN && setup->noise > 0) move_rows(t, space, first, nb);
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    space->weight_row[i] = i < n ? (setup->weight ? setup->weight[rows[i]] : 1) : 0;
  }
  const uint64_t row = (uint64_t)t->params.run.step * (uint64_t)setup->n + (uint64_t)first;
  space->status = t->loss->kind->chunk(t->loss, &t->params, space, row, nb);
  if (space->status != BJ_OK) return;
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    const real weight = space->weight_row[i];
    if (weight == 0) continue; /* 0 * Inf is not 0 */
    space->loss += weight * space->loss_row[i];
    space->weight += weight;
  }
}

static void rows_slot(void *arg, int slot) {
  const trainer *t = arg;
  const long size = BJ_CHUNK * BJ_BLOCK;
  flow_space *space = t->spaces + slot;
  space->status = BJ_OK;
  space->loss = space->weight = 0;
  if (t->params.run.purpose == RUN_TRAIN) space_clear_gradient(t->params.flow, space);
  for (long first = slot * size; first < t->n_row && space->status == BJ_OK; first += size * t->n_slot) {
    if (workers_stopped(t->workers)) {
      space->status = BJ_STOPPED;
      return;
    }
    rows_chunk(t, space, first, (int)(t->n_row - first < size ? t->n_row - first : size));
  }
  /* a net that the host evaluates, and that failed, has told nobody */
  if (space->status == BJ_OK && workers_stopped(t->workers)) space->status = BJ_STOPPED;
}

static void trial_took(thread_trial *trial, double seconds) {
  const double long_step = 2e-4, enough = 5e-3;
  const int most = 3, on = trial->on;
  if (trial->steps[1] < 0) return; /* chosen */
  trial->seconds[on] += seconds;
  trial->steps[on]++;
  if (trial->steps[on] < most && trial->seconds[on] < enough) return;
  const double each[2] = {trial->seconds[0] / trial->steps[0],
                          trial->steps[1] > 0 ? trial->seconds[1] / trial->steps[1] : 0};
  trial->on = !on ? each[0] > long_step : each[1] < each[0];
  if (on || !trial->on) trial->steps[1] = -1;
}

static bj_status rows_loss(trainer *t, const real *theta, const int *rows, long n, bj_purpose purpose, double *loss,
                           double *weight, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  const bj_workers *workers = t->workers;
  const int training = purpose == RUN_TRAIN;
  t->params.theta = theta;
  t->params.run = (bj_run){
      .purpose = purpose,
      .direction = BJ_INVERSE,
      .seed = training ? setup->seed : stream_seed(setup->seed, STREAM_VALIDATE, 0),
      .step = training ? (uint64_t)t->state->step : 0,
      .velocity = t->loss->velocity,
      .workers = t->trial.on && t->params.flow->n_param >= LONG_VECTOR ? workers : NULL,
  };
  t->rows = rows;
  t->n_row = n;
  t->n_slot = slot_count(t->params.flow, n);
  const double begun = workers->clock();
  flow_prepare(t->params.flow, &t->params.run, theta, t->prep);
  tasks_run(workers, t->trial.on, t->n_slot, rows_slot, t);
  *loss = *weight = 0;
  for (int s = 0; s < t->n_slot; s++) {
    const bj_status status = t->spaces[s].status;
    if (status == BJ_STOPPED || status == BJ_BAD_SPEC || (status != BJ_OK && t->state->step == 0)) {
      *error = t->spaces[s].error;
      return status;
    }
    if (status != BJ_OK) t->spaces[s].loss = NAN; /* parameters that a solver cannot follow are bad ones */
    *loss += t->spaces[s].loss;
    *weight += t->spaces[s].weight;
  }
  if (*weight > 0) *loss /= *weight;
  if (!training) return BJ_OK;
  spaces_reduce(&t->params, t->spaces, t->n_slot, workers, t->trial.on);
  if (workers->n_worker > 1) trial_took(&t->trial, workers->clock() - begun);
  return BJ_OK;
}

static const int *rows_batch(trainer *t, long *n) {
  const bj_train_setup *setup = t->setup;
  const bj_train_state *state = t->state;
  const long position = (long)state->position;
  *n = setup->n - position < setup->batch_size ? setup->n - position : setup->batch_size;
  if (setup->batch_size >= setup->n) return setup->train_row;
  if (t->order_epoch != state->epoch) {
    bj_rng rng = rng_start(setup->seed, RNG_SHUFFLE + (uint64_t)state->epoch);
    memcpy(t->order, setup->train_row, sizeof(int) * (size_t)setup->n);
    for (long i = setup->n - 1; i > 0; i--) {
      const long j = (long)rng_below(&rng, (uint64_t)i + 1);
      const int swap = t->order[i];
      t->order[i] = t->order[j];
      t->order[j] = swap;
    }
    t->order_epoch = state->epoch;
  }
  return t->order + position;
}

static void rows_begin(trainer *t, const bj_memory *memory) {
  const bj_train_setup *setup = t->setup;
  const bj_flow *flow = t->params.flow;
  const long most = setup->n > setup->n_validation ? setup->n : setup->n_validation;
  const int one_batch = setup->batch_size < setup->n && setup->n_validation <= setup->batch_size;
  t->prep = memory->alloc(memory->host, sizeof(real) * (size_t)(flow->n_prep + 1));
  t->params.prep = t->prep;
  t->spaces =
      spaces_make(flow, slot_count(flow, one_batch ? setup->batch_size : most), 1, memory, t->workers->n_worker > 1);
  t->gradient = t->spaces[0].gtheta;
  if (setup->batch_size < setup->n) t->order = memory->alloc(memory->host, sizeof(int) * (size_t)setup->n);
  t->order_epoch = -1;
}
