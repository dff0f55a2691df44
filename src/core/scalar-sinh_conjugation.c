/* sinh_conjugation: y = loc + alpha w, w = asinh(z), z = e^mu (e^nu sinh t + beta), t = (x - loc) / alpha.
 *
 *   raw = (loc, alpha, beta, mu, nu);  alpha = softplus(raw) + 0.1;  mu, nu = asinh(raw), so that e^mu is
 *   raw + sqrt(raw^2 + 1), without an exponential
 *   With R = sqrt(1 + z^2):  f' = k = e^(mu + nu) cosh t / R,  T = tanh t,  Z = z / R = tanh w,  m = e^mu / R
 *   dw = k dt + Z dmu + k T dnu + m dbeta
 *   d log f' = (T - Z k) dt + (1 - Z^2) dmu + (1 - Z k T) dnu - Z m dbeta
 *   vjp, with q = gl (T - Z k) / alpha:  dx = gy k + q,  dloc = gy - dx,  dalpha = gy (w - k t) - q t,
 *     dmu = gy alpha Z + gl (1 - Z^2),  dnu = gy alpha k T + gl (1 - Z k T),  dbeta = gy alpha m - gl Z m
 *   inverse: the same with -beta for beta, -nu for mu, -mu for nu
 *
 * Rows in which sinh t or z^2 would overflow go one by one through logarithms: with A = log|e^nu sinh t|, B = log|beta|
 * and M the larger, log|z| = mu + M + log|+-e^(A - M) +- e^(B - M)|, and asinh z = +-(log|z| + log 2) for large z. What
 * is large in log cosh t and in log|z| is the same number, and never enters their difference.
 */
#include "scalar-common.h"

/* Beyond these a row is large. They keep z within e^200 1e24^2 4, of floats e^20 1e4^2 4. */
#define SINH_CONJUGATION_MAX_T BY_REAL(200.0, 20.0f)
#define SINH_CONJUGATION_MAX_RAW BY_REAL(1e24, 1e4f) /* of mu and nu */
#define SINH_CONJUGATION_MAX_BETA BY_REAL(1e80, 1e10f)

enum { SINH_CONJUGATION_LOC, SINH_CONJUGATION_ALPHA, SINH_CONJUGATION_BETA, SINH_CONJUGATION_MU, SINH_CONJUGATION_NU };
enum {
  SINH_CONJUGATION_SLOPE,    /* k */
  SINH_CONJUGATION_TANH_T,   /* T */
  SINH_CONJUGATION_TANH_W,   /* Z */
  SINH_CONJUGATION_BY_BETA,  /* m */
  SINH_CONJUGATION_BY_ALPHA, /* w - k t */
  SINH_CONJUGATION_N_CACHE
};

/* Raw values of the call made: of the inverse they are (loc, alpha, -beta, -nu, -mu), as asinh is odd. */
typedef struct {
  vreal loc, alpha, beta, mu, nu;
} sinh_conjugation_par;

INLINE vreal sinh_conjugation_alpha(vreal raw, vreal *derivative) {
  return vsoftplus_sigmoid(raw, derivative) + (real)0.1;
}

INLINE sinh_conjugation_par sinh_conjugation_load(const bj_scalar_pass *pass, int b, int r, bj_sharing mode,
                                                  bj_direction direction) {
  vreal value[5], derivative;
  for (int j = 0; j < 5; j++) value[j] = mode == SHARED ? vset(pass->par[j]) : scalar_par(pass, b, j, r);
  sinh_conjugation_par par = {value[0], value[1], value[2], value[3], value[4]};
  if (mode == ROWWISE) par.alpha = sinh_conjugation_alpha(value[1], &derivative);
  if (direction == BJ_INVERSE) {
    par.beta = -value[2];
    par.mu = -value[4];
    par.nu = -value[3];
  }
  return par;
}

/* e^asinh(raw) */
INLINE vreal sinh_conjugation_exp(vreal raw) {
  const vreal large = vabs(raw) + vsqrt(1.0 + raw * raw);
  return vselect(vlt(raw, vset(0)), 1.0 / large, large);
}

INLINE vint sinh_conjugation_ordinary(const sinh_conjugation_par *par, vreal t) {
  const vreal raw = vmax(vabs(par->mu), vabs(par->nu));
  return vle(vabs(t), vset(SINH_CONJUGATION_MAX_T)) & vle(raw, vset(SINH_CONJUGATION_MAX_RAW)) &
         vle(vabs(par->beta), vset(SINH_CONJUGATION_MAX_BETA));
}

/* ---- rows one by one --------------------------------------------------------------------------------------------- */

typedef struct {
  real w, log_slope, slope, tanh_t, tanh_w, by_beta, by_alpha;
} sinh_conjugation_row;

static sinh_conjugation_row sinh_conjugation_one(real t, real beta, real raw_mu, real raw_nu) {
  sinh_conjugation_row row;
  const real mu = asinh(raw_mu), nu = asinh(raw_nu), size = fabs(t), e = exp(-2 * size);
  const real log_tanh = log1p(-e) - log1p(e), log_cosh = size - LN2 + log1p(e);
  const real from_t = nu + log_cosh + log_tanh, from_beta = log(fabs(beta)), most = fmax(from_t, from_beta);
  row.tanh_t = copysign((1 - e) / (1 + e), t);
  if (!(most > -INFINITY)) { /* t = beta = 0: z = 0 */
    row.log_slope = mu + nu;
    row.slope = exp(row.log_slope);
    row.w = row.tanh_w = row.by_alpha = 0;
    row.by_beta = exp(mu);
    return row;
  }
  const real sum = copysign(exp(from_t - most), t) + copysign(exp(from_beta - most), beta);
  const real sign = sum < 0 ? -1 : 1, log_sum = log(fmax(fabs(sum), REAL_TINY)), log_z = mu + most + log_sum;
  if (log_z > 20) {
    const real shrink = exp(-2 * log_z); /* 1 / z^2 */
    row.w = sign * (log_z + LN2 + 0.25 * shrink);
    row.tanh_w = sign * (1 - 0.5 * shrink);
    row.by_beta = exp(mu - log_z);
    /* log cosh t - from_t = -nu - log tanh |t| */
    row.log_slope = (from_t >= from_beta ? -log_tanh : nu + log_cosh - most) - log_sum - 0.5 * shrink;
    row.slope = exp(row.log_slope);
    const real tail =
        from_t >= from_beta && size > 20 ? sign * (mu + nu + log_sum) + (sign - copysign(1, t)) * size : row.w - t;
    row.by_alpha = tail - expm1(row.log_slope) * t;
    return row;
  }
  const real z = sign * exp(log_z), root = sqrt(1 + z * z);
  row.w = asinh(z);
  row.tanh_w = z / root;
  row.by_beta = exp(mu) / root;
  row.log_slope = mu + nu + log_cosh - log(root);
  row.slope = exp(row.log_slope);
  row.by_alpha = row.w - row.slope * t;
  return row;
}

/* The large rows; the loop over vectors has given them slope 1. */
NOINLINE void sinh_conjugation_large(const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const sinh_conjugation_par par = sinh_conjugation_load(pass, b, r, mode, direction);
    real lanes[6][BJ_LANES];
    vstore(lanes[0], par.loc);
    vstore(lanes[1], par.alpha);
    vstore(lanes[2], par.beta);
    vstore(lanes[3], par.mu);
    vstore(lanes[4], par.nu);
    vstore(lanes[5],
           vselect(sinh_conjugation_ordinary(&par, (scalar_x(pass, b, r) - par.loc) / par.alpha), vset(1), vset(0)));
    for (int i = 0; i < BJ_LANES; i++) {
      if (lanes[5][i] != 0) continue;
      const real t = (pass->x[b * pass->stride + r + i] - lanes[0][i]) / lanes[1][i];
      const sinh_conjugation_row row = sinh_conjugation_one(t, lanes[2][i], lanes[3][i], lanes[4][i]);
      pass->y[b * pass->stride + r + i] = lanes[0][i] + lanes[1][i] * row.w;
      pass->logdet->sum[b * BJ_BLOCK + r + i] += row.log_slope;
      const real cache[SINH_CONJUGATION_N_CACHE] = {row.slope, row.tanh_t, row.tanh_w, row.by_beta, row.by_alpha};
      for (int j = 0; j < SINH_CONJUGATION_N_CACHE; j++) scalar_cache(pass, b, j)[r + i] = cache[j];
    }
  }
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

INLINE void sinh_conjugation_map(const bj_scalar *scalar, const bj_scalar_pass *shared_pass, bj_sharing mode,
                                 bj_direction direction) {
  const bj_scalar_pass own = *shared_pass, *pass = &own; /* a copy, which no store can change */
  vint all = ~(vint){0};
  (void)scalar;
  logdet_claim(pass->logdet, pass->nb, 1);
  sinh_conjugation_par par = {vset(0), vset(0), vset(0), vset(0), vset(0)};
  vreal exp_mu = vset(0), exp_nu = vset(0);
  if (mode == SHARED) {
    par = sinh_conjugation_load(pass, 0, 0, mode, direction);
    exp_mu = sinh_conjugation_exp(par.mu);
    exp_nu = sinh_conjugation_exp(par.nu);
  }
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    if (mode == ROWWISE) {
      par = sinh_conjugation_load(pass, b, r, mode, direction);
      exp_mu = sinh_conjugation_exp(par.mu);
      exp_nu = sinh_conjugation_exp(par.nu);
    }
    const vreal t_all = (scalar_x(pass, b, r) - par.loc) / par.alpha;
    const vint ordinary = sinh_conjugation_ordinary(&par, t_all);
    const vreal zero = vset(0), t = vselect(ordinary, t_all, zero);
    const vreal mu = vselect(ordinary, exp_mu, vset(1)), nu = vselect(ordinary, exp_nu, vset(1));
    /* sinh and cosh of |t| from one exponential */
    const vreal h = half_expm1(vabs(t)), e = 1.0 + 2.0 * h, inverse_e = 1.0 / e;
    const vreal sinh_t = vcopysign(h + h * inverse_e, t), cosh_t = 0.5 * (e + inverse_e);
    const vreal z = mu * (nu * sinh_t + vselect(ordinary, par.beta, zero));
    const vreal inverse_root = 1.0 / vsqrt(1.0 + z * z);
    const vreal w = vasinh(z), slope = mu * nu * cosh_t * inverse_root;
    vstore(pass->y + b * pass->stride + r, par.loc + par.alpha * w);
    logdet_multiply(pass->logdet, b * BJ_BLOCK + r, vselect(ordinary, slope, vset(1)));
    vstore(scalar_cache(pass, b, SINH_CONJUGATION_SLOPE) + r, slope);
    vstore(scalar_cache(pass, b, SINH_CONJUGATION_TANH_T) + r, sinh_t / cosh_t);
    vstore(scalar_cache(pass, b, SINH_CONJUGATION_TANH_W) + r, z * inverse_root);
    vstore(scalar_cache(pass, b, SINH_CONJUGATION_BY_BETA) + r, mu * inverse_root);
    vstore(scalar_cache(pass, b, SINH_CONJUGATION_BY_ALPHA) + r, w - slope * t);
    all &= ordinary;
  }
  if (!LIKELY(!vany(~all))) sinh_conjugation_large(shared_pass, mode, direction);
}

/* d asinh(raw) / draw */
INLINE vreal sinh_conjugation_derivative(vreal raw) {
  const vreal a = vmin(vset(REAL_SQUARE), vabs(raw));
  return 1.0 / vsqrt(1.0 + a * a);
}

INLINE void sinh_conjugation_vjp(const bj_scalar *scalar, const bj_scalar_pass *shared_pass, bj_sharing mode,
                                 bj_direction direction) {
  const bj_scalar_pass own = *shared_pass, *pass = &own;
  (void)scalar;
  vreal sum[5] = {vset(0), vset(0), vset(0), vset(0), vset(0)};
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const sinh_conjugation_par par = sinh_conjugation_load(pass, b, r, mode, direction);
    const vreal k = vload(scalar_cache(pass, b, SINH_CONJUGATION_SLOPE) + r);
    const vreal tanh_t = vload(scalar_cache(pass, b, SINH_CONJUGATION_TANH_T) + r);
    const vreal tanh_w = vload(scalar_cache(pass, b, SINH_CONJUGATION_TANH_W) + r);
    const vreal by_beta = vload(scalar_cache(pass, b, SINH_CONJUGATION_BY_BETA) + r);
    const vreal by_alpha = vload(scalar_cache(pass, b, SINH_CONJUGATION_BY_ALPHA) + r);
    const vreal gy = scalar_gy(pass, b, r), gl = scalar_gl(pass, b, r), gw = gy * par.alpha;
    const vreal bend = gl * (tanh_t - tanh_w * k) / par.alpha, steep = k * tanh_t;
    const vreal gx = gy * k + bend;
    const vreal gmu = gw * tanh_w + gl * (1.0 - tanh_w * tanh_w), gnu = gw * steep + gl * (1.0 - tanh_w * steep);
    const vreal gbeta = (gw - gl * tanh_w) * by_beta;
    vstore(pass->gx + b * pass->stride + r, gx);
    const int forward = direction == BJ_FORWARD;
    const vreal g[5] = {gy - gx, gy * by_alpha - bend * ((scalar_x(pass, b, r) - par.loc) / par.alpha),
                        forward ? gbeta : -gbeta, forward ? gmu : -gnu, forward ? gnu : -gmu};
    if (mode == SHARED) {
      for (int j = 0; j < 5; j++) sum[j] += g[j];
    } else {
      vreal derivative;
      vsoftplus_sigmoid(scalar_par(pass, b, SINH_CONJUGATION_ALPHA, r), &derivative);
      vstore(scalar_gpar(pass, b, 0) + r, g[0]);
      vstore(scalar_gpar(pass, b, 1) + r, g[1] * derivative);
      vstore(scalar_gpar(pass, b, 2) + r, g[2]);
      for (int j = 3; j < 5; j++) {
        vstore(scalar_gpar(pass, b, j) + r, g[j] * sinh_conjugation_derivative(scalar_par(pass, b, j, r)));
      }
    }
  }
  for (int j = 0; j < 5 && mode == SHARED; j++) pass->gpar[j] += vsum(sum[j]);
}

SCALAR_MODES(sinh_conjugation)

/* Only alpha is made from its raw value here. */
static void sinh_conjugation_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  vreal derivative;
  (void)scalar;
  for (int j = 0; j < 5; j++) prep[j] = raw[j];
  prep[SINH_CONJUGATION_ALPHA] = vfirst(sinh_conjugation_alpha(vset(raw[SINH_CONJUGATION_ALPHA]), &derivative));
}

static void sinh_conjugation_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                         real *graw) {
  vreal derivative;
  (void)scalar, (void)prep;
  sinh_conjugation_alpha(vset(raw[SINH_CONJUGATION_ALPHA]), &derivative);
  graw[0] += gprep[0];
  graw[1] += gprep[1] * vfirst(derivative);
  graw[2] += gprep[2];
  for (int j = 3; j < 5; j++) graw[j] += gprep[j] * vfirst(sinh_conjugation_derivative(vset(raw[j])));
}

static void sinh_conjugation_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  raw[SINH_CONJUGATION_LOC] = raw[SINH_CONJUGATION_MU] = raw[SINH_CONJUGATION_NU] = 0;
  raw[SINH_CONJUGATION_ALPHA] = inverse_softplus(0.9);
  raw[SINH_CONJUGATION_BETA] = *(const real *)scalar->self * rng_normal(rng);
}

static void sinh_conjugation_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "loc", 1);
  visit(host, "alpha", 1);
  visit(host, "beta", 1);
  visit(host, "mu", 1);
  visit(host, "nu", 1);
}

static bj_status sinh_conjugation_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  real *init_scale = scalar->self = build_alloc(build, sizeof(real));
  *init_scale = spec_real(build, spec, "init_scale", 0, INFINITY);
  scalar->n_param = scalar->n_prep = 5;
  scalar->n_cache = SINH_CONJUGATION_N_CACHE;
  scalar->n_factor = 1;
  return build->status;
}

static const bj_scalar_kind scalar_sinh_conjugation = {
    .name = "sinh_conjugation",
    .build = sinh_conjugation_build,
    .describe = sinh_conjugation_describe,
    .init = sinh_conjugation_init,
    .prepare = sinh_conjugation_prepare,
    .prepare_vjp = sinh_conjugation_prepare_vjp,
    SCALAR_TABLE(sinh_conjugation),
};
