/* What kernels that keep a tile of sums in registers share: how many registers there are, how a matrix is cut into
 * tiles, and squares of vectors, in which lanes and rows change places. */
#ifndef BJ_NUM_TILES_H
#define BJ_NUM_TILES_H

#include "num-simd.h"

#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define TILE_REGISTERS 32
#else
#define TILE_REGISTERS 16
#endif

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
 * distances 1, 2, 4, 8 this transposes a square, and adding the two results sums across lanes. */
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
#elif BJ_LANES == 8
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
#else
  if (distance == 1) {
    *a = SHUFFLE(low, high, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
    *b = SHUFFLE(low, high, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  } else if (distance == 2) {
    *a = SHUFFLE(low, high, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    *b = SHUFFLE(low, high, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  } else if (distance == 4) {
    *a = SHUFFLE(low, high, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    *b = SHUFFLE(low, high, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  } else {
    *a = SHUFFLE(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    *b = SHUFFLE(low, high, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
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
  if (BJ_LANES > 8) transpose_step(8, square);
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
  if (BJ_LANES > 8) sum_step(8, square);
  return square[0];
}

#endif
