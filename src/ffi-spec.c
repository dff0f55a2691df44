/* R's plain lists to specs, and statuses to R errors. */
#include "ffi.h"

#include <string.h>

static void *ffi_alloc(void *host, size_t bytes) {
  (void)host;
  return R_alloc(bytes > 0 ? bytes : 1, 1);
}

const bj_memory *ffi_memory(void) {
  static const bj_memory memory = {ffi_alloc, NULL};
  return &memory;
}

SEXP ffi_list_get(SEXP list, const char *name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  if (TYPEOF(list) != VECSXP || TYPEOF(names) != STRSXP) return R_NilValue;
  for (R_xlen_t i = 0; i < Rf_xlength(list); i++) {
    if (!strcmp(CHAR(STRING_ELT(names, i)), name)) return VECTOR_ELT(list, i);
  }
  return R_NilValue;
}

double ffi_number(SEXP list, const char *name) {
  SEXP value = ffi_list_get(list, name);
  if (Rf_length(value) < 1) Rf_error("internal error: no field `%s`", name);
  return Rf_asReal(value);
}

const char *ffi_string(SEXP list, const char *name) {
  SEXP value = ffi_list_get(list, name);
  if (TYPEOF(value) != STRSXP || Rf_length(value) < 1) Rf_error("internal error: no field `%s`", name);
  return CHAR(STRING_ELT(value, 0));
}

/* A list is a spec if it has a `kind`; other lists hold specs. */
static int is_spec(SEXP x) { return TYPEOF(x) == VECSXP && TYPEOF(ffi_list_get(x, "kind")) == STRSXP; }

/* Returns 0 for values that the core has no use for. */
static int ffi_entry(SEXP value, bj_entry *entry) {
  entry->n = Rf_length(value);
  switch (TYPEOF(value)) {
    case NILSXP:
      entry->type = BJ_ENTRY_NUMBERS;
      return 1;
    case STRSXP:
      if (entry->n < 1) return 0;
      entry->type = BJ_ENTRY_STRING;
      entry->string = CHAR(STRING_ELT(value, 0));
      return 1;
    case REALSXP:
      entry->type = BJ_ENTRY_NUMBERS;
      entry->numbers = REAL(value);
      return 1;
    case INTSXP:
    case LGLSXP: {
      double *numbers = (double *)R_alloc((size_t)entry->n + 1, sizeof(double));
      for (int i = 0; i < entry->n; i++) numbers[i] = INTEGER(value)[i];
      entry->type = BJ_ENTRY_NUMBERS;
      entry->numbers = numbers;
      return 1;
    }
    case VECSXP: {
      const int one = is_spec(value), n = one ? 1 : entry->n;
      bj_spec *specs = (bj_spec *)R_alloc((size_t)n + 1, sizeof(bj_spec));
      for (int i = 0; i < n; i++) {
        SEXP element = one ? value : VECTOR_ELT(value, i);
        if (!is_spec(element)) return 0;
        specs[i] = ffi_spec(element);
      }
      entry->n = n;
      entry->type = one ? BJ_ENTRY_SPEC : BJ_ENTRY_SPECS;
      entry->specs = specs;
      return 1;
    }
    default:
      return 0;
  }
}

bj_spec ffi_spec(SEXP list) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  const int n = Rf_length(list);
  if (!is_spec(list)) Rf_error("internal error: not a specification");
  bj_entry *entries = (bj_entry *)R_alloc((size_t)n, sizeof(bj_entry));
  bj_spec spec = {ffi_string(list, "kind"), 0, entries};
  for (int i = 0; i < n; i++) {
    bj_entry *entry = entries + spec.n_entry;
    memset(entry, 0, sizeof *entry);
    entry->name = CHAR(STRING_ELT(names, i));
    if (strcmp(entry->name, "kind")) spec.n_entry += ffi_entry(VECTOR_ELT(list, i), entry);
  }
  return spec;
}

/* Raised as a condition of class bijectr_error_core from R, so that users see their own call. */
NORET void ffi_raise(bj_status status, const bj_error *error) {
  static const char *const text[] = {
#define BJ_STATUS_TEXT(name, words) words,
      BJ_STATUS_LIST(BJ_STATUS_TEXT)
#undef BJ_STATUS_TEXT
  };
  Rf_errorcall(R_NilValue, "%s", error->message[0] ? error->message : text[status]);
}
