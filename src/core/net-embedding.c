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
  int n, n_kept, masked;
  embedding_table *tables;
  const int *kept, *to; /* inputs that are handed on, and as which of the net's */
  const int *in_rank;   /* of the inputs; NULL without masks */
  net_slot inner;
} embedding;

static net_inputs embedding_carve(const bj_net *net, carver *cache, carver *work) {
  return net_inputs_carve(&((const embedding *)net->self)->inner, cache, work);
}

/* The level of a code, -1 for one beyond all (and for NaN). */
INLINE int embedding_level(const embedding_table *table, real code) {
  const real level = floor(code + (real)0.5);
  return level >= 0 && level < table->n_level ? (int)level : -1;
}

static void embedding_look_up(const bj_net *net, const bj_net_pass *pass, const net_inputs *at) {
  const embedding *self = net->self;
  const int n_inner = self->inner.net->n_in;
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

/* Inputs that are handed on, all or those of one rank, and their gradients on the way back. */
static void embedding_hand_on(const bj_net *net, const bj_net_pass *pass, const net_inputs *at, int all, int rank,
                              int back) {
  const embedding *self = net->self;
  const long outer = (long)net->n_in * BJ_BLOCK, inner = (long)self->inner.net->n_in * BJ_BLOCK;
  for (int i = 0; i < self->n_kept; i++) {
    if (!all && self->in_rank[self->kept[i]] != rank) continue;
    const long from = (long)self->kept[i] * BJ_BLOCK, to = (long)self->to[i] * BJ_BLOCK;
    if (back) {
      copy_rows(pass->nb, at->gx + to, inner, pass->gx + from, outer, 1);
    } else {
      copy_rows(pass->nb, pass->x + from, outer, at->x + to, inner, 1);
    }
  }
}

/* Codes have no gradient. */
static void embedding_no_gradient(const bj_net *net, const bj_net_pass *pass) {
  const embedding *self = net->self;
  for (int t = 0; t < self->n; t++) {
    for (int b = 0; b < pass->nb; b++) {
      memset(pass->gx + ((long)b * net->n_in + self->tables[t].column) * BJ_BLOCK, 0, sizeof(real) * BJ_BLOCK);
    }
  }
}

static void embedding_table_grads(const bj_net *net, const bj_net_pass *pass, const net_inputs *at) {
  const embedding *self = net->self;
  const int n_inner = self->inner.net->n_in;
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
    }
  }
}

static void embedding_forward(const bj_net *net, const bj_net_pass *pass) {
  const embedding *self = net->self;
  const net_inputs at = CARVE(embedding_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  embedding_look_up(net, pass, &at);
  embedding_hand_on(net, pass, &at, 1, 0, 0);
  self->inner.net->kind->forward(self->inner.net, &one);
}

static void embedding_vjp(const bj_net *net, const bj_net_pass *pass) {
  const embedding *self = net->self;
  const net_inputs at = CARVE(embedding_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  self->inner.net->kind->vjp(self->inner.net, &one);
  embedding_table_grads(net, pass, &at);
  if (!pass->gx) return;
  embedding_hand_on(net, pass, &at, 1, 0, 1);
  embedding_no_gradient(net, pass);
}

static void embedding_forward_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const embedding *self = net->self;
  const net_inputs at = CARVE(embedding_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  if (rank < 0) embedding_look_up(net, pass, &at);
  embedding_hand_on(net, pass, &at, 0, rank, 0);
  self->inner.net->kind->forward_rank(self->inner.net, &one, rank);
}

static void embedding_vjp_rank(const bj_net *net, const bj_net_pass *pass, int rank) {
  const embedding *self = net->self;
  const net_inputs at = CARVE(embedding_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  self->inner.net->kind->vjp_rank(self->inner.net, &one, rank);
  embedding_hand_on(net, pass, &at, 0, rank, 1);
  if (rank < 0) embedding_no_gradient(net, pass);
}

static void embedding_vjp_finish(const bj_net *net, const bj_net_pass *pass) {
  const embedding *self = net->self;
  const net_inputs at = CARVE(embedding_carve, net, pass);
  const bj_net_pass one = net_inputs_pass(&self->inner, &at, *pass);
  self->inner.net->kind->vjp_finish(self->inner.net, &one);
  embedding_table_grads(net, pass, &at);
}

static void embedding_prepare(const bj_net *net, const real *theta, real *prep) {
  net_slot_prepare(&((const embedding *)net->self)->inner, theta, prep);
}

static void embedding_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  net_slot_prepare_vjp(&((const embedding *)net->self)->inner, gprep, gtheta);
}

static void embedding_describe(const bj_net *net, bj_describe *out) {
  const embedding *self = net->self;
  char name[24];
  for (int t = 0; t < self->n; t++) {
    snprintf(name, sizeof name, "table%d", t + 1);
    describe_slot(out, name, 2, self->tables[t].n_level, self->tables[t].dim);
  }
  net_slot_describe(&self->inner, "net", out);
}

static void embedding_init(const bj_net *net, real *theta, bj_rng *rng) {
  const embedding *self = net->self;
  memset(theta, 0, sizeof(real) * (size_t)self->inner.theta_at);
  net_slot_init(&self->inner, theta, rng);
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

/* The net's inputs: as before, with the tables' rows behind the conditions that are left. */
static bj_status embedding_request(embedding *self, const bj_net_request *request, int first, bj_net_request *inner,
                                   bj_build *build) {
  const int n_in = request->n_in, behind = first + request->n_condition;
  int *kept = build_alloc(build, sizeof(int) * (size_t)n_in), *to = build_alloc(build, sizeof(int) * (size_t)n_in);
  long wide = 0;
  for (int t = 0; t < self->n; t++) wide = size_sum(build, wide, self->tables[t].dim);
  if (size_sum(build, wide, n_in) > COUNT_MOST) spec_error(build, "the tables of net_embedding() are too wide");
  if (build->status != BJ_OK) return build->status;
  self->n_kept = n_in - self->n;
  int at = 0;
  for (int i = 0, t = 0, k = 0; i < n_in; i++) {
    if (i == behind) at += (int)wide;
    if (t < self->n && self->tables[t].column == i) {
      t++;
    } else {
      kept[k] = i;
      to[k++] = at++;
    }
  }
  at = first + request->n_condition - self->n;
  for (int t = 0; t < self->n; t++) {
    self->tables[t].to = at;
    at += self->tables[t].dim;
  }
  self->kept = kept;
  self->to = to;
  *inner = *request;
  inner->n_in = self->n_kept + (int)wide;
  inner->n_condition = request->n_condition - self->n + (int)wide;
  return BJ_OK;
}

/* Ranks and columns of weights: conditions, and so what is looked up, come last in the parameters. */
static void embedding_ranks(const embedding *self, const bj_net_request *request, bj_net_request *inner,
                            bj_build *build) {
  int *in_rank = build_alloc(build, sizeof(int) * (size_t)inner->n_in);
  int *in_column = build_alloc(build, sizeof(int) * (size_t)inner->n_in);
  for (int i = 0; i < inner->n_in; i++) in_rank[i] = -1;
  for (int i = 0; i < self->n_kept; i++) {
    int column = request->in_column[self->kept[i]];
    for (int t = 0; t < self->n; t++) {
      column -= request->in_column[self->tables[t].column] < request->in_column[self->kept[i]];
    }
    in_rank[self->to[i]] = request->in_rank[self->kept[i]];
    in_column[self->to[i]] = column;
  }
  for (int t = 0, column = self->n_kept; t < self->n; t++) {
    for (int k = 0; k < self->tables[t].dim; k++) in_column[self->tables[t].to + k] = column++;
  }
  inner->in_rank = in_rank;
  inner->in_column = in_column;
}

static bj_status embedding_build(bj_net *net, const bj_spec *spec, const bj_net_request *request, bj_build *build) {
  embedding *self = net->self = build_alloc(build, sizeof(embedding));
  self->in_rank = request->in_rank;
  const int first = request->in_rank ? 0 : request->n_in - request->n_condition;
  bj_net_request inner;
  bj_status status = embedding_read(net, spec, request, first, build);
  if (status != BJ_OK) return status;
  status = embedding_request(self, request, first, &inner, build);
  if (status != BJ_OK) return status;
  if (request->in_rank) embedding_ranks(self, request, &inner, build);
  status = net_slot_build(build, spec_part(build, spec, "net"), &inner, 0, "net_embedding", &net->n_param, &net->n_prep,
                          &self->inner);
  if (status != BJ_OK) return status;
  MEASURE(embedding_carve, net);
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
    .forward = embedding_forward,
    .vjp = embedding_vjp,
    .forward_rank = embedding_forward_rank,
    .vjp_rank = embedding_vjp_rank,
    .vjp_finish = embedding_vjp_finish,
};
