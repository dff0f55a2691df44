/* tanh_affine: y = (x + t) e^s', s' = F tanh(s / F), F = e^f.
 *
 *   raw = (s, t) a row or shared; global: f, the factor that bounds |s'|, one for the whole layer
 *   log f' = s'
 *   with k = d s'/ds = 1 - tanh(s / F)^2,  d s'/df = s' - s k,  and g the gradient of s':
 *   vjp:  dx = dt = gy e^s',  g = gy y + gl;  ds = g k,  df = sum of g (s' - s k)
 *   inverse x = y e^-s' - t:  dy = gx e^-s',  dt = -gx,  g = -(gx (x + t) + gl)
 *
 * f is kept within +-300 and s' within +-690, so that F, s / F and e^s' are finite for any raw value.
 */
#include "scalar-common.h"

INLINE real tanh_affine_factor(const real *global) { return exp(fmin(fmax(global[0], -300), 300)); }

typedef struct {
  vreal log_scale, slope, dfactor; /* s', d s'/ds, d s'/df */
} tanh_affine_par;

INLINE tanh_affine_par tanh_affine_constrain(vreal raw, real factor) {
  const vreal ratio = vmax(vset(-1e3), vmin(vset(1e3), raw * (1 / factor))); /* tanh is +-1 long before */
  const vreal e = vexp((real)-2.0 * vabs(ratio)), over = 1.0 / (1.0 + e);
  tanh_affine_par par;
  par.log_scale = vmax(vset(-690), vmin(vset(690), factor * vtanh(ratio)));
  par.slope = 4.0 * e * over * over;
  par.dfactor = par.log_scale - factor * (ratio * par.slope);
  return par;
}

/* The cache holds e^s' (forward) or e^-s' (inverse), the slope and dfactor. */
INLINE void tanh_affine_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                            bj_direction direction) {
  const real factor = tanh_affine_factor(pass->global);
  const vreal shared_loc = vset(pass->par[1]);
  const tanh_affine_par shared = tanh_affine_constrain(vset(pass->par[0]), factor);
  const vreal shared_scale = vexp(direction == BJ_FORWARD ? shared.log_scale : -shared.log_scale);
  (void)scalar;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal loc = shared_loc, scale = shared_scale, log_scale = shared.log_scale;
    if (mode == ROWWISE) {
      const tanh_affine_par par = tanh_affine_constrain(scalar_par(pass, b, 0, r), factor);
      loc = scalar_par(pass, b, 1, r);
      log_scale = par.log_scale;
      scale = vexp(direction == BJ_FORWARD ? log_scale : -log_scale);
      vstore(scalar_cache(pass, b, 0) + r, scale);
      vstore(scalar_cache(pass, b, 1) + r, par.slope);
      vstore(scalar_cache(pass, b, 2) + r, par.dfactor);
    }
    const vreal x = scalar_x(pass, b, r);
    vstore(pass->y + b * pass->stride + r, direction == BJ_FORWARD ? (x + loc) * scale : x * scale - loc);
    logdet_add(pass->logdet, b * BJ_BLOCK + r, direction == BJ_FORWARD ? log_scale : -log_scale);
  }
}

INLINE void tanh_affine_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                            bj_direction direction) {
  const tanh_affine_par shared = tanh_affine_constrain(vset(pass->par[0]), tanh_affine_factor(pass->global));
  const vreal shared_scale = vexp(direction == BJ_FORWARD ? shared.log_scale : -shared.log_scale);
  vreal sum_log_scale = vset(0), sum_loc = vset(0), sum_factor = vset(0);
  (void)scalar;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const vreal gy = scalar_gy(pass, b, r), gl = scalar_gl(pass, b, r);
    const vreal scale = mode == SHARED ? shared_scale : vload(scalar_cache(pass, b, 0) + r);
    const vreal gx = gy * scale;
    vreal gloc, glog_scale;
    if (direction == BJ_FORWARD) {
      gloc = gx;
      glog_scale = gy * scalar_y(pass, b, r) + gl;
    } else {
      gloc = -gy;
      glog_scale = -(gx * scalar_x(pass, b, r) + gl); /* e^-s' times the input is the output + t */
    }
    vstore(pass->gx + b * pass->stride + r, gx);
    if (mode == SHARED) {
      sum_log_scale += glog_scale;
      sum_loc += gloc;
    } else {
      vstore(scalar_gpar(pass, b, 0) + r, glog_scale * vload(scalar_cache(pass, b, 1) + r));
      vstore(scalar_gpar(pass, b, 1) + r, gloc);
      sum_factor += glog_scale * vload(scalar_cache(pass, b, 2) + r);
    }
  }
  if (mode == SHARED) {
    pass->gpar[0] += vsum(sum_log_scale * shared.slope);
    pass->gpar[1] += vsum(sum_loc);
    sum_factor = sum_log_scale * shared.dfactor;
  }
  pass->gglobal[0] += vsum(sum_factor);
}

SCALAR_MODES(tanh_affine)

/* What s' is depends on the global parameter, which only the kernels see. */
static void tanh_affine_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  (void)scalar;
  prep[0] = raw[0];
  prep[1] = raw[1];
}

static void tanh_affine_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                    real *graw) {
  (void)scalar, (void)raw, (void)prep;
  graw[0] += gprep[0];
  graw[1] += gprep[1];
}

static void tanh_affine_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  (void)scalar, (void)rng;
  raw[0] = raw[1] = 0;
  raw[2] = 0; /* the factor */
}

static void tanh_affine_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "scale", 1);
  visit(host, "loc", 1);
}

static void tanh_affine_describe_global(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "scale_factor", 1);
}

static bj_status tanh_affine_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  (void)spec, (void)build;
  scalar->n_param = scalar->n_prep = 2;
  scalar->n_global = 1;
  scalar->n_cache = 3;
  return BJ_OK;
}

static const bj_scalar_kind scalar_tanh_affine = {
    .name = "tanh_affine",
    .build = tanh_affine_build,
    .describe = tanh_affine_describe,
    .describe_global = tanh_affine_describe_global,
    .init = tanh_affine_init,
    .prepare = tanh_affine_prepare,
    .prepare_vjp = tanh_affine_prepare_vjp,
    SCALAR_TABLE(tanh_affine),
};
