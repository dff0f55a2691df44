/* Vectors of reals: the only file that knows how wide a vector is, or the name of an intrinsic.
 *
 * BJ_LANES is set by the file that includes the core (core-baseline.c: 2, core-avx2.c: 4, core-avx512.c: 8, and twice
 * that were a real a float; 1 where the compiler has no GNU vectors). `+ - * /`, comparisons (giving a vmask) and
 * `& | ^ ~ << >>` on vint are the language's.
 * A kernel is a loop `for (int r = 0; r < BJ_BLOCK; r += BJ_LANES)` over one coordinate of a block: no tails.
 */
#ifndef BJ_NUM_SIMD_H
#define BJ_NUM_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "num-real.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused))
#define UNUSED __attribute__((unused))
#define NOINLINE static __attribute__((noinline, unused))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define INLINE static inline
#define UNUSED
#define NOINLINE static
#define LIKELY(condition) (condition)
#endif
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif

#define VECTOR_BYTES (BJ_LANES * REAL_BYTES)
#if BJ_LANES > 1
#define VECTOR(type) type __attribute__((vector_size(VECTOR_BYTES)))
#else
#define VECTOR(type) type
#endif
typedef real VECTOR(vreal);
typedef real_int VECTOR(vint);
typedef real_bits VECTOR(vuint); /* for arithmetic on bits: wrapping is defined, and right shifts bring in zeros */
/* Words of 64 bits, whatever a real is: as many as fill a vector of reals. */
#if VECTOR_BYTES > 8
#define VECTOR_WORDS (VECTOR_BYTES / 8)
typedef uint64_t VECTOR(vword);
#else
#define VECTOR_WORDS 1
typedef uint64_t vword;
#endif

INLINE vreal vload(const real *p) {
  vreal v;
  memcpy(&v, p, sizeof v);
  return v;
}
INLINE void vstore(real *p, vreal v) { memcpy(p, &v, sizeof v); }

/* Reinterpretation of the bits, in both directions. */
INLINE vint vbits(vreal v) {
  vint b;
  memcpy(&b, &v, sizeof b);
  return b;
}
INLINE vreal vfrombits(vint b) {
  vreal v;
  memcpy(&v, &b, sizeof v);
  return v;
}

/* An intrinsic for reals. */
#define MM(name) BY_REAL(name##_pd, name##_ps)
#if VECTOR_BYTES == 64
#include <immintrin.h>
typedef BY_REAL(__m512d, __m512) vnative;
#define MASK_OF(mask) BY_REAL(_mm512_movepi64_mask, _mm512_movepi32_mask)((__m512i)mask)
INLINE vreal vset(real x) { return (vreal)MM(_mm512_set1)(x); }
INLINE vreal vmin(vreal a, vreal b) { return (vreal)MM(_mm512_min)((vnative)a, (vnative)b); }
INLINE vreal vmax(vreal a, vreal b) { return (vreal)MM(_mm512_max)((vnative)a, (vnative)b); }
INLINE vreal vsqrt(vreal a) { return (vreal)MM(_mm512_sqrt)((vnative)a); }
/* a where the mask is set, b elsewhere; masks come from comparisons and are all ones or all zeros a lane */
INLINE vreal vselect(vint mask, vreal a, vreal b) {
  return (vreal)MM(_mm512_mask_blend)(MASK_OF(mask), (vnative)b, (vnative)a);
}
INLINE int vany(vint mask) { return MASK_OF(mask) != 0; }
#elif VECTOR_BYTES == 32
#include <immintrin.h>
typedef BY_REAL(__m256d, __m256) vnative;
INLINE vreal vset(real x) { return (vreal)MM(_mm256_set1)(x); }
INLINE vreal vmin(vreal a, vreal b) { return (vreal)MM(_mm256_min)((vnative)a, (vnative)b); }
INLINE vreal vmax(vreal a, vreal b) { return (vreal)MM(_mm256_max)((vnative)a, (vnative)b); }
INLINE vreal vsqrt(vreal a) { return (vreal)MM(_mm256_sqrt)((vnative)a); }
INLINE vreal vselect(vint mask, vreal a, vreal b) {
  return (vreal)MM(_mm256_blendv)((vnative)b, (vnative)a, (vnative)mask);
}
INLINE int vany(vint mask) { return MM(_mm256_movemask)((vnative)mask) != 0; }
#elif VECTOR_BYTES == 16
#if BJ_LANES == 2
INLINE vreal vset(real x) { return (vreal){x, x}; }
INLINE int vany(vint mask) { return (mask[0] | mask[1]) != 0; }
#else
INLINE vreal vset(real x) { return (vreal){x, x, x, x}; }
INLINE int vany(vint mask) { return (mask[0] | mask[1] | mask[2] | mask[3]) != 0; }
#endif
INLINE vreal vselect(vint mask, vreal a, vreal b) { return vfrombits((mask & vbits(a)) | (~mask & vbits(b))); }
#if defined(__SSE2__)
#include <emmintrin.h>
typedef BY_REAL(__m128d, __m128) vnative;
INLINE vreal vmin(vreal a, vreal b) { return (vreal)MM(_mm_min)((vnative)a, (vnative)b); }
INLINE vreal vmax(vreal a, vreal b) { return (vreal)MM(_mm_max)((vnative)a, (vnative)b); }
INLINE vreal vsqrt(vreal a) { return (vreal)MM(_mm_sqrt)((vnative)a); }
#else
INLINE vreal vmin(vreal a, vreal b) { return vselect(a < b, a, b); }
INLINE vreal vmax(vreal a, vreal b) { return vselect(a > b, a, b); }
INLINE vreal vsqrt(vreal a) {
  UNROLL for (int i = 0; i < BJ_LANES; i++) a[i] = sqrt(a[i]);
  return a;
}
#endif
#else
INLINE vreal vset(real x) { return x; }
INLINE vreal vmin(vreal a, vreal b) { return a < b ? a : b; }
INLINE vreal vmax(vreal a, vreal b) { return a > b ? a : b; }
INLINE vreal vsqrt(vreal a) { return sqrt(a); }
INLINE vreal vselect(vint mask, vreal a, vreal b) { return mask ? a : b; }
INLINE int vany(vint mask) { return mask != 0; }
#endif

/* Products of the low 32 bits of each word, whatever stands in the high bits. Written as masks and `*`, gcc would make
 * full 64-bit products of it, of three times the cost. */
#if VECTOR_BYTES == 64
INLINE vword vmul32(vword a, vword b) { return (vword)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
#elif VECTOR_BYTES == 32
INLINE vword vmul32(vword a, vword b) { return (vword)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
#elif VECTOR_BYTES == 16 && defined(__SSE2__)
INLINE vword vmul32(vword a, vword b) { return (vword)_mm_mul_epu32((__m128i)a, (__m128i)b); }
#else
INLINE vword vmul32(vword a, vword b) { return (a & UINT64_C(0xffffffff)) * (b & UINT64_C(0xffffffff)); }
#endif

/* Comparisons: masks that are all ones or all zeros a lane, also where a vector is one plain number. */
#if BJ_LANES > 1
INLINE vint vlt(vreal a, vreal b) { return (vint)(a < b); }
INLINE vint vle(vreal a, vreal b) { return (vint)(a <= b); }
INLINE vint veq(vreal a, vreal b) { return (vint)(a == b); }
#else
INLINE vint vlt(vreal a, vreal b) { return -(vint)(a < b); }
INLINE vint vle(vreal a, vreal b) { return -(vint)(a <= b); }
INLINE vint veq(vreal a, vreal b) { return -(vint)(a == b); }
#endif

/* Sum of the lanes, always in the same order: pairs of halves. */
INLINE real vsum(vreal v) {
#if BJ_LANES == 1
  return v;
#elif BJ_LANES == 2
  return v[0] + v[1];
#elif BJ_LANES == 4
  return (v[0] + v[2]) + (v[1] + v[3]);
#elif BJ_LANES == 8
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
#else
  real half[8];
  UNROLL for (int i = 0; i < 8; i++) half[i] = v[i] + v[i + 8];
  return ((half[0] + half[4]) + (half[2] + half[6])) + ((half[1] + half[5]) + (half[3] + half[7]));
#endif
}

/* to[i] += lane i. */
INLINE void vadd_to(real_sum *to, vreal v) {
#ifndef BJ_SUM_DOUBLE
  vstore(to, vload(to) + v);
#elif BJ_LANES > 1 && (defined(__clang__) || __GNUC__ >= 9)
  typedef float half __attribute__((vector_size(VECTOR_BYTES / 2)));
  typedef double whole __attribute__((vector_size(VECTOR_BYTES)));
  half parts[2];
  memcpy(parts, &v, sizeof v);
  UNROLL for (int i = 0; i < 2; i++) {
    whole sum;
    memcpy(&sum, to + i * (BJ_LANES / 2), sizeof sum);
    sum += __builtin_convertvector(parts[i], whole);
    memcpy(to + i * (BJ_LANES / 2), &sum, sizeof sum);
  }
#else
  real lane[BJ_LANES];
  vstore(lane, v);
  for (int i = 0; i < BJ_LANES; i++) to[i] += lane[i];
#endif
}

INLINE vreal vabs(vreal x) { return vfrombits(vbits(x) & REAL_INT_MAX); }
INLINE vreal vcopysign(vreal magnitude, vreal sign) {
  return vfrombits((vbits(magnitude) & REAL_INT_MAX) | (vbits(sign) & REAL_INT_MIN));
}

/* Calls a function that is always inlined, with `flag` as its last argument: compiled twice, with 1 and with 0. */
#define BY_FLAG(flag, function, ...) ((flag) ? function(__VA_ARGS__, 1) : function(__VA_ARGS__, 0))

/* n vectors of a block side by side, where it has so many. */
#define WAYS(n) (BJ_BLOCK / BJ_LANES < (n) ? BJ_BLOCK / BJ_LANES : (n))

/* Loop over one coordinate of a block. */
#define FOR_ROWS(r) for (int r = 0; r < BJ_BLOCK; r += BJ_LANES)

#include "num-math.h"

#endif
