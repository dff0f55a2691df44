/* The solves of the continuous layer from start to end: steps of one length, and steps that follow an error estimate.
 */
#ifndef BJ_LAYER_CONTINUOUS_SOLVE_H
#define BJ_LAYER_CONTINUOUS_SOLVE_H

#include <stdio.h>

#include "layer-continuous.h"

INLINE void solve_fill(const solve *s, real *row, real value) {
  for (long i = 0; i < (long)s->nb * BJ_BLOCK; i++) row[i] = value;
}

/* Copies z between a state and [d][BJ_BLOCK] of one block. */
INLINE void solve_copy_z(const solve *s, const real *from, real *to) {
  memcpy(to, from, sizeof(real) * (size_t)s->layer->d * BJ_BLOCK);
}

static void solve_keep(const solve *s, int step) {
  if (s->self->n_kept == 0 || step % s->self->every != 0) return;
  for (int b = 0; b < s->nb; b++) {
    solve_copy_z(s, s->state + b * solve_stride(s), solve_kept(s, b, step / s->self->every));
  }
}

/* Length and beginning of step `step` of a fixed solve. */
static void solve_fixed_step(const solve *s, int step) {
  const real h = (s->end - s->start) / s->self->n_step;
  solve_fill(s, s->h, h);
  solve_fill(s, s->t, s->start + step * h);
}

static void solve_fixed(const solve *s) {
  const continuous *self = s->self;
  for (int step = 0; step < self->n_step; step++) {
    solve_keep(s, step);
    solve_fixed_step(s, step);
    solve_stages(s, step, 0, 0);
    solve_combine(s, s->state, self->solver->b, self->solver->n_stage, self->n_state, s->state);
  }
}

/* ---- adaptive steps ---------------------------------------------------------------------------------------------- */

/* Proportional-integral control (Hairer, Norsett, Wanner 1993, "Solving ordinary differential equations I", II.4 and
 * IV.2): the next length is h times 0.9 err^-(1/p - 0.75 beta) last^beta, p the order, within [0.2, 10], and at most h
 * after a refusal. */
#define CONTROL_BETA 0.04
#define CONTROL_SAFETY 0.9
#define CONTROL_LEAST 0.2
#define CONTROL_MOST 10.0

/* The size of the error of z and log-determinant relative to the tolerances: accepted up to 1. */
static vreal solve_error(const solve *s, int b, int r) {
  const continuous *self = s->self;
  const bj_solver *solver = self->solver;
  const int rows = s->layer->d + (s->want_trace != 0);
  const vreal h = vload(s->h + (long)b * BJ_BLOCK + r);
  vreal sum = vset(0);
  for (int i = 0; i < rows; i++) {
    const long at = b * solve_stride(s) + (long)i * BJ_BLOCK + r;
    vreal error = vset(0);
    for (int j = 0; j <= solver->n_stage; j++) error += solver->error[j] * vload(s->k[j] + at);
    const vreal largest = vmax(vabs(vload(s->state + at)), vabs(vload(s->next + at)));
    error = h * error / (self->atol + self->rtol * largest);
    sum += error * error;
  }
  return vsqrt(sum * (1.0 / rows));
}

/* Takes or refuses the step of each row, and sets the next length. Returns whether a row is still on its way. */
static int solve_accept(const solve *s, int step) {
  const continuous *self = s->self;
  const real order = 1.0 / self->solver->order;
  vint going = (vint)vset(0);
  for (int b = 0; b < s->nb; b++) {
    real *taken = solve_taken(s, b, step);
    FOR_ROWS(r) {
      const long row = (long)b * BJ_BLOCK + r;
      const vreal t = vload(s->t + row), h = vload(s->h + row), size = vload(s->size + row);
      const vint active = ~veq(size, vset(0));
      const vreal error = solve_error(s, b, r);
      const vint good = active & vle(error, vset(1)); /* not for NaN */
      /* t + (end - t) can miss the end by a rounding error */
      const vint arrived = good & vle(vabs(s->end - (t + h)), vset(1e-12 * fabs(s->end - s->start)));
      vstore(taken + r, t);
      vstore(taken + BJ_BLOCK + r, vselect(good, h, vset(0)));
      /* a NaN takes the smallest factor */
      const vreal bounded = vmin(vset(1e10), vmax(vset(1e-10), vselect(vle(error, error), error, vset(1e10))));
      const vreal control =
          vexp(CONTROL_BETA * vlog(vload(s->last + row)) - (order - 0.75 * CONTROL_BETA) * vlog(bounded)) *
          CONTROL_SAFETY;
      const vreal factor = vmax(vset(CONTROL_LEAST), vmin(vselect(good, vset(CONTROL_MOST), vset(1)), control));
      vstore(s->size + row, vselect(arrived | ~active, vset(0), vselect(good, size, h) * factor));
      vstore(s->last + row, vselect(good, vmax(vset(1e-4), bounded), vload(s->last + row)));
      vstore(s->t + row, vselect(good, t + h, t));
      for (int i = 0; i < self->n_state; i++) {
        const long at = b * solve_stride(s) + (long)i * BJ_BLOCK + r;
        vstore(s->state + at, vselect(good, vload(s->next + at), vload(s->state + at)));
        vstore(s->k[0] + at, vselect(good, vload(s->k[self->solver->n_stage] + at), vload(s->k[0] + at)));
      }
      going |= active & ~arrived;
    }
  }
  return vany(going);
}

/* A length of `size`, and no further than the end; a last step of almost nothing is joined to the one before. */
static void solve_next_length(const solve *s) {
  for (long i = 0; i < (long)s->nb * BJ_BLOCK; i += BJ_LANES) {
    const vreal size = vload(s->size + i), t = vload(s->t + i), rest = s->end - t;
    const vreal h = vselect(vle(vabs(rest), vabs(size) * (1 + 1e-8)), rest, size);
    vstore(s->h + i, vselect(veq(size, vset(0)), vset(0), h));
  }
}

static bj_status solve_adaptive(const solve *s, int *n_step) {
  const continuous *self = s->self;
  const int stages = self->solver->n_stage;
  solve_fill(s, s->t, s->start);
  solve_fill(s, s->size, s->end < s->start ? -self->first : self->first);
  solve_fill(s, s->last, 1e-4);
  solve_next_length(s);
  solve_evaluate(s, s->state, s->k[0], -1, 0, s->cache);
  for (*n_step = 0; *n_step < self->n_step;) {
    solve_keep(s, *n_step);
    solve_stages(s, *n_step, 1, 0);
    solve_combine(s, s->state, self->solver->b, stages, self->n_state, s->next);
    solve_evaluate(s, s->next, s->k[stages], -1, 1, s->cache);
    if (!solve_accept(s, (*n_step)++)) return BJ_OK;
    solve_next_length(s);
  }
  snprintf(s->pass->error->message, sizeof s->pass->error->message,
           "layer_continuous() did not arrive within %d steps: raise `max_steps` of solver_%s(), or its tolerances",
           self->n_step, self->solver->name);
  return BJ_TOO_MANY_STEPS;
}

#endif
