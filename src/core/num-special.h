/* Functions that few kinds need: the root of a cubic, atan, the normal distribution function, its quantiles
 * and its tail.
 *
 * Straight-line code as in num-math.h, whose rules hold here too.
 */
#ifndef BJ_NUM_SPECIAL_H
#define BJ_NUM_SPECIAL_H

#include "num-simd.h"

/* ---- cubic roots ------------------------------------------------------------------------------------------------- */

/* The root h in (0, 1] of s h^3 + h = 1 for 0 <= s <= 2^700 (2^80), and the reciprocal r of the slope 1 + 3 s h^2 there
 * (1.5 and 6 ulp), for n vectors, n a constant: the chain of dependent operations is long, so several run side by side.
 *
 * The root w of a w + b w^3 = v, a, b > 0, is then v h / a with s = v^2 b / a^3, and 1 / (a + 3 b w^2) is r / a: no
 * square root, no cases, no cancellation. The start (1 + 0.9547 s)^(-1/3) comes from the bits of the exponent and is
 * right to 11 %. A step of Halley, with residual e and slope d, adds e d / (d^2 + 3 e s h): errors of 1e-3 and 5e-10. A
 * step of Newton finishes. */
#define CUBIC_MAX_ROOTS 4
/* the bits from CUBIC_SHIFT on are, roughly, CUBIC_SCALE (log2 + REAL_BIAS), and a number that a real can hold */
#define CUBIC_SHIFT BY_REAL(32, 8)
#define CUBIC_SCALE BY_REAL(0x1p20, 0x1p15)
INLINE void cubic_roots(int n, const vreal *s, vreal *h, vreal *r) {
  vreal sh[CUBIC_MAX_ROOTS], g[CUBIC_MAX_ROOTS], e[CUBIC_MAX_ROOTS], d[CUBIC_MAX_ROOTS];
#define EACH UNROLL for (int k = 0; k < n; k++)
  EACH {
    const vreal q = 1.0 + (real)0.9546974 * s[k];
    const vreal high = vfromubits((vubits(q) >> CUBIC_SHIFT) | REAL_INTEGERS_BITS) - REAL_INTEGERS;
    const vreal root =
        high * (real)(-1.0 / 3) + (real)(CUBIC_SCALE * (REAL_BIAS * 4.0 / 3 - 0.2116678) + REAL_INTEGERS);
    h[k] = vfromubits(vubits(root) << CUBIC_SHIFT);
  }
  for (int step = 0; step < 2; step++) {
    EACH {
      sh[k] = s[k] * h[k];
      g[k] = sh[k] * h[k];
      e[k] = (1.0 - h[k]) - g[k] * h[k];
      d[k] = 1.0 + 3.0 * g[k];
    }
    EACH h[k] = h[k] + e[k] * d[k] / (d[k] * d[k] + 3.0 * e[k] * sh[k]);
  }
  EACH {
    sh[k] = s[k] * h[k];
    g[k] = sh[k] * h[k];
    e[k] = (1.0 - h[k]) - g[k] * h[k];
    r[k] = 1.0 / (1.0 + 3.0 * g[k]);
  }
  EACH {
    h[k] = h[k] + e[k] * r[k];
    d[k] = 1.0 + 3.0 * (s[k] * h[k]) * h[k];
  }
  EACH r[k] = r[k] + r[k] * (1.0 - d[k] * r[k]);
#undef EACH
}

/* ---- atan -------------------------------------------------------------------------------------------------------- */

/* atan x (3 ulp). An argument above 1 becomes 1 / x, and then one above tan(pi/8) becomes (x - 1) / (x + 1); the rest
 * is the polynomial of fdlibm's s_atan.c. */
INLINE vreal vatan(vreal x) {
  const vreal a = vabs(x);
  const vint steep = vlt(vset(1), a);
  const vreal unit = vselect(steep, 1.0 / a, a);
  const vint upper = vlt(vset((real)0.41421356237309503), unit);
  const vreal t = vselect(upper, (unit - 1.0) / (unit + 1.0), unit), z = t * t, w = z * z;
  const vreal even =
      z * ((real)3.33333333333329318027e-01 +
           w * ((real)1.42857142725034663711e-01 +
                w * ((real)9.09088713343650656196e-02 +
                     w * ((real)6.66107313738753120669e-02 +
                          w * ((real)4.97687799461593236017e-02 + w * (real)1.62858201153657823623e-02)))));
  const vreal odd = w * ((real)-1.99999999998764832476e-01 +
                         w * ((real)-1.11111104054623557880e-01 +
                              w * ((real)-7.69187620504482999495e-02 +
                                   w * ((real)-5.83357013379057348645e-02 + w * (real)-3.65315727442169155270e-02))));
  const vreal small = t - t * (even + odd);
  const vreal within = vselect(upper, (real)0.78539816339744830962 + (small + (real)3.06161699786838301793e-17), small);
  const vreal all = vselect(steep, (real)1.57079632679489661923 - (within - (real)6.12323399573676603587e-17), within);
  return vcopysign(all, x);
}

/* ---- the normal distribution ------------------------------------------------------------------------------------- */

#define LOG_SQRT_2PI ((real)0.91893853320467274178)

/* Without the lower half of the digits. */
#define NORMAL_UPPER (REAL_INT_MAX - (((real_int)1 << BY_REAL(27, 12)) - 1))
/* e^-rest */
#define NORMAL_REST(rest) BY_REAL((1.0 - (rest) * (1.0 - (rest) * (0.5 - (rest) * (1.0 / 6)))), vexp(-(rest)))

/* exp(-a^2 / 2) for a >= 0 (2 ulp): a is split, so that the square of its upper half is exact. */
INLINE vreal normal_kernel(vreal a) {
  const vreal upper = vfrombits(vbits(a) & NORMAL_UPPER);
  const vreal rest = 0.5 * (a - upper) * (a + upper); /* below 4e-5, of floats 0.1 */
  return vexp((real)-0.5 * upper * upper) * NORMAL_REST(rest);
}

/* Phi(-a) = exp(-a^2 / 2) R(a). Returns (a + 3) R(a) for 0 <= a <= NORMAL_FAR: a polynomial in t = (a - 6) / (a + 6),
 * fitted at Chebyshev nodes (error 2e-17). */
#define NORMAL_FAR ((real)38.6)
INLINE vreal normal_ratio(vreal a) {
  static const real c[22] = {
      0.583013828920021619,     -0.331418829219808466,     0.25147441146337947,      -0.168185466378011187,
      0.0975047879368978191,    -0.0475166125876213592,    0.0182088787452346203,    -0.00444600771544981732,
      -0.000223963503316216587, 0.000908751234405057051,   -0.000508248105877497162, 0.000144238133421968351,
      -3.22654262427179498e-6,  -0.0000153831878134410734, 5.37243711142546866e-6,   3.55283756569865918e-7,
      -7.80670295259285122e-7,  1.14706496592333692e-7,    8.88731747477166519e-8,   -2.02235441344172537e-8,
      -9.47237265144431418e-9,  3.55020463310668213e-11};
  const vreal t = (a - 6.0) / (a + 6.0), t2 = t * t;
  vreal even = vset(c[20]), odd = vset(c[21]);
  UNROLL for (int i = 18; i >= 0; i -= 2) {
    even = even * t2 + c[i];
    odd = odd * t2 + c[i + 1];
  }
  return even + t * odd;
}

/* The distribution function of N(0, 1) (8 ulp while above 1e-300; 0 below -38.4). */
INLINE vreal vpnorm(vreal x) {
  const vreal a = vmin(vset(NORMAL_FAR), vabs(x));
  const vreal tail = normal_kernel(a) * normal_ratio(a) / (a + 3.0);
  return vselect(vlt(x, vset(0)), tail, 1.0 - tail);
}

#define K(a) ((real)(a))
#define RATIO_7(r, a0, a1, a2, a3, a4, a5, a6, a7, b1, b2, b3, b4, b5, b6, b7)                               \
  ((((((((K(a7) * r + K(a6)) * r + K(a5)) * r + K(a4)) * r + K(a3)) * r + K(a2)) * r + K(a1)) * r + K(a0)) / \
   (((((((K(b7) * r + K(b6)) * r + K(b5)) * r + K(b4)) * r + K(b3)) * r + K(b2)) * r + K(b1)) * r + 1.0))

/* The quantiles of N(0, 1): Wichura's algorithm AS 241 (1988), three ratios of polynomials. Of p = 1/2 + q for
 * |q| <= 0.425, and the absolute one of p = exp(-root^2) for 1.6 <= root <= 27. */
#define QNORM_MIDDLE ((real)0.425)
INLINE vreal qnorm_middle(vreal q) {
  const vreal r = (real)0.180625 - q * q;
  return q * RATIO_7(r, 3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
                     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
                     42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867,
                     39307.89580009271061, 28729.085735721942674, 5226.495278852545925);
}
INLINE vreal qnorm_tail(vreal root) {
  const vreal near = root - (real)1.6, far = root - 5.0;
  const vreal tail_near =
      RATIO_7(near, 1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
              1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4,
              2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455, 0.14810397642748007459,
              0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9);
  const vreal tail_far =
      RATIO_7(far, 6.6579046435011037772, 5.4637849111641143699, 1.7848265399172913358, 0.29656057182850489123,
              0.026532189526576123093, 0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
              0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525, 7.868691311456132591e-4,
              1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15);
  return vselect(vlt(vset(5), root), tail_far, tail_near);
}

/* The quantile of N(0, 1) for 0 < p < 1 (relative error 1e-15). */
INLINE vreal vqnorm(vreal p) {
  const vreal q = p - 0.5, small = vmin(p, 1.0 - p);
  const vreal tail = vcopysign(qnorm_tail(vsqrt(-vlog(small))), q);
  return vselect(vle(vabs(q), vset(QNORM_MIDDLE)), qnorm_middle(q), tail);
}
#undef RATIO_7
#undef K

/* ---- the tail of the normal distribution on the log scale -------------------------------------------------------- */

#define SQRT_2PI ((real)2.50662827463100050242)

/* E = -log erfc(a / sqrt 2), its derivative h and h - a, for 0 <= a <= REAL_SQUARE, with relative accuracy (1e-15; but
 * h - a, which falls as 1 / a, loses the digits of a^2 up to NORMAL_FAR).
 *
 * E = a^2 / 2 - log(2 R), h = 1 / (sqrt(2 pi) R), with R as above and beyond it a sqrt(2 pi) R = 1 - c,
 * c = 1 / a^2 - 3 / a^4 + 15 / a^6 - ...; up to 1, where that cancels, E = -log(1 - erf(a / sqrt 2)), erf a series.
 */
typedef struct {
  vreal e, h, excess;
} normal_tail;
INLINE normal_tail normal_tail_at(vreal a) {
  static const real c[16] = {
      0.797884560802865356,    -0.132980760133810893,     0.0199471140200716339,   -0.0023746564309609088,
      0.000230869375232310578, -0.0000188893125190072291, 1.33193870326333025e-6,  -8.24533482972537777e-8,
      4.54705964874561274e-9,  -2.26023432832384259e-10,  1.02248695805126212e-11, -4.24352294843409182e-13,
      1.6266837968997352e-14,  -5.79303346474264671e-16,  1.92625496980358942e-17, -6.00660151874237563e-19};
  const vreal one = vmin(vset(1), a), z = one * one;
  vreal series = vset(c[15]);
  UNROLL for (int i = 14; i >= 0; i--) series = series * z + c[i];

  const vint far = vlt(vset(NORMAL_FAR), a);
  const vreal middle = vmin(vset(NORMAL_FAR), a), over = 1.0 / vmax(vset(NORMAL_FAR), a), q = over * over;
  const vreal rest = q * (1.0 - 3.0 * q * (1.0 - 5.0 * q * (1.0 - 7.0 * q * (1.0 - 9.0 * q))));
  const vreal ratio = vselect(far, (1.0 - rest) * over * (1 / SQRT_2PI), normal_ratio(middle) / (middle + 3.0));
  const vreal h = (1 / SQRT_2PI) / ratio;
  const vreal e = vselect(vlt(vset(1), a), 0.5 * a * a - vlog(2.0 * ratio), -vlog1p(-(one * series)));
  return (normal_tail){e, h, vselect(far, a * rest / (1.0 - rest), h - a)};
}

/* The a >= 0 with -log erfc(a / sqrt 2) = e, 0 <= e <= REAL_SQUARE^2 / 4 (relative error 2e-15). As a quantile it is
 * that of p = exp(-e) / 2; where AS 241 ends, two steps of Newton from a^2 = 2 e - log(pi e), with errors 1e-4, 1e-10
 * and 0. */
INLINE vreal normal_tail_root(vreal e) {
  const vreal q = (real)-0.5 * vexpm1(-e), root = vsqrt(e + LN2), last = vset(27);
  vreal a = vselect(vle(q, vset(QNORM_MIDDLE)), qnorm_middle(q), qnorm_tail(vmin(last, root)));
  const vint far = vlt(last, root);
  if (vany(far)) {
    const vreal large = vmax(vset(700), e);
    vreal b = vsqrt(2.0 * large - vlog((real)3.14159265358979324 * large));
    for (int step = 0; step < 2; step++) {
      const normal_tail at = normal_tail_at(b);
      b = b - (at.e - large) / at.h;
    }
    a = vselect(far, b, a);
  }
  return a;
}

#endif
