/* The loss of a set of rows, sum_i w_i loss_i / sum_i w_i, and its gradient: rows are gathered into chunks, which go
 * through a loss of data (loss.h) slot by slot.
 *
 * Several processes (bj_share) have the same state, each takes its share of the rows of a batch, what they find is
 * summed, and all make the same step. Row i of a batch has the same random numbers whoever takes it.
 *
 * The n rows of an epoch are in m lanes: lane l has rows n l / m to n (l + 1) / m, is shuffled on its own and gives to
 * a batch the part of its rows that the batch has of all. So batches depend on the number of lanes, not on that of
 * processes, and one that has some lanes needs the rows of no others. */
#include "num-streams.h"
#include "trainer.h"

/* Where part i of m equal ones of n rows begins, and how many rows parts i to j - 1 have. */
static long share_start(long n, long i, long m) { return (long)((int64_t)n * i / m); }
static long share_size(long n, long i, long j, long m) { return share_start(n, j, m) - share_start(n, i, m); }

static bj_status share_check(const bj_train_setup *setup, bj_build *build) {
  const bj_share *share = setup->share;
  if (!share || share->n_here == share_size(setup->n, share->lane, share->lane_end, share->n_lane)) return BJ_OK;
  return spec_error(build, "`train_row` must have the rows of the lanes of this process");
}

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
  const int *rows = t->rows.row + first;
  const bj_train_setup *setup = t->setup;
  const bj_flow *flow = t->params.flow;
  const int nb = (n + BJ_BLOCK - 1) / BJ_BLOCK;
  space->status = pack_rows(&setup->data, flow->d, rows, 0, n, nb, space->x);
  if (space->status != BJ_OK) return;
  space->status = pack_rows(&setup->condition, flow->n_condition, rows, 0, n, nb, space->condition);
  if (space->status != BJ_OK) return;
  if (t->loss->n_end > 0) space->status = pack_rows(&setup->ends, t->loss->n_end, rows, 0, n, nb, space->ends);
  if (space->status != BJ_OK) return;
  if (t->params.run.purpose == RUN_TRAIN && setup->noise > 0) move_rows(t, space, t->rows.first + first, nb);
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    space->weight_row[i] = i < n ? (setup->weight ? setup->weight[rows[i]] : 1) : 0;
  }
  const uint64_t row = (uint64_t)t->params.run.step * (uint64_t)setup->n + (uint64_t)(t->rows.first + first);
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
  for (long first = slot * size; first < t->rows.n && space->status == BJ_OK; first += size * t->n_slot) {
    if (workers_stopped(t->workers)) {
      space->status = BJ_STOPPED;
      return;
    }
    rows_chunk(t, space, first, (int)(t->rows.n - first < size ? t->rows.n - first : size));
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

/* Sums of what all processes have found; `status` is that of this one. A step that one could not finish has happened
 * for none of them. */
static bj_status share_sum(trainer *t, bj_status status, int training, double *loss, double *weight) {
  const bj_share *share = t->setup->share;
  if (!share || !share->sum) return status;
  double number[BJ_SHARED] = {*loss, *weight, status != BJ_OK, t->ending};
  const bj_status summed =
      share->sum(share->host, t->gradient, training ? t->params.flow->n_param : 0, number, BJ_SHARED);
  if (status != BJ_OK || summed != BJ_OK) return status != BJ_OK ? status : summed;
  *loss = number[0];
  *weight = number[1];
  t->ending = number[3] > 0;
  return number[2] > 0 ? BJ_STOPPED : BJ_OK;
}

/* The sums of the slots, and what became of them. */
static bj_status slots_loss(const trainer *t, double *loss, double *weight, bj_error *error) {
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
  return BJ_OK;
}

static bj_status rows_loss(trainer *t, const real *theta, row_range rows, bj_purpose purpose, double *loss,
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
  t->n_slot = slot_count(t->params.flow, rows.n);
  const double begun = workers->clock();
  flow_prepare(t->params.flow, &t->params.run, theta, t->prep);
  tasks_run(workers, t->trial.on, t->n_slot, rows_slot, t);
  bj_status status = slots_loss(t, loss, weight, error);
  if (training && status == BJ_OK) {
    spaces_reduce(&t->params, t->spaces, t->n_slot, workers, t->trial.on);
    if (workers->n_worker > 1) trial_took(&t->trial, workers->clock() - begun);
  }
  status = share_sum(t, status, training, loss, weight);
  if (*weight > 0) *loss /= *weight;
  return status;
}

/* Shuffles rows; `lane` of several has an order of its own. */
static void shuffle(const bj_train_setup *setup, double epoch, int lane, int *row, long n) {
  const int lanes = setup->share && setup->share->n_lane > 1;
  const uint64_t seed = lanes ? stream_seed(setup->seed, STREAM_LANE, lane) : setup->seed;
  bj_rng rng = rng_start(seed, RNG_SHUFFLE + (uint64_t)epoch);
  for (long i = n - 1; i > 0; i--) {
    const long j = (long)rng_below(&rng, (uint64_t)i + 1);
    const int swap = row[i];
    row[i] = row[j];
    row[j] = swap;
  }
}

/* The rows of this epoch in their order. A batch of all rows needs none. */
static const int *rows_ordered(trainer *t) {
  const bj_train_setup *setup = t->setup;
  const bj_share *share = setup->share;
  const long n_here = share ? share->n_here : setup->n;
  if (setup->batch_size >= setup->n) return setup->train_row;
  if (t->order_epoch == t->state->epoch) return t->order;
  t->order_epoch = t->state->epoch;
  memcpy(t->order, setup->train_row, sizeof(int) * (size_t)n_here);
  if (!share) shuffle(setup, t->order_epoch, 0, t->order, setup->n);
  int *row = t->order;
  for (int lane = share ? share->lane : 0; share && lane < share->lane_end; lane++) {
    const long n = share_size(setup->n, lane, lane + 1, share->n_lane);
    shuffle(setup, t->order_epoch, lane, row, n);
    row += n;
  }
  return t->order;
}

/* What this process takes of the batch whose rows are [from, to) of all: the same part of each of its lanes, and of
 * these rows its part. */
static row_range rows_shared(trainer *t, const int *order, long from, long to) {
  const bj_share *share = t->setup->share;
  const long n = t->setup->n;
  row_range rows = {.row = t->batch, .n_all = to - from};
  for (int lane = 0; lane < share->lane_end; lane++) {
    const long size = share_size(n, lane, lane + 1, share->n_lane), begin = share_start(size, from, n),
               end = share_start(size, to, n);
    if (lane < share->lane) {
      rows.first += end - begin;
      continue;
    }
    memcpy(t->batch + rows.n, order + begin, sizeof(int) * (size_t)(end - begin));
    rows.n += end - begin;
    order += size;
  }
  const long begin = share_start(rows.n, share->part, share->n_part);
  rows.n = share_size(rows.n, share->part, share->part + 1, share->n_part);
  rows.row += begin;
  rows.first += begin;
  return rows;
}

static row_range rows_batch(trainer *t) {
  const bj_train_setup *setup = t->setup;
  const long from = (long)t->state->position;
  const long to = setup->n - from < setup->batch_size ? setup->n : from + setup->batch_size;
  const int *order = rows_ordered(t);
  if (setup->share) return rows_shared(t, order, from, to);
  return (row_range){.row = order + from, .n = to - from, .n_all = to - from};
}

static row_range rows_held_out(const trainer *t) {
  const bj_train_setup *setup = t->setup;
  const bj_share *share = setup->share;
  const int rank = share ? share->rank : 0, n_rank = share ? share->n_rank : 1;
  const long n = setup->n_validation, first = share_start(n, rank, n_rank);
  return (row_range){
      .row = setup->validation_row + first, .n = share_size(n, rank, rank + 1, n_rank), .first = first, .n_all = n};
}

static void rows_begin(trainer *t, const bj_memory *memory) {
  const bj_train_setup *setup = t->setup;
  const bj_flow *flow = t->params.flow;
  /* lanes give a row more or less than their part */
  const bj_share *share = setup->share;
  const long batch = setup->batch_size + (share ? share->n_lane : 0), n_here = share ? share->n_here : setup->n;
  const long most = setup->n > setup->n_validation ? setup->n : setup->n_validation;
  const int one_batch = batch < setup->n && setup->n_validation <= batch;
  t->prep = memory->alloc(memory->host, sizeof(real) * (size_t)(flow->n_prep + 1));
  t->params.prep = t->prep;
  t->spaces = spaces_make(flow, slot_count(flow, one_batch ? batch : most), 1, memory, t->workers->n_worker > 1);
  t->gradient = t->spaces[0].gtheta;
  if (setup->batch_size < setup->n) t->order = memory->alloc(memory->host, sizeof(int) * (size_t)n_here);
  if (share) t->batch = memory->alloc(memory->host, sizeof(int) * (size_t)(batch < setup->n ? batch : setup->n));
  t->order_epoch = -1;
}
