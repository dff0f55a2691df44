/* leaky_relu: y = x for x > 0, alpha x otherwise, alpha > 0.
 *
 *   raw = log alpha ("log"), or alpha itself ("identity")
 *   log f' = 0 or log|alpha|, whose derivative by x is 0
 *   with g the gradient of log|alpha|:  dx = gy f',  g = (x > 0 ? 0 : gy y + gl);  draw = g, or g / alpha
 *   inverse x = y or y / alpha:  dy = gx / f',  g = (y > 0 ? 0 : -gx x - gl)
 *
 * |alpha| is kept within 2^+-100, where products with it stay finite. With a negative alpha, which only "identity" can
 * reach, the map has no inverse.
 */
#include "scalar-common.h"

typedef struct {
  int identity;
  real slope; /* initial value; 0: drawn */
} leaky_relu;

/* |alpha| and its reciprocal are kept below 2^LOG2. */
#define LEAKY_RELU_STEEP BY_REAL(0x1p100, 0x1p30f)
#define LEAKY_RELU_LOG2 BY_REAL(100, 30)

typedef struct {
  vreal alpha, log_alpha, dlog; /* dlog = d log|alpha| / d raw */
} leaky_relu_par;

INLINE leaky_relu_par leaky_relu_constrain(const leaky_relu *self, vreal raw) {
  leaky_relu_par par;
  if (self->identity) {
    par.alpha = vcopysign(vmax(vset(1 / LEAKY_RELU_STEEP), vmin(vset(LEAKY_RELU_STEEP), vabs(raw))), raw);
    par.log_alpha = vlog_normal(vabs(par.alpha));
    par.dlog = 1.0 / par.alpha;
  } else {
    par.log_alpha = vmax(vset(-LEAKY_RELU_LOG2 * LN2), vmin(vset(LEAKY_RELU_LOG2 * LN2), raw));
    par.alpha = vexp(par.log_alpha);
    par.dlog = vset(1);
  }
  return par;
}

/* Prepared: alpha and log|alpha|; the gradient is that of the second. */
INLINE leaky_relu_par leaky_relu_load(const leaky_relu *self, const bj_scalar_pass *pass, int b, int r,
                                      bj_sharing mode) {
  if (mode == ROWWISE) return leaky_relu_constrain(self, scalar_par(pass, b, 0, r));
  return (leaky_relu_par){vset(pass->par[0]), vset(pass->par[1]), vset(1)}; /* prepare_vjp multiplies dlog in */
}

INLINE void leaky_relu_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                           bj_direction direction) {
  const vreal zero = vset(0), one = vset(1);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const leaky_relu_par par = leaky_relu_load(scalar->self, pass, b, r, mode);
    const vreal x = scalar_x(pass, b, r), alpha = direction == BJ_FORWARD ? par.alpha : 1.0 / par.alpha;
    const vint positive = vlt(zero, x);
    const vreal slope = vselect(positive, one, alpha), log_slope = vselect(positive, zero, par.log_alpha);
    vstore(pass->y + b * pass->stride + r, x * slope);
    logdet_add(pass->logdet, b * BJ_BLOCK + r, direction == BJ_FORWARD ? log_slope : -log_slope);
    if (mode == ROWWISE) {
      vstore(scalar_cache(pass, b, 0) + r, slope);
      vstore(scalar_cache(pass, b, 1) + r, par.dlog);
    }
  }
}

INLINE void leaky_relu_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                           bj_direction direction) {
  const vreal zero = vset(0), one = vset(1);
  vreal sum = zero;
  (void)scalar;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const vint positive = vlt(zero, scalar_x(pass, b, r));
    const vreal gy = scalar_gy(pass, b, r), gl = scalar_gl(pass, b, r);
    const real alpha = mode == SHARED ? (direction == BJ_FORWARD ? pass->par[0] : 1 / pass->par[0]) : 0;
    const vreal slope = mode == SHARED ? vselect(positive, one, vset(alpha)) : vload(scalar_cache(pass, b, 0) + r);
    const vreal forward = vselect(positive, zero, gy * scalar_y(pass, b, r) + gl);
    const vreal g = direction == BJ_FORWARD ? forward : -forward;
    vstore(pass->gx + b * pass->stride + r, gy * slope);
    if (mode == SHARED) {
      sum += g;
    } else {
      vstore(scalar_gpar(pass, b, 0) + r, g * vload(scalar_cache(pass, b, 1) + r));
    }
  }
  if (mode == SHARED) pass->gpar[1] += vsum(sum);
}

SCALAR_MODES(leaky_relu)

static void leaky_relu_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  const leaky_relu_par par = leaky_relu_constrain(scalar->self, vset(raw[0]));
  prep[0] = vfirst(par.alpha);
  prep[1] = vfirst(par.log_alpha);
}

static void leaky_relu_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                   real *graw) {
  (void)prep;
  graw[0] += gprep[1] * vfirst(leaky_relu_constrain(scalar->self, vset(raw[0])).dlog);
}

static void leaky_relu_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  const leaky_relu *self = scalar->self;
  /* U(0, 0.9), but not so near to 0 that the inverse starts with huge slopes */
  const real alpha = self->slope > 0 ? self->slope : fmax(0.9 * rng_uniform(rng), 1e-3);
  raw[0] = self->identity ? alpha : log(alpha);
}

static void leaky_relu_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "slope", 1);
}

static bj_status leaky_relu_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  leaky_relu *self = scalar->self = build_alloc(build, sizeof(leaky_relu));
  self->identity = spec_choice(build, spec, "parameterization", "log", "identity", NULL);
  self->slope = spec_given(build, spec, "slope") ? spec_real(build, spec, "slope", 0, INFINITY) : 0;
  scalar->n_param = 1;
  scalar->n_prep = scalar->n_cache = 2;
  return build->status;
}

static const bj_scalar_kind scalar_leaky_relu = {
    .name = "leaky_relu",
    .build = leaky_relu_build,
    .describe = leaky_relu_describe,
    .init = leaky_relu_init,
    .prepare = leaky_relu_prepare,
    .prepare_vjp = leaky_relu_prepare_vjp,
    SCALAR_TABLE(leaky_relu),
};
