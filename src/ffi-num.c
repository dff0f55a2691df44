/* The list of kinds, and the numerical kernels, for tests and benchmarks. */
#include "ffi.h"

typedef struct {
  SEXP to; /* NULL while counting */
  int n;
} kind_list;

static void visit_kind(void *host, const char *family, const char *name) {
  kind_list *kinds = host;
  if (kinds->to) {
    SET_STRING_ELT(kinds->to, kinds->n, Rf_mkChar(family));
    SET_STRING_ELT(kinds->to, kinds->n + 1, Rf_mkChar(name));
  }
  kinds->n += 2;
}

/* family, name, family, name, ... */
SEXP ffi_kinds(void) {
  kind_list count = {NULL, 0};
  ffi_core()->kinds(visit_kind, &count);
  kind_list fill = {PROTECT(Rf_allocVector(STRSXP, count.n)), 0};
  ffi_core()->kinds(visit_kind, &fill);
  UNPROTECT(1);
  return fill.to;
}

static const char *one_string(SEXP x) {
  if (TYPEOF(x) != STRSXP || Rf_xlength(x) != 1) ffi_fail("a name must be one string");
  return CHAR(STRING_ELT(x, 0));
}

static const double *numbers(SEXP x, R_xlen_t n) {
  if (TYPEOF(x) != REALSXP || Rf_xlength(x) != n) ffi_fail("%.0f numbers are needed", (double)n);
  return REAL(x);
}

SEXP ffi_num_apply(SEXP name, SEXP x) {
  const double *from = numbers(x, Rf_xlength(x));
  SEXP y = PROTECT(Rf_allocVector(REALSXP, Rf_xlength(x)));
  if (!ffi_core()->num_apply(one_string(name), (long)Rf_xlength(x), from, REAL(y))) {
    ffi_fail("there is no vector function \"%s\"", one_string(name));
  }
  UNPROTECT(1);
  return y;
}

/* mode "product": a is m x k, x is [block][k][32], the result [block][m][32]; mode "weight_grad": a is [block][m][32],
 * the result m x k. */
SEXP ffi_num_gemm(SEXP mode, SEXP a, SEXP x, SEXP m, SEXP k, SEXP n_block) {
  const int rows = Rf_asInteger(m), columns = Rf_asInteger(k), blocks = Rf_asInteger(n_block);
  const int product = one_string(mode)[0] == 'p';
  const R_xlen_t size = product ? (R_xlen_t)blocks * rows * BJ_BLOCK : (R_xlen_t)rows * columns;
  if (rows < 1 || columns < 1 || blocks < 1) ffi_fail("sizes must be positive");
  const double *left = numbers(a, product ? (R_xlen_t)rows * columns : (R_xlen_t)blocks * rows * BJ_BLOCK);
  const double *right = numbers(x, (R_xlen_t)blocks * columns * BJ_BLOCK);
  SEXP y = PROTECT(Rf_allocVector(REALSXP, size));
  for (R_xlen_t i = 0; i < size; i++) REAL(y)[i] = 0;
  ffi_core()->num_gemm(one_string(mode), rows, blocks, columns, left, 1, rows, right, REAL(y), NULL);
  UNPROTECT(1);
  return y;
}

SEXP ffi_num_philox(SEXP counter, SEXP key) {
  uint32_t c[4], k[2], out[4];
  for (int i = 0; i < 4; i++) c[i] = (uint32_t)numbers(counter, 4)[i];
  for (int i = 0; i < 2; i++) k[i] = (uint32_t)numbers(key, 2)[i];
  ffi_core()->num_philox(c, k, out);
  SEXP result = PROTECT(Rf_allocVector(REALSXP, 4));
  for (int i = 0; i < 4; i++) REAL(result)[i] = out[i];
  UNPROTECT(1);
  return result;
}

SEXP ffi_probe(SEXP name, SEXP n) {
  return Rf_ScalarReal(ffi_core()->probe(one_string(name), (long)Rf_asInteger(n), ffi_clock));
}
