/* Nets of base distributions; what coordinates with a location and a scale share, whatever their shape, with formulas
 * in base-loc_scale.h. */
#include "base-loc_scale.h"

/* ---- nets of conditions ------------------------------------------------------------------------------------------ */

INLINE base_rows base_carve(const bj_base *base, carver *cache, carver *work) {
  base_rows at;
  at.net = net_slot_carve(base->net, cache, work);
  at.prep = carve_rows(cache, base->n_row_prep);
  at.gprep = carve_rows(work, base->n_row_prep);
  return at;
}

INLINE base_rows base_rows_at(const bj_base *base, const bj_base_pass *pass) { return CARVE(base_carve, base, pass); }

static bj_net_pass base_net_pass(const base_rows *at, const bj_base_pass *pass) {
  return (bj_net_pass){
      .nb = pass->nb,
      .theta = pass->theta,
      .prep = pass->prep,
      .x = pass->condition,
      .y = at->net.y,
      .cache = at->net.cache,
      .work = at->net.work,
      .gy = at->net.gy,
      .gx = at->net.gx,
      .gtheta = pass->gtheta,
      .gprep = pass->gprep,
  };
}

static int base_n_given(const bj_base *base) { return base->net ? base->net->net->n_out : 0; }

static const real *base_given(const bj_base *base, const bj_base_pass *pass) {
  if (!base->net) return NULL;
  const base_rows at = base_rows_at(base, pass);
  net_slot_forward(base->net, base_net_pass(&at, pass));
  if (base->kind->prepare_rows) base->kind->prepare_rows(base, pass->nb, at.net.y, at.prep);
  return at.net.y;
}

static void base_given_vjp(const bj_base *base, const bj_base_pass *pass) {
  const base_rows at = base_rows_at(base, pass);
  const bj_base_kind *kind = base->kind;
  if (kind->prepare_rows_vjp) kind->prepare_rows_vjp(base, pass->nb, at.net.y, at.prep, at.gprep, at.net.gy);
  net_slot_vjp(base->net, base_net_pass(&at, pass), pass->gcondition);
}

/* A spec that was made before there were such nets has no such entry. */
static int base_net_wanted(const bj_base *base, const bj_spec *spec) {
  return spec_length(spec, "net") > 0 && base->n_condition > 0;
}

static bj_status base_net_build(bj_base *base, const bj_spec *spec, int n_out, const real *offset, bj_build *build) {
  if (!base_net_wanted(base, spec)) return build->status;
  const bj_net_request request = {.n_in = base->n_condition, .n_out = n_out, .offset = offset};
  net_slot *slot = build_alloc(build, sizeof(net_slot));
  const bj_status status = net_slot_build(build, spec_part(build, spec, "net"), &request, base->n_condition, spec->kind,
                                          &base->n_param, &base->n_prep, slot);
  if (status != BJ_OK) return status;
  base->net = slot;
  MEASURE(base_carve, base);
  return build->status;
}

static void base_describe(const bj_base *base, bj_describe *out) {
  if (base->kind->describe) base->kind->describe(base, out);
  if (base->net) net_slot_describe(base->net, "net", out);
}

static void base_init(const bj_base *base, real *theta, bj_rng *rng) {
  if (base->kind->init) base->kind->init(base, theta, rng);
  if (base->net) net_slot_init(base->net, theta, rng);
}

static void base_prepare(const bj_base *base, const real *theta, real *prep) {
  if (base->kind->prepare) base->kind->prepare(base, theta, prep);
  if (base->net) net_slot_prepare(base->net, theta, prep);
}

static void base_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  if (base->kind->prepare_vjp) base->kind->prepare_vjp(base, theta, prep, gprep, gtheta);
  if (base->net) net_slot_prepare_vjp(base->net, gprep, gtheta);
}

/* ---- location and scale ------------------------------------------------------------------------------------------ */

/* Three numbers a coordinate from `prep` on, `step` from one to the next: those of `theta`, or 0 and 1. */
static void loc_scale_numbers(const loc_scale *self, int d, const real *theta, real *prep, long step) {
  for (int i = 0; i < d; i++, prep += step) {
    real unused;
    const real scale = self->free ? base_positive(theta[d + i], &unused) : self->scale[i];
    prep[0] = self->free ? theta[i] : self->loc[i];
    prep[1] = 1 / scale;
    prep[2] = -log(scale);
  }
}

static void loc_scale_numbers_vjp(const loc_scale *self, int d, const real *theta, const real *gprep, long step,
                                  real *gtheta) {
  for (int i = 0; i < d && self->free; i++, gprep += step) {
    real dlog;
    base_positive(theta[d + i], &dlog);
    gtheta[i] += gprep[0];
    gtheta[d + i] += gprep[1] * dlog;
  }
}

static void loc_scale_prepare(const bj_base *base, const real *theta, real *prep) {
  if (!base->net) loc_scale_numbers(base->self, base->d, theta, prep, 3);
}

static void loc_scale_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  (void)prep;
  if (!base->net) loc_scale_numbers_vjp(base->self, base->d, theta, gprep, 3, gtheta);
}

static void loc_scale_prepare_rows(const bj_base *base, int nb, const real *raw, real *prep) {
  const int d = base->d;
  FOR_BLOCK_ROWS(nb, b, r) {
    const real *from = raw + (long)b * 2 * d * BJ_BLOCK + r;
    real *to = prep + (long)b * 3 * d * BJ_BLOCK + r;
    for (int i = 0; i < d; i++) {
      vreal unused;
      const vreal scale = base_positive_rows(vload(from + (long)(d + i) * BJ_BLOCK), &unused);
      vstore(to + (long)3 * i * BJ_BLOCK, vload(from + (long)i * BJ_BLOCK));
      vstore(to + ((long)3 * i + 1) * BJ_BLOCK, 1.0 / scale);
      vstore(to + ((long)3 * i + 2) * BJ_BLOCK, -vlog(scale));
    }
  }
}

static void loc_scale_prepare_rows_vjp(const bj_base *base, int nb, const real *raw, const real *prep,
                                       const real *gprep, real *graw) {
  const int d = base->d;
  (void)prep;
  FOR_BLOCK_ROWS(nb, b, r) {
    const long at = (long)b * 2 * d * BJ_BLOCK + r;
    const real *from = gprep + (long)b * 3 * d * BJ_BLOCK + r;
    for (int i = 0; i < d; i++) {
      const long loc = at + (long)i * BJ_BLOCK, scale = at + (long)(d + i) * BJ_BLOCK;
      vreal dlog;
      base_positive_rows(vload(raw + scale), &dlog);
      vstore(graw + loc, vload(from + (long)3 * i * BJ_BLOCK));
      vstore(graw + scale, vload(from + ((long)3 * i + 1) * BJ_BLOCK) * dlog);
    }
  }
}

static void loc_scale_describe(const bj_base *base, bj_describe *out) {
  const loc_scale *self = base->self;
  if (!self->free) return;
  describe_slot(out, "loc", 1, base->d, 0);
  describe_slot(out, "scale", 1, base->d, 0);
}

static void loc_scale_start(const loc_scale *self, int d, real *raw) {
  for (int i = 0; i < d; i++) {
    raw[i] = self->loc[i];
    raw[d + i] = inverse_softplus(self->squared ? self->scale[i] * self->scale[i] : self->scale[i]);
  }
}

/* One number for all coordinates or one each; without it `standard`. */
static const real *loc_scale_given(const bj_base *base, const bj_spec *spec, const char *name, real standard,
                                   bj_build *build) {
  real *to = build_alloc(build, sizeof(real) * (size_t)base->d);
  const int n = spec_length(spec, name);
  const double *given = n > 0 ? spec_numbers(build, spec, name, n == 1 ? 1 : base->d) : NULL;
  for (int i = 0; i < base->d; i++) to[i] = given ? (real)given[n == 1 ? 0 : i] : standard;
  return to;
}

static void loc_scale_init(const bj_base *base, real *theta, bj_rng *rng) {
  (void)rng;
  if (((const loc_scale *)base->self)->free) loc_scale_start(base->self, base->d, theta);
}

static bj_status loc_scale_finish(bj_base *base, const bj_spec *spec, int trainable, bj_build *build) {
  loc_scale *self = base->self;
  real *start = build_alloc(build, sizeof(real) * 2 * (size_t)base->d);
  self->loc = loc_scale_given(base, spec, "loc", 0, build);
  self->scale = loc_scale_given(base, spec, "scale", 1, build);
  for (int i = 0; i < base->d && build->status == BJ_OK; i++) {
    if (!(self->scale[i] >= BASE_LEAST)) spec_error(build, "`scale` of base_%s() must be positive", base->kind->name);
  }
  if (build->status != BJ_OK) return build->status;
  loc_scale_start(self, base->d, start);
  base->n_row_prep = 3 * base->d;
  self->free = (trainable || spec_length(spec, "net") > 0) && !base_net_wanted(base, spec);
  if (self->free) base->n_param += 2 * base->d;
  return base_net_build(base, spec, 2 * base->d, start, build);
}

static bj_status loc_scale_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  base->self = build_alloc(build, sizeof(loc_scale));
  base->n_prep = 3 * base->d;
  return loc_scale_finish(base, spec, spec_bool(build, spec, "trainable"), build);
}

/* x = loc + s u: the draw moves with the parameters. The three numbers of a coordinate stand `step` from those of the
 * next, from `at` on. */
INLINE void loc_scale_move(const bj_base *base, const bj_base_pass *pass, int at, int step, int rows) {
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  for (int i = 0; i < base->d; i++) {
    const long own = at + (long)i * step;
    vreal sum_loc = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, x_at, row) {
      const long first = base_first(base, row, rows);
      const vreal gx = vload(pass->gx + x_at);
      const vreal g_log_s = gx * (vload(pass->x + x_at) - base_number(numbers.prep + first, own, rows));
      if (rows) {
        vstore(numbers.gprep + first + own * BJ_BLOCK, gx);
        vstore(numbers.gprep + first + (own + 1) * BJ_BLOCK, g_log_s);
      } else {
        sum_loc += gx;
        sum_log_s += g_log_s;
      }
    }
    if (rows) continue;
    numbers.gprep[own] += vsum(sum_loc);
    numbers.gprep[own + 1] += vsum(sum_log_s);
  }
}

static void loc_scale_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  if (base->net) {
    loc_scale_move(base, pass, 0, 3, 1);
    base_given_vjp(base, pass);
  } else if (((const loc_scale *)base->self)->free) {
    loc_scale_move(base, pass, 0, 3, 0);
  }
}
