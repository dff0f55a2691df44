/* Steps of optimisers and rates of schedules, for losses that R computes. */
#include "ffi.h"

bj_optimizer ffi_optimizer(SEXP list) {
  return (bj_optimizer){
      .name = ffi_string(list, "kind"),
      .beta1 = ffi_number(list, "beta1"),
      .beta2 = ffi_number(list, "beta2"),
      .eps = ffi_number(list, "eps"),
      .weight_decay = ffi_number(list, "weight_decay"),
      .momentum = ffi_number(list, "momentum"),
      .nesterov = ffi_number(list, "nesterov") != 0,
  };
}

bj_schedule ffi_schedule(SEXP list, double rate, double steps) {
  return (bj_schedule){
      .name = ffi_string(list, "kind"),
      .rate = rate,
      .final = ffi_number(list, "final"),
      .decay = ffi_number(list, "decay"),
      .start = ffi_number(list, "start"),
      .warmup = ffi_number(list, "warmup"),
      .steps = steps,
  };
}

/* list(theta, moment, norm): new vectors, and the norm of the gradient. Where it is not finite nothing has changed. */
SEXP ffi_optimize(SEXP theta, SEXP moment, SEXP gradient, SEXP optimizer_list, SEXP rate, SEXP t, SEXP clip) {
  const char *names[] = {"theta", "moment", "norm", ""};
  const bj_optimizer optimizer = ffi_optimizer(optimizer_list);
  const R_xlen_t n = Rf_xlength(theta);
  const int n_moment = ffi_core()->optimizer_moments(optimizer.name);
  if (TYPEOF(theta) != REALSXP || TYPEOF(moment) != REALSXP || TYPEOF(gradient) != REALSXP || n_moment < 0 ||
      Rf_xlength(gradient) != n || Rf_xlength(moment) != n * n_moment) {
    Rf_error("internal error: parameters, moments and gradient do not fit together");
  }
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  SET_VECTOR_ELT(out, 0, Rf_duplicate(theta));
  SET_VECTOR_ELT(out, 1, Rf_duplicate(moment));
  SEXP clipped = PROTECT(Rf_duplicate(gradient));
  const double norm = ffi_core()->optimize(&optimizer, n, Rf_asReal(rate), Rf_asReal(t), Rf_asReal(clip),
                                           REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), REAL(clipped));
  SET_VECTOR_ELT(out, 2, Rf_ScalarReal(norm));
  UNPROTECT(2);
  return out;
}

/* Rates at steps 0, 1, ... */
SEXP ffi_schedule_rate(SEXP schedule_list, SEXP rate, SEXP steps, SEXP step) {
  const bj_schedule schedule = ffi_schedule(schedule_list, Rf_asReal(rate), Rf_asReal(steps));
  const R_xlen_t n = Rf_xlength(step);
  if (TYPEOF(step) != REALSXP) Rf_error("internal error: `step` has the wrong type");
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  for (R_xlen_t i = 0; i < n; i++) REAL(out)[i] = ffi_core()->schedule_rate(&schedule, REAL(step)[i]);
  UNPROTECT(1);
  return out;
}
