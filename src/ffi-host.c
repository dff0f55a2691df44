/* What the host lends to the core: an instruction set, threads, a clock. */
#include "ffi.h"

#include <string.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#ifndef _WIN32
#include <pthread.h>
#endif
#endif

static const bj_core *const all_cores[] = {&bj_core_avx512, &bj_core_avx2, &bj_core_baseline};
#define N_CORE (sizeof all_cores / sizeof *all_cores)

/* Compiled in, and the processor can run it. */
static int core_available(const bj_core *core) {
  if (!core->isa) return 0;
#if defined(__x86_64__) && defined(__GNUC__)
  if (core == &bj_core_avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
  }
  if (core == &bj_core_avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return 1;
}

/* The widest, or the one that option bijectr.isa names. */
const bj_core *ffi_core(void) {
  SEXP option = Rf_GetOption1(Rf_install("bijectr.isa"));
  const char *wanted = TYPEOF(option) == STRSXP && Rf_length(option) == 1 ? CHAR(STRING_ELT(option, 0)) : NULL;
  for (size_t i = 0; i < N_CORE; i++) {
    if (!core_available(all_cores[i])) continue;
    if (!wanted || !strcmp(wanted, all_cores[i]->isa)) return all_cores[i];
  }
  Rf_errorcall(R_NilValue, "option `bijectr.isa` is \"%s\", which this machine or build does not have", wanted);
}

/* Names of the cores that can be chosen, widest first. */
SEXP ffi_isa(void) {
  int n = 0;
  for (size_t i = 0; i < N_CORE; i++) n += core_available(all_cores[i]);
  SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
  n = 0;
  for (size_t i = 0; i < N_CORE; i++) {
    if (core_available(all_cores[i])) SET_STRING_ELT(out, n++, Rf_mkChar(all_cores[i]->isa));
  }
  UNPROTECT(1);
  return out;
}

double ffi_clock(void) {
  struct timespec now;
#ifdef CLOCK_MONOTONIC
  clock_gettime(CLOCK_MONOTONIC, &now);
#else
  timespec_get(&now, TIME_UTC);
#endif
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

/* GNU's OpenMP hangs in a child of fork() whose parent has used threads: children stay on one thread. */
static int forked = 0;

#if defined(_OPENMP) && !defined(_WIN32)
static void after_fork_in_child(void) { forked = 1; }
#endif

void ffi_host_init(void) {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
#endif
#if defined(_OPENMP) && !defined(_WIN32)
  pthread_atfork(NULL, NULL, after_fork_in_child);
#endif
}

static void run_tasks(void *host, int n_task, void (*task)(void *arg, int index), void *arg) {
#ifdef _OPENMP
  const int n_thread = *(const int *)host;
  if (n_thread > 1 && n_task > 1 && !omp_in_parallel()) {
#pragma omp parallel for num_threads(n_thread) schedule(dynamic, 1)
    for (int i = 0; i < n_task; i++) task(arg, i);
    return;
  }
#else
  (void)host;
#endif
  for (int i = 0; i < n_task; i++) task(arg, i);
}

bj_workers ffi_workers(SEXP threads) {
  int *n_thread = (int *)R_alloc(1, sizeof(int));
  *n_thread = forked ? 1 : Rf_asInteger(threads);
  return (bj_workers){*n_thread, run_tasks, n_thread};
}

/* Raises R's interrupt condition if one is pending. */
SEXP ffi_check_interrupt(void) {
  R_CheckUserInterrupt();
  return R_NilValue;
}
