/* Mixtures of normals by EM. The core trusts sizes and groups, and that all is finite: this is looked at here. */
#include "ffi.h"

#include <math.h>
#include <string.h>

static bj_mixture_shape shape_of(SEXP shape) {
  static const char *const names[] = {"full", "shared", "diagonal"};
  const char *wanted = TYPEOF(shape) == STRSXP && Rf_xlength(shape) == 1 ? CHAR(STRING_ELT(shape, 0)) : "";
  for (int i = 0; i < 3; i++) {
    if (!strcmp(wanted, names[i])) return (bj_mixture_shape)i;
  }
  ffi_fail("there is no shape \"%s\" of covariances", wanted);
}

/* n finite numbers, `least` or more. */
static const double *finite_numbers(SEXP x, R_xlen_t n, double least, const char *what) {
  ffi_check_length(x, n, what);
  for (R_xlen_t i = 0; i < n; i++) {
    if (!isfinite(REAL(x)[i]) || REAL(x)[i] < least) ffi_fail("`%s` must be finite and %g or more", what, least);
  }
  return REAL(x);
}

static const int *groups_within(SEXP groups, R_xlen_t n, int k) {
  if (TYPEOF(groups) != INTSXP || Rf_xlength(groups) != n) ffi_fail("`groups` must be %.0f integers", (double)n);
  for (R_xlen_t i = 0; i < n; i++) {
    if (INTEGER(groups)[i] < 1 || INTEGER(groups)[i] > k) ffi_fail("`groups` must be from 1 to %d", k);
  }
  return INTEGER(groups);
}

/* list(weight, mean, roots, loglik, steps) */
SEXP ffi_normal_mixture(SEXP z, SEXP w, SEXP groups, SEXP k, SEXP shape, SEXP prior, SEXP center, SEXP steps,
                        SEXP tolerance, SEXP poll) {
  const char *names[] = {"weight", "mean", "roots", "loglik", "steps", ""};
  if (!Rf_isMatrix(z)) ffi_fail("`z` must be a matrix");
  const int n = Rf_nrows(z), d = Rf_ncols(z), components = Rf_asInteger(k);
  if (n < 1 || d < 1 || components < 1) ffi_fail("a mixture needs rows, columns and components");
  bj_mixture_job job = {.n = n, .d = d, .k = components, .shape = shape_of(shape)};
  job.z = finite_numbers(z, (R_xlen_t)n * d, -INFINITY, "z");
  job.w = finite_numbers(w, n, 0, "w");
  job.group = groups_within(groups, n, components);
  job.prior = finite_numbers(prior, (R_xlen_t)d * d, -INFINITY, "prior");
  job.center = finite_numbers(center, d, -INFINITY, "center");
  job.max_step = Rf_asInteger(steps);
  job.tolerance = Rf_asReal(tolerance);
  if (job.max_step < 1 || !(job.tolerance >= 0)) ffi_fail("there must be steps, and a tolerance of 0 or more");
  double total = 0;
  for (int i = 0; i < n; i++) total += job.w[i];
  if (!(total > 0 && isfinite(total))) ffi_fail("the sum of `w` must be positive and finite");

  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, components));
  job.weight = REAL(VECTOR_ELT(out, 0));
  SET_VECTOR_ELT(out, 1, Rf_allocMatrix(REALSXP, components, d));
  job.mean = REAL(VECTOR_ELT(out, 1));
  SET_VECTOR_ELT(out, 2, Rf_alloc3DArray(REALSXP, d, d, components));
  job.roots = REAL(VECTOR_ELT(out, 2));
  ffi_arena arena;
  const bj_core *core = ffi_core();            /* may fail: before the workspace is taken */
  SEXP threads = PROTECT(Rf_ScalarInteger(1)); /* ffi_workers() allocates */
  const bj_workers workers = ffi_workers(threads, poll, 0);
  const bj_memory *workspace = ffi_workspace(ffi_memory(&arena));
  bj_mixture_end end = {0};
  bj_error error = {""};
  const bj_status status = core->normal_mixture(&job, &end, workspace, &workers, &error);
  ffi_workspace_end(workspace);
  ffi_finish(&workers, status, &error);
  SET_VECTOR_ELT(out, 3, Rf_ScalarReal(end.loglik));
  SET_VECTOR_ELT(out, 4, Rf_ScalarInteger(end.steps));
  UNPROTECT(2);
  return out;
}
