/* Checks and timings of num-gemm, for core-check.c: check_gemm() compares with triple loops, time_gemm() prints GF/s.
 * The file that includes this has num-gemm.c and a function or macro check(condition, format, ...). */
#ifndef CORE_CHECK_GEMM_H
#define CORE_CHECK_GEMM_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Numbers in (-1, 1) that are a function of their place. */
static void gemm_fill(real *p, long n, uint64_t seed) {
  for (long i = 0; i < n; i++) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    p[i] = (double)(int64_t)seed * 0x1p-63;
  }
}

/* Memory with an exact size, so that a sanitizer sees every read and write beyond an end. */
static real *gemm_numbers(long n, uint64_t seed) {
  real *p = malloc(n * sizeof(real));
  if (!p) exit(1);
  gemm_fill(p, n, seed);
  return p;
}

/* Memory that starts a cache line, as blocks do in use; `memory` is what is to be freed. */
static real *gemm_aligned(long n, uint64_t seed, void **memory) {
  *memory = malloc(n * sizeof(real) + 63);
  if (!*memory) exit(1);
  real *p = (real *)(((uintptr_t)*memory + 63) & ~(uintptr_t)63);
  gemm_fill(p, n, seed);
  return p;
}

/* 0: no ranges; 1: upper bounds that rise with the row; 2: lower bounds; 3: both, some of them empty. */
static void gemm_ranges(int kind, int m, int kn, int *k_lo, int *k_hi) {
  for (int i = 0; i < m; i++) {
    k_lo[i] = kind == 2 ? kn * i / m : kind == 3 ? kn * (i / 2) / m : 0;
    k_hi[i] = kind == 1 ? kn * (i + 1) / m : kind == 3 ? kn * (i / 2) / m + (i % 3) * kn / 4 : kn;
    if (k_hi[i] > kn) k_hi[i] = kn;
  }
}

/* One shape, all of its modes, strides and ranges. Sums of kn products of numbers below 1 are right to kn roundings. */
static void check_gemm_shape(int m, int kn, int nb) {
  static const char *mode_name[] = {"set", "add", "relu", "relu mask"};
  long xs = (long)kn * BJ_BLOCK, ys = (long)m * BJ_BLOCK;
  long xn = nb * xs + (nb - 1) * BJ_BLOCK, yn = nb * ys + (nb - 1) * 2 * BJ_BLOCK; /* blocks that are apart */
  real *w = gemm_numbers((long)m * kn, 1), *x = gemm_numbers(xn, 2), *bias = gemm_numbers(m, 3);
  real *y0 = gemm_numbers(yn, 4), *y = gemm_numbers(yn, 5), *want = gemm_numbers(yn, 6), *mask = gemm_numbers(yn, 7);
  int *k_lo = malloc(m * sizeof(int)), *k_hi = malloc(m * sizeof(int));
  if (!k_lo || !k_hi) exit(1);
  for (long i = 0; i < yn; i += 7) mask[i] = 0;
  xs += BJ_BLOCK, ys += 2 * BJ_BLOCK;

  for (int ranges = 0; ranges < 4; ranges++) {
    gemm_ranges(ranges, m, kn, k_lo, k_hi);
    const int *lo = ranges >= 2 ? k_lo : NULL, *hi = ranges == 1 || ranges == 3 ? k_hi : NULL;
    for (int by_row = 0; by_row < 2; by_row++) {
      long rs = by_row ? kn : 1, cs = by_row ? 1 : m;
      gemm_fill(w, (long)m * kn, 1);
      for (int i = 0; i < m; i++) {
        for (int k = 0; k < kn; k++) {
          if (k < k_lo[i] || k >= k_hi[i]) w[i * rs + k * cs] = 0;
        }
      }
      for (int with_bias = 0; with_bias < 2; with_bias++) {
        memcpy(want, y0, yn * sizeof(real));
        for (int b = 0; b < nb; b++) {
          for (int i = 0; i < m; i++) {
            for (int r = 0; r < BJ_BLOCK; r++) {
              real sum = with_bias ? bias[i] : 0;
              for (int k = k_lo[i]; k < k_hi[i]; k++) sum += w[i * rs + k * cs] * x[b * xs + k * BJ_BLOCK + r];
              want[b * ys + i * BJ_BLOCK + r] = sum;
            }
          }
        }
        for (int mode = GEMM_SET; mode <= GEMM_RELU_MASK; mode++) {
          memcpy(y, y0, yn * sizeof(real));
          const gemm_matrix a = {m, kn, w, rs, cs, with_bias ? bias : NULL, lo, hi, mask};
          gemm((gemm_mode)mode, a, nb, x, xs, y, ys);
          real worst = 0;
          for (long i = 0; i < yn; i++) {
            real right = want[i];
            if (i % ys >= (long)m * BJ_BLOCK) {
              right = y0[i]; /* between blocks: not touched */
            } else if (mode == GEMM_ADD) {
              right += y0[i];
            } else if (mode == GEMM_RELU) {
              right = right > 0 ? right : 0;
            } else if (mode == GEMM_RELU_MASK) {
              right = mask[i] <= 0 ? 0 : right;
            }
            if (!(fabs(y[i] - right) <= worst)) worst = fabs(y[i] - right);
          }
          check(worst <= 1e-15 * (kn + 4), "gemm %s, m %d, k %d, blocks %d, by row %d, bias %d, ranges %d: off by %g",
                mode_name[mode], m, kn, nb, by_row, with_bias, ranges, worst);
        }
      }
    }

    /* g with a leading dimension of m + 1: the spare row must stay as it was, as must what lies outside the ranges
     * unless it was computed */
    long ldg = m + 1, gn = ldg * (kn - 1) + m;
    real *g = gemm_numbers(gn, 8), *g0 = gemm_numbers(gn, 8);
    gemm_weight_grad(m, kn, nb, y0, ys, x, xs, g, ldg, lo, hi);
    real worst = 0;
    for (int k = 0; k < kn; k++) {
      for (int i = 0; i < m; i++) {
        real right = g0[i + k * ldg], got = g[i + k * ldg];
        for (int b = 0; b < nb; b++) {
          for (int r = 0; r < BJ_BLOCK; r++) right += y0[b * ys + i * BJ_BLOCK + r] * x[b * xs + k * BJ_BLOCK + r];
        }
        if ((k < k_lo[i] || k >= k_hi[i]) && got == g0[i + k * ldg]) right = got;
        if (!(fabs(got - right) <= worst)) worst = fabs(got - right);
      }
      if (k < kn - 1 && g[m + k * ldg] != g0[m + k * ldg]) worst = INFINITY;
    }
    check(worst <= 1e-15 * (nb * BJ_BLOCK + 4), "weight gradient, m %d, k %d, blocks %d, ranges %d: off by %g", m, kn,
          nb, ranges, worst);
    free(g);
    free(g0);
  }

  real *gb = gemm_numbers(m, 9), *gb0 = gemm_numbers(m, 9), worst = 0;
  gemm_bias_grad(m, nb, y0, ys, gb);
  for (int i = 0; i < m; i++) {
    real right = gb0[i];
    for (int b = 0; b < nb; b++) {
      for (int r = 0; r < BJ_BLOCK; r++) right += y0[b * ys + i * BJ_BLOCK + r];
    }
    if (!(fabs(gb[i] - right) <= worst)) worst = fabs(gb[i] - right);
  }
  check(worst <= 1e-15 * (nb * BJ_BLOCK + 4), "bias gradient, m %d, blocks %d: off by %g", m, nb, worst);
  free(w), free(x), free(bias), free(y0), free(y), free(want), free(mask), free(k_lo), free(k_hi), free(gb), free(gb0);
}

/* A row's result must not depend on the number of blocks, and NaN must not be lost in a relu. */
static void check_gemm_rows(int m, int kn) {
  long xs = (long)kn * BJ_BLOCK, ys = (long)m * BJ_BLOCK;
  real *w = gemm_numbers((long)m * kn, 1), *x = gemm_numbers(4 * xs, 2);
  real *y = gemm_numbers(4 * ys, 3), *alone = gemm_numbers(ys, 4);
  gemm(GEMM_SET, gemm_columns(w, m, kn, NULL), 4, x, xs, y, ys);
  for (int b = 0; b < 4; b++) {
    gemm(GEMM_SET, gemm_columns(w, m, kn, NULL), 1, x + b * xs, xs, alone, ys);
    check(memcmp(alone, y + b * ys, ys * sizeof(real)) == 0, "gemm, m %d, k %d: block %d alone is not the same", m, kn,
          b);
  }
  x[0] = NAN;
  gemm(GEMM_RELU, gemm_columns(w, m, kn, NULL), 1, x, xs, y, ys);
  check(y[0] != y[0] && y[1] == y[1], "gemm relu, m %d, k %d: a NaN was lost or has spread", m, kn);
  free(w), free(x), free(y), free(alone);
}

static void check_gemm(void) {
  static const int m_more[] = {31, 50}, k_more[] = {50};
  for (int m0 = 1; m0 <= 22; m0++) {
    for (int k0 = 1; k0 <= 21; k0++) {
      int m = m0 <= 20 ? m0 : m_more[m0 - 21], kn = k0 <= 20 ? k0 : k_more[k0 - 21];
      for (int nb = 1; nb <= 4; nb++) check_gemm_shape(m, kn, nb);
    }
  }
  check_gemm_shape(7, 1100, 2); /* several slabs of k */
  check_gemm_shape(9, 1024, 1);
  check_gemm_shape(3, 513, 3);
  check_gemm_shape(33, 29, 9); /* several groups of blocks */
  check_gemm_shape(2, 5, 9);
  check_gemm_rows(1, 3);
  check_gemm_rows(50, 50);
  check_gemm_rows(8, 600);
}

/* ---- timings ----------------------------------------------------------------------------------------------------- */

static double gemm_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* GF/s of independent multiply-adds in registers, best of several. */
static double gemm_peak(void) {
  double best = 1e9;
  static volatile real sink;
  real factor = 1 + 1e-9 * sink, term = 1e-9 * sink;
  for (int repeat = 0; repeat < 5; repeat++) {
    vreal sum[12], f = vset(factor), t = vset(term);
    UNROLL for (int i = 0; i < 12; i++) sum[i] = vset(i);
    double start = gemm_clock();
    for (int n = 0; n < 100000; n++) {
      UNROLL for (int i = 0; i < 12; i++) sum[i] = sum[i] * f + t;
    }
    double seconds = gemm_clock() - start;
    if (seconds < best) best = seconds;
    UNROLL for (int i = 1; i < 12; i++) sum[0] += sum[i];
    sink = vsum(sum[0]) * 1e-300;
  }
  return 2e5 * 12 * BJ_LANES / best * 1e-9;
}

#define GEMM_TIME(best, call)                          \
  do {                                                 \
    double start = gemm_clock();                       \
    for (int n = 0; n < calls; n++) call;              \
    double seconds = (gemm_clock() - start) / calls;   \
    if (repeat == 0 || seconds < best) best = seconds; \
  } while (0)

/* Forward, input gradient and weight gradient of a layer of m outputs and kn inputs. */
static void time_gemm_shape(int m, int kn, int nb) {
  long xs = (long)kn * BJ_BLOCK, ys = (long)m * BJ_BLOCK;
  void *memory[6];
  real *w = gemm_aligned((long)m * kn, 1, memory), *g = gemm_aligned((long)m * kn, 2, memory + 1);
  real *x = gemm_aligned(nb * xs, 3, memory + 2), *gx = gemm_aligned(nb * xs, 4, memory + 3);
  real *y = gemm_aligned(nb * ys, 5, memory + 4), *bias = gemm_aligned(m, 6, memory + 5);
  double flops = 2.0 * m * kn * nb * BJ_BLOCK, forward = 0, input = 0, weight = 0, bias_grad = 0, peak = 0;
  int calls = (int)(2e6 / flops) + 1;
  for (int repeat = 0; repeat < 25; repeat++) {
    if (repeat % 8 == 0) {
      double p = gemm_peak();
      if (p > peak) peak = p;
    }
    GEMM_TIME(forward, gemm(GEMM_RELU, gemm_columns(w, m, kn, bias), nb, x, xs, y, ys));
    gemm_matrix back = gemm_transpose(w, m, kn);
    back.mask = x;
    GEMM_TIME(input, gemm(GEMM_RELU_MASK, back, nb, y, ys, gx, xs));
    GEMM_TIME(weight, gemm_weight_grad(m, kn, nb, y, ys, x, xs, g, m, NULL, NULL));
    GEMM_TIME(bias_grad, gemm_bias_grad(m, nb, y, ys, bias));
  }
  double scale = flops * 1e-9;
  printf("%4d %4d %2d | %6.1f %3.0f %% | %6.1f %3.0f %% | %6.1f %3.0f %% | %6.1f us | peak %5.1f\n", m, kn, nb,
         scale / forward, 100 * scale / forward / peak, scale / input, 100 * scale / input / peak, scale / weight,
         100 * scale / weight / peak, 1e6 * bias_grad, peak);
  for (int i = 0; i < 6; i++) free(memory[i]);
}

/* GF/s and share of the peak of multiply-adds. */
static void time_gemm(void) {
  static const int shape[][2] = {{50, 1},   {2, 50},   {50, 4},    {8, 50},    {50, 8},
                                 {16, 50},  {26, 50},  {104, 50},  {50, 104},  {256, 32},
                                 {64, 256}, {512, 64}, {128, 512}, {512, 512}, {50, 50}};
  printf("   m    k nb |   forward     | input grad    | weight grad   | bias grad (lanes %d)\n", BJ_LANES);
  for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
    for (int nb = 1; nb <= 4; nb++) time_gemm_shape(shape[i][0], shape[i][1], nb);
  }
}

#endif
