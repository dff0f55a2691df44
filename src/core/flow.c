/* The flow: z ~ base, x = layer(z).
 *
 *   log p(x) = log base(z) + log|det dz/dx|,  z = inverse(x)
 *
 * This file builds the flow, and runs chunks of blocks of the host's rows through the layer.
 */
#include "flow.h"

#include "num-carve.h"
#include "num-streams.h"

/* ---- building ---------------------------------------------------------------------------------------------------- */

static bj_status flow_build(const bj_spec *base, const bj_spec *layers, int d, int n_condition, const bj_memory *memory,
                            bj_flow **out, bj_flow_size *size, bj_error *error) {
  bj_build build = {.memory = memory, .error = error};
  bj_flow *flow = *out = build_alloc(&build, sizeof(bj_flow));
  flow->d = d;
  flow->n_condition = n_condition;
  if (d < 1 || d > COUNT_MOST || n_condition < 0 || n_condition > COUNT_MOST) {
    return spec_error(&build, "a flow has 1 to %d coordinates and at most as many conditions", COUNT_MOST);
  }
  bj_status status = base_build(&build, base, d, n_condition, &flow->base);
  if (status != BJ_OK) return status;
  status = layer_build(&build, layers, d, n_condition, &flow->layer);
  if (status != BJ_OK) return status;
  flow->n_param = size_sum(&build, flow->base->n_param, flow->layer->n_param);
  flow->n_prep = size_sum(&build, flow->base->n_prep, flow->layer->n_prep);
  *size = (bj_flow_size){d, n_condition, base_n_given(flow->base), flow->n_param};
  return build.status;
}

static void flow_describe(const bj_flow *flow, bj_slot_visitor visit, void *host) {
  bj_describe out = {visit, host, "", 0};
  int mark = describe_enter(&out, "base");
  base_describe(flow->base, &out);
  describe_leave(&out, mark);
  mark = describe_enter(&out, "layers");
  layer_describe(flow->layer, &out);
  describe_leave(&out, mark);
}

static bj_status flow_init(const bj_flow *flow, uint64_t seed, real *theta, const bj_workers *workers) {
  bj_rng rng = rng_start(seed, RNG_INITIAL);
  rng.workers = workers;
  base_init(flow->base, theta, &rng);
  layer_init(flow->layer, theta + flow->base->n_param, &rng);
  return rng_stopped(&rng) ? BJ_STOPPED : BJ_OK;
}

static void flow_prepare(const bj_flow *flow, const bj_run *run, const real *theta, real *prep) {
  base_prepare(flow->base, theta, prep);
  layer_prepare(flow->layer, run, theta + flow->base->n_param, prep + flow->base->n_prep);
}

static void flow_prepare_vjp(const bj_flow *flow, const bj_run *run, const real *theta, const real *prep, real *gprep,
                             real *gtheta) {
  const bj_base *base = flow->base;
  base_prepare_vjp(base, theta, prep, gprep, gtheta);
  layer_prepare_vjp(flow->layer, run, theta + base->n_param, prep + base->n_prep, gprep + base->n_prep,
                    gtheta + base->n_param);
}

/* ---- workspace --------------------------------------------------------------------------------------------------- */

/* The buffers of one chunk. */
static void space_carve(flow_space *space, const bj_flow *flow, int gradient, carver *from) {
  space->x = carve_rows(from, flow->d);
  space->y = carve_rows(from, flow->d);
  space->condition = carve_rows(from, flow->n_condition);
  space->sum = carve_rows(from, 1);
  space->factor = carve_rows(from, 1);
  space->log_density = carve_rows(from, 1);
  space->cache = carve(from, flow->layer->n_cache);
  space->work = carve(from, flow->layer->n_work);
  space->base_cache = carve(from, flow->base->n_cache);
  space->base_work = carve(from, flow->base->n_work);
  if (!gradient) return;
  space->gy = carve_rows(from, flow->d);
  space->gx = carve_rows(from, flow->d);
  space->gl = carve_rows(from, 1);
  space->gp = carve_rows(from, 1);
  space->gcondition = carve_rows(from, flow->n_condition);
  space->penalty = carve_rows(from, 1);
  space->gpenalty = carve_rows(from, 1);
  space->weight_row = carve_rows(from, 1);
  space->loss_row = carve_rows(from, 1);
  space->ends = carve_rows(from, FLOW_ENDS);
  space->tails = carve_rows(from, 2);
}

/* Buffers of its own for each space but the first. */
static void spaces_carve(flow_space *spaces, int n, const bj_flow *flow, int gradient, carver *from) {
  for (int i = 1; i < n; i++) space_carve(spaces + i, flow, gradient, from);
}

static void spaces_part(flow_space *spaces, int n, const bj_flow *flow, int gradient, const bj_memory *memory) {
  carver dry = {0};
  spaces_carve(spaces, n, flow, gradient, &dry);
  carver from = {.memory = carve_block(memory, dry.used)};
  spaces_carve(spaces, n, flow, gradient, &from);
}

/* Each of n spaces has a gradient of its own; a single thread works through them one after the other, and then they
 * share the buffers, which so stay in cache. */
static flow_space *spaces_make(const bj_flow *flow, int n, int gradient, const bj_memory *memory, int parted) {
  bj_build build = {.memory = memory};
  flow_space *spaces = build_alloc(&build, sizeof(flow_space) * (size_t)n);
  const long n_gradient = gradient ? flow->n_param + flow->n_prep : 0;
  carver dry = {0};
  space_carve(spaces, flow, gradient, &dry);
  for (int i = 0; i < n; i++) carve(&dry, n_gradient);
  carver from = {.memory = carve_block(memory, dry.used)};
  space_carve(spaces, flow, gradient, &from);
  for (int i = 0; i < n; i++) {
    spaces[i] = spaces[0];
    spaces[i].gtheta = carve(&from, n_gradient);
    spaces[i].gprep = spaces[i].gtheta + (gradient ? flow->n_param : 0);
  }
  if (parted) spaces_part(spaces, n, flow, gradient, memory);
  return spaces;
}

/* ---- one chunk --------------------------------------------------------------------------------------------------- */

/* `row` numbers the first row, for what layers draw. The space has a penalty where it has gradients. */
static bj_pass chunk_pass(const flow_params *params, flow_space *space, uint64_t row, int nb, bj_logdet *logdet) {
  const bj_base *base = params->flow->base;
  const int penalized = params->run.purpose == RUN_TRAIN;
  return (bj_pass){
      .nb = nb,
      .theta = params->theta + base->n_param,
      .prep = params->prep + base->n_prep,
      .condition = space->condition,
      .x = space->x,
      .y = space->y,
      .logdet = logdet,
      .cache = space->cache,
      .work = space->work,
      .run = &params->run,
      .row = row,
      .penalty = penalized ? space->penalty : NULL,
      .gpenalty = penalized ? space->gpenalty : NULL,
      .error = &space->error,
  };
}

static bj_base_pass chunk_base_pass(const flow_params *params, flow_space *space, int nb, bj_direction direction) {
  return (bj_base_pass){
      .nb = nb,
      .theta = params->theta,
      .prep = params->prep,
      .condition = space->condition,
      .x = direction == BJ_FORWARD ? space->x : space->y,
      .log_density = space->log_density,
      .gp = space->gp,
      .gx = direction == BJ_FORWARD ? space->gx : space->gy,
      .gtheta = space->gtheta,
      .gprep = space->gprep,
      .gcondition = space->gcondition,
      .cache = space->base_cache,
      .work = space->base_work,
  };
}

/* y and sum (the log-determinant of the call) from x; log_density is that of the data side, whichever that is. */
static bj_status chunk_run(const flow_params *params, flow_space *space, uint64_t row, int nb) {
  const bj_direction direction = params->run.direction;
  const bj_flow *flow = params->flow;
  const bj_layer_kind *kind = flow->layer->kind;
  bj_logdet logdet = {space->sum, space->factor, 0};
  bj_pass pass = chunk_pass(params, space, row, nb, &logdet);
  const bj_base_pass base = chunk_base_pass(params, space, nb, direction);
  logdet_start(&logdet, nb);
  if (pass.penalty) memset(pass.penalty, 0, sizeof(real) * (size_t)nb * BJ_BLOCK);
  const bj_status status = (direction == BJ_FORWARD ? kind->forward : kind->inverse)(flow->layer, &pass);
  if (status != BJ_OK) return status;
  logdet_finish(&logdet, nb);
  for (long i = 0; i < (long)nb * BJ_BLOCK; i += BJ_LANES) {
    const vreal sum = vload(space->sum + i);
    vstore(space->log_density + i, direction == BJ_FORWARD ? -sum : sum);
  }
  flow->base->kind->log_density(flow->base, &base);
  return BJ_OK;
}

/* Gradient of sum(gy y) + sum(gl logdet) + sum(gp log_density) + sum(gpenalty penalty), after chunk_run. gy and gl are
 * changed on the way. */
static bj_status chunk_vjp(const flow_params *params, flow_space *space, uint64_t row, int nb) {
  const bj_direction direction = params->run.direction;
  const bj_flow *flow = params->flow;
  const bj_layer_kind *kind = flow->layer->kind;
  bj_logdet unused = {0};
  bj_pass pass = chunk_pass(params, space, row, nb, &unused);
  const bj_base_pass base = chunk_base_pass(params, space, nb, direction);
  pass.gy = space->gy;
  pass.gl = space->gl;
  pass.gx = space->gx;
  pass.gcondition = space->gcondition;
  pass.gtheta = space->gtheta + flow->base->n_param;
  pass.gprep = space->gprep + flow->base->n_prep;
  for (long i = 0; i < (long)nb * BJ_BLOCK; i += BJ_LANES) {
    const vreal gp = vload(space->gp + i);
    vstore(space->gl + i, vload(space->gl + i) + (direction == BJ_FORWARD ? -gp : gp));
  }
  if (direction == BJ_INVERSE) {
    flow->base->kind->log_density_vjp(flow->base, &base);
    return kind->inverse_vjp(flow->layer, &pass);
  }
  const bj_status status = kind->forward_vjp(flow->layer, &pass);
  flow->base->kind->log_density_vjp(flow->base, &base);
  return status;
}

typedef struct {
  flow_space *spaces;
  int n;
} slot_sums;

static void slots_add(void *arg, long first, long end) {
  const slot_sums *sums = arg;
  for (int s = 1; s < sums->n; s++) {
    real *to = sums->spaces[0].gtheta;
    const real *from = sums->spaces[s].gtheta;
    long i = first;
    for (; i + BJ_LANES <= end; i += BJ_LANES) vstore(to + i, vload(to + i) + vload(from + i));
    for (; i < end; i++) to[i] += from[i];
  }
}

static void spaces_reduce(const flow_params *params, flow_space *spaces, int n, const bj_workers *workers,
                          int threaded) {
  slot_sums sums = {spaces, n};
  ranges_run(workers, threaded, params->flow->n_param + params->flow->n_prep, slots_add, &sums);
  flow_prepare_vjp(params->flow, &params->run, params->theta, params->prep, spaces[0].gprep, spaces[0].gtheta);
}

static void space_clear_gradient(const bj_flow *flow, flow_space *space) {
  memset(space->gtheta, 0, sizeof(real) * (size_t)(flow->n_param + flow->n_prep));
}

static int slot_count(const bj_flow *flow, long n_row) {
  const long chunks = chunk_count(n_row);
  const int most = flow->n_param + flow->n_prep >= LONG_VECTOR ? 2 : FLOW_SLOTS;
  return chunks < 1 ? 1 : chunks < most ? (int)chunks : most;
}

/* ---- chunks of a call, on threads where that pays ---------------------------------------------------------------- */

/* A call whose rest takes less is done sooner on the thread that it is on. */
#define THREADS_PAY 2e-4

static long chunk_first(const chunk_range *chunks, int slot) {
  const long turns = (chunks->from - slot + chunks->n_slot - 1) / chunks->n_slot;
  return slot + (turns > 0 ? turns : 0) * chunks->n_slot;
}

/* Runs the first chunk, which tells how long the rest will take, then whether threads pay for that. */
static int chunks_begin(const bj_workers *workers, chunk_range *chunks, void (*task)(void *arg, int slot), void *arg) {
  const long n_chunk = chunks->to;
  if (workers->n_worker <= 1 || n_chunk <= 1 || !workers->clock) return 0;
  const double begun = workers->clock();
  chunks->to = 1;
  task(arg, 0);
  *chunks = (chunk_range){1, n_chunk, chunks->n_slot};
  return (workers->clock() - begun) * (double)(n_chunk - 1) > THREADS_PAY;
}

static void tasks_run(const bj_workers *workers, int threaded, int n, void (*task)(void *arg, int index), void *arg) {
  if (threaded) {
    workers->run(workers->host, n, task, arg);
  } else {
    for (int i = 0; i < n; i++) task(arg, i);
  }
}

/* ---- maps of whole tables ---------------------------------------------------------------------------------------- */

static bj_status chunk_there(const flow_map_call *call, flow_space *space, long first, int n, int nb) {
  const bj_map_job *job = call->job;
  const bj_flow *flow = call->params.flow;
  const int again = call->part == MAP_BACK; /* the host has these already */
  const long ld = job->x.n;
  bj_status status = pack_rows(&job->x, flow->d, NULL, first, n, nb, space->x);
  if (status == BJ_OK) status = pack_rows(&job->condition, flow->n_condition, NULL, first, n, nb, space->condition);
  if (status == BJ_OK) status = chunk_run(&call->params, space, (uint64_t)first, nb);
  if (status != BJ_OK || again) return status;
  if (job->y) unpack_rows(space->y, flow->d, n, job->y, ld, first);
  if (job->logdet) unpack_rows(space->sum, 1, n, job->logdet, ld, first);
  if (job->log_density) unpack_rows(space->log_density, 1, n, job->log_density, ld, first);
  if (job->penalty) unpack_rows(space->penalty, 1, n, job->penalty, ld, first);
  return BJ_OK;
}

static bj_status chunk_back(const flow_map_call *call, flow_space *space, long first, int n, int nb) {
  const bj_map_job *job = call->job;
  const int d = call->params.flow->d, n_condition = call->params.flow->n_condition;
  const long ld = job->x.n;
  pack_cotangent(job->cot_y, ld, d, first, n, nb, space->gy);
  pack_cotangent(job->cot_l, ld, 1, first, n, nb, space->gl);
  pack_cotangent(job->cot_p, ld, 1, first, n, nb, space->gp);
  memset(space->gcondition, 0, sizeof(real) * (size_t)nb * (size_t)n_condition * BJ_BLOCK);
  for (int i = 0; i < nb * BJ_BLOCK; i++) space->gpenalty[i] = i < n ? job->cot_penalty : 0;
  const bj_status status = chunk_vjp(&call->params, space, (uint64_t)first, nb);
  if (job->grad_x) unpack_rows(space->gx, d, n, job->grad_x, ld, first);
  if (job->grad_condition) unpack_rows(space->gcondition, n_condition, n, job->grad_condition, ld, first);
  return status;
}

static void map_slot(void *arg, int slot) {
  const flow_map_call *call = arg;
  const long n = call->job->x.n;
  const int back = call->job->grad_param && call->part != MAP_THERE, there = call->part != MAP_BACK || !call->kept;
  flow_space *space = call->spaces + slot;
  for (long i = chunk_first(&call->chunks, slot); i < call->chunks.to; i += call->chunks.n_slot) {
    if (space->status == BJ_OK && workers_stopped(call->workers)) space->status = BJ_STOPPED;
    if (space->status != BJ_OK) return;
    const long first = i * CHUNK_SIZE, left = n - first;
    const int rows = (int)(left < CHUNK_SIZE ? left : CHUNK_SIZE), nb = (rows + BJ_BLOCK - 1) / BJ_BLOCK;
    if (there) space->status = chunk_there(call, space, first, rows, nb);
    if (back && space->status == BJ_OK) space->status = chunk_back(call, space, first, rows, nb);
  }
}

static void map_make(flow_map_call *call, const bj_flow *flow, bj_direction direction, const bj_map_job *job,
                     int two_parts, const bj_memory *memory, const bj_workers *workers) {
  const int n_slot = slot_count(flow, job->x.n), gradient = job->grad_param != NULL;
  const int kept = two_parts && chunk_count(job->x.n) <= n_slot;
  real *prep = memory->alloc(memory->host, sizeof(real) * (size_t)(flow->n_prep + 1));
  *call = (flow_map_call){
      .params = {.flow = flow, .prep = prep},
      .prep = prep,
      .direction = direction,
      .job = job,
      .workers = workers,
      .memory = memory,
      .spaces = spaces_make(flow, n_slot, gradient, memory, kept),
      .n_slot = n_slot,
      .parted = kept,
      .kept = kept,
  };
}

static void map_begin(flow_map_call *call, const real *theta) {
  const bj_map_job *job = call->job;
  const bj_flow *flow = call->params.flow;
  call->params.theta = theta;
  call->params.run = (bj_run){.purpose = job->train && job->grad_param ? RUN_TRAIN : RUN_EVALUATE,
                              .direction = call->direction,
                              .seed = job->seed};
  for (int s = 0; s < call->n_slot; s++) {
    call->spaces[s].status = BJ_OK;
    if (job->grad_param) space_clear_gradient(flow, call->spaces + s);
  }
  flow_prepare(flow, &call->params.run, theta, call->prep);
}

static bj_status map_run(flow_map_call *call, map_part part, bj_error *error) {
  const int n_slot = call->n_slot, gradient = call->job->grad_param != NULL;
  call->part = part;
  call->chunks = (chunk_range){0, chunk_count(call->job->x.n), n_slot};
  if (!call->chosen) call->threaded = chunks_begin(call->workers, &call->chunks, map_slot, call);
  if (call->threaded && !call->parted) spaces_part(call->spaces, n_slot, call->params.flow, gradient, call->memory);
  call->parted |= call->threaded;
  tasks_run(call->workers, call->threaded, n_slot, map_slot, call);
  for (int s = 0; s < n_slot; s++) {
    if (call->spaces[s].status == BJ_OK) continue;
    *error = call->spaces[s].error;
    return call->spaces[s].status;
  }
  return BJ_OK;
}

static void map_end(flow_map_call *call) {
  const bj_map_job *job = call->job;
  if (!job->grad_param) return;
  spaces_reduce(&call->params, call->spaces, call->n_slot, call->workers, call->threaded);
  memcpy(job->grad_param, call->spaces[0].gtheta, sizeof(real) * (size_t)call->params.flow->n_param);
}

static bj_status flow_map(const bj_flow *flow, const real *theta, bj_direction direction, const bj_map_job *job,
                          const bj_memory *memory, const bj_workers *workers, bj_error *error) {
  flow_map_call call;
  map_make(&call, flow, direction, job, 0, memory, workers);
  map_begin(&call, theta);
  const bj_status status = map_run(&call, MAP_WHOLE, error);
  if (status == BJ_OK) map_end(&call);
  return status;
}
