/* What a loss of draws is to the core: a function of the log weights w_i = log p(x_i) - log q(x_i) of draws x_i of the
 * flow q. As the other kinds, see protocol.h. */
#ifndef BJ_DRAW_LOSS_H
#define BJ_DRAW_LOSS_H

#include "protocol.h"

typedef struct bj_draw_loss bj_draw_loss;

typedef struct {
  const char *name;
  bj_status (*build)(bj_draw_loss *loss, const bj_spec *spec, bj_build *build); /* NULL: there is nothing to read */
  /* The loss of n log weights. Shares, where they are wanted (else NULL): minus the derivatives by the log weights,
   * which sum to 1 where the loss is a bound of log Z. */
  double (*value)(const bj_draw_loss *loss, long n, const double *w, double *share);
  /* Makes of n shares the factors of the path gradient: the score at fixed draws enters w also through the shares, and
   * by reparameterization that becomes, for a share s of order alpha, alpha s + (1 - alpha) s^2. NULL: it does not. */
  void (*path)(const bj_draw_loss *loss, long n, double *share);
} bj_draw_loss_kind;

struct bj_draw_loss {
  const bj_draw_loss_kind *kind;
  int path; /* the gradient goes through the draws only */
  void *self;
};

static bj_status draw_loss_build(bj_build *build, const bj_spec *spec, bj_draw_loss **out);

/* The log of the mean of exp(scale w), and the shares of these in their sum, times `factor`; NULL: they are not
 * wanted. */
static double log_mean_exp(double scale, long n, const double *w, double factor, double *share);
static double mean_of(long n, const double *w);

#endif
