/* set: conditions that are m observations of k numbers each, in any order, go through one net and come out as a mean
 * before another (Zaheer et al. 2017, "Deep sets").
 *
 *   y = net([x, c', e]),  e = sum_{i <= n} phi(o_i) / n  with the observations o_1, ..., o_m of `columns`, and c' the
 *   other conditions
 *   n = m, or with `count` what that condition says, rounded: the first n observations count, the others are not looked
 *   at. Then n / m goes on to the net behind e. Without observations e = 0; an n beyond 0, ..., m gives NaN.
 *   vjp: with g the gradient of e,  gphi(o_i) = g / n,  from which phi's own vjp makes that of o_i and of its
 *   parameters;  gn = 0
 *
 * phi runs on one observation of all rows after the other, and on the way back once more, so that memory does not grow
 * with m.
 */
#include "net-common.h"

typedef struct {
  net_exchange behind;
  int m, k, dim;
  const int *column; /* [m][k], which of the inputs */
  int count;         /* which of the inputs, -1 without */
  net_slot phi;
} set;

typedef struct {
  net_inputs inner;
  net_rows phi;
  real *x;         /* an observation of each row */
  real *n, *share; /* of each row, and 1 / n */
} set_at;

static set_at set_carve(const bj_net *net, carver *cache, carver *work) {
  const set *self = net->self;
  set_at at;
  at.inner = net_exchange_carve(net, cache, work);
  at.phi = net_slot_carve(&self->phi, work, work);
  at.x = carve_rows(work, self->k);
  at.n = carve_rows(work, 1);
  at.share = carve_rows(work, 1);
  return at;
}

/* Gives the largest n. */
static int set_sizes(const bj_net *net, const bj_net_pass *pass, const set_at *at) {
  const set *self = net->self;
  int most = 0;
  for (int b = 0; b < pass->nb; b++) {
    const real *count = self->count < 0 ? NULL : pass->x + ((long)b * net->n_in + self->count) * BJ_BLOCK;
    for (int r = 0; r < BJ_BLOCK; r++) {
      const real n = count ? floor(count[r] + (real)0.5) : (real)self->m;
      const int known = n >= 0 && n <= self->m;
      at->n[(long)b * BJ_BLOCK + r] = known ? n : (real)NAN;
      at->share[(long)b * BJ_BLOCK + r] = known ? 1 / fmax(n, 1) : (real)NAN;
      if (known && n > most) most = (int)n;
    }
  }
  return most;
}

/* Observation i of each row, 0 where there is none. */
static void set_observation(const bj_net *net, const bj_net_pass *pass, const set_at *at, int i) {
  const set *self = net->self;
  for (int j = 0; j < self->k; j++) {
    FOR_BLOCK_ROWS(pass->nb, b, r) {
      const vreal x = vload(pass->x + ((long)b * net->n_in + self->column[i * self->k + j]) * BJ_BLOCK + r);
      const vint there = vlt(vset(i), vload(at->n + (long)b * BJ_BLOCK + r));
      vstore(at->x + ((long)b * self->k + j) * BJ_BLOCK + r, vselect(there, x, vset(0)));
    }
  }
}

/* phi on an observation of each row. */
static bj_net_pass set_phi_pass(const bj_net_pass *pass, const set_at *at) {
  bj_net_pass one = *pass;
  one.x = at->x;
  one.y = at->phi.y;
  one.cache = at->phi.cache;
  one.work = at->phi.work;
  one.gy = at->phi.gy;
  one.gx = pass->gx ? at->phi.gx : NULL;
  return one;
}

/* Row j of block b of the new inputs, or of their gradients. */
INLINE real *set_row(const set *self, real *rows, int b, int j) {
  return rows + ((long)b * self->behind.inner.net->n_in + self->behind.first + j) * BJ_BLOCK;
}

static void set_make(const bj_net *net, const bj_net_pass *pass, const net_inputs *inner) {
  const set *self = net->self;
  const set_at at = CARVE(set_carve, net, pass);
  const bj_net_pass one = set_phi_pass(pass, &at);
  const int dim = self->dim, most = set_sizes(net, pass, &at);
  for (int b = 0; b < pass->nb; b++) memset(set_row(self, inner->x, b, 0), 0, sizeof(real) * (size_t)dim * BJ_BLOCK);
  for (int i = 0; i < most; i++) {
    set_observation(net, pass, &at, i);
    net_slot_forward(&self->phi, one);
    for (int j = 0; j < dim; j++) {
      FOR_BLOCK_ROWS(pass->nb, b, r) {
        const vint there = vlt(vset(i), vload(at.n + (long)b * BJ_BLOCK + r));
        const vreal y = vload(at.phi.y + ((long)b * dim + j) * BJ_BLOCK + r);
        real *sum = set_row(self, inner->x, b, j) + r;
        vstore(sum, vload(sum) + vselect(there, y, vset(0)));
      }
    }
  }
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const vreal share = vload(at.share + (long)b * BJ_BLOCK + r), n = vload(at.n + (long)b * BJ_BLOCK + r);
    for (int j = 0; j < dim; j++) {
      real *mean = set_row(self, inner->x, b, j) + r;
      vstore(mean, vload(mean) * share);
    }
    if (self->count >= 0) vstore(set_row(self, inner->x, b, dim) + r, n / (real)self->m);
  }
}

static void set_back(const bj_net *net, const bj_net_pass *pass, const net_inputs *inner) {
  const set *self = net->self;
  const set_at at = CARVE(set_carve, net, pass);
  const bj_net_pass one = set_phi_pass(pass, &at);
  const int k = self->k, dim = self->dim, most = set_sizes(net, pass, &at);
  const long in = (long)net->n_in * BJ_BLOCK;
  for (int i = 0; i < most; i++) {
    set_observation(net, pass, &at, i);
    net_slot_forward(&self->phi, one);
    for (int j = 0; j < dim; j++) {
      FOR_BLOCK_ROWS(pass->nb, b, r) {
        const vint there = vlt(vset(i), vload(at.n + (long)b * BJ_BLOCK + r));
        const vreal g = vload(set_row(self, inner->gx, b, j) + r) * vload(at.share + (long)b * BJ_BLOCK + r);
        vstore(at.phi.gy + ((long)b * dim + j) * BJ_BLOCK + r, vselect(there, g, vset(0)));
      }
    }
    net_slot_vjp(&self->phi, one, NULL);
    for (int j = 0; j < k && pass->gx; j++) {
      copy_rows(pass->nb, at.phi.gx + (long)j * BJ_BLOCK, (long)k * BJ_BLOCK,
                pass->gx + (long)self->column[i * k + j] * BJ_BLOCK, in, 1);
    }
  }
  if (!pass->gx) return;
  for (int b = 0; b < pass->nb; b++) {
    for (int c = most * k; c < self->m * k; c++) {
      memset(pass->gx + b * in + (long)self->column[c] * BJ_BLOCK, 0, sizeof(real) * BJ_BLOCK);
    }
    if (self->count >= 0) memset(pass->gx + b * in + (long)self->count * BJ_BLOCK, 0, sizeof(real) * BJ_BLOCK);
  }
}

static void set_prepare(const bj_net *net, const real *theta, real *prep) {
  const set *self = net->self;
  net_slot_prepare(&self->phi, theta, prep);
  net_slot_prepare(&self->behind.inner, theta, prep);
}

static void set_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  const set *self = net->self;
  net_slot_prepare_vjp(&self->phi, gprep, gtheta);
  net_slot_prepare_vjp(&self->behind.inner, gprep, gtheta);
}

static void set_describe(const bj_net *net, bj_describe *out) {
  const set *self = net->self;
  net_slot_describe(&self->phi, "embed", out);
  net_slot_describe(&self->behind.inner, "net", out);
}

static void set_init(const bj_net *net, real *theta, bj_rng *rng) {
  const set *self = net->self;
  net_slot_init(&self->phi, theta, rng);
  net_slot_init(&self->behind.inner, theta, rng);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

/* `columns` go variable by variable, as a matrix with a row for each observation does. gone[i]: whether input i is of
 * the set, or its count. */
static bj_status set_read(bj_net *net, const bj_spec *spec, const bj_net_request *request, int *gone, bj_build *build) {
  set *self = net->self;
  int n;
  const int first = request->in_rank ? 0 : request->n_in - request->n_condition;
  const int *columns = spec_counts(build, spec, "columns", 1, &n);
  const int counted = spec_given(build, spec, "count");
  const int count = counted ? spec_count(build, spec, "count", 1, COUNT_MOST) : 0;
  self->k = spec_count(build, spec, "size", 1, COUNT_MOST);
  self->dim = spec_count(build, spec, "dim", 1, COUNT_MOST);
  if (build->status != BJ_OK) return build->status;
  self->m = n / self->k;
  self->count = counted ? first + count - 1 : -1;
  int *column = build_alloc(build, sizeof(int) * (size_t)n);
  int good = self->m * self->k == n && count <= request->n_condition;
  for (int c = 0; c < n && good; c++) {
    const int to = first + columns[c] - 1;
    good = columns[c] <= request->n_condition && !gone[to]++;
    column[c % self->m * self->k + c / self->m] = to;
  }
  if (counted && good) good = !gone[self->count];
  if (!good) {
    return spec_error(build,
                      "`columns` and `count` of net_set() must name conditions, of which there are %d here, each once, "
                      "and `columns` as many for each observation",
                      request->n_condition);
  }
  if (counted) gone[self->count] = 1;
  self->column = column;
  return build->status;
}

static bj_status set_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  set *self = net->self = build_alloc(build, sizeof(set));
  int *gone = build_alloc(build, sizeof(int) * (size_t)request->n_in);
  bj_status status = set_read(net, spec, request, gone, build);
  if (status != BJ_OK) return status;
  const bj_net_request one = {.n_in = self->k, .n_out = self->dim, .n_condition = self->k};
  status = net_slot_build(build, spec_part(build, spec, "embed"), &one, 0, "net_set", &net->n_param, &net->n_prep,
                          &self->phi);
  if (status != BJ_OK) return status;
  const long wide = (long)self->dim + (self->count >= 0);
  status = net_exchange_build(build, spec_part(build, spec, "net"), request, gone, wide, "net_set", net);
  if (status != BJ_OK) return status;
  self->behind.make = set_make;
  self->behind.back = set_back;
  MEASURE(set_carve, net);
  return build->status;
}

static const bj_net_kind net_set = {
    .name = "set",
    .masks = 1,
    .build = set_build,
    .describe = set_describe,
    .init = set_init,
    .prepare = set_prepare,
    .prepare_vjp = set_prepare_vjp,
    .forward = net_exchange_forward,
    .vjp = net_exchange_vjp,
    .forward_rank = net_exchange_forward_rank,
    .vjp_rank = net_exchange_vjp_rank,
    .vjp_finish = net_exchange_vjp_finish,
};
