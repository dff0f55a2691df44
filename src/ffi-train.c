/* Training: one call takes the state in, advances it, and gives a new state out. Vectors that the core writes are
 * copied first, so the list that came in stays as it was: an interrupted call loses only its own steps. */
#include "ffi.h"

#include <string.h>

/* Points of the history that one call can add. */
#define MAX_RECORD 8192

SEXP ffi_optimizer_moments(SEXP name) {
  return Rf_ScalarInteger(ffi_core()->optimizer_moments(CHAR(STRING_ELT(name, 0))));
}

static const double *optional_numbers(SEXP list, const char *name) {
  SEXP value = ffi_list_get(list, name);
  return value == R_NilValue ? NULL : REAL(value);
}

static bj_train_setup read_setup(SEXP list) {
  SEXP data = ffi_list_get(list, "data"), optimizer = ffi_list_get(list, "optimizer");
  SEXP schedule = ffi_list_get(list, "schedule"), train_row = ffi_list_get(list, "train_row");
  SEXP validation_row = ffi_list_get(list, "validation_row");
  return (bj_train_setup){
      .n = Rf_length(train_row),
      .n_validation = Rf_length(validation_row),
      .data = REAL(data),
      .n_row = Rf_nrows(data),
      .condition = optional_numbers(list, "condition"),
      .weight = optional_numbers(list, "weight"),
      .train_row = INTEGER(train_row),
      .validation_row = INTEGER(validation_row),
      .batch_size = (long)ffi_number(list, "batch_size"),
      .max_step = (long)ffi_number(list, "max_step"),
      .max_epoch = (long)ffi_number(list, "max_epoch"),
      .validate_every = (long)ffi_number(list, "validate_every"),
      .patience = (long)ffi_number(list, "patience"),
      .record_every = (long)ffi_number(list, "record_every"),
      .optimizer = ffi_optimizer(optimizer),
      .schedule = ffi_schedule(schedule, ffi_number(list, "learning_rate"), ffi_number(list, "schedule_steps")),
      .clip = ffi_number(list, "clip"),
      .noise = ffi_number(list, "noise"),
      .noise_root = REAL(ffi_list_get(list, "noise_root")),
      .ema = ffi_number(list, "ema"),
      .max_failure = (int)ffi_number(list, "max_failure"),
      .keep_best = ffi_number(list, "keep_best") != 0,
      .matching = ffi_number(list, "matching") != 0,
      .seed = (uint64_t)ffi_number(list, "seed"),
      .seconds = ffi_number(list, "seconds"),
      .clock = ffi_clock,
  };
}

/* The numbers of the state, in the order of the vector state$counters. */
static double *counter(bj_train_state *state, int i) {
  double *const all[] = {&state->step,        &state->epoch,     &state->position, &state->moment_step,
                         &state->rate_factor, &state->n_failure, &state->n_stale,  &state->best_loss,
                         &state->best_step,   &state->safe_step, &state->loss_sum, &state->loss_weight,
                         &state->loss_steps};
  return i < (int)(sizeof all / sizeof *all) ? all[i] : NULL;
}

/* state: list(counters, theta, moment, average, best, safe). Returns list(state, outcome, history), history a matrix
 * with columns step, training loss, validation loss, rate. */
SEXP ffi_train(SEXP flow, SEXP setup_list, SEXP state_list, SEXP threads) {
  const char *names[] = {"state", "outcome", "history", ""};
  const char *outcomes[] = {"running", "paused", "converged", "finished", "diverged"};
  const ffi_built built = ffi_build(flow);
  const bj_workers workers = ffi_workers(threads, R_NilValue);
  const bj_train_setup setup = read_setup(setup_list);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SEXP next = Rf_duplicate(state_list);
  SET_VECTOR_ELT(out, 0, next);
  double *counters = REAL(ffi_list_get(next, "counters"));
  double *record = (double *)R_alloc(4 * MAX_RECORD, sizeof(double));
  bj_train_state state = {
      .theta = REAL(ffi_list_get(next, "theta")),
      .moment = REAL(ffi_list_get(next, "moment")),
      .average = REAL(ffi_list_get(next, "average")),
      .best = REAL(ffi_list_get(next, "best")),
      .safe = REAL(ffi_list_get(next, "safe")),
      .max_record = MAX_RECORD,
      .record_step = record,
      .record_train = record + MAX_RECORD,
      .record_validation = record + 2 * MAX_RECORD,
      .record_rate = record + 3 * MAX_RECORD,
  };
  if (Rf_xlength(ffi_list_get(next, "theta")) != built.size.n_param) Rf_error("internal error: `theta` does not fit");
  for (int i = 0; counter(&state, i); i++) *counter(&state, i) = counters[i];
  bj_train_status outcome;
  bj_error error = {""};
  const bj_status status = built.core->train(built.flow, &setup, &state, ffi_memory(), &workers, &outcome, &error);
  if (status != BJ_OK) ffi_raise(status, &error);
  for (int i = 0; counter(&state, i); i++) counters[i] = *counter(&state, i);
  SET_VECTOR_ELT(out, 1, Rf_mkString(outcomes[outcome]));
  SEXP history = Rf_allocMatrix(REALSXP, (int)state.n_record, 4);
  SET_VECTOR_ELT(out, 2, history);
  for (int k = 0; k < 4; k++) {
    memcpy(REAL(history) + k * state.n_record, record + (long)k * MAX_RECORD, sizeof(double) * (size_t)state.n_record);
  }
  UNPROTECT(1);
  return out;
}
