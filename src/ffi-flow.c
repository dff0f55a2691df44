/* Flows: building, parameters, maps, gradients, draws. A flow may come from a file, or from anybody's hands: each field
 * is checked before it is read. */
#include "ffi.h"

#include <math.h>
#include <string.h>

#define COORDINATES_MOST 1048576

ffi_built ffi_build(SEXP flow, const bj_memory *memory) {
  ffi_built built = {.core = ffi_core(), .memory = memory};
  const bj_spec base = ffi_spec(ffi_list_get(flow, "base"), memory, &built.hosted);
  const bj_spec layers = ffi_spec(ffi_list_get(flow, "layers"), memory, &built.hosted);
  bj_error error = {""};
  if (built.hosted) ffi_functions_begin();
  const int d = (int)ffi_whole(flow, "d", 1, COORDINATES_MOST);
  const int n_condition = (int)ffi_whole(flow, "d_condition", 0, COORDINATES_MOST);
  const bj_status status =
      built.core->flow_build(&base, &layers, d, n_condition, memory, &built.flow, &built.size, &error);
  if (built.hosted) ffi_go_on();
  if (status != BJ_OK) ffi_raise(status, &error);
  return built;
}

/* Eight at a time, because a sum waits for itself: parameters are looked at in every call. */
static int all_finite(SEXP x) {
  const R_xlen_t n = Rf_xlength(x);
  const double *at = REAL(x);
  double sum = 0;
  R_xlen_t i = 0;
  for (; i + 8 <= n; i += 8, at += 8) {
    const double left = (0 * at[0] + 0 * at[1]) + (0 * at[2] + 0 * at[3]);
    const double right = (0 * at[4] + 0 * at[5]) + (0 * at[6] + 0 * at[7]);
    sum += left + right;
  }
  for (; i < n; i++, at++) sum += 0 * *at;
  return sum == 0;
}

const double *ffi_params(const ffi_built *built, SEXP flow) {
  SEXP params = ffi_list_get(flow, "params");
  ffi_check_length(params, built->size.n_param, "params");
  return REAL(params);
}

/* NULL, or one codec a column. */
static void check_codecs(SEXP codecs, int columns, const char *what) {
  if (codecs == R_NilValue) return;
  int good = TYPEOF(codecs) == VECSXP && Rf_xlength(codecs) == columns;
  for (int j = 0; good && j < columns; j++) {
    SEXP codec = VECTOR_ELT(codecs, j);
    good = TYPEOF(codec) == VECSXP && Rf_inherits(codec, "bijectr_codec");
  }
  if (!good) ffi_fail("`codecs` of %s must be %d codecs", what, columns);
}

static void check_names(SEXP names, int columns, const char *what) {
  if (names == R_NilValue || (TYPEOF(names) == STRSXP && Rf_xlength(names) == columns)) return;
  ffi_fail("`names` of %s must be %d strings", what, columns);
}

/* What check_object() asks of every flow before anything else reads it: fields that are there and have their types,
 * parameters that are numbers. Whether they fit together is seen when the flow is built. */
SEXP ffi_flow_check(SEXP flow) {
  SEXP layers = ffi_list_get(flow, "layers"), params = ffi_list_get(flow, "params");
  if (TYPEOF(flow) != VECSXP) ffi_fail("it is not a list");
  ffi_spec_check(ffi_list_get(flow, "base"));
  ffi_spec_check(layers);
  SEXP parts = ffi_list_get(layers, "layers");
  if (strcmp(ffi_kind(layers), "chain") || TYPEOF(parts) != VECSXP) {
    ffi_fail("`layers` must be a chain of layers");
  }
  for (R_xlen_t i = 0; i < Rf_xlength(parts); i++) {
    if (!ffi_kind(VECTOR_ELT(parts, i))) ffi_fail("a part of the flow is not a specification");
  }
  const int d = (int)ffi_whole(flow, "d", 1, COORDINATES_MOST);
  const int n_condition = (int)ffi_whole(flow, "d_condition", 0, COORDINATES_MOST);
  SEXP condition = ffi_list_get(flow, "condition");
  if (condition != R_NilValue && TYPEOF(condition) != VECSXP) ffi_fail("`condition` must be a list");
  check_names(ffi_list_get(flow, "names"), d, "the coordinates");
  check_codecs(ffi_list_get(flow, "codecs"), d, "the coordinates");
  check_names(ffi_list_get(condition, "names"), n_condition, "the condition");
  check_codecs(ffi_list_get(condition, "codecs"), n_condition, "the condition");
  if (TYPEOF(params) != REALSXP) ffi_fail("`params` must be numbers");
  if (!all_finite(params)) ffi_fail("`params` must be finite");
  return R_NilValue;
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
SEXP ffi_flow_describe(SEXP flow) {
  const char *names[] = {"n", "paths", "dims", ""};
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  ffi_params(&built, flow);
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

SEXP ffi_flow_init(SEXP flow, SEXP seed, SEXP poll) {
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  SEXP theta = PROTECT(Rf_allocVector(REALSXP, built.size.n_param)), one = PROTECT(Rf_ScalarInteger(1));
  const bj_workers workers = ffi_workers(one, poll, built.hosted);
  const bj_error error = {""};
  ffi_finish(&workers, built.core->flow_init(built.flow, (uint64_t)Rf_asReal(seed), REAL(theta), &workers), &error);
  UNPROTECT(2);
  return theta;
}

/* ---- maps -------------------------------------------------------------------------------------------------------- */

/* The points of a map, and the conditions that belong to them. */
static bj_map_job map_job(const ffi_built *built, SEXP x, SEXP condition) {
  bj_map_job job = {.x = ffi_rows(x, built->size.d, "x")};
  if (built->size.n_condition > 0) {
    job.condition = ffi_rows(condition, built->size.n_condition, "condition");
    if (job.condition.n != job.x.n) ffi_fail("`condition` must have as many rows as `x`");
  }
  return job;
}

void ffi_map(const ffi_built *built, const double *theta, bj_direction direction, const bj_map_job *job,
             const bj_workers *workers) {
  const bj_memory *workspace = ffi_workspace(built->memory);
  bj_error error = {""};
  const bj_status status = built->core->flow_map(built->flow, theta, direction, job, workspace, workers, &error);
  ffi_workspace_end(workspace);
  ffi_finish(workers, status, &error);
}

void ffi_draw(const ffi_built *built, const double *theta, const bj_draw_job *job, const bj_workers *workers) {
  const bj_memory *workspace = ffi_workspace(built->memory);
  const bj_error error = {""};
  const bj_status status = built->core->flow_draw(built->flow, theta, job, workspace, workers);
  ffi_workspace_end(workspace);
  ffi_finish(workers, status, &error);
}

static bj_direction direction_of(SEXP inverse) { return Rf_asLogical(inverse) ? BJ_INVERSE : BJ_FORWARD; }

static double *new_vector(SEXP list, int i, R_xlen_t n) {
  SET_VECTOR_ELT(list, i, Rf_allocVector(REALSXP, n));
  return REAL(VECTOR_ELT(list, i));
}

static double *new_matrix(SEXP list, int i, R_xlen_t n, int columns) {
  SET_VECTOR_ELT(list, i, Rf_allocMatrix(REALSXP, (int)n, columns));
  return REAL(VECTOR_ELT(list, i));
}

/* list(value, logdet, log_density); only the last unless `want_value` */
SEXP ffi_flow_map(SEXP flow, SEXP inverse, SEXP x, SEXP condition, SEXP want_value, SEXP threads, SEXP poll) {
  const char *names[] = {"value", "logdet", "log_density", ""};
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  const double *theta = ffi_params(&built, flow);
  bj_map_job job = map_job(&built, x, condition);
  const int value = Rf_asLogical(want_value);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  double *y = new_matrix(out, 0, value ? job.x.n : 0, built.size.d);
  job.y = value ? y : NULL;
  double *logdet = new_vector(out, 1, value ? job.x.n : 0);
  job.logdet = value ? logdet : NULL;
  job.log_density = new_vector(out, 2, job.x.n);
  const bj_workers workers = ffi_workers(threads, poll, built.hosted);
  ffi_map(&built, theta, direction_of(inverse), &job, &workers);
  UNPROTECT(1);
  return out;
}

#define SLICE 65536

static bj_rows slice_of(const bj_rows *rows, int columns, long first, long n, const double **column) {
  for (int j = 0; j < columns; j++) column[j] = rows->column[j] + first;
  return (bj_rows){.n = n, .column = column};
}

/* How many rows, beside those of weight 0 (`weights` NULL: none are), have no finite log density, the number of the
 * first and its log density; without a vector of all. */
SEXP ffi_rows_without_density(SEXP flow, SEXP x, SEXP condition, SEXP weights, SEXP threads, SEXP poll) {
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  const double *theta = ffi_params(&built, flow);
  const int d = built.size.d, n_condition = built.size.n_condition;
  const bj_map_job whole = map_job(&built, x, condition);
  const long n = whole.x.n;
  const double **x_at = (const double **)R_alloc((size_t)(d + n_condition), sizeof(double *));
  if (weights != R_NilValue) ffi_check_length(weights, n, "weights");
  const double *weight = weights == R_NilValue ? NULL : REAL(weights);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, 3));
  double *found = REAL(out);
  found[0] = 0;
  found[1] = found[2] = NA_REAL;
  bj_map_job job = {.log_density = (double *)R_alloc(SLICE, sizeof(double))};
  const bj_workers workers = ffi_workers(threads, poll, built.hosted);
  for (long first = 0; first < n; first += SLICE) {
    const long rows = n - first < SLICE ? n - first : SLICE;
    job.x = slice_of(&whole.x, d, first, rows, x_at);
    if (n_condition > 0) job.condition = slice_of(&whole.condition, n_condition, first, rows, x_at + d);
    ffi_map(&built, theta, BJ_INVERSE, &job, &workers);
    for (long i = 0; i < rows; i++) {
      if (isfinite(job.log_density[i]) || (weight && weight[first + i] == 0)) continue;
      if (found[0]++ > 0) continue;
      found[1] = (double)(first + i + 1);
      found[2] = job.log_density[i];
    }
  }
  UNPROTECT(1);
  return out;
}

static const double *cotangent(SEXP list, const char *name, R_xlen_t n) {
  SEXP value = ffi_list_get(list, name);
  if (value == R_NilValue) return NULL;
  ffi_check_length(value, n, name);
  return REAL(value);
}

/* list(value, logdet, log_density, params, x, condition, penalty): the map, and the gradient of
 * sum(cot$value * value) + sum(cot$logdet * logdet) + sum(cot$log_density * log_density). With a seed, layers do what
 * they do in training, and the mean of the penalties of the rows is added to it. */
SEXP ffi_flow_vjp(SEXP flow, SEXP inverse, SEXP x, SEXP condition, SEXP cotangents, SEXP threads, SEXP seed,
                  SEXP poll) {
  const char *names[] = {"value", "logdet", "log_density", "params", "x", "condition", "penalty", ""};
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  const double *theta = ffi_params(&built, flow);
  const int d = built.size.d, n_condition = built.size.n_condition;
  bj_map_job job = map_job(&built, x, condition);
  const long n = job.x.n;
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  job.train = seed != R_NilValue;
  job.y = new_matrix(out, 0, n, d);
  job.logdet = new_vector(out, 1, n);
  job.log_density = new_vector(out, 2, n);
  job.grad_param = new_vector(out, 3, built.size.n_param);
  job.grad_x = new_matrix(out, 4, n, d);
  job.grad_condition = new_matrix(out, 5, n, n_condition);
  job.penalty = new_vector(out, 6, job.train ? n : 0);
  if (n_condition == 0) job.grad_condition = NULL;
  if (!job.train) job.penalty = NULL;
  job.cot_y = cotangent(cotangents, "value", (R_xlen_t)n * d);
  job.cot_l = cotangent(cotangents, "logdet", n);
  job.cot_p = cotangent(cotangents, "log_density", n);
  job.seed = job.train ? (uint64_t)Rf_asReal(seed) : 0;
  job.cot_penalty = 1.0 / (double)n;
  const bj_workers workers = ffi_workers(threads, poll, built.hosted);
  ffi_map(&built, theta, direction_of(inverse), &job, &workers);
  UNPROTECT(1);
  return out;
}

/* The conditions of n rows, which draws hang on where the base has a net; else none are read. */
static bj_rows base_condition(const ffi_built *built, SEXP condition, long n) {
  if (built->size.n_given == 0) return (bj_rows){0};
  const bj_rows rows = ffi_rows(condition, built->size.n_condition, "condition");
  if (rows.n != n) ffi_fail("`condition` must have %ld rows", n);
  return rows;
}

SEXP ffi_flow_draw(SEXP flow, SEXP n, SEXP condition, SEXP seed, SEXP threads, SEXP poll) {
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  const double *theta = ffi_params(&built, flow);
  const bj_workers workers = ffi_workers(threads, poll, built.hosted);
  const int rows = Rf_asInteger(n);
  SEXP z = PROTECT(Rf_allocMatrix(REALSXP, rows, built.size.d));
  const bj_draw_job job = {
      .n = rows, .condition = base_condition(&built, condition, rows), .seed = (uint64_t)Rf_asReal(seed), .z = REAL(z)};
  ffi_draw(&built, theta, &job, &workers);
  UNPROTECT(1);
  return z;
}

/* The gradient of sum(grad_z * z) over draws z with respect to the parameters: only those of the base have one. */
SEXP ffi_flow_draw_vjp(SEXP flow, SEXP z, SEXP condition, SEXP grad_z) {
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  const double *theta = ffi_params(&built, flow);
  const bj_rows draws = ffi_rows(z, built.size.d, "z"), given = base_condition(&built, condition, draws.n);
  ffi_check_length(grad_z, (R_xlen_t)draws.n * built.size.d, "grad_z");
  SEXP gradient = PROTECT(Rf_allocVector(REALSXP, built.size.n_param));
  memset(REAL(gradient), 0, sizeof(double) * (size_t)built.size.n_param);
  bj_error error = {""};
  const bj_status status =
      built.core->flow_draw_vjp(built.flow, theta, &draws, &given, REAL(grad_z), REAL(gradient), built.memory, &error);
  if (built.hosted) ffi_go_on();
  if (status != BJ_OK) ffi_raise(status, &error);
  UNPROTECT(1);
  return gradient;
}

/* What the base's net makes of conditions: a matrix of raw parameters, a row each; NULL for a base without one. */
SEXP ffi_flow_given(SEXP flow, SEXP condition) {
  ffi_arena arena;
  const ffi_built built = ffi_build(flow, ffi_memory(&arena));
  const double *theta = ffi_params(&built, flow);
  if (built.size.n_given == 0) return R_NilValue;
  const bj_rows rows = ffi_rows(condition, built.size.n_condition, "condition");
  SEXP given = PROTECT(Rf_allocMatrix(REALSXP, (int)rows.n, built.size.n_given));
  const bj_status status = built.core->flow_given(built.flow, theta, &rows, REAL(given), built.memory);
  const bj_error error = {""};
  if (built.hosted) ffi_go_on();
  if (status != BJ_OK) ffi_raise(status, &error);
  UNPROTECT(1);
  return given;
}
