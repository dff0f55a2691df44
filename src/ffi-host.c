/* What the host lends to the core: an instruction set, threads, a clock. */
#include "ffi.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#ifndef _WIN32
#include <pthread.h>
#include <sched.h>
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
  ffi_fail("option `bijectr.isa` is \"%s\", which this machine or build does not have", wanted);
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

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* The small pieces of specs and nodes are cut from blocks, the first of which is on the stack: R's allocator, and its
 * collections, cost more than all else of a short call. */
#define ALIGNMENT 16

static void arena_use(ffi_arena *arena, char *block, size_t bytes) {
  const size_t skip = (ALIGNMENT - (uintptr_t)block % ALIGNMENT) % ALIGNMENT;
  arena->at = block + skip;
  arena->left = bytes - skip;
}

static void *arena_alloc(void *host, size_t bytes) {
  ffi_arena *from = host;
  const size_t size = (bytes / ALIGNMENT + 1) * ALIGNMENT;
  if (size > from->left) {
    if (size > sizeof from->begin / 4) return R_alloc(size, 1);
    arena_use(from, R_alloc(sizeof from->begin, 1), sizeof from->begin);
  }
  void *piece = from->at;
  from->at += size;
  from->left -= size;
  return piece;
}

const bj_memory *ffi_memory(ffi_arena *arena) {
  arena->memory = (bj_memory){arena_alloc, arena};
  arena_use(arena, arena->begin, sizeof arena->begin);
  return &arena->memory;
}

/* The workspace of maps and draws is kept from call to call: new memory costs a short call more, page by page, than all
 * of its arithmetic. One call has it at a time; another, which R code starts while that one looks for interrupts, gets
 * memory of R. R's error where there is no memory left gives it back on its way out. */
#define KEPT_MOST (16 << 20)

static struct {
  char *memory;
  size_t size, used, wanted;
  int taken;
} kept;

static SEXP alloc_token = NULL;

typedef struct {
  size_t size;
  void *memory;
} r_memory;

static SEXP take_r_memory(void *wanted) {
  r_memory *r = wanted;
  r->memory = R_alloc(r->size, 1);
  return R_NilValue;
}

static void give_back_kept(void *unused, Rboolean jump) {
  (void)unused;
  if (jump) kept.taken = 0;
}

static void *kept_alloc(void *host, size_t bytes) {
  const size_t size = (bytes / ALIGNMENT + 1) * ALIGNMENT;
  (void)host;
  kept.wanted += size;
  if (size > kept.size - kept.used) {
    r_memory r = {size, NULL};
    R_UnwindProtect(take_r_memory, &r, give_back_kept, NULL, alloc_token);
    return r.memory;
  }
  kept.used += size;
  return kept.memory + kept.used - size;
}

static const bj_memory kept_memory = {kept_alloc, NULL};

const bj_memory *ffi_workspace(const bj_memory *memory) {
  if (kept.taken) return memory;
  kept.taken = 1;
  kept.used = kept.wanted = 0;
  return &kept_memory;
}

void ffi_workspace_end(const bj_memory *memory) {
  if (memory != &kept_memory) return;
  kept.taken = 0;
  if (kept.wanted <= kept.size || kept.wanted > KEPT_MOST) return;
  free(kept.memory);
  kept.memory = malloc(kept.wanted);
  kept.size = kept.memory ? kept.wanted : 0;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

/* GNU's OpenMP hangs in a child of fork() whose parent has used threads: children stay on one thread. */
static int forked = 0;

#if defined(_OPENMP) && !defined(_WIN32)
static void after_fork_in_child(void) { forked = 1; }
#endif

void ffi_host_init(void) {
  R_PreserveObject(alloc_token = R_MakeUnwindCont());
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
#endif
#if defined(_OPENMP) && !defined(_WIN32)
  pthread_atfork(NULL, NULL, after_fork_in_child);
#endif
}

SEXP ffi_namespace(void) {
  SEXP name = PROTECT(Rf_mkString("bijectr")), space = R_FindNamespace(name);
  UNPROTECT(1);
  return space;
}

/* One call's threads, and what looks whether to stop it. */
typedef struct {
  int n_thread;
  SEXP poll;
  double next_poll;
  int stopped; /* written by this thread, read by all */
  int raised;  /* by a condition, which goes on when the core has returned */
} host_call;

#define POLL_SECONDS 0.1

#if defined(_OPENMP) && defined(__GNUC__)
#define SHARED_READ(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define SHARED_WRITE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELEASE)
#else
#define SHARED_READ(x) (*(volatile int *)&(x))
#define SHARED_WRITE(x, value) (*(volatile int *)&(x) = (value))
#endif

static int on_calling_thread(void) {
#ifdef _OPENMP
  return omp_get_thread_num() == 0;
#else
  return 1;
#endif
}

static SEXP call_poll(void *poll) {
  SEXP call = PROTECT(Rf_lang1((SEXP)poll)), value = Rf_eval(call, R_GlobalEnv);
  UNPROTECT(1);
  return value;
}

static void poll_now(host_call *call) {
  SEXP value = ffi_caught(call_poll, call->poll);
  if (!value) call->raised = 1;
  const int yes = value && TYPEOF(value) == LGLSXP && Rf_length(value) == 1 && LOGICAL(value)[0] == TRUE;
  if (!value || yes) SHARED_WRITE(call->stopped, 1);
}

static int host_stop(void *host) {
  host_call *call = host;
  if (ffi_function_raised()) return 1; /* with functions there are no other threads */
  if (call->poll != R_NilValue && on_calling_thread() && !SHARED_READ(call->stopped)) {
    const double now = ffi_clock();
    if (now >= call->next_poll) {
      poll_now(call);
      call->next_poll = ffi_clock() + POLL_SECONDS;
    }
  }
  return SHARED_READ(call->stopped);
}

#if defined(_OPENMP) && !defined(_WIN32)
/* This thread looks for interrupts while it waits for the others; as a barrier would it spins, and then naps. */
static void wait_for(const int *n_done, int n_task, host_call *call) {
  const double begun = ffi_clock();
  const struct timespec nap = {0, 200000};
  while (SHARED_READ(*n_done) < n_task) {
    if (ffi_clock() - begun < 1e-3) {
      sched_yield();
    } else {
      host_stop(call);
      nanosleep(&nap, NULL);
    }
  }
}
#endif

static void run_tasks(void *host, int n_task, void (*task)(void *arg, int index), void *arg) {
#ifdef _OPENMP
  host_call *call = host;
  if (call->n_thread > 1 && n_task > 1 && !omp_in_parallel()) {
    int n_done = 0;
#pragma omp parallel num_threads(call->n_thread)
    {
#pragma omp for schedule(dynamic, 1) nowait
      for (int i = 0; i < n_task; i++) {
        task(arg, i);
#pragma omp atomic
        n_done++;
      }
#ifndef _WIN32
      if (call->poll != R_NilValue && on_calling_thread()) wait_for(&n_done, n_task, call);
#endif
    }
    return;
  }
#else
  (void)host;
#endif
  for (int i = 0; i < n_task; i++) task(arg, i);
}

bj_workers ffi_workers(SEXP threads, SEXP poll, int hosted) {
  host_call *call = (host_call *)R_alloc(1, sizeof(host_call));
  *call = (host_call){
      .n_thread = forked || hosted ? 1 : Rf_asInteger(threads), .poll = poll, .next_poll = ffi_clock() + POLL_SECONDS};
  return (bj_workers){call->n_thread, run_tasks, ffi_clock, poll == R_NilValue && !hosted ? NULL : host_stop, call};
}

void ffi_finish(const bj_workers *workers, bj_status status, const bj_error *error) {
  ffi_go_on();
  if (((const host_call *)workers->host)->raised) ffi_unwind();
  if (status != BJ_OK) ffi_raise(status, error);
}

/* Raises R's interrupt condition if one is pending, or the error of a time limit: R looks at the clock at one call in
 * six only. */
SEXP ffi_check_interrupt(void) {
  for (int i = 0; i < 6; i++) R_CheckUserInterrupt();
  return R_NilValue;
}
