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
#include "field-planar.h"

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* One block of a pass: where its rows are. */
typedef struct {
  const real *w, *u, *b, *c; /* W, U: element (i, j) at i + j units */
  const real *gate;          /* rows, or one number a unit */
  const real *z, *probe;
  real *h, *one, *two, *r, *e, *je;
} unit_block;

static unit_block unit_block_of(const bj_vector_field *field, const bj_field_pass *pass, int b) {
  const field_units *self = field->self;
  real *work = pass->work + b * self->work_in, *cache = pass->cache + b * field->n_cache;
  return (unit_block){
      .w = pass->prep + self->prep_w,
      .u = pass->prep + self->prep_u,
      .b = pass->prep + self->prep_b,
      .c = pass->prep + self->prep_c,
      .gate = gates_are_rows(field, pass) ? cache + self->cache_gate
                                          : pass->prep + self->prep_table + (long)pass->node * self->units,
      .z = pass->z + b * pass->stride,
      .probe = pass->probe ? pass->probe + (long)b * field->d * BJ_BLOCK : NULL,
      .h = cache + self->cache_h,
      .one = work + self->work_1,
      .two = work + self->work_2,
      .r = work + self->work_r,
      .e = work + self->work_e,
      .je = work + self->work_je,
  };
}

#define GATE(i) (rowwise ? vload(at->gate + (long)(i)*BJ_BLOCK + r) : vset(at->gate[i]))
#define ROW(p, i) ((p) + (long)(i)*BJ_BLOCK + r)

/* rows(m) = M x, M the units x d matrix or its transpose */
static void unit_product(const real *matrix, int units, int d, int transposed, const real *bias, const real *x,
                         real *y) {
  gemm(GEMM_SET, transposed ? d : units, transposed ? units : d, matrix, transposed ? units : 1, transposed ? 1 : units,
       bias, 1, x, 0, y, 0, NULL, NULL, NULL);
}

/* J e for one direction, into je; q g p stays in `two`, p in `one`. */
INLINE void unit_direction(const field_units *self, const unit_block *at, const real *e, int d, int rowwise) {
  unit_product(at->w, self->units, d, 0, NULL, e, at->one);
  vreal total[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) total[r / BJ_LANES] = vset(0);
  for (int i = 0; i < self->units; i++) {
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), g = GATE(i);
      total[r / BJ_LANES] += g;
      vstore(ROW(at->two, i), g * (1.0 - h * h) * vload(ROW(at->one, i)));
    }
  }
  unit_product(at->u, self->units, d, 1, NULL, at->two, at->je);
  for (int j = 0; j < d; j++) {
    FOR_ROWS(r) vstore(ROW(at->je, j), vload(ROW(at->je, j)) + total[r / BJ_LANES] * vload(ROW(e, j)));
  }
}

/* The probe, or unit vector i. */
static const real *unit_direction_of(const unit_block *at, int d, int i) {
  if (at->probe) return at->probe;
  memset(at->e, 0, sizeof(real) * (size_t)d * BJ_BLOCK);
  for (int r = 0; r < BJ_BLOCK; r++) at->e[(long)i * BJ_BLOCK + r] = 1;
  return at->e;
}

/* Directions that are gone through: with the trace alone, and exact, none. */
static int unit_directions(const bj_vector_field *field, const bj_field_pass *pass) {
  if (pass->probe && (pass->trace || pass->square)) return 1;
  return pass->square ? field->d : 0;
}

INLINE void unit_value(const bj_vector_field *field, const bj_field_pass *pass, int b, int rowwise) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units;
  const unit_block block = unit_block_of(field, pass, b), *at = &block;
  real *f = pass->f + b * pass->stride;
  unit_product(at->w, units, d, 0, at->b, at->z, at->h);
  vreal total[BJ_BLOCK / BJ_LANES], trace[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) total[r / BJ_LANES] = trace[r / BJ_LANES] = vset(0);
  for (int i = 0; i < units; i++) {
    vtanh_row(at->h + (long)i * BJ_BLOCK);
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), g = GATE(i);
      total[r / BJ_LANES] += g;
      trace[r / BJ_LANES] += g * at->c[i] * (1.0 - h * h);
      vstore(ROW(at->one, i), g * h);
    }
  }
  unit_product(at->u, units, d, 1, NULL, at->one, f);
  FOR_ROWS(r) {
    const vreal sum = total[r / BJ_LANES];
    for (int j = 0; j < d; j++) vstore(ROW(f, j), vload(ROW(f, j)) + sum * vload(ROW(at->z, j)));
    if (pass->trace) vstore(pass->trace + b * pass->stride + r, (real)d * sum + trace[r / BJ_LANES]);
    if (pass->square) vstore(pass->square + b * pass->stride + r, vset(0));
  }
  for (int k = 0; k < unit_directions(field, pass); k++) {
    const real *e = unit_direction_of(at, d, k);
    unit_direction(self, at, e, d, rowwise);
    FOR_ROWS(r) {
      vreal along = vset(0), square = vset(0);
      for (int j = 0; j < d; j++) {
        const vreal v = vload(ROW(at->je, j));
        along += v * vload(ROW(e, j));
        square += v * v;
      }
      if (pass->trace && pass->probe) vstore(pass->trace + b * pass->stride + r, along);
      real *to = pass->square ? pass->square + b * pass->stride + r : NULL;
      if (to) vstore(to, vload(to) + square);
    }
  }
}

static void field_units_value(const bj_vector_field *field, const bj_field_pass *pass) {
  const int rowwise = gates_are_rows(field, pass);
  if (rowwise) field_units_row_gates(field, pass);
  for (int b = 0; b < pass->nb; b++) {
    if (rowwise) {
      unit_value(field, pass, b, 1);
    } else {
      unit_value(field, pass, b, 0);
    }
  }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* Adds what one direction gives; gh and gg are rows of units. */
INLINE void unit_direction_vjp(const bj_vector_field *field, const bj_field_pass *pass, int b, const unit_block *at,
                               int k, real *gh, real *gg, int rowwise) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units;
  const real *e = unit_direction_of(at, d, k);
  unit_direction(self, at, e, d, rowwise);
  vreal along[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) {
    const vreal gt = pass->trace && pass->probe ? vload(pass->gtrace + (long)b * BJ_BLOCK + r) : vset(0);
    const vreal gs = pass->square ? 2.0 * vload(pass->gsquare + (long)b * BJ_BLOCK + r) : vset(0);
    along[r / BJ_LANES] = vset(0);
    for (int j = 0; j < d; j++) {
      const vreal cotangent = gt * vload(ROW(e, j)) + gs * vload(ROW(at->je, j));
      vstore(ROW(at->je, j), cotangent);
      along[r / BJ_LANES] += cotangent * vload(ROW(e, j));
    }
  }
  gemm_weight_grad(units, d, 1, at->two, 0, at->je, 0, pass->gprep + self->prep_u, units, NULL, NULL);
  unit_product(at->u, units, d, 0, NULL, at->je, at->r); /* v */
  for (int i = 0; i < units; i++) {
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), q = 1.0 - h * h, g = GATE(i), v = vload(ROW(at->r, i));
      const vreal pv = vload(ROW(at->one, i)) * v;
      vstore(ROW(gh, i), vload(ROW(gh, i)) - 2.0 * h * g * pv);
      vstore(ROW(gg, i), vload(ROW(gg, i)) + along[r / BJ_LANES] + q * pv);
      vstore(ROW(at->two, i), g * q * v);
    }
  }
  gemm_weight_grad(units, d, 1, at->two, 0, e, 0, pass->gprep + self->prep_w, units, NULL, NULL);
}

INLINE void unit_vjp(const bj_vector_field *field, const bj_field_pass *pass, int b, int rowwise) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units, exact = pass->trace && !pass->probe;
  const unit_block block = unit_block_of(field, pass, b), *at = &block;
  real *gh = pass->work + b * self->work_in + self->work_gh, *gg = pass->work + b * self->work_in + self->work_gg;
  const real *gf = pass->gf + b * pass->stride;
  real *gz = pass->gz + b * pass->stride;
  vreal total[BJ_BLOCK / BJ_LANES], along[BJ_BLOCK / BJ_LANES], gt[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) {
    gt[r / BJ_LANES] = exact ? vload(pass->gtrace + (long)b * BJ_BLOCK + r) : vset(0);
    total[r / BJ_LANES] = vset(0);
    along[r / BJ_LANES] = (real)d * gt[r / BJ_LANES];
    for (int j = 0; j < d; j++) along[r / BJ_LANES] += vload(ROW(gf, j)) * vload(ROW(at->z, j));
  }
  unit_product(at->u, units, d, 0, NULL, gf, at->r);
  for (int i = 0; i < units; i++) {
    vreal gc = vset(0);
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), q = 1.0 - h * h, g = GATE(i), uf = vload(ROW(at->r, i));
      const vreal qt = q * gt[r / BJ_LANES];
      total[r / BJ_LANES] += g;
      gc += g * qt;
      vstore(ROW(gg, i), along[r / BJ_LANES] + h * uf + at->c[i] * qt);
      vstore(ROW(gh, i), g * (uf - 2.0 * h * at->c[i] * gt[r / BJ_LANES]));
      vstore(ROW(at->one, i), g * h);
    }
    if (exact) pass->gprep[self->prep_c + i] += vsum(gc);
  }
  gemm_weight_grad(units, d, 1, at->one, 0, gf, 0, pass->gprep + self->prep_u, units, NULL, NULL);
  for (int k = 0; k < unit_directions(field, pass); k++) {
    unit_direction_vjp(field, pass, b, at, k, gh, gg, rowwise);
  }
  for (int i = 0; i < units; i++) {
    vreal sum = vset(0), ggate = vset(0);
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), ga = vload(ROW(gh, i)) * (1.0 - h * h);
      vstore(ROW(gh, i), ga);
      sum += ga;
      if (!rowwise) ggate += vload(ROW(gg, i));
    }
    pass->gprep[self->prep_b + i] += vsum(sum);
    if (!rowwise) pass->gprep[self->prep_table + (long)pass->node * units + i] += vsum(ggate);
  }
  gemm_weight_grad(units, d, 1, gh, 0, at->z, 0, pass->gprep + self->prep_w, units, NULL, NULL);
  unit_product(at->w, units, d, 1, NULL, gh, gz);
  for (int j = 0; j < d; j++) {
    FOR_ROWS(r) vstore(ROW(gz, j), vload(ROW(gz, j)) + total[r / BJ_LANES] * vload(ROW(gf, j)));
  }
}

static void field_units_vjp(const bj_vector_field *field, const bj_field_pass *pass) {
  const int rowwise = gates_are_rows(field, pass);
  for (int b = 0; b < pass->nb; b++) {
    if (rowwise) {
      unit_vjp(field, pass, b, 1);
    } else {
      unit_vjp(field, pass, b, 0);
    }
  }
  if (rowwise) field_units_row_gates_vjp(field, pass);
}
#undef GATE
#undef ROW

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

/* "small": w, u, b ~ 0.01 N(0, 1), as FlowJAX's planar layers. Else u^ = 0, see planar_still(). Gates start as their nets
 * do. */
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
  if (field->n_node > 0) field->n_prep += FIELD_NODE_BLOCKS * (3 * BJ_BLOCK + gate->n_cache + gate->n_work);
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
