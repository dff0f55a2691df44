/* The trainer's pieces: train.c is the state machine, train-rows.c the loss of a set of rows. */
#ifndef BJ_TRAINER_H
#define BJ_TRAINER_H

#include "draws.h"
#include "loss.h"
#include "optimizer.h"

/* Threads cost a microsecond when all cores are free and a time slice when they are not. So a call begins with a few
 * steps on one thread; if they are long, a few on several; and goes on with what was faster. The numbers are the same
 * either way. */
typedef struct {
  int on;            /* whether the next step is to run on several threads */
  double seconds[2]; /* of the trial steps on one thread, on several */
  int steps[2];      /* of these; the last is -1 when it is chosen */
} thread_trial;

/* Some rows of a batch, or of those that are held out: those that this process takes. */
typedef struct {
  const int *row;
  long n;
  long first; /* number of the first in the whole */
  long n_all; /* of the whole */
} row_range;

typedef struct {
  flow_params params;
  const bj_train_setup *setup;
  bj_train_state *state;
  const bj_optimizer *optimizer;
  const bj_schedule *schedule;
  const bj_loss *loss; /* NULL without rows */
  draws *draws;        /* NULL without draws */
  const bj_workers *workers;
  real *prep;
  real *gradient;  /* n_param: of the last step's loss */
  double *squares; /* sums of those of its ranges */
  real *kept;      /* n_frozen: the parameters that stay as they are */
  flow_space *spaces;
  int *order; /* rows of this epoch */
  double order_epoch;
  int *batch; /* of a share: its rows of the batch */
  /* the batch at work */
  row_range rows;
  int n_slot;
  int ending; /* whether this call, or that of another process, is to end */
  thread_trial trial;
} trainer;

/* A step took this long. */
static void trial_took(thread_trial *trial, double seconds);

/* Memory for the loss of rows. */
static void rows_begin(trainer *t, const bj_memory *memory);

/* Whether a share has the rows that it says. */
static bj_status share_check(const bj_train_setup *setup, bj_build *build);

/* The rows of the batch at the state's position. */
static row_range rows_batch(trainer *t);

/* Those that are held out. */
static row_range rows_held_out(const trainer *t);

/* Mean loss of the rows at `theta` and their weight, of all processes; in training with the gradient of weight * loss
 * in t->gradient. */
static bj_status rows_loss(trainer *t, const real *theta, row_range rows, bj_purpose purpose, double *loss,
                           double *weight, bj_error *error);

#endif
