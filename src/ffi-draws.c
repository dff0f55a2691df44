/* Losses of draws: the user's log density, an R function or a program of the core. */
#include "ffi.h"

#include <string.h>

typedef struct {
  const ffi_target *target;
  long n;
  const double *x;
  double *value, *gradient;
} target_call;

/* Points are a new matrix every time: R code may keep it. */
static SEXP call_target(void *host) {
  const target_call *at = host;
  const ffi_target *target = at->target;
  const R_xlen_t size = (R_xlen_t)at->n * target->d;
  SEXP points = PROTECT(Rf_allocMatrix(REALSXP, (int)at->n, target->d));
  memcpy(REAL(points), at->x, sizeof(double) * (size_t)size);
  SEXP call = PROTECT(Rf_lang2(target->evaluate, points)), out = PROTECT(Rf_eval(call, R_BaseEnv));
  if (!ffi_ended(target->keep, out)) {
    SEXP values = ffi_list_get(out, "value"), slopes = ffi_list_get(out, "gradient");
    ffi_check_length(values, at->n, "value");
    ffi_check_length(slopes, size, "gradient");
    memcpy(at->value, REAL(values), sizeof(double) * (size_t)at->n);
    memcpy(at->gradient, REAL(slopes), sizeof(double) * (size_t)size);
  }
  UNPROTECT(3);
  return out;
}

static bj_status target_evaluate(void *host, long n, const double *x, double *value, double *gradient) {
  ffi_target *target = host;
  target_call at = {target, n, x, value, gradient};
  SEXP out = ffi_caught(call_target, &at);
  target->jumped = out == NULL;
  return target->jumped || Rf_inherits(out, "condition") ? BJ_STOPPED : BJ_OK;
}

int ffi_ended(SEXP keep, SEXP value) {
  if (!Rf_inherits(value, "condition")) return 0;
  SET_VECTOR_ELT(keep, 0, value);
  return 1;
}

bj_draw_setup ffi_draw_setup(SEXP list, const ffi_built *built, SEXP keep, ffi_target *host) {
  SEXP program = ffi_list_get(list, "program"), evaluate = ffi_list_get(list, "target");
  *host = (ffi_target){evaluate, keep, built->size.d, 0};
  bj_draw_setup setup = {
      .loss = ffi_spec_at(list, "loss", built->memory),
      .n = (long)ffi_whole(list, "n", 1, 1e8),
      .target = {.evaluate = target_evaluate, .host = host},
  };
  if (program != R_NilValue) setup.target.program = ffi_spec_at(list, "program", built->memory);
  if (program == R_NilValue && !Rf_isFunction(evaluate)) ffi_fail("`target` of a loss of draws must be a function");
  return setup;
}

/* One step of a loss of draws of a list(target, program, loss, n): list(loss, shown, gradient, condition), see
 * bj_draw_step; condition is NULL, or what ended the target. z is a matrix, or NULL; seed NULL: not as in training. */
SEXP ffi_draw_step(SEXP flow, SEXP draws, SEXP z, SEXP beta, SEXP seed, SEXP threads, SEXP poll) {
  const char *names[] = {"loss", "shown", "gradient", "condition", ""};
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  const double *theta = ffi_params(&built, flow);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names)), keep = PROTECT(Rf_allocVector(VECSXP, 1));
  ffi_target host;
  const bj_draw_setup setup = ffi_draw_setup(draws, &built, keep, &host);
  bj_draw_step step = {.train = seed != R_NilValue, .beta = Rf_asReal(beta)};
  if (step.train) step.seed = (uint64_t)Rf_asReal(seed);
  if (z != R_NilValue) {
    ffi_check_length(z, (R_xlen_t)setup.n * built.size.d, "z");
    step.z = REAL(z);
  }
  SEXP gradient = PROTECT(Rf_allocVector(REALSXP, built.size.n_param));
  const bj_workers workers = ffi_workers(threads, poll, built.hosted);
  bj_error error = {""};
  const bj_status status =
      built.core->draw_step(built.flow, theta, &setup, &step, REAL(gradient), built.memory, &workers, &error);
  if (host.jumped) ffi_unwind();
  SET_VECTOR_ELT(out, 3, VECTOR_ELT(keep, 0));
  if (VECTOR_ELT(keep, 0) == R_NilValue) ffi_finish(&workers, status, &error);
  SET_VECTOR_ELT(out, 0, Rf_ScalarReal(step.loss));
  SET_VECTOR_ELT(out, 1, Rf_ScalarReal(step.shown));
  SET_VECTOR_ELT(out, 2, gradient);
  UNPROTECT(3);
  return out;
}

/* list(value, gradient) of a program at the rows of a matrix. */
SEXP ffi_program(SEXP program, SEXP x) {
  const char *names[] = {"value", "gradient", ""};
  ffi_arena arena;
  const bj_memory *memory = ffi_memory(&arena);
  if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x)) ffi_fail("`x` must be a matrix of numbers");
  const int n = Rf_nrows(x), d = Rf_ncols(x);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, n));
  SET_VECTOR_ELT(out, 1, Rf_allocMatrix(REALSXP, n, d));
  bj_error error = {""};
  const bj_spec spec = ffi_spec(program, memory, NULL);
  const bj_status status = ffi_core()->program_evaluate(&spec, d, n, REAL(x), REAL(VECTOR_ELT(out, 0)),
                                                        REAL(VECTOR_ELT(out, 1)), memory, &error);
  if (status != BJ_OK) ffi_raise(status, &error);
  UNPROTECT(1);
  return out;
}
