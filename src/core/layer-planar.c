/* planar: y = x + u h(a), a = w'x + b, h = tanh or a leaky rectifier (Rezende, Mohamed 2015).
 *
 *   u = u_raw + (s - 1 - t) w / |w|^2 with t = w'u_raw and s = log(1 + softplus(t)) > 0, so that w'u = s - 1 > -1
 *   log|det| = log D, D = 1 + h' w'u = (1 - h') + h' s, which does not cancel where w'u is near -1; tanh: 1 - h' = h^2
 *   vjp: gD = gl / D, ga = h' u'gy + h'' (s - 1) gD; gx = gy + ga w; gw = ga x, gb = ga, gu = h gy, gs = h' gD
 *   inverse: a solves a + (s - 1) h(a) = w'y + b, then x = y - u h(a)
 *   its vjp: gc = (-h' u'gx - h'' (s - 1) gl / D) / D; gy = gx + gc w; gw = gc y, gb = gc, gu = -h gx,
 *     gs = -h' gl / D - h gc
 *
 * u has no limit for w -> 0. |w|^2 is kept above 1e-24 where it divides: the map is the usual one down to |w| = 1e-12,
 * its w'u then goes to t, and at w = 0 it is x + u_raw h(b). s is kept above REAL_TINY.
 *
 * Raw parameters are w, u_raw, b: trained numbers, or, given conditions, the outputs of a net, one set a row. A set is
 * what the formulas use: w, u, b, s.
 */
#include <stdio.h>

#include "net-common.h"
#include "num-planar.h"
#include "num-tanh_root.h"

typedef struct {
  int is_tanh, start_small;
  real slope;   /* of the leaky rectifier below 0 */
  net_slot net; /* none: one set for all rows */
} planar;

typedef struct {
  real *kept; /* tanh(a), or a of a leaky rectifier */
  real *set;  /* with a net: sets a row, made of its output */
  real *gset; /* their gradient; without a net ga, gs, h of one block */
  net_rows net;
} planar_at;

INLINE planar_at planar_carve(const bj_layer *layer, carver *cache, carver *work) {
  const planar *self = layer->self;
  const int rowwise = self->net.net != NULL;
  planar_at at = {0};
  at.kept = carve_rows(cache, 1);
  at.set = carve_rows(cache, rowwise ? 2L * layer->d + 2 : 0);
  at.gset = carve_rows(work, rowwise ? 2L * layer->d + 2 : 3);
  if (rowwise) at.net = net_slot_carve(&self->net, cache, work);
  return at;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

typedef struct {
  vreal h, slope, det; /* h(a), h'(a), D */
} planar_point;

/* From what the cache keeps: tanh(a), or a. */
INLINE planar_point planar_point_of(vreal kept, vreal s, int is_tanh, real leak) {
  if (is_tanh) {
    const vreal square = kept * kept, slope = 1.0 - square;
    return (planar_point){kept, slope, square + slope * s};
  }
  const vint negative = vlt(kept, vset(0));
  const vreal slope = vselect(negative, vset(leak), vset(1));
  return (planar_point){kept * slope, slope, vselect(negative, vset(1 - leak), vset(0)) + slope * s};
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

INLINE void planar_map_block(const planar *self, const real *x, const real *set, real *y, real *kept, bj_logdet *logdet,
                             long at, vint *failed, bj_direction direction, int is_tanh, int d, int rowwise) {
  FOR_ROWS(r) {
    vreal a = PLANAR_AT(set, 2 * d);
    const vreal s = PLANAR_AT(set, 2 * d + 1);
    for (int j = 0; j < d; j++) a += PLANAR_AT(set, j) * vload(x + (long)j * BJ_BLOCK + r);
    if (direction == BJ_INVERSE && !is_tanh) a = a / planar_point_of(a, s, 0, self->slope).det;
    vstore(kept + r, a);
  }
  for (int first = 0; direction == BJ_INVERSE && is_tanh && first < BJ_BLOCK; first += TANH_ROOT_MOST * BJ_LANES) {
    vreal a[TANH_ROOT_MOST], s[TANH_ROOT_MOST];
    for (int k = 0; k < TANH_ROOT_MOST; k++) {
      const int r = first + k * BJ_LANES;
      a[k] = vload(kept + r);
      s[k] = PLANAR_AT(set, 2 * d + 1);
    }
    tanh_root(a, s, TANH_ROOT_MOST, failed);
    for (int k = 0; k < TANH_ROOT_MOST; k++) vstore(kept + first + k * BJ_LANES, a[k]);
  }
  if (is_tanh) vtanh_row(kept);
  FOR_ROWS(r) {
    const planar_point p = planar_point_of(vload(kept + r), PLANAR_AT(set, 2 * d + 1), is_tanh, self->slope);
    const vreal h = direction == BJ_FORWARD ? p.h : -p.h;
    for (int j = 0; j < d; j++) {
      vstore(y + (long)j * BJ_BLOCK + r, vload(x + (long)j * BJ_BLOCK + r) + PLANAR_AT(set, d + j) * h);
    }
    logdet_multiply(logdet, at + r, direction == BJ_FORWARD ? p.det : 1.0 / p.det);
  }
}

typedef struct {
  vreal ga, gs, h; /* of a (inverse: of w'y + b), of s; gu = h g */
} planar_back;

INLINE planar_back planar_back_of(vreal kept, vreal s, vreal ug, vreal gl, real leak, bj_direction direction,
                                  int is_tanh) {
  const planar_point p = planar_point_of(kept, s, is_tanh, leak);
  const vreal gdet = gl / p.det, bend = is_tanh ? (real)-2.0 * p.h * (s - 1.0) * gdet : vset(0); /* h'' = -2 h h' */
  if (direction == BJ_FORWARD) return (planar_back){p.slope * (ug + bend), p.slope * gdet, p.h};
  const vreal gc = -p.slope * (ug + bend) / p.det;
  return (planar_back){gc, -p.slope * gdet - p.h * gc, -p.h};
}

/* The gradient of the set: stored (rows), or its sums added to `sums` (one set, d of at most PLANAR_SMALL), or, for
 * more coordinates, ga and h of the rows left in `gset` for planar_sums(). */
#define PLANAR_SMALL 3
typedef enum { PLANAR_ROWS, PLANAR_REGISTERS, PLANAR_TWO_STEPS } planar_mode;

INLINE void planar_vjp_block(const planar *self, const real *x, const real *set, const real *kept, const real *gy,
                             const real *gl, real *gx, real *gset, vreal *sums, bj_direction direction, int is_tanh,
                             int d, planar_mode mode) {
  const int rowwise = mode == PLANAR_ROWS;
  FOR_ROWS(r) {
    vreal ug = vset(0);
    for (int j = 0; j < d; j++) ug += PLANAR_AT(set, d + j) * vload(gy + (long)j * BJ_BLOCK + r);
    const planar_back back =
        planar_back_of(vload(kept + r), PLANAR_AT(set, 2 * d + 1), ug, vload(gl + r), self->slope, direction, is_tanh);
    for (int j = 0; j < d; j++) {
      const long at = (long)j * BJ_BLOCK + r;
      const vreal g = vload(gy + at);
      vstore(gx + at, g + back.ga * PLANAR_AT(set, j));
      if (mode == PLANAR_ROWS) {
        vstore(gset + at, back.ga * vload(x + at));
        vstore(gset + (long)d * BJ_BLOCK + at, back.h * g);
      } else if (mode == PLANAR_REGISTERS) {
        sums[j] += back.ga * vload(x + at);
        sums[d + j] += back.h * g;
      }
    }
    if (mode == PLANAR_REGISTERS) {
      sums[2 * d] += back.ga;
      sums[2 * d + 1] += back.gs;
    } else {
      const int last = mode == PLANAR_ROWS ? 2 * d : 0;
      vstore(gset + (long)last * BJ_BLOCK + r, back.ga);
      vstore(gset + (long)(last + 1) * BJ_BLOCK + r, back.gs);
      if (mode == PLANAR_TWO_STEPS) vstore(gset + 2 * BJ_BLOCK + r, back.h);
    }
  }
}

/* Sums over the rows of one block, coordinate after coordinate; `left` is ga, gs, h. */
static void planar_sums(const real *left, const real *x, const real *gy, real *gset, int d) {
  for (int j = 0; j < d; j++) {
    vreal gw = vset(0), gu = vset(0);
    FOR_ROWS(r) {
      gw += vload(left + r) * vload(x + (long)j * BJ_BLOCK + r);
      gu += vload(left + 2 * BJ_BLOCK + r) * vload(gy + (long)j * BJ_BLOCK + r);
    }
    gset[j] += vsum(gw);
    gset[d + j] += vsum(gu);
  }
  vreal ga = vset(0), gs = vset(0);
  FOR_ROWS(r) {
    ga += vload(left + r);
    gs += vload(left + BJ_BLOCK + r);
  }
  gset[2 * d] += vsum(ga);
  gset[2 * d + 1] += vsum(gs);
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

INLINE long planar_set_size(const bj_layer *layer) { return (2L * layer->d + 2) * BJ_BLOCK; }
INLINE long planar_raw_size(const bj_layer *layer) { return (2L * layer->d + 1) * BJ_BLOCK; }

INLINE int planar_run(const bj_layer *layer, const bj_pass *pass, bj_direction direction, int d, int rowwise,
                      int is_tanh) {
  const planar *self = layer->self;
  const long size = (long)layer->d * BJ_BLOCK;
  const planar_at at = CARVE(planar_carve, layer, pass);
  vint failed = (vint)vset(0);
  logdet_claim(pass->logdet, pass->nb, 1);
  for (int b = 0; b < pass->nb; b++) {
    real *set = at.set + b * planar_set_size(layer);
    if (rowwise) {
      const real *raw = at.net.y + b * planar_raw_size(layer);
      FOR_ROWS(r) planar_constrain(raw, set, d, r, 1);
    }
    planar_map_block(self, pass->x + b * size, rowwise ? set : pass->prep, pass->y + b * size, at.kept + b * BJ_BLOCK,
                     pass->logdet, b * BJ_BLOCK, &failed, direction, is_tanh, d, rowwise);
  }
  return vany(failed);
}

INLINE void planar_run_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction, int d, planar_mode mode,
                           int is_tanh) {
  const planar *self = layer->self;
  const long size = (long)layer->d * BJ_BLOCK;
  const planar_at at = CARVE(planar_carve, layer, pass);
  vreal sums[2 * PLANAR_SMALL + 2];
  if (mode == PLANAR_REGISTERS) {
    for (int j = 0; j < 2 * d + 2; j++) sums[j] = vset(0);
  }
  for (int b = 0; b < pass->nb; b++) {
    const real *x = pass->x + b * size, *gy = pass->gy + b * size;
    const long at_set = mode == PLANAR_ROWS ? b * planar_set_size(layer) : 0;
    real *gset = at.gset + at_set;
    planar_vjp_block(self, x, mode == PLANAR_ROWS ? at.set + at_set : pass->prep, at.kept + b * BJ_BLOCK, gy,
                     pass->gl + b * BJ_BLOCK, pass->gx + b * size, gset, sums, direction, is_tanh, d, mode);
    if (mode == PLANAR_TWO_STEPS) planar_sums(gset, x, gy, pass->gprep, d);
    if (mode == PLANAR_ROWS) {
      const long raw = b * planar_raw_size(layer);
      FOR_ROWS(r) planar_constrain_vjp(at.net.y + raw, gset, at.net.gy + raw, d, r, 1);
    }
  }
  if (mode == PLANAR_REGISTERS) {
    for (int j = 0; j < 2 * d + 2; j++) pass->gprep[j] += vsum(sums[j]);
  }
}

/* Sizes that the compiler knows for two coordinates, and one variant that fits all. */
INLINE bj_status planar_call(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const planar *self = layer->self;
  int failed;
  if (self->net.net) {
    const planar_at at = CARVE(planar_carve, layer, pass);
    net_slot_forward(&self->net, net_rows_pass(&at.net, pass, pass->condition));
    failed = BY_FLAG(self->is_tanh, planar_run, layer, pass, direction, layer->d, 1);
  } else if (self->is_tanh && layer->d == 2) {
    failed = planar_run(layer, pass, direction, 2, 0, 1);
  } else {
    failed = BY_FLAG(self->is_tanh, planar_run, layer, pass, direction, layer->d, 0);
  }
  if (!failed) return BJ_OK;
  snprintf(pass->error->message, sizeof pass->error->message, "the inverse of a planar layer did not converge");
  return BJ_NO_ROOT;
}

INLINE bj_status planar_call_vjp(const bj_layer *layer, const bj_pass *pass, bj_direction direction) {
  const planar *self = layer->self;
  if (self->net.net) {
    const planar_at at = CARVE(planar_carve, layer, pass);
    BY_FLAG(self->is_tanh, planar_run_vjp, layer, pass, direction, layer->d, PLANAR_ROWS);
    net_slot_vjp(&self->net, net_rows_pass(&at.net, pass, pass->condition), pass->gcondition);
  } else if (self->is_tanh && layer->d == 2) {
    planar_run_vjp(layer, pass, direction, 2, PLANAR_REGISTERS, 1);
  } else {
    BY_FLAG(self->is_tanh, planar_run_vjp, layer, pass, direction, layer->d, PLANAR_TWO_STEPS);
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(planar, planar_call)

/* ---- parameters and building ------------------------------------------------------------------------------------- */

static void planar_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  (void)run;
  const planar *self = layer->self;
  if (self->net.net) {
    net_slot_prepare(&self->net, theta, prep);
  } else {
    planar_constrain(theta, prep, layer->d, 0, 0);
  }
}

static void planar_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                               real *gprep, real *gtheta) {
  (void)run;
  const planar *self = layer->self;
  (void)prep;
  if (self->net.net) {
    net_slot_prepare_vjp(&self->net, gprep, gtheta);
  } else {
    planar_constrain_vjp(theta, gprep, gtheta, layer->d, 0, 0);
  }
}

static void planar_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const planar *self = layer->self;
  const int d = layer->d;
  if (self->net.net) {
    net_slot_init(&self->net, theta, rng);
    return;
  }
  for (int j = 0; j < 2 * d + 1; j++) theta[j] = (self->start_small ? 0.01 : 1) * rng_normal(rng);
  if (!self->start_small) planar_still(theta, theta + d, d, 1);
}

static void planar_describe(const bj_layer *layer, bj_describe *out) {
  const planar *self = layer->self;
  if (self->net.net) {
    net_slot_describe(&self->net, "net", out);
  } else {
    describe_slot(out, "w", 1, layer->d, 0);
    describe_slot(out, "u", 1, layer->d, 0);
    describe_slot(out, "b", 0, 0, 0);
  }
}

static bj_status planar_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  planar *self = layer->self = build_alloc(build, sizeof(planar));
  const int d = layer->d;
  self->is_tanh = spec_choice(build, spec, "activation", "tanh", "leaky_relu", NULL) == 0;
  self->start_small = spec_choice(build, spec, "init", "identity", "small", NULL);
  self->slope = spec_real(build, spec, "negative_slope", 0, 1);
  if (spec_given(build, spec, "net") && layer->n_condition > 0) {
    const bj_net_request request = {.n_in = layer->n_condition, .n_out = 2 * d + 1};
    const bj_status status = net_slot_build(build, spec_part(build, spec, "net"), &request, layer->n_condition,
                                            spec->kind, &layer->n_param, &layer->n_prep, &self->net);
    if (status != BJ_OK) return status;
  } else {
    layer->n_param = 2L * d + 1;
    layer->n_prep = 2L * d + 2;
  }
  MEASURE(planar_carve, layer);
  return build->status;
}

static const bj_layer_kind layer_planar = {
    .name = "planar",
    .build = planar_build,
    .describe = planar_describe,
    .init = planar_init,
    .prepare = planar_prepare,
    .prepare_vjp = planar_prepare_vjp,
    LAYER_TABLE(planar),
};
