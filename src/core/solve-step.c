/* One step of a solve: the field at a state, the stages, and their sum. */
#include "solve.h"

static int solve_wants_square(const solve *s) { return s->want_penalty && s->plan->jacobian > 0; }

static int solve_begins(const solve *s) {
  return s->plan->field->n_fixed > 0 && s->want_trace && !s->probe && !solve_wants_square(s);
}

static bj_field_pass solve_field_pass(const solve *s, const real *z, real *k, int node, real c, real *cache) {
  const int d = s->plan->field->d;
  bj_field_pass field = {
      .nb = s->nb,
      .stride = solve_stride(s),
      .theta = s->theta,
      .prep = s->prep,
      .node = node,
      .condition = s->condition,
      .z = z,
      .f = k,
      .trace = s->want_trace ? k + (long)d * BJ_BLOCK : NULL,
      .square = solve_wants_square(s) ? k + (long)(d + 1) * BJ_BLOCK : NULL,
      .probe = s->probe,
      .fixed = solve_begins(s) ? s->fixed : NULL,
      .cache = cache,
      .work = s->field_work,
  };
  if (node >= 0) {
    field.time = s->node_time[node];
    return field;
  }
  for (long i = 0; i < (long)s->nb * BJ_BLOCK; i += BJ_LANES) {
    vstore(s->times + i, vload(s->t + i) + c * vload(s->h + i));
  }
  field.times = s->times;
  return field;
}

/* The penalty's derivative is positive whichever way the time runs, times the sign of h. */
static void solve_evaluate(const solve *s, const real *z, real *k, int node, real c, real *cache) {
  const solve_plan *plan = s->plan;
  const bj_field_pass field = solve_field_pass(s, z, k, node, c, cache);
  const int d = plan->field->d;
  plan->field->kind->value(plan->field, &field);
  for (int b = 0; b < s->nb; b++) {
    real *here = k + b * solve_stride(s), *penalty = here + (long)(d + 1) * BJ_BLOCK;
    FOR_ROWS(r) {
      if (!s->want_trace) vstore(here + (long)d * BJ_BLOCK + r, vset(0));
      if (plan->n_state < d + 2) continue;
      vreal rate = vset(0);
      for (int j = 0; j < d && s->want_penalty && plan->kinetic > 0; j++) {
        const vreal f = vload(here + (long)j * BJ_BLOCK + r);
        rate += plan->kinetic * f * f;
      }
      if (field.square) rate += plan->jacobian * vload(penalty + r);
      vstore(penalty + r, s->end < s->start ? -rate : rate);
    }
  }
}

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

static int solve_node(const solve *s, int half, int step, int stage) {
  const solve_plan *plan = s->plan;
  return plan->adaptive ? -1 : half * plan->n_node + plan->node[step * plan->solver->n_stage + stage];
}

static void solve_stages(const solve *s, int step, int from, int keep) {
  const bj_solver *solver = s->plan->solver;
  for (int i = from; i < solver->n_stage; i++) {
    real *z = i > 0 ? s->stage : s->state, *cache = keep ? solve_stage_cache(s, i) : s->field_cache;
    if (s->plan->tape) {
      z = solve_tape_state(s, step, i);
      cache = solve_tape_cache(s, step, i);
    }
    if (i > 0) {
      solve_combine(s, s->state, solver->a[i], i, s->plan->field->d, z);
    } else if (s->plan->tape) {
      memcpy(z, s->state, sizeof(real) * (size_t)(s->nb * solve_stride(s)));
    }
    solve_evaluate(s, z, s->k[i], solve_node(s, s->half, step, i), solver->c[i], cache);
  }
}

static void solve_even_step(const solve *s, int step) {
  const real h = (s->end - s->start) / s->plan->n_step;
  solve_fill(s, s->h, h);
  solve_fill(s, s->t, s->start + step * h);
}
