/* One hidden layer of relu units in one sweep: see net-mlp-small.c. */
#ifndef BJ_NET_MLP_SMALL_H
#define BJ_NET_MLP_SMALL_H

#include "num-simd.h"

typedef struct {
  int n_hidden, nb;
  const real *w1, *b1, *w2, *b2; /* W1: [k][j], W2: [j][o] */
  const real *x, *gy;            /* [block][n_in or n_out][BJ_BLOCK] */
  real *y, *gx;
  real_sum *gw1, *gb1, *gw2;
} small_net;

typedef struct {
  void (*forward)(const small_net *net);
  void (*vjp)(const small_net *net);
} small_kernels;

/* NULL where the general products are faster: with more sums than registers. */
static const small_kernels *small_find(int n_in, int n_out);

#endif
