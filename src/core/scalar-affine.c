/* affine: y = s x + t.
 *
 *   raw = (loc, scale);  t = loc;  s = softplus(scale) + min_scale, or exp(scale)
 *   with a limit L, what that makes, s0, is bounded: log s = L v / w,  v = log(s0) / L,  w = (1 + v^4)^(1/4), which is
 *   log s0 within 1.5 % up to L / 2;  ds = s / s0 / w^5 ds0: a power, by which values far out find their way back
 *   log f' = log s
 *   vjp of (y, log f'):  dx = gy s,  dt = gy,  ds = gy x + gl / s;  draw = ds * sigmoid(raw), or ds * s
 *   inverse x = (y - t) / s:  dy = gx / s,  dt = -dy,  ds = -(dy x + gl / s)
 */
#include "scalar-common.h"

typedef struct {
  int exponential, bounded;
  real min_scale, limit;
} affine;

typedef struct {
  vreal loc, scale, dscale; /* dscale = d scale / d raw */
} affine_par;

/* The bounded scale; its derivative goes on into that of s0. */
INLINE vreal affine_bound(const affine *self, vreal scale, vreal *dscale) {
  const vreal within = vmax(vset(REAL_MIN_NORMAL), vmin(vset(REAL_MAX), scale));
  const vreal v = vlog(within) * (1 / self->limit), square = v * v, power = 1.0 + square * square;
  const vreal over = 1.0 / vsqrt(vsqrt(power)), bounded = vexp(self->limit * (v * over));
  *dscale = *dscale / within * (bounded * (over / power));
  return bounded;
}

INLINE vreal affine_scale(const affine *self, vreal raw, vreal *dscale) {
  vreal scale;
  if (self->exponential) {
    *dscale = scale = vexp(raw);
  } else {
    scale = vsoftplus_sigmoid(raw, dscale) + vset(self->min_scale);
  }
  return self->bounded ? affine_bound(self, scale, dscale) : scale;
}

INLINE affine_par affine_load(const affine *self, const bj_scalar_pass *pass, int b, int r, bj_sharing mode) {
  affine_par par;
  if (mode == SHARED) {
    par.loc = vset(pass->par[0]);
    par.scale = vset(pass->par[1]);
    par.dscale = vset(1); /* prepare_vjp multiplies it in, once a step */
  } else {
    par.loc = scalar_par(pass, b, 0, r);
    par.scale = affine_scale(self, scalar_par(pass, b, 1, r), &par.dscale);
  }
  return par;
}

/* The cache holds scale and dscale, so that the vjp needs no transcendental function. */
INLINE void affine_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  logdet_claim(pass->logdet, pass->nb, 1);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const affine_par par = affine_load(scalar->self, pass, b, r, mode);
    const vreal x = scalar_x(pass, b, r);
    if (direction == BJ_FORWARD) {
      vstore(pass->y + b * pass->stride + r, x * par.scale + par.loc);
      logdet_multiply(pass->logdet, b * BJ_BLOCK + r, par.scale);
    } else {
      const vreal inverse = vset(1) / par.scale;
      vstore(pass->y + b * pass->stride + r, (x - par.loc) * inverse);
      logdet_multiply(pass->logdet, b * BJ_BLOCK + r, inverse);
    }
    if (mode == ROWWISE) {
      vstore(scalar_cache(pass, b, 0) + r, par.scale);
      vstore(scalar_cache(pass, b, 1) + r, par.dscale);
    }
  }
}

INLINE void affine_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  (void)scalar;
  vreal sum_loc = vset(0), sum_scale = vset(0);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const vreal scale = mode == SHARED ? vset(pass->par[1]) : vload(scalar_cache(pass, b, 0) + r);
    const vreal dscale = mode == SHARED ? vset(1) : vload(scalar_cache(pass, b, 1) + r);
    const vreal gy = scalar_gy(pass, b, r), gl = scalar_gl(pass, b, r);
    const vreal inverse = vset(1) / scale;
    vreal gx, gloc, gscale;
    if (direction == BJ_FORWARD) {
      gx = gy * scale;
      gloc = gy;
      gscale = gy * scalar_x(pass, b, r) + gl * inverse;
    } else {
      gx = gy * inverse;
      gloc = -gx;
      gscale = -(gx * scalar_y(pass, b, r) + gl * inverse);
    }
    vstore(pass->gx + b * pass->stride + r, gx);
    if (mode == SHARED) {
      sum_loc += gloc;
      sum_scale += gscale;
    } else {
      vstore(scalar_gpar(pass, b, 0) + r, gloc);
      vstore(scalar_gpar(pass, b, 1) + r, gscale * dscale);
    }
  }
  if (mode == SHARED) {
    pass->gpar[0] += vsum(sum_loc);
    pass->gpar[1] += vsum(sum_scale);
  }
}

SCALAR_MODES(affine)

static void affine_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  vreal dscale;
  prep[0] = raw[0];
  prep[1] = vfirst(affine_scale(scalar->self, vset(raw[1]), &dscale));
}

static void affine_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                               real *graw) {
  vreal dscale;
  (void)prep;
  affine_scale(scalar->self, vset(raw[1]), &dscale);
  graw[0] += gprep[0];
  graw[1] += gprep[1] * vfirst(dscale);
}

static void affine_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  const affine *self = scalar->self;
  (void)rng;
  raw[0] = 0;
  /* min_scale >= 1 leaves no room for a scale of 1: start just above the floor. */
  raw[1] = self->exponential ? 0 : inverse_softplus(fmax(1 - self->min_scale, 1e-3));
}

static void affine_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  (void)scalar;
  visit(host, "loc", 1);
  visit(host, "scale", 1);
}

static bj_status affine_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  affine *self = scalar->self = build_alloc(build, sizeof(affine));
  self->exponential = spec_choice(build, spec, "scale", "softplus", "exp", NULL);
  self->min_scale = spec_real(build, spec, "min_scale", 0, INFINITY);
  self->bounded = spec_length(spec, "limit") > 0; /* fits of earlier versions have no such entry */
  if (self->bounded) self->limit = spec_real(build, spec, "limit", BY_REAL(1e-2, 1e-2f), BY_REAL(80, 80));
  scalar->n_param = scalar->n_prep = scalar->n_cache = 2;
  scalar->n_factor = 1;
  return build->status;
}

static const bj_scalar_kind scalar_affine = {
    .name = "affine",
    .build = affine_build,
    .describe = affine_describe,
    .init = affine_init,
    .prepare = affine_prepare,
    .prepare_vjp = affine_prepare_vjp,
    SCALAR_TABLE(affine),
};
