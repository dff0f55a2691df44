/* chain: y = f_m(... f_2(f_1(x))), the log-derivatives added up.
 *
 * Raw, prepared and global parameters are those of the members one after the other. The rows of the cache are the
 * members' own, then the m - 1 values between them, then two for the cotangents on their way back. Members are called a
 * block at a time, so that all of a block's values stay in the nearest cache however long the chain is.
 */
#include <stdio.h>

#include "scalar-common.h"

typedef struct {
  bj_scalar *scalar;
  int param, prep, global, cache; /* where its parts start */
} chain_member;

typedef struct {
  int n_member, between; /* between: the row of the cache after the members' own */
  chain_member *members;
} chain;

/* The pass of member i in block b. Value i lies between members i - 1 and i; in the inverse direction too. */
INLINE bj_scalar_pass chain_pass(const chain *self, const bj_scalar_pass *pass, int b, int i, bj_sharing mode,
                                 bj_direction direction) {
  const chain_member *member = self->members + i;
  const int n = self->n_member;
  real *between = scalar_cache(pass, b, self->between);
  real *before = i > 0 ? between + (i - 1) * BJ_BLOCK : NULL, *after = i < n - 1 ? between + i * BJ_BLOCK : NULL;
  real *in = direction == BJ_FORWARD ? before : after, *out = direction == BJ_FORWARD ? after : before;
  bj_scalar_pass one = {
      .nb = 1,
      .stride = pass->stride,
      .x = in ? in : pass->x + b * pass->stride,
      .y = out ? out : pass->y + b * pass->stride,
      .par = mode == SHARED ? pass->par + member->prep : pass->par + b * pass->par_stride + member->param * BJ_BLOCK,
      .par_stride = pass->par_stride,
      .global = pass->global + member->global,
      .cache = scalar_cache(pass, b, member->cache),
      .cache_stride = pass->cache_stride,
      .twin = pass->twin ? pass->twin + b * pass->cache_stride + member->cache * BJ_BLOCK : NULL,
  };
  return one;
}

INLINE void chain_map(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  const chain *self = scalar->self;
  const int n = self->n_member, claimed = pass->logdet->n_factor;
  for (int b = 0; b < pass->nb; b++) {
    /* Every block claims the same factors, beginning with those of before. */
    bj_logdet logdet = {pass->logdet->sum + b * BJ_BLOCK, pass->logdet->factor + b * BJ_BLOCK, claimed};
    for (int step = 0; step < n; step++) {
      const int i = direction == BJ_FORWARD ? step : n - 1 - step;
      const bj_scalar *member = self->members[i].scalar;
      bj_scalar_pass one = chain_pass(self, pass, b, i, mode, direction);
      one.logdet = &logdet;
      (direction == BJ_FORWARD ? member->kind->forward : member->kind->inverse)[mode](member, &one);
    }
    pass->logdet->n_factor = logdet.n_factor;
  }
}

INLINE void chain_vjp(const bj_scalar *scalar, const bj_scalar_pass *pass, bj_sharing mode, bj_direction direction) {
  const chain *self = scalar->self;
  const int n = self->n_member;
  for (int b = 0; b < pass->nb; b++) {
    real *cotangents = scalar_cache(pass, b, self->between + n - 1);
    const real *gy = pass->gy + b * pass->stride;
    for (int step = 0; step < n; step++) {
      const int i = direction == BJ_FORWARD ? n - 1 - step : step;
      const chain_member *member = self->members + i;
      bj_scalar_pass one = chain_pass(self, pass, b, i, mode, direction);
      one.gy = gy;
      one.gl = pass->gl + b * BJ_BLOCK;
      one.gx = step == n - 1 ? pass->gx + b * pass->stride : cotangents + (step & 1) * BJ_BLOCK;
      one.gpar =
          mode == SHARED ? pass->gpar + member->prep : pass->gpar + b * pass->gpar_stride + member->param * BJ_BLOCK;
      one.gpar_stride = pass->gpar_stride;
      one.gglobal = pass->gglobal + member->global;
      (direction == BJ_FORWARD ? member->scalar->kind->forward_vjp : member->scalar->kind->inverse_vjp)[mode](
          member->scalar, &one);
      gy = one.gx;
    }
  }
}

SCALAR_MODES(chain)

static void chain_prepare(const bj_scalar *scalar, const real *raw, real *prep) {
  const chain *self = scalar->self;
  for (int i = 0; i < self->n_member; i++) {
    const chain_member *member = self->members + i;
    member->scalar->kind->prepare(member->scalar, raw + member->param, prep + member->prep);
  }
}

static void chain_prepare_vjp(const bj_scalar *scalar, const real *raw, const real *prep, const real *gprep,
                              real *graw) {
  const chain *self = scalar->self;
  for (int i = 0; i < self->n_member; i++) {
    const chain_member *member = self->members + i;
    member->scalar->kind->prepare_vjp(member->scalar, raw + member->param, prep + member->prep, gprep + member->prep,
                                      graw + member->param);
  }
}

static void chain_reverse(real *x, int n) {
  for (int i = 0, j = n - 1; i < j; i++, j--) {
    const real swap = x[i];
    x[i] = x[j];
    x[j] = swap;
  }
}

/* A member writes its parameters and its globals behind what is there, [parameters | globals]; then the globals of the
 * earlier members and its parameters change places. */
static void chain_init(const bj_scalar *scalar, real *raw, bj_rng *rng) {
  const chain *self = scalar->self;
  for (int i = 0; i < self->n_member; i++) {
    const chain_member *member = self->members + i;
    real *globals = raw + member->param;
    member->scalar->kind->init(member->scalar, globals + member->global, rng);
    chain_reverse(globals, member->global);
    chain_reverse(globals + member->global, member->scalar->n_param);
    chain_reverse(globals, member->global + member->scalar->n_param);
  }
}

typedef struct {
  void (*visit)(void *host, const char *name, int length);
  void *host;
  int position;
} chain_describing;

static void chain_describe_one(void *host, const char *name, int length) {
  const chain_describing *to = host;
  char full[256];
  snprintf(full, sizeof full, "%d.%s", to->position, name);
  to->visit(to->host, full, length);
}

static void chain_describe(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  const chain *self = scalar->self;
  for (int i = 0; i < self->n_member; i++) {
    chain_describing to = {visit, host, i + 1};
    self->members[i].scalar->kind->describe(self->members[i].scalar, chain_describe_one, &to);
  }
}

static void chain_describe_global(const bj_scalar *scalar, void (*visit)(void *, const char *, int), void *host) {
  const chain *self = scalar->self;
  for (int i = 0; i < self->n_member; i++) {
    const bj_scalar *member = self->members[i].scalar;
    chain_describing to = {visit, host, i + 1};
    if (member->n_global > 0) member->kind->describe_global(member, chain_describe_one, &to);
  }
}

static bj_status chain_build(bj_scalar *scalar, const bj_spec *spec, bj_build *build) {
  chain *self = scalar->self = build_alloc(build, sizeof(chain));
  const bj_spec *scalars = spec_parts(build, spec, "scalars", 1, &self->n_member);
  self->members = build_alloc(build, sizeof(chain_member) * (size_t)self->n_member);
  for (int i = 0; i < self->n_member; i++) {
    chain_member *member = self->members + i;
    const bj_status status = scalar_build(build, scalars + i, &member->scalar);
    if (status != BJ_OK) return status;
    member->param = scalar->n_param;
    member->prep = scalar->n_prep;
    member->global = scalar->n_global;
    member->cache = scalar->n_cache;
    scalar->n_param = (int)size_sum(build, scalar->n_param, member->scalar->n_param);
    scalar->n_prep = (int)size_sum(build, scalar->n_prep, member->scalar->n_prep);
    scalar->n_global = (int)size_sum(build, scalar->n_global, member->scalar->n_global);
    scalar->n_cache = (int)size_sum(build, scalar->n_cache, member->scalar->n_cache);
    scalar->n_factor += member->scalar->n_factor;
  }
  self->between = scalar->n_cache;
  scalar->n_cache += self->n_member - 1 + 2;
  return build->status;
}

static const bj_scalar_kind scalar_chain = {
    .name = "chain",
    .build = chain_build,
    .describe = chain_describe,
    .describe_global = chain_describe_global,
    .init = chain_init,
    .prepare = chain_prepare,
    .prepare_vjp = chain_prepare_vjp,
    SCALAR_TABLE(chain),
};
