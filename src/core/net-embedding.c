/* embedding: conditions that are codes of levels, 0, 1, ..., are looked up in trained tables before another net.
 *
 *   y = net([x, c', T_1[c_1], ..., T_m[c_m]])  with the conditions c_1, ..., c_m of `columns`, and c' the others
 *   A table has a row of `dim` numbers for each level and starts at zero: all levels are alike until training tells
 *   them apart. Codes are rounded to the next level; what is beyond all levels gives NaN.
 *   vjp: with g the gradient of the net's input,  gT_i[c_i] += g of T_i[c_i],  gx and gc' as they are,  gc_i = 0
 *
 * What is looked up takes the place of conditions: the last inputs, or with masks those before the coordinates, which
 * all units may see.
 */
#include <stdio.h>

#include "net-common.h"

typedef struct {
  int column, n_level, dim; /* column: which of the inputs */
  int to;                   /* which of the net's inputs is its first */
  long theta_at;
} embedding_table;

typedef struct {
  net_exchange behind;
  int n;
  embedding_table *tables;
} embedding;

/* The level of a code, -1 for one beyond all (and for NaN). */
INLINE int embedding_level(const embedding_table *table, real code) {
  const real level = floor(code + (real)0.5);
  return level >= 0 && level < table->n_level ? (int)level : -1;
}

static void embedding_look_up(const bj_net *net, const bj_net_pass *pass, const net_inputs *at) {
  const embedding *self = net->self;
  const int n_inner = self->behind.inner.net->n_in;
  for (int t = 0; t < self->n; t++) {
    const embedding_table *table = self->tables + t;
    const real *theta = pass->theta + table->theta_at;
    for (int b = 0; b < pass->nb; b++) {
      const real *code = pass->x + ((long)b * net->n_in + table->column) * BJ_BLOCK;
      real *to = at->x + ((long)b * n_inner + table->to) * BJ_BLOCK;
      for (int r = 0; r < BJ_BLOCK; r++) {
        const int level = embedding_level(table, code[r]);
        for (int k = 0; k < table->dim; k++) {
          to[(long)k * BJ_BLOCK + r] = level < 0 ? (real)NAN : theta[(long)k * table->n_level + level];
        }
      }
    }
  }
}

/* Codes have no gradient. */
static void embedding_back(const bj_net *net, const bj_net_pass *pass, const net_inputs *at) {
  const embedding *self = net->self;
  const int n_inner = self->behind.inner.net->n_in;
  for (int t = 0; t < self->n; t++) {
    const embedding_table *table = self->tables + t;
    real *gtheta = pass->gtheta + table->theta_at;
    for (int b = 0; b < pass->nb; b++) {
      const real *code = pass->x + ((long)b * net->n_in + table->column) * BJ_BLOCK;
      const real *g = at->gx + ((long)b * n_inner + table->to) * BJ_BLOCK;
      for (int r = 0; r < BJ_BLOCK; r++) {
        const int level = embedding_level(table, code[r]);
        for (int k = 0; k < table->dim && level >= 0; k++) {
          gtheta[(long)k * table->n_level + level] += g[(long)k * BJ_BLOCK + r];
        }
      }
      if (!pass->gx) continue;
      memset(pass->gx + ((long)b * net->n_in + table->column) * BJ_BLOCK, 0, sizeof(real) * BJ_BLOCK);
    }
  }
}

static void embedding_prepare(const bj_net *net, const real *theta, real *prep) {
  net_slot_prepare(&((const embedding *)net->self)->behind.inner, theta, prep);
}

static void embedding_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  net_slot_prepare_vjp(&((const embedding *)net->self)->behind.inner, gprep, gtheta);
}

static void embedding_describe(const bj_net *net, bj_describe *out) {
  const embedding *self = net->self;
  char name[24];
  for (int t = 0; t < self->n; t++) {
    snprintf(name, sizeof name, "table%d", t + 1);
    describe_slot(out, name, 2, self->tables[t].n_level, self->tables[t].dim);
  }
  net_slot_describe(&self->behind.inner, "net", out);
}

static void embedding_init(const bj_net *net, real *theta, bj_rng *rng) {
  const embedding *self = net->self;
  memset(theta, 0, sizeof(real) * (size_t)self->behind.inner.theta_at);
  net_slot_init(&self->behind.inner, theta, rng);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static bj_status embedding_read(bj_net *net, const bj_spec *spec, const bj_net_request *request, int first,
                                bj_build *build) {
  embedding *self = net->self;
  int n_level, n_dim;
  const int *columns = spec_counts(build, spec, "columns", 1, &self->n);
  const int *levels = spec_counts(build, spec, "levels", 1, &n_level);
  const int *dims = spec_counts(build, spec, "dim", 1, &n_dim);
  if (build->status != BJ_OK) return build->status;
  if (self->n < 1 || n_level != self->n || n_dim != self->n) {
    return spec_error(build, "`columns`, `levels` and `dim` of net_embedding() must have one length, not %d, %d and %d",
                      self->n, n_level, n_dim);
  }
  self->tables = build_alloc(build, sizeof(embedding_table) * (size_t)self->n);
  for (int t = 0; t < self->n; t++) {
    embedding_table *table = self->tables + t;
    if (columns[t] > request->n_condition || (t > 0 && columns[t] <= columns[t - 1])) {
      return spec_error(build,
                        "`columns` of net_embedding() must ascend and name conditions, of which there are %d here",
                        request->n_condition);
    }
    *table = (embedding_table){.column = first + columns[t] - 1, .n_level = levels[t], .dim = dims[t]};
    table->theta_at = net->n_param;
    net->n_param = size_sum(build, net->n_param, size_product(build, levels[t], dims[t]));
  }
  return build->status;
}

static bj_status embedding_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  embedding *self = net->self = build_alloc(build, sizeof(embedding));
  const int first = request->in_rank ? 0 : request->n_in - request->n_condition;
  const bj_status status = embedding_read(net, spec, request, first, build);
  if (status != BJ_OK) return status;
  int *gone = build_alloc(build, sizeof(int) * (size_t)request->n_in);
  long wide = 0;
  for (int t = 0; t < self->n; t++) {
    gone[self->tables[t].column] = 1;
    wide = size_sum(build, wide, self->tables[t].dim);
  }
  const bj_status built =
      net_exchange_build(build, spec_part(build, spec, "net"), request, gone, wide, "net_embedding", net);
  if (built != BJ_OK) return built;
  for (int t = 0, to = self->behind.first; t < self->n; to += self->tables[t++].dim) self->tables[t].to = to;
  self->behind.make = embedding_look_up;
  self->behind.back = embedding_back;
  MEASURE(net_exchange_carve, net);
  return build->status;
}

static const bj_net_kind net_embedding = {
    .name = "embedding",
    .masks = 1,
    .build = embedding_build,
    .describe = embedding_describe,
    .init = embedding_init,
    .prepare = embedding_prepare,
    .prepare_vjp = embedding_prepare_vjp,
    .forward = net_exchange_forward,
    .vjp = net_exchange_vjp,
    .forward_rank = net_exchange_forward_rank,
    .vjp_rank = net_exchange_vjp_rank,
    .vjp_finish = net_exchange_vjp_finish,
};
