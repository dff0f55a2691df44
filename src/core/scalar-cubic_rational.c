/* cubic_rational: y = loc + u + alpha u / (1 + beta u^2), u = x - loc.
 *
 *   raw = (loc, alpha, beta);  alpha = lo + (hi - lo) sigmoid(raw + logit(-lo / (hi - lo))), lo = -0.999, hi = 7.999;
 *   beta = 0.1 + softplus(raw + 1)
 *   In s = sqrt(beta) u, with p = 1 / (1 + s^2) and k = s^2 p = 1 - p:  y = loc + u + alpha s p / sqrt(beta)
 *   f' = D = (1 + alpha) - alpha k (1 + 2 p), between 1e-4 and 9
 *   dy = D du + s p / sqrt(beta) dalpha - alpha s p k / sqrt(beta)^3 dbeta
 *   d log f' = (-2 sqrt(beta) s p^2 c du + p (2 p - 1) dalpha - k p c / beta dbeta) / D,  c = alpha (4 p - 1) in du and
 *     dbeta
 *   inverse: s is the real root of s^3 - T s^2 + (1 + alpha) s - T = 0, T = sqrt(beta) (y - loc), and the gradients
 *     follow from those of the forward map: with h = gx - gl d log f'/du the cotangent of u, dy = h / D,
 *     dtheta = -dy (dy/dtheta) - gl (d log f'/dtheta), dloc = gx - dy
 */
#include "num-special.h"
#include "scalar-common.h"

#define CUBIC_RATIONAL_LO (-1 + 1e-3)
#define CUBIC_RATIONAL_HI (8 - 1e-3)
/* Beyond it alpha s p is less than half an ulp of s. */
#define CUBIC_RATIONAL_FAR BY_REAL(1e9, 2e4f)
#define CUBIC_RATIONAL_NEAR BY_REAL(1e-7, 1e-3f)  /* a step of Halley so small, relative to s, is the last */
#define CUBIC_RATIONAL_LAST BY_REAL(2e-16, 1e-7f) /* and of Newton: below REAL_EPS */

typedef struct {
  vreal loc, alpha, above, root, inverse; /* above = 1 + alpha without cancellation; root = sqrt(beta) */
} cubic_rational_par;

/* alpha, 1 + alpha and the derivative of both */
INLINE vreal cubic_rational_alpha(vreal raw, vreal *above, vreal *derivative) {
  const real width = CUBIC_RATIONAL_HI - CUBIC_RATIONAL_LO, start = -CUBIC_RATIONAL_LO / width;
  const vreal sigmoid = vsigmoid(raw + (real)log(start / (1 - start)));
  *above = (real)1e-3 + width * sigmoid;
  *derivative = width * sigmoid * (1.0 - sigmoid);
  return (real)CUBIC_RATIONAL_LO + width * sigmoid;
}

INLINE vreal cubic_rational_beta(vreal raw, vreal *derivative) {
  return (real)0.1 + vsoftplus_sigmoid(raw + 1.0, derivative);
}

/* cache: ROWWISE 0-3: alpha, 1 + alpha, sqrt(beta), its reciprocal; 4, 5: the derivatives of alpha and beta */
INLINE cubic_rational_par cubic_rational_cached(const bj_scalar_pass *pass, int b, int r, bj_sharing mode) {
  cubic_rational_par par;
  if (mode == SHARED) {
    par = (cubic_rational_par){vset(pass->par[0]), vset(pass->par[1]), vset(pass->par[3]), vset(pass->par[4]),
                               vset(pass->par[5])};
  } else {
    par.loc = scalar_par(pass, b, 0, r);
    par.alpha = vload(scalar_cache(pass, b, 0) + r);
    par.above = vload(scalar_cache(pass, b, 1) + r);
    par.root = vload(scalar_cache(pass, b, 2) + r);
    par.inverse = vload(scalar_cache(pass, b, 3) + r);
  }
  return par;
}

INLINE cubic_rational_par cubic_rational_load(const bj_scalar_pass *pass, int b, int r, bj_sharing mode) {
  if (mode == ROWWISE) {
    vreal above, dalpha, dbeta;
    vstore(scalar_cache(pass, b, 0) + r, cubic_rational_alpha(scalar_par(pass, b, 1, r), &above, &dalpha));
    const vreal root = vsqrt(cubic_rational_beta(scalar_par(pass, b, 2, r), &dbeta));
    vstore(scalar_cache(pass, b, 1) + r, above);
    vstore(scalar_cache(pass, b, 2) + r, root);
    vstore(scalar_cache(pass, b, 3) + r, 1.0 / root);
    vstore(scalar_cache(pass, b, 4) + r, dalpha);
    vstore(scalar_cache(pass, b, 5) + r, dbeta);
  }
  return cubic_rational_cached(pass, b, r, mode);
}

INLINE vreal cubic_rational_slope(const cubic_rational_par *par, vreal s, vreal p) {
  return par->above - par->alpha * (s * s * p) * (1.0 + 2.0 * p);
}

/* s within what can be squared; p is then 0 to every digit that counts */
INLINE vreal cubic_rational_scaled(const cubic_rational_par *par, vreal u) {
  return vmax(vset(-REAL_SQUARE), vmin(vset(REAL_SQUARE), par->root * u));
}

/* The root for one 0 <= T <= CUBIC_RATIONAL_FAR: Newton's steps, and halves where they leave the bracket. */
static real cubic_rational_search(real alpha, real above, real t) {
  real low = 0, high = alpha < 0 ? t / above : t, s = t;
  for (int i = 0; i < 200; i++) {
    const real p = 1 / (1 + s * s), off = (s - t) + alpha * s * p;
    if (off > 0)
      high = s;
    else
      low = s;
    const real slope = above - alpha * (s * s * p) * (1 + 2 * p);
    real next = s - off / slope;
    if (!(next >= low && next <= high)) next = 0.5 * (low + high);
    if (fabs(next - s) <= CUBIC_RATIONAL_LAST * fabs(next)) return next;
    s = next;
  }
  return s;
}

NOINLINE void cubic_rational_search_lanes(const real *alpha, const real *above, const real *t, const real *found,
                                          real *s) {
  for (int i = 0; i < BJ_LANES; i++) {
    if (found[i] == 0) s[i] = cubic_rational_search(alpha[i], above[i], t[i]);
  }
}

/* The root s >= 0 for T >= 0. With s = T / 3 + r the cubic is r^3 + P r = Q. For P > 0 the root is that of
 * cubic_roots(). For P < 0, where Q > 0, r lies between Q^(1/3) and 1.6 Q^(1/3). Steps of Halley on the rational form
 * finish, whose rounding errors are smaller; a lane whose last step was not small is searched. */
INLINE vreal cubic_rational_root(const cubic_rational_par *par, vreal t) {
  const vreal third = t * (real)(1.0 / 3), square = t * t;
  const vreal p3 = par->above - square * (real)(1.0 / 3);
  const vreal q3 = t * (square * (real)(2.0 / 27) + (3.0 - par->above) * (real)(1.0 / 3));
  const vreal up = vmax(vset(1e-6), p3), ratio = q3 / up;
  vreal argument[1] = {ratio * ratio / up}, h[1], reciprocal[1];
  cubic_roots(1, argument, h, reciprocal);
  /* r = c (1 + g / 3), c^3 = Q roughly: r^3 - |P| r - Q = 0 in units of c */
  const vreal q_safe = vmax(vset(1e-3), q3);
  const vreal c = vexp(vlog_normal(q_safe) * (real)(1.0 / 3)), g = -vmin(p3, vset(0)) / (c * c);
  const vreal above_root = c * (1.0 + g * ((real)0.3333 - (real)0.009 * g));
  vreal s = third + vselect(vlt(vset(1e-6), p3), ratio * h[0], above_root), change = s;
  for (int step = 0; step < 4; step++) {
    const vreal p = 1.0 / (1.0 + s * s), sp = s * p, off = (t - s) - par->alpha * sp;
    const vreal slope = cubic_rational_slope(par, s, p), bend = par->alpha * sp * p * (1.0 - 4.0 * p);
    change = off * slope / (slope * slope + off * bend);
    s = s + change;
  }
  const vint found = vle(vabs(change), CUBIC_RATIONAL_NEAR * vabs(s)) & vle(vset(0), s);
  if (!LIKELY(!vany(~found))) {
    real lanes[5][BJ_LANES];
    vstore(lanes[0], par->alpha);
    vstore(lanes[1], par->above);
    vstore(lanes[2], t);
    vstore(lanes[3], vselect(found, vset(1), vset(0)));
    vstore(lanes[4], s);
    cubic_rational_search_lanes(lanes[0], lanes[1], lanes[2], lanes[3], lanes[4]);
    s = vload(lanes[4]);
  }
  return s;
}

INLINE void cubic_rational_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                               bj_direction direction) {
  (void)scalar;
  logdet_claim(pass->logdet, pass->nb, 1);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const cubic_rational_par par = cubic_rational_load(pass, b, r, mode);
    const vreal u = scalar_x(pass, b, r) - par.loc;
    vreal s = cubic_rational_scaled(&par, u), y = u;
    if (direction == BJ_INVERSE) {
      const vreal size = vabs(s);
      const vint far = vlt(vset(CUBIC_RATIONAL_FAR), size);
      const vreal root = cubic_rational_root(&par, vmin(vset(CUBIC_RATIONAL_FAR), size));
      s = vcopysign(vselect(far, size, root), s);
      y = vselect(far, u, s * par.inverse);
    }
    const vreal p = 1.0 / (1.0 + s * s), slope = cubic_rational_slope(&par, s, p);
    if (direction == BJ_FORWARD) y = u + par.alpha * (s * p) * par.inverse;
    vstore(pass->y + b * pass->stride + r, y + par.loc);
    logdet_multiply_bounded(pass->logdet, b * BJ_BLOCK + r, direction == BJ_FORWARD ? slope : 1.0 / slope);
  }
}

INLINE void cubic_rational_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                               bj_direction direction) {
  (void)scalar;
  vreal sum[3] = {vset(0), vset(0), vset(0)};
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const cubic_rational_par par = cubic_rational_cached(pass, b, r, mode);
    const vreal input = direction == BJ_FORWARD ? scalar_x(pass, b, r) : scalar_y(pass, b, r);
    const vreal s = cubic_rational_scaled(&par, input - par.loc), p = 1.0 / (1.0 + s * s), sp = s * p, k = s * sp;
    const vreal slope = cubic_rational_slope(&par, s, p), gy = scalar_gy(pass, b, r), gl = scalar_gl(pass, b, r);
    const vreal gd = gl / slope, c = par.alpha * (4.0 * p - 1.0), inverse_beta = par.inverse * par.inverse;
    const vreal by_alpha = sp * par.inverse, by_beta = -par.alpha * k * inverse_beta * by_alpha;
    const vreal log_u = gd * c * ((real)-2.0 * par.root * (sp * p));
    const vreal log_alpha = gd * (p * (2.0 * p - 1.0)), log_beta = -gd * c * (k * p * inverse_beta);
    vreal gx, g[3];
    if (direction == BJ_FORWARD) {
      gx = gy * slope + log_u;
      g[1] = gy * by_alpha + log_alpha;
      g[2] = gy * by_beta + log_beta;
    } else {
      gx = (gy - log_u) / slope;
      g[1] = -(gx * by_alpha + log_alpha);
      g[2] = -(gx * by_beta + log_beta);
    }
    g[0] = gy - gx;
    vstore(pass->gx + b * pass->stride + r, gx);
    if (mode == SHARED) {
      for (int j = 0; j < 3; j++) sum[j] += g[j];
    } else {
      vstore(scalar_gpar(pass, b, 0) + r, g[0]);
      vstore(scalar_gpar(pass, b, 1) + r, g[1] * vload(scalar_cache(pass, b, 4) + r));
      vstore(scalar_gpar(pass, b, 2) + r, g[2] * vload(scalar_cache(pass, b, 5) + r));
    }
  }
  for (int j = 0; j < 3 && mode == SHARED; j++) pass->gpar[j] += vsum(sum[j]);
}

SCALAR_MODES(cubic_rational)

static void cubic_rational_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  vreal above, derivative;
  (void)scalar;
  prep[0] = raw[0];
  prep[1] = vfirst(cubic_rational_alpha(vset(raw[1]), &above, &derivative));
  prep[2] = vfirst(cubic_rational_beta(vset(raw[2]), &derivative));
  prep[3] = vfirst(above);
  prep[4] = sqrt(prep[2]);
  prep[5] = 1 / prep[4];
}

static void cubic_rational_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                       real *graw) {
  vreal above, dalpha, dbeta;
  (void)scalar, (void)prep;
  cubic_rational_alpha(vset(raw[1]), &above, &dalpha);
  cubic_rational_beta(vset(raw[2]), &dbeta);
  graw[0] += gprep[0];
  graw[1] += gprep[1] * vfirst(dalpha);
  graw[2] += gprep[2] * vfirst(dbeta);
}

static void cubic_rational_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  raw[0] = 0;
  raw[1] = *(const real *)scalar->self * rng_normal(rng);
  raw[2] = inverse_softplus(0.9) - 1;
}

static void cubic_rational_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "loc", 1);
  visit(host, "alpha", 1);
  visit(host, "beta", 1);
}

static bj_status cubic_rational_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  real *init_scale = scalar->self = build_alloc(build, sizeof(real));
  *init_scale = spec_real(build, spec, "init_scale", 0, INFINITY);
  scalar->n_param = 3;
  scalar->n_prep = scalar->n_cache = 6;
  scalar->n_factor = 1;
  return build->status;
}

static const bj_scalar_kind scalar_cubic_rational = {
    .name = "cubic_rational",
    .build = cubic_rational_build,
    .describe = cubic_rational_describe,
    .init = cubic_rational_init,
    .prepare = cubic_rational_prepare,
    .prepare_vjp = cubic_rational_prepare_vjp,
    SCALAR_TABLE(cubic_rational),
};
