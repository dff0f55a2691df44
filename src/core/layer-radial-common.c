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
#include "layer-radial.h"

#define RADIAL_CENTRE 1e-14 /* under the root */

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

static radial_at radial_carve(const bj_layer *layer, carver *cache, carver *work) {
  const radial *self = layer->self;
  const int n_cache = self->scalar->n_cache;
  radial_at at = {0};
  real **const kept[] = {&at.r, &at.in, &at.out, &at.ratio, &at.origin, &at.zero, &at.sum, &at.factor};
  real **const scratch[] = {&at.gout, &at.gin, &at.gorigin, &at.unused};
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) *kept[i] = carve_rows(cache, 1);
  for (size_t i = 0; i < sizeof scratch / sizeof *scratch; i++) *scratch[i] = carve_rows(work, 1);
  at.scalar = carve_rows(cache, n_cache);
  if (!self->net.net) return at;
  at.direction = carve_rows(cache, self->net.net->n_in);
  at.scalar0 = carve_rows(cache, n_cache);
  at.gpar0 = carve_rows(work, self->scalar->n_param);
  at.net = net_slot_carve(&self->net, cache, work);
  return at;
}

/* The scalar at `in`, or with `origin` at 0, ROWWISE or with the parameters of prep. */
static bj_scalar_pass radial_scalar(const bj_layer *layer, const bj_pass *pass, const radial_at *at, bj_logdet *logdet,
                                    int origin) {
  const radial *self = layer->self;
  const bj_scalar *scalar = self->scalar;
  const int rowwise = self->net.net != NULL;
  return (bj_scalar_pass){
      .nb = pass->nb,
      .stride = BJ_BLOCK,
      .x = origin ? at->zero : at->in,
      .y = origin ? at->origin : at->out,
      .logdet = logdet,
      .par = rowwise ? at->net.y : pass->prep + self->prep_scalar,
      .par_stride = (long)scalar->n_param * BJ_BLOCK,
      .global = pass->theta + 2 * layer->d,
      .cache = origin ? at->scalar0 : at->scalar,
      .cache_stride = (long)scalar->n_cache * BJ_BLOCK,
      .twin = rowwise && !origin ? at->scalar0 : NULL, /* F(0) comes first */
  };
}

static void radial_scalar_vjp(const bj_layer *layer, const bj_pass *pass, const radial_at *at, int origin,
                              bj_direction way) {
  const radial *self = layer->self;
  const bj_scalar_kind *kind = self->scalar->kind;
  const int rowwise = self->net.net != NULL;
  bj_scalar_pass one = radial_scalar(layer, pass, at, NULL, origin);
  one.gy = origin ? at->gorigin : at->gout;
  one.gl = origin ? at->zero : pass->gl;
  one.gx = origin ? at->unused : at->gin;
  one.gpar = !rowwise ? pass->gprep + self->prep_scalar : origin ? at->gpar0 : at->net.gy;
  one.gpar_stride = one.par_stride;
  one.gglobal = pass->gtheta + 2 * layer->d;
  (way == BJ_FORWARD ? kind->forward_vjp : kind->inverse_vjp)[rowwise ? ROWWISE : SHARED](self->scalar, &one);
}

/* Radius and direction; then the parameters of the direction and F(0) with them. */
static void radial_direction(const bj_layer *layer, const bj_pass *pass, const radial_at *at) {
  const radial *self = layer->self;
  const int d = layer->d, nb = pass->nb, k = layer->n_condition;
  const real *prep = pass->prep;
  FOR_BLOCK_ROWS(nb, b, r) {
    const long row = (long)b * BJ_BLOCK + r;
    const vreal radius = radial_radius(layer, pass, b, r);
    vstore(at->r + row, radius);
    vstore(at->zero + row, vset(0));
    if (!self->net.net) {
      vstore(at->origin + row, vset(prep[self->prep_origin]));
      continue;
    }
    real *direction = at->direction + (long)b * (d + k) * BJ_BLOCK + r;
    for (int i = 0; i < d; i++) {
      const vreal x = vload(pass->x + ((long)b * d + i) * BJ_BLOCK + r);
      vstore(direction + i * BJ_BLOCK, (x - vset(pass->theta[i])) * vset(prep[i]) / radius);
    }
    for (int i = 0; i < k; i++) {
      vstore(direction + (d + i) * BJ_BLOCK, vload(pass->condition + ((long)b * k + i) * BJ_BLOCK + r));
    }
  }
  if (!self->net.net) return;
  bj_logdet unused = {at->sum, at->factor, 0};
  const bj_scalar_pass origin = radial_scalar(layer, pass, at, &unused, 1);
  logdet_start(&unused, nb);
  net_slot_forward(&self->net, net_rows_pass(&at->net, pass, at->direction));
  self->scalar->kind->forward[ROWWISE](self->scalar, &origin);
}

static bj_status radial_run(const bj_layer *layer, bj_pass *pass, bj_direction way) {
  const radial *self = layer->self;
  const bj_scalar_kind *kind = self->scalar->kind;
  const int d = layer->d, nb = pass->nb, sharing = self->net.net ? ROWWISE : SHARED;
  const radial_at at = CARVE(radial_carve, layer, pass);
  radial_direction(layer, pass, &at);
  for (long i = 0; i < (long)nb * BJ_BLOCK; i += BJ_LANES) {
    const vreal radius = vload(at.r + i);
    vstore(at.in + i, way == BJ_FORWARD ? radius : radius + vload(at.origin + i));
  }
  bj_logdet logdet = {at.sum, at.factor, 0};
  const bj_scalar_pass one = radial_scalar(layer, pass, &at, &logdet, 0);
  logdet_start(&logdet, nb);
  (way == BJ_FORWARD ? kind->forward : kind->inverse)[sharing](self->scalar, &one);
  logdet_finish(&logdet, nb);
  FOR_BLOCK_ROWS(nb, b, r) {
    const long row = (long)b * BJ_BLOCK + r;
    const vreal radius = vload(at.r + row), origin = vload(at.origin + row), out = vload(at.out + row);
    const vreal log_slope = vload(at.sum + row);
    const vreal moved = way == BJ_FORWARD ? out - origin : out, rounding = vset(REAL_EPS) * vabs(origin);
    const vint lost = vle(moved, rounding);
    vreal ratio = moved / radius;
    if (!LIKELY(!vany(lost))) ratio = vselect(lost, vexp(log_slope), ratio);
    vstore(at.ratio + row, ratio);
    for (int i = 0; i < d; i++) {
      const long to = ((long)b * d + i) * BJ_BLOCK + r;
      const vreal center = vset(pass->theta[i]);
      vstore(pass->y + to, center + ratio * (vload(pass->x + to) - center));
    }
    logdet_add(pass->logdet, row, d > 1 ? log_slope + vset(d - 1) * vlog(ratio) : log_slope);
  }
  return BJ_OK;
}

/* Gradient of the parameters of the directions: F at r and at 0 share them. */
static void radial_net_vjp(const bj_layer *layer, const bj_pass *pass, const radial_at *at) {
  const radial *self = layer->self;
  const long par = (long)self->scalar->n_param * BJ_BLOCK;
  radial_scalar_vjp(layer, pass, at, 1, BJ_FORWARD);
  add_rows(pass->nb, at->gpar0, par, at->net.gy, par, self->scalar->n_param);
  net_slot_vjp(&self->net, net_rows_pass(&at->net, pass, at->direction), pass->gcondition);
}

/* What the direction u of row `row` says of s_i, through the net. */
INLINE vreal radial_turn(const radial_at *at, long u, int i, int d, vreal radius) {
  const real *direction = at->direction + u, *gu = at->net.gx + u;
  vreal along = vset(0);
  for (int j = 0; j < d; j++) along = along + vload(direction + j * BJ_BLOCK) * vload(gu + j * BJ_BLOCK);
  return (vload(gu + i * BJ_BLOCK) - along * vload(direction + i * BJ_BLOCK)) / radius;
}

static bj_status radial_run_vjp(const bj_layer *layer, bj_pass *pass, bj_direction way) {
  const radial *self = layer->self;
  const int d = layer->d, nb = pass->nb;
  const radial_at at = CARVE(radial_carve, layer, pass);
  vreal sum_origin = vset(0);
  FOR_BLOCK_ROWS(nb, b, r) {
    const long row = (long)b * BJ_BLOCK + r;
    vreal g = vset(d - 1) * vload(pass->gl + row) / vload(at.ratio + row);
    for (int i = 0; i < d; i++) {
      const long from = ((long)b * d + i) * BJ_BLOCK + r;
      g = g + vload(pass->gy + from) * (vload(pass->x + from) - vset(pass->theta[i]));
    }
    vstore(at.gout + row, g / vload(at.r + row));
  }
  radial_scalar_vjp(layer, pass, &at, 0, way);
  for (long i = 0; i < (long)nb * BJ_BLOCK; i += BJ_LANES) {
    const vreal g = way == BJ_FORWARD ? -vload(at.gout + i) : vload(at.gin + i);
    vstore(at.gorigin + i, g);
    sum_origin += g;
  }
  if (self->net.net) {
    radial_net_vjp(layer, pass, &at);
  } else {
    pass->gprep[self->prep_origin] += vsum(sum_origin);
  }
  for (int i = 0; i < d; i++) {
    const vreal center = vset(pass->theta[i]), scale = vset(pass->prep[i]);
    vreal sum_center = vset(0), sum_scale = vset(0);
    FOR_BLOCK_ROWS(nb, b, r) {
      const long row = (long)b * BJ_BLOCK + r, to = ((long)b * d + i) * BJ_BLOCK + r;
      const vreal radius = vload(at.r + row), ratio = vload(at.ratio + row);
      const vreal gradius = vload(at.gin + row) - ratio * vload(at.gout + row);
      const vreal s = scale * (vload(pass->x + to) - center), gy = vload(pass->gy + to);
      vreal gs = gradius * (s / radius);
      if (self->net.net) {
        gs = gs + radial_turn(&at, (long)b * self->net.net->n_in * BJ_BLOCK + r, i, d, radius);
      }
      const vreal gx = ratio * gy + scale * gs;
      vstore(pass->gx + to, gx);
      sum_center += gy - gx;
      sum_scale += gs * s;
    }
    pass->gtheta[i] += vsum(sum_center);
    pass->gtheta[d + i] += vsum(sum_scale);
  }
  return BJ_OK;
}

/* ---- parameters that all have ------------------------------------------------------------------------------------ */

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
    theta[i] = self->center[self->n_center > 1 ? i : 0];
    theta[d + i] = log(self->scale[self->n_scale > 1 ? i : 0]);
  }
  for (int j = 0; j < self->scalar->n_global; j++) theta[2 * d + j] = self->initial[self->scalar->n_param + j];
}

static void radial_prepare_head(const bj_layer *layer, const real *theta, real *prep) {
  for (int i = 0; i < layer->d; i++) prep[i] = exp(fmax(-300, fmin(300, theta[layer->d + i])));
}

static const double *radial_numbers(const bj_layer *layer, const bj_spec *spec, const char *name, int *n,
                                    bj_build *build) {
  *n = spec_length(spec, name) == 1 ? 1 : layer->d;
  return spec_numbers(build, spec, name, *n);
}

static bj_status radial_build_head(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  radial *self = layer->self = build_alloc(build, sizeof(radial));
  const bj_status status = scalar_build(build, spec_part(build, spec, "scalar"), &self->scalar);
  if (status != BJ_OK) return status;
  bj_rng rng = rng_start(0, 0);
  self->initial = build_alloc(build, sizeof(real) * (size_t)(self->scalar->n_param + self->scalar->n_global));
  self->scalar->kind->init(self->scalar, self->initial, &rng);
  self->center = radial_numbers(layer, spec, "center", &self->n_center, build);
  self->scale = radial_numbers(layer, spec, "scale", &self->n_scale, build);
  for (int i = 0; i < self->n_scale; i++) {
    if (!(self->scale[i] > 0)) spec_error(build, "`scale` of layer_%s() must be above 0", spec->kind);
  }
  layer->n_param = 2L * layer->d + self->scalar->n_global;
  layer->n_prep = layer->d;
  return build->status;
}
