/* What coupling and autoregressive layers share: a net whose outputs are the raw parameters of a scalar bijection.
 *
 * Parameters are [scalar's global ones | net]. The net's output for the j-th transformed coordinate are n_param rows in
 * the scalar's own order; the scalar's initial raw values are added to them, so a zero output is the initial scalar. */
#ifndef BJ_LAYER_CONDITIONED_COMMON_H
#define BJ_LAYER_CONDITIONED_COMMON_H

#include "net-common.h"

typedef struct {
  bj_scalar *scalar;
  net_slot net;
  int n_transformed;
  const int *coordinate; /* which coordinates of the layer are transformed, in order */
  real *initial;         /* initial raw values of the scalar, then of its globals; drawn ones are drawn by init */
} conditioned;

typedef struct {
  real *in, *scalar; /* of the cache: input of the net; what the scalars keep */
  net_rows net;
} conditioned_at;

INLINE conditioned_at conditioned_carve(const bj_layer *layer, carver *cache, carver *work);
/* The scalar of the j-th transformed coordinate, and the same for its vjp; gy is [block][d][BJ_BLOCK]. */
INLINE bj_scalar_pass conditioned_scalar(const bj_layer *layer, const bj_pass *pass, const conditioned_at *at, int j);
INLINE bj_scalar_pass conditioned_scalar_vjp(const bj_layer *layer, const bj_pass *pass, const conditioned_at *at,
                                             int j, const real *gy);
static void conditioned_init(const bj_layer *layer, real *theta, bj_rng *rng);
static void conditioned_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep);
static void conditioned_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                                    real *gprep, real *gtheta);
static void conditioned_describe(const bj_layer *layer, bj_describe *out);
/* Builds scalar and net and sets the layer's sizes, of the memory too; `request` comes with n_in and, for masks, the
 * inputs' ranks. The out_rank of a masked net is filled in here: the coordinate that an output belongs to. */
static bj_status conditioned_build(bj_layer *layer, const bj_spec *spec, const int *coordinate, int n_transformed,
                                   bj_net_request *request, bj_build *build);

#endif
