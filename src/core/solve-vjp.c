/* Gradients of a solve: of the discrete solver, and of the adjoint equation. */
#include "solve.h"

/* ---- steps backwards --------------------------------------------------------------------------------------------- */

/* Time and length of a step as the solve took it; returns whether any row moved. */
static int solve_recall_step(const solve *s, int step) {
  if (!s->plan->adaptive) {
    solve_even_step(s, step);
    return 1;
  }
  vint moved = (vint)vset(0);
  for (int b = 0; b < s->nb; b++) {
    const real *taken = solve_taken(s, step, b);
    FOR_ROWS(r) {
      vstore(s->t + (long)b * BJ_BLOCK + r, vload(taken + r));
      vstore(s->h + (long)b * BJ_BLOCK + r, vload(taken + BJ_BLOCK + r));
      moved |= ~veq(vload(taken + BJ_BLOCK + r), vset(0));
    }
  }
  return vany(moved);
}

/* The solve without its integrals, for what is computed a second time: traces cost most of it. */
static solve solve_plain(const solve *s) {
  solve plain = *s;
  plain.want_trace = plain.want_penalty = 0;
  return plain;
}

/* z at the beginning of the steps of a stretch up to `last`, from the kept one of the first. */
static void solve_segment(const solve *s, int stretch, int last) {
  const solve plain = solve_plain(s);
  const bj_solver *solver = s->plan->solver;
  const int d = s->plan->field->d, first = solve_stretch_first(s->plan, stretch);
  solve_put(s, solve_kept(s, stretch), s->state);
  for (int step = first; step <= last; step++) {
    solve_get(s, s->state, solve_nth(s, s->segment, step - first, d));
    if (step == last || !solve_recall_step(s, step)) continue;
    solve_stages(&plain, step, 0, 0);
    solve_combine(s, s->state, solver->b, solver->n_stage, d, s->state);
  }
}

/* ---- one evaluation ---------------------------------------------------------------------------------------------- */

/* The vjp of one evaluation whose derivatives enter the result with the weight h b: `gf` comes with what reaches f
 * through z, and gets the penalty's share; the log-determinant and the penalty enter by their integrals alone. */
static void solve_evaluate_vjp(const solve *s, const real *z, real *k, int node, real c, real b_weight, real *gf,
                               real *gz, real *cache) {
  const solve_plan *plan = s->plan;
  const int d = plan->field->d, penalized = s->want_penalty && s->gpenalty != NULL;
  bj_field_pass field = solve_field_pass(s, z, k, node, c, cache);
  for (int b = 0; b < s->nb; b++) {
    FOR_ROWS(r) {
      const long row = (long)b * BJ_BLOCK + r;
      const vreal weight = b_weight * vload(s->h + row);
      vstore(s->gtrace + row, weight * vload(s->gl + row));
      if (!penalized) {
        vstore(s->gsquare + row, vset(0));
        continue;
      }
      const vreal gp = (s->end < s->start ? -weight : weight) * vload(s->gpenalty + row);
      vstore(s->gsquare + row, plan->jacobian * gp);
      for (int j = 0; j < d && plan->kinetic > 0; j++) {
        const long at = b * solve_stride(s) + (long)j * BJ_BLOCK + r;
        vstore(gf + at, vload(gf + at) + 2 * plan->kinetic * gp * vload(k + at));
      }
    }
  }
  field.gf = gf;
  field.gtrace = field.trace ? s->gtrace : NULL;
  field.gsquare = field.square ? s->gsquare : NULL;
  field.gz = gz;
  field.gtheta = s->gtheta;
  field.gprep = s->gprep;
  field.gfixed = field.fixed ? s->gfixed : NULL;
  field.gcondition = s->gcondition;
  plan->field->kind->vjp(plan->field, &field);
}

/* to = from + h (weight lambda + sum_j coefficients mu_j) on the rows of z; from and lambda may be NULL, for 0. */
static void solve_cotangent(const solve *s, const real *from, real weight, const real *lambda, int first, int n,
                            real coefficients[], real *to) {
  for (int b = 0; b < s->nb; b++) {
    FOR_ROWS(r) {
      const vreal h = vload(s->h + (long)b * BJ_BLOCK + r);
      for (int i = 0; i < s->plan->field->d; i++) {
        const long at = b * solve_stride(s) + (long)i * BJ_BLOCK + r;
        vreal sum = lambda ? weight * vload(lambda + at) : vset(0);
        for (int j = first; j < n; j++) sum += coefficients[j] * vload(s->mu[j] + at);
        vstore(to + at, from ? vload(from + at) + h * sum : h * sum);
      }
    }
  }
}

/* ---- the discrete solver ----------------------------------------------------------------------------------------- */

/* lambda is the cotangent of z behind the step, then before it:
 *   cotangent of k_i = h (b_i lambda + sum_{j > i} a_ji mu_j), mu_i = its vjp at y_i;  lambda += sum mu_i */
static void solve_step_vjp(const solve *s, int step) {
  const bj_solver *solver = s->plan->solver;
  const int tape = s->plan->tape;
  const solve plain = solve_plain(s);
  if (!tape) solve_stages(&plain, step, 0, 1);
  for (int i = solver->n_stage - 1; i >= 0; i--) {
    real a[SOLVER_MAX_STAGES] = {0};
    for (int j = i + 1; j < solver->n_stage; j++) a[j] = solver->a[j][i];
    solve_cotangent(s, NULL, solver->b[i], s->lambda, i + 1, solver->n_stage, a, s->gf);
    real *z = i > 0 ? s->stage : s->state, *cache = solve_stage_cache(s, i);
    if (tape) {
      z = solve_tape_state(s, step, i);
      cache = solve_tape_cache(s, step, i);
    } else if (i > 0) {
      solve_combine(s, s->state, solver->a[i], i, s->plan->field->d, z);
    }
    solve_evaluate_vjp(s, z, s->k[i], solve_node(s, s->half, step, i), solver->c[i], solver->b[i], s->gf, s->mu[i],
                       cache);
  }
  for (int b = 0; b < s->nb; b++) {
    for (long j = 0; j < (long)s->plan->field->d * BJ_BLOCK; j += BJ_LANES) {
      real *to = s->lambda + b * solve_stride(s) + j;
      vreal sum = vload(to);
      for (int i = 0; i < solver->n_stage; i++) sum += vload(s->mu[i] + b * solve_stride(s) + j);
      vstore(to, sum);
    }
  }
}

/* ---- the adjoint equation ---------------------------------------------------------------------------------------- */

/* d lambda/dt = -J' lambda - ..., solved together with z from the end back over the same steps, with their lengths
 * reversed; the gradient of the parameters is the integral by the same method. A stage's vjp is asked for with the
 * weight h b_i of that integral, and divided by it for the stage's own derivative. */
static void solve_step_adjoint(const solve *s, int step) {
  const solve_plan *plan = s->plan;
  const bj_solver *solver = plan->solver;
  const int n_step = plan->n_step, stages = solver->n_stage;
  const solve plain = solve_plain(s);
  for (long i = 0; i < (long)s->nb * BJ_BLOCK; i += BJ_LANES) { /* the step from its other end */
    vstore(s->t + i, vload(s->t + i) + vload(s->h + i));
    vstore(s->h + i, -vload(s->h + i));
  }
  for (int i = 0; i < stages; i++) {
    const int node = solve_node(s, 1 - s->half, n_step - 1 - step, i);
    solve_combine(s, s->state, solver->a[i], i, s->plan->field->d, s->stage);
    solve_evaluate(&plain, s->stage, s->k[i], node, solver->c[i], s->field_cache);
    /* lambda at the stage: mu holds J' lambda + ..., so that lambda runs with -mu, and with -h as z does */
    real a[SOLVER_MAX_STAGES] = {0};
    for (int j = 0; j < i; j++) a[j] = -solver->a[i][j];
    solve_cotangent(s, s->lambda, 0, NULL, 0, i, a, s->next);
    for (int b = 0; b < s->nb; b++) {
      FOR_ROWS(r) {
        const vreal weight = -solver->b[i] * vload(s->h + (long)b * BJ_BLOCK + r);
        for (int j = 0; j < s->plan->field->d; j++) {
          const long at = b * solve_stride(s) + (long)j * BJ_BLOCK + r;
          vstore(s->gf + at, weight * vload(s->next + at));
        }
      }
    }
    solve_evaluate_vjp(s, s->stage, s->k[i], node, solver->c[i], -solver->b[i], s->gf, s->mu[i], s->field_cache);
    for (int b = 0; b < s->nb; b++) {
      FOR_ROWS(r) {
        const vreal weight = -solver->b[i] * vload(s->h + (long)b * BJ_BLOCK + r);
        const vint still = veq(weight, vset(0));
        for (int j = 0; j < s->plan->field->d; j++) {
          real *mu = s->mu[i] + b * solve_stride(s) + (long)j * BJ_BLOCK + r;
          vstore(mu, vselect(still, vset(0), vload(mu) / vselect(still, vset(1), weight)));
        }
      }
    }
  }
  solve_combine(s, s->state, solver->b, stages, s->plan->field->d, s->state);
  real b[SOLVER_MAX_STAGES];
  for (int i = 0; i < stages; i++) b[i] = -solver->b[i];
  solve_cotangent(s, s->lambda, 0, NULL, 0, stages, b, s->lambda);
}

/* ---- a whole solve ----------------------------------------------------------------------------------------------- */

static void solve_vjp(const solve *s, const real *result, const real *gz, real *gstart) {
  const solve_plan *plan = s->plan;
  const bj_field *field = plan->field;
  const int n_step = plan->adaptive ? (int)*s->n_taken : plan->n_step;
  if (solve_begins(s)) memset(s->gfixed, 0, sizeof(real_sum) * (size_t)field->n_gfixed);
  solve_put(s, gz, s->lambda);
  if (plan->adjoint) solve_put(s, result, s->state);
  for (int step = n_step - 1; step >= 0; step--) {
    if (plan->n_kept > 0) {
      const int stretch = solve_stretch(plan, step), first = solve_stretch_first(plan, stretch);
      if (step == n_step - 1 || solve_stretch(plan, step + 1) != stretch) solve_segment(s, stretch, step);
      solve_put(s, solve_nth(s, s->segment, step - first, field->d), s->state);
    }
    if (!solve_recall_step(s, step)) continue;
    if (plan->adjoint) {
      solve_step_adjoint(s, step);
    } else {
      solve_step_vjp(s, step);
    }
  }
  solve_get(s, s->lambda, gstart);
  if (solve_begins(s)) field->kind->begin_vjp(field, s->theta, s->prep, s->fixed, s->gfixed, s->gtheta);
}
