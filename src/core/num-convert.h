/* Doubles to floats and back, for n numbers, a multiple of the lanes or not; and floats in the memory of doubles. */
#ifndef BJ_NUM_CONVERT_H
#define BJ_NUM_CONVERT_H

#include "num-carve.h"

#if BJ_LANES > 1 && !defined(BJ_SINGLE) && (defined(__clang__) || __GNUC__ >= 9)
#define CONVERT_VECTORS
#define CONVERT_EVEN(n) ((n) / BJ_LANES * BJ_LANES)
typedef float __attribute__((vector_size(BJ_LANES * 4))) vhalf; /* as many floats as a vector has doubles */
#else
#define CONVERT_EVEN(n) 0
#endif

/* `to` may be the memory of `from`: floats are written behind the doubles that are still to be read. */
INLINE void to_single(long n, const real *from, float *to) {
  const long even = CONVERT_EVEN(n);
#ifdef CONVERT_VECTORS
  for (long i = 0; i < even; i += BJ_LANES) {
    const vhalf v = __builtin_convertvector(vload(from + i), vhalf);
    memcpy(to + i, &v, sizeof v);
  }
#endif
  for (long i = even; i < n; i++) {
    real one;
    memcpy(&one, from + i, sizeof one);
    const float half = (float)one;
    memcpy(to + i, &half, sizeof half);
  }
}

/* to = from, and to += from. */
INLINE void from_single(long n, const float *from, real *to) {
  const long even = CONVERT_EVEN(n);
#ifdef CONVERT_VECTORS
  for (long i = 0; i < even; i += BJ_LANES) {
    vhalf v;
    memcpy(&v, from + i, sizeof v);
    vstore(to + i, __builtin_convertvector(v, vreal));
  }
#endif
  for (long i = even; i < n; i++) to[i] = from[i];
}
INLINE void add_single(long n, const float *from, real *to) {
  const long even = CONVERT_EVEN(n);
#ifdef CONVERT_VECTORS
  for (long i = 0; i < even; i += BJ_LANES) {
    vhalf v;
    memcpy(&v, from + i, sizeof v);
    vstore(to + i, vload(to + i) + __builtin_convertvector(v, vreal));
  }
#endif
  for (long i = even; i < n; i++) to[i] += from[i];
}

/* n rows of each block to floats, and back: fs and ts from one block to the next. */
INLINE void rows_to_single(int nb, int n, const real *from, long fs, float *to, long ts) {
  for (long b = 0; b < nb; b++) to_single((long)n * BJ_BLOCK, from + b * fs, to + b * ts);
}
INLINE void rows_from_single(int nb, int n, const float *from, long fs, real *to, long ts) {
  for (long b = 0; b < nb; b++) from_single((long)n * BJ_BLOCK, from + b * fs, to + b * ts);
}

/* The reals that have room for n floats, and n floats of the memory of reals. */
#define SINGLE_REALS(n) (((n) * (int64_t)sizeof(float) + (int64_t)sizeof(real) - 1) / (int64_t)sizeof(real))
INLINE float *carve_single(carver *from, int64_t n) { return (float *)carve(from, SINGLE_REALS(n)); }

#endif
