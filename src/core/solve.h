/* Solving dz/dt = f(t, z) by a Runge-Kutta method, with integrals along the way and the gradients of all that, for a
 * group of blocks. Whose equation it is, is not known here: there is a field, the state's d coordinates, and memory.
 *
 * A state is q rows a block: z, the integral of the trace of the Jacobian, and with penalties the integral of those.
 * Every row has a step length of its own, 0 where it has arrived or where its step was refused. So a row never depends
 * on its neighbours, and adding nothing is exact.
 *
 * Gradients are those of the discrete solver, with the steps taken as given: exact for the computed loss. They need z
 * at the beginning of every step; of the first SOLVE_KEEP_ALL steps all are kept, then one in every sqrt(n), and the
 * others are solved for again, stretch by stretch: 2 sqrt(n) states a row. The stages of one step are computed again in
 * any case, so the memory of what happens within a field does not grow with the steps; only where all of it is small,
 * it is kept, on a tape. The adjoint equation keeps no states at all; its gradient is exact up to the solver's error.
 */
#ifndef BJ_SOLVE_H
#define BJ_SOLVE_H

#include "field.h"
#include "num-carve.h"

/* ---- Runge-Kutta methods ----------------------------------------------------------------------------------------- */

#define SOLVER_MAX_STAGES 7

/* Explicit: y_i = z + h sum_{j < i} a[i][j] k_j, k_i = f(t + c[i] h, y_i), z' = z + h sum b[i] k_i. The estimated error
 * is h sum error[i] k_i, where k[n_stage] is f at the end of the step, with which the next one begins. */
typedef struct {
  const char *name;
  int n_stage, order;
  real a[SOLVER_MAX_STAGES][SOLVER_MAX_STAGES], b[SOLVER_MAX_STAGES], c[SOLVER_MAX_STAGES];
  int embedded; /* has error estimates */
  real error[SOLVER_MAX_STAGES + 1];
} bj_solver;

/* ---- what is known before a solve -------------------------------------------------------------------------------- */

#define SOLVE_MAX_STEPS 100000
#define SOLVE_KEEP_ALL 64
/* Reals a block of all stages' states and caches up to which they are kept, and nothing is computed again. */
#define SOLVE_TAPE_ALL (1L << 18)

typedef struct {
  const bj_field *field;
  const bj_solver *solver;
  int adjoint;
  real kinetic, jacobian; /* weights of the penalties |f|^2 and |J|^2, or |J e|^2 with probes */
  int adaptive;
  int n_step;             /* steps of one length; adaptive: attempts at most */
  real first, rtol, atol; /* adaptive: length of the first attempt, tolerances */
  real training;          /* both tolerances in training; 0: those above */
  int n_state;            /* q */
  int every, n_kept;      /* states kept for the vjp: beyond SOLVE_KEEP_ALL one in every so many steps */
  int tape;               /* states and caches of all stages are kept */
  /* Times that all rows share, of steps of one length: the number of the time of (step, stage), and the times as
   * fractions of the way from start to end. */
  int *node;
  int n_node;
  real *fraction;
  long n_cache, n_work; /* reals of a group */
} solve_plan;

/* Finds the solver, and reads from its spec the steps of a way of that length, and their nodes. */
static bj_status solver_build(bj_build *build, const bj_spec *spec, real length, solve_plan *plan);
static bj_status solve_plan_steps(solve_plan *plan, const bj_spec *spec, real length, bj_build *build);
/* The sizes, once the rest of the plan is known. */
static void solve_plan_memory(solve_plan *plan);

/* ---- one solve --------------------------------------------------------------------------------------------------- */

typedef struct {
  const solve_plan *plan;
  int nb; /* up to the field's `group` blocks */
  real start, end;
  real rtol, atol;          /* adaptive: of this solve */
  int half;                 /* of the nodes: those of this solve, the other half being those of the way back */
  const real *theta, *prep; /* the field's */
  const real *node_time;    /* both halves */
  const real *condition;    /* [block][n_condition][BJ_BLOCK] or NULL */
  const real *probe;        /* [block][d][BJ_BLOCK], or NULL: the exact trace */
  int want_trace, want_penalty;
  /* cache: states at the beginning of kept steps; time and length of the steps of each row, and how many they were;
   * the tape */
  real *kept, *taken, *n_taken, *tape_state, *tape_cache;
  real *fixed, *gfixed; /* of the field, in cache and in work */
  /* work; states have q rows */
  real *state, *next, *stage, *k[SOLVER_MAX_STAGES + 1];
  real *t, *h, *times;                       /* 1 row */
  real *size, *last;                         /* adaptive: next step length; the size of the last error */
  real *lambda, *mu[SOLVER_MAX_STAGES], *gf; /* vjp: q rows */
  real *gtrace, *gsquare;                    /* 1 row */
  real *segment;                             /* d rows of every states */
  real *probes;                              /* d rows, room for a probe */
  real *field_cache, *field_work;            /* of the field; its cache once a stage */
  /* vjp: cotangents of the integrals, of the log-determinant and of the penalty (NULL: none) */
  const real *gl, *gpenalty;
  real *gtheta, *gprep, *gcondition; /* added to; gcondition may be NULL */
} solve;

/* Where the arrays of a group are, in its part of the cache and in work. */
static void solve_carve(solve *s, carver *cache, carver *work);

INLINE long solve_stride(const solve *s) { return (long)s->plan->n_state * BJ_BLOCK; }

/* Array i, of n rows a block, of those that stand one after the other. */
INLINE real *solve_nth(const solve *s, real *arrays, long i, long n) {
  return arrays + i * n * s->plan->field->group * BJ_BLOCK;
}

/* The cache of a stage; on the tape, that of a stage of a step, and the state there. */
INLINE real *solve_stage_cache(const solve *s, int stage) { return s->field_cache + stage * s->plan->field->n_cache; }
INLINE real *solve_tape_cache(const solve *s, int step, int stage) {
  const long at = (long)step * s->plan->solver->n_stage + stage;
  return s->tape_cache + at * s->plan->field->n_cache;
}
INLINE real *solve_tape_state(const solve *s, int step, int stage) {
  return solve_nth(s, s->tape_state, (long)step * s->plan->solver->n_stage + stage, s->plan->n_state);
}
/* The number of the kept state from which that of a step is solved for, and the step that it is of. */
INLINE int solve_stretch(const solve_plan *plan, int step) {
  return step < SOLVE_KEEP_ALL ? step : SOLVE_KEEP_ALL + (step - SOLVE_KEEP_ALL) / plan->every;
}
INLINE int solve_stretch_first(const solve_plan *plan, int stretch) {
  return stretch < SOLVE_KEEP_ALL ? stretch : SOLVE_KEEP_ALL + (stretch - SOLVE_KEEP_ALL) * plan->every;
}
/* z of a kept state; time and length of an adaptive step. */
INLINE real *solve_kept(const solve *s, int stretch) { return solve_nth(s, s->kept, stretch, s->plan->field->d); }
INLINE real *solve_taken(const solve *s, int step, int b) {
  return solve_nth(s, s->taken, step, 2) + (long)b * 2 * BJ_BLOCK;
}

/* z, [block][d][BJ_BLOCK], into states and out of them. */
INLINE void solve_put(const solve *s, const real *z, real *state) {
  copy_rows(s->nb, z, (long)s->plan->field->d * BJ_BLOCK, state, solve_stride(s), s->plan->field->d);
}
INLINE void solve_get(const solve *s, const real *state, real *z) {
  copy_rows(s->nb, state, solve_stride(s), z, (long)s->plan->field->d * BJ_BLOCK, s->plan->field->d);
}

INLINE void solve_fill(const solve *s, real *row, real value) {
  for (long i = 0; i < (long)s->nb * BJ_BLOCK; i++) row[i] = value;
}

/* ---- steps: solve-step.c ----------------------------------------------------------------------------------------- */

/* Whether the field keeps something for this solve, as begin() of field.h says. */
static int solve_begins(const solve *s);

/* The field at state `z`, time t + c h; `cache` keeps what the vjp needs. node < 0: every row has its own time. */
static bj_field_pass solve_field_pass(const solve *s, const real *z, real *k, int node, real c, real *cache);

/* The derivatives of all q rows. */
static void solve_evaluate(const solve *s, const real *z, real *k, int node, real c, real *cache);

/* to = from + h sum_j coefficient[j] k_j on the first `rows` rows. */
static void solve_combine(const solve *s, const real *from, const real *coefficient, int n, int rows, real *to);

/* The node of a stage of a step of one length, -1 for adaptive ones. */
static int solve_node(const solve *s, int half, int step, int stage);

/* All stages of one step from `state`; stage 0 is known already where `from` is 1. With `keep` each has a cache. */
static void solve_stages(const solve *s, int step, int from, int keep);

/* Length and beginning of a step of one length. */
static void solve_even_step(const solve *s, int step);

/* ---- whole solves: solve-forward.c, solve-vjp.c ------------------------------------------------------------------ */

/* From z, [block][d][BJ_BLOCK], to `state`. BJ_TOO_MANY_STEPS: a row did not arrive. */
static bj_status solve_forward(const solve *s, const real *z);

/* From the cotangent gz of the result to that of the start, which overwrites it; `result` is the z it arrived at. */
static void solve_vjp(const solve *s, const real *result, const real *gz, real *gstart);

#endif
