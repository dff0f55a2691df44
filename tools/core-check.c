/* Checks of the C core without R: what a grid, a known answer or a statistic can say of its numbers.
 *
 *   cc -std=gnu99 -O2 -DBJ_LANES=4 -mavx2 -mfma tools/core-check.c -o core-check -lm
 *   ./core-check                run every section; the exit status says whether all passed
 *   ./core-check math philox    run these sections
 *   ./core-check time           print ns an element
 *
 * A section is a function without arguments that calls check(), and a row in `sections`.
 */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BJ_ISA "check"
#define BJ_CORE bj_core_check
#include "../src/core/core.c"
#pragma GCC diagnostic ignored "-Wunused-function"

/* ---- the frame --------------------------------------------------------------------------------------------------- */

static int n_passed, n_failed;

/* Counts; the message says what went wrong, and is printed only then. */
__attribute__((format(printf, 2, 3))) static void check(int passed, const char *format, ...) {
  if (passed) {
    n_passed++;
    return;
  }
  n_failed++;
  va_list arguments;
  va_start(arguments, format);
  printf("FAILED: ");
  vprintf(format, arguments);
  printf("\n");
  va_end(arguments);
}

/* What a named check looks at, for its message. */
typedef struct {
  const char *kind, *direction; /* direction NULL: none */
  int d, n_condition;
  unsigned long seed; /* state of the generator below when the case began: it brings the case back */
} check_subject;

/* One check: n rows of `columns` numbers, column after column, are near `expected`, each by its own size. */
static void check_near(const check_subject *of, const char *name, int n, int columns, const double *got,
                       const double *expected, double tolerance) {
  int worst = -1, wrong = 0;
  double most = 0;
  for (int i = 0; i < n * columns; i++) {
    const double size = fabs(expected[i]) > 1 ? fabs(expected[i]) : 1, off = fabs(got[i] - expected[i]) / size;
    if (off < tolerance) continue;
    wrong++;
    if (worst < 0 || off > most || isnan(off)) worst = i, most = off;
  }
  check(worst < 0,
        "%s: %s, d = %d, %d conditions%s%s, case %#lx: [row %d, coordinate %d] is %.17g, should be %.17g "
        "(off by %.3g, tolerance %.3g); %d of %d numbers are off",
        name, of->kind, of->d, of->n_condition, of->direction ? ", " : "", of->direction ? of->direction : "", of->seed,
        worst % n + 1, worst / n + 1, worst < 0 ? 0 : got[worst], worst < 0 ? 0 : expected[worst], most, tolerance,
        wrong, n * columns);
}

/* Random numbers that owe nothing to the code under test (splitmix64). */
static uint64_t case_state = 1;
static uint64_t case_bits(void) {
  uint64_t z = (case_state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}
static double case_uniform(double low, double high) {
  return low + (high - low) * (double)(case_bits() >> 11) * 0x1p-53;
}

/* ---- sections of their own files --------------------------------------------------------------------------------- */

#include "core-check-flow.c"
#include "core-check-continuous.c"
#include "core-check-draws.c"
#include "core-check-gemm.c"
#include "core-check-default.c"
#include "core-check-specs.c"

/* ---- math -------------------------------------------------------------------------------------------------------- */

/* A vector function as a loop over an array (n a multiple of BJ_BLOCK), and the same in long double. */
typedef struct {
  const char *name;
  void (*apply)(int n, const real *x, real *y);
  long double (*reference)(long double x);
  double max_ulp;      /* as num-math.h and num-special.h state it */
  double max_absolute; /* errors below this pass, whatever they are in ulp */
  double time_low, time_high;
} math_function;

#define APPLY_ARRAY(name)                                                             \
  __attribute__((noinline)) static void array_##name(int n, const real *x, real *y) { \
    for (int i = 0; i < n; i += BJ_LANES) vstore(y + i, name(vload(x + i)));          \
  }

INLINE vreal sine_of_both(vreal x) {
  vreal sine, cosine;
  vsincos(x, &sine, &cosine);
  return sine;
}
INLINE vreal cosine_of_both(vreal x) {
  vreal sine, cosine;
  vsincos(x, &sine, &cosine);
  return cosine;
}
INLINE vreal sigmoid_of_both(vreal x) {
  vreal sigmoid;
  vsoftplus_sigmoid(x, &sigmoid);
  return sigmoid;
}
INLINE vreal softplus_of_both(vreal x) {
  vreal sigmoid;
  return vsoftplus_sigmoid(x, &sigmoid);
}
INLINE vreal cubic_root(vreal s) {
  vreal root, reciprocal;
  cubic_roots(1, &s, &root, &reciprocal);
  return root;
}
INLINE vreal cubic_reciprocal(vreal s) {
  vreal root, reciprocal;
  cubic_roots(1, &s, &root, &reciprocal);
  return reciprocal;
}
APPLY_ARRAY(cubic_root)
APPLY_ARRAY(cubic_reciprocal)
APPLY_ARRAY(vexp)
APPLY_ARRAY(vexpm1)
APPLY_ARRAY(vlog)
APPLY_ARRAY(vlog_normal)
APPLY_ARRAY(vlog1p)
APPLY_ARRAY(vtanh)
APPLY_ARRAY(vsigmoid)
APPLY_ARRAY(vsoftplus)
APPLY_ARRAY(sigmoid_of_both)
APPLY_ARRAY(softplus_of_both)
APPLY_ARRAY(vinv_softplus)
APPLY_ARRAY(vsin)
APPLY_ARRAY(vcos)
APPLY_ARRAY(sine_of_both)
APPLY_ARRAY(cosine_of_both)
APPLY_ARRAY(vsinh)
APPLY_ARRAY(vcosh)
APPLY_ARRAY(vasinh)
APPLY_ARRAY(vrecip)

static long double true_sigmoid(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static long double true_softplus(long double x) { return x < 0 ? log1pl(expl(x)) : x + log1pl(expl(-x)); }
static long double true_inv_softplus(long double y) { return y < 1 ? logl(expm1l(y)) : y + log1pl(-expl(-y)); }
static long double true_reciprocal(long double x) { return 1 / x; }
/* By Newton's steps from the right of the root, where the cubic is convex. */
static long double true_cubic_root(long double s) {
  long double h = 1;
  for (int step = 0; step < 1000; step++) h -= (s * h * h * h + h - 1) / (3 * s * h * h + 1);
  return h;
}
static long double true_cubic_reciprocal(long double s) {
  const long double h = true_cubic_root(s);
  return 1 / (1 + 3 * s * h * h);
}

enum {
  OF_EXP,
  OF_EXPM1,
  OF_LOG,
  OF_LOG_NORMAL,
  OF_LOG1P,
  OF_TANH,
  OF_SIGMOID,
  OF_SOFTPLUS,
  OF_SIGMOID_OF_BOTH,
  OF_SOFTPLUS_OF_BOTH,
  OF_INV_SOFTPLUS,
  OF_SIN,
  OF_COS,
  OF_SINE_OF_BOTH,
  OF_COSINE_OF_BOTH,
  OF_SINH,
  OF_COSH,
  OF_ASINH,
  OF_RECIPROCAL,
  OF_CUBIC_ROOT,
  OF_CUBIC_RECIPROCAL,
  OF_N_MATH
};

static const math_function math_functions[OF_N_MATH] = {
    [OF_EXP] = {"exp", array_vexp, expl, 1.5, 3.2e-308, -20, 20},
    [OF_EXPM1] = {"expm1", array_vexpm1, expm1l, 3, 5e-324, -20, 20},
    [OF_LOG] = {"log", array_vlog, logl, 1, 0, 1e-3, 1e3},
    [OF_LOG_NORMAL] = {"log (normal x)", array_vlog_normal, logl, 1, 0, 1e-3, 1e3},
    [OF_LOG1P] = {"log1p", array_vlog1p, log1pl, 1.5, 0, 0, 100},
    [OF_TANH] = {"tanh", array_vtanh, tanhl, 3, 5e-324, -5, 5},
    [OF_SIGMOID] = {"sigmoid", array_vsigmoid, true_sigmoid, 3, 3.2e-308, -20, 20},
    [OF_SOFTPLUS] = {"softplus", array_vsoftplus, true_softplus, 2.5, 3.2e-308, -20, 20},
    [OF_SIGMOID_OF_BOTH] = {"sigmoid (both)", array_sigmoid_of_both, true_sigmoid, 3, 3.2e-308, -20, 20},
    [OF_SOFTPLUS_OF_BOTH] = {"softplus (both)", array_softplus_of_both, true_softplus, 2.5, 3.2e-308, -20, 20},
    [OF_INV_SOFTPLUS] = {"inv_softplus", array_vinv_softplus, true_inv_softplus, 4, 2e-16, 0.01, 20},
    [OF_SIN] = {"sin", array_vsin, sinl, 2, 0, -10, 10},
    [OF_COS] = {"cos", array_vcos, cosl, 2, 0, -10, 10},
    [OF_SINE_OF_BOTH] = {"sin (both)", array_sine_of_both, sinl, 2, 0, -10, 10},
    [OF_COSINE_OF_BOTH] = {"cos (both)", array_cosine_of_both, cosl, 2, 0, -10, 10},
    [OF_SINH] = {"sinh", array_vsinh, sinhl, 3, 5e-324, -5, 5},
    [OF_COSH] = {"cosh", array_vcosh, coshl, 2, 0, -5, 5},
    [OF_ASINH] = {"asinh", array_vasinh, asinhl, 2, 0, -20, 20},
    [OF_RECIPROCAL] = {"reciprocal", array_vrecip, true_reciprocal, 0.5, 0, 0.5, 100},
    [OF_CUBIC_ROOT] = {"root of a cubic", array_cubic_root, true_cubic_root, 1.5, 0, 0, 10},
    [OF_CUBIC_RECIPROCAL] = {"slope there", array_cubic_reciprocal, true_cubic_reciprocal, 6, 0, 0, 10},
};

/* The ulp of a double near x. */
static long double ulp_at(long double x) {
  int exponent;
  frexpl(x, &exponent);
  return ldexpl(1.0L, (exponent > DBL_MIN_EXP ? exponent : DBL_MIN_EXP) - DBL_MANT_DIG);
}

typedef struct {
  double ulp, at; /* the worst error seen, and where */
} worst_error;

static worst_error worst[OF_N_MATH];

#define N_BATCH 1024

static void compare_batch(int function, const double *x) {
  const math_function *f = &math_functions[function];
  double y[N_BATCH];
  f->apply(N_BATCH, x, y);
  for (int i = 0; i < N_BATCH; i++) {
    const long double truth = f->reference(x[i]);
    const long double error = fabsl(y[i] - truth);
    if (isinf(y[i]) && fabsl(truth) > DBL_MAX && (y[i] > 0) == (truth > 0)) continue;
    if (error <= f->max_absolute) continue;
    const double ulp = isnan(y[i]) ? INFINITY : (double)(error / ulp_at(truth));
    if (ulp > worst[function].ulp) worst[function] = (worst_error){ulp, x[i]};
  }
}

/* Evenly spread over [low, high]. */
static void compare_even(int function, double low, double high, int n_batch) {
  double x[N_BATCH];
  for (int batch = 0; batch < n_batch; batch++) {
    for (int i = 0; i < N_BATCH; i++) x[i] = case_uniform(low, high);
    compare_batch(function, x);
  }
}

/* Magnitudes evenly spread in the logarithm over 2^[low, high]; sign 0 means both. */
static void compare_magnitudes(int function, double low, double high, int sign, int n_batch) {
  double x[N_BATCH];
  for (int batch = 0; batch < n_batch; batch++) {
    for (int i = 0; i < N_BATCH; i++) {
      x[i] = exp2(case_uniform(low, high));
      if (sign < 0 || (sign == 0 && case_bits() >> 63)) x[i] = -x[i];
    }
    compare_batch(function, x);
  }
}

/* The doubles next to whole multiples of a number, where an argument reduction changes over or cancels. */
static void compare_multiples(int function, long double step, int low, int high) {
  double x[N_BATCH];
  int filled = 0;
  for (int k = low; k <= high || filled > 0; k++) {
    x[filled++] =
        k <= high ? (double)(k * step + (int)(case_bits() % 5 - 2) * ulp_at(k * step)) : (double)(high * step);
    if (filled == N_BATCH) {
      compare_batch(function, x);
      filled = 0;
    }
  }
}

static void check_math(void) {
  const long double half_ln2 = 0.346573590279972654708616060729L, quarter_pi = 0.785398163397448309615660845820L;
  compare_even(OF_EXP, -746, 710.5, 200);
  compare_even(OF_EXP, -2, 2, 200);
  compare_magnitudes(OF_EXP, -60, 9.5, 0, 100);
  compare_multiples(OF_EXP, half_ln2, -2040, 2050);
  compare_even(OF_EXPM1, -50, 711, 200);
  compare_even(OF_EXPM1, -2, 2, 300);
  compare_magnitudes(OF_EXPM1, -1070, 9.5, 0, 100);
  compare_multiples(OF_EXPM1, half_ln2, -2040, 2050);
  for (int f = OF_LOG; f <= OF_LOG_NORMAL; f++) {
    compare_magnitudes(f, f == OF_LOG ? -1074 : -1022, 1023.99, 1, 300);
    compare_even(f, 0.5, 2, 300);
    compare_even(f, 0.999, 1.001, 100);
  }
  compare_even(OF_LOG1P, -1, 1, 300);
  compare_even(OF_LOG1P, -1, 1000, 100);
  compare_magnitudes(OF_LOG1P, -1074, 1023.99, 1, 200);
  compare_magnitudes(OF_LOG1P, -1074, 0, -1, 200);
  compare_even(OF_TANH, -25, 25, 200);
  compare_even(OF_TANH, -1, 1, 300);
  compare_magnitudes(OF_TANH, -1070, 10, 0, 200);
  for (int f = OF_SIGMOID; f <= OF_SOFTPLUS_OF_BOTH; f++) {
    compare_even(f, -746, 746, 100);
    compare_even(f, -50, 50, 100);
    compare_even(f, -3, 3, 200);
    compare_magnitudes(f, -100, 1000, 0, 50);
  }
  compare_even(OF_INV_SOFTPLUS, 0, 100, 100);
  compare_even(OF_INV_SOFTPLUS, 0, 3, 200);
  compare_magnitudes(OF_INV_SOFTPLUS, -1000, 1000, 1, 100);
  for (int f = OF_SIN; f <= OF_COSINE_OF_BOTH; f++) {
    compare_even(f, -10, 10, 200);
    compare_even(f, -1e5, 1e5, 200);
    compare_even(f, -1e6, 1e6, 100);
    compare_magnitudes(f, -1070, 25, 0, 100);
    compare_multiples(f, quarter_pi, -260000, 260000);
  }
  compare_even(OF_SINH, -709, 709, 200);
  compare_even(OF_SINH, -3, 3, 200);
  compare_magnitudes(OF_SINH, -1070, 9, 0, 100);
  compare_even(OF_COSH, -709, 709, 200);
  compare_even(OF_COSH, -3, 3, 200);
  compare_even(OF_ASINH, -10, 10, 300);
  compare_magnitudes(OF_ASINH, -1074, 1023.99, 0, 200);
  compare_magnitudes(OF_RECIPROCAL, -1000, 1000, 0, 50);
  for (int of = OF_CUBIC_ROOT; of <= OF_CUBIC_RECIPROCAL; of++) {
    compare_even(of, 0, 20, 20);
    compare_magnitudes(of, -60, 60, 1, 20);
    compare_magnitudes(of, -1000, 700, 1, 20);
  }

  for (int f = 0; f < OF_N_MATH; f++) {
    const math_function *function = &math_functions[f];
    printf("  %-16s max %.2f ulp (bound %.1f) at %.17g\n", function->name, worst[f].ulp, function->max_ulp,
           worst[f].at);
    check(worst[f].ulp <= function->max_ulp, "%s is off by %.2f ulp at %.17g", function->name, worst[f].ulp,
          worst[f].at);
  }
}

/* ---- math at special values -------------------------------------------------------------------------------------- */

typedef struct {
  int function;
  double x, y;
} special_value;

static int same_number(double a, double b) { return (isnan(a) && isnan(b)) || a == b; }

/* R's NA: a NaN whose low bits are not zero, which bit tricks could turn into a number. */
static double na_of_r(void) {
  const uint64_t bits = UINT64_C(0x7ff00000000007a2);
  double na;
  memcpy(&na, &bits, sizeof na);
  return na;
}

static void check_special(void) {
  const special_value table[] = {
      {OF_EXP, 0, 1},
      {OF_EXP, -0.0, 1},
      {OF_EXP, INFINITY, INFINITY},
      {OF_EXP, -INFINITY, 0},
      {OF_EXP, -1e300, 0},
      {OF_EXP, 1e300, INFINITY},
      {OF_EXP, 709.79, INFINITY},
      {OF_EXP, -745, 0},
      {OF_EXPM1, 0, 0},
      {OF_EXPM1, -0.0, 0},
      {OF_EXPM1, INFINITY, INFINITY},
      {OF_EXPM1, -INFINITY, -1},
      {OF_EXPM1, -1e300, -1},
      {OF_EXPM1, 709.79, INFINITY},
      {OF_LOG, 0, -INFINITY},
      {OF_LOG, -0.0, -INFINITY},
      {OF_LOG, 1, 0},
      {OF_LOG, INFINITY, INFINITY},
      {OF_LOG, -1, NAN},
      {OF_LOG, -INFINITY, NAN},
      {OF_LOG, -5e-324, NAN},
      {OF_LOG1P, 0, 0},
      {OF_LOG1P, -1, -INFINITY},
      {OF_LOG1P, INFINITY, INFINITY},
      {OF_LOG1P, -1.5, NAN},
      {OF_LOG1P, -INFINITY, NAN},
      {OF_TANH, 0, 0},
      {OF_TANH, INFINITY, 1},
      {OF_TANH, -INFINITY, -1},
      {OF_TANH, 1e300, 1},
      {OF_SIGMOID, 0, 0.5},
      {OF_SIGMOID, INFINITY, 1},
      {OF_SIGMOID, -INFINITY, 0},
      {OF_SIGMOID, -1e300, 0},
      {OF_SOFTPLUS, INFINITY, INFINITY},
      {OF_SOFTPLUS, -INFINITY, 0},
      {OF_SOFTPLUS, 1e300, 1e300},
      {OF_SOFTPLUS, -1e300, 0},
      {OF_SIGMOID_OF_BOTH, INFINITY, 1},
      {OF_SIGMOID_OF_BOTH, -INFINITY, 0},
      {OF_SOFTPLUS_OF_BOTH, INFINITY, INFINITY},
      {OF_SOFTPLUS_OF_BOTH, -INFINITY, 0},
      {OF_INV_SOFTPLUS, 0, -INFINITY},
      {OF_INV_SOFTPLUS, INFINITY, INFINITY},
      {OF_INV_SOFTPLUS, -1, NAN},
      {OF_SIN, 0, 0},
      {OF_SIN, INFINITY, NAN},
      {OF_COS, 0, 1},
      {OF_COS, -INFINITY, NAN},
      {OF_SINH, 0, 0},
      {OF_SINH, INFINITY, INFINITY},
      {OF_SINH, -INFINITY, -INFINITY},
      {OF_SINH, 712, INFINITY},
      {OF_COSH, 0, 1},
      {OF_COSH, INFINITY, INFINITY},
      {OF_COSH, -INFINITY, INFINITY},
      {OF_ASINH, 0, 0},
      {OF_ASINH, INFINITY, INFINITY},
      {OF_ASINH, -INFINITY, -INFINITY},
      {OF_RECIPROCAL, 0, INFINITY},
      {OF_RECIPROCAL, INFINITY, 0},
  };
  double x[BJ_BLOCK], y[BJ_BLOCK];
  for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
    /* An ordinary number beside the special one: a lane must not disturb its neighbours. */
    for (int i = 0; i < BJ_BLOCK; i++) x[i] = i % 2 ? 0.75 : table[row].x;
    const math_function *f = &math_functions[table[row].function];
    f->apply(BJ_BLOCK, x, y);
    check(same_number(y[0], table[row].y), "%s(%g) is %g, not %g", f->name, table[row].x, y[0], table[row].y);
    const double beside = y[1];
    for (int i = 0; i < BJ_BLOCK; i++) x[i] = 0.75;
    f->apply(BJ_BLOCK, x, y);
    check(beside == y[1], "%s(0.75) changes beside %g", f->name, table[row].x);
  }
  for (int function = 0; function < OF_N_MATH; function++) {
    if (function == OF_LOG_NORMAL) continue;
    const double nans[] = {NAN, -NAN, na_of_r()};
    for (int k = 0; k < 3; k++) {
      for (int i = 0; i < BJ_BLOCK; i++) x[i] = nans[k];
      math_functions[function].apply(BJ_BLOCK, x, y);
      check(isnan(y[0]), "%s(NaN number %d) is %g", math_functions[function].name, k, y[0]);
    }
  }
  for (int i = 0; i < BJ_BLOCK; i++) x[i] = -0.0;
  const int keeps_sign[] = {OF_TANH, OF_SINH, OF_ASINH};
  for (int k = 0; k < 3; k++) {
    math_functions[keeps_sign[k]].apply(BJ_BLOCK, x, y);
    check(y[0] == 0 && signbit(y[0]), "%s(-0) is not -0", math_functions[keeps_sign[k]].name);
  }
}

/* ---- random numbers ---------------------------------------------------------------------------------------------- */

/* Known answers from kat_vectors of the authors' library Random123. */
static void check_philox(void) {
  const struct {
    uint32_t counter[4], key[2], out[4];
  } table[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
    uint32_t out[4];
    philox(table[row].counter, table[row].key, out);
    for (int i = 0; i < 4; i++)
      check(out[i] == table[row].out[i], "philox case %d word %d is %08x, not %08x", (int)row, i, out[i],
            table[row].out[i]);
  }
}

static double uniform_of_words(uint32_t low, uint32_t high) {
  return ((double)((low | (uint64_t)high << 32) >> 12) + 0.5) * 0x1p-52;
}

/* Whole blocks against one counter at a time; rows may start anywhere, also across 2^32. */
static void check_uniform(void) {
  const uint64_t first_rows[] = {
      0, 1, 32, 1000003, UINT64_C(0xfffffff5), UINT64_C(0x123456789abcdef0), UINT64_MAX - 40};
  const uint64_t seed = UINT64_C(0x0123456789abcdef);
  for (size_t start = 0; start < sizeof first_rows / sizeof first_rows[0]; start++) {
    for (uint32_t index = 0; index < 3; index++) {
      real u[BJ_BLOCK], v[BJ_BLOCK];
      int n_different = 0;
      random_uniform2(seed, first_rows[start], index, u, v);
      for (int r = 0; r < BJ_BLOCK; r++) {
        const uint64_t row = first_rows[start] + (uint64_t)r;
        const uint32_t counter[4] = {(uint32_t)row, (uint32_t)(row >> 32), index, ROW_STREAM};
        const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
        uint32_t out[4];
        philox(counter, key, out);
        n_different += u[r] != uniform_of_words(out[0], out[1]) || v[r] != uniform_of_words(out[2], out[3]);
      }
      check(n_different == 0, "%d uniforms differ from row %llu, index %u", n_different,
            (unsigned long long)first_rows[start], index);
    }
  }

  const uint64_t ends[2] = {0, UINT64_MAX};
  for (int end = 0; end < 2; end++) {
    real u[BJ_BLOCK];
    store_uniform(u, vwset(ends[end]));
    check(u[0] > 0 && u[0] < 1, "the uniform of extreme bits is %g", u[0]);
  }
}

/* A count that should be binomial(n, p): within 5 standard deviations. */
static void check_count(const char *what, double count, double n, double p) {
  const double distance = (count - n * p) / sqrt(n * p * (1 - p));
  check(fabs(distance) < 5, "%s: %.0f of %.0f, %.1f standard deviations off", what, count, n, distance);
}

static void check_normal(void) {
  enum { N_BLOCK = 60000 };
  const double n = 2.0 * N_BLOCK * BJ_BLOCK;
  const double tails[] = {0.5, 1, 2, 3, 4, 4.5};
  double above[6] = {0}, below[6] = {0};
  double power[5] = {0}, cross = 0, cross_square = 0, lagged = 0;
  for (int block = 0; block < N_BLOCK; block++) {
    real pair[2][BJ_BLOCK];
    random_normal2(20240607, (uint64_t)block * BJ_BLOCK, 3, pair[0], pair[1]);
    for (int r = 0; r < BJ_BLOCK; r++) {
      const double a = pair[0][r], b = pair[1][r];
      cross += a * b;
      cross_square += (a * a - 1) * (b * b - 1);
      lagged += a * pair[0][(r + 1) % BJ_BLOCK];
      for (int half = 0; half < 2; half++) {
        const double z = pair[half][r];
        power[1] += z;
        power[2] += z * z;
        power[3] += z * z * z;
        power[4] += z * z * z * z;
        for (int k = 0; k < 6; k++) {
          above[k] += z > tails[k];
          below[k] += z < -tails[k];
        }
      }
    }
  }
  /* Means and variances of the powers of a standard normal: 0 1 0 3; 1 2 15 96. */
  const double mean[5] = {1, 0, 1, 0, 3}, variance[5] = {0, 1, 2, 15, 96};
  for (int k = 1; k <= 4; k++) {
    const double distance = (power[k] - n * mean[k]) / sqrt(n * variance[k]);
    check(fabs(distance) < 5, "moment %d of the normals is %.1f standard deviations off", k, distance);
  }
  check(fabs(cross) < 5 * sqrt(n / 2), "the two normals of a row are correlated");
  check(fabs(cross_square) < 5 * sqrt(4 * n / 2), "the squares of the two normals of a row are correlated");
  check(fabs(lagged) < 5 * sqrt(n / 2), "normals of neighbouring rows are correlated");
  for (int k = 0; k < 6; k++) {
    const double p = 0.5 * erfc(tails[k] / sqrt(2.0));
    check_count("normals in the upper tail", above[k], n, p);
    check_count("normals in the lower tail", below[k], n, p);
  }

  /* The normals are Box and Muller's of the uniforms, in every last bit but a few. */
  real u[BJ_BLOCK], v[BJ_BLOCK], a[BJ_BLOCK], b[BJ_BLOCK];
  double largest = 0;
  for (uint32_t index = 0; index < 1000; index++) {
    random_uniform2(7, 0, index, u, v);
    random_normal2(7, 0, index, a, b);
    for (int r = 0; r < BJ_BLOCK; r++) {
      const long double radius = sqrtl(-2 * logl(u[r])), angle = 6.28318530717958647692528676656L * v[r];
      largest = fmax(largest, (double)fmaxl(fabsl(a[r] - radius * cosl(angle)), fabsl(b[r] - radius * sinl(angle))));
    }
  }
  check(largest < 4e-15, "normals are off Box and Muller's formula by %g", largest);
}

static void check_rng(void) {
  enum { N_DRAW = 400000, N_BIN = 64 };
  bj_rng rng = rng_start(42, 5), again = rng_start(42, 5), other = rng_start(42, 6);
  double bins[N_BIN] = {0}, sum = 0, square = 0;
  int n_same = 0, n_unequal = 0, n_outside = 0;
  for (int i = 0; i < N_DRAW; i++) {
    const double u = rng_uniform(&rng);
    n_unequal += u != rng_uniform(&again);
    n_same += u == rng_uniform(&other);
    n_outside += !(u > 0 && u < 1);
    bins[(int)(u * N_BIN)]++;
  }
  check(n_unequal == 0, "the same seed and stream give other numbers");
  check(n_same == 0, "two streams share %d numbers", n_same);
  check(n_outside == 0, "%d uniforms are outside (0, 1)", n_outside);
  for (int bin = 0; bin < N_BIN; bin++) check_count("uniforms in a bin", bins[bin], N_DRAW, 1.0 / N_BIN);

  for (int i = 0; i < N_DRAW; i++) {
    const double z = rng_normal(&rng);
    sum += z;
    square += z * z;
  }
  check(fabs(sum) < 5 * sqrt((double)N_DRAW), "rng_normal has mean %g", sum / N_DRAW);
  check(fabs(square - N_DRAW) < 5 * sqrt(2.0 * N_DRAW), "rng_normal has variance %g", square / N_DRAW);

  const uint64_t bounds[] = {1, 2, 3, 7, 8, 10};
  for (size_t k = 0; k < sizeof bounds / sizeof bounds[0]; k++) {
    double counts[10] = {0};
    int n_beyond = 0;
    for (int i = 0; i < N_DRAW; i++) {
      const uint64_t draw = rng_below(&rng, bounds[k]);
      if (draw < bounds[k])
        counts[draw]++;
      else
        n_beyond++;
    }
    check(n_beyond == 0, "rng_below(%d) gave larger numbers", (int)bounds[k]);
    if (bounds[k] == 1) continue;
    for (uint64_t i = 0; i < bounds[k]; i++) check_count("rng_below", counts[i], N_DRAW, 1.0 / (double)bounds[k]);
  }
  /* All lower bits of the bound minus one are 0: the mask must still let them through. */
  const uint64_t huge = (UINT64_C(1) << 63) + 1;
  double in_eighth[9] = {0}, n_odd = 0;
  for (int i = 0; i < N_DRAW; i++) {
    const uint64_t draw = rng_below(&rng, huge);
    in_eighth[draw < huge ? draw >> 60 : 8]++;
    n_odd += draw & 1;
  }
  for (int k = 0; k < 8; k++) check_count("rng_below of a huge bound", in_eighth[k], N_DRAW, 1.0 / 8);
  check_count("odd numbers below a huge bound", n_odd, N_DRAW, 0.5);
}

/* ---- timing ------------------------------------------------------------------------------------------------------ */

static double seconds_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { N_TIMED = 512, N_REPEAT = 20, N_TRY = 2000 };

#define BEST_NS(best, n_element, statement)                                    \
  do {                                                                         \
    (best) = INFINITY;                                                         \
    for (int try = 0; try < N_TRY; try++) {                                    \
      const double start = seconds_now();                                      \
      for (int repeat = 0; repeat < N_REPEAT; repeat++) statement;             \
      (best) = fmin((best), (seconds_now() - start) / N_REPEAT / (n_element)); \
    }                                                                          \
    (best) *= 1e9;                                                             \
  } while (0)

__attribute__((noinline)) static void array_sine_and_cosine(int n, const real *x, real *sine, real *cosine) {
  for (int i = 0; i < n; i += BJ_LANES) {
    vreal s, c;
    vsincos(vload(x + i), &s, &c);
    vstore(sine + i, s);
    vstore(cosine + i, c);
  }
}
__attribute__((noinline)) static void array_softplus_and_sigmoid(int n, const real *x, real *softplus, real *sigmoid) {
  for (int i = 0; i < n; i += BJ_LANES) {
    vreal s;
    vstore(softplus + i, vsoftplus_sigmoid(vload(x + i), &s));
    vstore(sigmoid + i, s);
  }
}

static void print_times(void) {
  static real x[N_TIMED], y[N_TIMED], z[N_TIMED];
  double ns;
  printf("ns an element, %d lanes\n", BJ_LANES);
  for (int f = 0; f < OF_N_MATH; f++) {
    if (f == OF_SIGMOID_OF_BOTH || f == OF_SOFTPLUS_OF_BOTH || f == OF_SINE_OF_BOTH || f == OF_COSINE_OF_BOTH) continue;
    for (int i = 0; i < N_TIMED; i++) x[i] = case_uniform(math_functions[f].time_low, math_functions[f].time_high);
    BEST_NS(ns, N_TIMED, math_functions[f].apply(N_TIMED, x, y));
    printf("  %-20s %6.2f\n", math_functions[f].name, ns);
  }
  for (int i = 0; i < N_TIMED; i++) x[i] = case_uniform(-10, 10);
  BEST_NS(ns, N_TIMED, array_sine_and_cosine(N_TIMED, x, y, z));
  printf("  %-20s %6.2f\n", "sin and cos", ns);
  BEST_NS(ns, N_TIMED, array_softplus_and_sigmoid(N_TIMED, x, y, z));
  printf("  %-20s %6.2f\n", "softplus and sigmoid", ns);
  BEST_NS(ns, 2 * BJ_BLOCK, random_uniform2(1, 0, (uint32_t)repeat, x, y));
  printf("  %-20s %6.2f\n", "uniform", ns);
  BEST_NS(ns, 2 * BJ_BLOCK, random_normal2(1, 0, (uint32_t)repeat, x, y));
  printf("  %-20s %6.2f\n", "normal", ns);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static const struct {
  const char *name;
  void (*run)(void);
} sections[] = {
    {"math", check_math},       {"special", check_special},
    {"philox", check_philox},   {"uniform", check_uniform},
    {"normal", check_normal},   {"rng", check_rng},
    {"gemm", check_gemm},       {"flow", check_flow},
    {"specs", check_specs},     {"continuous", check_continuous},
    {"default", check_default}, {"draws", check_draws},
};

int main(int n_argument, char **arguments) {
  if (n_argument == 2 && strcmp(arguments[1], "time") == 0) {
    print_times();
    time_gemm();
    return 0;
  }
  for (size_t s = 0; s < sizeof sections / sizeof sections[0]; s++) {
    int wanted = n_argument == 1;
    for (int a = 1; a < n_argument; a++) wanted |= strcmp(arguments[a], sections[s].name) == 0;
    if (!wanted) continue;
    case_state = 1; /* no section hangs on what another draws */
    printf("%s\n", sections[s].name);
    sections[s].run();
  }
  printf("%d passed, %d failed\n", n_passed, n_failed);
  return n_failed != 0 || n_passed == 0;
}
