/* Elementwise functions of vectors: exp, log, tanh, sigmoid, softplus, sin, cos and their relatives.
 *
 * Straight-line code out of + - * /, bit casts, min, max and select (only sin and cos branch, for huge arguments), so
 * that the processor can overlap several calls. No lane's result depends on another lane. The bound after each name is
 * the largest error in ulp (units in the last place of the true value) that tools/core-check.c asserts, at every number
 * of lanes, with and without fused multiply-add. NaN gives NaN everywhere.
 *
 * NaN needs care in clamps: vmin(a, b) and vmax(a, b) return b if either is NaN, so the clamped number stands second.
 */
#ifndef BJ_NUM_MATH_H
#define BJ_NUM_MATH_H

#include "num-simd.h"

/* Bits as unsigned integers, for arithmetic on exponents. */
INLINE vuint vubits(vreal v) { return (vuint)vbits(v); }
INLINE vreal vfromubits(vuint b) { return vfrombits((vint)b); }

/* ln 2 in two parts; the first has 21 zero bits at its end (9 of a float), so that k * LN2_HIGH is exact for every
 * exponent k. */
#define LN2_HIGH BY_REAL(6.93147180369123816490e-01, 6.9314575195e-01f)
#define LN2_LOW BY_REAL(1.90821492927058770002e-10, 1.4286068203e-06f)
#define LN2 ((real)0.69314718055994530942)
#define LOG2_E ((real)1.4426950408889634074)

/* Adding 1.5 * 2^52 (2^23 for a float) rounds to an integer, which then stands in the low bits of the sum. */
#define ROUND_MAGIC ((real)1.5 * REAL_INTEGERS)

/* ---- exponentials ------------------------------------------------------------------------------------------------ */

/* x = k ln 2 + r with an integer k and |r| <= ln(2)/2. Returns k + ROUND_MAGIC: k in its low bits. */
INLINE vreal exp_split(vreal x, vreal *r) {
  const vreal shifted = x * LOG2_E + ROUND_MAGIC;
  const vreal k = shifted - ROUND_MAGIC;
  const vreal high = x - k * LN2_HIGH;
  *r = high - k * LN2_LOW;
  return shifted;
}

/* 2^(k + offset) from what exp_split returned. k + offset = -REAL_BIAS gives 0. */
INLINE vreal exp_scale(vreal shifted, int offset) {
  return vfromubits((vubits(shifted) + (real_bits)(REAL_BIAS + offset)) << REAL_MANTISSA);
}

/* e^r - 1 for |r| <= ln(2)/2: the Taylor polynomial of degree 13 (remainder 4e-18). Pairs of terms keep the chain of
 * dependent operations short. */
INLINE vreal exp_polynomial(vreal r) {
  const vreal r2 = r * r, r4 = r2 * r2;
  const vreal c2 = 0.5 + r * (real)(1.0 / 6);
  const vreal c4 = (real)(1.0 / 24) + r * (real)(1.0 / 120);
  const vreal c6 = (real)(1.0 / 720) + r * (real)(1.0 / 5040);
  const vreal c8 = (real)(1.0 / 40320) + r * (real)(1.0 / 362880);
  const vreal c10 = (real)(1.0 / 3628800) + r * (real)(1.0 / 39916800);
  const vreal c12 = (real)(1.0 / 479001600) + r * (real)(1.0 / 6227020800);
  const vreal low = c4 + r2 * c6;
  const vreal high = c8 + r2 * c10 + r4 * c12;
  return r + r2 * (c2 + r2 * (low + r4 * high));
}

/* e^x (1.5 ulp). Inf above 709.78; 0 below -708.05, where true values are under 3.2e-308.
 *
 * e^x = e^r 2^(k-1) 2: the last factor lets the largest results be reached, and overflow, without a special case. The
 * lower clamp gives k = -1022, for which 2^(k-1) comes out as 0. */
INLINE vreal vexp(vreal x) {
  vreal r;
  const vreal shifted = exp_split(vmax(vset(REAL_EXP_MIN), vmin(vset(REAL_EXP_MAX), x)), &r);
  return (1.0 + exp_polynomial(r)) * exp_scale(shifted, -1) * 2.0;
}

/* e^x for x <= 0 (1.5 ulp), without what only large results need. 0 below -708.7. */
INLINE vreal exp_of_negative(vreal x) {
  vreal r;
  const vreal shifted = exp_split(vmax(vset(REAL_EXP_ZERO), x), &r);
  return (1.0 + exp_polynomial(r)) * exp_scale(shifted, 0);
}

/* (e^x - 1) / 2 for -40 <= x <= REAL_EXP_MAX: with s = 2^(k-1) it is s (e^r - 1) + (s - 1/2), and s - 1/2 is exact
 * where it matters. */
INLINE vreal half_expm1(vreal x) {
  vreal r;
  const vreal scale = exp_scale(exp_split(x, &r), -1);
  return scale * exp_polynomial(r) + (scale - 0.5);
}

/* e^x - 1 (3 ulp), relative accuracy near 0; below -40 it is -1 to the last bit. */
INLINE vreal vexpm1(vreal x) { return half_expm1(vmax(vset(-40.0), vmin(vset(REAL_EXP_MAX), x))) * 2.0; }

/* ---- logarithms -------------------------------------------------------------------------------------------------- */

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), for normal positive x. Returns m. */
INLINE vreal log_split(vreal x, vreal *k) {
  const vuint half_root = vubits(vset((real)0.70710678118654752440));
  const real_bits bias = 2 * (REAL_BIAS + 1);
  /* k + bias, in the bits of exponent and sign */
  const vuint biased = (vubits(x) - half_root + (bias << REAL_MANTISSA)) >> REAL_MANTISSA;
  *k = vfromubits(biased | REAL_INTEGERS_BITS) - (REAL_INTEGERS + bias);
  return vfromubits(vubits(x) - ((biased - bias) << REAL_MANTISSA));
}

/* k ln 2 + log(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1]. With s = f / (2 + f),
 * log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R(s^2)), R the minimax polynomial of fdlibm's e_log.c: the leading
 * terms f - f^2/2 carry almost no rounding error, and the rest is small. */
INLINE vreal log_polynomial(vreal f, vreal k) {
  const vreal s = f / (2.0 + f), z = s * s, w = z * z;
  const vreal odd =
      (real)6.666666666666735130e-01 +
      w * ((real)2.857142874366239149e-01 + w * ((real)1.818357216161805012e-01 + w * (real)1.479819860511658591e-01));
  const vreal even =
      w * ((real)3.999999999940941908e-01 + w * ((real)2.222219843214978396e-01 + w * (real)1.531383769920937332e-01));
  const vreal half_square = f * f * 0.5;
  return k * LN2_HIGH - ((half_square - (s * (half_square + (even + z * odd)) + k * LN2_LOW)) - f);
}

/* log x (1 ulp) for x that is known to be positive, normal and finite. */
INLINE vreal vlog_normal(vreal x) {
  vreal k;
  const vreal m = log_split(x, &k);
  return log_polynomial(m - 1.0, k);
}

/* The values of log at the edges of its domain; y is already right for 0 < x < Inf. */
INLINE vreal log_edges(vreal x, vreal y) {
  y = vselect(vlt(x, vset(INFINITY)), y, x);
  y = vselect(veq(x, vset(0.0)), vset(-INFINITY), y);
  return vfrombits(vbits(y) | vlt(x, vset(0.0))); /* all bits set is a NaN */
}

/* log x (1 ulp), subnormals included; -Inf at 0, NaN below. */
INLINE vreal vlog(vreal x) {
  const vint tiny = vlt(x, vset(REAL_MIN_NORMAL));
  vreal k;
  const vreal m = log_split(vselect(tiny, x * (4 * REAL_INTEGERS), x), &k);
  return log_edges(x, log_polynomial(m - 1.0, k - vselect(tiny, vset(REAL_MANTISSA + 2), vset(0.0))));
}

/* log(1 + x) (1.5 ulp), relative accuracy near 0; -Inf at -1, NaN below.
 *
 * y = 1 + x is rounded; y + lost is the exact sum, and f = (y + lost) 2^-k - 1. The scale is made as 2^(1-k), which is
 * representable (or 0) for every y. */
INLINE vreal vlog1p(vreal x) {
  const vreal y = 1.0 + x, back = y - 1.0;
  const vreal lost = (1.0 - (y - back)) + (x - back);
  vreal k;
  const vreal m = log_split(y, &k);
  const vreal double_scale = vfromubits(vubits(m) - vubits(y) + ((real_bits)(REAL_BIAS + 1) << REAL_MANTISSA));
  const vreal f = (m - 1.0) + lost * 0.5 * double_scale;
  return log_edges(y, log_polynomial(f, k));
}

/* log(1 + e) for e in [0, 1], without a split into exponent and mantissa: with s = e / (2 + e) <= 1/3 and z = s^2 it is
 * 2 atanh(s) = 2s + s T(z) = e - s (e - T(z)), T(z) = 2 (z/3 + z^2/5 + ...). T / z is interpolated at the Chebyshev
 * nodes of [0, 1/9] (error 8e-18). */
INLINE vreal log1p_unit(vreal e) {
  const vreal s = e / (2.0 + e), z = s * s, z2 = z * z, z4 = z2 * z2;
  const vreal c0 = (real)6.66666666666666630e-01 + z * (real)4.00000000000145850e-01;
  const vreal c2 = (real)2.85714285671087587e-01 + z * (real)2.22222227174278641e-01;
  const vreal c4 = (real)1.81817894361328586e-01 + z * (real)1.53855700649586230e-01;
  const vreal c6 = (real)1.33141442096549351e-01 + z * (real)1.20010728095907127e-01;
  const vreal c8 = (real)8.80073848614467413e-02 + z * (real)1.61640456119435338e-01;
  const vreal low = c0 + z2 * c2, high = c4 + z2 * c6;
  return e - s * (e - z * (low + z4 * (high + z4 * c8)));
}

/* ---- sigmoids ---------------------------------------------------------------------------------------------------- */

/* tanh x (3 ulp), relative accuracy near 0: t / (t + 1) with t = (e^(2|x|) - 1) / 2; 1 beyond 20. */
INLINE vreal vtanh(vreal x) {
  const vreal t = half_expm1(2.0 * vmin(vset(20.0), vabs(x)));
  return vcopysign(t / (t + 1.0), x);
}

/* tanh x and its slope for |x| <= 20, from one exponential and one division: with E = e^(2|x|) and t as above,
 * 4 E / (E + 1)^2 = (1 + 2t) / (t + 1)^2, where nothing cancels. */
INLINE vreal vtanh_with_slope(vreal x, vreal *slope) {
  const vreal t = half_expm1(2.0 * vabs(x)), over = 1.0 / (t + 1.0);
  *slope = (1.0 + 2.0 * t) * over * over;
  return vcopysign(t * over, x);
}

/* tanh of several vectors side by side, statement by statement, because one alone is a long chain of dependent
 * operations. The same numbers as vtanh. */
#define TANH_WAYS WAYS(4)
INLINE void vtanh_ways(vreal *a) {
  vreal rest[TANH_WAYS], shifted[TANH_WAYS], t[TANH_WAYS];
  UNROLL for (int k = 0; k < TANH_WAYS; k++) shifted[k] = exp_split(2.0 * vmin(vset(20.0), vabs(a[k])), rest + k);
  UNROLL for (int k = 0; k < TANH_WAYS; k++) t[k] = exp_polynomial(rest[k]);
  UNROLL for (int k = 0; k < TANH_WAYS; k++) rest[k] = exp_scale(shifted[k], -1);
  UNROLL for (int k = 0; k < TANH_WAYS; k++) t[k] = rest[k] * t[k] + (rest[k] - 0.5);
  UNROLL for (int k = 0; k < TANH_WAYS; k++) t[k] = t[k] / (t[k] + 1.0);
  UNROLL for (int k = 0; k < TANH_WAYS; k++) a[k] = vcopysign(t[k], a[k]);
}

/* One row of a block, in place. */
INLINE void vtanh_row(real *row) {
  for (int r = 0; r < BJ_BLOCK; r += TANH_WAYS * BJ_LANES) {
    vreal a[TANH_WAYS];
    UNROLL for (int k = 0; k < TANH_WAYS; k++) a[k] = vload(row + r + k * BJ_LANES);
    vtanh_ways(a);
    UNROLL for (int k = 0; k < TANH_WAYS; k++) vstore(row + r + k * BJ_LANES, a[k]);
  }
}

/* The sigmoid of x from e = e^-|x|: nothing overflows, and the small side e / (1 + e) keeps relative accuracy. */
INLINE vreal sigmoid_from_exp(vreal x, vreal e) {
  const vreal upper = 1.0 / (1.0 + e);
  return vselect(vlt(x, vset(0.0)), e * upper, upper);
}

/* 1 / (1 + e^-x) (3 ulp) */
INLINE vreal vsigmoid(vreal x) { return sigmoid_from_exp(x, exp_of_negative(-vabs(x))); }

/* log(1 + e^x) (2.5 ulp) = max(x, 0) + log(1 + e^-|x|) */
INLINE vreal vsoftplus(vreal x) { return vmax(vset(0.0), x) + log1p_unit(exp_of_negative(-vabs(x))); }

/* Softplus and its derivative from one exponential; the same numbers as vsoftplus and vsigmoid. */
INLINE vreal vsoftplus_sigmoid(vreal x, vreal *sigmoid) {
  const vreal e = exp_of_negative(-vabs(x));
  *sigmoid = sigmoid_from_exp(x, e);
  return vmax(vset(0.0), x) + log1p_unit(e);
}

/* The x for which vsoftplus(x) = y: log(e^y - 1) = y + log(1 - e^-y), which neither overflows for large y nor cancels
 * for small y. -Inf at 0, NaN below. 4 ulp, but near its root y = ln 2 the absolute error 2e-16 counts. */
INLINE vreal vinv_softplus(vreal y) { return y + vlog(-vexpm1(-y)); }

/* ---- sine and cosine --------------------------------------------------------------------------------------------- */

/* sin and cos of r + quadrant pi/2 for |r| <= pi/4, by the polynomials of fdlibm's k_sin.c and k_cos.c; only the low
 * two bits of quadrant count. */
INLINE void sincos_quadrant(vreal r, vuint quadrant, vreal *sine, vreal *cosine) {
  const vreal z = r * r;
  const vreal s =
      r + r * z *
              ((real)-1.66666666666666324348e-01 +
               z * ((real)8.33333333332248946124e-03 +
                    z * ((real)-1.98412698298579493134e-04 +
                         z * ((real)2.75573137070700676789e-06 +
                              z * ((real)-2.50507602534068634195e-08 + z * (real)1.58969099521155010221e-10)))));
  const vreal c =
      1.0 - 0.5 * z +
      z * z *
          ((real)4.16666666666666019037e-02 +
           z * ((real)-1.38888888888741095749e-03 +
                z * ((real)2.48015872894767294178e-05 +
                     z * ((real)-2.75573143513906633035e-07 +
                          z * ((real)2.08757232129817482790e-09 + z * (real)-1.13596475577881948265e-11)))));
  const vint odd = (vint) - (quadrant & 1);
  const vuint sine_sign = (quadrant & 2) << (REAL_WIDTH - 2), cosine_sign = ((quadrant + 1) & 2) << (REAL_WIDTH - 2);
  *sine = vfromubits(vubits(vselect(odd, c, s)) ^ sine_sign);
  *cosine = vfromubits(vubits(vselect(odd, s, c)) ^ cosine_sign);
}

/* Beyond this the reduction below would lose accuracy (q must stay under 2^20, of a float 2^9), and libm takes over. */
#define SINCOS_LIMIT BY_REAL(1e6, 800.0f)
/* pi/2 in three parts: the first two have 33 bits each (15 of a float), so that their products with q are exact */
#define HALF_PI_HIGH BY_REAL(1.57079632673412561417e+00, 1.57073974609375f)
#define HALF_PI_MIDDLE BY_REAL(6.07710050630396597660e-11, 5.657970905303955e-05f)
#define HALF_PI_LOW BY_REAL(2.02226624879595063154e-21, 9.920935796805e-10f)

/* Only the lanes beyond the limit: a value must not depend on its neighbours. */
NOINLINE void sincos_huge(const real *x, real *sine, real *cosine) {
  for (int lane = 0; lane < BJ_LANES; lane++) {
    if (fabs(x[lane]) <= SINCOS_LIMIT) continue;
    sine[lane] = sin(x[lane]);
    cosine[lane] = cos(x[lane]);
  }
}

/* sin x and cos x (2 ulp). x - q pi/2 is taken in three parts; what rounding takes from the second difference goes into
 * the third. */
INLINE void vsincos(vreal x, vreal *sine, vreal *cosine) {
  const vreal shifted = x * (real)0.63661977236758134308 + ROUND_MAGIC;
  const vreal q = shifted - ROUND_MAGIC;
  const vreal high = x - q * HALF_PI_HIGH;
  const vreal middle = high - q * HALF_PI_MIDDLE;
  const vreal lost = (high - middle) - q * HALF_PI_MIDDLE;
  const vreal r = middle + (lost - q * HALF_PI_LOW);
  sincos_quadrant(r, vubits(shifted), sine, cosine);
  if (!LIKELY(!vany(~vle(vabs(x), vset(SINCOS_LIMIT))))) {
    real in[BJ_LANES], out[2][BJ_LANES];
    vstore(in, x);
    vstore(out[0], *sine);
    vstore(out[1], *cosine);
    sincos_huge(in, out[0], out[1]);
    *sine = vload(out[0]);
    *cosine = vload(out[1]);
  }
}

INLINE vreal vsin(vreal x) {
  vreal sine, cosine;
  vsincos(x, &sine, &cosine);
  return sine;
}
INLINE vreal vcos(vreal x) {
  vreal sine, cosine;
  vsincos(x, &sine, &cosine);
  return cosine;
}

/* ---- hyperbolic functions and the reciprocal --------------------------------------------------------------------- */

/* sinh x (3 ulp), relative accuracy near 0: (t + t / (1 + t)) / 2 with t = e^|x| - 1. Inf beyond 709.78: there t is
 * Inf, but h = t / 2 is not, and h / (1 + t) is no Inf / Inf. */
INLINE vreal vsinh(vreal x) {
  const vreal h = half_expm1(vmin(vset(REAL_EXP_MAX), vabs(x))), t = 2.0 * h;
  return vcopysign(0.5 * t + h / (1.0 + t), x);
}

/* cosh x (2 ulp). Inf beyond 709.78. */
INLINE vreal vcosh(vreal x) {
  const vreal e = vexp(vabs(x));
  return 0.5 * e + 0.5 / e;
}

/* asinh x (2 ulp), relative accuracy near 0: log(1 + a + a^2 / (1 + sqrt(1 + a^2))) with a = |x|; log(2 a) for large a,
 * whose square would overflow. */
INLINE vreal vasinh(vreal x) {
  const vreal a = vabs(x), square = a * a;
  const vint large = vlt(vset(REAL_PLUS_ONE), a);
  const vreal argument = vselect(large, a, a + square / (1.0 + vsqrt(1.0 + square)));
  return vcopysign(vlog1p(argument) + vselect(large, vset(LN2), vset(0.0)), x);
}

/* 1 / x (0.5 ulp): the divider is faster than Newton steps wherever there is no good first approximation. */
INLINE vreal vrecip(vreal x) { return 1.0 / x; }

#endif
