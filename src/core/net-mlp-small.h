/* One hidden layer of relu units in one sweep: see net-mlp-small.c. */
#ifndef BJ_NET_MLP_SMALL_H
#define BJ_NET_MLP_SMALL_H

#include "num-simd.h"

typedef struct {
  int n_hidden, nb;
  const real *w1, *b1, *w2, *b2; /* W1: [k][j], W2: [j][o], of which there are n_y to a unit */
  const real *x, *gy;            /* [block][n_x or n_y][BJ_BLOCK], of which the first n_in or n_out count */
  real *y, *gx;
  int n_x, n_y;
  real_sum *gw1, *gb1, *gw2;
} small_net;

typedef struct {
  void (*forward)(const small_net *net);
  void (*vjp)(const small_net *net);
} small_kernels;

#endif
