/* Kernels of distances and the likelihood of logits. The core trusts sizes: these are looked at here. */
#include "ffi.h"

static const double *table_of_numbers(SEXP x, const char *what) {
  if (!Rf_isMatrix(x) || TYPEOF(x) != REALSXP) ffi_fail("`%s` must be a matrix of numbers", what);
  return REAL(x);
}

/* A matrix with a row for each of x and a column for each of y. */
SEXP ffi_near_kernels(SEXP x, SEXP y, SEXP rate, SEXP squared) {
  bj_near_job job = {.x = table_of_numbers(x, "x"), .y = table_of_numbers(y, "y")};
  job.n = Rf_nrows(x);
  job.m = Rf_nrows(y);
  job.d = Rf_ncols(x);
  if (Rf_ncols(y) != job.d) ffi_fail("`x` and `y` must have the same columns");
  job.rate = Rf_asReal(rate);
  if (!(job.rate >= 0)) ffi_fail("`rate` must be 0 or more");
  job.squared = Rf_asLogical(squared) == TRUE;
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)job.n, (int)job.m));
  job.out = REAL(out);
  ffi_arena arena;
  const bj_core *core = ffi_core(); /* may fail: before the workspace is taken */
  const bj_memory *workspace = ffi_workspace(ffi_memory(&arena));
  core->near_kernels(&job, workspace);
  ffi_workspace_end(workspace);
  UNPROTECT(1);
  return out;
}

/* list(loss, gradient) of coefficients with a row for each column of x and a column for each of y. */
SEXP ffi_logits_loss(SEXP x, SEXP y, SEXP coefficient) {
  bj_logits_job job = {.x = table_of_numbers(x, "x"), .y = table_of_numbers(y, "y")};
  job.n = Rf_nrows(x);
  job.p = Rf_ncols(x);
  job.count = Rf_ncols(y);
  if (Rf_nrows(y) != job.n || job.count < 1) ffi_fail("`x` and `y` must have the same rows, and `y` columns");
  if (TYPEOF(coefficient) != REALSXP || XLENGTH(coefficient) != (R_xlen_t)job.p * job.count) {
    ffi_fail("`coefficient` must be numbers, one for each column of `x` and of `y`");
  }
  job.coefficient = REAL(coefficient);
  const char *names[] = {"loss", "gradient", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, 1));
  SET_VECTOR_ELT(out, 1, Rf_allocMatrix(REALSXP, job.p, job.count));
  job.gradient = REAL(VECTOR_ELT(out, 1));
  ffi_arena arena;
  const bj_core *core = ffi_core(); /* may fail: before the workspace is taken */
  const bj_memory *workspace = ffi_workspace(ffi_memory(&arena));
  REAL(VECTOR_ELT(out, 0))[0] = core->logits_loss(&job, workspace);
  ffi_workspace_end(workspace);
  UNPROTECT(1);
  return out;
}
