/* Draws from the base, and gradients through them. */
#include "flow.h"
#include "num-carve.h"

typedef struct {
  flow_params params;
  const bj_draw_job *job;
  const bj_workers *workers;
  real *buffer; /* BJ_CHUNK blocks a slot */
  bj_status status[FLOW_SLOTS];
  chunk_range chunks;
} draw_call;

static void draw_slot(void *arg, int slot) {
  draw_call *call = arg;
  const bj_draw_job *job = call->job;
  const bj_base *base = call->params.flow->base;
  real *z = call->buffer + slot * CHUNK_SIZE * base->d;
  for (long i = chunk_first(&call->chunks, slot); i < call->chunks.to; i += call->chunks.n_slot) {
    if (workers_stopped(call->workers)) call->status[slot] = BJ_STOPPED;
    if (call->status[slot] != BJ_OK) return;
    const long first = i * CHUNK_SIZE, left = job->n - first;
    const int n = (int)(left < CHUNK_SIZE ? left : CHUNK_SIZE);
    base->kind->draw(base, call->params.theta, call->params.prep, job->seed, (uint64_t)first,
                     (n + BJ_BLOCK - 1) / BJ_BLOCK, z);
    unpack_rows(z, base->d, n, job->z, job->n, first);
  }
}

static bj_status flow_draw(const bj_flow *flow, const real *theta, const bj_draw_job *job, const bj_memory *memory,
                           const bj_workers *workers) {
  real *prep = memory->alloc(memory->host, sizeof(real) * (size_t)(flow->n_prep + 1));
  const int n_slot = slot_count(flow, job->n);
  const size_t size = (size_t)n_slot * CHUNK_SIZE * (size_t)flow->d;
  draw_call call = {.params = {.flow = flow, .theta = theta, .prep = prep},
                    .job = job,
                    .workers = workers,
                    .buffer = memory->alloc(memory->host, sizeof(real) * size),
                    .status = {BJ_OK},
                    .chunks = {0, chunk_count(job->n), n_slot}};
  if (flow->base->kind->prepare) flow->base->kind->prepare(flow->base, theta, prep);
  const int threaded = chunks_begin(workers, &call.chunks, draw_slot, &call);
  chunks_run(workers, threaded, n_slot, draw_slot, &call);
  for (int s = 0; s < n_slot; s++) {
    if (call.status[s] != BJ_OK) return call.status[s];
  }
  return BJ_OK;
}

/* The gradient of a loss over draws z with respect to the base's parameters. Small beside the rest of a step: it runs
 * on one thread. */
static bj_status flow_draw_vjp(const bj_flow *flow, const real *theta, const bj_rows *z, const double *grad_z,
                               real *grad_param, const bj_memory *memory, bj_error *error) {
  const bj_base *base = flow->base;
  const int size = (int)CHUNK_SIZE;
  if (base->n_param == 0) return BJ_OK;
  if (!base->kind->draw_vjp) {
    bj_build build = {.memory = memory, .error = error};
    return spec_error(&build, "the parameters of base_%s() cannot be trained against a log density", base->kind->name);
  }
  const long n = z->n, n_prep = base->n_prep, n_row = (long)size * base->d;
  real *x = carve_block(memory, 2 * n_prep + 2 * n_row + base->n_work);
  real *gx = x + n_row, *work = gx + n_row, *gprep = work + base->n_work, *prep = gprep + n_prep;
  memset(gprep, 0, sizeof(real) * (size_t)n_prep);
  if (base->kind->prepare) base->kind->prepare(base, theta, prep);
  for (long first = 0; first < n; first += size) {
    const int here = (int)(n - first < size ? n - first : size), nb = (here + BJ_BLOCK - 1) / BJ_BLOCK;
    const bj_base_pass pass = {
        .nb = nb, .theta = theta, .prep = prep, .x = x, .gx = gx, .gtheta = grad_param, .gprep = gprep, .work = work};
    const bj_status status = pack_rows(z, base->d, NULL, first, here, nb, x);
    if (status != BJ_OK) return status;
    pack_cotangent(grad_z, n, base->d, first, here, nb, gx);
    base->kind->draw_vjp(base, &pass);
  }
  if (base->kind->prepare_vjp) base->kind->prepare_vjp(base, theta, prep, gprep, grad_param);
  return BJ_OK;
}
