/* Vectors of reals: the only file that knows how wide a vector is, what a real is, or the name of an intrinsic.
 *
 * BJ_LANES is set by the file that includes the core (core-baseline.c: 2, core-avx2.c: 4, core-avx512.c: 8; 1 where the
 * compiler has no GNU vectors). `+ - * /`, comparisons (giving a vmask) and `& | ^ ~ << >>` on vint are the language's.
 * A kernel is a loop `for (int r = 0; r < BJ_BLOCK; r += BJ_LANES)` over one coordinate of a block: no tails.
 */
#ifndef BJ_NUM_SIMD_H
#define BJ_NUM_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core.h"

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

#if BJ_LANES > 1
typedef real vreal __attribute__((vector_size(sizeof(real) * BJ_LANES)));
typedef int64_t vint __attribute__((vector_size(sizeof(real) * BJ_LANES)));
typedef uint64_t vuint __attribute__((vector_size(sizeof(real) * BJ_LANES)));
#else
typedef real vreal;
typedef int64_t vint;
typedef uint64_t vuint; /* for arithmetic on bits: wrapping is defined, and right shifts bring in zeros */
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

#if BJ_LANES == 8
#include <immintrin.h>
INLINE vreal vset(real x) { return (vreal)_mm512_set1_pd(x); }
INLINE vreal vmin(vreal a, vreal b) { return (vreal)_mm512_min_pd((__m512d)a, (__m512d)b); }
INLINE vreal vmax(vreal a, vreal b) { return (vreal)_mm512_max_pd((__m512d)a, (__m512d)b); }
INLINE vreal vsqrt(vreal a) { return (vreal)_mm512_sqrt_pd((__m512d)a); }
/* a where the mask is set, b elsewhere; masks come from comparisons and are all ones or all zeros a lane */
INLINE vreal vselect(vint mask, vreal a, vreal b) {
  return (vreal)_mm512_mask_blend_pd(_mm512_movepi64_mask((__m512i)mask), (__m512d)b, (__m512d)a);
}
INLINE int vany(vint mask) { return _mm512_movepi64_mask((__m512i)mask) != 0; }
#elif BJ_LANES == 4
#include <immintrin.h>
INLINE vreal vset(real x) { return (vreal)_mm256_set1_pd(x); }
INLINE vreal vmin(vreal a, vreal b) { return (vreal)_mm256_min_pd((__m256d)a, (__m256d)b); }
INLINE vreal vmax(vreal a, vreal b) { return (vreal)_mm256_max_pd((__m256d)a, (__m256d)b); }
INLINE vreal vsqrt(vreal a) { return (vreal)_mm256_sqrt_pd((__m256d)a); }
INLINE vreal vselect(vint mask, vreal a, vreal b) {
  return (vreal)_mm256_blendv_pd((__m256d)b, (__m256d)a, (__m256d)mask);
}
INLINE int vany(vint mask) { return _mm256_movemask_pd((__m256d)mask) != 0; }
#elif BJ_LANES == 2
INLINE vreal vset(real x) { return (vreal){x, x}; }
INLINE vreal vselect(vint mask, vreal a, vreal b) { return vfrombits((mask & vbits(a)) | (~mask & vbits(b))); }
INLINE int vany(vint mask) { return (mask[0] | mask[1]) != 0; }
#if defined(__SSE2__)
#include <emmintrin.h>
INLINE vreal vmin(vreal a, vreal b) { return (vreal)_mm_min_pd((__m128d)a, (__m128d)b); }
INLINE vreal vmax(vreal a, vreal b) { return (vreal)_mm_max_pd((__m128d)a, (__m128d)b); }
INLINE vreal vsqrt(vreal a) { return (vreal)_mm_sqrt_pd((__m128d)a); }
#else
INLINE vreal vmin(vreal a, vreal b) { return vselect(a < b, a, b); }
INLINE vreal vmax(vreal a, vreal b) { return vselect(a > b, a, b); }
INLINE vreal vsqrt(vreal a) { return (vreal){sqrt(a[0]), sqrt(a[1])}; }
#endif
#else
INLINE vreal vset(real x) { return x; }
INLINE vreal vmin(vreal a, vreal b) { return a < b ? a : b; }
INLINE vreal vmax(vreal a, vreal b) { return a > b ? a : b; }
INLINE vreal vsqrt(vreal a) { return sqrt(a); }
INLINE vreal vselect(vint mask, vreal a, vreal b) { return mask ? a : b; }
INLINE int vany(vint mask) { return mask != 0; }
#endif

/* Products of the low 32 bits of each lane, whatever stands in the high bits. Written as masks and `*`, gcc would make
 * full 64-bit products of it, of three times the cost. */
#if BJ_LANES == 8
INLINE vuint vmul32(vuint a, vuint b) { return (vuint)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
#elif BJ_LANES == 4
INLINE vuint vmul32(vuint a, vuint b) { return (vuint)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
#elif BJ_LANES == 2 && defined(__SSE2__)
INLINE vuint vmul32(vuint a, vuint b) { return (vuint)_mm_mul_epu32((__m128i)a, (__m128i)b); }
#else
INLINE vuint vmul32(vuint a, vuint b) { return (a & UINT64_C(0xffffffff)) * (b & UINT64_C(0xffffffff)); }
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
#else
  return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
#endif
}

INLINE vreal vabs(vreal x) { return vfrombits(vbits(x) & INT64_C(0x7fffffffffffffff)); }
INLINE vreal vcopysign(vreal magnitude, vreal sign) {
  return vfrombits((vbits(magnitude) & INT64_C(0x7fffffffffffffff)) | (vbits(sign) & INT64_MIN));
}

/* Calls a function that is always inlined, with `flag` as its last argument: compiled twice, with 1 and with 0. */
#define BY_FLAG(flag, function, ...) ((flag) ? function(__VA_ARGS__, 1) : function(__VA_ARGS__, 0))

/* Loop over one coordinate of a block. */
#define FOR_ROWS(r) for (int r = 0; r < BJ_BLOCK; r += BJ_LANES)

#include "num-math.h"

#endif
