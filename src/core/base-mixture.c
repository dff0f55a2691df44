/* mixture: k normals with independent coordinates; weights, means and scales are trainable, or outputs of a net given
 * the conditions of each row (Bishop 1994, mixture density networks).
 *
 *   p = sum_c w_c prod_i N(x_i; mean_ci, s_ci),  w = softmax(weight),  s = softplus(scale)
 *   e_c = log w_c + sum_i (-u_ci^2 / 2 - log s_ci - log(2 pi) / 2),  u_ci = (x_i - mean_ci) / s_ci
 *   log p = m + log sum_c exp(e_c - m), m = max e;  share_c = exp(e_c - log p)
 *   vjp, with g_c = gp share_c:  gx_i = -sum_c g_c u_ci / s_ci;  gmean_ci = g_c u_ci / s_ci;
 *     glog s_ci = g_c (u_ci^2 - 1);  gweight_c = g_c - w_c gp
 *   of one coordinate P(X > x) = sum_c w_c P(Z > u_c), Z normal, and the same below; base-common.h has the vjp
 *   draw: a uniform chooses c by the cumulated weights, then mean + s N(0, 1)
 *   vjp of draws (Figurnov, Mohamed, Mnih 2018): a draw moves with the parameters so that its conditional distribution
 *     functions stay what they are. F_i = sum_c r_ci Phi(u_ci), where r_ci is the share of component c given the
 *     coordinates before i; p_i = sum_c r_ci phi(u_ci) / s_ci. From the last coordinate back, with l = gx_i / p_i and
 *     h_c = l r_ci (Phi(u_ci) - F_i):
 *       gmean_ci += l r_ci phi(u_ci) / s_ci;  glog s_ci += l r_ci phi(u_ci) u_ci;  gweight_c -= h_c;  and for j < i
 *       gmean_cj -= h_c u_cj / s_cj;  glog s_cj -= h_c (u_cj^2 - 1);  gx_j += sum_c h_c u_cj / s_cj
 *   With a net means start at normal quantiles, spread so that components differ in each coordinate.
 *   prep, of all or of each row: k sets of (log w_c + constants, cumulated weight, d means, d reciprocals of s, d
 *   numbers log w_c + constants of the first 0, 1, ... coordinates); gprep: gradients of weight, -, mean, log s, -
 */
#include "base-common.h"
#include "num-special.h"

typedef struct {
  int k;
  real spread; /* of the initial means */
} mixture;

/* Where the numbers of component c begin among those of a row, or of all. */
INLINE long mixture_set(const bj_base *base, int c) { return (2 + 3L * base->d) * c; }

/* e_c of the rows at x into e; returns log p. */
INLINE vreal mixture_terms(const bj_base *base, const real *prep, const real *x, vreal *e, int rows) {
  const mixture *self = base->self;
  vreal most = vset(-INFINITY), sum = vset(0);
  for (int c = 0; c < self->k; c++) {
    const long set = mixture_set(base, c), mean = set + 2, inverse = mean + base->d;
    e[c] = base_number(prep, set, rows);
    for (int i = 0; i < base->d; i++) {
      const vreal u =
          (vload(x + i * BJ_BLOCK) - base_number(prep, mean + i, rows)) * base_number(prep, inverse + i, rows);
      e[c] = e[c] - vset(0.5) * u * u;
    }
    e[c] = vmax(vset(BASE_MIXTURE_LEAST), e[c]);
    most = vmax(most, e[c]);
  }
  for (int c = 0; c < self->k; c++) sum = sum + vexp(e[c] - most);
  return most + vlog(sum);
}

INLINE void mixture_log_density_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  const real *prep = base_numbers_of(base, pass, rows).prep;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal e[BASE_MIXTURE_MAX];
    const long row = b * BJ_BLOCK + r, first = base_first(base, row, rows);
    const vreal log_p = mixture_terms(base, prep + first, pass->x + (long)b * base->d * BJ_BLOCK + r, e, rows);
    vstore(pass->log_density + row, vload(pass->log_density + row) + log_p);
  }
}

static void mixture_log_density(const bj_base *base, const bj_base_pass *pass) {
  base_given(base, pass);
  BY_FLAG(base->net != NULL, mixture_log_density_of, base, pass);
}

INLINE void mixture_log_density_vjp_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  const mixture *self = base->self;
  const int d = base->d;
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal e[BASE_MIXTURE_MAX];
    const long row = b * BJ_BLOCK + r, at = (long)b * d * BJ_BLOCK + r, first = base_first(base, row, rows);
    const real *prep = numbers.prep + first;
    real *gprep = numbers.gprep + first;
    const vreal gp = vload(pass->gp + row), log_p = mixture_terms(base, prep, pass->x + at, e, rows);
    for (int c = 0; c < self->k; c++) {
      const long set = mixture_set(base, c), mean = set + 2, inverse = mean + d;
      const vreal g = gp * vexp(e[c] - log_p);
      base_add(gprep, set, g, rows);
      base_add(gprep, set + 1, gp, rows);
      for (int i = 0; i < d; i++) {
        real *gx = pass->gx + at + i * BJ_BLOCK;
        const vreal by_s = base_number(prep, inverse + i, rows);
        const vreal u = (vload(pass->x + at + i * BJ_BLOCK) - base_number(prep, mean + i, rows)) * by_s;
        const vreal gmean = g * u * by_s;
        vstore(gx, vload(gx) - gmean);
        base_add(gprep, mean + i, gmean, rows);
        base_add(gprep, inverse + i, g * (u * u - vset(1)), rows);
      }
    }
  }
}

static void mixture_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  if (base->net) base_clear_rows(base, pass);
  BY_FLAG(base->net != NULL, mixture_log_density_vjp_of, base, pass);
  if (base->net) base_given_vjp(base, pass);
}

/* The logarithms of P(X <= x) and P(X > x). */
INLINE void mixture_tails_at(const bj_base *base, const real *prep, vreal x, vreal *tails, int rows) {
  base_mixed sums = base_mixed_none();
  for (int c = 0; c < ((const mixture *)base->self)->k; c++) {
    const long mean = mixture_set(base, c) + 2, inverse = mean + 1;
    const vreal u = (x - base_number(prep, mean, rows)) * base_number(prep, inverse, rows);
    base_mixed_add(&sums, base_number(prep, inverse + 1, rows), u);
  }
  base_mixed_tails(sums, tails, tails + 1);
}

INLINE void mixture_log_tails_of(const bj_base *base, const bj_base_pass *pass, real *below, real *above, int rows) {
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    vreal tails[2];
    mixture_tails_at(base, numbers.prep + base_first(base, row, rows), vload(pass->x + at), tails, rows);
    vstore(below + row, tails[0]);
    vstore(above + row, tails[1]);
  }
}

static void mixture_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  BY_FLAG(base->net != NULL, mixture_log_tails_of, base, pass, below, above);
}

INLINE void mixture_log_tails_vjp_of(const bj_base *base, const bj_base_pass *pass, const real *gbelow,
                                     const real *gabove, int rows) {
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    const long first = base_first(base, row, rows);
    const real *prep = numbers.prep + first;
    real *gprep = numbers.gprep + first;
    const vreal x = vload(pass->x + at), g[2] = {vload(gbelow + row), vload(gabove + row)};
    vreal tails[2];
    mixture_tails_at(base, prep, x, tails, rows);
    for (int c = 0; c < ((const mixture *)base->self)->k; c++) {
      const long set = mixture_set(base, c), mean = set + 2, inverse = mean + 1;
      const vreal by_s = base_number(prep, inverse, rows), u = (x - base_number(prep, mean, rows)) * by_s;
      vreal gu;
      base_add(gprep, set, base_mixed_vjp(tails, g, base_number(prep, inverse + 1, rows), u, &gu), rows);
      base_add(gprep, set + 1, g[0] + g[1], rows);
      base_add(gprep, mean, -gu * by_s, rows);
      base_add(gprep, inverse, -gu * u, rows);
    }
  }
}

static void mixture_log_tails_vjp(const bj_base *base, const bj_base_pass *pass, const real *gbelow,
                                  const real *gabove) {
  if (base->net) base_clear_rows(base, pass);
  BY_FLAG(base->net != NULL, mixture_log_tails_vjp_of, base, pass, gbelow, gabove);
  if (base->net) base_given_vjp(base, pass);
}

/* Parameters are [weight | mean, k x d | scale, k x d]. */
static void mixture_prepare(const bj_base *base, const real *theta, real *prep) {
  const mixture *self = base->self;
  const int k = self->k, d = base->d;
  if (base->net) return;
  base_weights(k, theta, prep, prep + 1, 2 + 3L * d);
  for (int c = 0; c < k; c++) {
    real *set = prep + mixture_set(base, c);
    for (int i = 0; i < d; i++) {
      real unused;
      const real scale = base_positive(theta[k + (long)k * d + c + (long)i * k], &unused);
      set[2 + 2 * d + i] = set[0];
      set[0] -= log(scale) + HALF_LOG_2PI;
      set[2 + i] = theta[k + c + (long)i * k];
      set[2 + d + i] = 1 / scale;
    }
  }
}

static void mixture_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const mixture *self = base->self;
  const int k = self->k, d = base->d;
  for (int c = 0; c < k && !base->net; c++) {
    const real *gset = gprep + mixture_set(base, c);
    const real before = c > 0 ? prep[mixture_set(base, c - 1) + 1] : 0,
               weight = prep[mixture_set(base, c) + 1] - before;
    gtheta[c] += gset[0] - weight * gset[1];
    for (int i = 0; i < d; i++) {
      real dlog;
      base_positive(theta[k + (long)k * d + c + (long)i * k], &dlog);
      gtheta[k + c + (long)i * k] += gset[2 + i];
      gtheta[k + (long)k * d + c + (long)i * k] += gset[2 + d + i] * dlog;
    }
  }
}

/* The same of the outputs of a net, row by row. */
static void mixture_prepare_rows(const bj_base *base, int nb, const real *raw, real *prep) {
  const long k = ((const mixture *)base->self)->k, d = base->d, n_raw = k + 2 * k * d;
  FOR_BLOCK_ROWS(nb, b, r) {
    const real *from = raw + b * n_raw * BJ_BLOCK + r;
    real *to = prep + b * base->n_row_prep * BJ_BLOCK + r;
    vreal most = vload(from), total = vset(0), sum = vset(0);
    for (long c = 1; c < k; c++) most = vmax(most, vload(from + c * BJ_BLOCK));
    for (long c = 0; c < k; c++) total += vexp(vload(from + c * BJ_BLOCK) - most);
    const vreal log_total = vlog(total);
    for (long c = 0; c < k; c++) {
      real *set = to + mixture_set(base, (int)c) * BJ_BLOCK;
      const vreal apart = vload(from + c * BJ_BLOCK) - most;
      vreal log_weight = apart - log_total;
      sum += vexp(apart) / total;
      vstore(set + BJ_BLOCK, sum);
      for (long i = 0; i < d; i++) {
        vreal unused;
        const vreal scale = base_positive_rows(vload(from + (k + k * d + c + i * k) * BJ_BLOCK), &unused);
        vstore(set + (2 + 2 * d + i) * BJ_BLOCK, log_weight);
        log_weight -= vlog(scale) + vset(HALF_LOG_2PI);
        vstore(set + (2 + i) * BJ_BLOCK, vload(from + (k + c + i * k) * BJ_BLOCK));
        vstore(set + (2 + d + i) * BJ_BLOCK, 1.0 / scale);
      }
      vstore(set, log_weight);
    }
  }
}

static void mixture_prepare_rows_vjp(const bj_base *base, int nb, const real *raw, const real *prep, const real *gprep,
                                     real *graw) {
  const long k = ((const mixture *)base->self)->k, d = base->d, n_raw = k + 2 * k * d;
  FOR_BLOCK_ROWS(nb, b, r) {
    const long first = b * n_raw * BJ_BLOCK + r, numbers = b * base->n_row_prep * BJ_BLOCK + r;
    const real *from = raw + first;
    real *to = graw + first;
    vreal before = vset(0);
    for (long c = 0; c < k; c++) {
      const long set = numbers + mixture_set(base, (int)c) * BJ_BLOCK;
      const vreal sum = vload(prep + set + BJ_BLOCK);
      vstore(to + c * BJ_BLOCK, vload(gprep + set) - (sum - before) * vload(gprep + set + BJ_BLOCK));
      before = sum;
      for (long i = 0; i < d; i++) {
        const long mean = (k + c + i * k) * BJ_BLOCK, scale = mean + k * d * BJ_BLOCK;
        vreal dlog;
        base_positive_rows(vload(from + scale), &dlog);
        vstore(to + mean, vload(gprep + set + (2 + i) * BJ_BLOCK));
        vstore(to + scale, vload(gprep + set + (2 + d + i) * BJ_BLOCK) * dlog);
      }
    }
  }
}

static void mixture_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  const mixture *self = base->self;
  const int d = base->d, rows = base->net != NULL;
  const long unit = rows ? BJ_BLOCK : 1, between = rows; /* from one number to the next, from one row to the next */
  base_given(base, pass);
  const real *numbers = base_numbers_of(base, pass, rows).prep;
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_normal2);
  for (int b = 0; b < pass->nb; b++) {
    const real *prep = numbers + base_first(base, (long)b * BJ_BLOCK, rows);
    int chosen[BJ_BLOCK];
    base_choose(base, self->k, prep + unit, mixture_set(base, 1) * unit, between, seed,
                first_row + (uint64_t)b * BJ_BLOCK, chosen);
    for (int r = 0; r < BJ_BLOCK; r++) {
      const real *mean = prep + (mixture_set(base, chosen[r]) + 2) * unit + r * between, *inverse = mean + d * unit;
      for (int i = 0; i < d; i++) {
        real *here = x + ((long)b * d + i) * BJ_BLOCK + r;
        *here = mean[i * unit] + *here / inverse[i * unit];
      }
    }
  }
}

/* r_ci and Phi(u_ci) of one coordinate. Returns p_i; `apart` becomes Phi(u_ci) - F_i, from the smaller tail. */
INLINE vreal mixture_conditional(const bj_base *base, const real *prep, const real *x, int i, vreal *share,
                                 vreal *apart, int rows) {
  const mixture *self = base->self;
  const int d = base->d;
  vreal most = vset(-INFINITY), sum = vset(0), density = vset(0), lower = vset(0), upper = vset(0);
  for (int c = 0; c < self->k; c++) {
    const long mean = mixture_set(base, c) + 2, inverse = mean + d;
    share[c] = base_number(prep, inverse + d + i, rows);
    for (int j = 0; j < i; j++) {
      const vreal u =
          (vload(x + j * BJ_BLOCK) - base_number(prep, mean + j, rows)) * base_number(prep, inverse + j, rows);
      share[c] = share[c] - vset(0.5) * u * u;
    }
    share[c] = vmax(vset(BASE_MIXTURE_LEAST), share[c]);
    most = vmax(most, share[c]);
  }
  for (int c = 0; c < self->k; c++) {
    share[c] = vexp(share[c] - most);
    sum = sum + share[c];
  }
  for (int c = 0; c < self->k; c++) {
    const long mean = mixture_set(base, c) + 2, inverse = mean + d;
    const vreal by_s = base_number(prep, inverse + i, rows);
    const vreal u = (vload(x + i * BJ_BLOCK) - base_number(prep, mean + i, rows)) * by_s;
    share[c] = share[c] / sum;
    density = density + share[c] * by_s * vexp(vset(-0.5) * u * u - vset(HALF_LOG_2PI));
    lower = lower + share[c] * vpnorm(u);
    upper = upper + share[c] * vpnorm(-u);
  }
  const vint below = vlt(lower, upper);
  for (int c = 0; c < self->k; c++) {
    const long mean = mixture_set(base, c) + 2, inverse = mean + d;
    const vreal u =
        (vload(x + i * BJ_BLOCK) - base_number(prep, mean + i, rows)) * base_number(prep, inverse + i, rows);
    apart[c] = vselect(below, vpnorm(u) - lower, upper - vpnorm(-u));
  }
  return density;
}

INLINE void mixture_draw_vjp_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  const mixture *self = base->self;
  const int d = base->d;
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const long first = base_first(base, b * BJ_BLOCK + r, rows);
    const real *x = pass->x + (long)b * d * BJ_BLOCK + r, *prep = numbers.prep + first;
    real *gx = pass->gx + (long)b * d * BJ_BLOCK + r, *gprep = numbers.gprep + first;
    for (int i = d - 1; i >= 0; i--) {
      vreal share[BASE_MIXTURE_MAX], apart[BASE_MIXTURE_MAX];
      const vreal density = mixture_conditional(base, prep, x, i, share, apart, rows);
      const vreal l = vload(gx + i * BJ_BLOCK) / vmax(vset(REAL_TINY), density);
      for (int c = 0; c < self->k; c++) {
        const long set = mixture_set(base, c), mean = set + 2, inverse = mean + d;
        const vreal by_s = base_number(prep, inverse + i, rows);
        const vreal u = (vload(x + i * BJ_BLOCK) - base_number(prep, mean + i, rows)) * by_s;
        const vreal here = l * (share[c] * vexp(vset(-0.5) * u * u - vset(HALF_LOG_2PI))),
                    h = l * (share[c] * apart[c]);
        base_add(gprep, set, -h, rows);
        base_add(gprep, mean + i, here * by_s, rows);
        base_add(gprep, inverse + i, here * u, rows);
        for (int j = 0; j < i; j++) {
          const vreal by_s_j = base_number(prep, inverse + j, rows);
          const vreal before = (vload(x + j * BJ_BLOCK) - base_number(prep, mean + j, rows)) * by_s_j;
          const vreal g = h * before * by_s_j;
          base_add(gprep, mean + j, -g, rows);
          base_add(gprep, inverse + j, -(h * (before * before - vset(1))), rows);
          vstore(gx + j * BJ_BLOCK, vload(gx + j * BJ_BLOCK) + g);
        }
      }
    }
  }
}

static void mixture_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  if (base->net) base_clear_rows(base, pass);
  BY_FLAG(base->net != NULL, mixture_draw_vjp_of, base, pass);
  if (base->net) base_given_vjp(base, pass);
}

static void mixture_describe(const bj_base *base, bj_describe *out) {
  const int k = ((const mixture *)base->self)->k;
  if (base->net) return;
  describe_slot(out, "weight", 1, k, 0);
  describe_slot(out, "mean", 2, k, base->d);
  describe_slot(out, "scale", 2, k, base->d);
}

static void mixture_init(const bj_base *base, real *theta, bj_rng *rng) {
  const mixture *self = base->self;
  const long size = (long)self->k * base->d;
  if (base->net) return;
  for (int c = 0; c < self->k; c++) theta[c] = 0;
  for (long i = 0; i < size; i++) theta[self->k + i] = self->spread * rng_normal(rng);
  for (long i = 0; i < size; i++) theta[self->k + size + i] = inverse_softplus(1);
}

/* What a net starts from is a function of the specification: no random numbers. In each further coordinate the
 * quantiles of the components are moved on by the golden ratio. */
static void mixture_start(const mixture *self, int d, real *raw) {
  const long size = (long)self->k * d;
  for (int c = 0; c < self->k; c++) {
    for (int i = 0; i < d; i++) {
      const double u = (c + 0.5) / self->k + i * 0.61803398874989484820;
      raw[self->k + c + (long)i * self->k] = self->spread * vfirst(vqnorm(vset((real)(u - floor(u)))));
    }
  }
  for (long i = 0; i < size; i++) raw[self->k + size + i] = inverse_softplus(1);
}

static bj_status mixture_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  mixture *self = base->self = build_alloc(build, sizeof(mixture));
  self->k = spec_count(build, spec, "components", 1, BASE_MIXTURE_MAX);
  self->spread = spec_real(build, spec, "spread", 0, INFINITY);
  const long n_raw = self->k + 2L * self->k * base->d, n_numbers = (2 + 3L * base->d) * self->k;
  if (!base_net_wanted(base, spec)) {
    base->n_param = n_raw;
    base->n_prep = n_numbers;
    return build->status;
  }
  if (n_raw > COUNT_MOST) return spec_error(build, "base_mixture() is too large for a net");
  real *start = build_alloc(build, sizeof(real) * (size_t)n_raw);
  mixture_start(self, base->d, start);
  base->n_row_prep = n_numbers;
  return base_net_build(base, spec, (int)n_raw, start, build);
}

static const bj_base_kind base_mixture = {
    .name = "mixture",
    .build = mixture_build,
    .describe = mixture_describe,
    .init = mixture_init,
    .prepare = mixture_prepare,
    .prepare_vjp = mixture_prepare_vjp,
    .prepare_rows = mixture_prepare_rows,
    .prepare_rows_vjp = mixture_prepare_rows_vjp,
    .log_density = mixture_log_density,
    .log_density_vjp = mixture_log_density_vjp,
    .log_tails = mixture_log_tails,
    .log_tails_vjp = mixture_log_tails_vjp,
    .draw = mixture_draw,
    .draw_vjp = mixture_draw_vjp,
};
