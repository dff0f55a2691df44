/* separate: m nets side by side on the same input, their outputs in turn: y[i m + j] = net_j(x)[i].
 *
 *   As a conditioner of a scalar with m raw parameters, net j gives parameter j of every coordinate.
 *   vjp: gy is dealt out to the nets, their gx are added up
 */
#include <stdio.h>

#include "protocol.h"

typedef struct {
  bj_net *net;
  long theta_at, prep_at, cache_at; /* cache_at: offset a block, of the net's output and then its cache */
} separate_member;

typedef struct {
  int n, each; /* outputs of each net */
  separate_member *members;
} separate;

/* The pass of net j, without cotangents. */
static bj_net_pass separate_pass(const separate *self, const bj_net_pass *pass, int j) {
  const separate_member *member = self->members + j;
  bj_net_pass one = *pass;
  one.theta += member->theta_at;
  one.prep += member->prep_at;
  one.y = pass->cache + member->cache_at * pass->nb;
  one.cache = one.y + (long)self->each * BJ_BLOCK * pass->nb;
  return one;
}

/* Every n-th row of `from` to every m-th row of `to`. */
static void separate_deal(int n_row, const real *from, int n, real *to, int m) {
  for (long i = 0; i < n_row; i++) memcpy(to + i * m * BJ_BLOCK, from + i * n * BJ_BLOCK, sizeof(real) * BJ_BLOCK);
}

static void separate_forward(const bj_net *net, const bj_net_pass *pass) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) {
    const bj_net_pass one = separate_pass(self, pass, j);
    self->members[j].net->kind->forward(self->members[j].net, &one);
    separate_deal(self->each * pass->nb, one.y, 1, pass->y + j * BJ_BLOCK, self->n);
  }
}

static void separate_vjp(const bj_net *net, const bj_net_pass *pass) {
  const separate *self = net->self;
  const long size = (long)net->n_in * BJ_BLOCK * pass->nb, own = (long)self->each * BJ_BLOCK * pass->nb;
  for (int j = 0; j < self->n; j++) {
    const separate_member *member = self->members + j;
    bj_net_pass one = separate_pass(self, pass, j);
    real *gy = pass->work, *gx = gy + own;
    separate_deal(self->each * pass->nb, pass->gy + j * BJ_BLOCK, self->n, gy, 1);
    one.gy = gy;
    one.gx = !pass->gx ? NULL : j == 0 ? pass->gx : gx;
    one.work = gx + size;
    one.gtheta += member->theta_at;
    one.gprep += member->prep_at;
    member->net->kind->vjp(member->net, &one);
    for (long i = 0; i < size && pass->gx && j > 0; i += BJ_LANES) {
      vstore(pass->gx + i, vload(pass->gx + i) + vload(gx + i));
    }
  }
}

static void separate_prepare(const bj_net *net, const real *theta, real *prep) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) {
    const separate_member *member = self->members + j;
    if (member->net->kind->prepare) {
      member->net->kind->prepare(member->net, theta + member->theta_at, prep + member->prep_at);
    }
  }
}

static void separate_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) {
    const separate_member *member = self->members + j;
    if (member->net->kind->prepare_vjp) {
      member->net->kind->prepare_vjp(member->net, gprep + member->prep_at, gtheta + member->theta_at);
    }
  }
}

static void separate_describe(const bj_net *net, bj_describe *out) {
  const separate *self = net->self;
  char name[16];
  for (int j = 0; j < self->n; j++) {
    snprintf(name, sizeof name, "%d", j + 1);
    const int mark = describe_enter(out, name);
    self->members[j].net->kind->describe(self->members[j].net, out);
    describe_leave(out, mark);
  }
}

static void separate_init(const bj_net *net, real *theta, bj_rng *rng) {
  const separate *self = net->self;
  for (int j = 0; j < self->n; j++) {
    self->members[j].net->kind->init(self->members[j].net, theta + self->members[j].theta_at, rng);
  }
}

static bj_status separate_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  separate *self = net->self = build_alloc(build, sizeof(separate));
  const bj_entry *field = spec_entry(spec, "nets");
  if (!field || field->type != BJ_ENTRY_SPECS || field->n < 1) {
    return spec_error(build, "net_separate() needs at least one net");
  }
  self->n = field->n;
  self->each = request->n_out / field->n;
  if (self->each * self->n != request->n_out) {
    return spec_error(build, "net_separate() has %d nets, which cannot share %d outputs evenly", self->n,
                      request->n_out);
  }
  self->members = build_alloc(build, sizeof(separate_member) * (size_t)self->n);
  long work = 0;
  for (int j = 0; j < self->n; j++) {
    separate_member *member = self->members + j;
    bj_net_request one = {.n_in = request->n_in, .n_out = self->each};
    if (request->offset) {
      real *offset = build_alloc(build, sizeof(real) * (size_t)self->each);
      for (int i = 0; i < self->each; i++) offset[i] = request->offset[i * self->n + j];
      one.offset = offset;
    }
    const bj_status status = net_build(build, field->specs + j, &one, "net_separate", &member->net);
    if (status != BJ_OK) return status;
    member->theta_at = net->n_param;
    member->prep_at = net->n_prep;
    member->cache_at = net->n_cache;
    net->n_param += member->net->n_param;
    net->n_prep += member->net->n_prep;
    net->n_cache += member->net->n_cache + (long)self->each * BJ_BLOCK;
    if (member->net->n_work > work) work = member->net->n_work;
  }
  net->n_work = work + (long)(self->each + net->n_in) * BJ_BLOCK;
  return BJ_OK;
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
