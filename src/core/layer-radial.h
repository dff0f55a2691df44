/* What radial layers share: a scalar bijection on the distance from a centre. layer-radial.c has one set of its
 * parameters, layer-radial_conditional.c one for every direction.
 *
 *   s = S (x - c), S = diag(exp(log_scale));  r = sqrt(|s|^2 + 1e-14);  r' = F(r) - F(0);  q = r' / r
 *   y = c + q (x - c);  log|det| = log F'(r) + (d - 1) log q.  inverse: r' = F^{-1}(r + F(0)) and its slope instead
 *   vjp: gr' = sum_i gy_i (x_i - c_i) / r + (d - 1) gl / r';  (gr', gl) through the scalar gives g_in;
 *        gF(0) = -gr' (inverse: g_in);  gr = g_in - q gr';  gs = gr s / r + what the direction u = s / r says,
 *        (gu - u u'gu) / r;  gx = q gy + S gs,  gc = gy - gx,  glog_scale = gs s
 *
 * Next to the centre F(r) - F(0) has no digits left; where it is not above its rounding error q is F'(r), its limit.
 *
 * Parameters are [center | log_scale | the scalar's global ones | its raw ones, or the net's].
 */
#ifndef BJ_LAYER_RADIAL_H
#define BJ_LAYER_RADIAL_H

#include "protocol.h"
#include "num-rows.h"

#define RADIAL_CENTRE 1e-14 /* under the root */

typedef struct {
  bj_scalar *scalar;
  bj_net *net;   /* NULL: one set of parameters */
  real *initial; /* of the scalar: raw, then globals */
  const bj_entry *center, *scale;
  long prep_net, prep_scalar, prep_origin, prep_scratch; /* prep starts with S */
  /* offsets a block in cache and work; a part is [block][rows][BJ_BLOCK] */
  long cache_r, cache_in, cache_out, cache_ratio, cache_origin, cache_zero, cache_sum, cache_factor;
  long cache_direction, cache_par, cache_net, cache_scalar, cache_scalar0;
  long work_gout, work_gin, work_gorigin, work_unused, work_gdirection, work_gpar, work_gpar0, work_net;
} radial;

INLINE real *radial_rows(real *part, const bj_pass *pass, long offset, int b) {
  return part + offset * pass->nb + (long)b * BJ_BLOCK;
}

/* s / |s|, and r: scaled by the largest |s_i|, so that no square overflows. */
INLINE vreal radial_radius(const bj_layer *layer, const bj_pass *pass, int b, int r) {
  vreal size = vset(1), sum = vset(0);
  const real *x = pass->x + (long)b * layer->d * BJ_BLOCK + r;
  for (int i = 0; i < layer->d; i++) {
    size = vmax(size, vabs((vload(x + i * BJ_BLOCK) - vset(pass->theta[i])) * vset(pass->prep[i])));
  }
  const vreal inverse = vset(1) / size;
  for (int i = 0; i < layer->d; i++) {
    const vreal s = (vload(x + i * BJ_BLOCK) - vset(pass->theta[i])) * vset(pass->prep[i]) * inverse;
    sum = sum + s * s;
  }
  return size * vsqrt(sum + vset(RADIAL_CENTRE) * inverse * inverse);
}

/* The scalar at `cache_in`, or with `origin` at 0, ROWWISE or with the parameters of prep. */
static bj_scalar_pass radial_scalar_pass(const bj_layer *layer, const bj_pass *pass, bj_logdet *logdet, int origin) {
  const radial *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  const int nb = pass->nb;
  bj_scalar_pass one = {
      .nb = nb,
      .stride = BJ_BLOCK,
      .x = pass->cache + (origin ? self->cache_zero : self->cache_in) * nb,
      .y = pass->cache + (origin ? self->cache_origin : self->cache_out) * nb,
      .logdet = logdet,
      .par = self->net ? pass->cache + self->cache_par * nb : pass->prep + self->prep_scalar,
      .par_stride = (long)scalar->n_param * BJ_BLOCK,
      .global = pass->theta + 2 * layer->d,
      .cache = pass->cache + (origin ? self->cache_scalar0 : self->cache_scalar) * nb,
      .cache_stride = (long)scalar->n_cache * BJ_BLOCK,
      .twin = self->net && !origin ? pass->cache + self->cache_scalar0 * nb : NULL, /* F(0) comes first */
  };
  if (!pass->gy) return one;
  one.gy = pass->work + (origin ? self->work_gorigin : self->work_gout) * nb;
  one.gl = origin ? one.x : pass->gl; /* zeros */
  one.gx = pass->work + (origin ? self->work_unused : self->work_gin) * nb;
  one.gpar =
      self->net ? pass->work + (origin ? self->work_gpar0 : self->work_gpar) * nb : pass->gprep + self->prep_scalar;
  one.gpar_stride = one.par_stride;
  one.gglobal = pass->gtheta + 2 * layer->d;
  return one;
}

static bj_net_pass radial_net_pass(const bj_layer *layer, const bj_pass *pass) {
  const radial *self = layer->self;
  const int nb = pass->nb, at = 2 * layer->d + self->scalar->n_global;
  bj_net_pass net = {
      .nb = nb,
      .theta = pass->theta + at,
      .prep = pass->prep + self->prep_net,
      .x = pass->cache + self->cache_direction * nb,
      .y = pass->cache + self->cache_par * nb,
      .cache = pass->cache + self->cache_net * nb,
  };
  if (!pass->gy) return net;
  net.work = pass->work + self->work_net * nb;
  net.gy = pass->work + self->work_gpar * nb;
  net.gx = pass->work + self->work_gdirection * nb;
  net.gtheta = pass->gtheta + at;
  net.gprep = pass->gprep + self->prep_net;
  return net;
}

/* Radius and direction; then the parameters of the direction and F(0) with them. */
static void radial_direction(const bj_layer *layer, const bj_pass *pass) {
  const radial *self = layer->self;
  const int d = layer->d, nb = pass->nb;
  const real *prep = pass->prep;
  real *cache = pass->cache;
  FOR_BLOCK_ROWS(nb, b, r) {
    const vreal radius = radial_radius(layer, pass, b, r);
    vstore(radial_rows(cache, pass, self->cache_r, b) + r, radius);
    vstore(radial_rows(cache, pass, self->cache_zero, b) + r, vset(0));
    if (!self->net) {
      vstore(radial_rows(cache, pass, self->cache_origin, b) + r, vset(prep[self->prep_origin]));
      continue;
    }
    real *direction = cache + self->cache_direction * nb + (long)b * self->net->n_in * BJ_BLOCK + r;
    for (int i = 0; i < d; i++) {
      const vreal x = vload(pass->x + ((long)b * d + i) * BJ_BLOCK + r);
      vstore(direction + i * BJ_BLOCK, (x - vset(pass->theta[i])) * vset(prep[i]) / radius);
    }
    for (int i = 0; i < layer->n_condition; i++) {
      vstore(direction + (d + i) * BJ_BLOCK,
             vload(pass->condition + ((long)b * layer->n_condition + i) * BJ_BLOCK + r));
    }
  }
  if (!self->net) return;
  bj_logdet unused = {cache + self->cache_sum * nb, cache + self->cache_factor * nb, 0};
  const bj_net_pass net = radial_net_pass(layer, pass);
  const bj_scalar_pass origin = radial_scalar_pass(layer, pass, &unused, 1);
  logdet_start(&unused, nb);
  self->net->kind->forward(self->net, &net);
  self->scalar->kind->forward[ROWWISE](self->scalar, &origin);
}

static bj_status radial_run(const bj_layer *layer, bj_pass *pass, bj_direction way) {
  const radial *self = layer->self;
  const bj_scalar_kind *kind = self->scalar->kind;
  const int d = layer->d, nb = pass->nb, sharing = self->net ? ROWWISE : SHARED;
  real *cache = pass->cache;
  bj_pass plain = *pass;
  plain.gy = NULL;
  radial_direction(layer, &plain);
  FOR_BLOCK_ROWS(nb, b, r) {
    const vreal radius = vload(radial_rows(cache, pass, self->cache_r, b) + r);
    const vreal origin = vload(radial_rows(cache, pass, self->cache_origin, b) + r);
    vstore(radial_rows(cache, pass, self->cache_in, b) + r, way == BJ_FORWARD ? radius : radius + origin);
  }
  bj_logdet logdet = {cache + self->cache_sum * nb, cache + self->cache_factor * nb, 0};
  const bj_scalar_pass one = radial_scalar_pass(layer, &plain, &logdet, 0);
  logdet_start(&logdet, nb);
  (way == BJ_FORWARD ? kind->forward : kind->inverse)[sharing](self->scalar, &one);
  logdet_finish(&logdet, nb);
  FOR_BLOCK_ROWS(nb, b, r) {
    const vreal radius = vload(radial_rows(cache, pass, self->cache_r, b) + r);
    const vreal origin = vload(radial_rows(cache, pass, self->cache_origin, b) + r);
    const vreal out = vload(radial_rows(cache, pass, self->cache_out, b) + r);
    const vreal log_slope = vload(logdet.sum + (long)b * BJ_BLOCK + r);
    const vreal moved = way == BJ_FORWARD ? out - origin : out, rounding = vset(0x1p-52) * vabs(origin);
    const vint lost = vle(moved, rounding);
    vreal ratio = moved / radius;
    if (!LIKELY(!vany(lost))) ratio = vselect(lost, vexp(log_slope), ratio);
    vstore(radial_rows(cache, pass, self->cache_ratio, b) + r, ratio);
    for (int i = 0; i < d; i++) {
      const long at = ((long)b * d + i) * BJ_BLOCK + r;
      const vreal center = vset(pass->theta[i]);
      vstore(pass->y + at, center + ratio * (vload(pass->x + at) - center));
    }
    logdet_add(pass->logdet, (long)b * BJ_BLOCK + r, d > 1 ? log_slope + vset(d - 1) * vlog(ratio) : log_slope);
  }
  return BJ_OK;
}

/* Gradient of the parameters of the directions: F at r and at 0 share them. */
static void radial_net_vjp(const bj_layer *layer, const bj_pass *pass) {
  const radial *self = layer->self;
  const long size = (long)self->scalar->n_param * BJ_BLOCK * pass->nb;
  real *gpar = pass->work + self->work_gpar * pass->nb;
  const real *gpar0 = pass->work + self->work_gpar0 * pass->nb;
  const bj_scalar_pass origin = radial_scalar_pass(layer, pass, NULL, 1);
  const bj_net_pass net = radial_net_pass(layer, pass);
  self->scalar->kind->forward_vjp[ROWWISE](self->scalar, &origin);
  for (long i = 0; i < size; i += BJ_LANES) vstore(gpar + i, vload(gpar + i) + vload(gpar0 + i));
  self->net->kind->vjp(self->net, &net);
  for (int b = 0; b < pass->nb && pass->gcondition; b++) {
    for (long i = 0; i < (long)layer->n_condition * BJ_BLOCK; i += BJ_LANES) {
      real *to = pass->gcondition + (long)b * layer->n_condition * BJ_BLOCK + i;
      vstore(to, vload(to) + vload(net.gx + ((long)b * self->net->n_in + layer->d) * BJ_BLOCK + i));
    }
  }
}

static bj_status radial_run_vjp(const bj_layer *layer, bj_pass *pass, bj_direction way) {
  const radial *self = layer->self;
  const bj_scalar_kind *kind = self->scalar->kind;
  const int d = layer->d, nb = pass->nb, sharing = self->net ? ROWWISE : SHARED;
  real *cache = pass->cache, *work = pass->work;
  vreal sum_origin = vset(0);
  FOR_BLOCK_ROWS(nb, b, r) {
    const vreal radius = vload(radial_rows(cache, pass, self->cache_r, b) + r);
    const vreal ratio = vload(radial_rows(cache, pass, self->cache_ratio, b) + r);
    vreal g = vset(d - 1) * vload(pass->gl + (long)b * BJ_BLOCK + r) / ratio;
    for (int i = 0; i < d; i++) {
      const long at = ((long)b * d + i) * BJ_BLOCK + r;
      g = g + vload(pass->gy + at) * (vload(pass->x + at) - vset(pass->theta[i]));
    }
    vstore(radial_rows(work, pass, self->work_gout, b) + r, g / radius);
  }
  const bj_scalar_pass one = radial_scalar_pass(layer, pass, NULL, 0);
  (way == BJ_FORWARD ? kind->forward_vjp : kind->inverse_vjp)[sharing](self->scalar, &one);
  FOR_BLOCK_ROWS(nb, b, r) {
    const vreal gout = vload(radial_rows(work, pass, self->work_gout, b) + r);
    const vreal g = way == BJ_FORWARD ? -gout : vload(radial_rows(work, pass, self->work_gin, b) + r);
    vstore(radial_rows(work, pass, self->work_gorigin, b) + r, g);
    sum_origin += g;
  }
  if (self->net) {
    radial_net_vjp(layer, pass);
  } else {
    pass->gprep[self->prep_origin] += vsum(sum_origin);
  }
  for (int i = 0; i < d; i++) {
    const vreal center = vset(pass->theta[i]), scale = vset(pass->prep[i]);
    vreal sum_center = vset(0), sum_scale = vset(0);
    FOR_BLOCK_ROWS(nb, b, r) {
      const long at = ((long)b * d + i) * BJ_BLOCK + r;
      const vreal radius = vload(radial_rows(cache, pass, self->cache_r, b) + r);
      const vreal ratio = vload(radial_rows(cache, pass, self->cache_ratio, b) + r);
      const vreal gout = vload(radial_rows(work, pass, self->work_gout, b) + r);
      const vreal gradius = vload(radial_rows(work, pass, self->work_gin, b) + r) - ratio * gout;
      const vreal s = scale * (vload(pass->x + at) - center), gy = vload(pass->gy + at);
      vreal gs = gradius * (s / radius);
      if (self->net) {
        const long part = (long)b * self->net->n_in * BJ_BLOCK + r;
        const real *u = cache + self->cache_direction * nb + part, *gu = work + self->work_gdirection * nb + part;
        vreal along = vset(0);
        for (int j = 0; j < d; j++) along = along + vload(u + j * BJ_BLOCK) * vload(gu + j * BJ_BLOCK);
        gs = gs + (vload(gu + i * BJ_BLOCK) - along * vload(u + i * BJ_BLOCK)) / radius;
      }
      const vreal gx = ratio * gy + scale * gs;
      vstore(pass->gx + at, gx);
      sum_center += gy - gx;
      sum_scale += gs * s;
    }
    pass->gtheta[i] += vsum(sum_center);
    pass->gtheta[d + i] += vsum(sum_scale);
  }
  return BJ_OK;
}

/* ---- the layer's table ------------------------------------------------------------------------------------------- */

LAYER_DIRECTIONS(radial, radial_run)

static void radial_describe_one(void *host, const char *name, int length) {
  describe_slot(host, name, length > 1, length, 0);
}

/* center, log_scale and the scalar's global parameters. */
static void radial_describe_head(const bj_layer *layer, bj_describe *out) {
  const radial *self = layer->self;
  describe_slot(out, "center", 1, layer->d, 0);
  describe_slot(out, "log_scale", 1, layer->d, 0);
  if (self->scalar->n_global > 0) self->scalar->kind->describe_global(self->scalar, radial_describe_one, out);
}

/* One number for all coordinates, or one for each. */
static void radial_init_head(const bj_layer *layer, real *theta) {
  const radial *self = layer->self;
  const int d = layer->d;
  for (int i = 0; i < d; i++) {
    theta[i] = self->center ? self->center->numbers[self->center->n > 1 ? i : 0] : 0;
    theta[d + i] = self->scale ? log(self->scale->numbers[self->scale->n > 1 ? i : 0]) : 0;
  }
  for (int j = 0; j < self->scalar->n_global; j++) theta[2 * d + j] = self->initial[self->scalar->n_param + j];
}

static void radial_prepare_head(const bj_layer *layer, const real *theta, real *prep) {
  for (int i = 0; i < layer->d; i++) prep[i] = exp(fmax(-300, fmin(300, theta[layer->d + i])));
}

static bj_status radial_build_head(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  radial *self = layer->self = build_alloc(build, sizeof(radial));
  const bj_status status = scalar_build(build, spec_child(spec, "scalar"), spec->kind, &self->scalar);
  if (status != BJ_OK) return status;
  bj_rng rng = rng_start(0, 0);
  self->initial = build_alloc(build, sizeof(real) * (size_t)(self->scalar->n_param + self->scalar->n_global));
  self->scalar->kind->init(self->scalar, self->initial, &rng);
  self->center = spec_entry(spec, "center");
  self->scale = spec_entry(spec, "scale");
  const bj_entry *const given[] = {self->center, self->scale};
  for (int i = 0; i < 2; i++) {
    if (!given[i]) continue;
    if (given[i]->type != BJ_ENTRY_NUMBERS || (given[i]->n != 1 && given[i]->n != layer->d)) {
      return spec_error(build, "`%s` of layer_%s() must have 1 or %d numbers", given[i]->name, spec->kind, layer->d);
    }
    for (int j = 0; j < given[i]->n && i == 1; j++) {
      if (!(given[i]->numbers[j] > 0)) return spec_error(build, "`scale` of layer_%s() must be above 0", spec->kind);
    }
  }
  layer->n_param = 2L * layer->d + self->scalar->n_global;
  layer->n_prep = layer->d;
  return BJ_OK;
}

/* Cuts cache and work, once scalar and net are known. */
static void radial_build_parts(bj_layer *layer) {
  radial *self = layer->self;
  const bj_net *net = self->net;
  const long scalar = self->scalar->n_cache, par = net ? self->scalar->n_param : 0, in = net ? net->n_in : 0;
  const struct {
    long *at, rows;
  } cache[] = {{&self->cache_r, 1},     {&self->cache_in, 1},          {&self->cache_out, 1},
               {&self->cache_ratio, 1}, {&self->cache_origin, 1},      {&self->cache_zero, 1},
               {&self->cache_sum, 1},   {&self->cache_factor, 1},      {&self->cache_direction, in},
               {&self->cache_par, par}, {&self->cache_scalar, scalar}, {&self->cache_scalar0, net ? scalar : 0}},
    work[] = {{&self->work_gout, 1},        {&self->work_gin, 1},    {&self->work_gorigin, 1}, {&self->work_unused, 1},
              {&self->work_gdirection, in}, {&self->work_gpar, par}, {&self->work_gpar0, par}};
  for (size_t i = 0; i < sizeof cache / sizeof *cache; i++) {
    *cache[i].at = layer->n_cache;
    layer->n_cache += cache[i].rows * BJ_BLOCK;
  }
  for (size_t i = 0; i < sizeof work / sizeof *work; i++) {
    *work[i].at = layer->n_work;
    layer->n_work += work[i].rows * BJ_BLOCK;
  }
  self->cache_net = layer->n_cache;
  self->work_net = layer->n_work;
  layer->n_cache += net ? net->n_cache : 0;
  layer->n_work += net ? net->n_work : 0;
}

#endif
