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
