/* Draws from the base, gradients through them, and what its net gives. */
#include "flow.h"
#include "num-carve.h"

static void draw_carve(draw_space *space, const bj_flow *flow, carver *from) {
  const bj_base *base = flow->base;
  space->x = carve_rows(from, base->d);
  space->gx = carve_rows(from, base->d);
  space->condition = carve_rows(from, base->net ? flow->n_condition : 0);
  space->cache = carve(from, base->n_cache);
  space->work = carve(from, base->n_work);
}

static void draw_spaces_make(draw_space *spaces, int n, const bj_flow *flow, const bj_memory *memory) {
  carver dry = {0};
  for (int i = 0; i < n; i++) draw_carve(spaces + i, flow, &dry);
  carver from = {.memory = carve_block(memory, dry.used)};
  for (int i = 0; i < n; i++) draw_carve(spaces + i, flow, &from);
}

/* The pass of a chunk whose n rows start at `first`, with its conditions where the base has a net. */
static bj_status draw_begin(const flow_params *params, const draw_space *space, const bj_rows *condition, long first,
                            int n, bj_base_pass *pass) {
  const bj_flow *flow = params->flow;
  *pass = (bj_base_pass){
      .nb = (n + BJ_BLOCK - 1) / BJ_BLOCK,
      .theta = params->theta,
      .prep = params->prep,
      .condition = space->condition,
      .x = space->x,
      .gx = space->gx,
      .cache = space->cache,
      .work = space->work,
  };
  if (!flow->base->net) return BJ_OK;
  return pack_rows(condition, flow->n_condition, NULL, first, n, pass->nb, space->condition);
}

INLINE int draw_rows(long n, long first) { return (int)(n - first < CHUNK_SIZE ? n - first : CHUNK_SIZE); }

static void draw_slot(void *arg, int slot) {
  flow_draw_call *call = arg;
  const bj_draw_job *job = call->job;
  const bj_base *base = call->params.flow->base;
  const draw_space *space = call->spaces + slot;
  for (long i = chunk_first(&call->chunks, slot); i < call->chunks.to; i += call->chunks.n_slot) {
    if (workers_stopped(call->workers)) call->status[slot] = BJ_STOPPED;
    if (call->status[slot] != BJ_OK) return;
    const long first = i * CHUNK_SIZE;
    const int n = draw_rows(job->n, first);
    bj_base_pass pass;
    call->status[slot] = draw_begin(&call->params, space, &job->condition, first, n, &pass);
    if (call->status[slot] != BJ_OK) return;
    base->kind->draw(base, &pass, job->seed, (uint64_t)first, space->x);
    unpack_rows(space->x, base->d, n, job->z, job->n, first);
  }
}

static void draw_make(flow_draw_call *call, const bj_flow *flow, const bj_draw_job *job, const bj_memory *memory,
                      const bj_workers *workers) {
  const long n_prep = flow->base->n_prep;
  real *prep = carve_block(memory, 2 * n_prep);
  *call = (flow_draw_call){
      .params = {.flow = flow, .prep = prep},
      .prep = prep,
      .gprep = prep + n_prep,
      .job = job,
      .workers = workers,
      .n_slot = slot_count(flow, job->n),
  };
  draw_spaces_make(call->spaces, call->n_slot, flow, memory);
}

static bj_status draw_run(flow_draw_call *call, const real *theta) {
  call->params.theta = theta;
  call->chunks = (chunk_range){0, chunk_count(call->job->n), call->n_slot};
  for (int s = 0; s < call->n_slot; s++) call->status[s] = BJ_OK;
  base_prepare(call->params.flow->base, theta, call->prep);
  if (!call->chosen) call->threaded = chunks_begin(call->workers, &call->chunks, draw_slot, call);
  tasks_run(call->workers, call->threaded, call->n_slot, draw_slot, call);
  for (int s = 0; s < call->n_slot; s++) {
    if (call->status[s] != BJ_OK) return call->status[s];
  }
  return BJ_OK;
}

static bj_status flow_draw(const bj_flow *flow, const real *theta, const bj_draw_job *job, const bj_memory *memory,
                           const bj_workers *workers) {
  flow_draw_call call;
  draw_make(&call, flow, job, memory, workers);
  return draw_run(&call, theta);
}

static bj_status draw_check(const bj_flow *flow, bj_build *build) {
  const bj_base *base = flow->base;
  if (base->n_param == 0 || base->kind->draw_vjp) return build->status;
  return spec_error(build, "the parameters of base_%s() cannot be trained against a log density", base->kind->name);
}

static bj_status draw_back(flow_draw_call *call, const real *theta, const bj_rows *z, const double *grad_z,
                           real *grad_param) {
  const bj_base *base = call->params.flow->base;
  const draw_space *space = call->spaces;
  const long n = call->job->n;
  if (base->n_param == 0) return BJ_OK;
  call->params.theta = theta;
  memset(call->gprep, 0, sizeof(real) * (size_t)base->n_prep);
  base_prepare(base, theta, call->prep);
  for (long first = 0; first < n; first += CHUNK_SIZE) {
    const int here = draw_rows(n, first);
    bj_base_pass pass;
    bj_status status = draw_begin(&call->params, space, &call->job->condition, first, here, &pass);
    if (status == BJ_OK) status = pack_rows(z, base->d, NULL, first, here, pass.nb, space->x);
    if (status != BJ_OK) return status;
    pack_cotangent(grad_z, n, base->d, first, here, pass.nb, space->gx);
    pass.gtheta = grad_param;
    pass.gprep = call->gprep;
    base_given(base, &pass);
    base->kind->draw_vjp(base, &pass);
  }
  base_prepare_vjp(base, theta, call->prep, call->gprep, grad_param);
  return BJ_OK;
}

static bj_status flow_draw_vjp(const bj_flow *flow, const real *theta, const bj_rows *z, const bj_rows *condition,
                               const double *grad_z, real *grad_param, const bj_memory *memory, bj_error *error) {
  bj_build build = {.memory = memory, .error = error};
  const bj_draw_job job = {.n = z->n, .condition = *condition};
  flow_draw_call call;
  if (draw_check(flow, &build) != BJ_OK) return build.status;
  draw_make(&call, flow, &job, memory, NULL);
  return draw_back(&call, theta, z, grad_z, grad_param);
}

static bj_status flow_given(const bj_flow *flow, const real *theta, const bj_rows *condition, double *given,
                            const bj_memory *memory) {
  const bj_base *base = flow->base;
  real *prep = memory->alloc(memory->host, sizeof(real) * (size_t)(flow->n_prep + 1));
  const flow_params params = {.flow = flow, .theta = theta, .prep = prep};
  draw_space space;
  if (!base->net) return BJ_OK;
  draw_spaces_make(&space, 1, flow, memory);
  base_prepare(base, theta, prep);
  for (long first = 0; first < condition->n; first += CHUNK_SIZE) {
    const int here = draw_rows(condition->n, first);
    bj_base_pass pass;
    const bj_status status = draw_begin(&params, &space, condition, first, here, &pass);
    if (status != BJ_OK) return status;
    unpack_rows(base_given(base, &pass), base_n_given(base), here, given, condition->n, first);
  }
  return BJ_OK;
}
