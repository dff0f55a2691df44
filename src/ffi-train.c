/* Training: one call takes the state in, advances it, and gives a new state out. Vectors that the core writes are
 * copied first, so the list that came in stays as it was. Setup and state may come from a file: everything is looked at
 * before the core reads it. */
#include "ffi.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* Points of the history that one call can add. */
#define MAX_RECORD 8192

/* ---- names that R asks for --------------------------------------------------------------------------------------- */

static const char *const counter_names[] = {
#define BJ_COUNTER_NAME(name) #name,
    BJ_COUNTER_LIST(BJ_COUNTER_NAME)
#undef BJ_COUNTER_NAME
};
#define N_COUNTER ((int)(sizeof counter_names / sizeof *counter_names))

static const char *const outcome_names[] = {
#define BJ_OUTCOME_NAME(name, text) text,
    BJ_OUTCOME_LIST(BJ_OUTCOME_NAME)
#undef BJ_OUTCOME_NAME
};

static SEXP strings(const char *const *names, int n) {
  SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
  for (int i = 0; i < n; i++) SET_STRING_ELT(out, i, Rf_mkChar(names[i]));
  UNPROTECT(1);
  return out;
}

/* list(counters, outcomes): the names of the numbers of a state, and why a call may come back. */
SEXP ffi_train_names(void) {
  const char *names[] = {"counters", "outcomes", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, strings(counter_names, N_COUNTER));
  SET_VECTOR_ELT(out, 1, strings(outcome_names, BJ_N_OUTCOME));
  UNPROTECT(1);
  return out;
}

static int optimizer_moments(const bj_spec *optimizer, const bj_memory *memory) {
  int n;
  bj_error error = {""};
  const bj_status status = ffi_core()->optimizer_moments(optimizer, memory, &n, &error);
  if (status != BJ_OK) ffi_raise(status, &error);
  return n;
}

SEXP ffi_optimizer_moments(SEXP optimizer) {
  ffi_arena arena;
  const bj_memory *memory = ffi_memory(&arena);
  const bj_spec spec = ffi_spec(optimizer, memory, NULL);
  return Rf_ScalarInteger(optimizer_moments(&spec, memory));
}

/* ---- what comes in ----------------------------------------------------------------------------------------------- */

/* n numbers of a list, or an error that names them; `what` says where they are. */
static double *need_numbers(SEXP list, const char *what, const char *name, R_xlen_t n) {
  SEXP value = ffi_list_get(list, name);
  if (TYPEOF(value) != REALSXP || Rf_xlength(value) != n) {
    ffi_fail("`%s` in the %s must be %.0f numbers", name, what, (double)n);
  }
  return REAL(value);
}

static double need_number(SEXP list, const char *name, double least, double most) {
  SEXP value = ffi_list_get(list, name);
  const double number = Rf_isNumeric(value) && Rf_xlength(value) == 1 ? Rf_asReal(value) : NA_REAL;
  if (!(number >= least && number <= most)) {
    ffi_fail("`%s` in the settings of a training must be a number from %g to %g", name, least, most);
  }
  return number;
}

static double need_count(SEXP list, const char *name, double least, double most) {
  const double count = need_number(list, name, least, most);
  if (count != floor(count)) ffi_fail("`%s` in the settings of a training must be a whole number", name);
  return count;
}

/* Numbers from 0 of rows or parameters, of which there are `n_all`. */
static const int *need_places(SEXP list, const char *name, long n_all, long *n) {
  SEXP value = ffi_list_get(list, name);
  if (TYPEOF(value) != INTSXP) ffi_fail("`%s` in the settings of a training must be whole numbers", name);
  *n = (long)Rf_xlength(value);
  for (long i = 0; i < *n; i++) {
    const int place = INTEGER(value)[i];
    if (place < 0 || place >= n_all) ffi_fail("`%s` has a number that is beyond the %ld that there are", name, n_all);
  }
  return INTEGER(value);
}

/* What the settings say of rows of data. */
static void read_rows(SEXP list, const ffi_built *built, bj_train_setup *setup, bj_share *share) {
  const int d = built->size.d;
  SEXP weight = ffi_list_get(list, "weight");
  setup->loss = ffi_spec_at(list, "loss", built->memory);
  setup->data = ffi_rows(ffi_list_get(list, "data"), d, "data");
  if (built->size.n_condition > 0) {
    setup->condition = ffi_rows(ffi_list_get(list, "condition"), built->size.n_condition, "condition");
    if (setup->condition.n != setup->data.n) ffi_fail("`condition` must have as many rows as `data`");
  }
  const long n_row = setup->data.n;
  SEXP ends = ffi_list_get(list, "ends");
  if (ends != R_NilValue) setup->ends = ffi_rows(ends, 3, "ends");
  if (setup->ends.n > 0 && setup->ends.n != n_row) ffi_fail("`ends` must have as many rows as `data`");
  if (weight != R_NilValue) setup->weight = need_numbers(list, "settings of a training", "weight", n_row);
  setup->train_row = need_places(list, "train_row", n_row, &setup->n);
  if (share) {
    share->n_here = setup->n;
    setup->n = (long)need_count(ffi_list_get(list, "share"), "n", 1, INT_MAX);
  }
  setup->validation_row = need_places(list, "validation_row", n_row, &setup->n_validation);
  if (setup->n < 1) ffi_fail("`train_row` has no rows");
  setup->batch_size = (long)need_count(list, "batch_size", 1, INT_MAX);
  setup->noise = need_number(list, "noise", 0, DBL_MAX);
  if (setup->noise > 0) setup->noise_root = need_numbers(list, "settings of a training", "noise_root", (R_xlen_t)d * d);
}

static bj_train_setup read_setup(SEXP list, const ffi_built *built, const bj_objective *objective,
                                 const bj_draw_setup *draws, bj_share *share) {
  bj_train_setup setup = {
      .objective = objective,
      .draws = draws,
      .share = share,
      .max_step = (long)need_count(list, "max_step", 0, INT_MAX),
      .max_epoch = (long)need_count(list, "max_epoch", 0, INT_MAX),
      .pause_epoch = (long)need_count(list, "pause_epoch", 0, INT_MAX),
      .validate_every = (long)need_count(list, "validate_every", 0, INT_MAX),
      .patience = (long)need_count(list, "patience", 0, 1.0 + INT_MAX),
      .record_every = (long)need_count(list, "record_every", 1, INT_MAX),
      .optimizer = ffi_spec_at(list, "optimizer", built->memory),
      .schedule = ffi_spec_at(list, "schedule", built->memory),
      .learning_rate = need_number(list, "learning_rate", 0, DBL_MAX),
      .schedule_steps = need_number(list, "schedule_steps", 0, DBL_MAX),
      .clip = need_number(list, "clip", 0, DBL_MAX),
      .ema = need_number(list, "ema", 0, 1),
      .max_failure = (int)need_count(list, "max_failure", 0, INT_MAX),
      .seed = (uint64_t)need_count(list, "seed", 0, 0x1p53),
      .seconds = need_number(list, "seconds", 0, R_PosInf),
  };
  if (ffi_list_get(list, "frozen") != R_NilValue) {
    setup.frozen = need_places(list, "frozen", built->size.n_param, &setup.n_frozen);
  }
  if (setup.max_step == 0 && setup.max_epoch == 0) ffi_fail("a training needs a number of steps or epochs");
  if (draws) {
    SEXP of = ffi_list_get(list, "draws");
    setup.anneal_from = need_number(of, "anneal_from", 0, 1);
    setup.anneal_steps = need_number(of, "anneal_steps", 0, INT_MAX);
  }
  if (!objective && !draws) read_rows(list, built, &setup, share);
  return setup;
}

static double *counter_of(bj_train_state *state, int i) {
  double *const all[] = {
#define BJ_COUNTER_PLACE(name) &state->name,
      BJ_COUNTER_LIST(BJ_COUNTER_PLACE)
#undef BJ_COUNTER_PLACE
  };
  return all[i];
}

/* Counters are counts, but for sums of losses and a factor; `position` stays within an epoch. */
static void check_counters(SEXP counters, const bj_train_state *state, const bj_train_setup *setup) {
  SEXP names = Rf_getAttrib(counters, R_NamesSymbol);
  for (int i = 0; i < N_COUNTER; i++) {
    if (TYPEOF(names) != STRSXP || strcmp(CHAR(STRING_ELT(names, i)), counter_names[i])) {
      ffi_fail("`counters` in the state of a training lacks `%s`", counter_names[i]);
    }
  }
  const double counts[] = {state->step,    state->epoch,     state->position,  state->moment_step, state->n_failure,
                           state->n_stale, state->best_step, state->safe_step, state->loss_steps,  state->owed};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    if (!(counts[i] >= 0 && counts[i] <= 0x1p50 && counts[i] == floor(counts[i])))
      ffi_fail("a counter in the state of a training is %g", counts[i]);
  }
  if (state->position > 0 && state->position >= (double)setup->n) {
    ffi_fail("the state of this training is beyond the rows of an epoch: these are not its data");
  }
  if (!(state->rate_factor >= 0 && state->rate_factor <= 1)) ffi_fail("`rate_factor` must be between 0 and 1");
  if (ISNAN(state->best_loss) || ISNAN(state->loss_sum) || !(state->loss_weight >= 0)) {
    ffi_fail("a loss in the state of a training is not a number");
  }
}

/* `list` is written by the core. */
static bj_train_state read_state(SEXP list, const ffi_built *built, const bj_train_setup *setup) {
  const char *what = "state of a training";
  const R_xlen_t n = built->size.n_param, n_moment = n * optimizer_moments(setup->optimizer, built->memory);
  const R_xlen_t n_average = setup->ema > 0 ? n : 0;
  bj_train_state state = {
      .theta = need_numbers(list, what, "theta", n),
      .moment = need_numbers(list, what, "moment", n_moment),
      .average = need_numbers(list, what, "average", n_average),
      .best = need_numbers(list, what, "best", n),
      .safe = need_numbers(list, what, "safe", n + n_moment + n_average),
      .max_record = MAX_RECORD,
  };
  const double *counters = need_numbers(list, what, "counters", N_COUNTER);
  for (int i = 0; i < N_COUNTER; i++) *counter_of(&state, i) = counters[i];
  check_counters(ffi_list_get(list, "counters"), &state, setup);
  state.record_step = (double *)R_alloc(4 * MAX_RECORD, sizeof(double));
  state.record_train = state.record_step + MAX_RECORD;
  state.record_validation = state.record_train + MAX_RECORD;
  state.record_rate = state.record_validation + MAX_RECORD;
  return state;
}

/* ---- a loss that R computes -------------------------------------------------------------------------------------- */

typedef struct {
  SEXP step, validate; /* R functions that give back, and do not raise, what ends them */
  SEXP keep;           /* a list that protects `condition`, its element 0 */
  long n_param;
} r_objective;

static SEXP copy_of(const real *theta, long n) {
  SEXP out = Rf_allocVector(REALSXP, n);
  for (long i = 0; i < n; i++) REAL(out)[i] = theta[i];
  return out;
}

static bj_status objective_step(void *host, const real *theta, double step, uint64_t seed, real *gradient, double *loss,
                                double *shown) {
  r_objective *objective = host;
  const long n = objective->n_param;
  SEXP params = PROTECT(copy_of(theta, n));
  SEXP at = PROTECT(Rf_ScalarReal(step)), from = PROTECT(Rf_ScalarReal((double)seed));
  SEXP call = PROTECT(Rf_lang4(objective->step, params, at, from));
  SEXP value = PROTECT(Rf_eval(call, R_BaseEnv));
  const int stopped = ffi_ended(objective->keep, value);
  if (!stopped) {
    const double *from_r = need_numbers(value, "value of an objective", "gradient", n);
    for (long i = 0; i < n; i++) gradient[i] = from_r[i];
    *loss = ffi_number(value, "loss");
    *shown = ffi_number(value, "shown");
  }
  UNPROTECT(5);
  return stopped ? BJ_STOPPED : BJ_OK;
}

static bj_status objective_validate(void *host, const real *theta, double *loss) {
  r_objective *objective = host;
  SEXP params = PROTECT(copy_of(theta, objective->n_param));
  SEXP call = PROTECT(Rf_lang2(objective->validate, params));
  SEXP value = PROTECT(Rf_eval(call, R_BaseEnv));
  const int stopped = ffi_ended(objective->keep, value);
  if (!stopped) *loss = Rf_asReal(value);
  UNPROTECT(3);
  return stopped ? BJ_STOPPED : BJ_OK;
}

static r_objective read_objective(SEXP list, const ffi_built *built, SEXP keep) {
  r_objective objective = {ffi_list_get(list, "step"), ffi_list_get(list, "validate"), keep, built->size.n_param};
  if (!Rf_isFunction(objective.step)) ffi_fail("`step` of an objective must be a function");
  if (objective.validate != R_NilValue && !Rf_isFunction(objective.validate)) {
    ffi_fail("`validate` of an objective must be a function");
  }
  return objective;
}

/* ---- shares of several processes --------------------------------------------------------------------------------- */

typedef struct {
  SEXP sum;  /* an R function that gives back, and does not raise, what ends it; NULL: there is no other process */
  SEXP keep; /* as that of an objective */
  SEXP sent; /* what it gets in a step: one vector for all, since a new one each would be too much for R's collector */
  int n_rank, jumped;
} r_share;

/* `value`: sums, or the numbers of all processes one after the other, which are added up in that order. */
static void add_parts(SEXP value, R_xlen_t from, R_xlen_t n, int n_rank, double *to) {
  const R_xlen_t all = Rf_xlength(value), stride = all / n_rank;
  const double *part = REAL(value) + from;
  memcpy(to, part, sizeof(double) * (size_t)n);
  for (R_xlen_t at = stride; at < all; at += stride) {
    for (R_xlen_t i = 0; i < n; i++) to[i] += part[at + i];
  }
}

typedef struct {
  const r_share *share;
  real *gradient;
  long n;
  double *number;
  int n_number;
} sum_call;

static SEXP call_sum(void *data) {
  const sum_call *at = data;
  const r_share *share = at->share;
  const R_xlen_t n = at->n, n_number = at->n_number, n_all = n + n_number;
  SEXP x = PROTECT(Rf_xlength(share->sent) == n_all ? share->sent : Rf_allocVector(REALSXP, n_all));
  memcpy(REAL(x), at->number, sizeof(double) * (size_t)n_number);
  memcpy(REAL(x) + n_number, at->gradient, sizeof(double) * (size_t)n);
  SEXP call = PROTECT(Rf_lang2(share->sum, x)), value = PROTECT(Rf_eval(call, R_BaseEnv));
  if (!ffi_ended(share->keep, value)) {
    const R_xlen_t got = Rf_xlength(value);
    if (TYPEOF(value) != REALSXP || (got != n_all && got != n_all * share->n_rank)) {
      ffi_fail("a sum over processes is not one");
    }
    const int n_part = got == n_all ? 1 : share->n_rank;
    add_parts(value, 0, n_number, n_part, at->number);
    add_parts(value, n_number, n, n_part, at->gradient);
  }
  UNPROTECT(3);
  return value;
}

static bj_status share_sum(void *host, real *gradient, long n, double *number, int n_number) {
  r_share *share = host;
  sum_call at = {share, gradient, n, number, n_number};
  SEXP out = ffi_caught(call_sum, &at);
  share->jumped = !out;
  return share->jumped || Rf_inherits(out, "condition") ? BJ_STOPPED : BJ_OK;
}

static bj_share read_share(SEXP list, SEXP keep, SEXP sent, r_share *host) {
  *host = (r_share){.sum = ffi_list_get(list, "sum"), .keep = keep, .sent = sent};
  bj_share share = {
      .n_rank = (int)need_count(list, "n_rank", 1, INT_MAX),
      .n_lane = (int)need_count(list, "n_lane", 1, 1 << 15),
      .n_part = (int)need_count(list, "n_part", 1, INT_MAX),
      .host = host,
  };
  share.rank = (int)need_count(list, "rank", 0, share.n_rank - 1);
  share.lane = (int)need_count(list, "lane", 0, share.n_lane - 1);
  share.lane_end = (int)need_count(list, "lane_end", share.lane + 1, share.n_lane);
  share.part = (int)need_count(list, "part", 0, share.n_part - 1);
  host->n_rank = share.n_rank;
  if (host->sum != R_NilValue) share.sum = share_sum;
  return share;
}

/* ---- the entry --------------------------------------------------------------------------------------------------- */

static SEXP history_of(const bj_train_state *state) {
  const double *const columns[] = {state->record_step, state->record_train, state->record_validation,
                                   state->record_rate};
  SEXP history = Rf_allocMatrix(REALSXP, (int)state->n_record, 4);
  for (int k = 0; k < 4; k++) {
    memcpy(REAL(history) + k * state->n_record, columns[k], sizeof(double) * (size_t)state->n_record);
  }
  return history;
}

/* state: list(counters, theta, moment, average, best, safe, ...). Returns list(state, outcome, history, condition),
 * history a matrix with columns step, training loss, validation loss, rate; condition is NULL, or what ended the
 * objective. */
SEXP ffi_train(SEXP flow, SEXP setup_list, SEXP state_list, SEXP threads, SEXP poll) {
  const char *names[] = {"state", "outcome", "history", "condition", ""};
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names)), keep = PROTECT(Rf_allocVector(VECSXP, 1));
  SEXP list = ffi_list_get(setup_list, "objective"), draws_list = ffi_list_get(setup_list, "draws");
  const int has_draws = draws_list != R_NilValue;
  r_objective objective = {0};
  bj_objective losses = {objective_step, NULL, &objective};
  bj_draw_setup draws = {0};
  ffi_target target = {0};
  if (has_draws) draws = ffi_draw_setup(draws_list, &built, keep, &target);
  if (list != R_NilValue) {
    objective = read_objective(list, &built, keep);
    if (objective.validate != R_NilValue) losses.validate = objective_validate;
  }
  SEXP share_list = ffi_list_get(setup_list, "share");
  r_share processes = {0};
  bj_share share = {0};
  SEXP sent = PROTECT(Rf_allocVector(REALSXP, share_list != R_NilValue ? built.size.n_param + BJ_SHARED : 0));
  if (share_list != R_NilValue) share = read_share(share_list, keep, sent, &processes);
  const bj_train_setup setup = read_setup(setup_list, &built, list != R_NilValue ? &losses : NULL,
                                          has_draws ? &draws : NULL, share_list != R_NilValue ? &share : NULL);
  SET_VECTOR_ELT(out, 0, Rf_duplicate(state_list));
  bj_train_state state = read_state(VECTOR_ELT(out, 0), &built, &setup);
  bj_train_outcome outcome;
  bj_error error = {""};
  const bj_workers workers = ffi_workers(threads, poll, built.hosted);
  /* R code may not come back. */
  const int in_r = setup.objective || (setup.draws && !draws.target.program);
  const bj_memory *workspace = in_r ? built.memory : ffi_workspace(built.memory);
  const int keeps = built.hosted && !setup.objective; /* an objective keeps its own */
  if (keeps) ffi_keep_condition(keep);
  const bj_status status = built.core->train(built.flow, &setup, &state, workspace, &workers, &outcome, &error);
  if (keeps) ffi_keep_condition(NULL);
  ffi_workspace_end(workspace);
  if (target.jumped || processes.jumped) ffi_unwind();
  ffi_finish(&workers, status, &error);
  double *counters = REAL(ffi_list_get(VECTOR_ELT(out, 0), "counters"));
  for (int i = 0; i < N_COUNTER; i++) counters[i] = *counter_of(&state, i);
  SET_VECTOR_ELT(out, 1, Rf_mkString(outcome_names[outcome]));
  SET_VECTOR_ELT(out, 2, history_of(&state));
  SET_VECTOR_ELT(out, 3, VECTOR_ELT(keep, 0));
  UNPROTECT(3);
  return out;
}
