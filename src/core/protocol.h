/* What a layer, a scalar bijection, a conditioner net and a base distribution are to the rest of the core.
 *
 * A kind is one `static const` table of functions in its own file, and one row in kinds.c. A node (bj_layer, ...) is a
 * kind plus sizes plus what the kind read from its spec (`self`). Nodes are built anew at every call from the host and
 * are read-only afterwards, so threads share them; init() alone, which runs on one thread, may use a buffer in one.
 *
 * Parameters. `theta` are the raw parameters, a slice of one flat vector. `prep` is a second vector, derived from theta
 * once a training step by prepare(): constrained values, masked and sorted weights. A vjp may add its parameter
 * gradient to gtheta directly, or to gprep, from which prepare_vjp() then adds it to gtheta, once a step (and may use
 * what is left of gprep as scratch).
 *
 * Data. All per-row arrays are [block][coordinate][BJ_BLOCK]. Rows that only pad the last block repeat a true row and
 * have zero cotangents, so kernels need no tails and no masks.
 *
 * Memory. `cache` keeps what a vjp wants to find again, `work` is scratch. One function of a kind carves them
 * (num-carve.h) into arrays [block][rows][BJ_BLOCK], each with room for the BJ_CHUNK blocks that a call has at most,
 * and fills a struct of pointers. build() runs it dry for n_cache and n_work, the passes run it on the call's memory.
 * n_cache and n_work are the reals of all of them: those of a chunk.
 *
 * Gradients. In forward and inverse gy, gl, gx, gtheta, gprep and gcondition are NULL. forward_vjp(pass) is called with
 * the same x, y, cache as forward left them, and gives the gradient of sum(gy * y) + sum(gl * logdet): it overwrites
 * gx, and adds to gtheta, gprep and gcondition. inverse_vjp likewise for a call of inverse (x is then the input of the
 * inverse, y its output). gx never overlaps gy.
 */
#ifndef BJ_PROTOCOL_H
#define BJ_PROTOCOL_H

#include "core.h"
#include "num-random.h"
#include "num-simd.h"

/* ---- building ---------------------------------------------------------------------------------------------------- */

typedef struct {
  const bj_memory *memory;
  bj_error *error;
  bj_status status;   /* BJ_OK, or what the first error was */
  int n_layer;        /* layers so far */
  int depth;          /* of specs in specs */
  const char *family; /* of the kind that is being built, for messages */
} bj_build;

/* No size (parameters of a flow, reals of a chunk's workspace) may be larger, so that sums of a few sizes, and their
 * bytes, fit into every type that holds them. */
#define SIZE_MOST (1L << 28)
#define COUNT_MOST (1 << 20) /* coordinates, units, knots, ... */

/* Records the message (printf style) and BJ_BAD_SPEC, unless there was an error before, and returns build->status. */
static bj_status spec_error(bj_build *build, const char *format, ...);
static void *build_alloc(bj_build *build, size_t bytes); /* zeroed */
/* Of two sizes; 0 and an error above SIZE_MOST. */
static long size_sum(bj_build *build, long a, long b);
static long size_product(bj_build *build, long a, long b);

/* The host writes every entry of a kind, NULL for what is not given, and a kind reads them by these. They are sticky:
 * one that finds no such entry, another type or length, or a value out of range, records an error that names kind and
 * entry, and returns a value that does no harm. So build() reads on, and ends with `return build->status`; nothing is
 * done with what it built if that is an error. */
static int spec_given(bj_build *build, const bj_spec *spec, const char *name); /* whether the entry is not NULL */
static int spec_length(const bj_spec *spec, const char *name);                 /* 0: NULL, or not there */
static real spec_real(bj_build *build, const bj_spec *spec, const char *name, real min, real max); /* finite */
static int spec_count(bj_build *build, const bj_spec *spec, const char *name, int min, int max);
static int spec_bool(bj_build *build, const bj_spec *spec, const char *name);
/* The place, from 0, of the string among those that follow, whose last is NULL. */
static int spec_choice(bj_build *build, const bj_spec *spec, const char *name, ...);
/* n finite numbers; *n whole numbers >= 1, at least `min`; the numbers 1, ..., n in any order, as 0, ..., n - 1. */
static const double *spec_numbers(bj_build *build, const bj_spec *spec, const char *name, long n);
static int *spec_counts(bj_build *build, const bj_spec *spec, const char *name, int min, int *n);
static int *spec_permutation(bj_build *build, const bj_spec *spec, const char *name, int n);
/* A spec (NULL after an error), and a list of at least `min` (*n = 0 after an error). */
static const bj_spec *spec_part(bj_build *build, const bj_spec *spec, const char *name);
static const bj_spec *spec_parts(bj_build *build, const bj_spec *spec, const char *name, int min, int *n);
static const bj_function *spec_function(bj_build *build, const bj_spec *spec, const char *name);
static int spec_has_numbers(const bj_spec *spec, const char *name); /* whether they are numbers, not a choice */
static int spec_has_string(const bj_spec *spec, const char *name);  /* whether it is a choice */
static int spec_listed(const bj_spec *spec, const char *name);      /* whether it is a list, not one spec */

/* ---- one call ---------------------------------------------------------------------------------------------------- */

/* What a call is for. Layers that draw random numbers do so in training, where a validation draws the same ones every
 * time; an evaluation is a function of the points. */
typedef enum { RUN_EVALUATE, RUN_VALIDATE, RUN_TRAIN } bj_purpose;

typedef struct {
  bj_purpose purpose;
  bj_direction direction;    /* in which the layer will be called */
  uint64_t seed, step;       /* of what layers draw; step counts the steps of a training */
  int velocity;              /* only velocities of layers will be asked for, no maps */
  const bj_workers *workers; /* who prepare long vectors of parameters side by side, or NULL */
} bj_run;

/* ---- names of parameters ----------------------------------------------------------------------------------------- */

typedef struct {
  bj_slot_visitor visit;
  void *host;
  char path[256];
  int length;
} bj_describe;

static void describe_slot(bj_describe *out, const char *name, int rank, int dim1, int dim2);
static void describe_array(bj_describe *out, const char *name, int rank, const int *dims);
static int describe_enter(bj_describe *out, const char *name); /* returns what describe_leave() takes back */
static void describe_leave(bj_describe *out, int mark);

/* ---- log-determinants -------------------------------------------------------------------------------------------- */

/* log|det| = sum + log(factor). A slope is multiplied into `factor`, and the log is taken once for up to
 * LOGDET_MAX_FACTORS slopes: a log costs as much as a whole affine layer. Slopes beyond LOGDET_SLOPE or its reciprocal
 * are logged at once, so that the product neither overflows nor underflows whatever the parameters are. */
#define LOGDET_MAX_FACTORS BY_REAL(16, 4)
#define LOGDET_SLOPE BY_REAL(0x1p60, 0x1p30f)

typedef struct {
  real *sum, *factor; /* [block][BJ_BLOCK] */
  int n_factor;
} bj_logdet;

static void logdet_start(bj_logdet *logdet, int nb);
static void logdet_claim(bj_logdet *logdet, int nb, int n_factor); /* before a kernel that multiplies n_factor slopes */
static void logdet_finish(bj_logdet *logdet, int nb);              /* afterwards sum alone is the log-determinant */

/* Multiplies slopes (> 0) of the rows at offset `at` (block * BJ_BLOCK + row); the caller has claimed one factor. */
INLINE void logdet_multiply(bj_logdet *logdet, long at, vreal slope) {
  const vint out = vlt(slope, vset(1 / LOGDET_SLOPE)) | vlt(vset(LOGDET_SLOPE), slope);
  vreal keep = slope;
  if (!LIKELY(!vany(out))) {
    vstore(logdet->sum + at, vload(logdet->sum + at) + vselect(out, vlog(slope), vset(0)));
    keep = vselect(out, vset(1), slope);
  }
  vstore(logdet->factor + at, vload(logdet->factor + at) * keep);
}
/* The same for slopes that are known to be within these bounds. */
INLINE void logdet_multiply_bounded(bj_logdet *logdet, long at, vreal slope) {
  vstore(logdet->factor + at, vload(logdet->factor + at) * slope);
}
INLINE void logdet_add(bj_logdet *logdet, long at, vreal log_slope) {
  vstore(logdet->sum + at, vload(logdet->sum + at) + log_slope);
}

/* ---- scalar bijections ------------------------------------------------------------------------------------------- */

/* A scalar bijection is used in two modes. ROWWISE: every row has its own raw parameters, the outputs of a conditioner.
 * SHARED: one parameter set for all rows; prepare() has turned the raw values into what the formulas use, once a step.
 * `global` parameters are never conditioned: one set for the whole layer, raw, in both modes. They are there for
 * tanh_affine, as `twin` below is for cubic_conjugation in a radial layer; most kinds need not look at either. */
typedef enum { ROWWISE, SHARED } bj_sharing;

typedef struct bj_scalar bj_scalar;

typedef struct {
  int nb;
  long stride; /* of x, y, gy, gx between blocks */
  const real *x;
  real *y;
  bj_logdet *logdet;
  const real *par; /* ROWWISE: raw, [n_param][BJ_BLOCK], blocks par_stride apart. SHARED: [n_prep] plain numbers */
  long par_stride;
  const real *global;
  real *cache; /* [n_cache][BJ_BLOCK], blocks cache_stride apart; what the vjp wants to find again */
  long cache_stride;
  /* ROWWISE: the cache of an earlier call with the same parameters (same stride), from which their constrained values
   * may be taken, in the vjp too; NULL if there was none */
  const real *twin;
  /* vjp only */
  const real *gy;
  const real *gl; /* [block][BJ_BLOCK] */
  real *gx;       /* overwritten */
  real *gpar;     /* ROWWISE: raw gradient, as par, overwritten. SHARED: [n_prep], added to */
  long gpar_stride;
  real *gglobal; /* [n_global], added to */
} bj_scalar_pass;

typedef struct {
  const char *name;
  bj_status (*build)(bj_scalar *scalar, const bj_spec *spec, bj_build *build);
  /* Visits the raw parameters in order, as (name, length). */
  void (*describe)(const bj_scalar *scalar, void (*visit)(void *host, const char *name, int length), void *host);
  void (*init)(const bj_scalar *scalar, real *raw, bj_rng *rng); /* raw: n_param values, then n_global */
  void (*prepare)(const bj_scalar *scalar, const real *raw, real *prep);
  /* Adds to graw. */
  void (*prepare_vjp)(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep, real *graw);
  /* Indexed by bj_sharing. Both of inverse, or of inverse_vjp, may be NULL: scalar-default.c finds the root. */
  void (*forward[2])(const bj_scalar *scalar, const bj_scalar_pass *pass);
  void (*inverse[2])(const bj_scalar *scalar, const bj_scalar_pass *pass);
  void (*forward_vjp[2])(const bj_scalar *scalar, const bj_scalar_pass *pass);
  void (*inverse_vjp[2])(const bj_scalar *scalar, const bj_scalar_pass *pass);
  /* Names the global parameters; NULL if there are none. */
  void (*describe_global)(const bj_scalar *scalar, void (*visit)(void *host, const char *name, int length), void *host);
} bj_scalar_kind;

struct bj_scalar {
  const bj_scalar_kind *kind;
  int n_param, n_global, n_prep;
  int n_cache;  /* reals a row */
  int n_factor; /* slopes that one call multiplies into a log-determinant */
  void *self;
};

static bj_status scalar_build(bj_build *build, const bj_spec *spec, bj_scalar **out);

/* ---- conditioner nets -------------------------------------------------------------------------------------------- */

typedef struct bj_net bj_net;

typedef struct {
  int nb;
  const real *theta, *prep;
  const real *x; /* [block][n_in][BJ_BLOCK] */
  real *y;       /* [block][n_out][BJ_BLOCK] */
  real *cache, *work;
  const real *gy;
  real *gx; /* overwritten; NULL: not wanted */
  real_sum *gtheta, *gprep;
} bj_net_pass;

/* What the parent layer asks of a net. */
typedef struct {
  int n_in, n_out;
  const real *offset; /* n_out values added to the output, or NULL */
  /* Autoregressive masks, or NULL for a dense net: output o may depend only on inputs of a smaller rank than its own.
   * Ranks run from -1 (conditions) to n_rank - 1, in_rank and out_rank ascend. in_column[i] is the column of the first
   * weight matrix that belongs to input i, because the conditions come first here and last in the parameters. */
  const int *in_rank, *out_rank, *in_column;
  int n_rank;
  int n_condition; /* of the inputs: the last ones, or with masks the first */
} bj_net_request;

typedef struct {
  const char *name;
  int masks; /* can honour in_rank, out_rank */
  bj_status (*build)(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build);
  void (*describe)(const bj_net *net, bj_describe *out);
  void (*init)(const bj_net *net, real *theta, bj_rng *rng);
  void (*prepare)(const bj_net *net, const real *theta, real *prep);
  void (*prepare_vjp)(const bj_net *net, const real *gprep, real *gtheta);
  void (*forward)(const bj_net *net, const bj_net_pass *pass);
  void (*vjp)(const bj_net *net, const bj_net_pass *pass);
  /* Masked nets only. forward_rank: inputs of rank <= rank are known; computes what depends on them, so that outputs of
   * rank + 1 become valid (called for rank = -1, 0, 1, ...). vjp_rank is its mirror: gy of outputs of rank > `rank` is
   * known; completes gx of inputs of that rank (called for rank = n_rank - 1, ..., 0, -1).
   * vjp_finish adds the parameter gradient after the last vjp_rank, or what a vjp_rank has left of it. */
  void (*forward_rank)(const bj_net *net, const bj_net_pass *pass, int rank);
  void (*vjp_rank)(const bj_net *net, const bj_net_pass *pass, int rank);
  void (*vjp_finish)(const bj_net *net, const bj_net_pass *pass);
} bj_net_kind; /* prepare, prepare_vjp may be NULL: nothing to do; masked ones are NULL where masks is 0 */

struct bj_net {
  const bj_net_kind *kind;
  int n_in, n_out;
  long n_param, n_prep, n_cache, n_work;
  void *self;
};

static bj_status net_build(bj_build *build, const bj_spec *spec, const bj_net_request *request, const char *where,
                           bj_net **out);
static void net_describe(const bj_net *net, bj_describe *out);
static void net_init(const bj_net *net, real *theta, bj_rng *rng);
static void net_prepare(const bj_net *net, const real *theta, real *prep);
static void net_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta);

/* ---- layers ------------------------------------------------------------------------------------------------------ */

typedef struct bj_layer bj_layer;

typedef struct {
  int nb;
  const real *theta, *prep;
  const real *condition; /* [block][n_condition][BJ_BLOCK] or NULL */
  const real *x;
  real *y;
  bj_logdet *logdet;
  real *cache, *work;
  const real *gy, *gl;
  real *gx, *gtheta, *gprep;
  real *gcondition; /* NULL: not wanted */
  /* Random numbers of row r of block b are numbered row + b * BJ_BLOCK + r. */
  const bj_run *run;
  uint64_t row;
  real *penalty;        /* [block][BJ_BLOCK], what a layer adds to the loss of each row in training; NULL: not wanted */
  const real *gpenalty; /* in a vjp, the cotangent of penalty, or NULL */
  bj_error *error;
} bj_pass;

typedef struct {
  const char *name;
  /* Reads the spec; sets n_param, n_prep, n_cache, n_work and self. d and n_condition are already set. */
  bj_status (*build)(bj_layer *layer, const bj_spec *spec, bj_build *build);
  void (*describe)(const bj_layer *layer, bj_describe *out);
  void (*init)(const bj_layer *layer, real *theta, bj_rng *rng);
  /* `run` is what the calls between the two are for. */
  void (*prepare)(const bj_layer *layer, const bj_run *run, const real *theta, real *prep);
  void (*prepare_vjp)(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep, real *gprep,
                      real *gtheta);
  bj_status (*forward)(const bj_layer *layer, bj_pass *pass);
  bj_status (*inverse)(const bj_layer *layer, bj_pass *pass);
  bj_status (*forward_vjp)(const bj_layer *layer, bj_pass *pass);
  bj_status (*inverse_vjp)(const bj_layer *layer, bj_pass *pass);
  /* Of a layer that follows a vector field f from time t0, on the base's side, to t1; NULL: it is none. velocity()
   * gives y = f(t, x) at the time of each row, t[block][BJ_BLOCK], for up to `group` blocks; velocity_vjp() comes right
   * after it, with the same pass: it adds to gtheta and gprep, and to nothing else. */
  void (*velocity)(const bj_layer *layer, bj_pass *pass, const real *t);
  void (*velocity_vjp)(const bj_layer *layer, bj_pass *pass, const real *t);
} bj_layer_kind; /* describe, init, prepare, prepare_vjp may be NULL: nothing to do. So may inverse and inverse_vjp, if
                    prepare does not ask for the direction: layer-default.c finds the root of forward. */

/* A kind that has one function for both directions, run(layer, pass, direction), and run_vjp: the four functions of its
 * table, and their rows. */
#define LAYER_DIRECTION(name, run, direction_name, direction)                            \
  static bj_status name##_##direction_name(const bj_layer *layer, bj_pass *pass) {       \
    return run(layer, pass, direction);                                                  \
  }                                                                                      \
  static bj_status name##_##direction_name##_vjp(const bj_layer *layer, bj_pass *pass) { \
    return run##_vjp(layer, pass, direction);                                            \
  }
#define LAYER_DIRECTIONS(name, run)               \
  LAYER_DIRECTION(name, run, forward, BJ_FORWARD) \
  LAYER_DIRECTION(name, run, inverse, BJ_INVERSE)
#define LAYER_TABLE(name)                                                                  \
  .forward = name##_forward, .inverse = name##_inverse, .forward_vjp = name##_forward_vjp, \
  .inverse_vjp = name##_inverse_vjp

struct bj_layer {
  const bj_layer_kind *kind;
  int number; /* of the layers of the flow, which keeps the random numbers of layers apart */
  int d, n_condition;
  long n_param, n_prep, n_cache, n_work;
  real t0, t1; /* of a layer with velocities, with the blocks of one call */
  int group;
  void *self;
};

static bj_status layer_build(bj_build *build, const bj_spec *spec, int d, int n_condition, bj_layer **out);
static void layer_describe(const bj_layer *layer, bj_describe *out);
static void layer_init(const bj_layer *layer, real *theta, bj_rng *rng);
static void layer_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep);
static void layer_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                              real *gprep, real *gtheta);

/* ---- base distributions ------------------------------------------------------------------------------------------ */

typedef struct bj_base bj_base;

typedef struct {
  int nb;
  const real *theta, *prep;
  const real *condition; /* [block][n_condition][BJ_BLOCK]; read by a base with a net only */
  const real *x;         /* [block][d][BJ_BLOCK] */
  real *log_density;     /* [block][BJ_BLOCK], added to */
  const real *gp;        /* cotangent of log_density */
  real *gx;              /* added to */
  real *gtheta, *gprep;  /* added to */
  real *gcondition;      /* added to; NULL: not wanted */
  real *cache, *work;    /* n_cache reals: what base_given() left, as log_density() and draw() do; scratch */
} bj_base_pass;

typedef struct {
  const char *name;
  bj_status (*build)(bj_base *base, const bj_spec *spec, bj_build *build);
  void (*describe)(const bj_base *base, bj_describe *out);
  void (*init)(const bj_base *base, real *theta, bj_rng *rng);
  void (*prepare)(const bj_base *base, const real *theta, real *prep);
  void (*prepare_vjp)(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta);
  void (*log_density)(const bj_base *base, const bj_base_pass *pass);
  void (*log_density_vjp)(const bj_base *base, const bj_base_pass *pass);
  /* Of one coordinate: the logarithms of P(X <= x) and P(X > x), written over, each with the digits of a small one. x
   * may be infinite. NULL: not known. */
  void (*log_tails)(const bj_base *base, const bj_base_pass *pass, real *below, real *above);
  /* Adds to gtheta, gprep and gcondition the gradient of sum(gbelow log P(X <= x)) + sum(gabove log P(X > x)), after
   * base_given(). NULL: by draw_vjp(), as a draw keeps its distribution function. */
  void (*log_tails_vjp)(const bj_base *base, const bj_base_pass *pass, const real *gbelow, const real *gabove);
  /* Draws rows first_row ... of the stream `seed` into x ([block][d][BJ_BLOCK], nb blocks of the pass). */
  void (*draw)(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x);
  /* Adds to gtheta, gprep and gcondition the gradient of sum(gx * x) for draws x (gx is read here, then scratch), after
   * base_given(). NULL: the draws are no differentiable function of the parameters. */
  void (*draw_vjp)(const bj_base *base, const bj_base_pass *pass);
  /* With a net, what prepare() and its vjp do row by row: the net's outputs, raw parameters [block][n_out][BJ_BLOCK],
   * become [block][n_row_prep][BJ_BLOCK], and graw is written over. NULL: they are used as they are. */
  void (*prepare_rows)(const bj_base *base, int nb, const real *raw, real *prep);
  void (*prepare_rows_vjp)(const bj_base *base, int nb, const real *raw, const real *prep, const real *gprep,
                           real *graw);
} bj_base_kind;

struct bj_base {
  const bj_base_kind *kind;
  int d, n_condition;
  long n_param, n_prep, n_cache, n_work;
  /* A base may have a net, whose outputs given the conditions are raw parameters of each row: then theta and prep are
   * [the kind's own | the net's]. NULL: all rows have the same parameters, and conditions mean nothing to the base. */
  struct net_slot *net;
  long n_row_prep;
  void *self;
};

static bj_status base_build(bj_build *build, const bj_spec *spec, int d, int n_condition, bj_base **out);
/* In base-common.c: those of the kind, and of the net. */
static void base_describe(const bj_base *base, bj_describe *out);
static void base_init(const bj_base *base, real *theta, bj_rng *rng);
static void base_prepare(const bj_base *base, const real *theta, real *prep);
static void base_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta);
/* Runs the net (if there is one) into the cache of the pass, and gives its outputs; 0 outputs without one. */
static const real *base_given(const bj_base *base, const bj_base_pass *pass);
static int base_n_given(const bj_base *base);

#endif
