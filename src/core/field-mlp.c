/* mlp: a multilayer perceptron of state, time and conditions (Grathwohl et al. 2019, "FFJORD").
 *
 *   u = (z, tau(t), c), tau = (t, sin(pi k t), cos(pi k t), k = 1..m)
 *   a_0 = u;  p_l = W_l a_{l-1} + b_l, a_l = act(p_l), l = 1..depth;  f = W a_depth + b
 *
 * J e, for a direction e of z, goes through the same weights: da_0 = (e, 0), dp_l = W_l da_{l-1},
 * da_l = act'(p_l) dp_l.
 * The trace is e'(J e) for a probe e, or the sum over the d unit vectors, one after another, so that memory does not
 * depend on d.
 *   vjp of one direction, with g the cotangent of J e: gda = W' g, then for l = depth..1: gp_l += act''(p_l) dp_l gda,
 *   gdp = act'(p_l) gda, gW_l += gdp da_{l-1}', gda = W_l' gdp. The gp_l join the usual vjp of f. A direction is
 *   computed again in its vjp: only values, slopes and second derivatives of the units are kept.
 */
#include "net-mlp-activation.h"
#include "num-gemm.h"
#include "field.h"

#define FIELD_MAX_DEPTH 16

typedef struct {
  int depth, frequencies, zero_last;
  int width[FIELD_MAX_DEPTH + 1]; /* of layer l = 0 (the input), 1..depth */
  const activation *act;
  long theta_w[FIELD_MAX_DEPTH + 1], theta_b[FIELD_MAX_DEPTH + 1]; /* of W_{l+1}; the last one's for l = depth */
  long cache_a[FIELD_MAX_DEPTH + 1]; /* offsets a block of a_l; for l > 0 act' and act'' follow */
  long work_d[FIELD_MAX_DEPTH + 1];  /* dp_l and da_l; for l = 0 the direction */
  long work_g[FIELD_MAX_DEPTH + 1];  /* gp_l, from the directions */
  long work_f, work_g1, work_g2;
} field_net;

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

/* tau of one vector of times, into rows. */
INLINE void field_time_rows(vreal t, int frequencies, real *to) {
  vstore(to, t);
  for (int k = 1; k <= frequencies; k++) {
    vreal sine, cosine;
    vsincos(3.14159265358979323846 * k * t, &sine, &cosine);
    vstore(to + (long)(2 * k - 1) * BJ_BLOCK, sine);
    vstore(to + (long)(2 * k) * BJ_BLOCK, cosine);
  }
}

static void field_net_input(const bj_vector_field *field, const bj_field_pass *pass) {
  const field_net *self = field->self;
  const int d = field->d, n_time = 1 + 2 * self->frequencies;
  for (int b = 0; b < pass->nb; b++) {
    real *u = pass->cache + b * field->n_cache + self->cache_a[0], *tau = u + (long)d * BJ_BLOCK;
    memcpy(u, pass->z + b * pass->stride, sizeof(real) * (size_t)d * BJ_BLOCK);
    FOR_ROWS(r) {
      field_time_rows(pass->times ? vload(pass->times + (long)b * BJ_BLOCK + r) : vset(pass->time), self->frequencies,
                      tau + r);
    }
    if (field->n_condition == 0) continue;
    memcpy(tau + (long)n_time * BJ_BLOCK, pass->condition + (long)b * field->n_condition * BJ_BLOCK,
           sizeof(real) * (size_t)field->n_condition * BJ_BLOCK);
  }
}

/* ---- directions -------------------------------------------------------------------------------------------------- */

static int field_n_direction(const bj_vector_field *field, const bj_field_pass *pass) {
  return !pass->trace && !pass->square ? 0 : pass->probe ? 1 : field->d;
}

/* Direction i: the probe, or unit vector i. J e is left in work_f. */
static void field_net_direction(const bj_vector_field *field, const bj_field_pass *pass, int i) {
  const field_net *self = field->self;
  const int d = field->d, depth = self->depth;
  real *e = pass->work + self->work_d[0];
  for (int b = 0; b < pass->nb; b++, e += field->n_work) {
    if (pass->probe) {
      memcpy(e, pass->probe + (long)b * d * BJ_BLOCK, sizeof(real) * (size_t)d * BJ_BLOCK);
      continue;
    }
    memset(e, 0, sizeof(real) * (size_t)d * BJ_BLOCK);
    FOR_ROWS(r) vstore(e + (long)i * BJ_BLOCK + r, vset(1));
  }
  for (int l = 1; l <= depth; l++) {
    const int m = self->width[l], k = l == 1 ? d : self->width[l - 1];
    const long size = (long)m * BJ_BLOCK, before = (long)(l == 1 ? 0 : k) * BJ_BLOCK; /* da follows dp */
    gemm(GEMM_SET, gemm_columns(pass->theta + self->theta_w[l - 1], m, k, NULL), pass->nb,
         pass->work + self->work_d[l - 1] + before, field->n_work, pass->work + self->work_d[l], field->n_work);
    for (int b = 0; b < pass->nb; b++) {
      real *dp = pass->work + b * field->n_work + self->work_d[l];
      const real *slope = pass->cache + b * field->n_cache + self->cache_a[l] + size;
      for (long j = 0; j < size; j += BJ_LANES) vstore(dp + size + j, vload(slope + j) * vload(dp + j));
    }
  }
  const int k = self->width[depth];
  gemm(GEMM_SET, gemm_columns(pass->theta + self->theta_w[depth], d, k, NULL), pass->nb,
       pass->work + self->work_d[depth] + (long)k * BJ_BLOCK, field->n_work, pass->work + self->work_f, field->n_work);
}

static void field_net_add_traces(const bj_vector_field *field, const bj_field_pass *pass) {
  const field_net *self = field->self;
  for (int b = 0; b < pass->nb; b++) {
    const real *e = pass->work + b * field->n_work + self->work_d[0];
    const real *je = pass->work + b * field->n_work + self->work_f;
    FOR_ROWS(r) {
      vreal trace = vset(0), square = vset(0);
      for (int j = 0; j < field->d; j++) {
        const vreal v = vload(je + (long)j * BJ_BLOCK + r);
        trace += v * vload(e + (long)j * BJ_BLOCK + r);
        square += v * v;
      }
      real *t = pass->trace ? pass->trace + b * pass->stride + r : NULL;
      real *s = pass->square ? pass->square + b * pass->stride + r : NULL;
      if (t) vstore(t, vload(t) + trace);
      if (s) vstore(s, vload(s) + square);
    }
  }
}

static void field_net_value(const bj_vector_field *field, const bj_field_pass *pass) {
  const field_net *self = field->self;
  const int d = field->d, depth = self->depth;
  field_net_input(field, pass);
  for (int l = 1; l <= depth; l++) {
    const int m = self->width[l];
    gemm(GEMM_SET,
         gemm_columns(pass->theta + self->theta_w[l - 1], m, self->width[l - 1], pass->theta + self->theta_b[l - 1]),
         pass->nb, pass->cache + self->cache_a[l - 1], field->n_cache, pass->cache + self->cache_a[l], field->n_cache);
    for (int b = 0; b < pass->nb; b++) {
      real *p = pass->cache + b * field->n_cache + self->cache_a[l];
      const long size = (long)m * BJ_BLOCK;
      self->act->apply_bend(p, p + size, p + 2 * size, size);
    }
  }
  gemm(GEMM_SET,
       gemm_columns(pass->theta + self->theta_w[depth], d, self->width[depth], pass->theta + self->theta_b[depth]),
       pass->nb, pass->cache + self->cache_a[depth], field->n_cache, pass->f, pass->stride);
  for (int b = 0; b < pass->nb; b++) {
    if (pass->trace) memset(pass->trace + b * pass->stride, 0, sizeof(real) * BJ_BLOCK);
    if (pass->square) memset(pass->square + b * pass->stride, 0, sizeof(real) * BJ_BLOCK);
  }
  for (int i = 0; i < field_n_direction(field, pass); i++) {
    field_net_direction(field, pass, i);
    field_net_add_traces(field, pass);
  }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* The vjp of direction i; work_f becomes the cotangent of J e. */
static void field_net_direction_vjp(const bj_vector_field *field, const bj_field_pass *pass, int i) {
  const field_net *self = field->self;
  const int d = field->d, depth = self->depth;
  real *g = pass->work + self->work_g1, *gd = pass->work + self->work_g2;
  const long ws = field->n_work;
  field_net_direction(field, pass, i);
  for (int b = 0; b < pass->nb; b++) {
    real *je = pass->work + b * ws + self->work_f;
    const real *e = pass->work + b * ws + self->work_d[0];
    FOR_ROWS(r) {
      const vreal gt = pass->trace ? vload(pass->gtrace + (long)b * BJ_BLOCK + r) : vset(0);
      const vreal gs = pass->square ? 2.0 * vload(pass->gsquare + (long)b * BJ_BLOCK + r) : vset(0);
      for (int j = 0; j < d; j++) {
        const long at = (long)j * BJ_BLOCK + r;
        vstore(je + at, gt * vload(e + at) + gs * vload(je + at));
      }
    }
  }
  for (int l = depth; l >= 0; l--) { /* g is the cotangent of what W_{l+1} gives */
    const int m = l == depth ? d : self->width[l + 1], k = l == 0 ? d : self->width[l];
    const real *out = l == depth ? pass->work + self->work_f : g;
    const real *in = pass->work + self->work_d[l] + (long)(l == 0 ? 0 : k) * BJ_BLOCK;
    gemm_weight_grad(m, k, pass->nb, out, ws, in, ws, pass->gtheta + self->theta_w[l], m, NULL, NULL);
    if (l == 0) break;
    gemm(GEMM_SET, gemm_transpose(pass->theta + self->theta_w[l], m, k), pass->nb, out, ws, gd, ws);
    const long size = (long)k * BJ_BLOCK;
    for (int b = 0; b < pass->nb; b++) {
      const real *slope = pass->cache + b * field->n_cache + self->cache_a[l] + size;
      real *gp = pass->work + b * ws + self->work_g[l], *here = gd + b * ws;
      const real *dp = pass->work + b * ws + self->work_d[l];
      for (long j = 0; j < size; j += BJ_LANES) {
        const vreal down = vload(here + j);
        vstore(gp + j, vload(gp + j) + vload(slope + size + j) * vload(dp + j) * down);
        vstore(g + b * ws + j, vload(slope + j) * down);
      }
    }
  }
}

static void field_net_vjp(const bj_vector_field *field, const bj_field_pass *pass) {
  const field_net *self = field->self;
  const int d = field->d, depth = self->depth, n_time = 1 + 2 * self->frequencies;
  const long ws = field->n_work;
  real *g = pass->work + self->work_g1, *ga = pass->work + self->work_g2;
  for (int l = 1; l <= depth; l++) {
    for (int b = 0; b < pass->nb; b++) {
      memset(pass->work + b * ws + self->work_g[l], 0, sizeof(real) * (size_t)self->width[l] * BJ_BLOCK);
    }
  }
  for (int i = 0; i < field_n_direction(field, pass); i++) field_net_direction_vjp(field, pass, i);
  for (int l = depth; l >= 0; l--) {
    const int m = l == depth ? d : self->width[l + 1], k = self->width[l];
    const real *out = l == depth ? pass->gf : g;
    const long outs = l == depth ? pass->stride : ws;
    gemm_weight_grad(m, k, pass->nb, out, outs, pass->cache + self->cache_a[l], field->n_cache,
                     pass->gtheta + self->theta_w[l], m, NULL, NULL);
    gemm_bias_grad(m, pass->nb, out, outs, pass->gtheta + self->theta_b[l]);
    gemm(GEMM_SET, gemm_transpose(pass->theta + self->theta_w[l], m, k), pass->nb, out, outs, ga, ws);
    for (int b = 0; b < pass->nb && l > 0; b++) {
      const long size = (long)k * BJ_BLOCK;
      const real *slope = pass->cache + b * field->n_cache + self->cache_a[l] + size;
      const real *gp = pass->work + b * ws + self->work_g[l];
      const real *down = ga + b * ws;
      for (long j = 0; j < size; j += BJ_LANES) {
        vstore(g + b * ws + j, vload(gp + j) + vload(slope + j) * vload(down + j));
      }
    }
  }
  for (int b = 0; b < pass->nb; b++) {
    const real *gu = ga + b * ws;
    memcpy(pass->gz + b * pass->stride, gu, sizeof(real) * (size_t)d * BJ_BLOCK);
    if (!pass->gcondition) continue;
    real *gc = pass->gcondition + (long)b * field->n_condition * BJ_BLOCK;
    for (long i = 0; i < (long)field->n_condition * BJ_BLOCK; i += BJ_LANES) {
      vstore(gc + i, vload(gc + i) + vload(gu + (long)(d + n_time) * BJ_BLOCK + i));
    }
  }
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

static void field_net_describe(const bj_vector_field *field, bj_describe *out) {
  const field_net *self = field->self;
  char name[16];
  for (int l = 0; l <= self->depth; l++) {
    const int m = l == self->depth ? field->d : self->width[l + 1];
    snprintf(name, sizeof name, "W%d", l + 1);
    describe_slot(out, name, 2, m, self->width[l]);
    snprintf(name, sizeof name, "b%d", l + 1);
    describe_slot(out, name, 1, m, 0);
  }
}

/* As net_mlp: U(-1/sqrt(fan_in), 1/sqrt(fan_in)); "identity" starts the last layer at zero. */
static void field_net_init(const bj_vector_field *field, real *theta, bj_rng *rng) {
  const field_net *self = field->self;
  for (int l = 0; l <= self->depth; l++) {
    const int m = l == self->depth ? field->d : self->width[l + 1];
    const int zero = self->zero_last && l == self->depth;
    const real bound = 1 / sqrt((real)self->width[l]);
    const long end = self->theta_b[l] + m;
    for (long i = self->theta_w[l]; i < end; i++) theta[i] = zero ? 0 : bound * (2 * rng_uniform(rng) - 1);
  }
}

static bj_status field_net_build(bj_vector_field *field, const bj_spec *spec, bj_build *build) {
  field_net *self = field->self = build_alloc(build, sizeof(field_net));
  const bj_entry *width = spec_entry(spec, "width");
  self->depth = width && width->type == BJ_ENTRY_NUMBERS ? width->n : 0;
  if (self->depth < 1 || self->depth > FIELD_MAX_DEPTH) {
    return spec_error(build, "`width` of field_mlp() must have 1 to %d numbers", FIELD_MAX_DEPTH);
  }
  self->frequencies = (int)spec_number(spec, "frequencies", 0);
  self->zero_last = !strcmp(spec_string(spec, "init", "identity"), "identity");
  self->act = activation_read(build, spec);
  if (!self->act->apply_bend) return spec_error(build, "field_mlp() wants an activation with two derivatives");
  self->width[0] = field->d + 1 + 2 * self->frequencies + field->n_condition;
  int widest = self->width[0];
  for (int l = 0; l <= self->depth; l++) {
    if (l > 0) self->width[l] = (int)width->numbers[l - 1];
    const int m = l == self->depth ? field->d : (int)width->numbers[l];
    if (self->width[l] > widest) widest = self->width[l];
    self->theta_w[l] = field->n_param;
    self->theta_b[l] = self->theta_w[l] + (long)m * self->width[l];
    field->n_param = self->theta_b[l] + m;
    self->cache_a[l] = field->n_cache;
    field->n_cache += (long)self->width[l] * BJ_BLOCK * (l > 0 ? 3 : 1);
    self->work_d[l] = field->n_work;
    field->n_work += (long)(l > 0 ? 2 * self->width[l] : field->d) * BJ_BLOCK;
    self->work_g[l] = field->n_work;
    field->n_work += (long)(l > 0 ? self->width[l] : 0) * BJ_BLOCK;
  }
  self->work_f = field->n_work;
  self->work_g1 = self->work_f + (long)field->d * BJ_BLOCK;
  self->work_g2 = self->work_g1 + (long)widest * BJ_BLOCK;
  field->n_work = self->work_g2 + (long)widest * BJ_BLOCK;
  return BJ_OK;
}

static const bj_vector_field_kind field_mlp = {
    .name = "mlp",
    .build = field_net_build,
    .describe = field_net_describe,
    .init = field_net_init,
    .value = field_net_value,
    .vjp = field_net_vjp,
};
