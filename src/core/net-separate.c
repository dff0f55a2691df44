/* separate: m nets side by side on the same input, their outputs in turn: y[i m + j] = net_j(x)[i].
 *
 *   As a conditioner of a scalar with m raw parameters, net j gives parameter j of every coordinate.
 *   vjp: gy is dealt out to the nets, their gx are added up
 */
#include <stdio.h>

#include "net-common.h"

typedef struct {
  int n, each; /* outputs of each net */
  net_slot *nets;
} separate;

/* The nets have a cache each and share the work. */
static void separate_carve(const bj_net *net, carver *cache, carver *work) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) {
    carver again = {0};
    net_slot_carve(self->nets + j, cache, &again);
    if (again.used > work->used) work->used = again.used;
  }
}

/* The pass of the next net, for which `cache` goes on. */
static bj_net_pass separate_pass(const net_slot *slot, const bj_net_pass *pass, carver *cache, net_rows *at) {
  *at = net_slot_carve(slot, cache, &(carver){.memory = pass->work});
  bj_net_pass one = *pass;
  one.y = at->y;
  one.cache = at->cache;
  one.work = at->work;
  return one;
}

/* Every n-th row of `from` to every m-th row of `to`. */
static void separate_deal(int n_row, const real *from, int n, real *to, int m) {
  for (long i = 0; i < n_row; i++) memcpy(to + i * m * BJ_BLOCK, from + i * n * BJ_BLOCK, sizeof(real) * BJ_BLOCK);
}

static void separate_forward(const bj_net *net, const bj_net_pass *pass) {
  const separate *self = net->self;
  carver cache = {.memory = pass->cache};
  net_rows at;
  for (int j = 0; j < self->n; j++) {
    net_slot_forward(self->nets + j, separate_pass(self->nets + j, pass, &cache, &at));
    separate_deal(self->each * pass->nb, at.y, 1, pass->y + j * BJ_BLOCK, self->n);
  }
}

static void separate_vjp(const bj_net *net, const bj_net_pass *pass) {
  const separate *self = net->self;
  const long in = (long)net->n_in * BJ_BLOCK;
  carver cache = {.memory = pass->cache};
  net_rows at;
  for (int j = 0; j < self->n; j++) {
    bj_net_pass one = separate_pass(self->nets + j, pass, &cache, &at);
    separate_deal(self->each * pass->nb, pass->gy + j * BJ_BLOCK, self->n, at.gy, 1);
    one.gy = at.gy;
    if (pass->gx && j > 0) one.gx = at.gx;
    net_slot_vjp(self->nets + j, one, NULL);
    if (pass->gx && j > 0) add_rows(pass->nb, at.gx, in, pass->gx, in, net->n_in);
  }
}

static void separate_prepare(const bj_net *net, const real *theta, real *prep) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) net_slot_prepare(self->nets + j, theta, prep);
}

static void separate_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) net_slot_prepare_vjp(self->nets + j, gprep, gtheta);
}

static void separate_describe(const bj_net *net, bj_describe *out) {
  const separate *self = net->self;
  char name[16];
  for (int j = 0; j < self->n; j++) {
    snprintf(name, sizeof name, "%d", j + 1);
    net_slot_describe(self->nets + j, name, out);
  }
}

static void separate_init(const bj_net *net, real *theta, bj_rng *rng) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) net_slot_init(self->nets + j, theta, rng);
}

static bj_status separate_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  separate *self = net->self = build_alloc(build, sizeof(separate));
  const bj_spec *nets = spec_parts(build, spec, "nets", 1, &self->n);
  if (!nets) return build->status;
  self->each = request->n_out / self->n;
  if (self->each * self->n != request->n_out) {
    return spec_error(build, "net_separate() has %d nets, which cannot share %d outputs evenly", self->n,
                      request->n_out);
  }
  self->nets = build_alloc(build, sizeof(net_slot) * (size_t)self->n);
  for (int j = 0; j < self->n; j++) {
    bj_net_request one = {.n_in = request->n_in, .n_out = self->each, .n_condition = request->n_condition};
    if (request->offset) {
      real *offset = build_alloc(build, sizeof(real) * (size_t)self->each);
      for (int i = 0; i < self->each; i++) offset[i] = request->offset[i * self->n + j];
      one.offset = offset;
    }
    const bj_status status =
        net_slot_build(build, nets + j, &one, 0, "net_separate", &net->n_param, &net->n_prep, self->nets + j);
    if (status != BJ_OK) return status;
  }
  MEASURE(separate_carve, net);
  return build->status;
}

static const bj_net_kind net_separate = {
    .name = "separate",
    .build = separate_build,
    .describe = separate_describe,
    .init = separate_init,
    .forward = separate_forward,
    .prepare = separate_prepare,
    .prepare_vjp = separate_prepare_vjp,
    .vjp = separate_vjp,
};
