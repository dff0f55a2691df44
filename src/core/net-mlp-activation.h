/* Activations of net_mlp() and field_mlp(): see net-mlp-activation.c. */
#ifndef BJ_NET_MLP_ACTIVATION_H
#define BJ_NET_MLP_ACTIVATION_H

#include "protocol.h"

typedef struct {
  /* n values t in place: t becomes act(t), beside it act'(t). NULL for relu, which is fused into the product before it,
   * and whose derivative is read off its value. */
  void (*apply)(real *t, real *slope, long n);
  /* act''(t) too; NULL where there is none that a field could use */
  void (*apply_bend)(real *t, real *slope, real *bend, long n);
} activation;

/* The entry `activation` of a spec; after an error one that does no harm. */
static const activation *activation_read(bj_build *build, const bj_spec *spec);

#endif
