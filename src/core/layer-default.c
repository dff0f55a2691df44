/* What a layer's kind leaves out: the inverse as a root of forward, and its vjp by the implicit function theorem.
 *
 *   inverse: f(x) = y by Newton's method, x <- x + t s with J s = y - f(x); t is halved until the largest residual
 *     falls, which along s it does for any invertible J. The rows of J are d forward_vjps. log|det| is minus that of f.
 *   its vjp, given p = gy and gl at the root: with B(dy, dl) the forward_vjp there, q = p + B(0, -gl), J' w = q,
 *     gx = w, and B(-w, 0); the two B leave the gradients of parameters and condition.
 *
 * A kind that has its own is faster; this is what its own is compared with (`generic`, below). Block after block: the
 * cache of a call is of no use to its vjp, which maps forward once more.
 */
#include <stdio.h>

#include "layer-invert.h"
#include "num-carve.h"
#include "protocol.h"

#define ROOT_STEPS 200
#define ROOT_HALVINGS 60
/* Relative to x, a step of size NEAR is the last: its own error is the square. A row that can come no nearer passes if
 * its last step is below OFF. */
#define ROOT_NEAR BY_REAL(1e-13, 1e-5f)
#define ROOT_OFF BY_REAL(1e-8, 1e-3f)

typedef struct {
  real *trial, *y, *step, *gy, *gx; /* [d][BJ_BLOCK] */
  real *gl, *sum, *factor;          /* [BJ_BLOCK] */
  real *jacobian;                   /* [d][d][BJ_BLOCK]: of y_i by x_j */
  real *matrix, *rhs;               /* d x d and d, of one row */
  real *gtheta, *gprep;             /* of which nothing is wanted */
  real *work;                       /* the layer's own */
} default_space;

static default_space default_carve(const bj_layer *layer, carver *from) {
  const long d = layer->d, rows = d * BJ_BLOCK;
  return (default_space){
      .trial = carve(from, rows),
      .y = carve(from, rows),
      .step = carve(from, rows),
      .gy = carve(from, rows),
      .gx = carve(from, rows),
      .gl = carve(from, BJ_BLOCK),
      .sum = carve(from, BJ_BLOCK),
      .factor = carve(from, BJ_BLOCK),
      .jacobian = carve(from, d * rows),
      .matrix = carve(from, d * d),
      .rhs = carve(from, d),
      .gtheta = carve(from, layer->n_param),
      .gprep = carve(from, layer->n_prep),
      .work = carve(from, 0),
  };
}

/* The forward pass of block b. */
static bj_pass default_block(const bj_layer *layer, const bj_pass *pass, int b, const default_space *at,
                             const bj_run *run, bj_logdet *logdet) {
  return (bj_pass){
      .nb = 1,
      .theta = pass->theta,
      .prep = pass->prep,
      .condition = pass->condition ? pass->condition + (long)b * layer->n_condition * BJ_BLOCK : NULL,
      .y = at->y,
      .logdet = logdet,
      .cache = pass->cache,
      .work = at->work,
      .run = run,
      .row = pass->row + (uint64_t)b * BJ_BLOCK,
      .error = pass->error,
  };
}

static bj_status default_forward(const bj_layer *layer, bj_pass *block, const real *x) {
  block->x = x;
  block->gy = NULL;
  logdet_start(block->logdet, 1);
  const bj_status status = layer->kind->forward(layer, block);
  logdet_finish(block->logdet, 1);
  return status;
}

/* B(gy, gl) at the point of the last default_forward(): gx; with `wanted` the gradients of parameters, too. */
static bj_status default_back(const bj_layer *layer, const bj_pass *block, const default_space *at,
                              const bj_pass *wanted) {
  bj_pass back = *block;
  bj_logdet unused = {0};
  back.logdet = &unused;
  back.gy = at->gy;
  back.gl = at->gl;
  back.gx = at->gx;
  back.gtheta = wanted ? wanted->gtheta : at->gtheta;
  back.gprep = wanted ? wanted->gprep : at->gprep;
  back.gcondition = wanted ? wanted->gcondition : NULL;
  return layer->kind->forward_vjp(layer, &back);
}

static bj_status default_jacobian(const bj_layer *layer, const bj_pass *block, const default_space *at) {
  const long rows = (long)layer->d * BJ_BLOCK;
  bj_status status = BJ_OK;
  for (long i = 0; i < layer->d && status == BJ_OK; i++) {
    memset(at->gl, 0, sizeof(real) * BJ_BLOCK);
    for (long j = 0; j < rows; j++) at->gy[j] = j / BJ_BLOCK == i;
    status = default_back(layer, block, at, NULL);
    memcpy(at->jacobian + i * rows, at->gx, sizeof(real) * (size_t)rows);
  }
  return status;
}

/* Row r of J s = s, or of J' s = s, in place; Gauss with row pivots. 0 if the matrix is singular. */
static int default_solve(const default_space *at, int d, int r, int transposed, real *s) {
  real *m = at->matrix, *rhs = at->rhs;
  for (int i = 0; i < d; i++) {
    rhs[i] = s[(long)i * BJ_BLOCK + r];
    for (int j = 0; j < d; j++) {
      m[(long)i * d + j] = at->jacobian[(transposed ? (long)j * d + i : (long)i * d + j) * BJ_BLOCK + r];
    }
  }
  for (int k = 0; k < d; k++) {
    int pivot = k;
    for (int i = k + 1; i < d; i++) {
      if (fabs(m[(long)i * d + k]) > fabs(m[(long)pivot * d + k])) pivot = i;
    }
    if (!(fabs(m[(long)pivot * d + k]) > 0)) return 0;
    for (int j = k; j < d && pivot != k; j++) {
      const real held = m[(long)k * d + j];
      m[(long)k * d + j] = m[(long)pivot * d + j];
      m[(long)pivot * d + j] = held;
    }
    const real held = rhs[k];
    rhs[k] = rhs[pivot];
    rhs[pivot] = held;
    for (int i = k + 1; i < d; i++) {
      const real ratio = m[(long)i * d + k] / m[(long)k * d + k];
      for (int j = k + 1; j < d; j++) m[(long)i * d + j] -= ratio * m[(long)k * d + j];
      rhs[i] -= ratio * rhs[k];
    }
  }
  for (int k = d - 1; k >= 0; k--) {
    for (int j = k + 1; j < d; j++) rhs[k] -= m[(long)k * d + j] * rhs[j];
    rhs[k] /= m[(long)k * d + k];
    s[(long)k * BJ_BLOCK + r] = rhs[k];
  }
  return 1;
}

/* The largest |y - target| of row r of the last map; NaN outside the domain, where log|det| is not finite. */
static real default_residual(const default_space *at, const real *target, int d, int r) {
  real most = isfinite(at->sum[r]) ? 0 : NAN;
  for (long i = r; i < (long)d * BJ_BLOCK; i += BJ_BLOCK) {
    const real off = fabs(at->y[i] - target[i]);
    if (!(off <= most) && most == most) most = off;
  }
  return most;
}

/* The size of row r of `step` relative to x; NaN if a coordinate is. */
static real default_relative(const real *step, const real *x, int d, int r) {
  real most = 0;
  for (long at = r; at < (long)d * BJ_BLOCK; at += BJ_BLOCK) {
    const real size = fabs(step[at]) / (1 + fabs(x[at]));
    if (!(size <= most) && most == most) most = size;
  }
  return most;
}

static void default_move(real *to, const real *x, const real *step, real t, int d, int r) {
  for (long at = r; at < (long)d * BJ_BLOCK; at += BJ_BLOCK) to[at] = x[at] + t * step[at];
}

typedef enum { ROOT_SEARCHED, ROOT_FOUND, ROOT_MISSED } root_state;

/* x starts where f is nearest to the target: there, or at 0 or 1/2 in all coordinates. A target that is not finite is
 * its own root. */
static bj_status root_start(const bj_layer *layer, bj_pass *block, const default_space *at, const real *target, real *x,
                            real *residual, root_state *state) {
  const int d = layer->d;
  memset(at->step, 0, sizeof(real) * (size_t)d * BJ_BLOCK);
  memcpy(x, target, sizeof(real) * (size_t)d * BJ_BLOCK);
  for (int k = 0; k < 3; k++) {
    for (long i = 0; i < (long)d * BJ_BLOCK; i++) at->trial[i] = k == 0 ? target[i] : 0.5 * (k - 1);
    const bj_status status = default_forward(layer, block, at->trial);
    if (status != BJ_OK) return status;
    for (int r = 0; r < BJ_BLOCK; r++) {
      const real off = default_residual(at, target, d, r);
      if (k > 0 && !(off < residual[r]) && !(isnan(residual[r]) && !isnan(off))) continue;
      residual[r] = off;
      if (state[r] == ROOT_SEARCHED) default_move(x, at->trial, at->step, 0, d, r);
      if (k == 0 && !isfinite(default_relative(at->trial, at->step, d, r))) state[r] = ROOT_FOUND;
    }
  }
  return default_forward(layer, block, x);
}

/* One step of all rows that are still searched. On entry the last map was at x. */
static bj_status root_step(const bj_layer *layer, bj_pass *block, const default_space *at, const real *target, real *x,
                           real *residual, root_state *state) {
  const int d = layer->d;
  const size_t bytes = sizeof(real) * (size_t)d * BJ_BLOCK;
  int pending[BJ_BLOCK], n = 0;
  real t[BJ_BLOCK];
  bj_status status = default_jacobian(layer, block, at);
  for (int r = 0; r < BJ_BLOCK; r++) {
    pending[r] = state[r] == ROOT_SEARCHED;
    if (!pending[r]) continue;
    for (int j = 0; j < d; j++) {
      const long i = (long)j * BJ_BLOCK + r;
      at->step[i] = target[i] - at->y[i];
    }
    t[r] = 1;
    if (!default_solve(at, d, r, 0, at->step)) default_move(at->step, target, at->y, -1, d, r);
    n++;
  }
  for (int halving = 0; n > 0 && halving < ROOT_HALVINGS && status == BJ_OK; halving++) {
    memcpy(at->trial, x, bytes);
    for (int r = 0; r < BJ_BLOCK; r++) {
      if (pending[r]) default_move(at->trial, x, at->step, t[r], d, r);
    }
    status = default_forward(layer, block, at->trial);
    for (int r = 0; r < BJ_BLOCK && status == BJ_OK; r++) {
      if (!pending[r]) continue;
      const real moved = default_residual(at, target, d, r), size = default_relative(at->step, x, d, r);
      if (moved < residual[r] * (1 - 1e-4 * t[r]) || moved == 0) {
        default_move(x, x, at->step, t[r], d, r);
        residual[r] = moved;
        if (moved == 0 || (t[r] == 1 && size < ROOT_NEAR)) state[r] = ROOT_FOUND;
        pending[r] = 0;
      } else if (size < ROOT_NEAR) {
        state[r] = ROOT_FOUND;
        pending[r] = 0;
      }
      n -= !pending[r];
      t[r] /= 2;
    }
  }
  for (int r = 0; r < BJ_BLOCK; r++) {
    if (pending[r]) state[r] = default_relative(at->step, x, d, r) < ROOT_OFF ? ROOT_FOUND : ROOT_MISSED;
  }
  return status == BJ_OK ? default_forward(layer, block, x) : status;
}

/* The root of each row of a block, and the map there. */
static bj_status default_root(const bj_layer *layer, bj_pass *block, const default_space *at, const real *target,
                              real *x) {
  real residual[BJ_BLOCK];
  root_state state[BJ_BLOCK] = {ROOT_SEARCHED};
  bj_status status = root_start(layer, block, at, target, x, residual, state);
  int searched = BJ_BLOCK;
  for (int step = 0; step < ROOT_STEPS && searched > 0 && status == BJ_OK; step++) {
    status = root_step(layer, block, at, target, x, residual, state);
    searched = 0;
    for (int r = 0; r < BJ_BLOCK; r++) searched += state[r] == ROOT_SEARCHED;
  }
  for (int r = 0; r < BJ_BLOCK && status == BJ_OK; r++) {
    if (state[r] != ROOT_FOUND) status = BJ_NO_ROOT;
  }
  if (status == BJ_NO_ROOT) {
    snprintf(block->error->message, sizeof block->error->message, "the inverse of layer_%s() did not converge",
             layer->kind->name);
  }
  return status;
}

static bj_run default_run(const bj_run *run) {
  bj_run forward = *run;
  forward.direction = BJ_FORWARD;
  forward.workers = NULL; /* this is one of them */
  return forward;
}

/* The space of a pass, its gradients cleared. */
static default_space default_begin(const bj_layer *layer, const bj_pass *pass) {
  carver from = {pass->work, 0};
  const default_space at = default_carve(layer, &from);
  memset(at.gtheta, 0, sizeof(real) * (size_t)layer->n_param);
  memset(at.gprep, 0, sizeof(real) * (size_t)layer->n_prep);
  return at;
}

static bj_status default_inverse(const bj_layer *layer, bj_pass *pass) {
  const default_space at = default_begin(layer, pass);
  const bj_run run = default_run(pass->run);
  const long size = (long)layer->d * BJ_BLOCK;
  bj_logdet logdet = {at.sum, at.factor, 0};
  for (int b = 0; b < pass->nb; b++) {
    bj_pass block = default_block(layer, pass, b, &at, &run, &logdet);
    bj_status status = default_root(layer, &block, &at, pass->x + b * size, pass->y + b * size);
    if (status == BJ_OK && pass->penalty) {
      block.penalty = pass->penalty + (long)b * BJ_BLOCK;
      status = default_forward(layer, &block, pass->y + b * size);
    }
    if (status != BJ_OK) return status;
    for (int r = 0; r < BJ_BLOCK; r++) pass->logdet->sum[(long)b * BJ_BLOCK + r] -= at.sum[r];
  }
  return BJ_OK;
}

static bj_status default_inverse_vjp(const bj_layer *layer, bj_pass *pass) {
  const default_space at = default_begin(layer, pass);
  const bj_run run = default_run(pass->run);
  const long size = (long)layer->d * BJ_BLOCK;
  bj_logdet logdet = {at.sum, at.factor, 0};
  for (int b = 0; b < pass->nb; b++) {
    bj_pass block = default_block(layer, pass, b, &at, &run, &logdet), wanted = *pass;
    const real *gy = pass->gy + b * size;
    real *w = pass->gx + b * size;
    if (pass->gcondition) wanted.gcondition += (long)b * layer->n_condition * BJ_BLOCK;
    bj_status status = default_forward(layer, &block, pass->y + b * size);
    if (status == BJ_OK) status = default_jacobian(layer, &block, &at);
    if (status != BJ_OK) return status;

    memset(at.gy, 0, sizeof(real) * (size_t)size);
    for (int r = 0; r < BJ_BLOCK; r++) at.gl[r] = -pass->gl[(long)b * BJ_BLOCK + r];
    block.gpenalty = pass->gpenalty ? pass->gpenalty + (long)b * BJ_BLOCK : NULL;
    status = default_back(layer, &block, &at, &wanted);
    block.gpenalty = NULL;
    if (status != BJ_OK) return status;

    for (long i = 0; i < size; i++) w[i] = gy[i] + at.gx[i];
    for (int r = 0; r < BJ_BLOCK; r++) {
      if (default_solve(&at, layer->d, r, 1, w)) continue;
      for (int j = 0; j < layer->d; j++) w[(long)j * BJ_BLOCK + r] = 0;
    }
    for (long i = 0; i < size; i++) at.gy[i] = -w[i];
    memset(at.gl, 0, sizeof(real) * BJ_BLOCK);
    status = default_back(layer, &block, &at, &wanted);
    if (status != BJ_OK) return status;
  }
  return BJ_OK;
}

/* Gives a layer that has been built a table without gaps, and the memory that the defaults want. */
static void layer_fill(bj_layer *layer, bj_build *build) {
  if (layer->kind->inverse && layer->kind->inverse_vjp) return;
  size_product(build, size_product(build, layer->d, layer->d), BJ_BLOCK);
  if (build->status != BJ_OK) return;
  bj_layer_kind *kind = build_alloc(build, sizeof *kind);
  *kind = *layer->kind;
  if (!kind->inverse) kind->inverse = default_inverse;
  if (!kind->inverse_vjp) kind->inverse_vjp = default_inverse_vjp;
  layer->kind = kind;
  carver measure = {NULL, 0};
  default_carve(layer, &measure);
  layer->n_work = size_sum(build, layer->n_work, measure.used);
}

/* ---- the oracle -------------------------------------------------------------------------------------------------- */

/* generic: a layer as if its kind had forward and forward_vjp alone. Tests compare a kind's own inverse with it. */
static void generic_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  const bj_run forward = default_run(run);
  layer_prepare(layer->self, &forward, theta, prep);
}
static void generic_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                real *gprep, real *gtheta) {
  const bj_run forward = default_run(run);
  layer_prepare_vjp(layer->self, &forward, theta, prep, gprep, gtheta);
}
static bj_status generic_forward(const bj_layer *layer, bj_pass *pass) {
  const bj_layer *inner = layer->self;
  return inner->kind->forward(inner, pass);
}
static bj_status generic_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  const bj_layer *inner = layer->self;
  return inner->kind->forward_vjp(inner, pass);
}

static const bj_layer_kind layer_generic = {
    .name = "generic",
    .build = invert_build,
    .describe = invert_describe,
    .init = invert_init,
    .prepare = generic_prepare,
    .prepare_vjp = generic_prepare_vjp,
    .forward = generic_forward,
    .forward_vjp = generic_forward_vjp,
};
