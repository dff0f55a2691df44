/* The border between R and the core: the only files that know both. */
#ifndef BJ_FFI_H
#define BJ_FFI_H

#define R_NO_REMAP
#include <R.h>
#include <Rinternals.h>

#include "core/core.h"

/* ffi-spec.c: R's plain lists to specs, in memory that R frees after the call. */
const bj_memory *ffi_memory(void);
bj_spec ffi_spec(SEXP list);
SEXP ffi_list_get(SEXP list, const char *name); /* R_NilValue if absent */
double ffi_number(SEXP list, const char *name);
const char *ffi_string(SEXP list, const char *name);
NORET void ffi_raise(bj_status status, const bj_error *error);

/* ffi-host.c: instruction set, threads, clock. */
const bj_core *ffi_core(void);
void ffi_host_init(void);
bj_workers ffi_workers(SEXP threads);
double ffi_clock(void);

/* ffi-flow.c */
typedef struct {
  const bj_core *core;
  bj_flow *flow;
  bj_flow_size size;
} ffi_built;
ffi_built ffi_build(SEXP base, SEXP layers, SEXP d, SEXP n_condition);

/* ffi-optimize.c */
bj_optimizer ffi_optimizer(SEXP list);
bj_schedule ffi_schedule(SEXP list, double rate, double steps);

/* The entries of the .Call table. */
SEXP ffi_flow_describe(SEXP base, SEXP layers, SEXP d, SEXP n_condition);
SEXP ffi_flow_init(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP seed);
SEXP ffi_flow_map(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP inverse, SEXP x, SEXP condition,
                  SEXP want_value, SEXP threads);
SEXP ffi_flow_vjp(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP inverse, SEXP x, SEXP condition,
                  SEXP cotangents, SEXP threads, SEXP seed);
SEXP ffi_flow_draw(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP n, SEXP seed, SEXP threads);
SEXP ffi_flow_draw_vjp(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP theta, SEXP z, SEXP grad_z);
SEXP ffi_optimizer_moments(SEXP name);
SEXP ffi_optimize(SEXP theta, SEXP moment, SEXP gradient, SEXP optimizer_list, SEXP rate, SEXP t, SEXP clip);
SEXP ffi_schedule_rate(SEXP schedule_list, SEXP rate, SEXP steps, SEXP step);
SEXP ffi_train(SEXP base, SEXP layers, SEXP d, SEXP n_condition, SEXP setup, SEXP state, SEXP threads);
SEXP ffi_check_interrupt(void);
SEXP ffi_isa(void);
SEXP ffi_kinds(void);
SEXP ffi_num_apply(SEXP name, SEXP x);
SEXP ffi_num_gemm(SEXP mode, SEXP a, SEXP x, SEXP m, SEXP k, SEXP n_block);
SEXP ffi_num_philox(SEXP counter, SEXP key);
SEXP ffi_probe(SEXP name, SEXP n);

#endif
