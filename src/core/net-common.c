/* Nets of layers, fields and other nets: see net-common.h. */
#include "net-common.h"

static bj_status net_slot_build(bj_build *build, const bj_spec *spec, const bj_net_request *request, int n_condition,
                                const char *where, long *n_param, long *n_prep, net_slot *slot) {
  bj_net_request asked = *request;
  if (n_condition > 0) asked.n_condition = n_condition;
  const bj_status status = net_build(build, spec, &asked, where, &slot->net);
  if (status != BJ_OK) return status;
  slot->n_condition = n_condition;
  slot->condition_at = request->in_rank ? 0 : request->n_in - n_condition;
  slot->theta_at = *n_param;
  slot->prep_at = *n_prep;
  *n_param += slot->net->n_param;
  *n_prep += slot->net->n_prep;
  return BJ_OK;
}

static void net_slot_describe(const net_slot *slot, const char *name, bj_describe *out) {
  const int mark = describe_enter(out, name);
  net_describe(slot->net, out);
  describe_leave(out, mark);
}

static void net_slot_init(const net_slot *slot, real *theta, bj_rng *rng) {
  net_init(slot->net, theta + slot->theta_at, rng);
}

static void net_slot_prepare(const net_slot *slot, const real *theta, real *prep) {
  net_prepare(slot->net, theta + slot->theta_at, prep + slot->prep_at);
}

static void net_slot_prepare_vjp(const net_slot *slot, const real *gprep, real *gtheta) {
  net_prepare_vjp(slot->net, gprep + slot->prep_at, gtheta + slot->theta_at);
}

INLINE net_rows net_slot_carve(const net_slot *slot, carver *cache, carver *work) {
  const bj_net *net = slot->net;
  net_rows at;
  at.y = carve_rows(cache, net->n_out);
  at.cache = carve(cache, net->n_cache);
  at.gy = carve_rows(work, net->n_out);
  at.gx = carve_rows(work, net->n_in);
  at.work = carve(work, net->n_work);
  return at;
}

static bj_net_pass net_slot_pass(const net_slot *slot, bj_net_pass owner) {
  owner.theta += slot->theta_at;
  owner.prep += slot->prep_at;
  if (owner.gtheta) {
    owner.gtheta += slot->theta_at;
    owner.gprep += slot->prep_at;
  }
  return owner;
}

INLINE net_inputs net_inputs_carve(const net_slot *slot, carver *cache, carver *work) {
  const bj_net *net = slot->net;
  net_inputs at;
  at.x = carve_rows(cache, net->n_in);
  at.cache = carve(cache, net->n_cache);
  at.gx = carve_rows(work, net->n_in);
  at.work = carve(work, net->n_work);
  return at;
}

static bj_net_pass net_inputs_pass(const net_slot *slot, const net_inputs *at, bj_net_pass owner) {
  bj_net_pass pass = net_slot_pass(slot, owner);
  pass.x = at->x;
  pass.cache = at->cache;
  pass.gx = at->gx;
  pass.work = at->work;
  return pass;
}

static void net_slot_forward(const net_slot *slot, bj_net_pass owner) {
  const bj_net_pass pass = net_slot_pass(slot, owner);
  slot->net->kind->forward(slot->net, &pass);
}

static void net_slot_gcondition(const net_slot *slot, const bj_net_pass *pass, real *gcondition) {
  const long in = (long)slot->net->n_in * BJ_BLOCK, n = slot->n_condition;
  if (!gcondition || n == 0) return;
  add_rows(pass->nb, pass->gx + (long)slot->condition_at * BJ_BLOCK, in, gcondition, n * BJ_BLOCK, (int)n);
}

static void net_slot_vjp(const net_slot *slot, bj_net_pass owner, real *gcondition) {
  if (!gcondition && slot->n_condition == slot->net->n_in) owner.gx = NULL;
  const bj_net_pass pass = net_slot_pass(slot, owner);
  slot->net->kind->vjp(slot->net, &pass);
  net_slot_gcondition(slot, &pass, gcondition);
}

/* ---- nets that put other conditions before a net ----------------------------------------------------------------- */

/* Ranks and columns of weights: conditions, and so the new ones, come last in the parameters. */
static void net_exchange_ranks(const net_exchange *exchange, const bj_net_request *request, const int *gone,
                               bj_net_request *inner, bj_build *build) {
  const int n_kept = exchange->n_kept, wide = inner->n_in - n_kept;
  int *in_rank = build_alloc(build, sizeof(int) * (size_t)inner->n_in);
  int *in_column = build_alloc(build, sizeof(int) * (size_t)inner->n_in);
  int *before = build_alloc(build, sizeof(int) * (size_t)(request->n_in + 1)); /* columns that go before each */
  for (int i = 0; i < request->n_in; i++) before[request->in_column[i] + 1] = gone[i];
  for (int i = 0; i < request->n_in; i++) before[i + 1] += before[i];
  for (int i = 0; i < inner->n_in; i++) in_rank[i] = -1;
  for (int i = 0; i < n_kept; i++) {
    const int column = request->in_column[exchange->kept[i]];
    in_rank[exchange->to[i]] = request->in_rank[exchange->kept[i]];
    in_column[exchange->to[i]] = column - before[column];
  }
  for (int k = 0; k < wide; k++) in_column[exchange->first + k] = n_kept + k;
  inner->in_rank = in_rank;
  inner->in_column = in_column;
}

static bj_status net_exchange_build(bj_build *build, const bj_spec *spec, const bj_net_request *request,
                                    const int *gone, long wide, const char *where, bj_net *owner) {
  net_exchange *exchange = owner->self;
  const int n_in = request->n_in, behind = request->in_rank ? request->n_condition : n_in; /* of the conditions */
  int *kept = build_alloc(build, sizeof(int) * (size_t)n_in), *to = build_alloc(build, sizeof(int) * (size_t)n_in);
  if (size_sum(build, wide, n_in) > COUNT_MOST) spec_error(build, "the net of %s() has too many inputs", where);
  if (build->status != BJ_OK) return build->status;
  exchange->first = behind;
  for (int i = 0; i < n_in; i++) {
    if (gone[i]) {
      exchange->first--;
    } else {
      kept[exchange->n_kept] = i;
      to[exchange->n_kept] = exchange->n_kept + (i < behind ? 0 : (int)wide);
      exchange->n_kept++;
    }
  }
  exchange->kept = kept;
  exchange->to = to;
  exchange->in_rank = request->in_rank;
  bj_net_request inner = *request;
  inner.n_in = exchange->n_kept + (int)wide;
  inner.n_condition += inner.n_in - n_in;
  if (request->in_rank) net_exchange_ranks(exchange, request, gone, &inner, build);
  return net_slot_build(build, spec, &inner, 0, where, &owner->n_param, &owner->n_prep, &exchange->inner);
}

INLINE net_inputs net_exchange_carve(const bj_net *owner, carver *cache, carver *work) {
  return net_inputs_carve(&((const net_exchange *)owner->self)->inner, cache, work);
}

/* Inputs that are handed on, all or those of one rank, and their gradients on the way back. */
static void net_exchange_hand_on(const bj_net *owner, const bj_net_pass *pass, const net_inputs *at, int all, int rank,
                                 int back) {
  const net_exchange *exchange = owner->self;
  const long outer = (long)owner->n_in * BJ_BLOCK, inner = (long)exchange->inner.net->n_in * BJ_BLOCK;
  for (int i = 0; i < exchange->n_kept; i++) {
    if (!all && exchange->in_rank[exchange->kept[i]] != rank) continue;
    const long from = (long)exchange->kept[i] * BJ_BLOCK, to = (long)exchange->to[i] * BJ_BLOCK;
    if (back) {
      copy_rows(pass->nb, at->gx + to, inner, pass->gx + from, outer, 1);
    } else {
      copy_rows(pass->nb, pass->x + from, outer, at->x + to, inner, 1);
    }
  }
}

static void net_exchange_forward(const bj_net *owner, const bj_net_pass *pass) {
  const net_exchange *exchange = owner->self;
  const net_inputs at = CARVE(net_exchange_carve, owner, pass);
  const bj_net_pass one = net_inputs_pass(&exchange->inner, &at, *pass);
  exchange->make(owner, pass, &at);
  net_exchange_hand_on(owner, pass, &at, 1, 0, 0);
  exchange->inner.net->kind->forward(exchange->inner.net, &one);
}

static void net_exchange_vjp(const bj_net *owner, const bj_net_pass *pass) {
  const net_exchange *exchange = owner->self;
  const net_inputs at = CARVE(net_exchange_carve, owner, pass);
  const bj_net_pass one = net_inputs_pass(&exchange->inner, &at, *pass);
  exchange->inner.net->kind->vjp(exchange->inner.net, &one);
  exchange->back(owner, pass, &at);
  if (pass->gx) net_exchange_hand_on(owner, pass, &at, 1, 0, 1);
}

static void net_exchange_forward_rank(const bj_net *owner, const bj_net_pass *pass, int rank) {
  const net_exchange *exchange = owner->self;
  const net_inputs at = CARVE(net_exchange_carve, owner, pass);
  const bj_net_pass one = net_inputs_pass(&exchange->inner, &at, *pass);
  if (rank < 0) exchange->make(owner, pass, &at);
  net_exchange_hand_on(owner, pass, &at, 0, rank, 0);
  exchange->inner.net->kind->forward_rank(exchange->inner.net, &one, rank);
}

static void net_exchange_vjp_rank(const bj_net *owner, const bj_net_pass *pass, int rank) {
  const net_exchange *exchange = owner->self;
  const net_inputs at = CARVE(net_exchange_carve, owner, pass);
  const bj_net_pass one = net_inputs_pass(&exchange->inner, &at, *pass);
  exchange->inner.net->kind->vjp_rank(exchange->inner.net, &one, rank);
  net_exchange_hand_on(owner, pass, &at, 0, rank, 1);
  if (rank < 0) exchange->back(owner, pass, &at);
}

static void net_exchange_vjp_finish(const bj_net *owner, const bj_net_pass *pass) {
  const net_exchange *exchange = owner->self;
  const net_inputs at = CARVE(net_exchange_carve, owner, pass);
  const bj_net_pass one = net_inputs_pass(&exchange->inner, &at, *pass);
  exchange->inner.net->kind->vjp_finish(exchange->inner.net, &one);
}
