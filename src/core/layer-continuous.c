/* continuous: the solution of a differential equation (Chen et al. 2018, "Neural ordinary differential equations").
 *
 *   dz/dt = f(t, z) from t0, on the base's side, to t1;  log|det| = integral of tr(df/dz) along the way
 *
 * Forward is the solve from t0 to t1, inverse that from t1 to t0: inverse to each other up to the solver's error. How
 * an equation is solved, and what its gradients are, stands in solve.h.
 *
 * In training: probes for the trace (Hutchinson 1990), penalties, the integrals of kinetic |f|^2 and jacobian |J e|^2
 * along the way (Finlay et al. 2020, "How to train your neural ODE", arXiv:2002.02798), a random shift of the end
 * (Ghosh et al. 2020, "STEER", arXiv:2006.10711), and a tolerance of its own. A loss may ask for f alone, at states
 * and times of its own.
 */
#include <stdio.h>

#include "num-streams.h"
#include "solve.h"

typedef struct {
  solve_plan plan;
  bj_field *field;
  real t0, t1, steer; /* nominal ends; largest shift of the end of a solve in training */
  int hutchinson, gaussian, n_probe;
  const double *probe; /* n_probe x d, column-major, or NULL */
} continuous;

/* prep: the ends; the times of the nodes, of the solve from t0 to t1 and of that back; the field's. */
typedef struct {
  real *end, *time, *field;
} continuous_parts;

static continuous_parts continuous_carve_prep(const continuous *self, carver *from) {
  continuous_parts parts;
  parts.end = carve(from, 2);
  parts.time = carve(from, 2L * self->plan.n_node);
  parts.field = carve_exact(from, self->field->n_prep);
  return parts;
}
static continuous_parts continuous_prep_of(const bj_layer *layer, const real *prep) {
  carver from = {.memory = (real *)prep};
  return continuous_carve_prep(layer->self, &from);
}

/* ---- probes ------------------------------------------------------------------------------------------------------ */

/* One probe a row and solve, so that the equation stays the same at every stage. Given probes are used in every call,
 * drawn ones in training. */
static void continuous_probe(const bj_layer *layer, const bj_pass *pass, int first, solve *s) {
  const continuous *self = layer->self;
  const bj_run *run = pass->run;
  const int d = layer->d;
  if (!self->hutchinson || (!self->probe && run->purpose == RUN_EVALUATE)) return;
  const uint64_t seed = stream_seed(run->seed, STREAM_PROBE, layer->number);
  s->probe = s->probes;
  for (int b = 0; b < s->nb; b++) {
    const uint64_t row = pass->row + (uint64_t)(first + b) * BJ_BLOCK;
    real *to = s->probes + (long)b * d * BJ_BLOCK, other[BJ_BLOCK];
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

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* The solve of the group of blocks that begins with block `first`. */
static solve continuous_solve(const bj_layer *layer, const bj_pass *pass, int first, bj_direction direction) {
  const continuous *self = layer->self;
  const int left = pass->nb - first, group = self->field->group, inverse = direction == BJ_INVERSE;
  const long row = (long)first * BJ_BLOCK, condition = row * layer->n_condition;
  const continuous_parts prep = continuous_prep_of(layer, pass->prep);
  const real training = pass->run->purpose == RUN_EVALUATE ? 0 : self->plan.training;
  solve s = {
      .plan = &self->plan,
      .nb = left < group ? left : group,
      .start = prep.end[inverse],
      .end = prep.end[1 - inverse],
      .rtol = training > 0 ? training : self->plan.rtol,
      .atol = training > 0 ? training : self->plan.atol,
      .half = inverse,
      .theta = pass->theta,
      .prep = prep.field,
      .node_time = prep.time,
      .condition = pass->condition ? pass->condition + condition : NULL,
      .want_trace = 1,
      .want_penalty = pass->penalty != NULL && self->plan.n_state > layer->d + 1,
  };
  carver cache = {.memory = pass->cache + first / group * self->plan.n_cache}, work = {.memory = pass->work};
  solve_carve(&s, &cache, &work);
  continuous_probe(layer, pass, first, &s);
  if (!pass->gtheta) return s;
  s.gl = pass->gl ? pass->gl + row : NULL;
  s.gpenalty = pass->gpenalty ? pass->gpenalty + row : NULL;
  s.gtheta = pass->gtheta;
  s.gprep = continuous_prep_of(layer, pass->gprep).field;
  s.gcondition = pass->gcondition ? pass->gcondition + condition : NULL;
  return s;
}

static bj_status continuous_run(const bj_layer *layer, bj_pass *pass, bj_direction direction) {
  const continuous *self = layer->self;
  const int d = layer->d;
  for (int first = 0; first < pass->nb; first += self->field->group) {
    const solve s = continuous_solve(layer, pass, first, direction);
    const long row = (long)first * BJ_BLOCK;
    const bj_status status = solve_forward(&s, pass->x + row * d);
    if (status != BJ_OK) {
      snprintf(pass->error->message, sizeof pass->error->message,
               "layer_continuous() did not arrive within %d steps: raise `max_steps` of solver_%s(), or its tolerances",
               self->plan.n_step, self->plan.solver->name);
      return status;
    }
    solve_get(&s, s.state, pass->y + row * d);
    FOR_BLOCK_ROWS(s.nb, b, r) {
      const real *integral = s.state + b * solve_stride(&s) + (long)d * BJ_BLOCK + r;
      const long at = row + (long)b * BJ_BLOCK + r;
      logdet_add(pass->logdet, at, vload(integral));
      if (s.want_penalty) vstore(pass->penalty + at, vload(pass->penalty + at) + vload(integral + BJ_BLOCK));
    }
  }
  return BJ_OK;
}

static bj_status continuous_run_vjp(const bj_layer *layer, bj_pass *pass, bj_direction direction) {
  const continuous *self = layer->self;
  for (int first = 0; first < pass->nb; first += self->field->group) {
    const solve s = continuous_solve(layer, pass, first, direction);
    const long at = (long)first * layer->d * BJ_BLOCK;
    solve_vjp(&s, pass->y + at, pass->gy + at, pass->gx + at);
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(continuous, continuous_run)

/* ---- the field alone --------------------------------------------------------------------------------------------- */

static bj_field_pass continuous_at(const bj_layer *layer, bj_pass *pass, const real *t, solve *s) {
  *s = continuous_solve(layer, pass, 0, BJ_FORWARD);
  s->want_trace = s->want_penalty = 0;
  solve_put(s, pass->x, s->state);
  memcpy(s->t, t, sizeof(real) * (size_t)s->nb * BJ_BLOCK);
  solve_fill(s, s->h, 0);
  return solve_field_pass(s, s->state, s->next, -1, 0, s->field_cache);
}

static void continuous_velocity(const bj_layer *layer, bj_pass *pass, const real *t) {
  const continuous *self = layer->self;
  solve s;
  const bj_field_pass field = continuous_at(layer, pass, t, &s);
  self->field->kind->value(self->field, &field);
  solve_get(&s, s.next, pass->y);
}

static void continuous_velocity_vjp(const bj_layer *layer, bj_pass *pass, const real *t) {
  const continuous *self = layer->self;
  solve s;
  bj_field_pass field = continuous_at(layer, pass, t, &s);
  solve_put(&s, pass->gy, s.gf);
  field.gf = s.gf;
  field.gz = s.stage;
  field.gtheta = s.gtheta;
  field.gprep = s.gprep;
  self->field->kind->vjp(self->field, &field);
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Whether the solves of a run pass the nodes of a half: the adjoint equation goes both ways; velocities are at times of
 * their own. */
static int continuous_passes(const continuous *self, const bj_run *run, int half) {
  if (self->plan.n_node == 0 || run->velocity) return 0;
  return self->plan.adjoint || (run->direction == BJ_INVERSE) == half;
}

/* The later end of the solve is shifted in training. */
static void continuous_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  const continuous *self = layer->self;
  const bj_field_kind *kind = self->field->kind;
  const continuous_parts parts = continuous_prep_of(layer, prep);
  const int n = self->plan.n_node;
  parts.end[0] = self->t0;
  parts.end[1] = self->t1;
  if (self->steer > 0 && run->purpose == RUN_TRAIN) {
    bj_rng rng = rng_start(stream_seed(run->seed, STREAM_STEER, layer->number), run->step);
    parts.end[run->direction == BJ_FORWARD] += self->steer * (2 * rng_uniform(&rng) - 1);
  }
  if (kind->prepare) kind->prepare(self->field, theta, parts.field);
  for (int half = 0; half < 2; half++) {
    if (!continuous_passes(self, run, half)) continue;
    real *time = parts.time + half * n;
    const real start = parts.end[half], end = parts.end[1 - half];
    for (int i = 0; i < n; i++) time[i] = start + self->plan.fraction[i] * (end - start);
    if (kind->prepare_nodes) kind->prepare_nodes(self->field, theta, parts.field, half * n, n, time);
  }
}

static void continuous_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                   real *gprep, real *gtheta) {
  const continuous *self = layer->self;
  const bj_field_kind *kind = self->field->kind;
  const continuous_parts parts = continuous_prep_of(layer, prep), to = continuous_prep_of(layer, gprep);
  const int n = self->plan.n_node;
  for (int half = 0; half < 2 && kind->prepare_nodes_vjp; half++) {
    if (!continuous_passes(self, run, half)) continue;
    kind->prepare_nodes_vjp(self->field, theta, parts.field, to.field, gtheta, half * n, n, parts.time + half * n);
  }
  if (kind->prepare_vjp) kind->prepare_vjp(self->field, theta, parts.field, to.field, gtheta);
}

static void continuous_describe(const bj_layer *layer, bj_describe *out) {
  const continuous *self = layer->self;
  const int mark = describe_enter(out, "field");
  self->field->kind->describe(self->field, out);
  describe_leave(out, mark);
}

static void continuous_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  const continuous *self = layer->self;
  self->field->kind->init(self->field, theta, rng);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static bj_status continuous_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  continuous *self = layer->self = build_alloc(build, sizeof(continuous));
  solve_plan *plan = &self->plan;
  const int d = layer->d, n_given = spec_length(spec, "probe_values");
  self->t0 = spec_real(build, spec, "t0", -INFINITY, INFINITY);
  self->t1 = spec_real(build, spec, "t1", -INFINITY, INFINITY);
  self->hutchinson = spec_choice(build, spec, "trace", "exact", "hutchinson", NULL);
  plan->adjoint = spec_choice(build, spec, "gradient", "discrete", "adjoint", NULL);
  const real length = fabs(self->t1 - self->t0);
  if (spec_given(build, spec, "steer")) self->steer = spec_real(build, spec, "steer", 0, length);
  if (spec_given(build, spec, "kinetic")) plan->kinetic = spec_real(build, spec, "kinetic", 0, INFINITY);
  if (spec_given(build, spec, "jacobian")) plan->jacobian = spec_real(build, spec, "jacobian", 0, INFINITY);
  if (n_given > 0) {
    if (n_given % d != 0) return spec_error(build, "`probe` must have %d columns", d);
    self->n_probe = n_given / d;
    self->probe = spec_numbers(build, spec, "probe_values", n_given);
  } else {
    self->gaussian = spec_choice(build, spec, "probe", "rademacher", "gaussian", NULL);
  }
  if (!(length > 0)) return spec_error(build, "`t0` and `t1` must differ");
  bj_status status = solver_build(build, spec_part(build, spec, "solver"), length, plan);
  if (status != BJ_OK) return status;
  status = field_build(build, spec_part(build, spec, "field"), d, layer->n_condition, 2 * plan->n_node, &self->field);
  if (status != BJ_OK) return status;
  plan->field = self->field;
  solve_plan_memory(plan);
  carver prep = {0};
  continuous_carve_prep(self, &prep);
  layer->t0 = self->t0;
  layer->t1 = self->t1;
  layer->group = self->field->group;
  layer->n_param = self->field->n_param;
  layer->n_prep = prep.used;
  layer->n_cache = (BJ_CHUNK + self->field->group - 1) / self->field->group * plan->n_cache;
  layer->n_work = plan->n_work;
  return build->status;
}

static const bj_layer_kind layer_continuous = {
    .name = "continuous",
    .build = continuous_build,
    .describe = continuous_describe,
    .init = continuous_init,
    .prepare = continuous_prepare,
    .prepare_vjp = continuous_prepare_vjp,
    LAYER_TABLE(continuous),
    .velocity = continuous_velocity,
    .velocity_vjp = continuous_velocity_vjp,
};
