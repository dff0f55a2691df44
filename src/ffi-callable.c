/* What other packages call from C, see inst/include/bijectr.h: handles of flows. A handle keeps its memory, and all of
 * R that it points to, in the list that its external pointer protects. */
#include "ffi.h"

#include <R_ext/Rdynload.h>
#include <math.h>

#include "../inst/include/bijectr.h"

/* Conditions are standardised as R does it, and beyond the ends of their range pulled in, see codec-standard.R. */
typedef struct {
  ffi_built built;
  bj_memory memory;
  const double *theta;
  const double *standard; /* of each condition loc, scale, and the ends beyond which it is pulled in */
  double pull;
  SEXP threads, poll;
} handle_data;

static SEXP handle_tag(void) { return Rf_install("bijectr_handle"); }

static void *keep_alloc(void *host, size_t bytes) {
  SEXP kept = host;
  SEXP block = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)bytes + 16));
  SETCDR(kept, Rf_cons(block, CDR(kept)));
  UNPROTECT(1);
  return (void *)(((uintptr_t)RAW(block) + 15) / 16 * 16);
}

static handle_data *get_handle(SEXP handle) {
  if (TYPEOF(handle) != EXTPTRSXP || R_ExternalPtrTag(handle) != handle_tag()) ffi_fail("it is not a handle of a flow");
  handle_data *data = R_ExternalPtrAddr(handle);
  if (!data) ffi_fail("the handle is of an earlier session: make a new one");
  return data;
}

static int api_version(void) { return BIJECTR_API_VERSION; }

/* R checks the flow and gives list(flow, standard, pull, threads, poll). */
static SEXP new_handle(SEXP flow) {
  SEXP space = PROTECT(ffi_namespace());
  SEXP quoted = PROTECT(Rf_lang2(Rf_install("quote"), flow)); /* which may be a call itself */
  SEXP call = PROTECT(Rf_lang2(Rf_install("callable_parts"), quoted)), parts = PROTECT(Rf_eval(call, space));
  SEXP kept = PROTECT(Rf_cons(parts, R_NilValue));
  const bj_memory memory = {keep_alloc, kept};
  handle_data *data = keep_alloc(kept, sizeof *data);
  data->memory = memory;
  SEXP whole = ffi_list_get(parts, "flow"), params = ffi_list_get(whole, "params");
  data->built = ffi_build(whole, &data->memory);
  ffi_check_length(params, data->built.size.n_param, "params");
  data->theta = REAL(params);
  data->standard = REAL(ffi_list_get(parts, "standard"));
  data->pull = ffi_number(parts, "pull");
  data->threads = ffi_list_get(parts, "threads");
  data->poll = ffi_list_get(parts, "poll");
  SEXP handle = R_MakeExternalPtr(data, handle_tag(), kept);
  UNPROTECT(5);
  return handle;
}

static int get_d(SEXP handle) { return get_handle(handle)->built.size.d; }

static int get_n_condition(SEXP handle) { return get_handle(handle)->built.size.n_condition; }

static bj_rows matrix_rows(const double *x, int n, int columns) {
  const double **column = (const double **)R_alloc((size_t)columns, sizeof *column);
  for (int j = 0; j < columns; j++) column[j] = x + (size_t)j * (size_t)n;
  return (bj_rows){.n = n, .column = column};
}

static bj_rows condition_rows(const handle_data *data, const double *condition, int n) {
  const int columns = data->built.size.n_condition;
  if (columns == 0) return (bj_rows){0};
  if (!condition) ffi_fail("there must be %d columns of conditions", columns);
  double *z = (double *)R_alloc((size_t)columns * (size_t)n, sizeof(double));
  for (int j = 0; j < columns; j++) {
    const double *at = data->standard + 4 * j;
    for (int i = 0; i < n; i++) {
      const size_t k = (size_t)j * (size_t)n + (size_t)i;
      const double value = (condition[k] - at[0]) / at[1];
      const double end = value < at[2] ? at[2] : at[3];
      const int beyond = value < at[2] || value > at[3];
      z[k] = beyond ? end + data->pull * tanh((value - end) / data->pull) : value;
    }
  }
  return matrix_rows(z, n, columns);
}

/* The flow of a handle with the memory of this call: what a call takes must not stay as long as the handle. */
static ffi_built built_here(const handle_data *data, ffi_arena *arena) {
  ffi_built built = data->built;
  built.memory = ffi_memory(arena);
  return built;
}

static int check_n(int n) {
  if (n < 0) ffi_fail("there cannot be %d rows", n);
  return n;
}

/* Both log densities alone and with gradients: `gradient` may be NULL. */
static void evaluate(SEXP handle, int n, const double *x, const double *condition, double *out, double *gradient) {
  const handle_data *data = get_handle(handle);
  if (check_n(n) == 0) return;
  const void *top = vmaxget();
  bj_map_job job = {.x = matrix_rows(x, n, data->built.size.d), .log_density = out};
  job.condition = condition_rows(data, condition, n);
  if (gradient) {
    double *ones = (double *)R_alloc((size_t)n, sizeof(double));
    for (int i = 0; i < n; i++) ones[i] = 1;
    job.cot_p = ones;
    job.grad_param = (double *)R_alloc((size_t)data->built.size.n_param + 1, sizeof(double));
    job.grad_x = gradient;
  }
  ffi_arena arena;
  const ffi_built built = built_here(data, &arena);
  const bj_workers workers = ffi_workers(data->threads, data->poll, built.hosted);
  ffi_map(&built, data->theta, BJ_INVERSE, &job, &workers);
  vmaxset(top);
}

static void log_density(SEXP handle, int n, const double *x, const double *condition, double *out) {
  evaluate(handle, n, x, condition, out, NULL);
}

/* A seed as draw_seed() of R/native.R makes it. */
static uint64_t draw_seed(void) {
  GetRNGstate();
  const double high = floor(unif_rand() * 67108864), low = floor(unif_rand() * 67108864);
  PutRNGstate();
  return (uint64_t)(high * 67108864 + low);
}

static void draw(SEXP handle, int n, const double *condition, double *x, double *density) {
  const handle_data *data = get_handle(handle);
  const int d = data->built.size.d;
  if (check_n(n) == 0) return;
  const void *top = vmaxget();
  double *z = (double *)R_alloc((size_t)n * (size_t)d, sizeof(double));
  const bj_rows given = condition_rows(data, condition, n);
  bj_draw_job base = {.n = n, .seed = draw_seed(), .z = z};
  if (data->built.size.n_given > 0) base.condition = given;
  ffi_arena arena;
  const ffi_built built = built_here(data, &arena);
  const bj_workers workers = ffi_workers(data->threads, data->poll, built.hosted);
  ffi_draw(&built, data->theta, &base, &workers);
  const bj_map_job job = {.x = matrix_rows(z, n, d), .condition = given, .y = x, .log_density = density};
  ffi_map(&built, data->theta, BJ_FORWARD, &job, &workers);
  vmaxset(top);
}

void ffi_register_callables(void) {
  R_RegisterCCallable("bijectr", "bijectr_api_version", (DL_FUNC)api_version);
  R_RegisterCCallable("bijectr", "bijectr_handle", (DL_FUNC)new_handle);
  R_RegisterCCallable("bijectr", "bijectr_d", (DL_FUNC)get_d);
  R_RegisterCCallable("bijectr", "bijectr_n_condition", (DL_FUNC)get_n_condition);
  R_RegisterCCallable("bijectr", "bijectr_log_density", (DL_FUNC)log_density);
  R_RegisterCCallable("bijectr", "bijectr_gradient", (DL_FUNC)evaluate);
  R_RegisterCCallable("bijectr", "bijectr_draw", (DL_FUNC)draw);
}
