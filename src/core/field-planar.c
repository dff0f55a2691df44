/* planar: gated planar layers (Chen et al. 2018, "Neural ordinary differential equations", section 4).
 *
 *   f(t, z) = sum_i g_i(t) (z + u_i h_i),  h_i = tanh(a_i), a_i = w_i'z + b_i, u_i constrained as in num-planar.h
 *   J = G I + sum_i g_i q_i u_i w_i',  G = sum_i g_i, q_i = 1 - h_i^2;  tr J = d G + sum_i g_i q_i c_i, c_i = w_i'u_i
 *   J e = G e + sum_i g_i q_i p_i u_i,  p_i = w_i'e for a direction e
 *
 * vjp, with F, T and D the cotangents of f, of the trace and of J e, and v_i = u_i'D:
 *   gg_i = F'z + d T + h_i u_i'F + T q_i c_i  +  D'e + q_i p_i v_i,  gc_i = g_i q_i T
 *   gh_i = g_i (u_i'F - 2 h_i (T c_i + p_i v_i)),  ga_i = q_i gh_i
 *   gz = G F + sum ga_i w_i;  gw_i = ga_i z + g_i q_i v_i e, gb_i = ga_i, gu_i = g_i h_i F + g_i q_i p_i D
 *
 * The gates g_i are nets of the time (and of the conditions, where there are any). Times that all rows share are nodes:
 * their gates are a table, made once a step of training, so that a net runs once a node and not once a row.
 */
#include <stdio.h>

#include "field-planar.h"
#include "num-planar.h"

/* ---- where everything is ----------------------------------------------------------------------------------------- */

static units_theta units_carve_theta(const bj_field *field, carver *from) {
  const field_units *self = field->self;
  const long units = self->units, d = field->d;
  units_theta to;
  to.w = carve_exact(from, units * d);
  to.u = carve_exact(from, units * d);
  to.b = carve_exact(from, units);
  to.gates = carve_exact(from, units * self->gate->n_param);
  return to;
}

static units_prep units_carve_prep(const bj_field *field, carver *from) {
  const field_units *self = field->self;
  const bj_net *gate = self->gate;
  const long units = self->units, d = field->d;
  units_prep to = {0};
  to.w = carve_exact(from, units * d);
  to.u = carve_exact(from, units * d);
  to.b = carve_exact(from, units);
  to.c = carve_exact(from, units);
  to.raw = carve_exact(from, 2 * d + 1);
  to.set = carve_exact(from, 2 * d + 2);
  to.graw = carve_exact(from, 2 * d + 1);
  to.gates = carve_exact(from, units * gate->n_prep);
  to.table = carve_exact(from, units * field->n_node);
  if (field->n_node == 0) return to;
  to.node.x = carve_exact(from, CHUNK_ROWS(1)); /* the time alone */
  to.node.y = carve_exact(from, CHUNK_ROWS(1));
  to.node.gy = carve_exact(from, CHUNK_ROWS(1));
  to.node.cache = carve_exact(from, gate->n_cache);
  to.node.work = carve_exact(from, gate->n_work);
  return to;
}

static units_rows units_carve(const bj_field *field, carver *cache, carver *work) {
  const field_units *self = field->self;
  const bj_net *gate = self->gate;
  units_rows to;
  to.h = field_rows(field, cache, self->units);
  to.gate = field_rows(field, cache, self->units);
  to.one = field_rows(field, work, self->units);
  to.two = field_rows(field, work, self->units);
  to.gh = field_rows(field, work, self->units);
  to.gg = field_rows(field, work, self->units);
  to.r = field_rows(field, work, self->units);
  to.e = field_rows(field, work, field->d);
  to.je = field_rows(field, work, field->d);
  to.row.x = carve_rows(work, gate->n_in);
  to.row.gx = carve_rows(work, gate->n_in);
  to.row.y = carve_rows(work, 1);
  to.row.gy = carve_rows(work, 1);
  to.row.cache = carve(work, gate->n_cache);
  to.row.work = carve(work, gate->n_work);
  return to;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static int units_are_small(const bj_field *field, const bj_field_pass *pass) {
  return field->d <= SMALL_UNITS_MAX_D && !gates_are_rows(field, pass) && !pass->square;
}

static small_units small_units_of(const bj_field *field, const bj_field_pass *pass, int b) {
  const field_units *self = field->self;
  const units_prep prep = units_prep_of(field, pass->prep);
  small_units at = {
      .units = self->units,
      .w = prep.w,
      .u = prep.u,
      .b = prep.b,
      .c = prep.c,
      .gate = prep.table + (long)pass->node * self->units,
      .z = pass->z + b * pass->stride,
      .probe = pass->trace && pass->probe ? pass->probe + (long)b * field->d * BJ_BLOCK : NULL,
      .f = pass->f + b * pass->stride,
      .trace = pass->trace ? pass->trace + b * pass->stride : NULL,
      .h = CARVE(units_carve, field, pass).h + (long)b * self->units * BJ_BLOCK,
  };
  if (!pass->gf) return at;
  const units_prep to = units_prep_of(field, pass->gprep);
  at.gf = pass->gf + b * pass->stride;
  at.gt = pass->trace ? pass->gtrace + (long)b * BJ_BLOCK : NULL;
  at.gz = pass->gz + b * pass->stride;
  at.gw = to.w;
  at.gu = to.u;
  at.gb = to.b;
  at.gc = to.c;
  at.ggate = to.table + (long)pass->node * self->units;
  return at;
}

static void field_units_value(const bj_field *field, const bj_field_pass *pass) {
  const int small = units_are_small(field, pass);
  if (gates_are_rows(field, pass)) field_units_row_gates(field, pass);
  for (int b = 0; b < pass->nb; b++) {
    if (small) {
      const small_units at = small_units_of(field, pass, b);
      small_units_value(&at, field->d);
    } else {
      unit_value(field, pass, b);
    }
  }
}

static void field_units_vjp(const bj_field *field, const bj_field_pass *pass) {
  const int small = units_are_small(field, pass);
  for (int b = 0; b < pass->nb; b++) {
    if (small) {
      const small_units at = small_units_of(field, pass, b);
      small_units_vjp(&at, field->d);
    } else {
      unit_vjp(field, pass, b);
    }
  }
  if (gates_are_rows(field, pass)) field_units_row_gates_vjp(field, pass);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Raw parameters of unit i in the order of num-planar.h: w, u, b. */
static void unit_gather(const bj_field *field, const real *theta, int i, real *raw) {
  const field_units *self = field->self;
  const units_theta from = units_theta_of(field, theta);
  for (int j = 0; j < field->d; j++) {
    raw[j] = from.w[i + (long)j * self->units];
    raw[field->d + j] = from.u[i + (long)j * self->units];
  }
  raw[2 * field->d] = from.b[i];
}

static void field_units_prepare(const bj_field *field, const real *theta, real *prep) {
  const field_units *self = field->self;
  const units_prep to = units_prep_of(field, prep);
  const int d = field->d, units = self->units;
  for (int i = 0; i < units; i++) {
    unit_gather(field, theta, i, to.raw);
    planar_constrain(to.raw, to.set, d, 0, 0);
    for (int j = 0; j < d; j++) {
      to.w[i + (long)j * units] = to.set[j];
      to.u[i + (long)j * units] = to.set[d + j];
    }
    to.b[i] = to.set[2 * d];
    to.c[i] = to.set[2 * d + 1] - 1;
    net_prepare(self->gate, gate_pass(field, i, theta, prep, NULL, NULL).theta, to.gates + i * self->gate->n_prep);
  }
}

static void field_units_prepare_vjp(const bj_field *field, const real *theta, const real *prep, real *gprep,
                                    real *gtheta) {
  const field_units *self = field->self;
  const units_prep from = units_prep_of(field, gprep);
  const units_theta to = units_theta_of(field, gtheta);
  const int d = field->d, units = self->units;
  for (int i = 0; i < units; i++) {
    unit_gather(field, theta, i, from.raw);
    for (int j = 0; j < d; j++) {
      from.set[j] = from.w[i + (long)j * units];
      from.set[d + j] = from.u[i + (long)j * units];
    }
    from.set[2 * d] = from.b[i];
    from.set[2 * d + 1] = from.c[i];
    memset(from.graw, 0, sizeof(real) * (size_t)(2 * d + 1));
    planar_constrain_vjp(from.raw, from.set, from.graw, d, 0, 0);
    for (int j = 0; j < d; j++) {
      to.w[i + (long)j * units] += from.graw[j];
      to.u[i + (long)j * units] += from.graw[d + j];
    }
    to.b[i] += from.graw[2 * d];
    const bj_net_pass net = gate_pass(field, i, theta, prep, gtheta, gprep);
    net_prepare_vjp(self->gate, net.gprep, net.gtheta);
  }
}

static void field_units_describe(const bj_field *field, bj_describe *out) {
  const field_units *self = field->self;
  char name[16];
  describe_slot(out, "w", 2, self->units, field->d);
  describe_slot(out, "u", 2, self->units, field->d);
  describe_slot(out, "b", 1, self->units, 0);
  const int mark = describe_enter(out, "gate");
  for (int i = 0; i < self->units; i++) {
    snprintf(name, sizeof name, "%d", i + 1);
    const int inner = describe_enter(out, name);
    net_describe(self->gate, out);
    describe_leave(out, inner);
  }
  describe_leave(out, mark);
}

/* "small": w, u, b ~ 0.01 N(0, 1), as FlowJAX's planar layers. Else u^ = 0, see planar_still(). Gates start as their
 * nets do. */
static void field_units_init(const bj_field *field, real *theta, bj_rng *rng) {
  const field_units *self = field->self;
  const units_theta to = units_theta_of(field, theta);
  const int units = self->units;
  for (real *each = theta; each < to.gates; each++) *each = (self->start_small ? 0.01 : 1) * rng_normal(rng);
  for (int i = 0; i < units && !self->start_small; i++) planar_still(to.w + i, to.u + i, field->d, units);
  for (int i = 0; i < units; i++) net_init(self->gate, to.gates + i * self->gate->n_param, rng);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static bj_status field_units_build(bj_field *field, const bj_spec *spec, bj_build *build) {
  field_units *self = field->self = build_alloc(build, sizeof(field_units));
  self->units = spec_count(build, spec, "units", 1, COUNT_MOST);
  self->start_small = spec_choice(build, spec, "init", "identity", "small", NULL);
  const bj_net_request request = {.n_in = 1 + field->n_condition, .n_out = 1};
  const bj_status status = net_build(build, spec_part(build, spec, "gate"), &request, "field_planar", &self->gate);
  if (status != BJ_OK) return status;
  carver theta = {0}, prep = {0};
  field->group = 1;
  units_carve_theta(field, &theta);
  units_carve_prep(field, &prep);
  field->n_param = theta.used;
  field->n_prep = prep.used;
  MEASURE(units_carve, field);
  return build->status;
}

static const bj_field_kind field_planar = {
    .name = "planar",
    .build = field_units_build,
    .describe = field_units_describe,
    .init = field_units_init,
    .prepare = field_units_prepare,
    .prepare_vjp = field_units_prepare_vjp,
    .prepare_nodes = field_units_nodes,
    .prepare_nodes_vjp = field_units_nodes_vjp,
    .value = field_units_value,
    .vjp = field_units_vjp,
};
