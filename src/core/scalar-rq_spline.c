/* rq_spline: a monotone rational-quadratic spline on [lo, hi], the identity outside (Durkan et al. 2019).
 *
 * n bins of widths w and heights h = min_width + free softmax(raw), free = hi - lo - n min_width; knots (X_k, Y_k) are
 * their cumulated sums from lo, the last one exactly hi; slopes d_k = softplus(raw) + min_slope at the knots. In the
 * bin of x, with u = x - X_k, v = w - u, q = w u v:
 *
 *   N = h u^2 + d0 q,   M = h (u^2 + v^2) + (d0 + d1) q,   T = w (d1 u^2 + d0 v^2) + 2 h u v
 *   y = Y_k + h N / M,  f' = h^2 w T / M^2
 *
 * which is the published formula times powers of w: sums of terms >= 0, and one division.
 *
 * Inverse, with p = y - Y_k, p' = h - p, b = w (d0 p' - d1 p) and R = |b| + sqrt(b^2 + 4 h^2 p p'): u : v = 2 h p : R
 * if b >= 0, else R : 2 h p'. Nothing cancels but b, where both slopes pull alike.
 *
 * vjp. With L = log f':
 *   y_h = N/M + h q (d1 u^2 - d0 v^2) / M^2,  y_d0 = h q (M - N) / M^2,  y_d1 = -h q N / M^2
 *   L_h = 2/h + 2uv/T - 2(u^2 + v^2)/M,  L_d0 = w v^2/T - 2q/M,  L_d1 = w u^2/T - 2q/M
 *   L_u = T_u/T - 2 M_u/M,  T_u = 2w (d1 u - d0 v) + 2h (v - u),  M_u = (v - u) ((d0 + d1) w - 2h)
 * N/M and L depend on u, w, h through u/w and h/w alone; so w g_w = -(u g_u + h g_h), g_h without the term N/M.
 * Inverse x(y): dx = (dy - f_theta dtheta) / f', its log-derivative is -L: the vjp of f at x with cotangents
 * (-(gx - gl L_u) / f', -gl) gives the gradient of the parameters.
 *
 * Raw: widths (n), heights (n), slopes at the inner knots ("linear": 1 at both ends), at all knots ("free"), or at all
 * but the last ("circular": the last is the first). Prepared: a record (X, Y, w, h, d0, d1) a bin, then what the vjp of
 * the preparation needs.
 */
#include "scalar-rq_spline.h"

/* ---- the map inside the bin -------------------------------------------------------------------------------------- */

typedef struct {
  vreal u, v, w, h, d0, d1;
  vreal q, n, m, t; /* as in the formulas */
} spline_point;

INLINE void spline_complete(spline_point *at) {
  const vreal uu = at->u * at->u, uv = at->u * at->v, vv = at->v * at->v;
  at->q = at->w * uv;
  at->n = at->h * uu + at->d0 * at->q;
  at->m = at->h * (uu + vv) + (at->d0 + at->d1) * at->q;
  at->t = at->w * (at->d1 * uu + at->d0 * vv) + 2.0 * at->h * uv;
}

INLINE vreal spline_forward(const real *cache, spline_point *at, vreal x, vreal *slope) {
  at->u = vmin(x - vload(cache + ROW_X * BJ_BLOCK), at->w);
  at->v = at->w - at->u;
  spline_complete(at);
  const vreal ratio = at->h / at->m;
  *slope = ratio * ratio * at->w * at->t;
  return vload(cache + ROW_Y * BJ_BLOCK) + at->n * ratio;
}

INLINE vreal spline_inverse(const real *cache, spline_point *at, vreal y, vreal *slope) {
  const vreal p = vmin(y - vload(cache + ROW_Y * BJ_BLOCK), at->h), rest = at->h - p;
  const vreal b = at->w * (at->d0 * rest - at->d1 * p);
  const vreal root = vabs(b) + vsqrt(b * b + 4.0 * at->h * at->h * p * rest);
  const vint left = vle(vset(0), b);
  const vreal u = vselect(left, 2.0 * at->h * p, root), v = vselect(left, root, 2.0 * at->h * rest);
  const vreal scale = at->w / (u + v);
  at->u = u * scale;
  at->v = v * scale;
  spline_complete(at);
  const vreal ratio = at->m / at->h;
  *slope = ratio * ratio / (at->w * at->t);
  return vload(cache + ROW_X * BJ_BLOCK) + at->u;
}

INLINE void spline_map_block(const bj_scalar_pass *pass, const rq_spline *self, int b, bj_sharing mode,
                             bj_direction direction) {
  const real *par = mode == SHARED ? pass->par : pass->par + b * pass->par_stride;
  real *rows = scalar_cache(pass, b, 0);
  FOR_ROWS(r) {
    const vreal x = spline_clamp(self, scalar_x(pass, b, r));
    if (mode == SHARED) {
      spline_search_shared(self, par, rows + r, x, direction);
    } else {
      spline_search_rowwise(self, par + r, rows + r, x, direction);
    }
  }
  if (mode == SHARED) {
    spline_gather_shared(par, rows);
  } else {
    spline_gather_rowwise(self, par, rows);
  }
  FOR_ROWS(r) {
    real *cache = rows + r;
    if (mode == ROWWISE) spline_constrain_rowwise(self, cache);
    spline_point at = {.w = vload(cache + ROW_W * BJ_BLOCK),
                       .h = vload(cache + ROW_H * BJ_BLOCK),
                       .d0 = vload(cache + ROW_D0 * BJ_BLOCK),
                       .d1 = vload(cache + ROW_D1 * BJ_BLOCK)};
    const vreal x = scalar_x(pass, b, r), clamped = spline_clamp(self, x);
    const vint inside = spline_inside(self, x);
    vreal slope;
    const vreal y = direction == BJ_FORWARD ? spline_forward(cache, &at, clamped, &slope)
                                            : spline_inverse(cache, &at, clamped, &slope);
    vstore(cache + ROW_U * BJ_BLOCK, at.u);
    vstore(pass->y + b * pass->stride + r, vselect(inside, y, x));
    logdet_multiply(pass->logdet, b * BJ_BLOCK + r, vselect(inside, slope, vset(1)));
  }
}

INLINE void rq_spline_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                          bj_direction direction) {
  const rq_spline *self = scalar->self;
  logdet_claim(pass->logdet, pass->nb, 1);
  for (int b = 0; b < pass->nb; b++) spline_map_block(pass, self, b, mode, direction);
}

/* ---- vjp --------------------------------------------------------------------------------------------------------- */

typedef struct {
  vreal x, knot_x, knot_y, w, h, d0, d1; /* knot_x, knot_y: of X_k and Y_k with the sizes of the bin held */
} spline_gradient;

INLINE spline_gradient spline_pull(const rq_spline *self, const real *cache, vreal x, vreal gy, vreal gl,
                                   bj_direction direction) {
  spline_point at = {.u = vload(cache + ROW_U * BJ_BLOCK),
                     .w = vload(cache + ROW_W * BJ_BLOCK),
                     .h = vload(cache + ROW_H * BJ_BLOCK),
                     .d0 = vload(cache + ROW_D0 * BJ_BLOCK),
                     .d1 = vload(cache + ROW_D1 * BJ_BLOCK)};
  at.v = at.w - at.u;
  spline_complete(&at);
  const vreal u = at.u, v = at.v, w = at.w, h = at.h, uu = u * u, vv = v * v;
  const vreal hw = h * w, mt = at.m * at.t, all = 1.0 / (hw * mt);
  const vreal over_m = all * hw * at.t, over_t = all * hw * at.m, over_h = all * mt * w, over_w = all * mt * h;
  const vreal slope = h * h * w * at.t * over_m * over_m;
  const vreal t_u = w * (at.d1 * u - at.d0 * v) + h * (v - u), m_u = (v - u) * ((at.d0 + at.d1) * w - 2.0 * h);
  const vreal l_u = 2.0 * (t_u * over_t - m_u * over_m);

  const vint inside = spline_inside(self, x);
  const vreal outside_x = gy;
  spline_gradient g;
  gy = spline_where(inside, gy);
  gl = spline_where(inside, gl);
  if (direction == BJ_INVERSE) {
    gy = -(gy - gl * l_u) * (over_t * over_h * over_h * over_w * at.m * at.m);
    gl = -gl;
    g.x = vselect(inside, -gy, outside_x);
  } else {
    g.x = vselect(inside, gy * slope + gl * l_u, outside_x);
  }
  const vreal g_u = gy * slope + gl * l_u;
  const vreal ratio = at.n * over_m, gq = gy * h * at.q * over_m;
  const vreal l_t = gl * over_t, l_m = 2.0 * gl * over_m;
  const vreal g_h = gq * over_m * (at.d1 * uu - at.d0 * vv) + 2.0 * (gl * over_h + l_t * u * v) - l_m * (uu + vv);
  g.knot_x = -g_u;
  g.knot_y = gy;
  g.w = -(u * g_u + h * g_h) * over_w;
  g.h = gy * ratio + g_h;
  g.d0 = gq * (1.0 - ratio) + l_t * w * vv - l_m * at.q;
  g.d1 = -gq * ratio + l_t * w * uu - l_m * at.q;
  return g;
}

/* The softmax: d size_i / d raw_j = free p_i ([i = j] - p_j). The sizes before the row's bin move its knot (gradient
 * g_knot), the bin's own has gradient g_size, later ones do nothing. The mean of these gradients, weighted by p, needs
 * no sum over the bins: the p before the bin sum to (knot - low - bin min_width) / free. The members of the result
 * multiply the weights that the cache holds. */
typedef struct {
  vreal before, at, after;
} spline_softmax;

INLINE spline_softmax spline_softmax_vjp(const rq_spline *self, vreal bin, vreal knot, vreal size, vreal scale,
                                         vreal g_knot, vreal g_size) {
  const vreal mean =
      (g_knot * (knot - self->low - bin * self->min_width) + g_size * (size - self->min_width)) * (1 / self->free);
  return (spline_softmax){(g_knot - mean) * scale, (g_size - mean) * scale, -mean * scale};
}

INLINE void spline_spread_rowwise(const rq_spline *self, const real *cache, real *gpar, const spline_gradient *g) {
  const int n_bin = self->n_bin;
  const vreal bin = vload(cache + ROW_BIN * BJ_BLOCK);
  const spline_softmax gw =
      spline_softmax_vjp(self, bin, vload(cache + ROW_X * BJ_BLOCK), vload(cache + ROW_W * BJ_BLOCK),
                         vload(cache + ROW_SCALE_W * BJ_BLOCK), g->knot_x, g->w);
  const spline_softmax gh =
      spline_softmax_vjp(self, bin, vload(cache + ROW_Y * BJ_BLOCK), vload(cache + ROW_H * BJ_BLOCK),
                         vload(cache + ROW_SCALE_H * BJ_BLOCK), g->knot_y, g->h);
  const real *weight_w = cache + ROW_WEIGHTS * BJ_BLOCK, *weight_h = weight_w + n_bin * BJ_BLOCK;
  real *gpar_h = gpar + n_bin * BJ_BLOCK, *gslopes = gpar_h + n_bin * BJ_BLOCK;
  vreal i = vset(0);
  for (int j = 0; j < n_bin; j++) {
    const vint before = vlt(i, bin), at = veq(i, bin);
    const vreal w = vselect(before, gw.before, vselect(at, gw.at, gw.after));
    const vreal h = vselect(before, gh.before, vselect(at, gh.at, gh.after));
    vstore(gpar + j * BJ_BLOCK, vload(weight_w + j * BJ_BLOCK) * w);
    vstore(gpar_h + j * BJ_BLOCK, vload(weight_h + j * BJ_BLOCK) * h);
    i += 1.0;
  }
  const vreal g0 = g->d0 * vload(cache + ROW_DSLOPE0 * BJ_BLOCK), g1 = g->d1 * vload(cache + ROW_DSLOPE1 * BJ_BLOCK);
  vreal knot = vset(self->boundary == SPLINE_LINEAR ? 1 : 0);
  for (int j = 0; j < self->n_slope; j++) {
    vstore(gslopes + j * BJ_BLOCK, spline_where(veq(bin, knot), g0) + spline_where(veq(bin + 1.0, knot), g1));
    knot += 1.0;
  }
  if (self->boundary == SPLINE_CIRCULAR) {
    vstore(gslopes, vload(gslopes) + spline_where(veq(bin, vset(n_bin - 1)), g1));
  }
}

/* Rows add up one after the other, so the sum does not depend on the number of lanes. */
INLINE void spline_spread_shared(const real *cache, const real *staged, real *gprep) {
  for (int r = 0; r < BJ_BLOCK; r++) {
    real *record = gprep + (int)cache[ROW_BIN * BJ_BLOCK + r] * RECORD_SIZE;
    UNROLL for (int j = 0; j < RECORD_SIZE; j++) record[j] += staged[j * BJ_BLOCK + r];
  }
}

INLINE void spline_vjp_block(const bj_scalar_pass *pass, const rq_spline *self, int b, bj_sharing mode,
                             bj_direction direction) {
  const real *rows = scalar_cache(pass, b, 0);
  real staged[RECORD_SIZE * BJ_BLOCK];
  FOR_ROWS(r) {
    const spline_gradient g =
        spline_pull(self, rows + r, scalar_x(pass, b, r), scalar_gy(pass, b, r), scalar_gl(pass, b, r), direction);
    vstore(pass->gx + b * pass->stride + r, g.x);
    if (mode == SHARED) {
      vstore(staged + RECORD_X * BJ_BLOCK + r, g.knot_x);
      vstore(staged + RECORD_Y * BJ_BLOCK + r, g.knot_y);
      vstore(staged + RECORD_W * BJ_BLOCK + r, g.w);
      vstore(staged + RECORD_H * BJ_BLOCK + r, g.h);
      vstore(staged + RECORD_D0 * BJ_BLOCK + r, g.d0);
      vstore(staged + RECORD_D1 * BJ_BLOCK + r, g.d1);
    } else {
      spline_spread_rowwise(self, rows + r, scalar_gpar(pass, b, 0) + r, &g);
    }
  }
  if (mode == SHARED) spline_spread_shared(rows, staged, pass->gpar);
}

INLINE void rq_spline_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode,
                          bj_direction direction) {
  const rq_spline *self = scalar->self;
  for (int b = 0; b < pass->nb; b++) spline_vjp_block(pass, self, b, mode, direction);
}

SCALAR_MODES(rq_spline)

/* ---- shared parameters ------------------------------------------------------------------------------------------- */

/* Behind the records of prep: the softmax weights of widths and of heights, and d slope / d raw at the knots, each with
 * room for n + 1 numbers in whole vectors, whose last lanes nobody reads. The room is that of the widest vectors, so
 * that how many slots a call has, which goes by the size of prep, does not depend on the instruction set. */
enum { BEHIND_WIDTHS, BEHIND_HEIGHTS, BEHIND_DSLOPES, BEHIND_SIZE };
#define BEHIND_LANES (BJ_LANES > 8 ? BJ_LANES : 8)
INLINE long spline_behind(const rq_spline *self, int part) {
  const long room = (self->n_bin / BEHIND_LANES + 1) * BEHIND_LANES;
  return (long)self->n_bin * RECORD_SIZE + part * room;
}

/* One axis: `knots` and `sizes` are its members of the first record. */
static void spline_prepare_axis(const rq_spline *self, const real *raw, real *knots, real *sizes, real *weights) {
  const int n = self->n_bin;
  real max = raw[0], sum = 0, knot = self->low;
  for (int i = 1; i < n; i++) max = fmax(max, raw[i]);
  for (int i = 0; i < n; i++) weights[i] = raw[i] - max;
  for (int i = 0; i < n; i += BJ_LANES) vstore(weights + i, spline_exp(vload(weights + i)));
  for (int i = 0; i < n; i++) sum += weights[i];
  const real scale = 1 / sum;
  for (int i = 0; i < n; i++) {
    weights[i] *= scale;
    knots[i * RECORD_SIZE] = knot;
    knot += sizes[i * RECORD_SIZE] = weights[i] * self->free + self->min_width;
  }
  sizes[(n - 1) * RECORD_SIZE] = self->high - knots[(n - 1) * RECORD_SIZE];
}

static void spline_prepare_axis_vjp(const rq_spline *self, const real *weights, const real *gknots, const real *gsizes,
                                    real *graw) {
  real mean = 0, moved = 0; /* the gradient of all knots to the right of bin i */
  for (int i = self->n_bin - 1; i >= 0; i--) {
    mean += weights[i] * (gsizes[i * RECORD_SIZE] + moved);
    moved += gknots[i * RECORD_SIZE];
  }
  moved = 0;
  for (int i = self->n_bin - 1; i >= 0; i--) {
    graw[i] += self->free * weights[i] * (gsizes[i * RECORD_SIZE] + moved - mean);
    moved += gknots[i * RECORD_SIZE];
  }
}

static int spline_fixed_slope(const rq_spline *self, int knot) {
  return self->boundary == SPLINE_LINEAR && (knot == 0 || knot == self->n_bin);
}

static void rq_spline_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  const rq_spline *self = scalar->self;
  const int n = self->n_bin;
  real *dslopes = prep + spline_behind(self, BEHIND_DSLOPES); /* raw ones first */
  spline_prepare_axis(self, raw, prep + RECORD_X, prep + RECORD_W, prep + spline_behind(self, BEHIND_WIDTHS));
  spline_prepare_axis(self, raw + n, prep + RECORD_Y, prep + RECORD_H, prep + spline_behind(self, BEHIND_HEIGHTS));
  for (int knot = 0; knot <= n; knot++) dslopes[knot] = raw[2 * n + spline_slope_index(self, knot)];
  for (int first = 0; first <= n; first += BJ_LANES) {
    real slopes[BJ_LANES];
    vreal dslope;
    vstore(slopes, spline_slope(self, vload(dslopes + first), &dslope));
    vstore(dslopes + first, dslope);
    for (int knot = first; knot < first + BJ_LANES && knot <= n; knot++) {
      const real slope = spline_fixed_slope(self, knot) ? 1 : slopes[knot - first];
      if (knot < n) prep[knot * RECORD_SIZE + RECORD_D0] = slope;
      if (knot > 0) prep[(knot - 1) * RECORD_SIZE + RECORD_D1] = slope;
    }
  }
}

static void rq_spline_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                                  real *graw) {
  const rq_spline *self = scalar->self;
  const int n = self->n_bin;
  const real *dslopes = prep + spline_behind(self, BEHIND_DSLOPES);
  (void)raw;
  spline_prepare_axis_vjp(self, prep + spline_behind(self, BEHIND_WIDTHS), gprep + RECORD_X, gprep + RECORD_W, graw);
  spline_prepare_axis_vjp(self, prep + spline_behind(self, BEHIND_HEIGHTS), gprep + RECORD_Y, gprep + RECORD_H,
                          graw + n);
  for (int knot = 0; knot <= n; knot++) {
    if (spline_fixed_slope(self, knot)) continue;
    const real left = knot > 0 ? gprep[(knot - 1) * RECORD_SIZE + RECORD_D1] : 0;
    const real right = knot < n ? gprep[knot * RECORD_SIZE + RECORD_D0] : 0;
    graw[2 * n + spline_slope_index(self, knot)] += (left + right) * dslopes[knot];
  }
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static void rq_spline_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  const rq_spline *self = scalar->self;
  (void)rng;
  for (int i = 0; i < 2 * self->n_bin; i++) raw[i] = 0;
  /* min_slope >= 1 leaves no room for a slope of 1: start just above the floor. */
  for (int i = 0; i < self->n_slope; i++) {
    raw[2 * self->n_bin + i] = inverse_softplus(fmax(1 - self->min_slope, 1e-3));
  }
}

static void rq_spline_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  const rq_spline *self = scalar->self;
  visit(host, "widths", self->n_bin);
  visit(host, "heights", self->n_bin);
  visit(host, "slopes", self->n_slope);
}

static bj_status rq_spline_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  rq_spline *self = scalar->self = build_alloc(build, sizeof(rq_spline));
  const int knots = spec_count(build, spec, "knots", 1, COUNT_MOST);
  const double *interval = spec_numbers(build, spec, "interval", 2);
  self->n_bin = knots + 1;
  self->low = interval[0];
  self->high = interval[1];
  self->min_width = spec_real(build, spec, "min_width", 0, INFINITY);
  self->min_slope = spec_real(build, spec, "min_slope", 0, INFINITY);
  self->free = self->high - self->low - self->n_bin * self->min_width;
  self->boundary = (spline_boundary)spec_choice(build, spec, "boundary", "linear", "free", "circular", NULL);
  self->n_slope = self->boundary == SPLINE_FREE ? knots + 2 : self->boundary == SPLINE_CIRCULAR ? knots + 1 : knots;
  if (!(self->free > 0) || !(self->min_width > 0)) {
    return spec_error(build, "scalar_rq_spline(): %d bins of at least %g do not fit into [%g, %g]", self->n_bin,
                      self->min_width, self->low, self->high);
  }
  scalar->n_param = 2 * self->n_bin + self->n_slope;
  scalar->n_prep = (int)spline_behind(self, BEHIND_SIZE);
  scalar->n_cache = ROW_WEIGHTS + 2 * self->n_bin;
  scalar->n_factor = 1;
  return build->status;
}

static const bj_scalar_kind scalar_rq_spline = {
    .name = "rq_spline",
    .build = rq_spline_build,
    .describe = rq_spline_describe,
    .init = rq_spline_init,
    .prepare = rq_spline_prepare,
    .prepare_vjp = rq_spline_prepare_vjp,
    SCALAR_TABLE(rq_spline),
};
