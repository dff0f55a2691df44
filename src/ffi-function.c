/* R code that the core calls: what looks whether to stop it, and functions of the user. */
#include <setjmp.h>
#include <string.h>

#include "ffi.h"

/* A jump out of R code would leave the other threads behind: it is caught here, and goes on in ffi_finish() or
 * ffi_go_on(). */
static SEXP unwind_token = NULL;

/* Whether a function that the core called has raised a condition, which goes on when the core has returned, or is in
 * the list `function_keep`. */
static int function_raised = 0;
static SEXP function_keep = NULL;

static void catch_jump(void *landing, Rboolean jump) {
  if (jump) longjmp(*(jmp_buf *)landing, 1);
}

static SEXP caught_or_null(SEXP (*run)(void *), void *what) {
  jmp_buf landing;
  if (!unwind_token) R_PreserveObject(unwind_token = R_MakeUnwindCont());
  if (setjmp(landing)) return NULL;
  return R_UnwindProtect(run, what, catch_jump, &landing, unwind_token);
}

/* What R code gives, or NULL where it jumped. What it calls of this package keeps nothing for us. */
SEXP ffi_caught(SEXP (*run)(void *), void *what) {
  SEXP keep = function_keep;
  function_keep = NULL;
  SEXP value = caught_or_null(run, what);
  function_keep = keep;
  return value;
}

NORET void ffi_unwind(void) { R_ContinueUnwind(unwind_token); }

int ffi_function_raised(void) { return function_raised; }

void ffi_go_on(void) {
  if (!function_raised) return;
  function_raised = 0;
  ffi_unwind();
}

static SEXP named_list(int n, const bj_array *arrays) {
  SEXP list = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
  for (int i = 0; i < n; i++) SET_STRING_ELT(names, i, Rf_mkChar(arrays[i].name));
  Rf_setAttrib(list, R_NamesSymbol, names);
  UNPROTECT(2);
  return list;
}

static R_xlen_t array_length(const bj_array *array) {
  return (R_xlen_t)array->n * (array->columns < 0 ? 1 : array->columns);
}

typedef struct {
  SEXP function;
  const char *owner, *what, *by; /* by: the function of R/hosted.R that calls it, and looks at what it gives */
  int n_in, n_out;
  const bj_array *in, *out;
} function_call;

static SEXP call_hosted(void *host) {
  const function_call *at = host;
  SEXP given = PROTECT(named_list(at->n_in, at->in)), shapes = PROTECT(named_list(at->n_out, at->out));
  for (int i = 0; i < at->n_in; i++) {
    const bj_array *in = at->in + i;
    SEXP x = in->columns < 0 ? Rf_allocVector(REALSXP, in->n) : Rf_allocMatrix(REALSXP, (int)in->n, in->columns);
    SET_VECTOR_ELT(given, i, x);
    memcpy(REAL(x), in->from, sizeof(double) * (size_t)array_length(in));
  }
  for (int i = 0; i < at->n_out; i++) {
    SET_VECTOR_ELT(shapes, i, Rf_allocVector(INTSXP, 2));
    INTEGER(VECTOR_ELT(shapes, i))[0] = (int)at->out[i].n;
    INTEGER(VECTOR_ELT(shapes, i))[1] = at->out[i].columns;
  }
  SEXP space = PROTECT(ffi_namespace());
  SEXP hosted = PROTECT(Rf_findFun(Rf_install(at->by), space));
  SEXP owner = PROTECT(Rf_mkString(at->owner)), what = PROTECT(Rf_mkString(at->what));
  SEXP call = PROTECT(Rf_lang6(hosted, at->function, owner, what, given, shapes));
  SEXP value = Rf_eval(call, R_GlobalEnv);
  UNPROTECT(7);
  return value;
}

static bj_status call_function(void *function, const char *owner, const char *what, int n_in, const bj_array *in,
                               int n_out, const bj_array *out) {
  if (function_raised) return BJ_STOPPED;
  const char *by = function_keep ? "hosted_or_condition" : "hosted";
  function_call call = {function, owner, what, by, n_in, n_out, in, out};
  SEXP value = ffi_caught(call_hosted, &call);
  if (value && Rf_inherits(value, "condition")) {
    SET_VECTOR_ELT(function_keep, 0, value);
    value = NULL;
  }
  if (!value) {
    function_raised = 1;
    return BJ_STOPPED;
  }
  for (int i = 0; i < n_out; i++) { /* hosted() has seen to lengths and types */
    memcpy(out[i].to, REAL(VECTOR_ELT(value, i)), sizeof(double) * (size_t)array_length(out + i));
  }
  return BJ_OK;
}

/* An error of memory in the core may have jumped over what takes this back. */
void ffi_functions_begin(void) {
  function_raised = 0;
  function_keep = NULL;
}

void ffi_keep_condition(SEXP keep) {
  if (function_keep && VECTOR_ELT(function_keep, 0) != R_NilValue) function_raised = 0;
  function_keep = keep;
}

bj_function ffi_function(SEXP function) { return (bj_function){call_function, function}; }
