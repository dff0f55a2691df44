/* Kernels of distances. The core trusts sizes: these are looked at here. */
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
