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

SEXP ffi_num_apply(SEXP name, SEXP x) {
  SEXP y = PROTECT(Rf_allocVector(REALSXP, Rf_xlength(x)));
  if (!ffi_core()->num_apply(CHAR(STRING_ELT(name, 0)), (long)Rf_xlength(x), REAL(x), REAL(y))) {
    Rf_error("there is no vector function \"%s\"", CHAR(STRING_ELT(name, 0)));
  }
  UNPROTECT(1);
  return y;
}

/* mode "product": a is m x k, x is [block][k][32], the result [block][m][32]; mode "weight_grad": a is [block][m][32],
 * the result m x k. */
SEXP ffi_num_gemm(SEXP mode, SEXP a, SEXP x, SEXP m, SEXP k, SEXP n_block) {
  const int rows = Rf_asInteger(m), columns = Rf_asInteger(k), blocks = Rf_asInteger(n_block);
  const int product = CHAR(STRING_ELT(mode, 0))[0] == 'p';
  const R_xlen_t size = product ? (R_xlen_t)blocks * rows * BJ_BLOCK : (R_xlen_t)rows * columns;
  if (Rf_xlength(x) != (R_xlen_t)blocks * columns * BJ_BLOCK) Rf_error("internal error: `x` has the wrong length");
  SEXP y = PROTECT(Rf_allocVector(REALSXP, size));
  for (R_xlen_t i = 0; i < size; i++) REAL(y)[i] = 0;
  ffi_core()->num_gemm(CHAR(STRING_ELT(mode, 0)), rows, blocks, columns, REAL(a), 1, rows, REAL(x), REAL(y), NULL);
  UNPROTECT(1);
  return y;
}

SEXP ffi_num_philox(SEXP counter, SEXP key) {
  uint32_t c[4], k[2], out[4];
  for (int i = 0; i < 4; i++) c[i] = (uint32_t)REAL(counter)[i];
  for (int i = 0; i < 2; i++) k[i] = (uint32_t)REAL(key)[i];
  ffi_core()->num_philox(c, k, out);
  SEXP result = PROTECT(Rf_allocVector(REALSXP, 4));
  for (int i = 0; i < 4; i++) REAL(result)[i] = out[i];
  UNPROTECT(1);
  return result;
}

SEXP ffi_probe(SEXP name, SEXP n) {
  return Rf_ScalarReal(ffi_core()->probe(CHAR(STRING_ELT(name, 0)), (long)Rf_asInteger(n), ffi_clock));
}
