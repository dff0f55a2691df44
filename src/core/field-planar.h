/* The gates of the planar field (see field-planar.c): a table for times that all rows share, or nets a row. */
#ifndef BJ_FIELD_PLANAR_H
#define BJ_FIELD_PLANAR_H

#include "num-planar.h"
#include "num-gemm.h"
#include "field.h"

#define FIELD_NODE_BLOCKS 4 /* blocks of nodes that go through a gate's net at once */

typedef struct {
  int units, start_small;
  bj_net *gate;
  long theta_w, theta_u, theta_b, theta_gate; /* w, u: units x d */
  /* W, U: units x d; b, c; a set of num-planar.h; the table [node][unit]; prep of the nets; scratch for nodes */
  long prep_w, prep_u, prep_b, prep_c, prep_set, prep_table, prep_gate, prep_scratch;
  long cache_h, cache_gate;
  /* offsets a block: rows of units, of coordinates, and of the gate's net */
  long work_1, work_2, work_gh, work_gg, work_r, work_e, work_je, work_in, work_gin, work_net;
} field_units;

/* ---- gates ------------------------------------------------------------------------------------------------------- */

/* The net of unit i. */
static bj_net_pass gate_pass(const field_units *self, int i, const real *theta, const real *prep, int nb) {
  return (bj_net_pass){
      .nb = nb,
      .theta = theta + self->theta_gate + i * self->gate->n_param,
      .prep = prep + self->prep_gate + i * self->gate->n_prep,
  };
}
static void gate_pass_gradient(const field_units *self, int i, bj_net_pass *net, real *gtheta, real *gprep) {
  net->gtheta = gtheta + self->theta_gate + i * self->gate->n_param;
  net->gprep = gprep + self->prep_gate + i * self->gate->n_prep;
}

/* A piece of the nodes: x, y, gy and the net's memory, in scratch. */
static bj_net_pass node_pass(const field_units *self, int i, const real *theta, const real *prep, real *scratch,
                             const real *times, int n) {
  const long rows = FIELD_NODE_BLOCKS * BJ_BLOCK;
  bj_net_pass net = gate_pass(self, i, theta, prep, (n + BJ_BLOCK - 1) / BJ_BLOCK);
  for (int r = 0; r < net.nb * BJ_BLOCK; r++) scratch[r] = times[r < n ? r : n - 1];
  net.x = scratch;
  net.y = scratch + rows;
  net.gy = scratch + 2 * rows;
  net.cache = scratch + 3 * rows;
  net.work = net.cache + self->gate->n_cache;
  return net;
}

static void field_units_nodes(const bj_vector_field *field, const real *theta, real *prep, int first, int n,
                              const real *times) {
  const field_units *self = field->self;
  const int most = FIELD_NODE_BLOCKS * BJ_BLOCK;
  for (int i = 0; i < self->units; i++) {
    for (int at = 0; at < n; at += most) {
      const int here = n - at < most ? n - at : most;
      const bj_net_pass net = node_pass(self, i, theta, prep, prep + self->prep_scratch, times + at, here);
      self->gate->kind->forward(self->gate, &net);
      real *table = prep + self->prep_table + (long)(first + at) * self->units + i;
      for (int r = 0; r < here; r++) table[(long)r * self->units] = net.y[r];
    }
  }
}

static void field_units_nodes_vjp(const bj_vector_field *field, const real *theta, const real *prep, real *gprep,
                                  real *gtheta, int first, int n, const real *times) {
  const field_units *self = field->self;
  const int most = FIELD_NODE_BLOCKS * BJ_BLOCK;
  for (int i = 0; i < self->units; i++) {
    for (int at = 0; at < n; at += most) {
      const int here = n - at < most ? n - at : most;
      real *scratch = gprep + self->prep_scratch, *gy = scratch + 2 * most;
      bj_net_pass net = node_pass(self, i, theta, prep, scratch, times + at, here);
      const real *table = gprep + self->prep_table + (long)(first + at) * self->units + i;
      self->gate->kind->forward(self->gate, &net);
      for (int r = 0; r < net.nb * BJ_BLOCK; r++) gy[r] = r < here ? table[(long)r * self->units] : 0;
      gate_pass_gradient(self, i, &net, gtheta, gprep);
      self->gate->kind->vjp(self->gate, &net);
    }
  }
}

/* Times of their own, or conditions: gates a row. */
static int gates_are_rows(const bj_vector_field *field, const bj_field_pass *pass) {
  return pass->times || field->n_condition > 0;
}

static bj_net_pass row_pass(const bj_vector_field *field, const bj_field_pass *pass, int i) {
  const field_units *self = field->self;
  bj_net_pass net = gate_pass(self, i, pass->theta, pass->prep, pass->nb);
  const long in = self->gate->n_in * (long)BJ_BLOCK;
  real *x = pass->work + self->work_in * pass->nb, *y = pass->work + self->work_net * pass->nb;
  for (int b = 0; b < pass->nb && i == 0; b++) { /* the input is the same for all gates */
    for (int r = 0; r < BJ_BLOCK; r++) x[b * in + r] = pass->times ? pass->times[(long)b * BJ_BLOCK + r] : pass->time;
    if (field->n_condition == 0) continue;
    memcpy(x + b * in + BJ_BLOCK, pass->condition + (long)b * field->n_condition * BJ_BLOCK,
           sizeof(real) * (size_t)field->n_condition * BJ_BLOCK);
  }
  net.x = x;
  net.y = y;
  net.cache = y + 2L * BJ_BLOCK * pass->nb;
  net.work = net.cache + self->gate->n_cache;
  return net;
}

static void field_units_row_gates(const bj_vector_field *field, const bj_field_pass *pass) {
  const field_units *self = field->self;
  for (int i = 0; i < self->units; i++) {
    const bj_net_pass net = row_pass(field, pass, i);
    self->gate->kind->forward(self->gate, &net);
    for (int b = 0; b < pass->nb; b++) {
      memcpy(pass->cache + b * field->n_cache + self->cache_gate + (long)i * BJ_BLOCK, net.y + (long)b * BJ_BLOCK,
             sizeof(real) * BJ_BLOCK);
    }
  }
}

/* From the gradient of the gates, rows of work_gg. */
static void field_units_row_gates_vjp(const bj_vector_field *field, const bj_field_pass *pass) {
  const field_units *self = field->self;
  for (int i = 0; i < self->units; i++) {
    bj_net_pass net = row_pass(field, pass, i);
    real *gy = net.y + (long)BJ_BLOCK * pass->nb, *gin = pass->work + self->work_gin * pass->nb;
    self->gate->kind->forward(self->gate, &net);
    for (int b = 0; b < pass->nb; b++) {
      memcpy(gy + (long)b * BJ_BLOCK, pass->work + b * self->work_in + self->work_gg + (long)i * BJ_BLOCK,
             sizeof(real) * BJ_BLOCK);
    }
    net.gy = gy;
    net.gx = pass->gcondition ? gin : NULL;
    gate_pass_gradient(self, i, &net, pass->gtheta, pass->gprep);
    self->gate->kind->vjp(self->gate, &net);
    for (int b = 0; b < pass->nb && pass->gcondition; b++) {
      real *gc = pass->gcondition + (long)b * field->n_condition * BJ_BLOCK;
      const real *from = gin + ((long)b * self->gate->n_in + 1) * BJ_BLOCK;
      for (long j = 0; j < (long)field->n_condition * BJ_BLOCK; j += BJ_LANES) {
        vstore(gc + j, vload(gc + j) + vload(from + j));
      }
    }
  }
}

#endif
