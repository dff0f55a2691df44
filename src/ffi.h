/* The border between R and the core: the only files that know both. */
#ifndef BJ_FFI_H
#define BJ_FFI_H

#define R_NO_REMAP
#include <R.h>
#include <Rinternals.h>

#include "core/core.h"

/* ffi-spec.c: R's plain lists to specs. Adds to `hosted` how many functions of R there are in them; NULL: not asked. */
bj_spec ffi_spec(SEXP list, const bj_memory *memory, int *hosted);
/* That of a field of a list, in memory that outlives the call. */
const bj_spec *ffi_spec_at(SEXP list, const char *name, const bj_memory *memory);
/* A list is a spec if it has a `kind`, and this is it; NULL: it is none. Other lists hold specs. */
const char *ffi_kind(SEXP x);
void ffi_spec_check(SEXP list);                 /* without making one: has a kind, and is not nested too deep */
SEXP ffi_list_get(SEXP list, const char *name); /* R_NilValue if absent */
/* One number (any, NaN too), one whole number within bounds; an error if the field is another thing. */
double ffi_number(SEXP list, const char *name);
double ffi_whole(SEXP list, const char *name, double min, double max);
/* Conditions of class bijectr_error_core, with the user's call. ffi_fail(), printf style, is for what the border itself
 * refuses. */
NORET void ffi_raise(bj_status status, const bj_error *error);
NORET void ffi_fail(const char *format, ...);

/* ffi-host.c: instruction set, memory that R frees after the call, threads, clock. */
const bj_core *ffi_core(void);
/* The memory of one entry of the .Call table: 32 kB on its stack, which specs and nodes mostly fit in, and R's memory
 * beyond. Entries call each other only through R code, which looks at the depth of the stack. */
typedef struct {
  bj_memory memory;
  char *at;
  size_t left;
  char begin[32768];
} ffi_arena;
const bj_memory *ffi_memory(ffi_arena *arena);
/* Memory for one call of the core's maps or draws, until the end; `memory` where such a call is under way. */
const bj_memory *ffi_workspace(const bj_memory *memory);
void ffi_workspace_end(const bj_memory *memory);
void ffi_host_init(void);
SEXP ffi_namespace(void); /* of this package; to be protected */
double ffi_clock(void);
/* Workers for one call. `poll`, an R function without arguments or NULL, is called on this thread at most each 0.1 s:
 * where it gives TRUE, or raises a condition (an interrupt, an error), the core stops. ffi_finish() comes after the
 * core has returned: the condition goes on from there, and a bad status becomes an error. */
bj_workers ffi_workers(SEXP threads, SEXP poll, int hosted);
void ffi_finish(const bj_workers *workers, bj_status status, const bj_error *error);

/* ffi-function.c: R code that the core calls. ffi_caught() gives what `run` gives, or NULL where it jumped, which
 * ffi_unwind() goes on with. */
SEXP ffi_caught(SEXP (*run)(void *), void *what);
NORET void ffi_unwind(void);
/* Functions of the user. Where one raises a condition, the core stops, and the condition goes on from ffi_finish(), or
 * from ffi_go_on() where there are no workers. */
bj_function ffi_function(SEXP function);
void ffi_go_on(void);
int ffi_function_raised(void);
void ffi_functions_begin(void); /* before a flow with such functions is built */
/* Until the next call, with NULL, conditions of functions do not go on: the first is put into the list `keep`. */
void ffi_keep_condition(SEXP keep);

/* ffi-flow.c */
typedef struct {
  const bj_core *core;
  const bj_memory *memory;
  bj_flow *flow;
  bj_flow_size size;
  int hosted; /* whether R evaluates parts of it: then on this thread alone */
} ffi_built;
ffi_built ffi_build(SEXP flow, const bj_memory *memory);
const double *ffi_params(const ffi_built *built, SEXP flow);
/* Conditions of the core and of R's functions go on from here. */
void ffi_map(const ffi_built *built, const double *theta, bj_direction direction, const bj_map_job *job,
             const bj_workers *workers);
void ffi_draw(const ffi_built *built, const double *theta, const bj_draw_job *job, const bj_workers *workers);

/* ffi-draws.c. A target in R gives list(value, gradient) for a matrix, or gives back, and does not raise, what ends it:
 * that goes into the list `keep`. Where it jumped all the same, ffi_unwind() goes on when the core has returned. */
typedef struct {
  SEXP evaluate, keep;
  int d, jumped;
} ffi_target;
/* A list(target, program, loss, n); `host` is filled. */
bj_draw_setup ffi_draw_setup(SEXP list, const ffi_built *built, SEXP keep, ffi_target *host);
/* Whether a value is a condition, which is then kept. */
int ffi_ended(SEXP keep, SEXP value);

/* ffi-table.c */
bj_rows ffi_rows(SEXP x, int columns, const char *what);
void ffi_check_length(SEXP x, R_xlen_t n, const char *what);

/* ffi-callable.c: what other packages call. */
void ffi_register_callables(void);

/* The entries of the .Call table. */
SEXP ffi_all_within(SEXP x, SEXP largest);
SEXP ffi_digest(SEXP x);
SEXP ffi_ranges(SEXP x, SEXP rows, SEXP weights);
SEXP ffi_rows_at(SEXP x, SEXP rows, SEXP center, SEXP scale);
SEXP ffi_rows_within(SEXP x, SEXP least, SEXP most);
SEXP ffi_other_rows(SEXP n_row, SEXP rows);
SEXP ffi_row_hash(SEXP first, SEXP n_row, SEXP seed);
SEXP ffi_flow_check(SEXP flow);
SEXP ffi_flow_describe(SEXP flow);
SEXP ffi_flow_init(SEXP flow, SEXP seed, SEXP poll);
SEXP ffi_flow_map(SEXP flow, SEXP inverse, SEXP x, SEXP condition, SEXP want_value, SEXP threads, SEXP poll);
SEXP ffi_rows_without_density(SEXP flow, SEXP x, SEXP condition, SEXP weights, SEXP threads, SEXP poll);
SEXP ffi_flow_vjp(SEXP flow, SEXP inverse, SEXP x, SEXP condition, SEXP cotangents, SEXP threads, SEXP seed, SEXP poll);
SEXP ffi_flow_draw(SEXP flow, SEXP n, SEXP condition, SEXP seed, SEXP threads, SEXP poll);
SEXP ffi_draw_step(SEXP flow, SEXP draws, SEXP z, SEXP beta, SEXP seed, SEXP threads, SEXP poll);
SEXP ffi_program(SEXP program, SEXP x);
SEXP ffi_flow_draw_vjp(SEXP flow, SEXP z, SEXP condition, SEXP grad_z);
SEXP ffi_flow_given(SEXP flow, SEXP condition);
SEXP ffi_train_names(void);
SEXP ffi_optimizer_moments(SEXP optimizer);
SEXP ffi_train(SEXP flow, SEXP setup, SEXP state, SEXP threads, SEXP poll);
SEXP ffi_near_kernels(SEXP x, SEXP y, SEXP rate, SEXP squared);
SEXP ffi_logits_loss(SEXP x, SEXP y, SEXP coefficient);
SEXP ffi_normal_mixture(SEXP z, SEXP w, SEXP groups, SEXP k, SEXP shape, SEXP prior, SEXP center, SEXP steps,
                        SEXP tolerance, SEXP poll);
SEXP ffi_check_interrupt(void);
SEXP ffi_isa(void);
SEXP ffi_kinds(void);
SEXP ffi_num_apply(SEXP name, SEXP x);
SEXP ffi_num_gemm(SEXP mode, SEXP a, SEXP x, SEXP m, SEXP k, SEXP n_block);
SEXP ffi_num_philox(SEXP counter, SEXP key);
SEXP ffi_probe(SEXP name, SEXP n);

#endif
