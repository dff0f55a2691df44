/* Flows: building, parameters, maps, gradients, draws. R has checked types and shapes; sizes are checked here once more
 * where a mistake would be read past the end of a vector. */
#include "ffi.h"

#include <string.h>

ffi_built ffi_build(SEXP base, SEXP layers, SEXP d, SEXP n_condition) {
  ffi_built built = {ffi_core(), NULL, {0}};
  const bj_spec base_spec = ffi_spec(base), layers_spec = ffi_spec(layers);
  bj_error error = {""};
  const bj_status status = built.core->flow_build(&base_spec, &layers_spec, Rf_asInteger(d), Rf_asInteger(n_condition),
                                                  ffi_memory(), &built.flow, &built.size, &error);
  if (status != BJ_OK) ffi_raise(status, &error);
  return built;
}

static void check_length(SEXP x, R_xlen_t n, const char *what) {
  if (TYPEOF(x) != REALSXP || Rf_xlength(x) != n) Rf_error("internal error: `%s` has the wrong type or length", what);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

typedef struct {
  SEXP paths, dims; /* NULL while counting */
  int n;
} slots;

static void visit_slot(void *host, const char *path, int rank, const int *dims) {
  slots *to = host;
  if (to->paths) {
    SET_STRING_ELT(to->paths, to->n, Rf_mkChar(path));
    SET_VECTOR_ELT(to->dims, to->n, Rf_allocVector(INTSXP, rank));
    for (int i = 0; i < rank; i++) INTEGER(VECTOR_ELT(to->dims, to->n))[i] = dims[i];
  }
  to->n++;
}

/* list(n, paths, dims): the number of parameters, and the arrays they are shown as. */
SEXP ffi_flow_describe(SEXP base, SEXP layers, SEXP d, SEXP n_condition) {
  const char *names[] = {"n", "paths", "dims", ""};
  const ffi_built built = ffi_build(base, layers, d, n_condition);
  slots count = {NULL, NULL, 0};
  built.core->flow_describe(built.flow, visit_slot, &count);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_ScalarReal((double)built.size.n_param));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(STRSXP, count.n));
  SET_VECTOR_ELT(out, 2, Rf_allocVector(VECSXP, count.n));
  slots fill = {VECTOR_ELT(out, 1), VECTOR_ELT(out, 2), 0};
  built.core->flow_describe(built.flow, visit_slot, &fill);
  UNPROTECT(1);
  return out;
}

SEXP ffi_flow_init(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP seed) {
  const ffi_built built = ffi_build(base, layers, d, n_condition);
  SEXP theta = PROTECT(Rf_allocVector(REALSXP, built.size.n_param));
  built.core->flow_init(built.flow, (uint64_t)Rf_asReal(seed), REAL(theta));
  UNPROTECT(1);
  return theta;
}

/* ---- maps -------------------------------------------------------------------------------------------------------- */

/* Rows between two looks at R's interrupts. */
#define ROWS_PER_CALL 65536

static R_xlen_t check_map(const ffi_built *built, SEXP theta, SEXP x, SEXP condition) {
  const R_xlen_t n = Rf_xlength(x) / built->size.d;
  check_length(theta, built->size.n_param, "params");
  check_length(x, n * built->size.d, "x");
  if (built->size.n_condition > 0) check_length(condition, n * built->size.n_condition, "condition");
  return n;
}

/* list(value, logdet, log_density); value is empty unless `want_value` */
SEXP ffi_flow_map(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP inverse, SEXP x, SEXP condition,
                  SEXP want_value, SEXP threads) {
  const char *names[] = {"value", "logdet", "log_density", ""};
  const ffi_built built = ffi_build(base, layers, d, n_condition);
  const bj_workers workers = ffi_workers(threads);
  const long n = (long)check_map(&built, theta, x, condition);
  const int value = Rf_asLogical(want_value);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, value ? (int)n : 0, built.size.d));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, n));
  SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, n));
  for (long first = 0; first < n; first += ROWS_PER_CALL) {
    const bj_map_job job = {
        .n = n - first < ROWS_PER_CALL ? n - first : ROWS_PER_CALL,
        .ld = n,
        .x = REAL(x) + first,
        .condition = built.size.n_condition > 0 ? REAL(condition) + first : NULL,
        .y = value ? REAL(VECTOR_ELT(out, 0)) + first : NULL,
        .logdet = REAL(VECTOR_ELT(out, 1)) + first,
        .log_density = REAL(VECTOR_ELT(out, 2)) + first,
        .first_row = first,
    };
    bj_error error = {""};
    const void *mark = vmaxget();
    const bj_status status = built.core->flow_map(
        built.flow, REAL(theta), Rf_asLogical(inverse) ? BJ_INVERSE : BJ_FORWARD, &job, ffi_memory(), &workers, &error);
    vmaxset(mark);
    if (status != BJ_OK) ffi_raise(status, &error);
    R_CheckUserInterrupt();
  }
  UNPROTECT(1);
  return out;
}

static const double *cotangent(SEXP list, const char *name, R_xlen_t n) {
  SEXP value = ffi_list_get(list, name);
  if (value == R_NilValue) return NULL;
  check_length(value, n, name);
  return REAL(value);
}

/* list(value, logdet, log_density, params, x, condition, penalty): the map, and the gradient of
 * sum(cot$value * value) + sum(cot$logdet * logdet) + sum(cot$log_density * log_density). With a seed, layers do what
 * they do in training, and the mean of the penalties of the rows is added to it. */
SEXP ffi_flow_vjp(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP inverse, SEXP x, SEXP condition,
                  SEXP cotangents, SEXP threads, SEXP seed) {
  const char *names[] = {"value", "logdet", "log_density", "params", "x", "condition", "penalty", ""};
  const int train = seed != R_NilValue;
  const ffi_built built = ffi_build(base, layers, d, n_condition);
  const bj_workers workers = ffi_workers(threads);
  const long n = (long)check_map(&built, theta, x, condition);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, (int)n, built.size.d));
  SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, n));
  SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, n));
  SET_VECTOR_ELT(out, 3, Rf_allocVector(REALSXP, built.size.n_param));
  SET_VECTOR_ELT(out, 4, Rf_allocMatrix(REALSXP, (int)n, built.size.d));
  SET_VECTOR_ELT(out, 5, Rf_allocMatrix(REALSXP, (int)n, built.size.n_condition));
  SET_VECTOR_ELT(out, 6, Rf_allocVector(REALSXP, train ? n : 0));
  const bj_map_job job = {
      .n = n,
      .ld = n,
      .x = REAL(x),
      .condition = built.size.n_condition > 0 ? REAL(condition) : NULL,
      .y = REAL(VECTOR_ELT(out, 0)),
      .logdet = REAL(VECTOR_ELT(out, 1)),
      .log_density = REAL(VECTOR_ELT(out, 2)),
      .cot_y = cotangent(cotangents, "value", n * built.size.d),
      .cot_l = cotangent(cotangents, "logdet", n),
      .cot_p = cotangent(cotangents, "log_density", n),
      .grad_param = REAL(VECTOR_ELT(out, 3)),
      .grad_x = REAL(VECTOR_ELT(out, 4)),
      .grad_condition = built.size.n_condition > 0 ? REAL(VECTOR_ELT(out, 5)) : NULL,
      .train = train,
      .seed = train ? (uint64_t)Rf_asReal(seed) : 0,
      .cot_penalty = 1.0 / (double)n,
      .penalty = train ? REAL(VECTOR_ELT(out, 6)) : NULL,
  };
  bj_error error = {""};
  const bj_status status = built.core->flow_map(
      built.flow, REAL(theta), Rf_asLogical(inverse) ? BJ_INVERSE : BJ_FORWARD, &job, ffi_memory(), &workers, &error);
  if (status != BJ_OK) ffi_raise(status, &error);
  UNPROTECT(1);
  return out;
}

SEXP ffi_flow_draw(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP n, SEXP seed, SEXP threads) {
  const ffi_built built = ffi_build(base, layers, d, n_condition);
  const bj_workers workers = ffi_workers(threads);
  const int rows = Rf_asInteger(n);
  check_length(theta, built.size.n_param, "params");
  SEXP z = PROTECT(Rf_allocMatrix(REALSXP, rows, built.size.d));
  const bj_draw_job job = {.n = rows, .seed = (uint64_t)Rf_asReal(seed), .ld = rows, .z = REAL(z)};
  built.core->flow_draw(built.flow, REAL(theta), &job, ffi_memory(), &workers);
  UNPROTECT(1);
  return z;
}

/* The gradient of sum(grad_z * z) over draws z with respect to the parameters: only those of the base have one. */
SEXP ffi_flow_draw_vjp(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP z, SEXP grad_z) {
  const ffi_built built = ffi_build(base, layers, d, n_condition);
  const R_xlen_t n = Rf_xlength(z) / built.size.d;
  check_length(theta, built.size.n_param, "params");
  check_length(z, n * built.size.d, "z");
  check_length(grad_z, n * built.size.d, "grad_z");
  SEXP gradient = PROTECT(Rf_allocVector(REALSXP, built.size.n_param));
  memset(REAL(gradient), 0, sizeof(double) * (size_t)built.size.n_param);
  bj_error error = {""};
  const bj_status status = built.core->flow_draw_vjp(built.flow, REAL(theta), (long)n, REAL(z), REAL(grad_z),
                                                     REAL(gradient), ffi_memory(), &error);
  if (status != BJ_OK) ffi_raise(status, &error);
  UNPROTECT(1);
  return gradient;
}
