/* What is known before a solve: its steps, which of their states are kept, and the memory of all that. */
#include "solve.h"

/* The distinct times of the stages of all steps, as fractions of the way. */
static void solve_plan_nodes(solve_plan *plan, bj_build *build) {
  const bj_solver *solver = plan->solver;
  const int stages = solver->n_stage, n = plan->n_step;
  plan->node = build_alloc(build, sizeof(int) * (size_t)n * (size_t)stages);
  plan->fraction = build_alloc(build, sizeof(real) * (size_t)n * (size_t)stages);
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
      if (same < 0) plan->fraction[plan->n_node] = (step + solver->c[i]) / n;
      plan->node[stage] = same < 0 ? plan->n_node++ : plan->node[same];
    }
  }
}

/* What rounding may add to a whole number of steps. */
#define JUST_OVER BY_REAL(1e-9, 1e-4f)

static bj_status solve_plan_steps(solve_plan *plan, const bj_spec *spec, real length, bj_build *build) {
  const real step = spec_real(build, spec, "step", 0, INFINITY);
  if (!(step > 0)) return spec_error(build, "`step` must be above 0");
  plan->adaptive = plan->solver->embedded && spec_given(build, spec, "rtol");
  if (plan->adaptive) {
    plan->rtol = spec_real(build, spec, "rtol", 0, INFINITY);
    plan->atol = spec_real(build, spec, "atol", 0, INFINITY);
    if (spec_given(build, spec, "training")) plan->training = spec_real(build, spec, "training", 0, INFINITY);
    plan->n_step = spec_count(build, spec, "max_steps", 1, SOLVE_MAX_STEPS);
    plan->first = step < length ? step : length;
    if (!(plan->atol > 0)) return spec_error(build, "`atol` must be above 0");
  } else {
    const real n = ceil(length / step - JUST_OVER);
    if (!(n <= SOLVE_MAX_STEPS)) return spec_error(build, "a `step` of %g on a way of %g is too short", step, length);
    plan->n_step = n < 1 ? 1 : (int)n;
    solve_plan_nodes(plan, build);
  }
  plan->every = plan->n_step > SOLVE_KEEP_ALL ? (int)ceil(sqrt(plan->n_step)) : 1;
  return build->status;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Arrays have room for the blocks of a group. */
static real *solve_rows(const solve *s, carver *from, long n) { return field_rows(s->plan->field, from, n); }

static void solve_carve(solve *s, carver *cache, carver *work) {
  const solve_plan *plan = s->plan;
  const bj_field *field = plan->field;
  const int q = plan->n_state, d = field->d, stages = plan->solver->n_stage;
  const long taped = plan->tape ? (long)plan->n_step * stages : 0;
  s->kept = solve_rows(s, cache, (long)plan->n_kept * d);
  s->taken = solve_rows(s, cache, plan->adaptive ? 2L * plan->n_step : 0);
  s->n_taken = solve_rows(s, cache, plan->adaptive);
  s->fixed = carve(cache, field->n_fixed);
  s->tape_state = solve_rows(s, cache, taped * q);
  s->tape_cache = carve(cache, taped * field->n_cache);
  s->state = solve_rows(s, work, q);
  s->next = solve_rows(s, work, q);
  s->stage = solve_rows(s, work, q);
  for (int i = 0; i <= stages; i++) s->k[i] = solve_rows(s, work, q);
  for (int i = 0; i < stages; i++) s->mu[i] = solve_rows(s, work, q);
  s->lambda = solve_rows(s, work, q);
  s->gf = solve_rows(s, work, q);
  s->t = solve_rows(s, work, 1);
  s->h = solve_rows(s, work, 1);
  s->times = solve_rows(s, work, 1);
  s->size = solve_rows(s, work, 1);
  s->last = solve_rows(s, work, 1);
  s->gtrace = solve_rows(s, work, 1);
  s->gsquare = solve_rows(s, work, 1);
  s->probes = solve_rows(s, work, d);
  s->segment = solve_rows(s, work, (long)plan->every * d);
  s->gfixed = carve(work, field->n_gfixed);
  s->field_cache = carve(work, stages * field->n_cache);
  s->field_work = carve(work, field->n_work);
}

static void solve_plan_memory(solve_plan *plan) {
  const bj_field *field = plan->field;
  plan->n_state = field->d + 1 + (plan->kinetic > 0 || plan->jacobian > 0);
  const long tape =
      (long)plan->n_step * plan->solver->n_stage * ((long)plan->n_state * BJ_BLOCK + field->n_cache / field->group);
  /* the kinetic penalty wants the derivatives of all stages in its vjp, which are not on the tape */
  plan->tape = !plan->adaptive && !plan->adjoint && plan->kinetic == 0 && tape <= SOLVE_TAPE_ALL;
  if (!plan->adjoint && !plan->tape) plan->n_kept = solve_stretch(plan, plan->n_step - 1) + 1;
  solve dry = {.plan = plan};
  carver cache = {0}, work = {0};
  solve_carve(&dry, &cache, &work);
  plan->n_cache = cache.used;
  plan->n_work = work.used;
}
