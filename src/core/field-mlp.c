/* mlp: a multilayer perceptron of state, time and conditions (Grathwohl et al. 2019, "FFJORD").
 *
 *   u = (z, tau(t), c), tau = (t, sin(pi k t), cos(pi k t), k = 1..m)
 *   a_0 = u;  p_l = W_l a_{l-1} + b_l, a_l = act(p_l), l = 1..depth;  f = W a_depth + b
 *
 * J e, for a direction e of z, goes through the same weights: da_0 = (e, 0), dp_l = W_l da_{l-1},
 * da_l = act'(p_l) dp_l.
 * The trace is e'(J e) for a probe e, or the sum over the d unit vectors, one after another, so that memory does not
 * depend on d: unless it is a form of slopes, see field-mlp-form.c.
 *   vjp of one direction, with g the cotangent of J e: gda = W' g, then for l = depth..1: gp_l += act''(p_l) dp_l gda,
 *   gdp = act'(p_l) gda, gW_l += gdp da_{l-1}', gda = W_l' gdp. The gp_l join the usual vjp of f. A direction is
 *   computed again in its vjp: only values, slopes and second derivatives of the units are kept.
 */
#include <stdio.h>

#include "field-mlp.h"
#include "num-carve.h"
#include "num-gemm.h"
#include "num-rows.h"

static field_net_rows field_net_carve(const bj_field *field, carver *cache, carver *work) {
  const field_net *self = field->self;
  field_net_rows to = {0};
  for (int l = 0; l <= self->depth; l++) {
    to.a[l] = field_rows(field, cache, self->width[l]);
    to.da[l] = field_rows(field, work, l > 0 ? self->width[l] : field->d);
    if (l == 0) continue;
    to.slope[l] = field_rows(field, cache, self->width[l]);
    to.bend[l] = field_rows(field, cache, self->width[l]);
    to.dp[l] = field_rows(field, work, self->width[l]);
    to.gp[l] = field_rows(field, work, self->width[l]);
  }
  to.je = field_rows(field, work, field->d);
  to.g = field_rows(field, work, self->widest);
  to.ga = field_rows(field, work, self->widest);
  return to;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

/* tau of one vector of times, into rows. */
INLINE void field_time_rows(vreal t, int frequencies, real *to) {
  vstore(to, t);
  for (int k = 1; k <= frequencies; k++) {
    vreal sine, cosine;
    vsincos((real)3.14159265358979323846 * k * t, &sine, &cosine);
    vstore(to + (long)(2 * k - 1) * BJ_BLOCK, sine);
    vstore(to + (long)(2 * k) * BJ_BLOCK, cosine);
  }
}

static void field_net_input(const bj_field *field, const bj_field_pass *pass, real *u) {
  const field_net *self = field->self;
  const long stride = rows_stride(self->width[0]);
  real *tau = u + rows_stride(field->d), *condition = tau + rows_stride(1 + 2 * self->frequencies);
  copy_rows(pass->nb, pass->z, pass->stride, u, stride, field->d);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    field_time_rows(pass->times ? vload(pass->times + (long)b * BJ_BLOCK + r) : vset(pass->time), self->frequencies,
                    tau + b * stride + r);
  }
  if (field->n_condition == 0) return;
  copy_rows(pass->nb, pass->condition, rows_stride(field->n_condition), condition, stride, field->n_condition);
}

/* ---- directions -------------------------------------------------------------------------------------------------- */

static int field_n_direction(const bj_field *field, const bj_field_pass *pass) {
  return !pass->trace && !pass->square ? 0 : pass->probe ? 1 : field->d;
}

/* Direction i: the probe, or unit vector i. J e is left in `je`. */
static void field_net_direction(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at, int i) {
  const field_net *self = field->self;
  const int d = field->d, depth = self->depth;
  const size_t size = sizeof(real) * (size_t)pass->nb * (size_t)d * BJ_BLOCK;
  if (pass->probe) {
    memcpy(at->da[0], pass->probe, size);
  } else {
    memset(at->da[0], 0, size);
    FOR_BLOCK_ROWS(pass->nb, b, r) vstore(at->da[0] + ((long)b * d + i) * BJ_BLOCK + r, vset(1));
  }
  for (int l = 1; l <= depth; l++) {
    const int m = self->width[l], k = l == 1 ? d : self->width[l - 1];
    gemm(GEMM_SET, gemm_columns(pass->theta + self->theta_w[l - 1], m, k, NULL), pass->nb, at->da[l - 1],
         rows_stride(k), at->dp[l], rows_stride(m));
    for (long j = 0; j < pass->nb * rows_stride(m); j += BJ_LANES) {
      vstore(at->da[l] + j, vload(at->slope[l] + j) * vload(at->dp[l] + j));
    }
  }
  const int k = self->width[depth];
  gemm(GEMM_SET, gemm_columns(pass->theta + self->theta_w[depth], d, k, NULL), pass->nb, at->da[depth], rows_stride(k),
       at->je, rows_stride(d));
}

static void field_net_add_traces(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at) {
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const long block = b * rows_stride(field->d) + r;
    vreal trace = vset(0), square = vset(0);
    for (int j = 0; j < field->d; j++) {
      const vreal v = vload(at->je + block + (long)j * BJ_BLOCK);
      trace += v * vload(at->da[0] + block + (long)j * BJ_BLOCK);
      square += v * v;
    }
    real *t = pass->trace ? pass->trace + b * pass->stride + r : NULL;
    real *s = pass->square ? pass->square + b * pass->stride + r : NULL;
    if (t) vstore(t, vload(t) + trace);
    if (s) vstore(s, vload(s) + square);
  }
}

static void field_net_value(const bj_field *field, const bj_field_pass *pass) {
  const field_net *self = field->self;
  const field_net_rows at = CARVE(field_net_carve, field, pass);
  const int depth = self->depth;
  field_net_input(field, pass, at.a[0]);
  for (int l = 0; l <= depth; l++) {
    const int m = self->width[l + 1], k = self->width[l];
    real *to = l < depth ? at.a[l + 1] : pass->f;
    gemm(GEMM_SET, gemm_columns(pass->theta + self->theta_w[l], m, k, pass->theta + self->theta_b[l]), pass->nb,
         at.a[l], rows_stride(k), to, l < depth ? rows_stride(m) : pass->stride);
    if (l < depth) self->act->apply_bend(to, at.slope[l + 1], at.bend[l + 1], pass->nb * rows_stride(m));
  }
  if (pass->fixed) {
    field_form_value(field, pass, &at);
    return;
  }
  for (int b = 0; b < pass->nb; b++) {
    if (pass->trace) memset(pass->trace + b * pass->stride, 0, sizeof(real) * BJ_BLOCK);
    if (pass->square) memset(pass->square + b * pass->stride, 0, sizeof(real) * BJ_BLOCK);
  }
  for (int i = 0; i < field_n_direction(field, pass); i++) {
    field_net_direction(field, pass, &at, i);
    field_net_add_traces(field, pass, &at);
  }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* The vjp of direction i; `je` becomes the cotangent of J e. */
static void field_net_direction_vjp(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at, int i) {
  const field_net *self = field->self;
  const int d = field->d, depth = self->depth;
  const long wide = rows_stride(self->widest);
  field_net_direction(field, pass, at, i);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const vreal gt = pass->trace ? vload(pass->gtrace + (long)b * BJ_BLOCK + r) : vset(0);
    const vreal gs = pass->square ? 2.0 * vload(pass->gsquare + (long)b * BJ_BLOCK + r) : vset(0);
    for (int j = 0; j < d; j++) {
      const long row = ((long)b * d + j) * BJ_BLOCK + r;
      vstore(at->je + row, gt * vload(at->da[0] + row) + gs * vload(at->je + row));
    }
  }
  for (int l = depth; l >= 0; l--) { /* g is the cotangent of what W_{l+1} gives */
    const int m = self->width[l + 1], k = l == 0 ? d : self->width[l];
    const real *out = l == depth ? at->je : at->g;
    const long outs = l == depth ? rows_stride(d) : wide;
    gemm_weight_grad(m, k, pass->nb, out, outs, at->da[l], rows_stride(k), pass->gtheta + self->theta_w[l], m, NULL,
                     NULL);
    if (l == 0) break;
    gemm(GEMM_SET, gemm_transpose(pass->theta + self->theta_w[l], m, k), pass->nb, out, outs, at->ga, wide);
    for (int b = 0; b < pass->nb; b++) {
      for (long j = 0; j < rows_stride(k); j += BJ_LANES) {
        const long row = b * rows_stride(k) + j;
        const vreal down = vload(at->ga + b * wide + j);
        real *gp = at->gp[l] + row;
        vstore(gp, vload(gp) + vload(at->bend[l] + row) * vload(at->dp[l] + row) * down);
        vstore(at->g + b * wide + j, vload(at->slope[l] + row) * down);
      }
    }
  }
}

static void field_net_vjp(const bj_field *field, const bj_field_pass *pass) {
  const field_net *self = field->self;
  const field_net_rows at = CARVE(field_net_carve, field, pass);
  const int d = field->d, depth = self->depth;
  const long wide = rows_stride(self->widest);
  if (pass->fixed) {
    field_form_vjp(field, pass, &at);
  } else {
    for (int l = 1; l <= depth; l++) {
      memset(at.gp[l], 0, sizeof(real) * (size_t)pass->nb * (size_t)self->width[l] * BJ_BLOCK);
    }
    for (int i = 0; i < field_n_direction(field, pass); i++) field_net_direction_vjp(field, pass, &at, i);
  }
  for (int l = depth; l >= 0; l--) {
    const int m = self->width[l + 1], k = self->width[l];
    const real *out = l == depth ? pass->gf : at.g;
    const long outs = l == depth ? pass->stride : wide;
    gemm_weight_grad(m, k, pass->nb, out, outs, at.a[l], rows_stride(k), pass->gtheta + self->theta_w[l], m, NULL,
                     NULL);
    gemm_bias_grad(m, pass->nb, out, outs, pass->gtheta + self->theta_b[l]);
    gemm(GEMM_SET, gemm_transpose(pass->theta + self->theta_w[l], m, k), pass->nb, out, outs, at.ga, wide);
    for (int b = 0; b < pass->nb && l > 0; b++) {
      for (long j = 0; j < rows_stride(k); j += BJ_LANES) {
        const long row = b * rows_stride(k) + j;
        vstore(at.g + b * wide + j, vload(at.gp[l] + row) + vload(at.slope[l] + row) * vload(at.ga + b * wide + j));
      }
    }
  }
  const int n_condition = field->n_condition;
  copy_rows(pass->nb, at.ga, wide, pass->gz, pass->stride, d);
  if (!pass->gcondition) return;
  add_rows(pass->nb, at.ga + rows_stride(self->width[0] - n_condition), wide, pass->gcondition,
           rows_stride(n_condition), n_condition);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static void field_net_describe(const bj_field *field, bj_describe *out) {
  const field_net *self = field->self;
  char name[16];
  for (int l = 0; l <= self->depth; l++) {
    const int m = self->width[l + 1];
    snprintf(name, sizeof name, "W%d", l + 1);
    describe_slot(out, name, 2, m, self->width[l]);
    snprintf(name, sizeof name, "b%d", l + 1);
    describe_slot(out, name, 1, m, 0);
  }
}

static void field_net_init(const bj_field *field, real *theta, bj_rng *rng) {
  const field_net *self = field->self;
  for (int l = 0; l <= self->depth; l++) {
    const int k = self->width[l], m = self->width[l + 1], last = l == self->depth;
    net_start_draw(&self->start, last, 0, k, (long)m * k, theta + self->theta_w[l], rng);
    net_start_draw(&self->start, last, 1, k, m, theta + self->theta_b[l], rng);
  }
}

static bj_status field_net_build(bj_field *field, const bj_spec *spec, bj_build *build) {
  field_net *self = field->self = build_alloc(build, sizeof(field_net));
  int depth;
  const int *width = spec_counts(build, spec, "width", 1, &depth);
  if (depth > FIELD_MAX_DEPTH) {
    return spec_error(build, "`width` of field_mlp() must have 1 to %d numbers", FIELD_MAX_DEPTH);
  }
  self->depth = depth;
  self->frequencies = spec_count(build, spec, "frequencies", 0, 1000);
  self->start = net_start_read(build, spec);
  self->act = activation_read(build, spec);
  if (!self->act->apply_bend) return spec_error(build, "field_mlp() wants an activation with two derivatives");
  self->width[0] = field->d + 1 + 2 * self->frequencies + field->n_condition;
  self->width[depth + 1] = field->d;
  for (int l = 1; l <= depth; l++) self->width[l] = width[l - 1];
  for (int l = 0; l <= self->depth; l++) {
    if (self->width[l] > self->widest) self->widest = self->width[l];
    self->theta_w[l] = field->n_param;
    self->theta_b[l] = self->theta_w[l] + (long)self->width[l + 1] * self->width[l];
    field->n_param = self->theta_b[l] + self->width[l + 1];
  }
  field->n_gfixed = field_form_size(self);
  field->n_fixed = 2 * field->n_gfixed;
  MEASURE(field_net_carve, field);
  return build->status;
}

static const bj_field_kind field_mlp = {
    .name = "mlp",
    .build = field_net_build,
    .describe = field_net_describe,
    .init = field_net_init,
    .begin = field_form_begin,
    .begin_vjp = field_form_begin_vjp,
    .value = field_net_value,
    .vjp = field_net_vjp,
};
