/* Dense products on blocks: y = W x + b, and its input gradient (the same call with rs and cs swapped).
 *
 *   y[b][i][r]  =  bias[i] + sum_k w(i, k) x[b][k][r]           then relu or mask
 *
 * Why tiles. Two fused multiply-adds can start a cycle and each takes four, so at least eight sums must be under way;
 * and two loads can start a cycle, so a sum must not need a load of its own. A tile of `high` x `wide` vectors keeps
 * high * wide sums in registers and needs high + wide loads for them: 6 x 2 is 12 sums and 8 loads in 15 of AVX2's 16
 * registers, 6 x 4 is 24 sums and 10 loads in 29 of AVX-512's 32. SSE2 multiplies into a register of its own and has
 * room for 4 x 2 (a sum that is spilled waits for its own store: 3 x 4 was slower). Low tiles are made wider, so that
 * they keep enough sums as well, and two tiles of about the same height share a remainder (8 = 4 + 4, not 6 + 2).
 *
 * Why panels. The weights of a tile are walked through once for each group of columns of x: copied to [k][high] first,
 * they are one stream of consecutive numbers, in the first-level cache, whatever the layout of W.
 *
 * Why slabs. Every tile walks through all of x. So k goes in slabs outside the loop over tiles: the part of x of a slab
 * stays in the second-level cache, and a panel on the stack.
 *
 * The sum over k always starts from the bias (ADD: y + bias) and ascends, for every tile, block and slab: a row of y
 * depends on its own x only, not on the number of blocks or on its neighbours. */
#include "num-gemm.h"
#include "num-tiles.h"

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

/* gemm: rows of a tile at most, and its width in vectors by its height; the width times the lanes divides BJ_BLOCK. */
#if TILE_REGISTERS == 32
#define GEMM_HIGH 6
#define GEMM_WIDE(high) WAYS(4)
#define GEMM_MAX_SUMS 24
#elif VECTOR_BYTES == 32
#define GEMM_HIGH 6
#define GEMM_WIDE(high) WAYS((high) > 3 ? 2 : (high) > 1 ? 4 : 8)
#define GEMM_MAX_SUMS 12
#else
#define GEMM_HIGH 4
#define GEMM_WIDE(high) WAYS((high) > 2 ? 2 : (high) > 1 ? 4 : 8)
#define GEMM_MAX_SUMS 8
#endif
#define GEMM_SLAB 256 /* k of a panel at most: 12 KB for 6 rows, and 256 KB of x for 4 blocks */
#define GEMM_PACK 8   /* k from which packing pays */
#define GEMM_AHEAD 8  /* k by which x is fetched ahead: a walk along k uses only a part of each group of 32 */

/* The first `high` rows of a matrix with `columns` consecutive numbers a row, `row` reals apart, to [column][high].
 * Rows that are missing in a vector are the last row again; what is written beyond `high` is overwritten by the next
 * column, so `to` has BJ_LANES reals to spare. */
INLINE void transpose_rows(int high, int columns, const real *from, long row, real *to) {
  int column = 0;
  for (; column + BJ_LANES <= columns; column += BJ_LANES) {
    UNROLL for (int start = 0; start < high; start += BJ_LANES) {
      int i0 = start + BJ_LANES <= high || high < BJ_LANES ? start : high - BJ_LANES;
      vreal square[BJ_LANES];
      UNROLL for (int i = 0; i < BJ_LANES; i++) {
        square[i] = vload(from + (i0 + i < high ? i0 + i : high - 1) * row + column);
      }
      transpose(square);
      UNROLL for (int i = 0; i < BJ_LANES; i++) vstore(to + (long)(column + i) * high + i0, square[i]);
    }
  }
  for (; column < columns; column++) {
    UNROLL for (int i = 0; i < high; i++) to[(long)column * high + i] = from[i * row + column];
  }
}

/* ---- y = W x + b ------------------------------------------------------------------------------------------------- */

typedef struct {
  gemm_mode mode;
  gemm_matrix a;
  int nb;
  const real *x;
  long xs;
  real *y;
  long ys;
  real *panel; /* GEMM_SLAB * GEMM_HIGH + BJ_LANES */
} gemm_job;

/* high rows of y, wide vectors of each: y <- finish(start + sum_k w x), start is y + bias if `onto`, bias if not.
 * w(i, k) is at w[i * rs + k * cs], x(k) and y(i) and mask(i) are BJ_BLOCK apart. */
INLINE void gemm_tile(int high, int wide, int kn, const real *w, long rs, long cs, const real *x, real *y,
                      const real *bias, int onto, gemm_mode finish, const real *mask) {
  vreal sum[GEMM_MAX_SUMS];
  UNROLL for (int i = 0; i < high; i++) {
    vreal start = vset(bias ? bias[i] : 0);
    UNROLL for (int j = 0; j < wide; j++) sum[i * wide + j] = start;
  }
  if (onto) {
    UNROLL for (int i = 0; i < high; i++) {
      UNROLL for (int j = 0; j < wide; j++) sum[i * wide + j] += vload(y + i * BJ_BLOCK + j * BJ_LANES);
    }
  }
  UNROLL for (int i = 0; i < high; i++) PREFETCH((finish == GEMM_RELU_MASK ? mask : y) + i * BJ_BLOCK);
  for (int k = 0; k < kn; k++, w += cs, x += BJ_BLOCK) {
    PREFETCH(x + GEMM_AHEAD * BJ_BLOCK);
    if (high <= wide) { /* the smaller side stays in registers */
      vreal weight[GEMM_HIGH];
      UNROLL for (int i = 0; i < high; i++) weight[i] = vset(w[i * rs]);
      UNROLL for (int j = 0; j < wide; j++) {
        vreal column = vload(x + j * BJ_LANES);
        UNROLL for (int i = 0; i < high; i++) sum[i * wide + j] += weight[i] * column;
      }
    } else {
      vreal column[8];
      UNROLL for (int j = 0; j < wide; j++) column[j] = vload(x + j * BJ_LANES);
      UNROLL for (int i = 0; i < high; i++) {
        vreal weight = vset(w[i * rs]);
        UNROLL for (int j = 0; j < wide; j++) sum[i * wide + j] += weight * column[j];
      }
    }
  }
  vreal zero = vset(0);
  if (finish == GEMM_RELU) { /* vmax gives its second argument where one is NaN: NaNs stay */
    UNROLL for (int i = 0; i < high * wide; i++) sum[i] = vmax(zero, sum[i]);
  } else if (finish == GEMM_RELU_MASK) {
    UNROLL for (int i = 0; i < high; i++) {
      UNROLL for (int j = 0; j < wide; j++) {
        vint off = vle(vload(mask + i * BJ_BLOCK + j * BJ_LANES), zero);
        sum[i * wide + j] = vselect(off, zero, sum[i * wide + j]);
      }
    }
  }
  UNROLL for (int i = 0; i < high; i++) {
    UNROLL for (int j = 0; j < wide; j++) vstore(y + i * BJ_BLOCK + j * BJ_LANES, sum[i * wide + j]);
  }
}

/* Rows i..i+high-1 of y, all blocks, k = from..to-1 of one slab; `first` and `last` say which pieces of the row's sum
 * these are. */
INLINE void gemm_rows(const gemm_job *job, int high, int wide, int i, int from, int to, int first, int last) {
  const real *bias = first && job->a.bias ? job->a.bias + i : NULL;
  const int onto = !first || job->mode == GEMM_ADD, kn = to - from;
  const gemm_mode finish = last ? job->mode : GEMM_SET;
  const real *w = job->a.w + i * job->a.rs + from * job->a.cs;
  const int packed = kn >= GEMM_PACK && (job->nb > 1 || job->a.rs != 1);
  if (packed) {
    if (job->a.cs == 1 && job->a.rs != 1) {
      transpose_rows(high, kn, w, job->a.rs, job->panel);
    } else {
      for (int c = 0; c < kn; c++) {
        UNROLL for (int r = 0; r < high; r++) job->panel[c * high + r] = w[r * job->a.rs + c * job->a.cs];
      }
    }
  }
  for (int b = 0; b < job->nb; b++) {
    const real *x = job->x + b * job->xs + (long)from * BJ_BLOCK;
    real *y = job->y + b * job->ys + (long)i * BJ_BLOCK;
    const real *mask = job->mode == GEMM_RELU_MASK ? job->a.mask + b * job->ys + (long)i * BJ_BLOCK : NULL;
    for (int r = 0; r < BJ_BLOCK; r += wide * BJ_LANES) {
      const real *mask_r = mask ? mask + r : NULL;
      if (packed) {
        gemm_tile(high, wide, kn, job->panel, 1, high, x + r, y + r, bias, onto, finish, mask_r);
      } else {
        gemm_tile(high, wide, kn, w, job->a.rs, job->a.cs, x + r, y + r, bias, onto, finish, mask_r);
      }
    }
  }
}

/* Rows of all heights, k in one slab. */
static void gemm_slab(const gemm_job *job, int begin, int end) {
  const int m = job->a.m, kn = job->a.k;
  for (int i = 0, high; i < m; i += high) {
    int from, to;
    high = next_piece(m - i, GEMM_HIGH);
    range_of_rows(i, high, kn, job->a.k_lo, job->a.k_hi, &from, &to);
    if (from == to) from = to = 0; /* nothing to sum, but y is still to be set */
    const int low = from > begin ? from : begin, top = to < end ? to : end, first = low == from, last = top == to;
    if (top < low || (top == low && from < to) || (from == to && begin > 0)) continue;
    switch (high) {
      case 1:
        gemm_rows(job, 1, GEMM_WIDE(1), i, low, top, first, last);
        break;
      case 2:
        gemm_rows(job, 2, GEMM_WIDE(2), i, low, top, first, last);
        break;
      case 3:
        gemm_rows(job, 3, GEMM_WIDE(3), i, low, top, first, last);
        break;
      case 4:
        gemm_rows(job, 4, GEMM_WIDE(4), i, low, top, first, last);
        break;
#if GEMM_HIGH > 4
      case 5:
        gemm_rows(job, 5, GEMM_WIDE(5), i, low, top, first, last);
        break;
      default:
        gemm_rows(job, 6, GEMM_WIDE(6), i, low, top, first, last);
        break;
#endif
    }
  }
}

UNUSED static void gemm(gemm_mode mode, gemm_matrix a, int nb, const real *x, long xs, real *y, long ys) {
  real panel[GEMM_SLAB * GEMM_HIGH + BJ_LANES];
  const gemm_job job = {mode, a, nb, x, xs, y, ys, panel};
  int k = 0;
  do { /* once also if there is nothing to sum */
    const int end = a.k - k < GEMM_SLAB ? a.k : k + GEMM_SLAB;
    gemm_slab(&job, k, end);
    k = end;
  } while (k < a.k);
}
