/* What coordinates with a location and a scale share, whatever their shape, with formulas in base-loc_scale.h; and the
 * constants of Student t. */
#include "base-loc_scale.h"

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
