/* Each function of bijectr.h, as an entry of .Call. */
#include <R.h>
#include <Rinternals.h>
#include <bijectr.h>

static const double *numbers(SEXP x) { return x == R_NilValue ? NULL : REAL(x); }

SEXP linked_new(SEXP flow) {
  if (bijectr_api_version() < BIJECTR_API_VERSION) Rf_error("the installed bijectr is too old");
  return bijectr_handle(flow);
}

SEXP linked_sizes(SEXP handle) {
  SEXP out = PROTECT(Rf_allocVector(INTSXP, 2));
  INTEGER(out)[0] = bijectr_d(handle);
  INTEGER(out)[1] = bijectr_n_condition(handle);
  UNPROTECT(1);
  return out;
}

SEXP linked_densities(SEXP handle, SEXP x, SEXP condition) {
  const int n = Rf_length(x) / bijectr_d(handle);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  bijectr_log_density(handle, n, REAL(x), numbers(condition), REAL(out));
  UNPROTECT(1);
  return out;
}

SEXP linked_gradients(SEXP handle, SEXP x, SEXP condition) {
  const int d = bijectr_d(handle), n = Rf_length(x) / d;
  SEXP density = PROTECT(Rf_allocVector(REALSXP, n)), gradient = PROTECT(Rf_allocMatrix(REALSXP, n, d));
  bijectr_gradient(handle, n, REAL(x), numbers(condition), REAL(density), REAL(gradient));
  Rf_setAttrib(gradient, Rf_install("density"), density);
  UNPROTECT(2);
  return gradient;
}

SEXP linked_draws(SEXP handle, SEXP size, SEXP condition) {
  const int n = Rf_asInteger(size), d = bijectr_d(handle);
  SEXP x = PROTECT(Rf_allocMatrix(REALSXP, n, d)), density = PROTECT(Rf_allocVector(REALSXP, n));
  bijectr_draw(handle, n, numbers(condition), REAL(x), REAL(density));
  Rf_setAttrib(x, Rf_install("density"), density);
  UNPROTECT(2);
  return x;
}

/* Many calls in one: what they take of R's memory must not pile up. */
SEXP linked_totals(SEXP handle, SEXP x, SEXP times) {
  const int n = Rf_length(x) / bijectr_d(handle);
  double total = 0, *out = (double *)R_alloc((size_t)n, sizeof(double));
  for (int i = 0; i < Rf_asInteger(times); i++) {
    bijectr_log_density(handle, n, REAL(x), NULL, out);
    total += out[0];
  }
  return Rf_ScalarReal(total);
}

static const R_CallMethodDef entries[] = {
    {"linked_new", (DL_FUNC)&linked_new, 1},
    {"linked_sizes", (DL_FUNC)&linked_sizes, 1},
    {"linked_densities", (DL_FUNC)&linked_densities, 3},
    {"linked_gradients", (DL_FUNC)&linked_gradients, 3},
    {"linked_draws", (DL_FUNC)&linked_draws, 3},
    {"linked_totals", (DL_FUNC)&linked_totals, 3},
    {NULL, NULL, 0},
};

void R_init_bijectrlinked(DllInfo *dll) {
  R_registerRoutines(dll, NULL, entries, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
}
