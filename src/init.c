#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "ffi.h"

#define ENTRY(name, n) \
  { #name, (DL_FUNC)&name, n }

static const R_CallMethodDef call_entries[] = {
    ENTRY(ffi_all_within, 2),
    ENTRY(ffi_digest, 1),
    ENTRY(ffi_ranges, 3),
    ENTRY(ffi_rows_at, 4),
    ENTRY(ffi_rows_without_density, 6),
    ENTRY(ffi_rows_within, 3),
    ENTRY(ffi_other_rows, 2),
    ENTRY(ffi_row_hash, 3),
    ENTRY(ffi_check_interrupt, 0),
    ENTRY(ffi_flow_check, 1),
    ENTRY(ffi_flow_describe, 1),
    ENTRY(ffi_flow_draw, 6),
    ENTRY(ffi_flow_draw_vjp, 4),
    ENTRY(ffi_flow_given, 2),
    ENTRY(ffi_flow_init, 3),
    ENTRY(ffi_flow_map, 7),
    ENTRY(ffi_draw_step, 7),
    ENTRY(ffi_program, 2),
    ENTRY(ffi_flow_vjp, 8),
    ENTRY(ffi_isa, 0),
    ENTRY(ffi_kinds, 0),
    ENTRY(ffi_near_kernels, 4),
    ENTRY(ffi_logits_loss, 3),
    ENTRY(ffi_normal_mixture, 10),
    ENTRY(ffi_num_apply, 2),
    ENTRY(ffi_num_gemm, 6),
    ENTRY(ffi_num_philox, 2),
    ENTRY(ffi_optimizer_moments, 1),
    ENTRY(ffi_probe, 2),
    ENTRY(ffi_train, 5),
    ENTRY(ffi_train_names, 0),
    {NULL, NULL, 0},
};

attribute_visible void R_init_bijectr(DllInfo *dll) {
  R_registerRoutines(dll, NULL, call_entries, NULL, NULL);
  R_useDynamicSymbols(dll, FALSE);
  R_forceSymbols(dll, TRUE);
  ffi_host_init();
  ffi_register_callables();
}
