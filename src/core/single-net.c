/* mlp with `precision` "single": net-mlp.c in floats, see single.h.
 *
 *   y = double(mlp(single(theta), single(x))) + offset
 *   vjp: gx and the gradients of the weights are those of floats, the latter summed up in floats within a tile of a
 *   product, and in doubles beyond.
 *
 * The node in double precision beside it names, starts, masks and sorts the parameters. prep holds floats, [weights]; a
 * masked net's are sorted by that node and converted where they stand.
 */
#include "net-common.h"
#include "num-convert.h"
#include "single.h"

typedef struct {
  bj_net *whole;
  bj_single_node single;
  long n_weight;
  const real *offset;
  const int *in_rank, *out_rank; /* NULL: dense */
} single_net;

typedef struct {
  float *x, *cache;
  float *y, *gx, *gy, *work;
} single_net_rows;

INLINE single_net_rows net_single_carve(const bj_net *net, carver *cache, carver *work) {
  const single_net *self = net->self;
  single_net_rows at;
  at.x = carve_single(cache, CHUNK_ROWS(net->n_in));
  at.cache = carve_single(cache, self->single.n_cache);
  at.y = carve_single(work, CHUNK_ROWS(net->n_out));
  at.gx = carve_single(work, CHUNK_ROWS(net->n_in));
  at.gy = carve_single(work, CHUNK_ROWS(net->n_out));
  at.work = carve_single(work, self->single.n_work);
  return at;
}

#ifdef BJ_SINGLE_CORE

static bj_single_pass net_single_pass(const bj_net *net, const bj_net_pass *pass, const single_net_rows *at) {
  const int masked = ((const single_net *)net->self)->in_rank != NULL;
  return (bj_single_pass){
      .nb = pass->nb,
      .weights = (const float *)pass->prep,
      .x = at->x,
      .y = at->y,
      .cache = at->cache,
      .work = at->work,
      .gy = at->gy,
      .gx = pass->gx ? at->gx : NULL,
      .gweights = masked ? pass->gprep : pass->gtheta,
  };
}

/* The range of the inputs or outputs of a rank, all of a dense net. */
static void net_single_range(const int *ranks, int n, int rank, int *lo, int *hi) {
  *lo = 0;
  *hi = n;
  if (!ranks) return;
  while (*lo < n && ranks[*lo] < rank) ++*lo;
  for (*hi = *lo; *hi < n && ranks[*hi] == rank;) ++*hi;
}

/* Numbers lo..hi-1 of n a row: to floats, and back. */
static void net_single_in(int nb, int n, int lo, int hi, const real *from, float *to) {
  const long at = (long)lo * BJ_BLOCK, stride = (long)n * BJ_BLOCK;
  rows_to_single(nb, hi - lo, from + at, stride, to + at, stride);
}
static void net_single_out(int nb, int n, int lo, int hi, const float *from, real *to) {
  const long at = (long)lo * BJ_BLOCK, stride = (long)n * BJ_BLOCK;
  rows_from_single(nb, hi - lo, from + at, stride, to + at, stride);
}

static void net_single_outputs(const bj_net *net, const bj_net_pass *pass, const float *y, int lo, int hi) {
  const single_net *self = net->self;
  net_single_out(pass->nb, net->n_out, lo, hi, y, pass->y);
  for (long b = 0; b < pass->nb && self->offset; b++) {
    for (int i = lo; i < hi; i++) {
      FOR_ROWS(r) {
        real *to = pass->y + (b * net->n_out + i) * BJ_BLOCK + r;
        vstore(to, vload(to) + vset(self->offset[i]));
      }
    }
  }
}

static void net_single_forward(const bj_net *net, const bj_net_pass *pass) {
  const single_net *self = net->self;
  const single_net_rows at = CARVE(net_single_carve, net, pass);
  const bj_single_pass single = net_single_pass(net, pass, &at);
  net_single_in(pass->nb, net->n_in, 0, net->n_in, pass->x, at.x);
  BJ_SINGLE_CORE.net_run(&self->single, BJ_SINGLE_FORWARD, 0, &single);
  net_single_outputs(net, pass, at.y, 0, net->n_out);
}

static void net_single_forward_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const single_net *self = net->self;
  const single_net_rows at = CARVE(net_single_carve, net, pass);
  const bj_single_pass single = net_single_pass(net, pass, &at);
  int lo, hi;
  net_single_range(self->in_rank, net->n_in, rank, &lo, &hi);
  net_single_in(pass->nb, net->n_in, lo, hi, pass->x, at.x);
  BJ_SINGLE_CORE.net_run(&self->single, BJ_SINGLE_FORWARD_RANK, rank, &single);
  net_single_range(self->out_rank, net->n_out, rank + 1, &lo, &hi);
  net_single_outputs(net, pass, at.y, lo, hi);
}

static void net_single_vjp(const bj_net *net, const bj_net_pass *pass) {
  const single_net *self = net->self;
  const single_net_rows at = CARVE(net_single_carve, net, pass);
  const bj_single_pass single = net_single_pass(net, pass, &at);
  net_single_in(pass->nb, net->n_out, 0, net->n_out, pass->gy, at.gy);
  BJ_SINGLE_CORE.net_run(&self->single, BJ_SINGLE_VJP, 0, &single);
  if (pass->gx) net_single_out(pass->nb, net->n_in, 0, net->n_in, at.gx, pass->gx);
}

static void net_single_vjp_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const single_net *self = net->self;
  const single_net_rows at = CARVE(net_single_carve, net, pass);
  const bj_single_pass single = net_single_pass(net, pass, &at);
  int lo, hi;
  net_single_range(self->out_rank, net->n_out, rank + 1, &lo, &hi);
  net_single_in(pass->nb, net->n_out, lo, hi, pass->gy, at.gy);
  BJ_SINGLE_CORE.net_run(&self->single, BJ_SINGLE_VJP_RANK, rank, &single);
  net_single_range(self->in_rank, net->n_in, rank, &lo, &hi);
  net_single_out(pass->nb, net->n_in, lo, hi, at.gx, pass->gx);
}

static void net_single_vjp_finish(const bj_net *net, const bj_net_pass *pass) {
  const single_net *self = net->self;
  const single_net_rows at = CARVE(net_single_carve, net, pass);
  const bj_single_pass single = net_single_pass(net, pass, &at);
  BJ_SINGLE_CORE.net_run(&self->single, BJ_SINGLE_VJP_FINISH, 0, &single);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static void net_single_prepare(const bj_net *net, const real *theta, real *prep) {
  const single_net *self = net->self;
  if (self->in_rank) {
    net_prepare(self->whole, theta, prep);
    to_single(self->n_weight, prep, (float *)prep);
  } else {
    to_single(self->n_weight, theta, (float *)prep);
  }
}

static void net_single_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  const single_net *self = net->self;
  if (self->in_rank) net_prepare_vjp(self->whole, gprep, gtheta);
}

static void net_single_describe(const bj_net *net, bj_describe *out) {
  net_describe(((const single_net *)net->self)->whole, out);
}

static void net_single_init(const bj_net *net, real *theta, bj_rng *rng) {
  net_init(((const single_net *)net->self)->whole, theta, rng);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static bj_status net_single_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  single_net *self = net->self = build_alloc(build, sizeof(single_net));
  bj_net_request asked = *request;
  const bj_single_request single = {
      .n_in = request->n_in,
      .n_out = request->n_out,
      .in_rank = request->in_rank,
      .out_rank = request->out_rank,
      .in_column = request->in_column,
      .n_rank = request->n_rank,
      .n_condition = request->n_condition,
  };
  asked.offset = NULL;
  self->offset = request->offset;
  self->in_rank = request->in_rank;
  self->out_rank = request->out_rank;
  self->whole = build_alloc(build, sizeof(bj_net));
  self->whole->kind = &net_mlp;
  self->whole->n_in = net->n_in;
  self->whole->n_out = net->n_out;
  if (net_mlp.build(self->whole, spec, &asked, build) != BJ_OK) return build->status;
  if (BJ_SINGLE_CORE.net_build(spec, &single, build->memory, build->error, &self->single) != BJ_OK) {
    return build->status = BJ_BAD_SPEC;
  }
  if (self->single.n_cache > SIZE_MOST || self->single.n_work > SIZE_MOST) {
    return spec_error(build, "net_%s() is too large", spec->kind);
  }
  net->n_param = self->whole->n_param;
  self->n_weight = self->in_rank ? self->whole->n_prep : net->n_param;
  net->n_prep = self->in_rank ? self->n_weight : SINGLE_REALS(self->n_weight); /* those of masked nets have gradients */
  MEASURE(net_single_carve, net);
  return build->status;
}

static const bj_net_kind net_single = {
    .name = "mlp",
    .masks = 1,
    .build = net_single_build,
    .describe = net_single_describe,
    .init = net_single_init,
    .prepare = net_single_prepare,
    .prepare_vjp = net_single_prepare_vjp,
    .forward = net_single_forward,
    .vjp = net_single_vjp,
    .forward_rank = net_single_forward_rank,
    .vjp_rank = net_single_vjp_rank,
    .vjp_finish = net_single_vjp_finish,
};

#endif
