/* What optimisers and schedules of the learning rate are to the trainer. As the other kinds, see protocol.h. */
#ifndef BJ_OPTIMIZER_H
#define BJ_OPTIMIZER_H

#include "protocol.h"

/* The largest number below 1: decay rates are in [0, 1). */
#define BELOW_ONE (1 - REAL_EPS / 2)

/* ---- optimisers -------------------------------------------------------------------------------------------------- */

typedef struct bj_optimizer bj_optimizer;

/* Parameters first .. end - 1 of n. t counts steps from 1 since the moments were zero. Each moment is n reals, one
 * after the other in `moment`. */
typedef struct {
  long n, first, end;
  real rate, t;
  real *theta, *moment;
  const real *gradient;
} optimizer_step;

typedef struct {
  const char *name;
  int n_moment; /* vectors of n reals that it keeps, zero at first */
  bj_status (*build)(bj_optimizer *optimizer, const bj_spec *spec, bj_build *build);
  void (*step)(const bj_optimizer *optimizer, const optimizer_step *step);
} bj_optimizer_kind;

struct bj_optimizer {
  const bj_optimizer_kind *kind;
  void *self;
};

static bj_status optimizer_build(bj_build *build, const bj_spec *spec, bj_optimizer **out);

/* ---- schedules --------------------------------------------------------------------------------------------------- */

typedef struct bj_schedule bj_schedule;

typedef struct {
  const char *name;
  bj_status (*build)(bj_schedule *schedule, const bj_spec *spec, bj_build *build);
  /* The rate as a multiple of the peak at the share u of the steps, in [0, 1], after `step` steps. */
  double (*factor)(const bj_schedule *schedule, double u, double step);
} bj_schedule_kind;

struct bj_schedule {
  const bj_schedule_kind *kind;
  double peak;   /* the largest rate */
  double steps;  /* length */
  double warmup; /* share of the steps during which the rate rises linearly from 0; 0: it does not */
  void *self;
};

static bj_status schedule_build(bj_build *build, const bj_spec *spec, double peak, double steps, bj_schedule **out);

/* The rate of step 0, 1, ... */
static double schedule_rate(const bj_schedule *schedule, double step);

/* From `from` at u = 0 to `to` at u = 1 along half a cosine. */
static double cosine_between(double from, double to, double u);

#endif
