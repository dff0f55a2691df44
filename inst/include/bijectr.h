/* Flows of the R package bijectr for the C and C++ code of other packages.
 *
 *   DESCRIPTION   LinkingTo: bijectr
 *                 Imports: bijectr      (and in NAMESPACE importFrom(bijectr, fit_flow), so that it is loaded)
 *   C             #include <bijectr.h>
 *
 * A handle is made of an R object once and may be used in any number of calls. It is an external pointer that R owns:
 * keep it from R's collector as any SEXP (PROTECT, or return it to R). It keeps what it needs of the flow, which may
 * be removed. It does not survive saveRDS(): make a new one.
 *
 * Matrices are column-major as R's, with n rows: x has bijectr_d() columns in the units of the data, condition has
 * bijectr_n_condition() columns, as many as the design matrix of a formula (without the intercept), or NULL where there
 * are none. Results are written to memory that the caller owns. Functions are to be called on R's main thread; they use
 * options(bijectr.threads = ) threads as it was when the handle was made, which does not change results. What goes
 * wrong is an error of R, which leaves by a longjmp. */
#ifndef BIJECTR_H
#define BIJECTR_H

#include <R_ext/Rdynload.h>
#include <Rinternals.h>

/* The version of what follows. bijectr_api_version() is that of the installed package: it is at least this one where a
 * package works that was compiled with this header. Functions are added, and never change. */
#define BIJECTR_API_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

static inline int bijectr_api_version(void) {
  static int (*f)(void) = NULL;
  if (!f) f = (int (*)(void))R_GetCCallable("bijectr", "bijectr_api_version");
  return f();
}

/* Of a flow() or a fit of one flow, as by fit_flow(members = 1). Stacks, tables of mixed columns and fits of whole
 * numbers have no handle. */
static inline SEXP bijectr_handle(SEXP flow) {
  static SEXP (*f)(SEXP) = NULL;
  if (!f) f = (SEXP(*)(SEXP))R_GetCCallable("bijectr", "bijectr_handle");
  return f(flow);
}

/* Numbers of coordinates and of columns of conditions. */
static inline int bijectr_d(SEXP handle) {
  static int (*f)(SEXP) = NULL;
  if (!f) f = (int (*)(SEXP))R_GetCCallable("bijectr", "bijectr_d");
  return f(handle);
}

static inline int bijectr_n_condition(SEXP handle) {
  static int (*f)(SEXP) = NULL;
  if (!f) f = (int (*)(SEXP))R_GetCCallable("bijectr", "bijectr_n_condition");
  return f(handle);
}

/* Log densities of n points. */
static inline void bijectr_log_density(SEXP handle, int n, const double *x, const double *condition, double *out) {
  static void (*f)(SEXP, int, const double *, const double *, double *) = NULL;
  if (!f) {
    f = (void (*)(SEXP, int, const double *, const double *, double *))R_GetCCallable("bijectr", "bijectr_log_density");
  }
  f(handle, n, x, condition, out);
}

/* The same, and their gradients in x: n x d. */
static inline void bijectr_gradient(SEXP handle, int n, const double *x, const double *condition, double *out,
                                    double *gradient) {
  static void (*f)(SEXP, int, const double *, const double *, double *, double *) = NULL;
  if (!f) {
    f = (void (*)(SEXP, int, const double *, const double *, double *, double *))R_GetCCallable("bijectr",
                                                                                               "bijectr_gradient");
  }
  f(handle, n, x, condition, out, gradient);
}

/* n draws, n x d, and, unless NULL, their log densities. Random numbers are governed by set.seed(): sample() gives the
 * same draws, but that it rounds those of integer columns. The generator's state is read and written in the call. */
static inline void bijectr_draw(SEXP handle, int n, const double *condition, double *x, double *log_density) {
  static void (*f)(SEXP, int, const double *, double *, double *) = NULL;
  if (!f) f = (void (*)(SEXP, int, const double *, double *, double *))R_GetCCallable("bijectr", "bijectr_draw");
  f(handle, n, condition, x, log_density);
}

#ifdef __cplusplus
}
#endif

#endif
