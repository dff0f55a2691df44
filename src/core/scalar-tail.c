/* tail: a normal coordinate gets Pareto tails, each side with a weight of its own (Hickling and Prangle 2025).
 *
 *   y = mu + t sigma (exp(w) - 1) / k,  t = sign x, k the weight of that side, w = k E, E = -log erfc(|x| / sqrt 2)
 *   raw = (loc, scale, left, right) in the units that the spec gives, c and u:
 *   mu = c + u loc;  sigma = u (softplus(scale) + 0.01);  k = softplus(left or right) + 1e-7
 *   With h = dE/d|x| (h' = h (h - |x|)), f = (1 - exp(-w)) / w and g = (1 - f) / w, neither of which overflows:
 *   f' = sigma exp(w) h,  log f' = log sigma + w + log h,  (log f')' = t (k h + h - |x|)
 *   y - mu = t sigma E f exp(w);  dy/dsigma = t E f exp(w),  dlog f'/dsigma = 1 / sigma
 *   dy/dk = t sigma E^2 g exp(w),  dlog f'/dk = E
 *   inverse: w = log(1 + k |y - mu| / sigma), |x| is the root of E = w / k. Its vjp, with b = (gx - gl (log f')') / h:
 *   dy = b exp(-w) / sigma, dmu = -dy, dsigma = -(b t E f + gl) / sigma, dk = -(b t E^2 g + gl E)
 *
 * Raw parameters are in those units so that steps of the optimiser are alike at all scales. A value beyond the range is
 * Inf, its gradient that of the last w before.
 */
#include "num-special.h"
#include "scalar-common.h"

#define TAIL_SCALE_LEAST ((real)0.01)
#define TAIL_WEIGHT_LEAST BY_REAL(1e-7, 1e-7f)
#define TAIL_WEIGHT_MOST BY_REAL(1e6, 1e6f)

typedef struct {
  real loc, scale, weight[2];
} tail;

typedef struct {
  vreal loc, scale, weight[2]; /* mu, sigma, k of the left and of the right */
  vreal dscale, dweight[2];    /* by their raw values */
} tail_par;

INLINE vreal tail_bound(vreal x) { return vmax(vset(-REAL_HUGE), vmin(vset(REAL_HUGE), x)); }

INLINE vreal tail_scale(const tail *self, vreal raw, vreal *derivative) {
  const vreal scale = vmin(vset(REAL_HUGE), self->scale * (vsoftplus_sigmoid(raw, derivative) + TAIL_SCALE_LEAST));
  *derivative = *derivative * self->scale;
  return scale;
}
INLINE vreal tail_weight(vreal raw, vreal *derivative) {
  return vmin(vset(TAIL_WEIGHT_MOST), vsoftplus_sigmoid(raw, derivative) + TAIL_WEIGHT_LEAST);
}

INLINE tail_par tail_load(const tail *self, const bj_scalar_pass *pass, int b, int r, bj_sharing mode) {
  tail_par par;
  if (mode == SHARED) { /* prepare_vjp multiplies the derivatives in */
    par.loc = vset(pass->par[0]);
    par.scale = vset(pass->par[1]);
    for (int side = 0; side < 2; side++) par.weight[side] = vset(pass->par[2 + side]);
  } else {
    par.loc = tail_bound(self->loc + self->scale * scalar_par(pass, b, 0, r));
    par.scale = tail_scale(self, scalar_par(pass, b, 1, r), &par.dscale);
    for (int side = 0; side < 2; side++) {
      par.weight[side] = tail_weight(scalar_par(pass, b, 2 + side, r), par.dweight + side);
    }
  }
  return par;
}

/* (1 - exp(-w)) / w for w >= 0 */
INLINE vreal tail_mean(vreal w) {
  const vint tiny = vlt(w, vset(REAL_EPS));
  return vselect(tiny, vset(1), -vexpm1(-w) / vselect(tiny, vset(1), w));
}

/* (1 - f) / w = 1/2 - w / 6 + w^2 / 24 - ..., f = tail_mean(w) */
INLINE vreal tail_mean_rest(vreal w, vreal f) {
  const vreal near = vmin(vset(0.5), w);
  vreal series = vset(1);
  UNROLL for (int n = 15; n > 2; n--) series = 1.0 - near * ((real)1.0 / n) * series;
  return vselect(vlt(w, vset(0.5)), 0.5 * series, (1.0 - f) / vmax(vset(0.5), w));
}

/* cache: 0: E, 1: h, 2: h - |x| */
INLINE void tail_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  logdet_claim(pass->logdet, pass->nb, 1);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const tail_par par = tail_load(scalar->self, pass, b, r, mode);
    const long at = b * BJ_BLOCK + r;
    const vreal in = scalar_x(pass, b, r), offset = direction == BJ_FORWARD ? in : in - par.loc;
    const vreal k = vselect(vlt(offset, vset(0)), par.weight[0], par.weight[1]);
    vreal w, y;
    normal_tail tail;
    if (direction == BJ_FORWARD) {
      tail = normal_tail_at(vmin(vset(REAL_SQUARE), vabs(in)));
      w = k * tail.e;
      const vreal bounded = vmin(vset(REAL_EXP_MAX), w);
      const vreal size = tail.e * (tail_mean(bounded) * vexp(bounded));
      y = par.loc + vcopysign(par.scale * size, in);
      logdet_add(pass->logdet, at, w + vlog(tail.h));
      logdet_multiply(pass->logdet, at, par.scale);
    } else {
      const vreal ratio = vmin(vset(REAL_MAX), vabs(offset) / par.scale), u = k * ratio, large = vset(REAL_PLUS_ONE);
      w = vselect(vlt(u, large), vlog1p(vmin(large, u)), vlog(k) + vlog(ratio));
      const vreal e = vselect(vlt(u, vset(REAL_EPS)), ratio, w / k);
      const vreal a = normal_tail_root(vmin(vset((real)0.25 * REAL_SQUARE * REAL_SQUARE), e));
      tail = normal_tail_at(a);
      tail.e = e;
      y = vcopysign(a, offset);
      logdet_add(pass->logdet, at, -(w + vlog(tail.h)));
      logdet_multiply(pass->logdet, at, 1.0 / par.scale);
    }
    vstore(pass->y + b * pass->stride + r, y);
    vstore(scalar_cache(pass, b, 0) + r, tail.e);
    vstore(scalar_cache(pass, b, 1) + r, tail.h);
    vstore(scalar_cache(pass, b, 2) + r, tail.excess);
  }
}

INLINE void tail_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  vreal sum[4];
  for (int j = 0; j < 4; j++) sum[j] = vset(0);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const tail_par par = tail_load(scalar->self, pass, b, r, mode);
    const vreal gy = scalar_gy(pass, b, r), gl = scalar_gl(pass, b, r), zero = vset(0);
    const vreal x = direction == BJ_FORWARD ? scalar_x(pass, b, r) : scalar_y(pass, b, r);
    const vreal sign = vcopysign(vset(1), x);
    const vint left = vlt(x, zero);
    const vreal k = vselect(left, par.weight[0], par.weight[1]);
    const vreal e = vload(scalar_cache(pass, b, 0) + r), h = vload(scalar_cache(pass, b, 1) + r);
    const vreal w = k * e, f = tail_mean(w), g = tail_mean_rest(w, f);
    const vreal by_x = sign * (k * h + vload(scalar_cache(pass, b, 2) + r));
    const vreal bounded = vmin(vset(REAL_EXP_SAFE), w), by_scale = sign * (e * f), by_weight = sign * (e * (e * g));
    vreal gx, gloc, gscale, gweight;
    if (direction == BJ_FORWARD) {
      const vreal grown = gy * vexp(bounded);
      gx = grown * (par.scale * h) + gl * by_x;
      gloc = gy;
      gscale = grown * by_scale + gl / par.scale;
      gweight = grown * (par.scale * by_weight) + gl * e;
    } else {
      const vreal back = (gy - gl * by_x) / h;
      gx = back * vexp(-bounded) / par.scale;
      gloc = -gx;
      gscale = -(back * by_scale + gl) / par.scale;
      gweight = -(back * by_weight + gl * e);
    }
    vstore(pass->gx + b * pass->stride + r, gx);
    const vreal both[2] = {vselect(left, gweight, zero), vselect(left, zero, gweight)};
    if (mode == SHARED) {
      sum[0] += gloc;
      sum[1] += gscale;
      for (int side = 0; side < 2; side++) sum[2 + side] += both[side];
    } else {
      vstore(scalar_gpar(pass, b, 0) + r, gloc * ((const tail *)scalar->self)->scale);
      vstore(scalar_gpar(pass, b, 1) + r, gscale * par.dscale);
      for (int side = 0; side < 2; side++) {
        vstore(scalar_gpar(pass, b, 2 + side) + r, both[side] * par.dweight[side]);
      }
    }
  }
  for (int j = 0; j < 4 && mode == SHARED; j++) pass->gpar[j] += vsum(sum[j]);
}

SCALAR_MODES(tail)

static void tail_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  const tail *self = scalar->self;
  vreal derivative;
  prep[0] = vfirst(tail_bound(vset(self->loc) + self->scale * vset(raw[0])));
  prep[1] = vfirst(tail_scale(self, vset(raw[1]), &derivative));
  for (int side = 0; side < 2; side++) prep[2 + side] = vfirst(tail_weight(vset(raw[2 + side]), &derivative));
}

static void tail_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                             real *graw) {
  const tail *self = scalar->self;
  vreal derivative;
  (void)prep;
  graw[0] += gprep[0] * self->scale;
  tail_scale(self, vset(raw[1]), &derivative);
  graw[1] += gprep[1] * vfirst(derivative);
  for (int side = 0; side < 2; side++) {
    tail_weight(vset(raw[2 + side]), &derivative);
    graw[2 + side] += gprep[2 + side] * vfirst(derivative);
  }
}

static void tail_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  const tail *self = scalar->self;
  (void)rng;
  raw[0] = 0;
  raw[1] = inverse_softplus(1 - TAIL_SCALE_LEAST);
  for (int side = 0; side < 2; side++) raw[2 + side] = inverse_softplus(self->weight[side] - TAIL_WEIGHT_LEAST);
}

static void tail_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  static const char *const names[] = {"loc", "scale", "left", "right"};
  (void)scalar;
  for (int j = 0; j < 4; j++) visit(host, names[j], 1);
}

static bj_status tail_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  tail *self = scalar->self = build_alloc(build, sizeof(tail));
  self->loc = spec_real(build, spec, "loc", -REAL_HUGE, REAL_HUGE);
  self->scale = spec_real(build, spec, "scale", BY_REAL(1e-290, 1e-30f), BY_REAL(1e290, 1e30f));
  const double *weight = spec_numbers(build, spec, "tail", 2);
  for (int side = 0; side < 2; side++) {
    self->weight[side] = (real)weight[side];
    if (!(weight[side] >= 1e-6 && weight[side] <= 100)) {
      spec_error(build, "`tail` of scalar_tail() must be 2 numbers from 1e-06 to 100");
    }
  }
  scalar->n_param = scalar->n_prep = 4;
  scalar->n_cache = 3;
  scalar->n_factor = 1;
  return build->status;
}

static const bj_scalar_kind scalar_tail = {
    .name = "tail",
    .build = tail_build,
    .describe = tail_describe,
    .init = tail_init,
    .prepare = tail_prepare,
    .prepare_vjp = tail_prepare_vjp,
    SCALAR_TABLE(tail),
};
