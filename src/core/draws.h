/* Steps of a loss of draws. */
#ifndef BJ_DRAWS_H
#define BJ_DRAWS_H

#include "draw_loss.h"
#include "flow.h"
#include "program.h"

/* What a step needs, made once. */
typedef struct {
  const bj_draw_setup *setup;
  int d;
  bj_draw_loss *loss;
  program *program; /* NULL: the host evaluates the target */
  double *z, *x, *log_density, *value, *slope, *weight, *share, *cotangent, *grad_z, *score, *ones;
  const double **z_column, **x_column;
  bj_draw_job draw_job;
  bj_map_job map_job, score_job;
  flow_draw_call draw;
  flow_map_call map, score_map; /* the second is for path gradients: the score of q at the draws */
} draws;

/* Steps put the gradient of the n_param parameters into `gradient`. NULL and an error where the setup is not one of
 * this flow. */
static draws *draws_make(bj_build *build, const bj_flow *flow, const bj_draw_setup *setup, real *gradient,
                         const bj_workers *workers);
/* From now on steps run on threads, or on one; else each finds out. */
static void draws_choose_threads(draws *s, int threaded);
static bj_status draws_step(draws *s, const real *theta, bj_draw_step *step, bj_error *error);

#endif
