/* continuous: the solution of a differential equation (Chen et al. 2018, "Neural ordinary differential equations").
 *
 *   dz/dt = f(t, z) from t0, on the base's side, to t1;  log|det| = integral of tr(df/dz) along the way
 *
 * Forward is the solve from t0 to t1, inverse that from t1 to t0: inverse to each other up to the solver's error.
 *
 * Gradients are those of the discrete solver, with the steps taken as given: exact for the computed loss. They need z
 * at the beginning of every step; up to KEEP_ALL steps all are kept, else one in every sqrt(n), and the others are
 * solved for again, stretch by stretch: 2 sqrt(n) states a row. The stages of one step are computed again in any case,
 * so the memory of what happens within a field does not grow with the steps; only where all of it is small, it is kept.
 * The adjoint equation keeps no states at all; its gradient is exact up to the solver's error.
 *
 * In training: probes for the trace (Hutchinson 1990), penalties, the integrals of kinetic |f|^2 and jacobian |J e|^2
 * along the way (Finlay et al. 2020, "How to train your neural ODE", arXiv:2002.02798), and a random shift of the end
 * (Ghosh et al. 2020, "STEER", arXiv:2006.10711). Flow matching (Lipman et al. 2023, arXiv:2210.02747) regresses f on
 * the straight way from a draw of the base to a row of the data, at random times.
 */
#include "layer-continuous-gradient.h"

#define KEEP_ALL 64
/* Reals a block of all stages' states and caches up to which they are kept, and nothing is computed again. */
#define TAPE_ALL (1L << 18)

#define STEER_STREAM UINT64_C(0x5354454552)
#define MATCH_STREAM UINT64_C(0x6d61746368)

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static solve solve_begin(const bj_layer *layer, bj_pass *pass, int first, bj_direction direction) {
  const continuous *self = layer->self;
  const int left = pass->nb - first, inverse = direction == BJ_INVERSE;
  solve s = {.layer = layer, .self = self, .pass = pass, .first = first, .direction = inverse, .want_trace = 1};
  s.nb = left < self->field->group ? left : self->field->group;
  s.start = pass->prep[inverse];
  s.end = pass->prep[1 - inverse];
  s.want_penalty = pass->penalty != NULL && self->n_state > layer->d + 1;
  solve_carve(&s, pass->work);
  solve_probe(&s);
  return s;
}

static bj_status continuous_run(const bj_layer *layer, bj_pass *pass, bj_direction direction) {
  const continuous *self = layer->self;
  const int d = layer->d;
  for (int first = 0; first < pass->nb; first += self->field->group) {
    const solve s = solve_begin(layer, pass, first, direction);
    memset(s.state, 0, sizeof(real) * (size_t)(s.nb * solve_stride(&s)));
    for (int b = 0; b < s.nb; b++) {
      solve_copy_z(&s, pass->x + (long)(first + b) * d * BJ_BLOCK, s.state + b * solve_stride(&s));
    }
    if (self->adaptive) {
      int n_step;
      const bj_status status = solve_adaptive(&s, &n_step);
      if (status != BJ_OK) return status;
      *solve_taken(&s, 0, self->n_step) = n_step;
    } else {
      solve_fixed(&s);
    }
    for (int b = 0; b < s.nb; b++) {
      const real *state = s.state + b * solve_stride(&s);
      const long row = (long)(first + b) * BJ_BLOCK;
      solve_copy_z(&s, state, pass->y + row * d);
      FOR_ROWS(r) {
        logdet_add(pass->logdet, row + r, vload(state + (long)d * BJ_BLOCK + r));
        if (!s.want_penalty) continue;
        vstore(pass->penalty + row + r, vload(pass->penalty + row + r) + vload(state + (long)(d + 1) * BJ_BLOCK + r));
      }
    }
  }
  return BJ_OK;
}

static bj_status continuous_run_vjp(const bj_layer *layer, bj_pass *pass, bj_direction direction) {
  const continuous *self = layer->self;
  const int d = layer->d;
  for (int first = 0; first < pass->nb; first += self->field->group) {
    const solve s = solve_begin(layer, pass, first, direction);
    const int n_step = self->adaptive ? (int)*solve_taken(&s, 0, self->n_step) : self->n_step;
    for (int b = 0; b < s.nb; b++) {
      solve_copy_z(&s, pass->gy + (long)(first + b) * d * BJ_BLOCK, s.lambda + b * solve_stride(&s));
    }
    solve_vjp(&s, n_step, pass->y + (long)first * d * BJ_BLOCK);
    for (int b = 0; b < s.nb; b++) {
      solve_copy_z(&s, s.lambda + b * solve_stride(&s), pass->gx + (long)(first + b) * d * BJ_BLOCK);
    }
  }
  return BJ_OK;
}

LAYER_DIRECTIONS(continuous, continuous_run)

/* ---- flow matching ----------------------------------------------------------------------------------------------- */

/* z = (1 - u) x0 + u x1 at t = t0 + u (t1 - t0): |f(t, z) - (x1 - x0) / (t1 - t0)|^2 */
static bj_status continuous_match(const bj_layer *layer, bj_pass *pass) {
  const continuous *self = layer->self;
  const bj_run *run = pass->run;
  const int d = layer->d;
  const real t0 = self->t0, t1 = self->t1;
  for (int first = 0; first < pass->nb; first += self->field->group) {
    solve s = solve_begin(layer, pass, first, BJ_FORWARD);
    s.want_trace = s.want_penalty = 0;
    solve_fill(&s, s.h, 0);
    for (int b = 0; b < s.nb; b++) {
      real unused[BJ_BLOCK], *u = s.t + (long)b * BJ_BLOCK;
      random_uniform2(layer_seed(layer, run, MATCH_STREAM), pass->row + (uint64_t)(first + b) * BJ_BLOCK, 0, u, unused);
      FOR_ROWS(r) {
        for (int j = 0; j < d; j++) {
          const long from = ((long)(first + b) * d + j) * BJ_BLOCK + r;
          const vreal x0 = vload(pass->y + from), x1 = vload(pass->x + from);
          vstore(s.state + b * solve_stride(&s) + (long)j * BJ_BLOCK + r, x0 + vload(u + r) * (x1 - x0));
        }
        vstore(u + r, t0 + vload(u + r) * (t1 - t0));
      }
    }
    bj_field_pass field = solve_field_pass(&s, s.state, s.next, -1, 0, s.cache);
    self->field->kind->value(self->field, &field);
    for (int b = 0; b < s.nb; b++) {
      const long row = (long)(first + b) * BJ_BLOCK;
      FOR_ROWS(r) {
        vreal sum = vset(0);
        for (int j = 0; j < d; j++) {
          const long from = (row * d + (long)j * BJ_BLOCK) + r, at = b * solve_stride(&s) + (long)j * BJ_BLOCK + r;
          const vreal speed = (vload(pass->x + from) - vload(pass->y + from)) * (1 / (t1 - t0));
          const vreal miss = vload(s.next + at) - speed;
          sum += miss * miss;
          if (pass->gpenalty) vstore(s.gf + at, 2.0 * miss * vload(pass->gpenalty + row + r));
        }
        vstore(pass->penalty + row + r, vload(pass->penalty + row + r) + sum);
      }
    }
    if (!pass->gpenalty) continue;
    field.gf = s.gf;
    field.gz = s.stage;
    field.gtheta = pass->gtheta;
    field.gprep = pass->gprep + self->prep_field;
    self->field->kind->vjp(self->field, &field);
  }
  return BJ_OK;
}

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Whether the solves of a run pass the nodes of a half (0: from t0 to t1): the adjoint equation goes both ways; flow
 * matching has times of its own. */
static int continuous_passes(const continuous *self, const bj_run *run, int half) {
  if (self->n_node == 0 || run->matching) return 0;
  return self->adjoint || (run->direction == BJ_INVERSE) == half;
}

/* prep: the ends, the later one of the solve shifted in training; then the nodes. */
static void continuous_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  const continuous *self = layer->self;
  const bj_vector_field_kind *kind = self->field->kind;
  prep[0] = self->t0;
  prep[1] = self->t1;
  if (self->steer > 0 && run->purpose == RUN_TRAIN) {
    bj_rng rng = rng_start(layer_seed(layer, run, STEER_STREAM), run->step);
    prep[run->direction == BJ_FORWARD] += self->steer * (2 * rng_uniform(&rng) - 1);
  }
  if (kind->prepare) kind->prepare(self->field, theta, prep + self->prep_field);
  for (int half = 0; half < 2; half++) {
    if (!continuous_passes(self, run, half)) continue;
    real *times = prep + self->prep_times + half * self->n_node;
    const real start = prep[half], end = prep[1 - half];
    for (int i = 0; i < self->n_node; i++) times[i] = start + self->fraction[i] * (end - start);
    if (!kind->prepare_nodes) continue;
    kind->prepare_nodes(self->field, theta, prep + self->prep_field, half * self->n_node, self->n_node, times);
  }
}

static void continuous_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                   real *gprep, real *gtheta) {
  const continuous *self = layer->self;
  const bj_vector_field_kind *kind = self->field->kind;
  for (int half = 0; half < 2 && kind->prepare_nodes_vjp; half++) {
    if (!continuous_passes(self, run, half)) continue;
    kind->prepare_nodes_vjp(self->field, theta, prep + self->prep_field, gprep + self->prep_field, gtheta,
                            half * self->n_node, self->n_node, prep + self->prep_times + half * self->n_node);
  }
  if (kind->prepare_vjp) {
    kind->prepare_vjp(self->field, theta, prep + self->prep_field, gprep + self->prep_field, gtheta);
  }
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

/* The distinct times of the stages of all steps, as fractions of the way. */
static void continuous_build_nodes(continuous *self, bj_build *build) {
  const bj_solver *solver = self->solver;
  const int stages = solver->n_stage, n = self->n_step;
  self->node = build_alloc(build, sizeof(int) * (size_t)n * (size_t)stages);
  self->fraction = build_alloc(build, sizeof(real) * (size_t)n * (size_t)stages);
  for (int step = 0; step < n; step++) {
    for (int i = 0; i < stages; i++) {
      const int stage = step * stages + i;
      int same = -1;
      for (int j = 0; j < i && same < 0; j++) {
        if (solver->c[j] == solver->c[i]) same = step * stages + j;
      }
      for (int j = 0; j < stages && same < 0 && step > 0 && solver->c[i] == 0; j++) {
        if (solver->c[j] == 1) same = (step - 1) * stages + j;
      }
      if (same < 0) self->fraction[self->n_node] = (step + solver->c[i]) / n;
      self->node[stage] = same < 0 ? self->n_node++ : self->node[same];
    }
  }
}

static bj_status continuous_build_solver(continuous *self, const bj_spec *spec, bj_build *build) {
  const bj_spec *solver = spec_child(spec, "solver");
  self->solver = solver_find(build, solver, "layer_continuous");
  if (!self->solver) return BJ_BAD_SPEC;
  const real length = fabs(self->t1 - self->t0), step = spec_number(solver, "step", 0.05);
  self->adaptive = spec_entry(solver, "rtol") != NULL;
  if (!(length > 0) || !(step > 0)) return spec_error(build, "`t0` and `t1` must differ, and `step` be above 0");
  if (self->adaptive) {
    self->rtol = spec_number(solver, "rtol", 1e-6);
    self->atol = spec_number(solver, "atol", 1e-6);
    self->n_step = (int)spec_number(solver, "max_steps", 256);
    self->first = step < length ? step : length;
    if (!self->solver->embedded) return spec_error(build, "solver_%s() has no error estimates", self->solver->name);
    if (!(self->rtol >= 0 && self->atol > 0)) return spec_error(build, "`atol` must be above 0, `rtol` at least 0");
  } else {
    const real n = ceil(length / step - 1e-9);
    if (n > 1e5) return spec_error(build, "a `step` of %g from %g to %g is too short", step, self->t0, self->t1);
    self->n_step = n < 1 ? 1 : (int)n;
    continuous_build_nodes(self, build);
  }
  self->every = 1;
  if (self->n_step > KEEP_ALL) self->every = (int)ceil(sqrt(self->n_step));
  return BJ_OK;
}

static bj_status continuous_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  continuous *self = layer->self = build_alloc(build, sizeof(continuous));
  const bj_entry *probe = spec_entry(spec, "probe_values");
  const int d = layer->d;
  self->t0 = spec_number(spec, "t0", 0);
  self->t1 = spec_number(spec, "t1", 1);
  self->steer = spec_number(spec, "steer", 0);
  self->kinetic = spec_number(spec, "kinetic", 0);
  self->jacobian = spec_number(spec, "jacobian", 0);
  self->hutchinson = !strcmp(spec_string(spec, "trace", "exact"), "hutchinson");
  self->gaussian = !strcmp(spec_string(spec, "probe", "rademacher"), "gaussian");
  self->adjoint = !strcmp(spec_string(spec, "gradient", "discrete"), "adjoint");
  if (probe) {
    if (probe->n < d || probe->n % d != 0) return spec_error(build, "`probe` must have %d columns", d);
    self->n_probe = probe->n / d;
    self->probe = probe->numbers;
  }
  bj_status status = continuous_build_solver(self, spec, build);
  if (status != BJ_OK) return status;
  status = field_build(build, spec_child(spec, "field"), d, layer->n_condition, 2 * self->n_node, "layer_continuous",
                       &self->field);
  if (status != BJ_OK) return status;
  self->n_state = d + 1 + (self->kinetic > 0 || self->jacobian > 0);
  const long tape = (long)self->n_step * self->solver->n_stage * solve_tape_size(self);
  /* the kinetic penalty wants the derivatives of all stages in its vjp, which are not on the tape */
  self->tape = !self->adaptive && !self->adjoint && self->kinetic == 0 && tape <= TAPE_ALL;
  if (!self->adjoint && !self->tape) self->n_kept = (self->n_step + self->every - 1) / self->every;
  self->prep_times = 8;
  self->prep_field = (self->prep_times + 2 * self->n_node + 7) / 8 * 8;
  layer->n_param = self->field->n_param;
  layer->n_prep = self->prep_field + self->field->n_prep;
  self->cache_time = self->tape ? tape : (long)self->n_kept * d * BJ_BLOCK;
  layer->n_cache =
      self->cache_time + (self->adaptive ? (2L * self->n_step + 1) * BJ_BLOCK : 0); /* the last: their number */
  solve one = {.layer = layer, .self = self, .nb = 1};
  layer->n_work = BJ_CHUNK * solve_carve(&one, NULL);
  layer->n_cache *= BJ_CHUNK;
  return BJ_OK;
}

static const bj_layer_kind layer_continuous = {
    .name = "continuous",
    .build = continuous_build,
    .describe = continuous_describe,
    .init = continuous_init,
    .prepare = continuous_prepare,
    .prepare_vjp = continuous_prepare_vjp,
    LAYER_TABLE(continuous),
    .match = continuous_match,
};
