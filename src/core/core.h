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

/* The numbers that the core computes with; the border hands doubles in and takes doubles out. */
#ifdef BJ_SINGLE
typedef float real;
#else
typedef double real;
#endif

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
  ENTRY(BJ_NOT_POSITIVE, "a covariance is not positive definite")    \
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

/* Runs task(arg, i) for i = 0..n_task-1, in any order, on any number of threads. Between chunks, and between
 * pieces of initial values, the core asks whether to stop, from any of them: once it is nonzero it stays so, and the
 * call gives up with BJ_STOPPED. NULL: never. */
typedef struct {
  int n_worker;
  void (*run)(void *host, int n_task, void (*task)(void *arg, int index), void *arg);
  double (*clock)(void); /* seconds */
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

/* A matrix, column-major, or with columns < 0 a vector: what is read, or else where a result goes. */
typedef struct {
  const char *name;
  long n;
  int columns;
  const real *from;
  real *to;
} bj_array;

/* A function of the host, for nodes that the host evaluates: `what` of the constructor `owner`. It is called on the
 * thread that called the core, if the host lends no other. Where it fails it gives BJ_STOPPED, from then on. */
typedef struct {
  bj_status (*call)(void *function, const char *owner, const char *what, int n_in, const bj_array *in, int n_out,
                    const bj_array *out);
  void *function;
} bj_function;

/* A spec is what an R list says, without R: a kind and named entries. The core builds its nodes from it. */
typedef struct bj_spec bj_spec;
typedef enum { BJ_ENTRY_NUMBERS, BJ_ENTRY_STRING, BJ_ENTRY_SPEC, BJ_ENTRY_SPECS, BJ_ENTRY_FUNCTION } bj_entry_type;

typedef struct {
  const char *name;
  bj_entry_type type;
  int n;                 /* numbers or specs */
  const double *numbers; /* BJ_ENTRY_NUMBERS; integers and logicals come as doubles */
  const char *string;    /* BJ_ENTRY_STRING */
  const bj_spec *specs;  /* BJ_ENTRY_SPEC: one; BJ_ENTRY_SPECS: n of them */
  bj_function function;  /* BJ_ENTRY_FUNCTION */
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
  int n_given;  /* raw parameters of the base that its net gives each row; 0: it has none */
  long n_param; /* parameters are [base | layers] */
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
  real *grad_param;       /* n_param, overwritten */
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
  bj_rows condition; /* n rows of n_condition columns, read only where the base has a net */
  uint64_t seed;
  double *z; /* n x d draws from the base; row i is a function of (seed, i) and of its conditions */
} bj_draw_job;

/* ---- losses of draws --------------------------------------------------------------------------------------------- */

/* A log density p that flows are trained against. */
typedef struct {
  const bj_spec *program; /* which the core evaluates (program.c); NULL: the host does */
  /* Values at n points, a matrix n x d, and the gradient by them, n x d. */
  bj_status (*evaluate)(void *host, long n, const double *x, double *value, double *gradient);
  void *host;
} bj_target;

/* A loss of the log weights beta log p(x) - log q(x) of n draws x of the flow q. */
typedef struct {
  const bj_spec *loss; /* of the family draw_loss */
  bj_target target;
  long n;
} bj_draw_setup;

/* A step of it. Layers do what they do in training where `train` is not 0, and their mean penalty is part of the loss
 * that the gradient is of. */
typedef struct {
  const double *z; /* n x d draws from the base; NULL: they are those of `seed` */
  uint64_t seed;
  int train;
  double beta;
  double loss, shown; /* to be filled: the loss, and what it is with beta = 1 */
} bj_draw_step;

/* ---- training ---------------------------------------------------------------------------------------------------- */

/* Why a call of train() came back. */
#define BJ_OUTCOME_LIST(ENTRY)                                                  \
  ENTRY(BJ_RUNNING, "running")                                                  \
  ENTRY(BJ_PAUSED, "paused")       /* its time is up, or the host stopped it */ \
  ENTRY(BJ_CONVERGED, "converged") /* patience ended it */                      \
  ENTRY(BJ_FINISHED, "finished")   /* all steps or epochs were made */          \
  ENTRY(BJ_DIVERGED, "diverged")   /* more rollbacks than allowed */

typedef enum {
#define BJ_OUTCOME_ENUM(name, text) name,
  BJ_OUTCOME_LIST(BJ_OUTCOME_ENUM)
#undef BJ_OUTCOME_ENUM
      BJ_N_OUTCOME
} bj_train_outcome;

/* A loss that the host computes, in place of one over rows of data. Both functions may return BJ_STOPPED: then the step
 * or the validation has not happened. */
typedef struct {
  /* The loss whose gradient (n_param, overwritten) is given, and the one to show. Draws are a function of `seed`. */
  bj_status (*step)(void *host, const real *theta, double step, uint64_t seed, real *gradient, double *loss,
                    double *shown);
  bj_status (*validate)(void *host, const real *theta, double *loss); /* NULL: there is no validation */
  void *host;
} bj_objective;

/* Numbers that processes add up beside their gradients. */
#define BJ_SHARED 4

/* The share of one process of several that train together: see train-rows.c. */
typedef struct {
  int rank, n_rank;           /* rank 0's clock ends calls */
  int n_lane, lane, lane_end; /* of all lanes, those whose rows are here, */
  long n_here;                /* these in number: `train_row` */
  int part, n_part;           /* of the rows that these lanes give to a batch, the part that is taken */
  void *host;
  /* Replaces n and n_number numbers by their sums over all processes, the same to the bit for all, or gives BJ_STOPPED.
   * NULL: this process is alone. */
  bj_status (*sum)(void *host, real *gradient, long n, double *number, int n_number);
} bj_share;

/* The source of the loss is one of three: an objective, draws, or the rows below. */
typedef struct {
  const bj_objective *objective; /* NULL: another one */
  const bj_draw_setup *draws;    /* NULL: another one */
  /* beta of a loss of draws rises along a line from this at step 0 to 1 at step anneal_steps (0: it is 1) */
  double anneal_from, anneal_steps;

  const bj_spec *loss;
  bj_rows data, condition; /* d and n_condition columns */
  bj_rows ends;            /* of losses of intervals: three columns, see loss-interval_likelihood.c; else none */
  const double *weight;    /* one a row, or NULL */
  long n, n_validation;
  const int *train_row; /* n row numbers from 0, or those of `share` */
  const int *validation_row;
  long batch_size;
  const bj_share *share;    /* NULL: this process takes all rows */
  double noise;             /* amplitude at the start of the noise that is added to the training rows; 0: none */
  const double *noise_root; /* d x d lower triangle, column-major: noise is amplitude * root * N(0, I) */

  long max_step, max_epoch; /* 0: no bound */
  long pause_epoch;         /* the call ends where this epoch begins, for which the host may have other rows; 0: none */
  long validate_every;      /* in steps; 0: once an epoch (without rows: at the end) */
  long patience;            /* this many validations in a row without a gain end it; 0: never */
  long record_every;        /* steps pooled into one training loss of the history */
  const bj_spec *optimizer, *schedule;
  double learning_rate;  /* the schedule's peak */
  double schedule_steps; /* its length, and that of the noise */
  double clip;           /* global norm; 0: no clipping */
  const int *frozen;     /* numbers from 0 of n_frozen parameters that stay as they are */
  long n_frozen;
  double ema;      /* decay of the average of the parameters; 0: no averaging */
  int max_failure; /* rollbacks before the fit is given up */
  uint64_t seed;   /* shuffles, noise, what layers draw, objectives */
  double seconds;  /* of this call */
} bj_train_setup;

/* The numbers of the state: the host keeps them by these names. */
#define BJ_COUNTER_LIST(ENTRY)                                                                   \
  ENTRY(step)                                                                                    \
  ENTRY(epoch)                                                                                   \
  ENTRY(position)    /* rows of this epoch that were used */                                     \
  ENTRY(moment_step) /* steps since the moments were last zero (Adam's t) */                     \
  ENTRY(rate_factor) /* halved by each rollback */                                               \
  ENTRY(n_failure)   /* rollbacks */                                                             \
  ENTRY(n_stale)     /* validations without a gain */                                            \
  ENTRY(best_loss)                                                                               \
  ENTRY(best_step)                                                                               \
  ENTRY(safe_step) /* moment_step of `safe` */                                                   \
  ENTRY(loss_sum)  /* pooled training loss since the last record: weighted sum, weight, steps */ \
  ENTRY(loss_weight)                                                                             \
  ENTRY(loss_steps)                                                                              \
  ENTRY(owed) /* 1: a validation is due after the last step; a call that was stopped left it to the next */

/* All of the training's state: plain vectors that the host owns, reads and writes back. */
typedef struct {
  real *theta, *moment; /* n_param; n_param x moments of the optimiser */
  real *average;        /* n_param if ema > 0 */
  real *best;           /* n_param: the candidate of the best validation */
  real *safe;           /* [theta | moment | average] to roll back to */
#define BJ_COUNTER_FIELD(name) double name;
  BJ_COUNTER_LIST(BJ_COUNTER_FIELD)
#undef BJ_COUNTER_FIELD
  /* history, appended by a call: */
  long n_record, max_record;
  double *record_step, *record_train, *record_validation, *record_rate; /* NaN where there was no validation */
} bj_train_state;

/* ---- mixtures of normals ----------------------------------------------------------------------------------------- */

/* The covariances: one a component; one for all; one a component, 0 beside its diagonal. */
typedef enum { BJ_MIXTURE_FULL, BJ_MIXTURE_SHARED, BJ_MIXTURE_DIAGONAL } bj_mixture_shape;

/* n rows of d finite numbers and k groups of them that expectation and maximisation starts at. Matrices are
 * column-major. */
typedef struct {
  long n;
  int d, k;
  const double *z;  /* n x d */
  const double *w;  /* n: weights, 0 or more, not all 0 */
  const int *group; /* n, from 1 to k; a group may be empty */
  bj_mixture_shape shape;
  const double *prior;  /* d x d: added to every scatter; its lower triangle is read */
  const double *center; /* d: that of 0.01 rows, which are added to every mean */
  int max_step;
  double tolerance; /* a step that changes the log likelihood by less, relatively, is the last */
  double *weight;   /* k */
  double *mean;     /* k x d */
  double *roots;    /* d x d x k: Cholesky factors of the covariances, lower triangles and zeros */
} bj_mixture_job;

typedef struct {
  double loglik; /* of the parameters that are given back: a sum over rows, times their weights */
  int steps;
} bj_mixture_end;

/* ---- rows nearby ------------------------------------------------------------------------------------------------- */

/* Kernels of the distances of n rows from m others, of d numbers each. Matrices are column-major. */
typedef struct {
  long n, m;
  int d;
  const double *x; /* n x d */
  const double *y; /* m x d */
  double rate;     /* 0 or more */
  int squared;     /* exp(-rate r^2), not exp(-rate r) */
  double *out;     /* n x m */
} bj_near_job;

/* ---- multinomial logits ------------------------------------------------------------------------------------------ */

/* Matrices are column-major. */
typedef struct {
  long n;
  int p, count;              /* numbers of a row, values */
  const double *x;           /* n x p */
  const double *y;           /* n x count, weights */
  const double *coefficient; /* p x count */
  double *gradient;          /* p x count, of the loss, to be filled */
} bj_logits_job;

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
  bj_status (*flow_init)(const bj_flow *flow, uint64_t seed, real *theta, const bj_workers *workers);
  bj_status (*flow_map)(const bj_flow *flow, const real *theta, bj_direction direction, const bj_map_job *job,
                        const bj_memory *memory, const bj_workers *workers, bj_error *error);
  bj_status (*flow_draw)(const bj_flow *flow, const real *theta, const bj_draw_job *job, const bj_memory *memory,
                         const bj_workers *workers);
  /* Adds to grad_param the gradient of sum(grad_z * z) over draws z given `condition`, which is read only where the
   * base has a net; fails where the base's draws have none. */
  bj_status (*flow_draw_vjp)(const bj_flow *flow, const real *theta, const bj_rows *z, const bj_rows *condition,
                             const double *grad_z, real *grad_param, const bj_memory *memory, bj_error *error);
  /* What the base's net gives the rows of a table: n x n_given raw parameters. */
  bj_status (*flow_given)(const bj_flow *flow, const real *theta, const bj_rows *condition, double *given,
                          const bj_memory *memory);

  /* gradient: n_param, overwritten. */
  bj_status (*draw_step)(const bj_flow *flow, const real *theta, const bj_draw_setup *setup, bj_draw_step *step,
                         real *gradient, const bj_memory *memory, const bj_workers *workers, bj_error *error);
  /* Values of a program at n points, a matrix n x d, and the gradient by them, n x d, where it is not NULL. */
  bj_status (*program_evaluate)(const bj_spec *program, int d, long n, const double *x, double *value, double *gradient,
                                const bj_memory *memory, bj_error *error);

  /* Moments a parameter that an optimiser keeps. */
  bj_status (*optimizer_moments)(const bj_spec *optimizer, const bj_memory *memory, int *n_moment, bj_error *error);
  /* Advances the state by as many steps as fit into setup->seconds. */
  bj_status (*train)(const bj_flow *flow, const bj_train_setup *setup, bj_train_state *state, const bj_memory *memory,
                     const bj_workers *workers, bj_train_outcome *outcome, bj_error *error);

  /* BJ_NOT_POSITIVE: rows and prior leave a covariance without a Cholesky factor, or the likelihood is not finite. Runs
   * on one thread. */
  bj_status (*normal_mixture)(const bj_mixture_job *job, bj_mixture_end *end, const bj_memory *memory,
                              const bj_workers *workers, bj_error *error);

  void (*near_kernels)(const bj_near_job *job, const bj_memory *memory);
  /* The loss; fills the gradient. Runs on one thread. */
  double (*logits_loss)(const bj_logits_job *job, const bj_memory *memory);

  /* for tests and benchmarks */
  int (*num_apply)(const char *name, long n, const real *x, real *y); /* 0 if there is no such function */
  void (*num_gemm)(const char *mode, int m, int n_block, int k, const real *a, long rs, long cs, const real *x, real *y,
                   const real *bias);
  void (*num_philox)(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
  double (*probe)(const char *name, long n, double (*clock)(void)); /* "fma": GF/s; "exp": ns an element */
} bj_core;

extern const bj_core bj_core_baseline;
extern const bj_core bj_core_avx2;
extern const bj_core bj_core_avx512;

#endif
