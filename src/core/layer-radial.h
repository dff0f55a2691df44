/* What radial layers share: a scalar bijection on the distance from a centre (see layer-radial-common.c). */
#ifndef BJ_LAYER_RADIAL_H
#define BJ_LAYER_RADIAL_H

#include "net-common.h"

typedef struct {
  bj_scalar *scalar;
  net_slot net;                 /* none: one set of parameters */
  real *initial;                /* of the scalar: raw, then globals */
  const double *center, *scale; /* one for all coordinates, or one for each */
  int n_center, n_scale;
  long prep_scalar, prep_origin, prep_scratch; /* prep starts with S */
} radial;

typedef struct {
  real *r, *in, *out, *ratio, *origin, *zero, *sum, *factor; /* of the cache, a row each */
  real *direction, *scalar, *scalar0;          /* input of the net; what the scalar keeps, at r and at 0 */
  real *gout, *gin, *gorigin, *unused, *gpar0; /* of work */
  net_rows net;
} radial_at;

static radial_at radial_carve(const bj_layer *layer, carver *cache, carver *work);
static bj_status radial_run(const bj_layer *layer, bj_pass *pass, bj_direction way);
static bj_status radial_run_vjp(const bj_layer *layer, bj_pass *pass, bj_direction way);
/* of center, log_scale and the scalar's global parameters, with which all begin */
static void radial_describe_head(const bj_layer *layer, bj_describe *out);
static void radial_describe_one(void *host, const char *name, int length);
static void radial_init_head(const bj_layer *layer, real *theta);
static void radial_prepare_head(const bj_layer *layer, const real *theta, real *prep);
static bj_status radial_build_head(bj_layer *layer, const bj_spec *spec, bj_build *build);

#endif
