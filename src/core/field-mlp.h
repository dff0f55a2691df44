/* field_mlp(): the net, and what a pass computes of it. See field-mlp.c. */
#ifndef BJ_FIELD_MLP_H
#define BJ_FIELD_MLP_H

#include "field.h"
#include "net-mlp-activation.h"
#include "net-start.h"

#define FIELD_MAX_DEPTH 16

typedef struct {
  int depth, frequencies;
  net_start start;
  int width[FIELD_MAX_DEPTH + 2]; /* of layer l = 0 (the input), 1..depth, and of the output */
  int widest;
  const activation *act;
  long theta_w[FIELD_MAX_DEPTH + 1], theta_b[FIELD_MAX_DEPTH + 1]; /* of W_{l+1}; the last one's for l = depth */
} field_net;

/* [block][...][BJ_BLOCK], rows of layer l; slopes and what follows from l = 1 on */
typedef struct {
  real *a[FIELD_MAX_DEPTH + 1], *slope[FIELD_MAX_DEPTH + 1], *bend[FIELD_MAX_DEPTH + 1]; /* cache: a, act', act'' */
  real *dp[FIELD_MAX_DEPTH + 1], *da[FIELD_MAX_DEPTH + 1]; /* work: a direction; da_0 has d rows */
  real *gp[FIELD_MAX_DEPTH + 1];                           /* from the trace: of directions, or of the form */
  real *je;                                                /* J e; d rows */
  real *g, *ga;                                            /* widest rows */
} field_net_rows;

/* Distance of blocks of n rows. */
INLINE long rows_stride(int n) { return (long)n * BJ_BLOCK; }

/* ---- the exact trace as a form of slopes: field-mlp-form.c ------------------------------------------------------- */

/* Of nets with few layers: the numbers of T. */
static long field_form_size(const field_net *self);

/* begin() and begin_vjp() of the field. */
static void field_form_begin(const bj_field *field, const real *theta, const real *prep, real *fixed);
static void field_form_begin_vjp(const bj_field *field, const real *theta, const real *prep, const real *fixed,
                                 const real_sum *gfixed, real_sum *gtheta);

/* Of a pass with `fixed` the trace, and on the way back all of gp, once a, slope and bend are there. */
static void field_form_value(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at);
static void field_form_vjp(const bj_field *field, const bj_field_pass *pass, const field_net_rows *at);

#endif
