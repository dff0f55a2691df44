/* beta_stretch: y = x^a / (x^a + (1 - x)^a) of the unit interval onto itself, that is logit y = a logit x.
 *
 *   a = softplus(raw), kept within 2^+-300 (floats: 2^+-37)
 *   With m = min(x, 1 - x), L = log((1 - m) / m) = |logit x| and e = exp(-a L), min(y, 1 - y) = e / (1 + e) and
 *   log f' = log a + log(y (1 - y)) - log(x (1 - x)) = log a + (1 - a) L - 2 log(1 + e) - 2 log(1 - m)
 *   (log f')' = (a (1 - 2 y) - (1 - 2 x)) / (x (1 - x))
 *   dy/da = logit x  y (1 - y),  d log f'/da = 1 / a + logit x  (1 - 2 y);  da/draw = sigmoid(raw)
 *   inverse: the same with 1 / a, whose derivative is -1 / a^2
 */
#include "scalar-fixed.h"

#define BETA_STRETCH_MOST BY_REAL(0x1p300, 0x1p37f)

INLINE vreal beta_stretch_shape(vreal raw, vreal *derivative) {
  return vmax(vset(1 / BETA_STRETCH_MOST), vmin(vset(BETA_STRETCH_MOST), vsoftplus_sigmoid(raw, derivative)));
}

INLINE vreal beta_stretch_inner(vreal x, vint *inside) {
  *inside = vlt(vset(0), x) & vlt(x, vset(1));
  return vselect(*inside, vmax(vset(REAL_TINY), x), vset(0.5));
}

/* cache: 0: f', 1: logit x, 2: 1 - 2 y, 3: y (1 - y); ROWWISE also 4: a or 1 / a, 5: da/draw */
INLINE void beta_stretch_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                             bj_direction direction) {
  (void)scalar;
  logdet_claim(pass->logdet, pass->nb, 1);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const long at = b * BJ_BLOCK + r;
    vreal a;
    if (mode == SHARED) {
      a = vset(pass->par[direction == BJ_FORWARD ? 0 : 1]);
    } else {
      vreal derivative;
      a = beta_stretch_shape(scalar_par(pass, b, 0, r), &derivative);
      if (direction == BJ_INVERSE) a = 1.0 / a;
      vstore(scalar_cache(pass, b, 4) + r, a);
      vstore(scalar_cache(pass, b, 5) + r, derivative);
    }
    vint inside;
    const vreal x = beta_stretch_inner(scalar_x(pass, b, r), &inside);
    const vreal m = vmin(x, 1.0 - x), centred = x - 0.5;
    const vreal size = vlog1p((1.0 - 2.0 * m) / m), e = exp_of_negative(-(a * size)), over = 1.0 / (1.0 + e);
    const vreal log_slope = vlog(a) + ((1.0 - a) * size - 2.0 * (log1p_unit(e) + vlog1p(-m)));
    logdet_add(pass->logdet, at, log_slope);
    const vreal y = vselect(vlt(centred, vset(0)), e * over, over);
    vstore(pass->y + b * pass->stride + r, fixed_outside(inside, y, pass->logdet, at));
    vstore(scalar_cache(pass, b, 0) + r, vselect(inside, vexp(log_slope), vset(0)));
    vstore(scalar_cache(pass, b, 1) + r, vcopysign(size, centred));
    vstore(scalar_cache(pass, b, 2) + r, vcopysign((1.0 - e) * over, -centred));
    vstore(scalar_cache(pass, b, 3) + r, e * over * over);
  }
}

INLINE void beta_stretch_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                             bj_direction direction) {
  (void)scalar;
  vreal sum = vset(0);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const vreal a =
        mode == SHARED ? vset(pass->par[direction == BJ_FORWARD ? 0 : 1]) : vload(scalar_cache(pass, b, 4) + r);
    vint inside;
    const vreal x = beta_stretch_inner(scalar_x(pass, b, r), &inside);
    const vreal logit = vload(scalar_cache(pass, b, 1) + r), slant = vload(scalar_cache(pass, b, 2) + r);
    const vreal gy = scalar_gy(pass, b, r), gl = scalar_gl(pass, b, r);
    const vreal log_slope = (a * slant - (1.0 - 2.0 * x)) / (x * (1.0 - x));
    const vreal gx = gy * vload(scalar_cache(pass, b, 0) + r) + gl * vselect(inside, log_slope, vset(0));
    vreal ga = gy * (logit * vload(scalar_cache(pass, b, 3) + r)) + gl * (1.0 / a + logit * slant);
    if (direction == BJ_INVERSE) ga = -ga * a * a;
    ga = vselect(inside, ga, vset(0));
    vstore(pass->gx + b * pass->stride + r, gx);
    if (mode == SHARED) {
      sum += ga;
    } else {
      vstore(scalar_gpar(pass, b, 0) + r, ga * vload(scalar_cache(pass, b, 5) + r));
    }
  }
  if (mode == SHARED) pass->gpar[0] += vsum(sum);
}

SCALAR_MODES(beta_stretch)

static void beta_stretch_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  vreal derivative;
  (void)scalar;
  prep[0] = vfirst(beta_stretch_shape(vset(raw[0]), &derivative));
  prep[1] = 1 / prep[0];
}

static void beta_stretch_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                     real *graw) {
  vreal derivative;
  (void)scalar, (void)prep;
  beta_stretch_shape(vset(raw[0]), &derivative);
  graw[0] += gprep[0] * vfirst(derivative);
}

static void beta_stretch_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  (void)scalar, (void)rng;
  raw[0] = inverse_softplus(1);
}

static void beta_stretch_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "a", 1);
}

static bj_status beta_stretch_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  (void)spec, (void)build;
  scalar->n_param = 1;
  scalar->n_prep = 2;
  scalar->n_cache = 6;
  return BJ_OK;
}

static const bj_scalar_kind scalar_beta_stretch = {
    .name = "beta_stretch",
    .build = beta_stretch_build,
    .describe = beta_stretch_describe,
    .init = beta_stretch_init,
    .prepare = beta_stretch_prepare,
    .prepare_vjp = beta_stretch_prepare_vjp,
    SCALAR_TABLE(beta_stretch),
};
