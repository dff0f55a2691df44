/* A flow inside the core: a base distribution and one layer (mostly a chain), and the workspace of one chunk. */
#ifndef BJ_FLOW_H
#define BJ_FLOW_H

#include "protocol.h"

struct bj_flow {
  int d, n_condition;
  long n_param, n_prep; /* base first, then the layer */
  bj_base *base;
  bj_layer *layer;
};

/* All that one chunk needs: every array is [block][..][BJ_BLOCK] for up to BJ_CHUNK blocks. */
typedef struct {
  real *x, *y, *condition;
  real *sum, *factor, *log_density;
  real *gy, *gx, *gl, *gp, *gcondition;
  real *penalty, *gpenalty;
  real *weight_row, *loss_row; /* training: case weights, and the loss of each row */
  real *ends, *tails;          /* of losses of intervals: FLOW_ENDS further columns, and room for two */
  real *cache, *work, *base_cache, *base_work;
  real *gtheta, *gprep; /* gradient of the slot: n_param + n_prep, contiguous */
  real loss, weight;    /* sums of the slot: weight_row * loss_row, weight_row */
  bj_status status;
  bj_error error;
} flow_space;

#define FLOW_ENDS 3

/* Slots share the chunks of a call between them in a fixed way, each with its own gradient, whatever the number of
 * threads: that makes sums the same for any number. */
#define FLOW_SLOTS 4

typedef struct {
  const bj_flow *flow;
  const real *theta, *prep;
  bj_run run;
} flow_params;

/* ---- rows.c ------------------------------------------------------------------------------------------------------ */

/* n rows of a table into nb blocks: those that `row` names, or those from `first` where it is NULL. */
static bj_status pack_rows(const bj_rows *rows, int columns, const int *row, long first, int n, int nb, real *to);
/* n rows of blocks into the rows from `first` of a matrix with ld rows. */
static void unpack_rows(const real *from, int columns, int n, double *matrix, long ld, long first);
/* Rows of a matrix into blocks, but zero where there is no matrix and in the padding. */
static void pack_cotangent(const double *matrix, long ld, int columns, long first, int n, int nb, real *to);

/* ---- workers ----------------------------------------------------------------------------------------------------- */

INLINE int workers_stopped(const bj_workers *workers) { return workers->stop && workers->stop(workers->host); }

/* ---- flow.c ------------------------------------------------------------------------------------------------------ */

/* A run with workers prepares on them where that pays. */
static void flow_prepare(const bj_flow *flow, const bj_run *run, const real *theta, real *prep);

/* n spaces; with `gradient` they have the arrays of a gradient, and `parted` ones buffers of their own. */
static flow_space *spaces_make(const bj_flow *flow, int n, int gradient, const bj_memory *memory, int parted);
/* The gradient of slot 0 becomes the sum over slots, in a fixed order, and goes from prep back to theta. */
static void spaces_reduce(const flow_params *params, flow_space *spaces, int n, const bj_workers *workers,
                          int threaded);
static void space_clear_gradient(const bj_flow *flow, flow_space *space);
static int slot_count(const bj_flow *flow, long n_row);

/* The pass of a chunk; `row` numbers the first row, for what layers draw. */
static bj_pass chunk_pass(const flow_params *params, flow_space *space, uint64_t row, int nb, bj_logdet *logdet);
/* The base's pass of a chunk, with x and gx on its side. */
static bj_base_pass chunk_base_pass(const flow_params *params, flow_space *space, int nb, bj_direction direction);
/* y and sum (the log-determinant of the call) from x; log_density is that of the data side, whichever that is. */
static bj_status chunk_run(const flow_params *params, flow_space *space, uint64_t row, int nb);
/* Gradient of sum(gy y) + sum(gl logdet) + sum(gp log_density) + sum(gpenalty penalty), after chunk_run. gy and gl are
 * changed on the way. */
static bj_status chunk_vjp(const flow_params *params, flow_space *space, uint64_t row, int nb);

#define CHUNK_SIZE (BJ_CHUNK * (long)BJ_BLOCK)

/* Chunks from .. to - 1 of a call; chunk i belongs to slot i % n_slot. */
typedef struct {
  long from, to;
  int n_slot;
} chunk_range;

INLINE long chunk_count(long n_row) { return (n_row + CHUNK_SIZE - 1) / CHUNK_SIZE; }
static long chunk_first(const chunk_range *chunks, int slot);
/* Runs the first chunk; returns whether threads pay for the rest. */
static int chunks_begin(const bj_workers *workers, chunk_range *chunks, void (*task)(void *arg, int slot), void *arg);
/* n tasks, on threads or one after the other. */
static void tasks_run(const bj_workers *workers, int threaded, int n, void (*task)(void *arg, int index), void *arg);

/* ---- maps of whole tables ---------------------------------------------------------------------------------------- */

/* A map with a gradient goes there and back at once, or there, and back when the host has set the cotangents. */
typedef enum { MAP_WHOLE, MAP_THERE, MAP_BACK } map_part;

/* A map, made once, that can be run again at other parameters: the job is read anew at every run. */
typedef struct {
  flow_params params;
  real *prep;
  bj_direction direction;
  const bj_map_job *job;
  const bj_workers *workers;
  const bj_memory *memory;
  flow_space *spaces;
  int n_slot;
  int parted;   /* whether each space has buffers of its own */
  int threaded; /* whether a part runs, or the last one ran, on threads */
  int chosen;   /* whether `threaded` is set from outside; else the first chunk tells */
  map_part part;
  int kept; /* whether these still hold the one chunk of their slot on the way back */
  chunk_range chunks;
} flow_map_call;

static void map_make(flow_map_call *call, const bj_flow *flow, bj_direction direction, const bj_map_job *job,
                     int two_parts, const bj_memory *memory, const bj_workers *workers);
static void map_begin(flow_map_call *call, const real *theta);
/* A part of a map, all chunks. */
static bj_status map_run(flow_map_call *call, map_part part, bj_error *error);
/* The gradient of the parameters, where the job wants it. */
static void map_end(flow_map_call *call);

/* ---- flow-draw.c ------------------------------------------------------------------------------------------------- */

/* What a base needs for a chunk of draws. */
typedef struct {
  real *x, *gx, *condition, *cache, *work;
} draw_space;

/* Draws from the base, made once, that can be drawn again at other parameters, as a map. */
typedef struct {
  flow_params params;
  real *prep, *gprep;
  const bj_draw_job *job;
  const bj_workers *workers;
  draw_space spaces[FLOW_SLOTS];
  bj_status status[FLOW_SLOTS];
  int n_slot, threaded, chosen;
  chunk_range chunks;
} flow_draw_call;

static void draw_make(flow_draw_call *call, const bj_flow *flow, const bj_draw_job *job, const bj_memory *memory,
                      const bj_workers *workers);
static bj_status draw_run(flow_draw_call *call, const real *theta);
/* Adds to grad_param the gradient of sum(grad_z * z) over the draws z, a matrix, by the parameters of the base. Small
 * beside the rest of a step: it runs on one thread. */
static bj_status draw_back(flow_draw_call *call, const real *theta, const bj_rows *z, const double *grad_z,
                           real *grad_param);
/* Fails where the parameters of the base have no such gradient. */
static bj_status draw_check(const bj_flow *flow, bj_build *build);

/* ---- ranges.c ---------------------------------------------------------------------------------------------------- */

/* Numbers from which on gradients are cut into few slots: clearing and adding these up takes longer than a better
 * balance of the threads gains. */
#define LONG_VECTOR 50000
/* Vectors of two ranges and more are cut into them. A few of such a length are in the second-level cache, and they are
 * whole vectors of any kind. */
#define RANGE_SIZE 8192L

static int ranges_count(long n);
/* A task for numbers first .. end - 1 of each range of n; range i begins with number i * RANGE_SIZE. */
static void ranges_run(const bj_workers *workers, int threaded, long n, void (*task)(void *arg, long first, long end),
                       void *arg);

#endif
