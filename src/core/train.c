/* Training: an optimiser's steps along the gradient of a loss, over rows of data (train-rows.c) or of the host's own
 * (bj_objective), or of draws (draws.c), with validation, patience, averaging, clipping, rollback and a history.
 *
 * One call advances the state by as many steps as fit into setup->seconds. Nothing depends on where calls are cut, nor
 * on where the host stops one: the order of rows in an epoch is a function of (seed, epoch), a step or a validation
 * that was stopped has not happened, and all else is in the state.
 */
#include "num-streams.h"
#include "trainer.h"

static int train_has_rows(const bj_train_setup *setup) { return !setup->objective && !setup->draws; }

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

static void norm_range(void *arg, long first, long end) {
  const trainer *t = arg;
  t->squares[first / RANGE_SIZE] = sum_of_squares(t->gradient + first, end - first);
}

static double gradient_norm(trainer *t) {
  const long n = t->params.flow->n_param;
  double sum = 0;
  ranges_run(t->workers, t->trial.on, n, norm_range, t);
  for (int i = 0; i < ranges_count(n); i++) sum += t->squares[i];
  return sqrt(sum);
}

/* A step of the optimiser along `scale` times the gradient. */
typedef struct {
  trainer *t;
  optimizer_step step;
  double scale;
} train_update;

static void update_range(void *arg, long first, long end) {
  const train_update *update = arg;
  const trainer *t = update->t;
  long i = first;
  for (; i + BJ_LANES <= end; i += BJ_LANES) vstore(t->gradient + i, vload(t->gradient + i) * vset(update->scale));
  for (; i < end; i++) t->gradient[i] *= update->scale;
  optimizer_step step = update->step;
  step.first = first;
  step.end = end;
  t->optimizer->kind->step(t->optimizer, &step);
}

/* A short memory at first, so that the average forgets the initial values. */
static void average_range(void *arg, long first, long end) {
  const trainer *t = arg;
  const bj_train_state *state = t->state;
  const double keep = fmin(t->setup->ema, (1 + state->step) / (10 + state->step));
  for (long i = first; i < end; i++) state->average[i] = keep * state->average[i] + (1 - keep) * state->theta[i];
}

/* The loss of a step of draws, as above; what a solver cannot follow is a bad step, but for the first. */
static bj_status draws_loss(trainer *t, uint64_t seed, double *loss, double *shown, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  const double step = t->state->step, begun = t->workers->clock(), from = setup->anneal_from;
  bj_draw_step at = {.seed = seed, .train = 1, .beta = 1};
  if (step < setup->anneal_steps) at.beta = from + (1 - from) * step / setup->anneal_steps;
  draws_choose_threads(t->draws, t->trial.on);
  bj_status status = draws_step(t->draws, t->state->theta, &at, error);
  /* a net that the host evaluates, and that failed, has told nobody */
  if (status == BJ_OK && workers_stopped(t->workers)) status = BJ_STOPPED;
  const int unsolved = status == BJ_NO_ROOT || status == BJ_TOO_MANY_STEPS;
  *loss = unsolved ? NAN : at.loss;
  *shown = unsolved ? NAN : at.shown;
  if (unsolved && step > 0) return BJ_OK;
  if (status == BJ_OK && t->workers->n_worker > 1) trial_took(&t->trial, t->workers->clock() - begun);
  return status;
}

/* The loss, the one to show, its weight, the rows that it took, and in t->gradient the gradient of weight * loss. */
static bj_status train_loss(trainer *t, double *loss, double *shown, double *weight, long *n, bj_error *error) {
  const bj_objective *objective = t->setup->objective;
  const bj_train_state *state = t->state;
  if (!train_has_rows(t->setup)) {
    const uint64_t seed = step_seed(t->setup->seed, state->step, state->n_failure);
    *weight = 1;
    *n = 0;
    if (t->draws) return draws_loss(t, seed, loss, shown, error);
    return objective->step(objective->host, state->theta, state->step, seed, t->gradient, loss, shown);
  }
  const row_range rows = rows_batch(t);
  *n = rows.n_all;
  const bj_status status = rows_loss(t, state->theta, rows, RUN_TRAIN, loss, weight, error);
  *shown = *loss;
  return status;
}

/* One optimiser step; `good` is 0 where loss or gradient is not finite, and then nothing has changed. */
static bj_status train_step(trainer *t, int *good, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  bj_train_state *state = t->state;
  const long n_param = t->params.flow->n_param;
  long n;
  double loss, shown, weight;
  const bj_status status = train_loss(t, &loss, &shown, &weight, &n, error);
  if (status != BJ_OK) return status;
  real *gradient = t->gradient;
  for (long i = 0; i < setup->n_frozen; i++) gradient[setup->frozen[i]] = 0;
  const double norm = weight > 0 ? gradient_norm(t) / weight : 0;
  *good = isfinite(loss) && isfinite(norm);
  if (!*good) return BJ_OK;
  if (weight > 0) {
    train_update update = {
        .t = t,
        .step = {.n = n_param,
                 .rate = schedule_rate(t->schedule, state->step) * state->rate_factor,
                 .t = ++state->moment_step,
                 .theta = state->theta,
                 .moment = state->moment,
                 .gradient = gradient},
        .scale = (setup->clip > 0 && norm >= setup->clip ? setup->clip / norm : 1) / weight,
    };
    ranges_run(t->workers, t->trial.on, n_param, update_range, &update);
    for (long i = 0; i < setup->n_frozen; i++)
      state->theta[setup->frozen[i]] = t->kept[i]; /* weight decay moves them */
  }
  if (setup->ema > 0) ranges_run(t->workers, t->trial.on, n_param, average_range, t);
  /* to the bit, which the sum above is not on all processors */
  for (long i = 0; i < setup->n_frozen && setup->ema > 0; i++) state->average[setup->frozen[i]] = t->kept[i];
  state->step++;
  state->loss_sum += shown * weight;
  state->loss_weight += weight;
  state->loss_steps++;
  state->position += (double)n;
  if (n > 0 && state->position >= (double)setup->n) {
    state->position = 0;
    state->epoch++;
  }
  return BJ_OK;
}

/* ---- rollback ---------------------------------------------------------------------------------------------------- */

/* `safe` is [theta | moments | average]. */
static void train_copy_safe(trainer *t, int restore) {
  bj_train_state *state = t->state;
  const size_t n = (size_t)t->params.flow->n_param, n_moment = n * (size_t)t->optimizer->kind->n_moment;
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

static void train_roll_back(trainer *t) {
  bj_train_state *state = t->state;
  train_copy_safe(t, 1);
  state->rate_factor *= 0.5;
  state->n_failure++;
  if (!train_has_rows(t->setup)) return; /* the next seed is another one */
  state->position = 0;                   /* the next epoch begins: the same batch in the same order could fail again */
  state->epoch++;
}

/* ---- validation, history ----------------------------------------------------------------------------------------- */

static void train_record(trainer *t, double validation) {
  bj_train_state *state = t->state;
  const long i = state->n_record++;
  state->record_step[i] = state->step;
  state->record_train[i] = state->loss_weight > 0 ? state->loss_sum / state->loss_weight : NAN;
  state->record_validation[i] = validation;
  state->record_rate[i] = schedule_rate(t->schedule, state->step) * state->rate_factor;
  state->loss_sum = state->loss_weight = state->loss_steps = 0;
}

static int train_has_validation(const bj_train_setup *setup) {
  return setup->objective ? setup->objective->validate != NULL : !setup->draws && setup->n_validation > 0;
}

/* The validation loss of what would be returned if training ended now, which becomes the best if it is. */
static bj_status train_validate(trainer *t, double *loss, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  bj_train_state *state = t->state;
  const real *candidate = setup->ema > 0 ? state->average : state->theta;
  double weight;
  *loss = NAN;
  if (train_has_validation(setup)) {
    const bj_objective *objective = setup->objective;
    const bj_status status = objective ? objective->validate(objective->host, candidate, loss)
                                       : rows_loss(t, candidate, rows_held_out(t), RUN_VALIDATE, loss, &weight, error);
    if (status != BJ_OK) return status;
    if (!(*loss < state->best_loss)) {
      state->n_stale++;
      return BJ_OK;
    }
    state->best_loss = *loss;
    memcpy(state->best, candidate, sizeof(real) * (size_t)t->params.flow->n_param);
  }
  state->n_stale = 0;
  state->best_step = state->step;
  return BJ_OK;
}

/* Whether the numbers of one step coincide with a boundary. */
static int train_due(const bj_train_setup *setup, const bj_train_state *state) {
  if (setup->validate_every > 0) return fmod(state->step, (double)setup->validate_every) == 0;
  return train_has_rows(setup) && state->position == 0;
}

static int train_over(const bj_train_setup *setup, const bj_train_state *state) {
  return (setup->max_step > 0 && state->step >= (double)setup->max_step) ||
         (setup->max_epoch > 0 && state->epoch >= (double)setup->max_epoch);
}

/* What is due after a step: its validation, and whether training ends with it. */
static bj_status train_settle(trainer *t, bj_train_outcome *outcome, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  bj_train_state *state = t->state;
  if (state->owed > 0) {
    double validation;
    const bj_status status = train_validate(t, &validation, error);
    if (status != BJ_OK) return status;
    state->owed = 0;
    train_record(t, validation);
    if (setup->patience > 0 && state->n_stale >= (double)setup->patience) *outcome = BJ_CONVERGED;
  } else if (setup->record_every > 0 && state->loss_steps >= (double)setup->record_every) {
    train_record(t, NAN);
  }
  if (*outcome == BJ_RUNNING && train_over(setup, state)) *outcome = BJ_FINISHED;
  return BJ_OK;
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static bj_status train_build(trainer *t, const bj_memory *memory, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  bj_build build = {.memory = memory, .error = error};
  bj_optimizer *optimizer;
  bj_schedule *schedule;
  bj_loss *loss;
  bj_status status = optimizer_build(&build, setup->optimizer, &optimizer);
  if (status != BJ_OK) return status;
  status = schedule_build(&build, setup->schedule, setup->learning_rate, setup->schedule_steps, &schedule);
  if (status != BJ_OK) return status;
  t->optimizer = optimizer;
  t->schedule = schedule;
  t->squares = build_alloc(&build, sizeof(double) * (size_t)ranges_count(t->params.flow->n_param));
  if (setup->n_frozen > 0) {
    t->kept = build_alloc(&build, sizeof(real) * (size_t)setup->n_frozen);
    for (long i = 0; i < setup->n_frozen; i++) t->kept[i] = t->state->theta[setup->frozen[i]];
  }
  if (!train_has_rows(setup)) {
    t->gradient = build_alloc(&build, sizeof(real) * (size_t)t->params.flow->n_param);
    if (setup->draws) t->draws = draws_make(&build, t->params.flow, setup->draws, t->gradient, t->workers);
    return build.status;
  }
  status = share_check(setup, &build);
  if (status != BJ_OK) return status;
  status = loss_build(&build, setup->loss, t->params.flow, &loss);
  if (status != BJ_OK) return status;
  t->loss = loss;
  if (loss->n_end > 0 && setup->ends.n != setup->data.n) return spec_error(&build, "a loss of intervals needs `ends`");
  rows_begin(t, memory);
  return BJ_OK;
}

/* One step and what is due after it; `*outcome` stays BJ_RUNNING if another one is to follow. */
static bj_status train_advance(trainer *t, bj_train_outcome *outcome, bj_error *error) {
  const bj_train_setup *setup = t->setup;
  bj_train_state *state = t->state;
  int good = 1;
  if (state->owed == 0) {
    const bj_status status = train_step(t, &good, error);
    if (status != BJ_OK) return status;
    if (!good) {
      train_roll_back(t); /* into the next epoch, which may be one too many */
      if (state->n_failure > setup->max_failure) *outcome = BJ_DIVERGED;
      state->owed = *outcome == BJ_RUNNING && train_over(setup, state);
    } else {
      /* Not every step, also where every step is an epoch: copying a large state takes as long as a step of Adam. */
      if (fmod(state->step, 100) == 0) train_copy_safe(t, 0);
      state->owed = train_due(setup, state) || train_over(setup, state);
    }
  }
  return train_settle(t, outcome, error);
}

static int train_shared(const bj_train_setup *setup) { return setup->share && setup->share->sum; }

/* Whether this process has a reason to end the call that others do not know of. */
static int train_wants_end(const trainer *t, double started) {
  const bj_train_setup *setup = t->setup;
  const int has_clock = !train_shared(setup) || setup->share->rank == 0;
  return workers_stopped(t->workers) || (has_clock && t->workers->clock() - started > setup->seconds);
}

static bj_status train(const bj_flow *flow, const bj_train_setup *setup, bj_train_state *state, const bj_memory *memory,
                       const bj_workers *workers, bj_train_outcome *outcome, bj_error *error) {
  const double started = workers->clock();
  trainer t = {.params = {.flow = flow, .theta = state->theta}, .setup = setup, .state = state, .workers = workers};
  bj_status status = train_build(&t, memory, error);
  *outcome = BJ_RUNNING;
  while (status == BJ_OK && *outcome == BJ_RUNNING) {
    /* a call that is one of several processes ends where all of them know that it does: with the sums of a step */
    if (train_shared(setup)) t.ending = train_wants_end(&t, started);
    status = train_advance(&t, outcome, error);
    if (!train_shared(setup)) t.ending = train_wants_end(&t, started);
    const int full =
        state->n_record >= state->max_record || (setup->pause_epoch > 0 && state->epoch >= (double)setup->pause_epoch);
    if (*outcome == BJ_RUNNING && (full || t.ending || status == BJ_STOPPED)) *outcome = BJ_PAUSED;
  }
  return status == BJ_STOPPED ? BJ_OK : status;
}
