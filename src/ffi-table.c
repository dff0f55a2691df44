/* Tables of R: matrices, and lists of columns of one length. They may have more rows than a copy has room for, so what
 * R must know of them is computed here, where they lie. */
#include "ffi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

void ffi_check_length(SEXP x, R_xlen_t n, const char *what) {
  if (TYPEOF(x) != REALSXP || Rf_xlength(x) != n) ffi_fail("`%s` must be %.0f numbers", what, (double)n);
}

/* Points: a matrix, or a list of columns of equal lengths. Without columns the number of rows is not known: 0. */
bj_rows ffi_rows(SEXP x, int columns, const char *what) {
  const double **column = (const double **)R_alloc((size_t)columns + 1, sizeof(double *));
  if (TYPEOF(x) == VECSXP) {
    if (Rf_xlength(x) != columns) ffi_fail("`%s` must have %d columns", what, columns);
    const R_xlen_t n = columns > 0 ? Rf_xlength(VECTOR_ELT(x, 0)) : 0;
    for (int j = 0; j < columns; j++) {
      ffi_check_length(VECTOR_ELT(x, j), n, what);
      column[j] = REAL(VECTOR_ELT(x, j));
    }
    return (bj_rows){.n = (long)n, .column = column};
  }
  if (columns == 0) return (bj_rows){.n = 0, .column = column};
  const R_xlen_t n = Rf_xlength(x) / columns;
  ffi_check_length(x, n * columns, what);
  for (int j = 0; j < columns; j++) column[j] = REAL(x) + j * n;
  return (bj_rows){.n = (long)n, .column = column};
}

static int column_within(SEXP x, double largest) {
  const R_xlen_t n = Rf_xlength(x);
  R_xlen_t i = 0;
  if (TYPEOF(x) == REALSXP) {
    const double *at = REAL(x);
    while (i < n && fabs(at[i]) <= largest) i++;
  } else if (TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP) {
    const int *at = INTEGER(x);
    while (i < n && at[i] != NA_INTEGER) i++;
  } else {
    ffi_fail("a column is not numbers");
  }
  return i == n;
}

/* Whether all numbers of a matrix, or of a list of columns, are there and within +-largest, which is more than any
 * integer. */
SEXP ffi_all_within(SEXP x, SEXP largest) {
  const double most = Rf_asReal(largest);
  const R_xlen_t n = TYPEOF(x) == VECSXP ? Rf_xlength(x) : 1;
  int good = 1;
  for (R_xlen_t j = 0; j < n && good; j++) good = column_within(TYPEOF(x) == VECSXP ? VECTOR_ELT(x, j) : x, most);
  return Rf_ScalarLogical(good);
}

/* Two whole numbers that tell one table from another: 64 bits mixed from all numbers of a matrix, or of a list of
 * double columns, column after column, so that the order of rows and columns counts. -0 is 0. */
SEXP ffi_digest(SEXP x) {
  uint64_t h = 0x243f6a8885a308d3u;
  const R_xlen_t n = TYPEOF(x) == VECSXP ? Rf_xlength(x) : 1;
  for (R_xlen_t j = 0; j < n; j++) {
    SEXP column = TYPEOF(x) == VECSXP ? VECTOR_ELT(x, j) : x;
    if (TYPEOF(column) != REALSXP) ffi_fail("a column is not numbers");
    const double *at = REAL(column);
    const R_xlen_t rows = Rf_xlength(column);
    for (R_xlen_t i = 0; i < rows; i++) {
      const double value = at[i] + 0.0;
      uint64_t bits;
      memcpy(&bits, &value, sizeof bits);
      h = (h ^ bits) * 0x9e3779b97f4a7c15u;
      h ^= h >> 32;
    }
  }
  SEXP out = PROTECT(Rf_allocVector(REALSXP, 2));
  REAL(out)[0] = (double)(h >> 32);
  REAL(out)[1] = (double)(h & 0xffffffffu);
  UNPROTECT(1);
  return out;
}

/* One column as R stores it: numbers, or whole numbers. */
typedef struct {
  const double *number;
  const int *whole;
} r_column;

typedef struct {
  R_xlen_t n;
  int columns;
  r_column *column;
} r_table;

static r_column column_of(SEXP x, R_xlen_t offset) {
  if (TYPEOF(x) == REALSXP) return (r_column){REAL(x) + offset, NULL};
  if (TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP) return (r_column){NULL, INTEGER(x) + offset};
  ffi_fail("a column is not numbers");
}

static r_table table_of(SEXP x) {
  const int list = TYPEOF(x) == VECSXP;
  r_table table = {.columns = list ? (int)Rf_xlength(x) : Rf_ncols(x)};
  table.n = list ? (table.columns > 0 ? Rf_xlength(VECTOR_ELT(x, 0)) : 0) : Rf_nrows(x);
  table.column = (r_column *)R_alloc((size_t)table.columns + 1, sizeof(r_column));
  for (int j = 0; j < table.columns; j++) {
    if (list && Rf_xlength(VECTOR_ELT(x, j)) != table.n) ffi_fail("the columns are not of one length");
    table.column[j] = list ? column_of(VECTOR_ELT(x, j), 0) : column_of(x, j * table.n);
  }
  return table;
}

static double value_at(const r_column *column, R_xlen_t i) {
  if (column->number) return column->number[i];
  return column->whole[i] == NA_INTEGER ? NA_REAL : column->whole[i];
}

/* The k-th of some rows, from 0. */
static R_xlen_t row_at(SEXP rows, R_xlen_t k, R_xlen_t n) {
  const double row = TYPEOF(rows) == INTSXP ? INTEGER(rows)[k] : REAL(rows)[k];
  if (!(row >= 1 && row <= (double)n)) ffi_fail("there is no row %g among %.0f rows", row, (double)n);
  return (R_xlen_t)row - 1;
}

static void check_row_numbers(SEXP rows) {
  if (TYPEOF(rows) != INTSXP && TYPEOF(rows) != REALSXP) ffi_fail("rows must be numbers");
}

/* The smallest and the largest number of each column, a matrix of two rows: of some rows (NULL: of all) without those
 * of weight 0 (NULL: none are); Inf and -Inf where there are none. */
SEXP ffi_ranges(SEXP x, SEXP rows, SEXP weights) {
  const r_table table = table_of(x);
  const int all = rows == R_NilValue;
  if (!all) check_row_numbers(rows);
  if (weights != R_NilValue) ffi_check_length(weights, table.n, "weights");
  const double *weight = weights == R_NilValue ? NULL : REAL(weights);
  const R_xlen_t n = all ? table.n : Rf_xlength(rows);
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, 2, table.columns));
  for (int j = 0; j < table.columns; j++) {
    double least = R_PosInf, most = R_NegInf;
    for (R_xlen_t k = 0; k < n; k++) {
      const R_xlen_t i = all ? k : row_at(rows, k, table.n);
      if (weight && weight[i] == 0) continue;
      const double value = value_at(table.column + j, i);
      if (value < least) least = value;
      if (value > most) most = value;
    }
    REAL(out)[2 * j] = least;
    REAL(out)[2 * j + 1] = most;
  }
  UNPROTECT(1);
  return out;
}

/* Some rows as a matrix; with a centre and a scale for each column (value - centre) / scale. */
SEXP ffi_rows_at(SEXP x, SEXP rows, SEXP center, SEXP scale) {
  const r_table table = table_of(x);
  check_row_numbers(rows);
  const R_xlen_t n = Rf_xlength(rows);
  const int standard = center != R_NilValue;
  if (standard) {
    ffi_check_length(center, table.columns, "center");
    ffi_check_length(scale, table.columns, "scale");
  }
  if (n > INT_MAX) ffi_fail("there are more than %d rows", INT_MAX);
  SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)n, table.columns));
  double *to = REAL(out);
  for (int j = 0; j < table.columns; j++) {
    const double c = standard ? REAL(center)[j] : 0, s = standard ? REAL(scale)[j] : 1;
    for (R_xlen_t k = 0; k < n; k++) {
      const double value = value_at(table.column + j, row_at(rows, k, table.n));
      *to++ = standard ? (value - c) / s : value;
    }
  }
  UNPROTECT(1);
  return out;
}

/* The numbers of the rows whose value in one column is from `least` to `most`, ascending. */
SEXP ffi_rows_within(SEXP x, SEXP least, SEXP most) {
  const r_column column = column_of(x, 0);
  const double from = Rf_asReal(least), to = Rf_asReal(most);
  const R_xlen_t n = Rf_xlength(x);
  if (n > INT_MAX) ffi_fail("there are more than %d rows", INT_MAX);
  R_xlen_t n_within = 0;
  for (R_xlen_t i = 0; i < n; i++) n_within += value_at(&column, i) >= from && value_at(&column, i) <= to;
  SEXP out = PROTECT(Rf_allocVector(INTSXP, n_within));
  for (R_xlen_t i = 0, k = 0; i < n; i++) {
    if (value_at(&column, i) >= from && value_at(&column, i) <= to) INTEGER(out)[k++] = (int)i + 1;
  }
  UNPROTECT(1);
  return out;
}

/* The numbers from 1 to n that are not among some rows, ascending. */
SEXP ffi_other_rows(SEXP n_row, SEXP rows) {
  const int n = Rf_asInteger(n_row), n_left_out = (int)Rf_xlength(rows);
  check_row_numbers(rows);
  if (n < 0) ffi_fail("there are %d rows", n); /* NA too */
  unsigned char *gone = (unsigned char *)R_alloc((size_t)n + 1, 1);
  memset(gone, 0, (size_t)n + 1);
  int left = n;
  for (int k = 0; k < n_left_out; k++) {
    const R_xlen_t i = row_at(rows, k, n);
    left -= !gone[i];
    gone[i] = 1;
  }
  SEXP out = PROTECT(Rf_allocVector(INTSXP, left));
  for (int i = 0, k = 0; i < n; i++) {
    if (!gone[i]) INTEGER(out)[k++] = i + 1;
  }
  UNPROTECT(1);
  return out;
}

/* A number in [0, 1) for each of n rows from number `first` on (from 0), and for `seed`: independent of all others to
 * the eye, by the finaliser of splitmix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195). */
SEXP ffi_row_hash(SEXP first, SEXP n_row, SEXP seed) {
  const R_xlen_t n = (R_xlen_t)Rf_asReal(n_row);
  const uint64_t start = (uint64_t)Rf_asReal(seed) * 0x9e3779b97f4a7c15u + (uint64_t)Rf_asReal(first);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  for (R_xlen_t i = 0; i < n; i++) {
    uint64_t h = (start + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    REAL(out)[i] = (double)((h ^ (h >> 31)) >> 11) * 0x1p-53;
  }
  UNPROTECT(1);
  return out;
}
