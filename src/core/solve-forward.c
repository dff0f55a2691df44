/* Solves from start to end: steps of one length, and steps that follow an error estimate. */
#include "solve.h"

static void solve_keep(const solve *s, int step) {
  const int stretch = solve_stretch(s->plan, step);
  if (s->plan->n_kept > 0 && solve_stretch_first(s->plan, stretch) == step)
    solve_get(s, s->state, solve_kept(s, stretch));
}

static void solve_even(const solve *s) {
  const solve_plan *plan = s->plan;
  for (int step = 0; step < plan->n_step; step++) {
    solve_keep(s, step);
    solve_even_step(s, step);
    solve_stages(s, step, 0, 0);
    solve_combine(s, s->state, plan->solver->b, plan->solver->n_stage, plan->n_state, s->state);
  }
}

/* ---- adaptive steps ---------------------------------------------------------------------------------------------- */

/* Proportional-integral control (Hairer, Norsett, Wanner 1993, "Solving ordinary differential equations I", II.4 and
 * IV.2): the next length is h times 0.9 err^-(1/p - 0.75 beta) last^beta, p the order, within [0.2, 10], and at most h
 * after a refusal. */
#define CONTROL_BETA ((real)0.04)
#define CONTROL_SAFETY ((real)0.9)
#define CONTROL_LEAST 0.2
#define CONTROL_MOST 10.0

/* Steps that have become smaller than this part of the way lead nowhere: the field is no number there. */
#define NOWHERE BY_REAL(1e-30, 1e-20f)
/* What rounding can leave of the way, relative to it; and of a step, what is not worth one of its own. */
#define ARRIVED BY_REAL(1e-12, 1e-5f)
#define JOINED BY_REAL(1e-8, 1e-4f)

/* The size of the error of z and log-determinant relative to the tolerances: accepted up to 1. */
static vreal solve_error(const solve *s, int b, int r) {
  const solve_plan *plan = s->plan;
  const bj_solver *solver = plan->solver;
  const int rows = plan->field->d + (s->want_trace != 0);
  const vreal h = vload(s->h + (long)b * BJ_BLOCK + r);
  vreal sum = vset(0);
  for (int i = 0; i < rows; i++) {
    const long at = b * solve_stride(s) + (long)i * BJ_BLOCK + r;
    vreal error = vset(0);
    for (int j = 0; j <= solver->n_stage; j++) error += solver->error[j] * vload(s->k[j] + at);
    const vreal largest = vmax(vabs(vload(s->state + at)), vabs(vload(s->next + at)));
    error = h * error / (s->atol + s->rtol * largest);
    sum += error * error;
  }
  return vsqrt(sum * (real)(1.0 / rows));
}

/* Takes or refuses the step of each row, and sets the next length. A row that finds no step becomes NaN, and rests as
 * those that have arrived. Returns whether a row is still on its way. */
static int solve_accept(const solve *s, int step) {
  const solve_plan *plan = s->plan;
  const real order = 1.0 / plan->solver->order;
  vint going = (vint)vset(0);
  for (int b = 0; b < s->nb; b++) {
    real *taken = solve_taken(s, step, b);
    FOR_ROWS(r) {
      const long row = (long)b * BJ_BLOCK + r;
      const vreal t = vload(s->t + row), h = vload(s->h + row), size = vload(s->size + row);
      const vint active = ~veq(size, vset(0));
      const vreal error = solve_error(s, b, r);
      const vint good = active & vle(error, vset(1)); /* not for NaN */
      /* t + (end - t) can miss the end by a rounding error */
      const vint arrived = good & vle(vabs(s->end - (t + h)), vset(ARRIVED * fabs(s->end - s->start)));
      vstore(taken + r, t);
      vstore(taken + BJ_BLOCK + r, vselect(good, h, vset(0)));
      /* a NaN takes the smallest factor */
      const vreal bounded = vmin(vset(1e10), vmax(vset(1e-10), vselect(vle(error, error), error, vset(1e10))));
      const vreal control =
          vexp(CONTROL_BETA * vlog(vload(s->last + row)) - (real)(order - 0.75 * CONTROL_BETA) * vlog(bounded)) *
          CONTROL_SAFETY;
      const vreal factor = vmax(vset(CONTROL_LEAST), vmin(vselect(good, vset(CONTROL_MOST), vset(1)), control));
      const vreal length = vselect(good, size, h) * factor;
      const vint lost = active & ~good & vle(vabs(length), vset(NOWHERE * fabs(s->end - s->start)));
      vstore(s->size + row, vselect(arrived | lost | ~active, vset(0), length));
      vstore(s->last + row, vselect(good, vmax(vset(1e-4), bounded), vload(s->last + row)));
      vstore(s->t + row, vselect(good, t + h, t));
      for (int i = 0; i < plan->n_state; i++) {
        const long at = b * solve_stride(s) + (long)i * BJ_BLOCK + r;
        const vreal state = vselect(lost, vset(NAN), vload(s->state + at));
        vstore(s->state + at, vselect(good, vload(s->next + at), state));
        vstore(s->k[0] + at, vselect(good, vload(s->k[plan->solver->n_stage] + at), vload(s->k[0] + at)));
      }
      going |= active & ~arrived & ~lost;
    }
  }
  return vany(going);
}

/* A length of `size`, and no further than the end; a last step of almost nothing is joined to the one before. */
static void solve_next_length(const solve *s) {
  for (long i = 0; i < (long)s->nb * BJ_BLOCK; i += BJ_LANES) {
    const vreal size = vload(s->size + i), t = vload(s->t + i), rest = s->end - t;
    const vreal h = vselect(vle(vabs(rest), vabs(size) * (1 + JOINED)), rest, size);
    vstore(s->h + i, vselect(veq(size, vset(0)), vset(0), h));
  }
}

/* Returns the number of steps, or -1 where a row did not arrive. */
static int solve_adaptive(const solve *s) {
  const solve_plan *plan = s->plan;
  const int stages = plan->solver->n_stage;
  solve_fill(s, s->t, s->start);
  solve_fill(s, s->size, s->end < s->start ? -plan->first : plan->first);
  solve_fill(s, s->last, 1e-4);
  solve_next_length(s);
  solve_evaluate(s, s->state, s->k[0], -1, 0, s->field_cache);
  for (int step = 0; step < plan->n_step; step++) {
    solve_keep(s, step);
    solve_stages(s, step, 1, 0);
    solve_combine(s, s->state, plan->solver->b, stages, plan->n_state, s->next);
    solve_evaluate(s, s->next, s->k[stages], -1, 1, s->field_cache);
    if (!solve_accept(s, step)) return step + 1;
    solve_next_length(s);
  }
  return -1;
}

static bj_status solve_forward(const solve *s, const real *z) {
  memset(s->state, 0, sizeof(real) * (size_t)(s->nb * solve_stride(s)));
  solve_put(s, z, s->state);
  if (solve_begins(s)) s->plan->field->kind->begin(s->plan->field, s->theta, s->prep, s->fixed);
  if (!s->plan->adaptive) {
    solve_even(s);
    return BJ_OK;
  }
  const int n_step = solve_adaptive(s);
  *s->n_taken = n_step;
  return n_step > 0 ? BJ_OK : BJ_TOO_MANY_STEPS;
}
