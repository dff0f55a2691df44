/* The trainer's pieces: train.c is the state machine, train-rows.c the loss of a set of rows. */
#ifndef BJ_TRAINER_H
#define BJ_TRAINER_H

#include "loss.h"
#include "optimizer.h"

typedef struct {
  flow_params params;
  const bj_train_setup *setup;
  bj_train_state *state;
  const bj_optimizer *optimizer;
  const bj_schedule *schedule;
  const bj_loss *loss; /* NULL with an objective */
  const bj_workers *workers;
  real *prep;
  real *gradient;  /* n_param: of the last step's loss */
  double *squares; /* sums of those of its ranges */
  real *kept;      /* n_frozen: the parameters that stay as they are */
  flow_space *spaces;
  int *order; /* rows of this epoch */
  double order_epoch;
  /* the batch at work */
  const int *rows;
  long n_row;
  int n_slot;
  int threaded;
  double trial_seconds[2]; /* of the trial steps on one thread, on several */
  int trial_steps[2];
} trainer;

/* Memory for the loss of rows. */
static void rows_begin(trainer *t, const bj_memory *memory);

/* The rows of the batch at the state's position. */
static const int *rows_batch(trainer *t, long *n);

/* Mean loss of the rows at `theta` and their weight; in training with the gradient of the mean in t->gradient. */
static bj_status rows_loss(trainer *t, const real *theta, const int *rows, long n, bj_purpose purpose, double *loss,
                           double *weight, bj_error *error);

#endif
