/* R's plain lists to specs, and statuses to R errors. */
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ffi.h"

SEXP ffi_list_get(SEXP list, const char *name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  if (TYPEOF(list) != VECSXP || TYPEOF(names) != STRSXP) return R_NilValue;
  const R_xlen_t n = Rf_xlength(list);
  const SEXP *at = STRING_PTR_RO(names);
  for (R_xlen_t i = 0; i < n; i++) {
    const char *found = CHAR(at[i]);
    if (found[0] == name[0] && !strcmp(found, name)) return VECTOR_ELT(list, i);
  }
  return R_NilValue;
}

double ffi_number(SEXP list, const char *name) {
  SEXP value = ffi_list_get(list, name);
  const int numeric = TYPEOF(value) == REALSXP || TYPEOF(value) == INTSXP || TYPEOF(value) == LGLSXP;
  if (!numeric || Rf_isFactor(value) || Rf_xlength(value) != 1) ffi_fail("`%s` must be one number", name);
  return Rf_asReal(value);
}

double ffi_whole(SEXP list, const char *name, double min, double max) {
  const double value = ffi_number(list, name);
  if (!(value >= min && value <= max) || value != floor(value)) {
    ffi_fail("`%s` must be a whole number from %.0f to %.0f", name, min, max);
  }
  return value;
}

const char *ffi_kind(SEXP x) {
  SEXP kind = ffi_list_get(x, "kind");
  return TYPEOF(kind) == STRSXP && Rf_xlength(kind) == 1 ? CHAR(STRING_ELT(kind, 0)) : NULL;
}

typedef struct {
  const bj_memory *memory;
  int hosted;
} reader;

static bj_spec read_spec(SEXP list, const char *kind, reader *from, int depth);

/* Integers and logicals as doubles. */
static const double *read_numbers(SEXP value, const bj_memory *memory) {
  const R_xlen_t n = Rf_xlength(value);
  if (TYPEOF(value) == REALSXP) return REAL(value);
  const int *from = INTEGER(value);
  double *numbers = memory->alloc(memory->host, sizeof(double) * (size_t)n);
  for (R_xlen_t i = 0; i < n; i++) numbers[i] = from[i] == NA_INTEGER ? NA_REAL : from[i];
  return numbers;
}

/* Returns 0 for values that the core has no use for. */
static int read_entry(SEXP value, bj_entry *entry, reader *from, int depth) {
  const bj_memory *memory = from->memory;
  const R_xlen_t n = Rf_xlength(value);
  if (n > INT_MAX) return 0;
  entry->n = (int)n;
  switch (TYPEOF(value)) {
    case NILSXP:
      entry->type = BJ_ENTRY_NUMBERS;
      return 1;
    case STRSXP:
      if (entry->n != 1) return 0;
      entry->type = BJ_ENTRY_STRING;
      entry->string = CHAR(STRING_ELT(value, 0));
      return 1;
    case REALSXP:
    case INTSXP:
    case LGLSXP:
      entry->type = BJ_ENTRY_NUMBERS;
      entry->numbers = read_numbers(value, memory);
      return 1;
    case VECSXP: {
      const char *one = ffi_kind(value);
      if (one) entry->n = 1;
      bj_spec *specs = memory->alloc(memory->host, sizeof(bj_spec) * (size_t)entry->n);
      for (int i = 0; i < entry->n; i++) {
        SEXP element = one ? value : VECTOR_ELT(value, i);
        const char *kind = one ? one : ffi_kind(element);
        if (!kind) return 0;
        specs[i] = read_spec(element, kind, from, depth + 1);
      }
      entry->type = one ? BJ_ENTRY_SPEC : BJ_ENTRY_SPECS;
      entry->specs = specs;
      return 1;
    }
    case CLOSXP:
      entry->type = BJ_ENTRY_FUNCTION;
      entry->n = 1;
      entry->function = ffi_function(value);
      from->hosted++;
      return 1;
    default:
      return 0;
  }
}

static bj_spec read_spec(SEXP list, const char *kind, reader *from, int depth) {
  if (!kind) ffi_fail("a part of the flow is not a specification");
  if (depth > BJ_DEPTH) ffi_fail("specifications are nested more than %d deep", BJ_DEPTH);
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  const R_xlen_t n = Rf_xlength(list);
  bj_entry *entries = from->memory->alloc(from->memory->host, sizeof(bj_entry) * (size_t)n);
  bj_spec spec = {kind, 0, entries};
  for (R_xlen_t i = 0; i < n; i++) {
    bj_entry *entry = entries + spec.n_entry;
    *entry = (bj_entry){.name = CHAR(STRING_ELT(names, i))};
    if (strcmp(entry->name, "kind")) spec.n_entry += read_entry(VECTOR_ELT(list, i), entry, from, depth);
  }
  return spec;
}

bj_spec ffi_spec(SEXP list, const bj_memory *memory, int *hosted) {
  reader from = {memory, 0};
  const bj_spec spec = read_spec(list, ffi_kind(list), &from, 0);
  if (hosted) *hosted += from.hosted;
  return spec;
}

const bj_spec *ffi_spec_at(SEXP list, const char *name, const bj_memory *memory) {
  bj_spec *spec = memory->alloc(memory->host, sizeof(bj_spec));
  *spec = ffi_spec(ffi_list_get(list, name), memory, NULL);
  return spec;
}

/* Lists of specs may stand between two specs. */
static void check_depth(SEXP x, int depth) {
  if (TYPEOF(x) != VECSXP) return;
  if (depth > 2 * BJ_DEPTH) ffi_fail("specifications are nested more than %d deep", BJ_DEPTH);
  const R_xlen_t n = Rf_xlength(x);
  for (R_xlen_t i = 0; i < n; i++) check_depth(VECTOR_ELT(x, i), depth + 1);
}

void ffi_spec_check(SEXP list) {
  if (!ffi_kind(list)) ffi_fail("a part of the flow is not a specification");
  check_depth(list, 0);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* R's stop_core() makes the condition: it knows the user's call. */
static NORET void raise(const char *message, const char *status) {
  SEXP space = PROTECT(ffi_namespace());
  SEXP words = PROTECT(Rf_mkString(message)), code = PROTECT(Rf_mkString(status));
  SEXP call = PROTECT(Rf_lang3(Rf_install("stop_core"), words, code));
  Rf_eval(call, space);
  Rf_error("%s", message); /* not reached */
}

NORET void ffi_raise(bj_status status, const bj_error *error) {
  static const char *const texts[] = {
#define BJ_STATUS_TEXT(name, words) words,
      BJ_STATUS_LIST(BJ_STATUS_TEXT)
#undef BJ_STATUS_TEXT
  };
  static const char *const names[] = {
#define BJ_STATUS_NAME(name, words) #name,
      BJ_STATUS_LIST(BJ_STATUS_NAME)
#undef BJ_STATUS_NAME
  };
  raise(error->message[0] ? error->message : texts[status], names[status]);
}

NORET void ffi_fail(const char *format, ...) {
  bj_error error;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error.message, sizeof error.message, format, arguments);
  va_end(arguments);
  ffi_raise(BJ_BAD_INPUT, &error);
}
