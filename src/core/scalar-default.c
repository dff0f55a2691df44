/* What a scalar's kind leaves out: the inverse as a root of forward, and its vjp by the implicit function theorem.
 *
 *   inverse: f is monotone, so a root of f(x) = y lies between any two points at which the signs of f - y differ.
 *     Newton's method, whose slope is exp(log-determinant), within the bracket; where it leaves it, or does not halve
 *     its step, the bracket is halved, in the exponent where it spans orders of magnitude. Where there is no bracket y
 *     is outside the range: x is the last point of the domain that was tried and the log-determinant -Inf.
 *   its vjp, given p = gy and gl at the root: with B(dy, dl) the forward_vjp there, f' = B(1, 0), q = p + B(0, -gl),
 *     gx = q / f', and B(-gx, 0); the last two B leave the gradient of the parameters.
 *
 * Block after block, in rows of the cache before the scalar's own; forward is mapped once more for the vjp.
 */
#include "num-carve.h"
#include "protocol.h"
#include "scalar-invert.h"

#define BRACKET_STEPS 400
#define SCALAR_ROOT_STEPS 300

typedef struct {
  real *y, *sum, *factor, *gy, *gl, *slope, *gx; /* [BJ_BLOCK] */
  real *gpar, *gglobal;                          /* one set, of either sharing */
  real *own;
} scalar_space;

static scalar_space scalar_carve(const bj_scalar *scalar, carver *from) {
  const long rowwise = (long)scalar->n_param * BJ_BLOCK, shared = scalar->n_prep;
  return (scalar_space){
      .y = carve(from, BJ_BLOCK),
      .sum = carve(from, BJ_BLOCK),
      .factor = carve(from, BJ_BLOCK),
      .gy = carve(from, BJ_BLOCK),
      .gl = carve(from, BJ_BLOCK),
      .slope = carve(from, BJ_BLOCK),
      .gx = carve(from, BJ_BLOCK),
      .gpar = carve(from, rowwise > shared ? rowwise : shared),
      .gglobal = carve(from, scalar->n_global),
      .own = carve(from, 0),
  };
}

/* The forward pass of block b. */
static bj_scalar_pass scalar_block(const bj_scalar_pass *pass, int b, bj_sharing mode, const scalar_space *at,
                                   bj_logdet *logdet) {
  return (bj_scalar_pass){
      .nb = 1,
      .stride = BJ_BLOCK,
      .y = at->y,
      .logdet = logdet,
      .par = mode == SHARED ? pass->par : pass->par + b * pass->par_stride,
      .par_stride = pass->par_stride,
      .global = pass->global,
      .cache = at->own,
      .cache_stride = pass->cache_stride,
      .twin = pass->twin ? pass->twin + b * pass->cache_stride : NULL,
  };
}

static void scalar_forward(const bj_scalar *scalar, bj_scalar_pass *block, bj_sharing mode, const real *x) {
  block->x = x;
  logdet_start(block->logdet, 1);
  scalar->kind->forward[mode](scalar, block);
  logdet_finish(block->logdet, 1);
}

/* Between low and high, by orders of magnitude where they are far apart. */
static real bracket_middle(real low, real high) {
  if (low < 0 && high > 0) return high > -4 * low ? sqrt(high) * 1e-3 : low < -4 * high ? -sqrt(-low) * 1e-3 : 0;
  const real a = fabs(low), b = fabs(high), far = a > b ? a : b, near = a > b ? b : a;
  if (near > 0 && far > 4 * near) return (low < 0 ? -1 : 1) * sqrt(near) * sqrt(far);
  if (near == 0 && far > REAL_TINY) return (low + high) * (far > 1 ? 1 / (1 + sqrt(far)) : 1e-3 + 0.25 * far);
  return low + 0.5 * (high - low);
}

typedef struct {
  real low[BJ_BLOCK], high[BJ_BLOCK];
  int rises[BJ_BLOCK], found[BJ_BLOCK]; /* found: has a bracket */
} bracket;

/* Outside the domain, or where f is flat, the log-determinant is not finite. */
static int scalar_inside(const bj_scalar_pass *block, int r) {
  return isfinite(block->logdet->sum[r]) && block->y[r] == block->y[r];
}

/* A point of the domain for each row, the value there, and whether f rises; 0 in `open` where there is none. */
static void scalar_start(const bj_scalar *scalar, bj_scalar_pass *block, bj_sharing mode, const real *target, real *x,
                         real *value, int *rises, int *open) {
  const real points[] = {0, 0.5, 0, 2, -2}; /* the third is the target */
  real moved[BJ_BLOCK];
  memset(open, 0, sizeof(int) * BJ_BLOCK);
  for (int k = 0; k < 5; k++) {
    for (int r = 0; r < BJ_BLOCK; r++) {
      if (!open[r]) x[r] = k == 2 ? target[r] : points[k];
    }
    scalar_forward(scalar, block, mode, x);
    for (int r = 0; r < BJ_BLOCK; r++) open[r] = scalar_inside(block, r) && target[r] == target[r];
  }
  memcpy(value, block->y, sizeof(real) * BJ_BLOCK);
  memset(rises, 0, sizeof(int) * BJ_BLOCK);
  for (int side = -1; side <= 1; side += 2) {
    for (int r = 0; r < BJ_BLOCK; r++) moved[r] = x[r] + side * 1e-3;
    scalar_forward(scalar, block, mode, moved);
    for (int r = 0; r < BJ_BLOCK; r++) {
      if (scalar_inside(block, r)) rises[r] = side * (block->y[r] - value[r]) >= 0;
    }
  }
}

/* Goes to the side where the root must lie until the sign changes, at most to the wall at which the domain ends. */
static void scalar_bracket(const bj_scalar *scalar, bj_scalar_pass *block, bj_sharing mode, const real *target, real *x,
                           bracket *to) {
  real near[BJ_BLOCK], value[BJ_BLOCK], wall[BJ_BLOCK], width[BJ_BLOCK];
  int open[BJ_BLOCK], side[BJ_BLOCK], n = 0;
  scalar_start(scalar, block, mode, target, near, value, to->rises, open);
  for (int r = 0; r < BJ_BLOCK; r++) {
    side[r] = (value[r] < target[r]) == to->rises[r] ? 1 : -1;
    width[r] = 1;
    wall[r] = side[r] * INFINITY;
    to->found[r] = 0;
    to->low[r] = to->high[r] = near[r];
    n += open[r];
  }
  for (int step = 0; step < BRACKET_STEPS && n > 0; step++) {
    for (int r = 0; r < BJ_BLOCK; r++) {
      x[r] = near[r] + side[r] * width[r];
      if (isfinite(wall[r])) x[r] = side[r] > 0 ? bracket_middle(near[r], wall[r]) : bracket_middle(wall[r], near[r]);
    }
    scalar_forward(scalar, block, mode, x);
    n = 0;
    for (int r = 0; r < BJ_BLOCK; r++) {
      if (!open[r]) continue;
      if (!scalar_inside(block, r)) {
        wall[r] = isfinite(x[r]) ? x[r] : side[r] * REAL_HUGE;
      } else if ((block->y[r] < target[r]) != (value[r] < target[r]) || block->y[r] == target[r]) {
        to->found[r] = 1;
        to->low[r] = side[r] > 0 ? near[r] : x[r];
        to->high[r] = side[r] > 0 ? x[r] : near[r];
      } else {
        near[r] = x[r];
        width[r] *= 8;
      }
      open[r] = !to->found[r] && near[r] != wall[r];
      n += open[r];
    }
  }
  for (int r = 0; r < BJ_BLOCK; r++) {
    if (!to->found[r]) to->low[r] = to->high[r] = near[r];
  }
}

/* The roots of a block; the map at x is not that of the last call. */
static void scalar_root(const bj_scalar *scalar, bj_scalar_pass *block, bj_sharing mode, const real *target, real *x,
                        bracket *in) {
  real before[BJ_BLOCK];
  int n = 0;
  for (int r = 0; r < BJ_BLOCK; r++) {
    before[r] = in->high[r] - in->low[r];
    x[r] = bracket_middle(in->low[r], in->high[r]);
    n += in->found[r];
  }
  int open[BJ_BLOCK];
  memcpy(open, in->found, sizeof open);
  for (int step = 0; step < SCALAR_ROOT_STEPS && n > 0; step++) {
    scalar_forward(scalar, block, mode, x);
    n = 0;
    for (int r = 0; r < BJ_BLOCK; r++) {
      if (!open[r]) continue;
      const real sign = in->rises[r] ? 1 : -1, off = sign * (block->y[r] - target[r]);
      if (off >= 0) in->high[r] = x[r];
      if (off <= 0) in->low[r] = x[r];
      real next = x[r] - off / exp(block->logdet->sum[r]);
      const int inside = next >= in->low[r] && next <= in->high[r];
      if (!inside || fabs(next - x[r]) > 0.5 * before[r]) next = bracket_middle(in->low[r], in->high[r]);
      before[r] = fabs(next - x[r]);
      open[r] = !(before[r] <= REAL_EPS * fabs(x[r])) && in->low[r] < in->high[r];
      x[r] = next;
      n += open[r];
    }
  }
}

static scalar_space scalar_space_of(const bj_scalar *scalar, const bj_scalar_pass *pass, int b) {
  carver from = {pass->cache + b * pass->cache_stride, 0};
  return scalar_carve(scalar, &from);
}

static void scalar_default_inverse(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode) {
  for (int b = 0; b < pass->nb; b++) {
    const scalar_space at = scalar_space_of(scalar, pass, b);
    bj_logdet logdet = {at.sum, at.factor, 0};
    bj_scalar_pass block = scalar_block(pass, b, mode, &at, &logdet);
    const real *target = pass->x + b * pass->stride;
    real *x = pass->y + b * pass->stride, *sum = pass->logdet->sum + (long)b * BJ_BLOCK;
    bracket in;
    scalar_bracket(scalar, &block, mode, target, x, &in);
    scalar_root(scalar, &block, mode, target, x, &in);
    scalar_forward(scalar, &block, mode, x);
    for (int r = 0; r < BJ_BLOCK; r++) {
      sum[r] += in.found[r] && isfinite(at.sum[r]) ? -at.sum[r] : target[r] == target[r] ? -INFINITY : NAN;
    }
  }
}

static void scalar_default_inverse_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode) {
  const size_t row = sizeof(real) * BJ_BLOCK;
  const long n_par = mode == SHARED ? scalar->n_prep : (long)scalar->n_param * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) {
    const scalar_space at = scalar_space_of(scalar, pass, b);
    bj_logdet logdet = {at.sum, at.factor, 0};
    bj_scalar_pass block = scalar_block(pass, b, mode, &at, &logdet), back;
    const real *gy = pass->gy + b * pass->stride, *gl = pass->gl + (long)b * BJ_BLOCK;
    real *gx = pass->gx + b * pass->stride, *gpar = pass->gpar;
    if (mode == ROWWISE) gpar += b * pass->gpar_stride;
    scalar_forward(scalar, &block, mode, pass->y + b * pass->stride);

    back = block;
    back.gpar_stride = pass->gpar_stride;
    back.gy = at.gy;
    back.gl = at.gl;
    back.gx = at.slope;
    back.gpar = at.gpar;
    back.gglobal = at.gglobal;
    memset(at.gpar, 0, sizeof(real) * (size_t)n_par);
    memset(at.gglobal, 0, sizeof(real) * (size_t)scalar->n_global);
    memset(at.gl, 0, row);
    for (int r = 0; r < BJ_BLOCK; r++) at.gy[r] = 1;
    scalar->kind->forward_vjp[mode](scalar, &back);

    back.gx = at.gx;
    back.gpar = gpar;
    back.gglobal = pass->gglobal;
    memset(at.gy, 0, row);
    for (int r = 0; r < BJ_BLOCK; r++) at.gl[r] = -gl[r];
    scalar->kind->forward_vjp[mode](scalar, &back);

    for (int r = 0; r < BJ_BLOCK; r++) {
      const real through = (gy[r] + at.gx[r]) / at.slope[r];
      gx[r] = isfinite(through) ? through : 0;
      at.gy[r] = -gx[r];
    }
    memset(at.gl, 0, row);
    if (mode == ROWWISE) back.gpar = at.gpar; /* overwritten: the sum of both is taken here */
    scalar->kind->forward_vjp[mode](scalar, &back);
    for (long i = 0; i < n_par && mode == ROWWISE; i++) gpar[i] += at.gpar[i];
  }
}

#define SCALAR_DEFAULT(slot, mode_name, mode)                                                            \
  static void scalar_default_##slot##_##mode_name(const bj_scalar *scalar, const bj_scalar_pass *pass) { \
    scalar_default_##slot(scalar, pass, mode);                                                           \
  }
SCALAR_DEFAULT(inverse, rowwise, ROWWISE)
SCALAR_DEFAULT(inverse, shared, SHARED)
SCALAR_DEFAULT(inverse_vjp, rowwise, ROWWISE)
SCALAR_DEFAULT(inverse_vjp, shared, SHARED)

/* Gives a scalar that has been built a table without gaps, and the memory that the defaults want. */
static void scalar_fill(bj_scalar *scalar, bj_build *build) {
  const bj_scalar_kind *given = scalar->kind;
  if (given->inverse[ROWWISE] && given->inverse_vjp[ROWWISE]) return;
  bj_scalar_kind *kind = build_alloc(build, sizeof *kind);
  *kind = *given;
  if (!given->inverse[ROWWISE]) {
    kind->inverse[ROWWISE] = scalar_default_inverse_rowwise;
    kind->inverse[SHARED] = scalar_default_inverse_shared;
  }
  if (!given->inverse_vjp[ROWWISE]) {
    kind->inverse_vjp[ROWWISE] = scalar_default_inverse_vjp_rowwise;
    kind->inverse_vjp[SHARED] = scalar_default_inverse_vjp_shared;
  }
  scalar->kind = kind;
  carver measure = {NULL, 0};
  scalar_carve(scalar, &measure);
  const long rows = size_sum(build, scalar->n_cache, (measure.used + BJ_BLOCK - 1) / BJ_BLOCK);
  if (build->status == BJ_OK) scalar->n_cache = (int)rows;
}

/* ---- the oracle -------------------------------------------------------------------------------------------------- */

/* generic: a scalar as if its kind had forward and forward_vjp alone. */
#define PLAIN(slot, mode_name, mode)                                                            \
  static void plain_##slot##_##mode_name(const bj_scalar *scalar, const bj_scalar_pass *pass) { \
    const bj_scalar *inner = scalar->self;                                                      \
    inner->kind->slot[mode](inner, pass);                                                       \
  }
PLAIN(forward, rowwise, ROWWISE)
PLAIN(forward, shared, SHARED)
PLAIN(forward_vjp, rowwise, ROWWISE)
PLAIN(forward_vjp, shared, SHARED)

static const bj_scalar_kind scalar_generic = {
    .name = "generic",
    .build = scalar_invert_build,
    .describe = scalar_invert_describe,
    .describe_global = scalar_invert_describe_global,
    .init = scalar_invert_init,
    .prepare = scalar_invert_prepare,
    .prepare_vjp = scalar_invert_prepare_vjp,
    .forward = {plain_forward_rowwise, plain_forward_shared},
    .forward_vjp = {plain_forward_vjp_rowwise, plain_forward_vjp_shared},
};
