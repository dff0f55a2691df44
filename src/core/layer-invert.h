/* What layers that hold one other layer, whose parameters are theirs, share. */
#ifndef BJ_LAYER_INVERT_H
#define BJ_LAYER_INVERT_H

#include "protocol.h"

static bj_status invert_build(bj_layer *layer, const bj_spec *spec, bj_build *build);
static void invert_describe(const bj_layer *layer, bj_describe *out);
static void invert_init(const bj_layer *layer, real *theta, bj_rng *rng);

#endif
