/* The gates of the planar field (see field-planar.c): a table for times that all rows share, or nets a row. */
#include "field-planar.h"

static bj_net_pass gate_pass(const bj_field *field, int i, const real *theta, const real *prep, real *gtheta,
                             real *gprep) {
  const field_units *self = field->self;
  const long theta_at = i * self->gate->n_param, prep_at = i * self->gate->n_prep;
  bj_net_pass net = {
      .theta = units_theta_of(field, theta).gates + theta_at,
      .prep = units_prep_of(field, prep).gates + prep_at,
  };
  if (!gtheta) return net;
  net.gtheta = units_theta_of(field, gtheta).gates + theta_at;
  net.gprep = units_prep_of(field, gprep).gates + prep_at;
  return net;
}

static void gate_use(bj_net_pass *net, const gate_memory *memory, int nb) {
  net->nb = nb;
  net->x = memory->x;
  net->y = memory->y;
  net->gy = memory->gy;
  net->cache = memory->cache;
  net->work = memory->work;
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

/* The gate of unit i at a piece of the nodes; what pads them repeats the last. */
static void node_use(bj_net_pass *net, const gate_memory *memory, const real *times, int n) {
  gate_use(net, memory, (n + BJ_BLOCK - 1) / BJ_BLOCK);
  for (int r = 0; r < net->nb * BJ_BLOCK; r++) memory->x[r] = times[r < n ? r : n - 1];
}

#define NODES_AT_ONCE (BJ_CHUNK * BJ_BLOCK)
INLINE int nodes_here(int n, int at) { return n - at < NODES_AT_ONCE ? n - at : NODES_AT_ONCE; }

static void field_units_nodes(const bj_field *field, const real *theta, real *prep, int first, int n,
                              const real *times) {
  const field_units *self = field->self;
  const units_prep to = units_prep_of(field, prep);
  for (int i = 0; i < self->units && field->n_condition == 0; i++) {
    bj_net_pass net = gate_pass(field, i, theta, prep, NULL, NULL);
    for (int at = 0; at < n; at += NODES_AT_ONCE) {
      const int here = nodes_here(n, at);
      real *table = to.table + (long)(first + at) * self->units + i;
      node_use(&net, &to.node, times + at, here);
      self->gate->kind->forward(self->gate, &net);
      for (int r = 0; r < here; r++) table[(long)r * self->units] = net.y[r];
    }
  }
}

static void field_units_nodes_vjp(const bj_field *field, const real *theta, const real *prep, real *gprep, real *gtheta,
                                  int first, int n, const real *times) {
  const field_units *self = field->self;
  const units_prep from = units_prep_of(field, gprep);
  for (int i = 0; i < self->units && field->n_condition == 0; i++) {
    bj_net_pass net = gate_pass(field, i, theta, prep, gtheta, gprep);
    for (int at = 0; at < n; at += NODES_AT_ONCE) {
      const int here = nodes_here(n, at);
      const real *table = from.table + (long)(first + at) * self->units + i;
      node_use(&net, &from.node, times + at, here);
      self->gate->kind->forward(self->gate, &net);
      for (int r = 0; r < net.nb * BJ_BLOCK; r++) from.node.gy[r] = r < here ? table[(long)r * self->units] : 0;
      self->gate->kind->vjp(self->gate, &net);
    }
  }
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int gates_are_rows(const bj_field *field, const bj_field_pass *pass) {
  return pass->times || field->n_condition > 0;
}

/* The input, time and conditions, is the same for all gates. */
static void gates_input(const bj_field *field, const bj_field_pass *pass, real *x) {
  const long in = (long)(1 + field->n_condition) * BJ_BLOCK, condition = (long)field->n_condition * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) {
    for (int r = 0; r < BJ_BLOCK; r++) x[b * in + r] = pass->times ? pass->times[(long)b * BJ_BLOCK + r] : pass->time;
  }
  if (condition > 0) copy_rows(pass->nb, pass->condition, condition, x + BJ_BLOCK, in, field->n_condition);
}

static void field_units_row_gates(const bj_field *field, const bj_field_pass *pass) {
  const field_units *self = field->self;
  const units_rows at = CARVE(units_carve, field, pass);
  const long units = (long)self->units * BJ_BLOCK;
  gates_input(field, pass, at.row.x);
  for (int i = 0; i < self->units; i++) {
    bj_net_pass net = gate_pass(field, i, pass->theta, pass->prep, NULL, NULL);
    gate_use(&net, &at.row, pass->nb);
    self->gate->kind->forward(self->gate, &net);
    copy_rows(pass->nb, net.y, BJ_BLOCK, at.gate + (long)i * BJ_BLOCK, units, 1);
  }
}

static void field_units_row_gates_vjp(const bj_field *field, const bj_field_pass *pass) {
  const field_units *self = field->self;
  const units_rows at = CARVE(units_carve, field, pass);
  const long units = (long)self->units * BJ_BLOCK, condition = (long)field->n_condition * BJ_BLOCK;
  gates_input(field, pass, at.row.x);
  for (int i = 0; i < self->units; i++) {
    bj_net_pass net = gate_pass(field, i, pass->theta, pass->prep, pass->gtheta, pass->gprep);
    gate_use(&net, &at.row, pass->nb);
    if (pass->gcondition) net.gx = at.row.gx;
    self->gate->kind->forward(self->gate, &net);
    copy_rows(pass->nb, at.gg + (long)i * BJ_BLOCK, units, at.row.gy, BJ_BLOCK, 1);
    self->gate->kind->vjp(self->gate, &net);
    if (!pass->gcondition) continue;
    add_rows(pass->nb, net.gx + BJ_BLOCK, condition + BJ_BLOCK, pass->gcondition, condition, field->n_condition);
  }
}
