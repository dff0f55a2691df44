/* Dense products on blocks: y = W x + b, its input gradient (the same call with rs and cs swapped), and its weight
 * gradient.
 *
 *   gemm              y[b][i][r]  =  bias[i] + sum_k w(i, k) x[b][k][r]           then relu or mask
 *   gemm_weight_grad  g(i, k)    +=  sum_b sum_r gy[b][i][r] x[b][k][r]
 *   gemm_bias_grad    gb[i]      +=  sum_b sum_r gy[b][i][r]
 *
 * Why tiles. Two fused multiply-adds can start a cycle and each takes four, so at least eight sums must be under way;
 * and two loads can start a cycle, so a sum must not need a load of its own. A tile of `high` x `wide` vectors keeps
 * high * wide sums in registers and needs high + wide loads for them: 6 x 2 is 12 sums and 8 loads in 15 of AVX2's 16
 * registers, 6 x 4 is 24 sums and 10 loads in 29 of AVX-512's 32. SSE2 multiplies into a register of its own and has
 * room for 4 x 2 (a sum that is spilled waits for its own store: 3 x 4 was slower). Low tiles are made wider, so that
 * they keep enough sums as well, and two tiles of about the same height share a remainder (8 = 4 + 4, not 6 + 2).
 *
 * Why panels. The weights of a tile are walked through once for each group of columns of x: copied to [k][high] first,
 * they are one stream of consecutive numbers, in the first-level cache, whatever the layout of W. Panels are on the
 * stack, so k goes in slabs.
 *
 * The sum over k always starts from the bias (ADD: y + bias) and ascends, for every tile, block and slab: a row of y
 * depends on its own x only, not on the number of blocks or on its neighbours. The order of the gradients' sums is a
 * function of m, kn, nb and the ranges.
 */
#include "num-gemm.h"

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

#if BJ_LANES == 8 || defined(__aarch64__)
#define GEMM_REGISTERS 32
#else
#define GEMM_REGISTERS 16
#endif

/* gemm: rows of a tile at most, and its width in vectors by its height; the width times the lanes divides BJ_BLOCK. */
#if GEMM_REGISTERS == 32
#define GEMM_HIGH 6
#define GEMM_WIDE(high) 4
#define GEMM_MAX_SUMS 24
#elif BJ_LANES == 4
#define GEMM_HIGH 6
#define GEMM_WIDE(high) ((high) > 3 ? 2 : (high) > 1 ? 4 : 8)
#define GEMM_MAX_SUMS 12
#else
#define GEMM_HIGH 4
#define GEMM_WIDE(high) ((high) > 2 ? 2 : (high) > 1 ? 4 : 8)
#define GEMM_MAX_SUMS 8
#endif
#ifndef GEMM_SLAB
#define GEMM_SLAB 128 /* k of a panel at most: 6 KB for 6 rows, and 128 KB of x for 4 blocks */
#endif
#define GEMM_PACK 8  /* k from which packing pays */
#define GEMM_AHEAD 8 /* k by which x is fetched ahead: a walk along k uses only a part of each group of 32 */

/* Weight gradient as outer products: width of a panel in vectors, columns of a tile by its width, blocks of a panel. */
#define OUTER_WIDE 3
#if GEMM_REGISTERS == 32
#define OUTER_HIGH(wide) 8
#else
#define OUTER_HIGH(wide) ((wide) == 3 ? 4 : (wide) == 2 ? 6 : 8)
#endif
#define OUTER_MAX_SUMS 24
#ifndef OUTER_SLAB
#define OUTER_SLAB 128
#endif
#define OUTER_BLOCKS 4

/* Weight gradient as dot products: rows of a tile, columns by rows. */
#define DOT_HIGH 4
#define DOT_WIDE(high) ((high) == 4 ? 3 : (high) == 3 ? 4 : (high) == 2 ? 6 : 8)
#define DOT_MAX_SUMS 12

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) (void)0
#endif

/* The next piece of `left` things, at most `most` at once: the last two pieces are of about the same size. */
INLINE int next_piece(int left, int most) {
  if (left >= 2 * most) return most;
  return left > most ? (left + 1) / 2 : left;
}

/* The union of the k ranges of rows i..i+high-1, within 0..kn. */
INLINE void range_of_rows(int i, int high, int kn, const int *k_lo, const int *k_hi, int *from, int *to) {
  *from = k_lo ? kn : 0;
  *to = k_hi ? 0 : kn;
  for (int j = i; j < i + high; j++) {
    if (k_lo && k_lo[j] < *from) *from = k_lo[j];
    if (k_hi && k_hi[j] > *to) *to = k_hi[j];
  }
  if (*to < *from) *to = *from;
}

/* ---- squares of BJ_LANES vectors --------------------------------------------------------------------------------- */

#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#elif defined(__GNUC__)
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vint){__VA_ARGS__})
#endif

/* Swaps the second half of each group of 2 * distance lanes of a with the first half of the same group of b: with the
 * distances 1, 2, 4 this transposes a square, and adding the two results sums across lanes. */
INLINE void swap_lanes(int distance, vreal *a, vreal *b) {
#if BJ_LANES > 1
  vreal low = *a, high = *b;
#if BJ_LANES == 2
  (void)distance;
  *a = SHUFFLE(low, high, 0, 2);
  *b = SHUFFLE(low, high, 1, 3);
#elif BJ_LANES == 4
  if (distance == 1) {
    *a = SHUFFLE(low, high, 0, 4, 2, 6);
    *b = SHUFFLE(low, high, 1, 5, 3, 7);
  } else {
    *a = SHUFFLE(low, high, 0, 1, 4, 5);
    *b = SHUFFLE(low, high, 2, 3, 6, 7);
  }
#else
  if (distance == 1) {
    *a = SHUFFLE(low, high, 0, 8, 2, 10, 4, 12, 6, 14);
    *b = SHUFFLE(low, high, 1, 9, 3, 11, 5, 13, 7, 15);
  } else if (distance == 2) {
    *a = SHUFFLE(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
    *b = SHUFFLE(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
  } else {
    *a = SHUFFLE(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
    *b = SHUFFLE(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
  }
#endif
#else
  (void)distance, (void)a, (void)b;
#endif
}

/* Loops over distances are written out: gcc does not unroll one that doubles its counter. */
INLINE void transpose_step(int distance, vreal *square) {
  UNROLL for (int i = 0; i < BJ_LANES; i++) {
    if (!(i & distance)) swap_lanes(distance, square + i, square + i + distance);
  }
}
INLINE void transpose(vreal *square) {
  if (BJ_LANES > 1) transpose_step(1, square);
  if (BJ_LANES > 2) transpose_step(2, square);
  if (BJ_LANES > 4) transpose_step(4, square);
}

/* Lane i of the result is the sum of the lanes of square[i]. */
INLINE void sum_step(int distance, vreal *square) {
  UNROLL for (int i = 0; i < BJ_LANES; i += 2 * distance) {
    swap_lanes(distance, square + i, square + i + distance);
    square[i] += square[i + distance];
  }
}
INLINE vreal sum_lanes(vreal *square) {
  if (BJ_LANES > 1) sum_step(1, square);
  if (BJ_LANES > 2) sum_step(2, square);
  if (BJ_LANES > 4) sum_step(4, square);
  return square[0];
}

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
  const real *w;
  long rs, cs;
  const real *bias;
  int nb;
  const real *x;
  long xs;
  real *y;
  long ys;
  const real *mask;
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
  const real *bias = first && job->bias ? job->bias + i : NULL;
  const int onto = !first || job->mode == GEMM_ADD, kn = to - from;
  const gemm_mode finish = last ? job->mode : GEMM_SET;
  const real *w = job->w + i * job->rs + from * job->cs;
  const int packed = kn >= GEMM_PACK && (job->nb > 1 || job->rs != 1);
  if (packed) {
    if (job->cs == 1 && job->rs != 1) {
      transpose_rows(high, kn, w, job->rs, job->panel);
    } else {
      for (int c = 0; c < kn; c++) {
        UNROLL for (int r = 0; r < high; r++) job->panel[c * high + r] = w[r * job->rs + c * job->cs];
      }
    }
  }
  for (int b = 0; b < job->nb; b++) {
    const real *x = job->x + b * job->xs + (long)from * BJ_BLOCK;
    real *y = job->y + b * job->ys + (long)i * BJ_BLOCK;
    const real *mask = job->mask ? job->mask + b * job->ys + (long)i * BJ_BLOCK : NULL;
    for (int r = 0; r < BJ_BLOCK; r += wide * BJ_LANES) {
      const real *mask_r = mask ? mask + r : NULL;
      if (packed) {
        gemm_tile(high, wide, kn, job->panel, 1, high, x + r, y + r, bias, onto, finish, mask_r);
      } else {
        gemm_tile(high, wide, kn, w, job->rs, job->cs, x + r, y + r, bias, onto, finish, mask_r);
      }
    }
  }
}

/* Rows of all heights, k in one slab. */
static void gemm_slab(const gemm_job *job, int m, int kn, int begin, int end, const int *k_lo, const int *k_hi) {
  for (int i = 0, high; i < m; i += high) {
    int from, to;
    high = next_piece(m - i, GEMM_HIGH);
    range_of_rows(i, high, kn, k_lo, k_hi, &from, &to);
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

UNUSED static void gemm(gemm_mode mode, int m, int kn, const real *w, long rs, long cs, const real *bias, int nb,
                        const real *x, long xs, real *y, long ys, const real *mask, const int *k_lo, const int *k_hi) {
  real panel[GEMM_SLAB * GEMM_HIGH + BJ_LANES];
  const gemm_job job = {mode, w, rs, cs, bias, nb, x, xs, y, ys, mode == GEMM_RELU_MASK ? mask : NULL, panel};
  int k = 0;
  do { /* once also if there is nothing to sum */
    const int end = kn - k < GEMM_SLAB ? kn : k + GEMM_SLAB;
    gemm_slab(&job, m, kn, k, end, k_lo, k_hi);
    k = end;
  } while (k < kn);
}

/* ---- the weight gradient as outer products ----------------------------------------------------------------------- */

/* `high` columns of g, `wide` vectors of each, of which the last has `last` rows: g += sum over rows r of the blocks of
 * panel[r][.] x[.][r]. The panel is gy transposed, [block][r][wide vectors]. */
INLINE void outer_tile(int high, int wide, int nb, const real *panel, const real *x, long xs, real *g, long ldg,
                       int last) {
  vreal sum[OUTER_MAX_SUMS];
  UNROLL for (int i = 0; i < high * wide; i++) sum[i] = vset(0);
  UNROLL for (int k = 0; k < high; k++) {
    PREFETCH(g + k * ldg);
    PREFETCH(g + k * ldg + (wide - 1) * BJ_LANES);
  }
  for (int b = 0; b < nb; b++, x += xs) {
    for (int r = 0; r < BJ_BLOCK; r++, panel += wide * BJ_LANES) {
      vreal row[OUTER_WIDE];
      UNROLL for (int j = 0; j < wide; j++) row[j] = vload(panel + j * BJ_LANES);
      UNROLL for (int k = 0; k < high; k++) {
        vreal factor = vset(x[k * BJ_BLOCK + r]);
        UNROLL for (int j = 0; j < wide; j++) sum[k * wide + j] += factor * row[j];
      }
    }
  }
  UNROLL for (int k = 0; k < high; k++) {
    real *column = g + k * ldg;
    UNROLL for (int j = 0; j < wide - 1; j++) {
      vstore(column + j * BJ_LANES, vload(column + j * BJ_LANES) + sum[k * wide + j]);
    }
    column += (wide - 1) * BJ_LANES;
    if (last == BJ_LANES) {
      vstore(column, vload(column) + sum[k * wide + wide - 1]);
    } else {
      real lane[BJ_LANES];
      vstore(lane, sum[k * wide + wide - 1]);
      for (int i = 0; i < last; i++) column[i] += lane[i];
    }
  }
}

/* Rows i..i+n-1 of g (at most wide vectors), k = from..to-1, for at most OUTER_BLOCKS blocks. */
INLINE void outer_rows(int wide, int n, int nb, const real *gy, long gys, const real *x, long xs, real *g, long ldg,
                       int from, int to) {
  vreal panel_vectors[OUTER_BLOCKS * BJ_BLOCK * OUTER_WIDE + 1];
  real *panel = (real *)panel_vectors;
  int last = n - (wide - 1) * BJ_LANES;
  for (int b = 0; b < nb; b++) {
    FOR_ROWS(r) {
      UNROLL for (int j = 0; j < wide; j++) {
        vreal square[BJ_LANES];
        UNROLL for (int i = 0; i < BJ_LANES; i++) {
          int row = j * BJ_LANES + i;
          square[i] = vload(gy + b * gys + (long)(row < n ? row : n - 1) * BJ_BLOCK + r);
        }
        transpose(square);
        UNROLL for (int i = 0; i < BJ_LANES; i++) {
          vstore(panel + ((long)(b * BJ_BLOCK + r + i) * wide + j) * BJ_LANES, square[i]);
        }
      }
    }
  }
  for (int k = from, high; k < to; k += high) {
    const real *xk = x + (long)k * BJ_BLOCK;
    real *gk = g + k * ldg;
    high = next_piece(to - k, OUTER_HIGH(wide));
    switch (high) {
#define OUTER_CASE(n_column)                                                                        \
  case n_column:                                                                                    \
    if (n_column <= OUTER_HIGH(wide)) outer_tile(n_column, wide, nb, panel, xk, xs, gk, ldg, last); \
    break;
      OUTER_CASE(1)
      OUTER_CASE(2)
      OUTER_CASE(3)
      OUTER_CASE(4)
      OUTER_CASE(5)
      OUTER_CASE(6)
      OUTER_CASE(7)
      OUTER_CASE(8)
#undef OUTER_CASE
    }
  }
}

NOINLINE void outer_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs, real *g, long ldg,
                         const int *k_lo, const int *k_hi) {
  for (int b = 0, k = 0, end; b < nb; k = end < kn ? end : 0, b += end < kn ? 0 : OUTER_BLOCKS) {
    int blocks = nb - b < OUTER_BLOCKS ? nb - b : OUTER_BLOCKS;
    end = kn - k < OUTER_SLAB ? kn : k + OUTER_SLAB;
    for (int i = 0, n; i < m; i += n) {
      int wide = next_piece((m - i + BJ_LANES - 1) / BJ_LANES, OUTER_WIDE), from, to;
      n = m - i < wide * BJ_LANES ? m - i : wide * BJ_LANES;
      range_of_rows(i, n, kn, k_lo, k_hi, &from, &to);
      if (from < k) from = k;
      if (to > end) to = end;
      if (from >= to) continue;
      const real *gyi = gy + b * gys + (long)i * BJ_BLOCK, *xb = x + b * xs;
      switch (wide) {
        case 1:
          outer_rows(1, n, blocks, gyi, gys, xb, xs, g + i, ldg, from, to);
          break;
        case 2:
          outer_rows(2, n, blocks, gyi, gys, xb, xs, g + i, ldg, from, to);
          break;
        default:
          outer_rows(3, n, blocks, gyi, gys, xb, xs, g + i, ldg, from, to);
          break;
      }
    }
  }
}

/* ---- the weight gradient as dot products ------------------------------------------------------------------------- */

/* g(i, k) += sum over blocks and rows of a(i) b(k) for i < high, k < wide; g(i, k) is at g[i * rs + k * cs]. */
INLINE void dot_tile(int high, int wide, int nb, const real *a, long as, const real *b, long bs, real *g, long rs,
                     long cs) {
  vreal sum[DOT_MAX_SUMS + BJ_LANES];
  int n = high * wide;
  UNROLL for (int i = 0; i < n + BJ_LANES - 1; i++) sum[i] = vset(0);
  for (int block = 0; block < nb; block++, a += as, b += bs) {
    FOR_ROWS(r) {
      vreal va[DOT_HIGH];
      UNROLL for (int i = 0; i < high; i++) va[i] = vload(a + i * BJ_BLOCK + r);
      UNROLL for (int k = 0; k < wide; k++) {
        vreal vb = vload(b + k * BJ_BLOCK + r);
        UNROLL for (int i = 0; i < high; i++) sum[k * high + i] += va[i] * vb;
      }
    }
  }
  real total[DOT_MAX_SUMS + BJ_LANES];
  UNROLL for (int i = 0; i < n; i += BJ_LANES) vstore(total + i, sum_lanes(sum + i));
  UNROLL for (int k = 0; k < wide; k++) {
    UNROLL for (int i = 0; i < high; i++) g[i * rs + k * cs] += total[k * high + i];
  }
}

typedef struct {
  int nb;
  const real *a, *b; /* rows and columns of the tiles: gy and x, or x and gy if `swapped` */
  long as, bs;
  real *g;
  long rs, cs;
  int swapped;
  int kn;
  const int *k_lo, *k_hi;
} dot_job;

/* Rows i..i+high-1, all n columns. */
INLINE void dot_rows(const dot_job *job, int high, int i, int n) {
  const real *a = job->a + (long)i * BJ_BLOCK;
  for (int k = 0, wide; k < n; k += wide) {
    const real *b = job->b + (long)k * BJ_BLOCK;
    real *g = job->g + i * job->rs + k * job->cs;
    wide = next_piece(n - k, DOT_WIDE(high));
    if (job->k_lo || job->k_hi) {
      int from, to, first = job->swapped ? i : k, count = job->swapped ? high : wide;
      range_of_rows(job->swapped ? k : i, job->swapped ? wide : high, job->kn, job->k_lo, job->k_hi, &from, &to);
      if (first >= to || first + count <= from) continue;
    }
    switch (wide) {
#define DOT_CASE(n_column)                                                            \
  case n_column:                                                                      \
    if (n_column <= DOT_WIDE(high)) {                                                 \
      dot_tile(high, n_column, job->nb, a, job->as, b, job->bs, g, job->rs, job->cs); \
    }                                                                                 \
    break;
      DOT_CASE(1)
      DOT_CASE(2)
      DOT_CASE(3)
      DOT_CASE(4)
      DOT_CASE(5)
      DOT_CASE(6)
      DOT_CASE(7)
      DOT_CASE(8)
#undef DOT_CASE
    }
  }
}

/* The smaller of m and kn gives the rows of the tiles, so that a single row or column has wide tiles. */
NOINLINE void dot_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs, real *g, long ldg,
                       const int *k_lo, const int *k_hi) {
  int swapped = kn < m, rows = swapped ? kn : m, columns = swapped ? m : kn;
  dot_job job = {nb, gy, x, gys, xs, g, 1, ldg, 0, kn, k_lo, k_hi};
  if (swapped) job = (dot_job){nb, x, gy, xs, gys, g, ldg, 1, 1, kn, k_lo, k_hi};
  for (int i = 0, high; i < rows; i += high) {
    high = next_piece(rows - i, DOT_HIGH);
    switch (high) {
      case 1:
        dot_rows(&job, 1, i, columns);
        break;
      case 2:
        dot_rows(&job, 2, i, columns);
        break;
      case 3:
        dot_rows(&job, 3, i, columns);
        break;
      default:
        dot_rows(&job, 4, i, columns);
        break;
    }
  }
}

/* Which form: time for the outer products goes by the rows with their padding and has a transposition for every k;
 * the dot products lose a sum across lanes a tile, which matters more the fewer blocks there are. Measured: see
 * time_gemm() in tools/core-check-gemm.h. With two lanes, where sums across lanes are cheap, dot products always win.
 */
INLINE int outer_is_faster(int m, int kn, int nb) {
#if BJ_LANES <= 2
  (void)m, (void)kn, (void)nb;
  return 0;
#else
  int padding = (BJ_LANES - m % BJ_LANES) % BJ_LANES, blocks = nb < OUTER_BLOCKS ? nb : OUTER_BLOCKS;
  return m >= 8 && kn > (BJ_LANES == 8 ? 3 : 6) * blocks && (BJ_LANES == 8 ? 4 : 8) * padding <= m;
#endif
}

UNUSED static void gemm_weight_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs, real *g,
                                    long ldg, const int *k_lo, const int *k_hi) {
  if (outer_is_faster(m, kn, nb)) {
    outer_grad(m, kn, nb, gy, gys, x, xs, g, ldg, k_lo, k_hi);
  } else {
    dot_grad(m, kn, nb, gy, gys, x, xs, g, ldg, k_lo, k_hi);
  }
}

UNUSED static void gemm_bias_grad(int m, int nb, const real *gy, long gys, real *gb) {
  for (int i = 0; i < m; i++, gy += BJ_BLOCK) {
    vreal sum[4];
    UNROLL for (int j = 0; j < 4; j++) sum[j] = vset(0);
    for (int b = 0; b < nb; b++) {
      for (int r = 0; r < BJ_BLOCK; r += 4 * BJ_LANES) {
        UNROLL for (int j = 0; j < 4; j++) sum[j] += vload(gy + b * gys + r + j * BJ_LANES);
      }
    }
    gb[i] += vsum((sum[0] + sum[2]) + (sum[1] + sum[3]));
  }
}
