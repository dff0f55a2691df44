/* Maximum-likelihood training: minimises sum_i w_i (-log p(x_i)) / sum_i w_i over minibatches.
 *
 * One call advances the state by as many steps as fit into setup->seconds. Nothing depends on where calls are cut: the
 * order of rows in an epoch is a function of (seed, epoch), and all else is in the state.
 */
#include "flow.h"
#include "optimizer.h"

static const optimizer_kind *const optimizer_kinds[] = {&opt_adam, &opt_adamw, &opt_amsgrad, &opt_sgd};

static const optimizer_kind *optimizer_find(const char *name) {
  for (size_t i = 0; i < sizeof optimizer_kinds / sizeof *optimizer_kinds; i++) {
    if (!strcmp(optimizer_kinds[i]->name, name)) return optimizer_kinds[i];
  }
  return NULL;
}

static int optimizer_moments(const char *name) {
  const optimizer_kind *kind = optimizer_find(name);
  return kind ? kind->n_moment : -1;
}

typedef struct {
  flow_params params;
  const bj_train_setup *setup;
  bj_train_state *state;
  const optimizer_kind *optimizer;
  const bj_workers *workers;
  real *prep;
  flow_space *spaces;
  int *order; /* rows of this epoch */
  double order_epoch;
  /* the batch at work */
  const int *rows;
  long n_row;
  int gradient, n_slot;
  int threaded;
  double trial_seconds[2]; /* of the trial steps on one thread, on several */
  int trial_steps[2];
} trainer;

/* Keep the noise, and the draws of flow matching, apart from other draws under the same seed; and those of a
 * validation, which are always the same, from those of a step. */
#define NOISE_STREAM UINT64_C(0x6e6f697365)
#define PAIR_STREAM UINT64_C(0x70616972)
#define VALIDATE_STREAM UINT64_C(0x76616c6964617465)

/* ---- loss of a set of rows --------------------------------------------------------------------------------------- */

static void gather_rows(const double *matrix, long ld, int columns, const int *rows, int n, int nb, real *to) {
  for (int b = 0; b < nb; b++) {
    for (int j = 0; j < columns; j++) {
      const double *from = matrix + (long)j * ld;
      real *row = to + ((long)b * columns + j) * BJ_BLOCK;
      for (int r = 0; r < BJ_BLOCK; r++) {
        const int i = b * BJ_BLOCK + r;
        row[r] = from[rows[i < n ? i : n - 1]];
      }
    }
  }
}

/* Noise regularisation: x += amplitude root e, e ~ N(0, I), a fresh draw a row and step. The amplitude falls along a
 * cosine to zero at the end of the schedule. Row i of the batch at step s has draw number s * n + i. */
static void add_noise(const trainer *t, real *x, long first, int nb) {
  const bj_train_setup *setup = t->setup;
  const int d = t->params.flow->d;
  const double amplitude = setup->noise * cosine_between(1, 0, fmin(t->state->step / setup->schedule.steps, 1));
  real e[2][BJ_BLOCK];
  for (int b = 0; b < nb; b++) {
    const uint64_t row = (uint64_t)t->state->step * (uint64_t)setup->n + (uint64_t)(first + b * BJ_BLOCK);
    for (int k = 0; k < d; k++) {
      if (k % 2 == 0) random_normal2(setup->seed ^ NOISE_STREAM, row, (uint32_t)(k / 2), e[0], e[1]);
      for (int j = k; j < d; j++) {
        const vreal root = vset(amplitude * setup->noise_root[j + (long)k * d]);
        real *to = x + ((long)b * d + j) * BJ_BLOCK;
        FOR_ROWS(r) vstore(to + r, vload(to + r) + root * vload(e[k % 2] + r));
      }
    }
  }
}

/* The loss of a row is -log p + penalty, or the penalty alone, which is then that of flow matching for the row and a
 * draw from the base. */
static bj_status train_chunk_loss(const trainer *t, flow_space *space, uint64_t row, int nb) {
  const bj_base *base = t->params.flow->base;
  const bj_layer *layer = t->params.flow->layer;
  bj_logdet logdet = {space->sum, space->factor, 0};
  if (!t->setup->matching) return chunk_run(&t->params, space, row, nb);
  bj_pass pass = chunk_pass(&t->params, space, row, nb, &logdet);
  base->kind->draw(base, t->params.theta, t->params.prep, t->params.run.seed ^ PAIR_STREAM, row, nb, space->y);
  memset(space->penalty, 0, sizeof(real) * (size_t)nb * BJ_BLOCK);
  memset(space->log_density, 0, sizeof(real) * (size_t)nb * BJ_BLOCK);
  logdet_start(&logdet, nb);
  pass.penalty = space->penalty;
  pass.gcondition = space->gcondition;
  pass.gtheta = space->gtheta + base->n_param;
  pass.gprep = space->gprep + base->n_prep;
  return layer->kind->match(layer, &pass);
}

/* Adds the chunk's weighted loss, its weight, and the gradient of the loss. `first` is its first row in the batch. */
static void train_chunk(const trainer *t, flow_space *space, long first, int n) {
  const int *rows = t->rows + first;
  const bj_train_setup *setup = t->setup;
  const bj_flow *flow = t->params.flow;
  const int nb = (n + BJ_BLOCK - 1) / BJ_BLOCK;
  gather_rows(setup->data, setup->n_row, flow->d, rows, n, nb, space->x);
  if (flow->n_condition > 0) {
    gather_rows(setup->condition, setup->n_row, flow->n_condition, rows, n, nb, space->condition);
  }
  if (t->gradient && setup->noise > 0) add_noise(t, space->x, first, nb);
  const uint64_t row = (uint64_t)t->params.run.step * (uint64_t)setup->n + (uint64_t)first;
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    space->gpenalty[i] = i < n ? (setup->weight ? setup->weight[rows[i]] : 1) : 0;
  }
  space->status = train_chunk_loss(t, space, row, nb);
  if (space->status != BJ_OK) return;
  const int penalized = t->gradient || setup->matching;
  for (int i = 0; i < nb * BJ_BLOCK; i++) {
    const real weight = space->gpenalty[i];
    if (t->gradient) {
      space->gp[i] = -weight;
      space->gl[i] = 0;
    }
    if (weight == 0) continue; /* 0 * Inf is not 0 */
    space->loss += weight * ((penalized ? space->penalty[i] : 0) - space->log_density[i]);
    space->weight += weight;
  }
  if (!t->gradient || setup->matching) return;
  memset(space->gy, 0, sizeof(real) * (size_t)nb * (size_t)flow->d * BJ_BLOCK);
  space->status = chunk_vjp(&t->params, space, row, nb);
}

static void train_slot(void *arg, int slot) {
  const trainer *t = arg;
  const long size = BJ_CHUNK * BJ_BLOCK;
  flow_space *space = t->spaces + slot;
  space->status = BJ_OK;
  space->loss = space->weight = 0;
  if (t->gradient) space_clear_gradient(t->params.flow, space);
  for (long first = slot * size; first < t->n_row && space->status == BJ_OK; first += size * t->n_slot) {
    train_chunk(t, space, first, (int)(t->n_row - first < size ? t->n_row - first : size));
  }
}

static void run_serially(void *host, int n_task, void (*task)(void *arg, int index), void *arg) {
  (void)host;
  for (int i = 0; i < n_task; i++) task(arg, i);
}

/* Mean loss of the rows at `theta`, their weight, and with `gradient` the gradient of the weighted sum in slot 0. */
static bj_status train_loss(trainer *t, const real *theta, const int *rows, long n, int gradient, double *loss,
                            double *weight, bj_error *error) {
  t->params.theta = theta;
  t->rows = rows;
  t->n_row = n;
  t->gradient = gradient;
  t->n_slot = slot_count(t->params.flow, n);
  const int matching = t->setup->matching;
  t->params.run = gradient ? (bj_run){RUN_TRAIN, BJ_INVERSE, t->setup->seed, (uint64_t)t->state->step, matching}
                           : (bj_run){RUN_VALIDATE, BJ_INVERSE, t->setup->seed ^ VALIDATE_STREAM, 0, matching};
  flow_prepare(t->params.flow, &t->params.run, theta, t->prep);
  (t->threaded ? t->workers->run : run_serially)(t->workers->host, t->n_slot, train_slot, t);
  *loss = *weight = 0;
  for (int s = 0; s < t->n_slot; s++) {
    const bj_status status = t->spaces[s].status;
    if (status == BJ_BAD_SPEC || (status != BJ_OK && t->state->step == 0)) {
      *error = t->spaces[s].error;
      return status;
    }
    if (status != BJ_OK) t->spaces[s].loss = NAN; /* parameters that a solver cannot follow are bad ones */
    *loss += t->spaces[s].loss;
    *weight += t->spaces[s].weight;
  }
  if (*weight > 0) *loss /= *weight;
  if (gradient) spaces_reduce(&t->params, t->spaces, t->n_slot);
  return BJ_OK;
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

static double sum_of_squares(const real *x, long n) {
  vreal sum[4] = {vset(0), vset(0), vset(0), vset(0)};
  long i = 0;
  for (; i + 4 * BJ_LANES <= n; i += 4 * BJ_LANES) {
    for (int k = 0; k < 4; k++) {
      const vreal v = vload(x + i + k * BJ_LANES);
      sum[k] += v * v;
    }
  }
  double total = vsum((sum[0] + sum[1]) + (sum[2] + sum[3]));
  for (; i < n; i++) total += x[i] * x[i];
  return total;
}

/* Rows of the batch at the state's position. */
static const int *train_batch(trainer *t, long *n) {
  const bj_train_setup *setup = t->setup;
  const bj_train_state *state = t->state;
  const long position = (long)state->position;
  *n = setup->n - position < setup->batch_size ? setup->n - position : setup->batch_size;
  if (setup->batch_size >= setup->n) return setup->train_row;
  if (t->order_epoch != state->epoch) {
    bj_rng rng = rng_start(setup->seed, 1 + (uint64_t)state->epoch);
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

/* One optimiser step; returns 0 where loss or gradient is not finite, and then changes nothing. */
static bj_status train_step(trainer *t, int *good, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  bj_train_state *state = t->state;
  const long n_param = t->params.flow->n_param;
  long n;
  double loss, weight;
  const int *rows = train_batch(t, &n);
  bj_status status = train_loss(t, state->theta, rows, n, 1, &loss, &weight, error);
  if (status != BJ_OK) return status;
  real *gradient = t->spaces[0].gtheta;
  const double norm = weight > 0 ? sqrt(sum_of_squares(gradient, n_param)) / weight : 0;
  *good = isfinite(loss) && isfinite(norm);
  if (!*good) return BJ_OK;
  if (weight > 0) {
    const double scale = (setup->clip > 0 && norm >= setup->clip ? setup->clip / norm : 1) / weight;
    for (long i = 0; i < n_param; i++) gradient[i] *= scale;
    const optimizer_step step = {&setup->optimizer,
                                 n_param,
                                 schedule_rate(&setup->schedule, state->step) * state->rate_factor,
                                 ++state->moment_step,
                                 state->theta,
                                 state->moment,
                                 gradient};
    t->optimizer->step(&step);
  }
  /* a short memory at first, so that the average forgets the initial values */
  const double keep = fmin(setup->ema, (1 + state->step) / (10 + state->step));
  for (long i = 0; i < n_param && setup->ema > 0; i++) {
    state->average[i] = keep * state->average[i] + (1 - keep) * state->theta[i];
  }
  state->step++;
  state->loss_sum += loss * weight;
  state->loss_weight += weight;
  state->loss_steps++;
  state->position += (double)n;
  if (state->position >= (double)setup->n) {
    state->position = 0;
    state->epoch++;
  }
  return BJ_OK;
}

/* ---- validation, rollback, history ------------------------------------------------------------------------------- */

/* What would be returned if training ended now. */
static const real *train_candidate(const trainer *t) { return t->setup->ema > 0 ? t->state->average : t->state->theta; }

/* `safe` is [theta | moments | average]. */
static void train_copy_safe(trainer *t, int restore) {
  bj_train_state *state = t->state;
  const size_t n = (size_t)t->params.flow->n_param, n_moment = n * (size_t)t->optimizer->n_moment;
  real *const parts[3] = {state->theta, state->moment, state->average};
  const size_t sizes[3] = {n, n_moment, t->setup->ema > 0 ? n : 0};
  real *safe = state->safe;
  for (int i = 0; i < 3; i++) {
    if (sizes[i] == 0) continue;
    memcpy(restore ? parts[i] : safe, restore ? safe : parts[i], sizeof(real) * sizes[i]);
    safe += sizes[i];
  }
  if (restore) {
    state->moment_step = state->safe_step;
  } else {
    state->safe_step = state->moment_step;
  }
}

static void train_record(trainer *t, double validation) {
  bj_train_state *state = t->state;
  const long i = state->n_record++;
  state->record_step[i] = state->step;
  state->record_train[i] = state->loss_weight > 0 ? state->loss_sum / state->loss_weight : NAN;
  state->record_validation[i] = validation;
  state->record_rate[i] = schedule_rate(&t->setup->schedule, state->step) * state->rate_factor;
  state->loss_sum = state->loss_weight = state->loss_steps = 0;
}

/* Takes the candidate in if it is the best so far. Without validation rows nobody asks for the best. */
static bj_status train_validate(trainer *t, double *loss, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  bj_train_state *state = t->state;
  double weight;
  *loss = NAN;
  if (setup->n_validation > 0) {
    const bj_status status =
        train_loss(t, train_candidate(t), setup->validation_row, setup->n_validation, 0, loss, &weight, error);
    if (status != BJ_OK) return status;
    if (!(*loss < state->best_loss) && setup->keep_best) {
      state->n_stale++;
      return BJ_OK;
    }
    state->best_loss = *loss;
  }
  state->n_stale = 0;
  state->best_step = state->step;
  if (setup->n_validation > 0) {
    memcpy(state->best, train_candidate(t), sizeof(real) * (size_t)t->params.flow->n_param);
  }
  return BJ_OK;
}

/* Whether the numbers of one step coincide with a boundary. */
static int train_due(const bj_train_setup *setup, const bj_train_state *state) {
  return setup->validate_every > 0 ? fmod(state->step, (double)setup->validate_every) == 0 : state->position == 0;
}

static int train_over(const bj_train_setup *setup, const bj_train_state *state) {
  return (setup->max_step > 0 && state->step >= (double)setup->max_step) ||
         (setup->max_epoch > 0 && state->epoch >= (double)setup->max_epoch);
}

/* Threads cost a microsecond when all cores are free and a time slice when they are not. So a call begins with a few
 * steps on one thread; if they are long, a few on several; and goes on with what was faster. The numbers are the same
 * either way. */
static void train_choose_threads(trainer *t, double seconds) {
  const double long_step = 2e-4, enough = 5e-3;
  const int most = 3, on = t->threaded;
  if (t->trial_steps[1] < 0) return; /* chosen */
  t->trial_seconds[on] += seconds;
  t->trial_steps[on]++;
  if (t->trial_steps[on] < most && t->trial_seconds[on] < enough) return;
  const double each[2] = {t->trial_seconds[0] / t->trial_steps[0],
                          t->trial_steps[1] > 0 ? t->trial_seconds[1] / t->trial_steps[1] : 0};
  t->threaded = !on ? each[0] > long_step : each[1] < each[0];
  if (on || !t->threaded) t->trial_steps[1] = -1;
}

static bj_status train(const bj_flow *flow, const bj_train_setup *setup, bj_train_state *state, const bj_memory *memory,
                       const bj_workers *workers, bj_train_status *outcome, bj_error *error) {
  const double started = setup->clock();
  const long most = setup->n > setup->n_validation ? setup->n : setup->n_validation;
  const int n_slot = slot_count(
      flow, setup->batch_size < setup->n && setup->n_validation <= setup->batch_size ? setup->batch_size : most);
  trainer t = {.setup = setup, .state = state, .optimizer = optimizer_find(setup->optimizer.name), .workers = workers};
  t.prep = memory->alloc(memory->host, sizeof(real) * (size_t)(flow->n_prep + 1));
  t.params = (flow_params){.flow = flow, .theta = state->theta, .prep = t.prep};
  t.spaces = spaces_make(flow, n_slot, 1, memory, workers);
  t.order = memory->alloc(memory->host, sizeof(int) * (size_t)setup->n);
  t.order_epoch = -1;
  *outcome = BJ_RUNNING;
  while (*outcome == BJ_RUNNING) {
    const double begun = setup->clock();
    int good = 1;
    bj_status status = train_step(&t, &good, error);
    if (status != BJ_OK) return status;
    if (workers->n_worker > 1) train_choose_threads(&t, setup->clock() - begun);
    if (!good) {
      train_copy_safe(&t, 1);
      state->rate_factor *= 0.5;
      if (++state->n_failure > setup->max_failure) *outcome = BJ_DIVERGED;
      state->position = 0; /* the next epoch begins: the same batch in the same order could fail again */
      state->epoch++;
      continue;
    }
    const int over = train_over(setup, state), due = train_due(setup, state);
    if (due || over) {
      double validation;
      status = train_validate(&t, &validation, error);
      if (status != BJ_OK) return status;
      train_record(&t, validation);
      if (setup->patience > 0 && state->n_stale >= (double)setup->patience) *outcome = BJ_CONVERGED;
    } else if (setup->record_every > 0 && state->loss_steps >= (double)setup->record_every) {
      train_record(&t, NAN);
    }
    /* Not every step, also where every step is an epoch: copying a large state takes as long as a step of Adam. */
    if (fmod(state->step, 100) == 0) train_copy_safe(&t, 0);
    if (over && *outcome == BJ_RUNNING) *outcome = BJ_FINISHED;
    if (*outcome == BJ_RUNNING && (setup->clock() - started > setup->seconds || state->n_record >= state->max_record)) {
      *outcome = BJ_PAUSED;
    }
  }
  return BJ_OK;
}
