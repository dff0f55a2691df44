/* The core's public header: all that the border (src/ffi-*.c) may know of the core.
 *
 * The core is numbers only. It never allocates, prints, draws from a generator of its own, starts a thread or raises an
 * error: memory, seeds and workers are handed in, and every function that can fail returns a bj_status and fills a
 * bj_error. It is compiled three times (core-baseline.c, core-avx2.c, core-avx512.c); each copy exports one bj_core.
 */
#ifndef BJ_CORE_H
#define BJ_CORE_H

#include <stddef.h>
#include <stdint.h>

typedef double real;

/* Rows of a block. A chunk of data is [block][coordinate][BJ_BLOCK]: one coordinate of one block is contiguous. */
#define BJ_BLOCK 32
/* Blocks of a chunk: a chunk goes through all layers, forward and back, while its activations are in cache. */
#define BJ_CHUNK 4

/* Specs within specs, at most: more would use up the stack. */
#define BJ_DEPTH 64

/* ---- status ------------------------------------------------------------------------------------------------------ */

#define BJ_STATUS_LIST(ENTRY)                                        \
  ENTRY(BJ_OK, "ok")                                                 \
  ENTRY(BJ_BAD_SPEC, "the specification is not valid")               \
  ENTRY(BJ_NO_ROOT, "a numerical inverse did not converge")          \
  ENTRY(BJ_TOO_MANY_STEPS, "a solver needs more steps than allowed") \
  ENTRY(BJ_STOPPED, "stopped by the host")                           \
  ENTRY(BJ_BAD_INPUT, "what the host was given is damaged") /* raised by the host only */

typedef enum {
#define BJ_STATUS_ENUM(name, text) name,
  BJ_STATUS_LIST(BJ_STATUS_ENUM)
#undef BJ_STATUS_ENUM
      BJ_N_STATUS
} bj_status;

typedef struct {
  char message[512];
} bj_error;

/* ---- memory, workers --------------------------------------------------------------------------------------------- */

/* Gives `bytes` of memory that outlives the call, or does not return; the host owns and frees it. */
typedef struct {
  void *(*alloc)(void *host, size_t bytes);
  void *host;
} bj_memory;

/* Runs task(arg, i) for i = 0..n_task-1, in any order, on any number of threads. Between chunks the core asks whether
 * to stop, from any of them: once it is nonzero it stays so, and the call gives up with BJ_STOPPED. NULL: never. */
typedef struct {
  int n_worker;
  void (*run)(void *host, int n_task, void (*task)(void *arg, int index), void *arg);
  int (*stop)(void *host);
  void *host;
} bj_workers;

/* ---- tables of the host ------------------------------------------------------------------------------------------ */

/* n rows: columns in memory, or, where `read` is given, rows that the host brings. Read puts n values of each column
 * into `to`, one column after another `stride` apart: rows row[0], ..., row[n - 1], or first, first + 1, ... where row
 * is NULL. It is called from any thread, and a bad status ends the call. */
typedef struct {
  long n;
  const double *const *column; /* column j of row i is column[j][i] */
  bj_status (*read)(void *host, const int *row, long first, int n, real *to, long stride);
  void *host;
} bj_rows;

/* ---- specifications ---------------------------------------------------------------------------------------------- */

/* A spec is what an R list says, without R: a kind and named entries. The core builds its nodes from it. */
typedef struct bj_spec bj_spec;
typedef enum { BJ_ENTRY_NUMBERS, BJ_ENTRY_STRING, BJ_ENTRY_SPEC, BJ_ENTRY_SPECS } bj_entry_type;

typedef struct {
  const char *name;
  bj_entry_type type;
  int n;                 /* numbers or specs */
  const double *numbers; /* BJ_ENTRY_NUMBERS; integers and logicals come as doubles */
  const char *string;    /* BJ_ENTRY_STRING */
  const bj_spec *specs;  /* BJ_ENTRY_SPEC: one; BJ_ENTRY_SPECS: n of them */
} bj_entry;

struct bj_spec {
  const char *kind;
  int n_entry;
  const bj_entry *entries;
};

/* ---- the flow ---------------------------------------------------------------------------------------------------- */

typedef struct bj_flow bj_flow; /* opaque; lives in the memory that was handed in */

typedef struct {
  int d, n_condition;
  long n_param, n_base_param; /* parameters are [base | layers] */
} bj_flow_size;

/* Called once a parameter array, in the order of the flat vector. path is "layers/1/net/W1"; the array has the shape
 * dims[rank] in column-major order; rank 0 is a scalar. */
typedef void (*bj_slot_visitor)(void *host, const char *path, int rank, const int *dims);

typedef enum { BJ_FORWARD, BJ_INVERSE } bj_direction;

/* Points in, matrices out: column-major, as R has them, n = x.n rows. Outputs that are NULL are not computed. */
typedef struct {
  bj_rows x;           /* d columns */
  bj_rows condition;   /* n_condition columns, as many rows */
  double *y;           /* n x d */
  double *logdet;      /* n */
  double *log_density; /* n: of the data side, x of BJ_INVERSE, y of BJ_FORWARD */
  /* gradient of sum(cot_y * y) + sum(cot_l * logdet) + sum(cot_p * log_density); wanted if grad_param != NULL */
  const double *cot_y, *cot_l, *cot_p;
  double *grad_param;     /* n_param, overwritten */
  double *grad_x;         /* n x d, overwritten */
  double *grad_condition; /* n x n_condition, overwritten */
  /* With a gradient, and `train`, layers do what they do in a step of training, with random numbers from `seed`: the
   * gradient is then also that of cot_penalty * sum(penalty). */
  int train;
  uint64_t seed;
  double cot_penalty;
  double *penalty; /* n, only with `train` */
} bj_map_job;

typedef struct {
  long n;
  uint64_t seed;
  double *z; /* n x d draws from the base; row i is a function of (seed, i) */
} bj_draw_job;

/* ---- training ---------------------------------------------------------------------------------------------------- */

typedef enum { BJ_RUNNING, BJ_PAUSED, BJ_CONVERGED, BJ_FINISHED, BJ_DIVERGED } bj_train_status;

typedef struct {
  const char *name; /* kind of optimiser */
  double beta1, beta2, eps, weight_decay, momentum;
  int nesterov;
} bj_optimizer;

typedef struct {
  const char *name; /* constant, cosine, exponential, one_cycle */
  double rate;      /* the peak (constant: the) rate */
  double final;     /* cosine, one_cycle: rate at the end, as a fraction of the peak */
  double decay;     /* exponential: factor a step */
  double start;     /* one_cycle: first rate as a fraction of the peak */
  double warmup;    /* one_cycle: share of the steps until the peak; others: share of steps of linear warm-up */
  double steps;     /* length in steps */
} bj_schedule;

typedef struct {
  long n, n_validation;
  const double *data;      /* (rows) x d, the user's matrix */
  long n_row;              /* its leading dimension */
  const double *condition; /* rows x n_condition or NULL */
  const double *weight;    /* rows or NULL */
  const int *train_row;    /* n row numbers from 0 */
  const int *validation_row;
  long batch_size;
  long max_step, max_epoch; /* 0: no bound */
  long validate_every;      /* in steps; 0: once an epoch */
  long patience;            /* this many validations in a row without a gain end it; 0: never */
  long record_every;        /* steps pooled into one training loss of the history */
  bj_optimizer optimizer;
  bj_schedule schedule;
  double clip;              /* global norm; 0: no clipping */
  double noise;             /* amplitude at the start of the noise that is added to the training rows; 0: none */
  const double *noise_root; /* d x d lower triangle, column-major: noise is amplitude * root * N(0, I) */
  double ema;               /* decay of the average of the parameters; 0: no averaging */
  int max_failure;          /* rollbacks before the fit is given up */
  int keep_best;
  int matching;   /* flow matching instead of maximum likelihood */
  uint64_t seed;  /* shuffles, noise, what layers draw */
  double seconds; /* of this call */
  double (*clock)(void);
} bj_train_setup;

/* All of the training's state: plain vectors that the host owns, reads and writes back. */
typedef struct {
  double *theta, *moment;       /* n_param; n_param x moments of the optimiser */
  double *average;              /* n_param if ema > 0 */
  double *best;                 /* n_param */
  double *safe;                 /* [theta | moment | average] at the last good validation, for rollbacks */
  double step, epoch, position; /* position: rows of this epoch that were used */
  double moment_step;           /* steps since the moments were last zero (Adam's t) */
  double rate_factor;           /* halved by each rollback */
  double n_failure, n_stale;    /* rollbacks; validations without a gain */
  double best_loss, best_step;
  double safe_step;
  double loss_sum, loss_weight, loss_steps; /* pooled training loss since the last record */
  /* history, appended by a call: */
  long n_record, max_record;
  double *record_step, *record_train, *record_validation, *record_rate; /* NaN where there was no validation */
} bj_train_state;

/* ---- the table of entry points ----------------------------------------------------------------------------------- */

/* Called once a kind, in the order of the tables: "scalar", "affine". */
typedef void (*bj_kind_visitor)(void *host, const char *family, const char *name);

typedef struct bj_core {
  const char *isa;
  int lanes;

  void (*kinds)(bj_kind_visitor visit, void *host);

  bj_status (*flow_build)(const bj_spec *base, const bj_spec *layers, int d, int n_condition, const bj_memory *memory,
                          bj_flow **flow, bj_flow_size *size, bj_error *error);
  void (*flow_describe)(const bj_flow *flow, bj_slot_visitor visit, void *host);
  void (*flow_init)(const bj_flow *flow, uint64_t seed, double *theta);
  bj_status (*flow_map)(const bj_flow *flow, const double *theta, bj_direction direction, const bj_map_job *job,
                        const bj_memory *memory, const bj_workers *workers, bj_error *error);
  bj_status (*flow_draw)(const bj_flow *flow, const double *theta, const bj_draw_job *job, const bj_memory *memory,
                         const bj_workers *workers);
  /* Adds to grad_param the gradient of sum(grad_z * z) over draws z; fails where the base's draws have none. */
  bj_status (*flow_draw_vjp)(const bj_flow *flow, const double *theta, const bj_rows *z, const double *grad_z,
                             double *grad_param, const bj_memory *memory, bj_error *error);

  int (*optimizer_moments)(const char *name); /* moments a parameter, or -1 for an unknown name */
  bj_status (*train)(const bj_flow *flow, const bj_train_setup *setup, bj_train_state *state, const bj_memory *memory,
                     const bj_workers *workers, bj_train_status *outcome, bj_error *error);
  /* One step of an optimiser for losses that the host computes; the gradient is clipped in place. Returns its norm
   * before clipping; where that is not finite nothing is changed. t counts steps from 1 since the moments were zero. */
  double (*optimize)(const bj_optimizer *optimizer, long n, double rate, double t, double clip, double *theta,
                     double *moment, double *gradient);
  double (*schedule_rate)(const bj_schedule *schedule, double step);

  /* for tests and benchmarks */
  int (*num_apply)(const char *name, long n, const double *x, double *y); /* 0 if there is no such function */
  void (*num_gemm)(const char *mode, int m, int n_block, int k, const double *a, long rs, long cs, const double *x,
                   double *y, const double *bias);
  void (*num_philox)(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
  double (*probe)(const char *name, long n, double (*clock)(void)); /* "fma": GF/s; "exp": ns an element */
} bj_core;

extern const bj_core bj_core_baseline;
extern const bj_core bj_core_avx2;
extern const bj_core bj_core_avx512;

#endif
