/* What base distributions share. */
#ifndef BJ_BASE_COMMON_H
#define BJ_BASE_COMMON_H

#include "net-common.h"
#include "num-carve.h"
#include "num-rows.h"
#include "num-special.h"
#include "protocol.h"

/* Every vector of rows of coordinate i of a pass: `at` is its place in x and gx, `row` in log_density and gp. */
#define FOR_BASE_ROWS(base, pass, i, at, row)                                                                 \
  for (int b_ = 0; b_ < (pass)->nb; b_++)                                                                     \
    for (long r_ = 0, at = ((long)b_ * (base)->d + (i)) * BJ_BLOCK, row = (long)b_ * BJ_BLOCK; r_ < BJ_BLOCK; \
         r_ += BJ_LANES, at += BJ_LANES, row += BJ_LANES)

/* Fills x from pairs of random rows; each kind then turns uniforms or normals into its own draws in place. */
INLINE void base_draw_pairs(const bj_base *base, uint64_t seed, uint64_t first_row, int nb, real *x,
                            void (*draw)(uint64_t, uint64_t, uint32_t, real *, real *)) {
  real spare[BJ_BLOCK];
  for (int b = 0; b < nb; b++) {
    for (int i = 0; i < base->d; i += 2) {
      real *here = x + ((long)b * base->d + i) * BJ_BLOCK;
      draw(seed, first_row + (uint64_t)b * BJ_BLOCK, (uint32_t)(i / 2), here,
           i + 1 < base->d ? here + BJ_BLOCK : spare);
    }
  }
}

/* Both tails at a point that has P(X > x) at most one half or else P(X <= x): the logarithm of that one. */
INLINE void base_tails(vreal tail, vint above_half, vreal *below, vreal *above) {
  const vreal other = vlog1p(-vexp(tail));
  *below = vselect(above_half, other, tail);
  *above = vselect(above_half, tail, other);
}

/* Those of the standard normal distribution. */
INLINE void base_normal_tails(vreal u, vreal *below, vreal *above) {
  const vreal size = vabs(u), tail = -normal_tail_at(vmin(vset(REAL_SQUARE), size)).e - vset(LN2);
  base_tails(vselect(vlt(size, vset(INFINITY)), tail, -size), vlt(vset(0), u), below, above);
}

/* Those of a mixture of normals: sums, each a logarithm, to which components are added one after the other. */
typedef struct {
  vreal below_most, below, above_most, above;
} base_mixed;

INLINE base_mixed base_mixed_none(void) { return (base_mixed){vset(-INFINITY), vset(0), vset(-INFINITY), vset(0)}; }

INLINE void base_mixed_sum(vreal *most, vreal *sum, vreal term) {
  const vreal now = vmax(*most, term), none = vset(-INFINITY);
  *sum = vselect(vlt(none, *most), *sum * vexp(*most - now), vset(0)) +
         vselect(vlt(none, term), vexp(term - now), vset(0));
  *most = now;
}

INLINE void base_mixed_add(base_mixed *to, vreal log_weight, vreal u) {
  vreal below, above;
  base_normal_tails(u, &below, &above);
  base_mixed_sum(&to->below_most, &to->below, log_weight + below);
  base_mixed_sum(&to->above_most, &to->above, log_weight + above);
}

INLINE void base_mixed_tails(base_mixed from, vreal *below, vreal *above) {
  const vreal lower = from.below_most + vlog(from.below), upper = from.above_most + vlog(from.above);
  base_tails(vmin(lower, upper), vlt(upper, lower), below, above);
}

/* A number of cotangent g in the share of log_term in log_sum: 0 where g is. */
INLINE vreal base_mixed_share(vreal g, vreal log_term, vreal log_sum) {
  return vselect(veq(g, vset(0)), vset(0), g * vexp(vmin(vset(0), log_term - log_sum)));
}

/* From the cotangents of both sums, of which `tails` has the logarithms, to one component's u; returns that of its log
 * weight. d log P(Z > u) / du = -h for u > 0, h as num-special.h has it, and d log P(Z <= u) / du = h P(Z > u) / P(Z <=
 * u). */
INLINE vreal base_mixed_vjp(const vreal tails[2], const vreal g[2], vreal log_weight, vreal u, vreal *gu) {
  const normal_tail at = normal_tail_at(vmin(vset(REAL_SQUARE), vabs(u)));
  const vreal q = vset(0.5) * vexp(-at.e), other = at.h * q / (vset(1) - q);
  const vint upper = vlt(vset(0), u);
  vreal below, above;
  base_tails(-at.e - vset(LN2), upper, &below, &above);
  const vreal share_below = base_mixed_share(g[0], log_weight + below, tails[0]);
  const vreal share_above = base_mixed_share(g[1], log_weight + above, tails[1]);
  *gu = share_below * vselect(upper, other, at.h) - share_above * vselect(upper, at.h, other);
  return share_below + share_above;
}

/* ---- nets of conditions ------------------------------------------------------------------------------------------ */

/* Of a base with a net, the numbers of each row: the net's outputs y, which are raw parameters, with their cotangents
 * gy; what prepare_rows() makes of them, and the gradient of that. */
typedef struct {
  net_rows net;
  real *prep, *gprep; /* [block][n_row_prep][BJ_BLOCK] */
} base_rows;

/* Where they are in the memory of a pass. log_density() and draw() fill them by base_given(); the others find them. */
INLINE base_rows base_rows_at(const bj_base *base, const bj_base_pass *pass);
/* For a build(): where the spec has a "net" and there are conditions, builds it with n_out outputs, to which `offset`
 * is added (NULL: nothing). The kind's own n_param, n_prep and n_row_prep are set before. */
static int base_net_wanted(const bj_base *base, const bj_spec *spec); /* whether it will */
static bj_status base_net_build(bj_base *base, const bj_spec *spec, int n_out, const real *offset, bj_build *build);
/* From the gradient of the rows' prep, or where there is no prepare_rows() from gy, to the parameters of the net. */
static void base_given_vjp(const bj_base *base, const bj_base_pass *pass);

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Prepared numbers of a pass: prep, which all rows share, or with a net those of each row. `rows` says which, here and
 * below: kernels are compiled for each, by BY_FLAG(). */
typedef struct {
  const real *prep;
  real *gprep;
} base_numbers;

INLINE base_numbers base_numbers_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  if (!rows) return (base_numbers){pass->prep, pass->gprep};
  const base_rows at = base_rows_at(base, pass);
  return (base_numbers){at.prep, at.gprep};
}

/* Where those of the vector of rows at `row` begin. */
INLINE long base_first(const bj_base *base, long row, int rows) {
  return rows ? row / BJ_BLOCK * base->n_row_prep * BJ_BLOCK + row % BJ_BLOCK : 0;
}

INLINE vreal base_number(const real *prep, long i, int rows) {
  return rows ? vload(prep + i * BJ_BLOCK) : vset(prep[i]);
}

/* Gradients of rows are cleared before. */
INLINE void base_add(real *gprep, long i, vreal g, int rows) {
  if (rows) {
    vstore(gprep + i * BJ_BLOCK, vload(gprep + i * BJ_BLOCK) + g);
  } else {
    gprep[i] += vsum(g);
  }
}

INLINE void base_clear_rows(const bj_base *base, const bj_base_pass *pass) {
  const size_t size = (size_t)pass->nb * (size_t)base->n_row_prep * BJ_BLOCK;
  memset(base_rows_at(base, pass).gprep, 0, sizeof(real) * size);
}

#define BASE_LEAST BY_REAL(1e-130, 1e-16f)

/* softplus(raw), kept where 1 / s^2 is finite, and the derivative of its logarithm */
INLINE real base_positive(real raw, real *log_derivative) { return softplus_above(BASE_LEAST, raw, log_derivative); }

/* The same of a vector. What is no number stays so. */
INLINE vreal base_positive_rows(vreal raw, vreal *log_derivative) {
  vreal sigmoid;
  const vreal value = vmax(vset(BASE_LEAST), vsoftplus_sigmoid(vmax(vset(SOFTPLUS_LEAST), raw), &sigmoid));
  *log_derivative = sigmoid / value;
  return value;
}

#define HALF_LOG_2PI 0.91893853320467274178

/* Weights by softmax of k raw numbers: their logarithms, and the cumulated ones, each `step` reals from the next. */
INLINE void base_weights(int k, const real *raw, real *log_weight, real *cumulated, long step) {
  real most = raw[0], total = 0, sum = 0;
  for (int c = 1; c < k; c++) most = fmax(most, raw[c]);
  for (int c = 0; c < k; c++) total += exp(raw[c] - most);
  for (int c = 0; c < k; c++) {
    sum += exp(raw[c] - most) / total;
    log_weight[c * step] = raw[c] - most - log(total);
    cumulated[c * step] = sum;
  }
}

/* The components of the rows of a block that starts at `row`, by cumulated weights with `step` from one to the next and
 * `between` from one row to the next. The uniforms that choose are a pair of their own behind those of
 * base_draw_pairs(). */
INLINE void base_choose(const bj_base *base, int k, const real *cumulated, long step, long between, uint64_t seed,
                        uint64_t row, int *chosen) {
  real uniform[BJ_BLOCK], unused[BJ_BLOCK];
  random_uniform2(seed, row, (uint32_t)(base->d + 1) / 2, uniform, unused);
  for (int r = 0; r < BJ_BLOCK; r++) {
    int c = 0;
    while (c < k - 1 && uniform[r] > cumulated[c * step + r * between]) c++;
    chosen[r] = c;
  }
}

#define BASE_MIXTURE_MAX 256                       /* components of a mixture */
#define BASE_MIXTURE_LEAST BY_REAL(-1e305, -1e36f) /* of their log densities: differences stay finite */

#endif
