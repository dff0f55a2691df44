/* cubic_conjugation: y = loc + w, where g(w) = g(u) + beta, u = x - loc, g(u) = a u + b u^3.
 *
 *   raw = (loc, beta, a, b);  a, b = exp(2 tanh(raw / 2)), between 0.135 and 7.39
 *   f' = Du / Dw,  Du = a + 3 b u^2,  Dw = a + 3 b w^2
 *   vjp of (y, log f'):  gw = gy - gl 6 b w / Dw,  gv = gw / Dw,  du = gv Du + gl 6 b u / Du
 *     dx = du,  dloc = gy - du,  dbeta = gv,  da = gl (1/Du - 1/Dw) + gv (u - w),
 *     db = gl (3 u^2/Du - 3 w^2/Dw) + gv (u^3 - w^3),  where 3 b (u^2/Du - w^2/Dw) = -a (1/Du - 1/Dw)
 *   inverse: the same with -beta
 *
 * Rows in which g would overflow, and in the vjp rows in which u^3 - w^3 would cancel, count as u = w = 0 in the loops
 * over vectors. Afterwards they go one by one through a form scaled by m, the larger of u and w, in which a / m^2
 * stands for a and beta / m^3 for beta.
 */
#include "num-special.h"
#include "scalar-common.h"

/* Vectors that are worked on side by side. */
#define CUBIC_CONJUGATION_MOST 4
#define CUBIC_CONJUGATION_WIDE WAYS(CUBIC_CONJUGATION_MOST)
/* Beyond these a row is `large`: they keep |g(u) + beta| within 2^303 (floats: 2^33), its square and cubic_roots() from
 * overflow. */
#define CUBIC_CONJUGATION_MAX_U BY_REAL(0x1p99, 0x1p9f)
#define CUBIC_CONJUGATION_MAX_BETA BY_REAL(0x1p300, 0x1p30f)
#define CUBIC_CONJUGATION_MAX_VJP BY_REAL(0x1p10, 0x1p4f) /* of u and w */
/* |beta| up to this keeps the slope within LOGDET_SLOPE, and logdet_multiply_bounded may be used. For |beta| = B let
 * delta = w - u. Then a |delta| + b |delta|^3 / 4 <= B, so delta^2 <= (4 B / b)^(2/3), and
 * Dw <= a + 6 b u^2 + 6 b delta^2 <= 2 Du + 6 b delta^2, hence Dw / Du <= 2 + 6 (b / a) (4 B / b)^(2/3), at most
 * 2 + 6 e^4 (4 e^2 B)^(2/3) < 2^58 for B = 1e20 (floats: 2^28, 1e7); so does Du / Dw, as -beta leads back. */
#define CUBIC_CONJUGATION_BOUNDED_BETA BY_REAL(1e20, 1e7f)

/* Of a and b: tanh(raw / 2) is +-1 long before. */
#define CUBIC_CONJUGATION_MAX_RAW BY_REAL(300, 80)

typedef struct {
  vreal loc, beta, a, b, inverse_a, c; /* c = b / a^3; beta has the sign of the direction */
} cubic_conjugation_par;

/* value = exp(2 tanh(raw / 2)) and its derivative for n raw numbers, side by side. With e = e^raw and p = 1 / (1 + e),
 * tanh(raw / 2) is 1 - 2 p. Arguments within +-CUBIC_CONJUGATION_MAX_RAW, or +-2, need none of vexp's care. */
INLINE void cubic_conjugation_bounded(int n, const vreal *raw, vreal *value, vreal *derivative) {
  vreal r[CUBIC_CONJUGATION_MOST], e[CUBIC_CONJUGATION_MOST], p[CUBIC_CONJUGATION_MOST];
#define EACH UNROLL for (int k = 0; k < n; k++)
  EACH e[k] = exp_split(vmax(vset(-CUBIC_CONJUGATION_MAX_RAW), vmin(vset(CUBIC_CONJUGATION_MAX_RAW), raw[k])), r + k);
  EACH p[k] = exp_polynomial(r[k]);
  EACH e[k] = (1.0 + p[k]) * exp_scale(e[k], 0);
  EACH p[k] = 1.0 / (1.0 + e[k]);
  EACH derivative[k] = exp_split(2.0 - 4.0 * p[k], r + k);
  EACH value[k] = exp_polynomial(r[k]);
  EACH value[k] = (1.0 + value[k]) * exp_scale(derivative[k], 0);
  EACH derivative[k] = value[k] * (4.0 * p[k] * (1.0 - p[k]));
#undef EACH
}

INLINE cubic_conjugation_par cubic_conjugation_shared(const bj_scalar_pass *pass, bj_direction direction) {
  const real *par = pass->par;
  return (cubic_conjugation_par){vset(par[0]), vset(direction == BJ_FORWARD ? par[1] : -par[1]),
                                 vset(par[2]), vset(par[3]),
                                 vset(par[4]), vset(par[5])};
}

/* cache: 0: 1 / Dw; ROWWISE also 1, 2: a, b; 3, 4: their derivatives, unless the twin has them */
INLINE void cubic_conjugation_constrain(const bj_scalar_pass *pass, int b) {
  for (int i = 0; i < BJ_BLOCK; i += CUBIC_CONJUGATION_WIDE * BJ_LANES) {
    vreal raw[CUBIC_CONJUGATION_MOST], value[CUBIC_CONJUGATION_MOST], derivative[CUBIC_CONJUGATION_MOST];
    for (int j = 0; j < 2; j++) {
      UNROLL for (int k = 0; k < CUBIC_CONJUGATION_WIDE; k++) raw[k] = scalar_par(pass, b, 2 + j, i + k * BJ_LANES);
      cubic_conjugation_bounded(CUBIC_CONJUGATION_WIDE, raw, value, derivative);
      UNROLL for (int k = 0; k < CUBIC_CONJUGATION_WIDE; k++) {
        vstore(scalar_cache(pass, b, 1 + j) + i + k * BJ_LANES, value[k]);
        vstore(scalar_cache(pass, b, 3 + j) + i + k * BJ_LANES, derivative[k]);
      }
    }
  }
}

INLINE cubic_conjugation_par cubic_conjugation_rowwise(const bj_scalar_pass *pass, int b, int r,
                                                       bj_direction direction) {
  cubic_conjugation_par par;
  par.loc = scalar_par(pass, b, 0, r);
  par.beta = direction == BJ_FORWARD ? scalar_par(pass, b, 1, r) : -scalar_par(pass, b, 1, r);
  par.a = vload(scalar_kept(pass, b, 1) + r);
  par.b = vload(scalar_kept(pass, b, 2) + r);
  par.inverse_a = 1.0 / par.a;
  par.c = par.b * par.inverse_a * par.inverse_a * par.inverse_a;
  return par;
}

/* ---- rows one by one --------------------------------------------------------------------------------------------- */

typedef struct {
  real loc, beta, a, b;
} cubic_conjugation_row;

static cubic_conjugation_row cubic_conjugation_one(const bj_scalar_pass *pass, int b, int r, bj_sharing mode,
                                                   bj_direction direction) {
  const real sign = direction == BJ_FORWARD ? 1 : -1;
  if (mode == SHARED) return (cubic_conjugation_row){pass->par[0], sign * pass->par[1], pass->par[2], pass->par[3]};
  const real *par = pass->par + b * pass->par_stride + r;
  return (cubic_conjugation_row){par[0], sign * par[BJ_BLOCK], scalar_kept(pass, b, 1)[r], scalar_kept(pass, b, 2)[r]};
}

/* The values of large rows. a is nothing beside b m^2 there. */
NOINLINE void cubic_conjugation_large(const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  for (int i = 0; i < pass->nb * BJ_BLOCK; i++) {
    const int b = i / BJ_BLOCK, r = i % BJ_BLOCK;
    const cubic_conjugation_row par = cubic_conjugation_one(pass, b, r, mode, direction);
    const real u = pass->x[b * pass->stride + r] - par.loc;
    if (fabs(u) <= CUBIC_CONJUGATION_MAX_U && fabs(par.beta) <= CUBIC_CONJUGATION_MAX_BETA) continue;
    const real m = fmax(fabs(u), cbrt(fabs(par.beta))), a = fmax(par.a / m / m, REAL_TINY);
    const real scaled_u = u / m, scaled_w = cbrt(scaled_u * scaled_u * scaled_u + par.beta / m / m / m / par.b);
    pass->y[b * pass->stride + r] = par.loc + m * scaled_w;
    pass->logdet->sum[i] += log((a + 3 * par.b * scaled_u * scaled_u) / (a + 3 * par.b * scaled_w * scaled_w));
  }
}

/* The gradient of large rows. u - w = -beta / (a + b (u^2 + u w + w^2)) does not cancel. */
NOINLINE void cubic_conjugation_large_vjp(const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  for (int i = 0; i < pass->nb * BJ_BLOCK; i++) {
    const int b = i / BJ_BLOCK, r = i % BJ_BLOCK;
    const cubic_conjugation_row par = cubic_conjugation_one(pass, b, r, mode, direction);
    const long at = b * pass->stride + r;
    const real u = pass->x[at] - par.loc, w = pass->y[at] - par.loc, gl = pass->gl[i];
    if (fabs(u) <= CUBIC_CONJUGATION_MAX_VJP && fabs(w) <= CUBIC_CONJUGATION_MAX_VJP) continue;
    const real m = fmax(fabs(u), fabs(w)), su = u / m, sw = w / m, a = fmax(par.a / m / m, REAL_TINY),
               q = su * su + su * sw + sw * sw;
    const real du = a + 3 * par.b * su * su, dw = a + 3 * par.b * sw * sw;
    const real gw = pass->gy[at] - gl * (6 * par.b * sw / dw) / m, gv = gw / dw / m / m;
    const real gx = gw * (du / dw) + gl * (6 * par.b * su / du) / m;
    const real difference = gl * (1 / du - 1 / dw) / m / m, apart = -par.beta / (a + par.b * q) / m / m;
    real g[4] = {pass->gy[at] - gx, direction == BJ_FORWARD ? gv : -gv, difference + gv * apart,
                 gw / dw * apart * q - par.a / par.b * difference};
    pass->gx[at] = gx;
    if (mode == ROWWISE) {
      g[2] *= scalar_kept(pass, b, 3)[r];
      g[3] *= scalar_kept(pass, b, 4)[r];
    }
    for (int j = 0; j < 4; j++) {
      if (mode == SHARED)
        pass->gpar[j] += g[j];
      else
        scalar_gpar(pass, b, j)[r] = g[j];
    }
  }
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

/* Returns the mask of rows that are not large. */
INLINE vint cubic_conjugation_rows(const bj_scalar_pass *pass, int b, int row, const cubic_conjugation_par *par,
                                   int bounded) {
  const int n = CUBIC_CONJUGATION_WIDE;
  vreal v[CUBIC_CONJUGATION_WIDE], du[CUBIC_CONJUGATION_WIDE], s[CUBIC_CONJUGATION_WIDE];
  vreal h[CUBIC_CONJUGATION_WIDE], r[CUBIC_CONJUGATION_WIDE];
  vint all = ~(vint){0};
#define EACH UNROLL for (int k = 0; k < n; k++)
  EACH {
    const vreal apart = scalar_x(pass, b, row + k * BJ_LANES) - par[k].loc;
    const vint small =
        vle(vabs(apart), vset(CUBIC_CONJUGATION_MAX_U)) & vle(vabs(par[k].beta), vset(CUBIC_CONJUGATION_MAX_BETA));
    const vreal u = vfrombits(vbits(apart) & small), square = u * u;
    v[k] = u * (par[k].a + par[k].b * square) + vfrombits(vbits(par[k].beta) & small);
    du[k] = par[k].a + 3.0 * par[k].b * square;
    s[k] = v[k] * v[k] * par[k].c;
    all &= small;
  }
  cubic_roots(n, s, h, r);
  EACH {
    const int at = row + k * BJ_LANES;
    const vreal inverse = r[k] * par[k].inverse_a;
    vstore(scalar_cache(pass, b, 0) + at, inverse);
    vstore(pass->y + b * pass->stride + at, v[k] * (h[k] * par[k].inverse_a) + par[k].loc);
    if (bounded) {
      logdet_multiply_bounded(pass->logdet, b * BJ_BLOCK + at, du[k] * inverse);
    } else {
      logdet_multiply(pass->logdet, b * BJ_BLOCK + at, du[k] * inverse);
    }
  }
#undef EACH
  return all;
}

INLINE void cubic_conjugation_map(const bj_scalar *scalar, const bj_scalar_pass *shared_pass, bj_sharing mode,
                                  bj_direction direction) {
  const bj_scalar_pass own = *shared_pass, *pass = &own; /* a copy, which no store can change */
  (void)scalar;
  const int step = CUBIC_CONJUGATION_WIDE * BJ_LANES;
  cubic_conjugation_par par[CUBIC_CONJUGATION_WIDE];
  vint all = ~(vint){0};
  logdet_claim(pass->logdet, pass->nb, 1);
  if (mode == SHARED) {
    for (int k = 0; k < CUBIC_CONJUGATION_WIDE; k++) par[k] = cubic_conjugation_shared(pass, direction);
    const int bounded = fabs(pass->par[1]) <= CUBIC_CONJUGATION_BOUNDED_BETA;
    for (int b = 0; b < pass->nb; b++) {
      for (int r = 0; r < BJ_BLOCK; r += step)
        all &= bounded ? cubic_conjugation_rows(pass, b, r, par, 1) : cubic_conjugation_rows(pass, b, r, par, 0);
    }
  } else {
    for (int b = 0; b < pass->nb; b++) {
      if (!pass->twin) cubic_conjugation_constrain(pass, b);
      for (int r = 0; r < BJ_BLOCK; r += step) {
        UNROLL for (int k = 0; k < CUBIC_CONJUGATION_WIDE; k++) {
          par[k] = cubic_conjugation_rowwise(pass, b, r + k * BJ_LANES, direction);
        }
        all &= cubic_conjugation_rows(pass, b, r, par, 0);
      }
    }
  }
  if (!LIKELY(!vany(~all))) cubic_conjugation_large(shared_pass, mode, direction);
}

INLINE void cubic_conjugation_vjp(const bj_scalar *scalar, const bj_scalar_pass *shared_pass, bj_sharing mode,
                                  bj_direction direction) {
  const bj_scalar_pass own = *shared_pass, *pass = &own; /* a copy, which no store can change */
  (void)scalar;
  vreal loc = vset(0), beta = loc, difference = loc, sum_a = loc, sum_b = loc;
  cubic_conjugation_par par;
  vint all = ~(vint){0};
  if (mode == SHARED) par = cubic_conjugation_shared(pass, direction);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    if (mode == ROWWISE) {
      par.loc = scalar_par(pass, b, 0, r);
      par.a = vload(scalar_kept(pass, b, 1) + r), par.b = vload(scalar_kept(pass, b, 2) + r);
    }
    const vreal u_all = scalar_x(pass, b, r) - par.loc, w_all = scalar_y(pass, b, r) - par.loc;
    const vint small =
        vle(vabs(u_all), vset(CUBIC_CONJUGATION_MAX_VJP)) & vle(vabs(w_all), vset(CUBIC_CONJUGATION_MAX_VJP));
    const vreal u = vfrombits(vbits(u_all) & small), w = vfrombits(vbits(w_all) & small);
    const vreal gy = vfrombits(vbits(scalar_gy(pass, b, r)) & small),
                gl = vfrombits(vbits(scalar_gl(pass, b, r)) & small);
    const vreal inverse_dw = vload(scalar_cache(pass, b, 0) + r);
    const vreal square = u * u, du = par.a + 3.0 * par.b * square, inverse_du = 1.0 / du;
    const vreal gl6 = gl * (6.0 * par.b);
    const vreal gv = (gy - gl6 * (w * inverse_dw)) * inverse_dw, gvu = gv * u, gvw = gv * w;
    const vreal gx = gv * du + gl6 * (u * inverse_du);
    const vreal apart = gl * (inverse_du - inverse_dw), ga = gvu - gvw, gb = gvu * square - gvw * (w * w);
    vstore(pass->gx + b * pass->stride + r, gx);
    all &= small;
    if (mode == SHARED) {
      loc += gy - gx;
      beta += gv;
      difference += apart;
      sum_a += ga;
      sum_b += gb;
    } else {
      vstore(scalar_gpar(pass, b, 0) + r, gy - gx);
      vstore(scalar_gpar(pass, b, 1) + r, direction == BJ_FORWARD ? gv : -gv);
      vstore(scalar_gpar(pass, b, 2) + r, (apart + ga) * vload(scalar_kept(pass, b, 3) + r));
      vstore(scalar_gpar(pass, b, 3) + r, (gb - par.a / par.b * apart) * vload(scalar_kept(pass, b, 4) + r));
    }
  }
  if (mode == SHARED) {
    const real both = vsum(difference);
    pass->gpar[0] += vsum(loc);
    pass->gpar[1] += direction == BJ_FORWARD ? vsum(beta) : -vsum(beta);
    pass->gpar[2] += vsum(sum_a) + both;
    pass->gpar[3] += vsum(sum_b) - pass->par[2] * pass->par[6] * both;
  }
  if (!LIKELY(!vany(~all))) cubic_conjugation_large_vjp(shared_pass, mode, direction);
}

SCALAR_MODES(cubic_conjugation)

static void cubic_conjugation_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  (void)scalar;
  prep[0] = raw[0];
  prep[1] = raw[1];
  for (int j = 2; j < 4; j++) {
    vreal value, derivative, one = vset(raw[j]);
    cubic_conjugation_bounded(1, &one, &value, &derivative);
    prep[j] = vfirst(value);
  }
  prep[4] = 1 / prep[2];
  prep[5] = prep[3] * prep[4] * prep[4] * prep[4];
  prep[6] = 1 / prep[3];
}

static void cubic_conjugation_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                          real *graw) {
  (void)scalar, (void)prep;
  graw[0] += gprep[0];
  graw[1] += gprep[1];
  for (int j = 2; j < 4; j++) {
    vreal value, derivative, one = vset(raw[j]);
    cubic_conjugation_bounded(1, &one, &value, &derivative);
    graw[j] += gprep[j] * vfirst(derivative);
  }
}

static void cubic_conjugation_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  raw[0] = 0;
  raw[1] = *(const real *)scalar->self * rng_normal(rng);
  raw[2] = 0;
  raw[3] = 2 * atanh(log(0.3) / 2);
}

static void cubic_conjugation_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "loc", 1);
  visit(host, "beta", 1);
  visit(host, "a", 1);
  visit(host, "b", 1);
}

static bj_status cubic_conjugation_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  real *init_scale = scalar->self = build_alloc(build, sizeof(real));
  *init_scale = spec_real(build, spec, "init_scale", 0, INFINITY);
  scalar->n_param = 4;
  scalar->n_prep = 7;
  scalar->n_cache = 5;
  scalar->n_factor = 1;
  return build->status;
}

static const bj_scalar_kind scalar_cubic_conjugation = {
    .name = "cubic_conjugation",
    .build = cubic_conjugation_build,
    .describe = cubic_conjugation_describe,
    .init = cubic_conjugation_init,
    .prepare = cubic_conjugation_prepare,
    .prepare_vjp = cubic_conjugation_prepare_vjp,
    SCALAR_TABLE(cubic_conjugation),
};
