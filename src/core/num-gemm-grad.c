/* Gradient of y = W x + b with respect to W and b, on blocks.
 *
 *   gemm_weight_grad  g(i, k)  +=  sum_b sum_r gy[b][i][r] x[b][k][r]
 *   gemm_bias_grad    gb[i]    +=  sum_b sum_r gy[b][i][r]
 *
 * Sums run over rows, which are the lanes of our vectors. Either gy is transposed first, so that the lanes are rows of
 * W (outer products), or the lanes are summed up at the end (dot products). The order of the sums is a function of m,
 * kn, nb and the ranges.
 */
#include "num-gemm.h"
#include "num-tiles.h"

/* Outer products: width of a panel in vectors, columns of a tile by its width, blocks of a panel. With 16 registers, 3
 * x 4 sums would leave none over, and gcc then keeps some of them in memory, where each waits for its own store. */
#if TILE_REGISTERS == 32
#define OUTER_WIDE 3
#define OUTER_HIGH(wide) 8
#else
#define OUTER_WIDE 2
#define OUTER_HIGH(wide) ((wide) == 2 ? 6 : 8)
#endif
#define OUTER_MAX_SUMS 24
#define OUTER_SLAB 256 /* k at once: so much of x stays in the second-level cache for all rows of g */
#define OUTER_BLOCKS 4

/* Weight gradient as dot products: rows of a tile, columns by rows. */
#define DOT_HIGH 4
#define DOT_WIDE(high) ((high) == 4 ? 3 : (high) == 3 ? 4 : (high) == 2 ? 6 : 8)
#define DOT_MAX_SUMS 12

/* ---- the weight gradient as outer products ----------------------------------------------------------------------- */

/* The first n lanes. A function of its own: inlined, gcc takes the memory that it needs here as the home of the sum,
 * which then waits for its own store at every step of the loop before. */
NOINLINE void add_lanes(real_sum *to, vreal sum, int n) {
  real lane[BJ_LANES];
  vstore(lane, sum);
  for (int i = 0; i < n; i++) to[i] += lane[i];
}

/* `high` columns of g, `wide` vectors of each, of which the last has `last` rows: g += sum over rows r of the blocks of
 * panel[r][.] x[.][r]. The panel is gy transposed, [block][r][wide vectors]. */
INLINE void outer_tile(int high, int wide, int nb, const real *panel, const real *x, long xs, real_sum *g, long ldg,
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
    real_sum *column = g + k * ldg;
    UNROLL for (int j = 0; j < wide - 1; j++) vadd_to(column + j * BJ_LANES, sum[k * wide + j]);
    column += (wide - 1) * BJ_LANES;
    if (last == BJ_LANES) {
      vadd_to(column, sum[k * wide + wide - 1]);
    } else {
      add_lanes(column, sum[k * wide + wide - 1], last);
    }
  }
}

/* Rows i..i+n-1 of g (at most wide vectors), k = from..to-1, for at most OUTER_BLOCKS blocks. */
INLINE void outer_rows(int wide, int n, int nb, const real *gy, long gys, const real *x, long xs, real_sum *g, long ldg,
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
    real_sum *gk = g + k * ldg;
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

NOINLINE void outer_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs, real_sum *g, long ldg,
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
#if OUTER_WIDE > 2
        case 2:
          outer_rows(2, n, blocks, gyi, gys, xb, xs, g + i, ldg, from, to);
          break;
#endif
        default:
          outer_rows(OUTER_WIDE, n, blocks, gyi, gys, xb, xs, g + i, ldg, from, to);
          break;
      }
    }
  }
}

/* ---- the weight gradient as dot products ------------------------------------------------------------------------- */

/* g(i, k) += sum over blocks and rows of a(i) b(k) for i < high, k < wide; g(i, k) is at g[i * rs + k * cs]. */
INLINE void dot_tile(int high, int wide, int nb, const real *a, long as, const real *b, long bs, real_sum *g, long rs,
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
  real_sum *g;
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
    real_sum *g = job->g + i * job->rs + k * job->cs;
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
NOINLINE void dot_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs, real_sum *g, long ldg,
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
 * time_gemm() in tools/core-check-gemm.c. With vectors of 16 bytes, where sums across lanes are cheap, dot products
 * always win.
 */
INLINE int outer_is_faster(int m, int kn, int nb) {
#if VECTOR_BYTES <= 16
  (void)m, (void)kn, (void)nb;
  return 0;
#else
  int padding = (BJ_LANES - m % BJ_LANES) % BJ_LANES, blocks = nb < OUTER_BLOCKS ? nb : OUTER_BLOCKS;
  return m >= 8 && kn > (VECTOR_BYTES == 64 ? 3 : 6) * blocks && (VECTOR_BYTES == 64 ? 4 : 8) * padding <= m;
#endif
}

UNUSED static void gemm_weight_grad(int m, int kn, int nb, const real *gy, long gys, const real *x, long xs,
                                    real_sum *g, long ldg, const int *k_lo, const int *k_hi) {
  if (outer_is_faster(m, kn, nb)) {
    outer_grad(m, kn, nb, gy, gys, x, xs, g, ldg, k_lo, k_hi);
  } else {
    dot_grad(m, kn, nb, gy, gys, x, xs, g, ldg, k_lo, k_hi);
  }
}

UNUSED static void gemm_bias_grad(int m, int nb, const real *gy, long gys, real_sum *gb) {
  for (int i = 0; i < m; i++, gy += BJ_BLOCK) {
    vreal sum[4];
    UNROLL for (int j = 0; j < 4; j++) sum[j] = vset(0);
    for (int b = 0; b < nb; b++) {
      for (int r = 0; r < BJ_BLOCK; r += WAYS(4) * BJ_LANES) {
        UNROLL for (int j = 0; j < WAYS(4); j++) sum[j] += vload(gy + b * gys + r + j * BJ_LANES);
      }
    }
    gb[i] += vsum((sum[0] + sum[2]) + (sum[1] + sum[3]));
  }
}
