/* Nets of base distributions; what coordinates with a location and a scale share, whatever their shape, with formulas
 * in base-loc_scale.h; and the constants of Student t. */
#include "base-loc_scale.h"

/* ---- nets of conditions ------------------------------------------------------------------------------------------ */

INLINE base_rows base_carve(const bj_base *base, carver *cache, carver *work) {
  base_rows at;
  at.net = net_slot_carve(base->net, cache, work);
  at.prep = carve_rows(cache, base->n_row_prep);
  at.gprep = carve_rows(work, base->n_row_prep);
  return at;
}

INLINE base_rows base_rows_at(const bj_base *base, const bj_base_pass *pass) { return CARVE(base_carve, base, pass); }

static bj_net_pass base_net_pass(const base_rows *at, const bj_base_pass *pass) {
  return (bj_net_pass){
      .nb = pass->nb,
      .theta = pass->theta,
      .prep = pass->prep,
      .x = pass->condition,
      .y = at->net.y,
      .cache = at->net.cache,
      .work = at->net.work,
      .gy = at->net.gy,
      .gx = at->net.gx,
      .gtheta = pass->gtheta,
      .gprep = pass->gprep,
  };
}

static int base_n_given(const bj_base *base) { return base->net ? base->net->net->n_out : 0; }

static const real *base_given(const bj_base *base, const bj_base_pass *pass) {
  if (!base->net) return NULL;
  const base_rows at = base_rows_at(base, pass);
  net_slot_forward(base->net, base_net_pass(&at, pass));
  if (base->kind->prepare_rows) base->kind->prepare_rows(base, pass->nb, at.net.y, at.prep);
  return at.net.y;
}

static void base_given_vjp(const bj_base *base, const bj_base_pass *pass) {
  const base_rows at = base_rows_at(base, pass);
  const bj_base_kind *kind = base->kind;
  if (kind->prepare_rows_vjp) kind->prepare_rows_vjp(base, pass->nb, at.net.y, at.prep, at.gprep, at.net.gy);
  net_slot_vjp(base->net, base_net_pass(&at, pass), pass->gcondition);
}

static bj_status base_net_build(bj_base *base, const bj_spec *spec, int n_out, const real *offset, bj_build *build) {
  if (spec_length(spec, "net") == 0 || base->n_condition == 0) return build->status;
  const bj_net_request request = {.n_in = base->n_condition, .n_out = n_out, .offset = offset};
  net_slot *slot = build_alloc(build, sizeof(net_slot));
  const bj_status status = net_slot_build(build, spec_part(build, spec, "net"), &request, base->n_condition, spec->kind,
                                          &base->n_param, &base->n_prep, slot);
  if (status != BJ_OK) return status;
  base->net = slot;
  MEASURE(base_carve, base);
  return build->status;
}

static void base_describe(const bj_base *base, bj_describe *out) {
  if (base->kind->describe) base->kind->describe(base, out);
  if (base->net) net_slot_describe(base->net, "net", out);
}

static void base_init(const bj_base *base, real *theta, bj_rng *rng) {
  if (base->kind->init) base->kind->init(base, theta, rng);
  if (base->net) net_slot_init(base->net, theta, rng);
}

static void base_prepare(const bj_base *base, const real *theta, real *prep) {
  if (base->kind->prepare) base->kind->prepare(base, theta, prep);
  if (base->net) net_slot_prepare(base->net, theta, prep);
}

static void base_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  if (base->kind->prepare_vjp) base->kind->prepare_vjp(base, theta, prep, gprep, gtheta);
  if (base->net) net_slot_prepare_vjp(base->net, gprep, gtheta);
}

/* ---- location and scale ------------------------------------------------------------------------------------------ */

static void loc_scale_prepare(const bj_base *base, const real *theta, real *prep) {
  const loc_scale *self = base->self;
  for (int i = 0; i < base->d; i++) {
    real unused;
    const real scale = self->trainable ? base_positive(theta[base->d + i], &unused) : 1;
    prep[3 * i] = self->trainable ? theta[i] : 0;
    prep[3 * i + 1] = 1 / scale;
    prep[3 * i + 2] = -log(scale);
  }
}

static void loc_scale_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const loc_scale *self = base->self;
  (void)prep;
  for (int i = 0; i < base->d && self->trainable; i++) {
    real dlog;
    base_positive(theta[base->d + i], &dlog);
    gtheta[i] += gprep[3 * i];
    gtheta[base->d + i] += gprep[3 * i + 1] * dlog;
  }
}

static void loc_scale_describe(const bj_base *base, bj_describe *out) {
  const loc_scale *self = base->self;
  if (!self->trainable) return;
  describe_slot(out, "loc", 1, base->d, 0);
  describe_slot(out, "scale", 1, base->d, 0);
}

static void loc_scale_init(const bj_base *base, real *theta, bj_rng *rng) {
  const loc_scale *self = base->self;
  (void)rng;
  for (int i = 0; i < base->d && self->trainable; i++) {
    theta[i] = 0;
    theta[base->d + i] = inverse_softplus(1);
  }
}

static bj_status loc_scale_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  loc_scale *self = base->self = build_alloc(build, sizeof(loc_scale));
  self->trainable = spec_bool(build, spec, "trainable");
  base->n_param = self->trainable ? 2 * base->d : 0;
  base->n_prep = 3 * base->d;
  return build->status;
}

/* x = loc + s u: the draw moves with the parameters. */
static void loc_scale_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  const loc_scale *self = base->self;
  for (int i = 0; i < base->d && self->trainable; i++) {
    const vreal loc = vset(pass->prep[3 * i]);
    vreal sum_loc = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal gx = vload(pass->gx + at);
      sum_loc += gx;
      sum_log_s += gx * (vload(pass->x + at) - loc);
    }
    pass->gprep[3 * i] += vsum(sum_loc);
    pass->gprep[3 * i + 1] += vsum(sum_log_s);
  }
}

/* ---- Student t --------------------------------------------------------------------------------------------------- */

/* psi(x) for x > 0: upward recurrence to x >= 10, then the asymptotic series. */
static real digamma(real x) {
  real sum = 0;
  for (; x < 10; x++) sum -= 1 / x;
  const real w = 1 / (x * x);
  return sum + log(x) - 0.5 / x -
         w * (1.0 / 12 - w * (1.0 / 120 - w * (1.0 / 252 - w * (1.0 / 240 - w * (1.0 / 132 - w * 691.0 / 32760)))));
}

/* c(v) and c'(v). For large v the two lgamma cancel; there
 *   lgamma((v + 1) / 2) - lgamma(v / 2) = log(v / 2) / 2 - 1 / (4 v) + 1 / (24 v^3) + O(v^-5),
 * and log(v pi) takes its first term away. */
static void student_t_constant(real v, real *c, real *dc) {
  if (v > 1e3) {
    const real w = 1 / v;
    *c = -HALF_LOG_2PI - 0.25 * w + w * w * w / 24;
    *dc = 0.25 * w * w - 0.125 * w * w * w * w;
    return;
  }
  *c = lgamma(0.5 * (v + 1)) - lgamma(0.5 * v) - 0.5 * log(v * 3.14159265358979323846);
  *dc = 0.5 * (digamma(0.5 * (v + 1)) - digamma(0.5 * v) - 1 / v);
}
