/* mlp with one hidden layer of relu units, few inputs and few outputs, in one sweep:
 *
 *   t_j = b1_j + sum_k W1_jk x_k,   h_j = max(0, t_j),   y_o = b2_o + sum_j W2_oj h_j
 *   vjp: gh_j = [t_j > 0] sum_o W2_oj gy_o;   gW2_oj += gy_o h_j,  gb1_j += gh_j,  gW1_jk += gh_j x_k,
 *        gx_k += W1_jk gh_j
 *
 * In masked nets of two coordinates x is the first of them, and y the outputs of the second.
 *
 * h is never stored: a unit costs n_in products, which is less than to write and read it again, and products with an
 * inner dimension of one or two spend their time on the edges of tiles. Forward keeps some rows of y in registers and
 * walks through the units; the vjp keeps the sums of one unit (or two) in registers and walks through the rows. Sums
 * start from the bias and ascend, as in num-gemm.c: y is the same to the last bit.
 */
#include "net-mlp.h"
#include "num-tiles.h"

#define SMALL_IN 4 /* at most */
#define SMALL_OUT 4
#define SMALL_SUMS (SMALL_IN + SMALL_OUT + 1)

/* Vectors of rows at once in the forward sweep; n_in + n_out up to which the vjp takes units in pairs. */
#if TILE_REGISTERS == 32
#define SMALL_WIDE(n_out) WAYS(4)
#define SMALL_PAIR 8
#else
#define SMALL_WIDE(n_out) ((n_out) <= 2 ? 4 : 2)
#define SMALL_PAIR (VECTOR_BYTES == 32 ? 3 : 0)
#endif

/* `wide` vectors of rows at once: enough sums for the processor to overlap, no more than registers. */
INLINE void small_forward(int n_in, int n_out, int wide, const small_net *net) {
  for (int b = 0; b < net->nb; b++) {
    for (int r = 0; r < BJ_BLOCK; r += wide * BJ_LANES) {
      const real *x = net->x + (long)b * net->n_x * BJ_BLOCK + r;
      real *y = net->y + (long)b * net->n_y * BJ_BLOCK + r;
      vreal sum[SMALL_OUT * 4], in[SMALL_IN * 4];
      UNROLL for (int k = 0; k < n_in; k++) {
        UNROLL for (int i = 0; i < wide; i++) in[k * wide + i] = vload(x + k * BJ_BLOCK + i * BJ_LANES);
      }
      UNROLL for (int o = 0; o < n_out; o++) {
        UNROLL for (int i = 0; i < wide; i++) sum[o * wide + i] = vset(net->b2[o]);
      }
      const real *w2 = net->w2;
      for (int j = 0; j < net->n_hidden; j++, w2 += net->n_y) {
        vreal h[4];
        UNROLL for (int i = 0; i < wide; i++) h[i] = vset(net->b1[j]);
        UNROLL for (int k = 0; k < n_in; k++) {
          const vreal w = vset(net->w1[j + (long)k * net->n_hidden]);
          UNROLL for (int i = 0; i < wide; i++) h[i] += w * in[k * wide + i];
        }
        UNROLL for (int i = 0; i < wide; i++) h[i] = vmax(vset(0), h[i]); /* in this order NaNs stay */
        UNROLL for (int o = 0; o < n_out; o++) {
          const vreal w = vset(w2[o]);
          UNROLL for (int i = 0; i < wide; i++) sum[o * wide + i] += w * h[i];
        }
      }
      UNROLL for (int o = 0; o < n_out; o++) {
        UNROLL for (int i = 0; i < wide; i++) vstore(y + o * BJ_BLOCK + i * BJ_LANES, sum[o * wide + i]);
      }
    }
  }
}

/* Units j .. j + units - 1. The order of the statements is such that gcc finds registers for all the sums: one that is
 * kept in memory waits for its own store in every turn. */
INLINE void small_vjp_units(int n_in, int n_out, int units, const small_net *net, int j) {
  const int n_sum = n_out + n_in + 1; /* of a unit: gW2, gW1, gb1 */
  vreal sum[2 * SMALL_SUMS + BJ_LANES], w1[2 * SMALL_IN], b1[2], w2[2 * SMALL_OUT];
  UNROLL for (int i = 0; i < units * n_sum + BJ_LANES - 1; i++) sum[i] = vset(0);
  UNROLL for (int u = 0; u < units; u++) {
    b1[u] = vset(net->b1[j + u]);
    UNROLL for (int k = 0; k < n_in; k++) w1[u * n_in + k] = vset(net->w1[j + u + (long)k * net->n_hidden]);
    UNROLL for (int o = 0; o < n_out; o++) w2[u * n_out + o] = vset(net->w2[(long)(j + u) * net->n_y + o]);
  }
  for (int b = 0; b < net->nb; b++) {
    const real *x = net->x + (long)b * net->n_x * BJ_BLOCK, *gy = net->gy + (long)b * net->n_y * BJ_BLOCK;
    real *gx = net->gx + (long)b * net->n_x * BJ_BLOCK;
    FOR_ROWS(r) {
      vreal in[SMALL_IN], back[SMALL_IN];
      UNROLL for (int k = 0; k < n_in; k++) in[k] = vload(x + k * BJ_BLOCK + r);
      UNROLL for (int k = 0; k < n_in; k++) back[k] = vload(gx + k * BJ_BLOCK + r);
      UNROLL for (int u = 0; u < units; u++) {
        vreal *s = sum + u * n_sum, t = b1[u], gh = vset(0);
        UNROLL for (int k = 0; k < n_in; k++) t += w1[u * n_in + k] * in[k];
        UNROLL for (int o = 0; o < n_out; o++) {
          const vreal product = w2[u * n_out + o] * vload(gy + o * BJ_BLOCK + r);
          gh = o > 0 ? gh + product : product;
        }
        const vreal h = vmax(vset(0), t);
        gh = vfrombits(vbits(gh) & ~vle(t, vset(0)));
        UNROLL for (int o = 0; o < n_out; o++) s[o] += vload(gy + o * BJ_BLOCK + r) * h;
        UNROLL for (int k = 0; k < n_in; k++) {
          s[n_out + k] += gh * in[k];
          back[k] += w1[u * n_in + k] * gh;
        }
        s[n_out + n_in] += gh;
      }
      UNROLL for (int k = 0; k < n_in; k++) vstore(gx + k * BJ_BLOCK + r, back[k]);
    }
  }
  real total[2 * SMALL_SUMS + BJ_LANES];
  UNROLL for (int i = 0; i < units * n_sum; i += BJ_LANES) vstore(total + i, sum_lanes(sum + i));
  UNROLL for (int u = 0; u < units; u++) {
    UNROLL for (int o = 0; o < n_out; o++) net->gw2[(long)(j + u) * net->n_y + o] += total[u * n_sum + o];
    UNROLL for (int k = 0; k < n_in; k++) net->gw1[j + u + (long)k * net->n_hidden] += total[u * n_sum + n_out + k];
    net->gb1[j + u] += total[u * n_sum + n_out + n_in];
  }
}

INLINE void small_vjp(int n_in, int n_out, const small_net *net) {
  int j = 0;
  for (int b = 0; b < net->nb; b++) {
    memset(net->gx + (long)b * net->n_x * BJ_BLOCK, 0, sizeof(real) * (size_t)n_in * BJ_BLOCK);
  }
  if (n_in + n_out <= SMALL_PAIR) {
    for (; j + 2 <= net->n_hidden; j += 2) small_vjp_units(n_in, n_out, 2, net, j);
  }
  for (; j < net->n_hidden; j++) small_vjp_units(n_in, n_out, 1, net, j);
}

#define SMALL_INSTANCE(n_in, n_out)                                    \
  NOINLINE void small_forward_##n_in##_##n_out(const small_net *net) { \
    small_forward(n_in, n_out, SMALL_WIDE(n_out), net);                \
  }                                                                    \
  NOINLINE void small_vjp_##n_in##_##n_out(const small_net *net) { small_vjp(n_in, n_out, net); }
SMALL_INSTANCE(1, 2)
SMALL_INSTANCE(2, 2)
SMALL_INSTANCE(3, 2)
SMALL_INSTANCE(4, 2)
SMALL_INSTANCE(1, 4)
SMALL_INSTANCE(2, 4)

/* NULL where the general products are faster: with more sums than registers. */
static const small_kernels *small_find(int n_in, int n_out) {
  static const small_kernels two[] = {{small_forward_1_2, small_vjp_1_2},
                                      {small_forward_2_2, small_vjp_2_2},
                                      {small_forward_3_2, small_vjp_3_2},
                                      {small_forward_4_2, small_vjp_4_2}};
  static const small_kernels four[] = {{small_forward_1_4, small_vjp_1_4}, {small_forward_2_4, small_vjp_2_4}};
  if (n_out == 2 && n_in >= 1 && n_in <= 4) return two + n_in - 1;
  if (n_out == 4 && n_in >= 1 && n_in <= 2) return four + n_in - 1;
  return NULL;
}

/* ---- nets that are small ----------------------------------------------------------------------------------------- */

static small_net mlp_small(const bj_net *net, const bj_net_pass *pass) {
  const mlp *self = net->self;
  const int first = self->small_first;
  return (small_net){
      .n_hidden = self->linear[0].m,
      .nb = pass->nb,
      .w1 = mlp_weight(self, pass, 0),
      .b1 = mlp_bias(self, pass, 0),
      .w2 = mlp_weight(self, pass, 1) + first,
      .b2 = mlp_bias(self, pass, 1) + first,
      .x = pass->x,
      .y = pass->y + (long)first * BJ_BLOCK,
      .n_x = net->n_in,
      .n_y = net->n_out,
  };
}

static void mlp_small_forward(const bj_net *net, const bj_net_pass *pass, int rank) {
  const mlp *self = net->self;
  const small_net small = mlp_small(net, pass);
  const real *bias = mlp_bias(self, pass, 1);
  if (rank == 0) self->small->forward(&small);
  for (int b = 0; b < pass->nb && rank == -1; b++) {
    for (int o = 0; o < self->small_first; o++) {
      FOR_ROWS(r) vstore(pass->y + ((long)b * net->n_out + o) * BJ_BLOCK + r, vset(bias[o]));
    }
  }
}

static void mlp_small_vjp(const bj_net *net, const bj_net_pass *pass, int rank) {
  const mlp *self = net->self;
  const mlp_at at = CARVE(mlp_carve, net, pass);
  small_net small = mlp_small(net, pass);
  small.gy = pass->gy + (long)self->small_first * BJ_BLOCK;
  small.gx = pass->gx ? pass->gx : at.gx;
  small.gw1 = mlp_weight_sum(self, pass, 0);
  small.gb1 = mlp_bias_sum(self, pass, 0);
  small.gw2 = mlp_weight_sum(self, pass, 1) + self->small_first;
  if (rank == 0) self->small->vjp(&small);
  for (int b = 0; b < pass->nb && rank == 1; b++) {
    FOR_ROWS(r) vstore(small.gx + ((long)b * net->n_in + rank) * BJ_BLOCK + r, vset(0)); /* nothing depends on it */
  }
}

static void mlp_small_build(mlp *self, const bj_net_request *request) {
  int n_in = request->n_in;
  if (self->masked) {
    if (n_in != 2 || request->n_rank != 2) return;
    n_in = 1;
    while (self->small_first < request->n_out && request->out_rank[self->small_first] == 0) self->small_first++;
  }
  self->small = small_find(n_in, request->n_out - self->small_first);
}
