/* Solving dz/dt = f(t, z) for a group of blocks: steps of a Runge-Kutta method (see layer-continuous.c).
 *
 * A state is q rows a block: z, the integral of the trace of the Jacobian, and with regularisers that of the penalty.
 * Every row has a step length of its own, 0 where it has arrived or where its step was refused. So a row never depends
 * on its neighbours, and adding nothing is exact.
 */
#ifndef BJ_LAYER_CONTINUOUS_H
#define BJ_LAYER_CONTINUOUS_H

#include "field.h"

typedef struct {
  bj_vector_field *field;
  const bj_solver *solver;
  int adaptive, adjoint;
  int n_step; /* fixed steps; adaptive: attempts at most */
  real first, rtol, atol;
  int n_state;       /* q */
  int every, n_kept; /* states kept for the vjp: one in every so many steps */
  int tape;          /* states and caches of all stages are kept */
  int *node;         /* number of the time of (step, stage) among the nodes of one direction */
  int n_node;
  real *fraction;         /* of the nodes: (t - start) / (end - start) */
  real t0, t1, steer;     /* nominal ends; largest shift of the end of a solve in training */
  real kinetic, jacobian; /* weights of the penalties */
  int hutchinson, gaussian, n_probe;
  const double *probe; /* n_probe x d, column-major, or NULL */
  /* prep: [ends of the interval | times of the nodes, forward and inverse | field] */
  long prep_times, prep_field;
  /* offsets a block. cache: kept states, and for adaptive steps time and length of each; work: see solve_carve */
  long cache_time;
} continuous;

#define STAGES (SOLVER_MAX_STAGES + 1)

typedef struct {
  const bj_layer *layer;
  const continuous *self;
  bj_pass *pass;
  int first, nb; /* blocks of the pass */
  real start, end;
  int direction; /* 0: from t0 to t1, 1: from t1 to t0; which half of the nodes */
  int want_trace, want_penalty;
  /* rows: [block][...][BJ_BLOCK] */
  real *state, *next, *stage, *k[STAGES]; /* q rows a block */
  real *t, *h, *times;                    /* 1 row */
  real *probe;                            /* d rows, or NULL: the exact trace */
  real *size, *last;                      /* adaptive: next step length; the size of the last error */
  real *lambda, *mu[STAGES], *gf;         /* vjp: q rows */
  real *gtrace, *gsquare;                 /* 1 row */
  real *segment;                          /* d rows of every states */
  real *cache, *work;                     /* of the field; its cache once a stage */
} solve;

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Reals of one stage and block on the tape: the state, and the field's cache. */
INLINE long solve_tape_size(const continuous *self) { return (long)self->n_state * BJ_BLOCK + self->field->n_cache; }

INLINE real *solve_take(real *work, long *used, const solve *s, long rows) {
  real *array = work ? work + *used : NULL;
  *used += rows * s->nb * BJ_BLOCK;
  return array;
}

/* Carves work for nb blocks, or measures it (work == NULL): returns the reals that it takes. */
static long solve_carve(solve *s, real *work) {
  const bj_vector_field *field = s->self->field;
  long used = 0;
  const int q = s->self->n_state, d = s->layer->d;
  s->state = solve_take(work, &used, s, q);
  s->next = solve_take(work, &used, s, q);
  s->stage = solve_take(work, &used, s, q);
  for (int i = 0; i < STAGES; i++) s->k[i] = solve_take(work, &used, s, q);
  for (int i = 0; i < STAGES; i++) s->mu[i] = solve_take(work, &used, s, q);
  s->lambda = solve_take(work, &used, s, q);
  s->gf = solve_take(work, &used, s, q);
  s->t = solve_take(work, &used, s, 1);
  s->h = solve_take(work, &used, s, 1);
  s->times = solve_take(work, &used, s, 1);
  s->size = solve_take(work, &used, s, 1);
  s->last = solve_take(work, &used, s, 1);
  s->gtrace = solve_take(work, &used, s, 1);
  s->gsquare = solve_take(work, &used, s, 1);
  s->probe = solve_take(work, &used, s, d);
  s->segment = solve_take(work, &used, s, (long)s->self->every * d);
  s->cache = work ? work + used : NULL;
  used += (long)s->nb * s->self->solver->n_stage * field->n_cache;
  s->work = work ? work + used : NULL;
  return used + s->nb * field->n_work;
}

/* The group's part of the cache: kept states, then the steps of adaptive solves and their number; or the tape. */
INLINE real *solve_cache(const solve *s, long at) {
  return s->pass->cache + s->first * (s->layer->n_cache / BJ_CHUNK) + at * s->nb;
}
INLINE real *solve_kept(const solve *s, int b, int i) {
  return solve_cache(s, (long)i * s->layer->d * BJ_BLOCK) + (long)b * s->layer->d * BJ_BLOCK;
}
INLINE real *solve_taken(const solve *s, int b, int step) {
  return solve_cache(s, s->self->cache_time + (long)step * 2 * BJ_BLOCK) + (long)b * 2 * BJ_BLOCK;
}
INLINE real *solve_tape(const solve *s, int step, int stage) {
  const long size = solve_tape_size(s->self);
  return solve_cache(s, ((long)step * s->self->solver->n_stage + stage) * size);
}

/* ---- probes ------------------------------------------------------------------------------------------------------ */

#define PROBE_STREAM UINT64_C(0x70726f6265)

/* The seed of one of a layer's streams, none of which another layer has. */
INLINE uint64_t layer_seed(const bj_layer *layer, const bj_run *run, uint64_t stream) {
  return run->seed ^ stream ^ (uint64_t)layer->number << 48;
}

/* One probe a row and solve, so that the equation stays the same at every stage. Given probes are used in every call,
 * drawn ones in training. */
static void solve_probe(solve *s) {
  const continuous *self = s->self;
  const bj_run *run = s->pass->run;
  const int d = s->layer->d;
  if (!self->hutchinson || (!self->probe && run->purpose == RUN_EVALUATE)) {
    s->probe = NULL;
    return;
  }
  const uint64_t seed = layer_seed(s->layer, run, PROBE_STREAM);
  for (int b = 0; b < s->nb; b++) {
    const uint64_t row = s->pass->row + (uint64_t)(s->first + b) * BJ_BLOCK;
    real *to = s->probe + (long)b * d * BJ_BLOCK, other[BJ_BLOCK];
    for (int j = 0; j < d; j++) {
      real *here = to + (long)j * BJ_BLOCK, *pair = j + 1 < d ? here + BJ_BLOCK : other;
      if (self->probe) {
        for (int r = 0; r < BJ_BLOCK; r++) {
          here[r] = self->probe[(row + (uint64_t)r) % (uint64_t)self->n_probe + (uint64_t)j * (uint64_t)self->n_probe];
        }
      } else if (j % 2 == 0) {
        (self->gaussian ? random_normal2 : random_uniform2)(seed, row, (uint32_t)(j / 2), here, pair);
      }
    }
    if (self->probe || self->gaussian) continue;
    for (long i = 0; i < (long)d * BJ_BLOCK; i++) to[i] = to[i] < 0.5 ? -1 : 1;
  }
}

/* ---- one evaluation ---------------------------------------------------------------------------------------------- */

INLINE long solve_stride(const solve *s) { return (long)s->self->n_state * BJ_BLOCK; }

/* At state `z`, time t + c h; `cache` keeps what the vjp needs. node < 0: every row has its own time. */
static bj_field_pass solve_field_pass(const solve *s, const real *z, real *k, int node, real c, real *cache) {
  const continuous *self = s->self;
  const int d = s->layer->d;
  bj_field_pass field = {
      .nb = s->nb,
      .stride = solve_stride(s),
      .theta = s->pass->theta,
      .prep = s->pass->prep + self->prep_field,
      .node = node,
      .condition = s->pass->condition ? s->pass->condition + (long)s->first * s->layer->n_condition * BJ_BLOCK : NULL,
      .z = z,
      .f = k,
      .trace = s->want_trace ? k + (long)d * BJ_BLOCK : NULL,
      .square = s->want_penalty && self->jacobian > 0 ? k + (long)(d + 1) * BJ_BLOCK : NULL,
      .probe = s->probe,
      .cache = cache,
      .work = s->work,
  };
  if (node >= 0) {
    field.time = s->pass->prep[self->prep_times + node];
    return field;
  }
  for (long i = 0; i < (long)s->nb * BJ_BLOCK; i += BJ_LANES) {
    vstore(s->times + i, vload(s->t + i) + c * vload(s->h + i));
  }
  field.times = s->times;
  return field;
}

/* The derivatives of all q rows. The penalty's is positive whichever way the time runs, times the sign of h. */
static void solve_evaluate(const solve *s, const real *z, real *k, int node, real c, real *cache) {
  const continuous *self = s->self;
  const bj_field_pass field = solve_field_pass(s, z, k, node, c, cache);
  const int d = s->layer->d;
  self->field->kind->value(self->field, &field);
  for (int b = 0; b < s->nb; b++) {
    real *here = k + b * solve_stride(s), *penalty = here + (long)(d + 1) * BJ_BLOCK;
    FOR_ROWS(r) {
      if (!s->want_trace) vstore(here + (long)d * BJ_BLOCK + r, vset(0));
      if (self->n_state < d + 2) continue;
      vreal rate = vset(0);
      for (int j = 0; j < d && s->want_penalty && self->kinetic > 0; j++) {
        const vreal f = vload(here + (long)j * BJ_BLOCK + r);
        rate += self->kinetic * f * f;
      }
      if (field.square) rate += self->jacobian * vload(penalty + r);
      vstore(penalty + r, s->end < s->start ? -rate : rate);
    }
  }
}

/* to = from + h sum_j coefficient[j] k_j on the first `rows` rows. */
static void solve_combine(const solve *s, const real *from, const real *coefficient, int n, int rows, real *to) {
  for (int b = 0; b < s->nb; b++) {
    const long at = b * solve_stride(s);
    FOR_ROWS(r) {
      const vreal h = vload(s->h + (long)b * BJ_BLOCK + r);
      for (int i = 0; i < rows; i++) {
        const long row = at + (long)i * BJ_BLOCK + r;
        vreal sum = vset(0);
        for (int j = 0; j < n; j++) sum += coefficient[j] * vload(s->k[j] + row);
        vstore(to + row, vload(from + row) + h * sum);
      }
    }
  }
}

/* The node of a stage of a fixed step, -1 for adaptive ones. */
INLINE int solve_node(const solve *s, int direction, int step, int stage) {
  const continuous *self = s->self;
  return self->adaptive ? -1 : direction * self->n_node + self->node[step * self->solver->n_stage + stage];
}

/* All stages of one step from `state`; stage 0 is known already where `from` is 1. With `keep` each has a cache. */
static void solve_stages(const solve *s, int step, int from, int keep) {
  const continuous *self = s->self;
  const bj_solver *solver = self->solver;
  for (int i = from; i < solver->n_stage; i++) {
    real *z = i > 0 ? s->stage : s->state, *cache = s->cache;
    if (self->tape) {
      z = solve_tape(s, step, i);
      cache = z + s->nb * solve_stride(s);
    } else if (keep) {
      cache += (long)i * s->nb * self->field->n_cache;
    }
    if (i > 0) {
      solve_combine(s, s->state, solver->a[i], i, s->layer->d, z);
    } else if (self->tape) {
      memcpy(z, s->state, sizeof(real) * (size_t)(s->nb * solve_stride(s)));
    }
    solve_evaluate(s, z, s->k[i], solve_node(s, s->direction, step, i), solver->c[i], cache);
  }
}

#endif
