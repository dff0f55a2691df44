/* Entry points that let tests and benchmarks reach the numerical kernels. */
#include "num-gemm.h"
#include "num-random.h"

#define APPLY(name)                                                                      \
  static void apply_##name(long n, const real *x, real *y) {                             \
    long i = 0;                                                                          \
    for (; i + 2 * BJ_LANES <= n; i += 2 * BJ_LANES) {                                   \
      const vreal first = v##name(vload(x + i));                                         \
      const vreal second = v##name(vload(x + i + BJ_LANES));                             \
      vstore(y + i, first);                                                              \
      vstore(y + i + BJ_LANES, second);                                                  \
    }                                                                                    \
    for (; i < n; i += BJ_LANES) {                                                       \
      real in[BJ_LANES] = {0}, out[BJ_LANES];                                            \
      const size_t bytes = sizeof(real) * (size_t)(n - i < BJ_LANES ? n - i : BJ_LANES); \
      memcpy(in, x + i, bytes);                                                          \
      vstore(out, v##name(vload(in)));                                                   \
      memcpy(y + i, out, bytes);                                                         \
    }                                                                                    \
  }
#define FUNCTIONS(ENTRY) \
  ENTRY(exp)             \
  ENTRY(expm1) ENTRY(log) ENTRY(log1p) ENTRY(tanh) ENTRY(sigmoid) ENTRY(softplus) ENTRY(sin) ENTRY(cos) ENTRY(recip)
FUNCTIONS(APPLY)

#define APPLY_ROW(name) {#name, apply_##name},
static const struct {
  const char *name;
  void (*apply)(long n, const real *x, real *y);
} apply_table[] = {FUNCTIONS(APPLY_ROW)};

static int num_apply(const char *name, long n, const real *x, real *y) {
  for (size_t i = 0; i < sizeof apply_table / sizeof *apply_table; i++) {
    if (strcmp(apply_table[i].name, name)) continue;
    apply_table[i].apply(n, x, y);
    return 1;
  }
  return 0;
}

/* mode "product": y = w x + bias; "weight_grad": w and x are gy and x, y receives g (m x k, column-major). */
static void num_gemm(const char *mode, int m, int n_block, int k, const real *a, long rs, long cs, const real *x,
                     real *y, const real *bias) {
  if (!strcmp(mode, "product")) {
    const gemm_matrix w = {.m = m, .k = k, .w = a, .rs = rs, .cs = cs, .bias = bias};
    gemm(GEMM_SET, w, n_block, x, (long)k * BJ_BLOCK, y, (long)m * BJ_BLOCK);
  } else {
    gemm_weight_grad(m, k, n_block, a, (long)m * BJ_BLOCK, x, (long)k * BJ_BLOCK, y, m, NULL, NULL);
  }
}

/* What the machine can do, in the same run as a benchmark: 12 independent chains of fused multiply-adds (GF/s), and
 * exp of 512 numbers in cache (ns an element); the best of n repeats. */
NOINLINE double probe_fma(void) {
  vreal chain[12];
  for (int k = 0; k < 12; k++) chain[k] = vset(1 + 1e-3 * k);
  const vreal a = vset(0.999999), b = vset(1e-7);
  for (int i = 0; i < 1000; i++) {
    UNROLL for (int k = 0; k < 12; k++) chain[k] = chain[k] * a + b;
  }
  vreal sum = chain[0];
  for (int k = 1; k < 12; k++) sum += chain[k];
  return vsum(sum);
}

NOINLINE void probe_exp(real *x) {
  for (int i = 0; i < 512; i += 2 * BJ_LANES) {
    const vreal first = vexp(vload(x + i)), second = vexp(vload(x + i + BJ_LANES));
    vstore(x + 512 + i, first);
    vstore(x + 512 + i + BJ_LANES, second);
  }
}

static double probe(const char *name, long n, double (*clock)(void)) {
  const int fma = !strcmp(name, "fma");
  volatile double sink = 0; /* keeps the chains alive */
  real x[1024];
  double best = 1e30;
  for (int i = 0; i < 512; i++) x[i] = -20 + 40.0 * i / 512;
  for (long i = 0; i < n; i++) {
    const double begun = clock();
    for (int k = 0; k < 20; k++) {
      if (fma) {
        sink = sink + probe_fma();
      } else {
        probe_exp(x);
      }
    }
    const double seconds = (clock() - begun) / 20;
    if (seconds < best) best = seconds;
  }
  return fma ? 2.0 * 12 * 1000 * BJ_LANES / best * 1e-9 : best / 512 * 1e9;
}
