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
#include "field-planar-rows.h"
#include "field-planar-small.h"

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static int units_are_small(const bj_vector_field *field, const bj_field_pass *pass) {
  return field->d <= SMALL_UNITS_MAX_D && !gates_are_rows(field, pass) && !pass->square;
}

static small_units small_units_of(const bj_vector_field *field, const bj_field_pass *pass, int b) {
  const field_units *self = field->self;
  const unit_block block = unit_block_of(field, pass, b);
  small_units at = {
      .units = self->units,
      .w = block.w,
      .u = block.u,
      .b = block.b,
      .c = block.c,
      .gate = block.gate,
      .z = block.z,
      .probe = pass->trace ? block.probe : NULL,
      .f = pass->f + b * pass->stride,
      .trace = pass->trace ? pass->trace + b * pass->stride : NULL,
      .h = block.h,
  };
  if (!pass->gf) return at;
  at.gf = pass->gf + b * pass->stride;
  at.gt = pass->trace ? pass->gtrace + (long)b * BJ_BLOCK : NULL;
  at.gz = pass->gz + b * pass->stride;
  at.gw = pass->gprep + self->prep_w;
  at.gu = pass->gprep + self->prep_u;
  at.gb = pass->gprep + self->prep_b;
  at.gc = pass->gprep + self->prep_c;
  at.ggate = pass->gprep + self->prep_table + (long)pass->node * self->units;
  return at;
}

static void field_units_value(const bj_vector_field *field, const bj_field_pass *pass) {
  const int rowwise = gates_are_rows(field, pass);
  if (units_are_small(field, pass)) {
    for (int b = 0; b < pass->nb; b++) {
      const small_units at = small_units_of(field, pass, b);
      small_units_value[field->d - 1](&at);
    }
    return;
  }
  if (rowwise) field_units_row_gates(field, pass);
  for (int b = 0; b < pass->nb; b++) {
    if (rowwise) {
      unit_value(field, pass, b, 1);
    } else {
      unit_value(field, pass, b, 0);
    }
  }
}

static void field_units_vjp(const bj_vector_field *field, const bj_field_pass *pass) {
  const int rowwise = gates_are_rows(field, pass);
  if (units_are_small(field, pass)) {
    for (int b = 0; b < pass->nb; b++) {
      const small_units at = small_units_of(field, pass, b);
      small_units_vjp[field->d - 1](&at);
    }
    return;
  }
  for (int b = 0; b < pass->nb; b++) {
    if (rowwise) {
      unit_vjp(field, pass, b, 1);
    } else {
      unit_vjp(field, pass, b, 0);
    }
  }
  if (rowwise) field_units_row_gates_vjp(field, pass);
}
/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Raw parameters of unit i in the order of num-planar.h: w, u, b. */
static void unit_gather(const bj_vector_field *field, const real *theta, int i, real *raw) {
  const field_units *self = field->self;
  for (int j = 0; j < field->d; j++) {
    raw[j] = theta[self->theta_w + i + (long)j * self->units];
    raw[field->d + j] = theta[self->theta_u + i + (long)j * self->units];
  }
  raw[2 * field->d] = theta[self->theta_b + i];
}

static void field_units_prepare(const bj_vector_field *field, const real *theta, real *prep) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units;
  real *raw = prep + self->prep_set, *set = raw + 2 * d + 1;
  for (int i = 0; i < units; i++) {
    unit_gather(field, theta, i, raw);
    planar_constrain(raw, set, d, 0, 0);
    for (int j = 0; j < d; j++) {
      prep[self->prep_w + i + (long)j * units] = set[j];
      prep[self->prep_u + i + (long)j * units] = set[d + j];
    }
    prep[self->prep_b + i] = set[2 * d];
    prep[self->prep_c + i] = set[2 * d + 1] - 1;
    if (!self->gate->kind->prepare) continue;
    const bj_net_pass net = gate_pass(self, i, theta, prep, 0);
    self->gate->kind->prepare(self->gate, net.theta, prep + self->prep_gate + i * self->gate->n_prep);
  }
}

static void field_units_prepare_vjp(const bj_vector_field *field, const real *theta, const real *prep, real *gprep,
                                    real *gtheta) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units;
  real *raw = gprep + self->prep_set, *gset = raw + 2 * d + 1, *graw = gset + 2 * d + 2;
  for (int i = 0; i < units; i++) {
    unit_gather(field, theta, i, raw);
    for (int j = 0; j < d; j++) {
      gset[j] = gprep[self->prep_w + i + (long)j * units];
      gset[d + j] = gprep[self->prep_u + i + (long)j * units];
    }
    gset[2 * d] = gprep[self->prep_b + i];
    gset[2 * d + 1] = gprep[self->prep_c + i];
    memset(graw, 0, sizeof(real) * (size_t)(2 * d + 1));
    planar_constrain_vjp(raw, gset, graw, d, 0, 0);
    for (int j = 0; j < d; j++) {
      gtheta[self->theta_w + i + (long)j * units] += graw[j];
      gtheta[self->theta_u + i + (long)j * units] += graw[d + j];
    }
    gtheta[self->theta_b + i] += graw[2 * d];
    if (!self->gate->kind->prepare_vjp) continue;
    bj_net_pass net = gate_pass(self, i, theta, prep, 0);
    gate_pass_gradient(self, i, &net, gtheta, gprep);
    self->gate->kind->prepare_vjp(self->gate, net.gprep, net.gtheta);
  }
}

static void field_units_describe(const bj_vector_field *field, bj_describe *out) {
  const field_units *self = field->self;
  char name[16];
  describe_slot(out, "w", 2, self->units, field->d);
  describe_slot(out, "u", 2, self->units, field->d);
  describe_slot(out, "b", 1, self->units, 0);
  const int mark = describe_enter(out, "gate");
  for (int i = 0; i < self->units; i++) {
    snprintf(name, sizeof name, "%d", i + 1);
    const int inner = describe_enter(out, name);
    self->gate->kind->describe(self->gate, out);
    describe_leave(out, inner);
  }
  describe_leave(out, mark);
}

/* "small": w, u, b ~ 0.01 N(0, 1), as FlowJAX's planar layers. Else u^ = 0, see planar_still(). Gates start as their
 * nets do. */
static void field_units_init(const bj_vector_field *field, real *theta, bj_rng *rng) {
  const field_units *self = field->self;
  const int units = self->units;
  for (long i = 0; i < self->theta_gate; i++) theta[i] = (self->start_small ? 0.01 : 1) * rng_normal(rng);
  for (int i = 0; i < units && !self->start_small; i++) {
    planar_still(theta + self->theta_w + i, theta + self->theta_u + i, field->d, units);
  }
  for (int i = 0; i < self->units; i++) {
    self->gate->kind->init(self->gate, theta + self->theta_gate + i * self->gate->n_param, rng);
  }
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static bj_status field_units_build(bj_vector_field *field, const bj_spec *spec, bj_build *build) {
  field_units *self = field->self = build_alloc(build, sizeof(field_units));
  const long d = field->d, units = self->units = (int)spec_number(spec, "units", 20);
  self->start_small = !strcmp(spec_string(spec, "init", "identity"), "small");
  if (units < 1) return spec_error(build, "`units` must be at least 1");
  const bj_net_request request = {.n_in = 1 + field->n_condition, .n_out = 1};
  const bj_status status = net_build(build, spec_child(spec, "gate"), &request, "field_planar", &self->gate);
  if (status != BJ_OK) return status;
  const bj_net *gate = self->gate;
  self->theta_w = 0;
  self->theta_u = units * d;
  self->theta_b = 2 * units * d;
  self->theta_gate = self->theta_b + units;
  field->n_param = self->theta_gate + units * gate->n_param;
  self->prep_w = 0;
  self->prep_u = units * d;
  self->prep_b = 2 * units * d;
  self->prep_c = self->prep_b + units;
  self->prep_set = self->prep_c + units;
  self->prep_gate = self->prep_set + 6 * d + 4;
  self->prep_table = self->prep_gate + units * gate->n_prep;
  self->prep_scratch = self->prep_table + (long)field->n_node * units;
  field->n_prep = self->prep_scratch;
  if (field->n_node > 0) field->n_prep += FIELD_NODE_BLOCKS * 3 * BJ_BLOCK + gate->n_cache + gate->n_work;
  self->cache_h = 0;
  self->cache_gate = units * BJ_BLOCK;
  field->n_cache = 2 * units * BJ_BLOCK;
  self->work_1 = 0;
  self->work_2 = units * BJ_BLOCK;
  self->work_gh = 2 * units * BJ_BLOCK;
  self->work_gg = 3 * units * BJ_BLOCK;
  self->work_r = 4 * units * BJ_BLOCK;
  self->work_e = 5 * units * BJ_BLOCK;
  self->work_je = self->work_e + d * BJ_BLOCK;
  self->work_in = self->work_je + d * BJ_BLOCK; /* what comes before is a block's; what follows is [block] each */
  self->work_gin = self->work_in + (long)gate->n_in * BJ_BLOCK;
  self->work_net = self->work_gin + (long)gate->n_in * BJ_BLOCK;
  field->n_work = self->work_net + 2 * BJ_BLOCK + gate->n_cache + gate->n_work;
  field->group = 1;
  return BJ_OK;
}

static const bj_vector_field_kind field_planar = {
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
