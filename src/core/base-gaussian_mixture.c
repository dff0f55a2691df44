/* gaussian_mixture: k normals with full covariances L_c L_c'; weights, means and covariances are trainable.
 *
 *   p = sum_c w_c N(x; mean_c, L_c L_c'),  w = softmax(weight)
 *   e_c = log w_c - |u_c|^2 / 2 - sum_i log L_cii - d log(2 pi) / 2,  u_c = L_c^{-1} (x - mean_c)
 *   log p = m + log sum_c exp(e_c - m), m = max e;  share_c = exp(e_c - log p)
 *   vjp, with g_c = gp share_c: v_c = g_c u_c, the rest, and L of the raw numbers, in base-covariance.h;
 *     gweight_c = g_c - w_c gp
 *   draw: a uniform chooses c by the cumulated weights, then mean_c + L_c z, z of N(0, 1)
 *   vjp of draws, as that of base-mixture.c: F_i = sum_c r_ci Phi(u_ci) stays what it is, where r_ci is the share of
 *     component c given the coordinates before i; p_i = sum_c r_ci phi(u_ci) / L_cii. From the last coordinate back,
 *     with l = gx_i / p_i and h_ci = l r_ci (Phi(u_ci) - F_i), gweight_c -= h_ci, and u_ci and log L_cii have the
 *     cotangents
 *       gu_ci = u_ci H_ci - l r_ci phi(u_ci),  glog L_cii += H_ci,  H_ci = sum of h_cj over the j behind i
 *     which go to mean, L and the coordinates before i by w_c = L_c'^{-1} gu_c:  gx += w_c,  gmean_c -= w_c,
 *     gL_cij -= w_ci u_cj
 *   prep: k times (log w_c + constants, cumulated weight, a set of base-covariance.h); gprep: gradient of weight, sum
 *     of gp, gradients of the set
 */
#include "base-covariance.h"
#include "num-carve.h"
#include "num-special.h"

typedef struct {
  int k;
  real spread; /* of the initial means */
} gaussian_mixture;

/* From one component's numbers to the next. */
INLINE long gaussian_mixture_step(const bj_base *base) { return 2 + base->d + (long)base->d * base->d; }

/* e_c of a block into e, k rows, and log p; u is scratch. */
static void gaussian_mixture_terms(const bj_base *base, const real *prep, const real *x, real *u, real *e,
                                   real *log_p) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const long step = gaussian_mixture_step(base);
  FOR_ROWS(r) vstore(log_p + r, vset(-INFINITY));
  for (int c = 0; c < k; c++) {
    const real *set = prep + c * step;
    real *ec = e + (long)c * BJ_BLOCK;
    covariance_solve(d, set + 2, x, u);
    FOR_ROWS(r) {
      vreal sum = vset(0);
      for (int i = 0; i < d; i++) {
        const vreal ui = vload(u + (long)i * BJ_BLOCK + r);
        sum = sum + ui * ui;
      }
      const vreal term = vmax(vset(BASE_MIXTURE_LEAST), vset(set[0]) - vset(0.5) * sum);
      vstore(ec + r, term);
      vstore(log_p + r, vmax(vload(log_p + r), term));
    }
  }
  FOR_ROWS(r) {
    const vreal most = vload(log_p + r);
    vreal sum = vset(0);
    for (int c = 0; c < k; c++) sum = sum + exp_of_negative(vload(e + (long)c * BJ_BLOCK + r) - most);
    vstore(log_p + r, most + vlog(sum));
  }
}

static void gaussian_mixture_log_density(const bj_base *base, const bj_base_pass *pass) {
  const long size = (long)base->d * BJ_BLOCK;
  for (int b = 0; b < pass->nb; b++) {
    real log_p[BJ_BLOCK], *to = pass->log_density + b * BJ_BLOCK;
    gaussian_mixture_terms(base, pass->prep, pass->x + b * size, pass->work, pass->work + 2 * size, log_p);
    FOR_ROWS(r) vstore(to + r, vload(to + r) + vload(log_p + r));
  }
}

static void gaussian_mixture_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const long size = (long)d * BJ_BLOCK, step = gaussian_mixture_step(base);
  real *u = pass->work, *w = u + size, *e = w + size;
  for (int b = 0; b < pass->nb; b++) {
    const real *x = pass->x + b * size, *gp = pass->gp + b * BJ_BLOCK;
    const real sum_gp = sum_rows(gp, BJ_BLOCK);
    real log_p[BJ_BLOCK], g[BJ_BLOCK];
    gaussian_mixture_terms(base, pass->prep, x, u, e, log_p);
    for (int c = 0; c < k; c++) {
      const real *set = pass->prep + c * step;
      real *gset = pass->gprep + c * step;
      vint any = vlt(vset(1), vset(0));
      FOR_ROWS(r) {
        const vreal here = vload(gp + r) * vexp(vload(e + (long)c * BJ_BLOCK + r) - vload(log_p + r));
        any = any | ~veq(here, vset(0));
        vstore(g + r, here);
      }
      gset[1] += sum_gp;
      if (!vany(any)) continue; /* far from all rows */
      gset[0] += sum_rows(g, BJ_BLOCK);
      covariance_solve(d, set + 2, x, u);
      for (int i = 0; i < d; i++) {
        const long at = (long)i * BJ_BLOCK;
        FOR_ROWS(r) vstore(w + at + r, vload(g + r) * vload(u + at + r));
      }
      covariance_vjp(d, set + 2, gset + 2, g, u, w, pass->gx + b * size);
    }
  }
}

/* Of one coordinate: log w_c is what is left of the constant of e_c. */
INLINE vreal gaussian_mixture_log_weight(const real *set) { return vset(set[0] + log(set[3]) + HALF_LOG_2PI); }

INLINE void gaussian_mixture_tails_at(const bj_base *base, const real *prep, vreal x, vreal *tails) {
  base_mixed sums = base_mixed_none();
  for (int c = 0; c < ((const gaussian_mixture *)base->self)->k; c++) {
    const real *set = prep + c * gaussian_mixture_step(base);
    base_mixed_add(&sums, gaussian_mixture_log_weight(set), (x - vset(set[2])) / vset(set[3]));
  }
  base_mixed_tails(sums, tails, tails + 1);
}

static void gaussian_mixture_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    vreal tails[2];
    gaussian_mixture_tails_at(base, pass->prep, vload(pass->x + at), tails);
    vstore(below + row, tails[0]);
    vstore(above + row, tails[1]);
  }
}

static void gaussian_mixture_log_tails_vjp(const bj_base *base, const bj_base_pass *pass, const real *gbelow,
                                           const real *gabove) {
  const int k = ((const gaussian_mixture *)base->self)->k;
  const long step = gaussian_mixture_step(base);
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    const vreal x = vload(pass->x + at), g[2] = {vload(gbelow + row), vload(gabove + row)};
    vreal tails[2];
    gaussian_mixture_tails_at(base, pass->prep, x, tails);
    for (int c = 0; c < k; c++) {
      const real *set = pass->prep + c * step;
      real *gset = pass->gprep + c * step;
      const vreal u = (x - vset(set[2])) / vset(set[3]);
      vreal gu;
      gset[0] += vsum(base_mixed_vjp(tails, g, gaussian_mixture_log_weight(set), u, &gu));
      gset[1] += vsum(g[0] + g[1]);
      gset[2] -= vsum(gu / vset(set[3]));
      gset[3] -= vsum(gu * u);
    }
  }
}

/* Parameters are [weight | mean, k x d | cholesky, d x d x k]. */
static void gaussian_mixture_prepare(const bj_base *base, const real *theta, real *prep) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const long step = gaussian_mixture_step(base), square = (long)d * d;
  const real *mean = theta + k, *raw = mean + (long)k * d;
  base_weights(k, theta, prep, prep + 1, step);
  for (int c = 0; c < k; c++) {
    real *set = prep + c * step;
    set[0] -= covariance_prepare(d, raw + c * square, set + 2 + d) + d * HALF_LOG_2PI;
    for (int i = 0; i < d; i++) set[2 + i] = mean[c + (long)i * k];
  }
}

static void gaussian_mixture_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep,
                                         real *gtheta) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const long step = gaussian_mixture_step(base), square = (long)d * d, root = k + (long)k * d;
  for (int c = 0; c < k; c++) {
    const real *gset = gprep + c * step;
    const real before = c > 0 ? prep[(c - 1) * step + 1] : 0, weight = prep[c * step + 1] - before;
    gtheta[c] += gset[0] - weight * gset[1];
    for (int i = 0; i < d; i++) gtheta[k + c + (long)i * k] += gset[2 + i];
    covariance_prepare_vjp(d, theta + root + c * square, gset + 2 + d, gtheta + root + c * square);
  }
}

static void gaussian_mixture_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row,
                                  real *x) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const long step = gaussian_mixture_step(base);
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_normal2);
  for (int b = 0; b < pass->nb; b++) {
    int chosen[BJ_BLOCK];
    base_choose(base, k, pass->prep + 1, step, 0, seed, first_row + (uint64_t)b * BJ_BLOCK, chosen);
    for (int r = 0; r < BJ_BLOCK; r++) {
      const real *mean = pass->prep + chosen[r] * step + 2, *l = mean + d;
      real *row = x + (long)b * d * BJ_BLOCK + r;
      for (int i = d - 1; i >= 0; i--) {
        real sum = mean[i];
        for (int j = 0; j <= i; j++) sum += l[i + (long)j * d] * row[(long)j * BJ_BLOCK];
        row[(long)i * BJ_BLOCK] = sum;
      }
    }
  }
}

/* Of one vector of rows, [component][coordinate][BJ_LANES]. */
typedef struct {
  real *u, *share, *w; /* `share`: r_ci, at first its logarithm up to a constant */
  real *later;         /* H_ci of the coordinate that is dealt with, [component][BJ_LANES] */
  real *start;         /* log r_ci without what depends on the rows, [component][coordinate] */
} gaussian_mixture_rows;

static gaussian_mixture_rows gaussian_mixture_carve(const bj_base *base, carver *from) {
  const long k = ((const gaussian_mixture *)base->self)->k, size = k * base->d;
  return (gaussian_mixture_rows){.u = carve(from, size * BJ_LANES),
                                 .share = carve(from, size * BJ_LANES),
                                 .w = carve(from, size * BJ_LANES),
                                 .later = carve(from, k * BJ_LANES),
                                 .start = carve(from, size)};
}

/* u and the logarithms of shares of all components and coordinates. */
static void gaussian_mixture_shares(const bj_base *base, const real *prep, const real *x, gaussian_mixture_rows rows) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  for (int c = 0; c < k; c++) {
    const real *mean = prep + c * gaussian_mixture_step(base) + 2, *l = mean + d;
    real *u = rows.u + (long)c * d * BJ_LANES;
    vreal squares = vset(0);
    for (int i = 0; i < d; i++) {
      const long at = ((long)c * d + i) * BJ_LANES;
      vreal sum = vload(x + (long)i * BJ_BLOCK) - vset(mean[i]);
      for (int j = 0; j < i; j++) sum = sum - vset(l[i + (long)j * d]) * vload(u + j * BJ_LANES);
      sum = sum / vset(l[i + (long)i * d]);
      vstore(rows.u + at, sum);
      vstore(rows.share + at, vmax(vset(BASE_MIXTURE_LEAST), vset(rows.start[c * d + i]) - vset(0.5) * squares));
      squares = squares + sum * sum;
    }
  }
}

INLINE vreal gaussian_mixture_phi(vreal u) { return vexp(vset(-0.5) * u * u - vset(HALF_LOG_2PI)); }

/* Makes shares of coordinate i of their logarithms. Returns p_i, and the two tails of F_i. */
static vreal gaussian_mixture_conditional(const bj_base *base, const real *prep, gaussian_mixture_rows rows, int i,
                                          vreal *lower, vreal *upper) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  vreal most = vset(-INFINITY), sum = vset(0), density = vset(0);
  *lower = *upper = vset(0);
  for (int c = 0; c < k; c++) most = vmax(most, vload(rows.share + ((long)c * d + i) * BJ_LANES));
  for (int c = 0; c < k; c++) {
    real *share = rows.share + ((long)c * d + i) * BJ_LANES;
    const vreal here = exp_of_negative(vload(share) - most);
    vstore(share, here);
    sum = sum + here;
  }
  for (int c = 0; c < k; c++) {
    const long at = ((long)c * d + i) * BJ_LANES;
    const real *l = prep + c * gaussian_mixture_step(base) + 2 + d;
    const vreal u = vload(rows.u + at), share = vload(rows.share + at) / sum;
    vstore(rows.share + at, share);
    density = density + share * gaussian_mixture_phi(u) / vset(l[i + (long)i * d]);
    *lower = *lower + share * vpnorm(u);
    *upper = *upper + share * vpnorm(-u);
  }
  return density;
}

static void gaussian_mixture_draw_rows_vjp(const bj_base *base, const bj_base_pass *pass, real *gx,
                                           gaussian_mixture_rows rows) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const long step = gaussian_mixture_step(base);
  for (int c = 0; c < k; c++) vstore(rows.later + c * BJ_LANES, vset(0));
  for (int i = d - 1; i >= 0; i--) {
    const long diagonal = i + (long)i * d;
    vreal lower, upper, total = vload(gx + (long)i * BJ_BLOCK);
    const vreal density = gaussian_mixture_conditional(base, pass->prep, rows, i, &lower, &upper);
    const vint below = vlt(lower, upper);
    /* what the coordinates behind ask of this one */
    for (int c = 0; c < k; c++) {
      const real *l = pass->prep + c * step + 2 + d;
      real *w = rows.w + (long)c * d * BJ_LANES;
      vreal sum = vload(rows.later + c * BJ_LANES) * vload(rows.u + ((long)c * d + i) * BJ_LANES);
      for (int j = i + 1; j < d; j++) sum = sum - vset(l[j + (long)i * d]) * vload(w + j * BJ_LANES);
      sum = sum / vset(l[diagonal]);
      vstore(w + i * BJ_LANES, sum);
      total = total + sum;
    }
    const vreal pull = total / vmax(vset(REAL_TINY), density);
    for (int c = 0; c < k; c++) {
      const vreal root = vset(pass->prep[c * step + 2 + d + diagonal]);
      const real *u = rows.u + (long)c * d * BJ_LANES;
      real *gset = pass->gprep + c * step, *gl = gset + 2 + d, *w = rows.w + ((long)c * d + i) * BJ_LANES;
      const vreal ui = vload(u + i * BJ_LANES), share = vload(rows.share + ((long)c * d + i) * BJ_LANES);
      const vreal later = vload(rows.later + c * BJ_LANES);
      const vreal wi = vload(w) - pull * (share * gaussian_mixture_phi(ui)) / root;
      /* from the smaller tail */
      const vreal h = pull * (share * vselect(below, vpnorm(ui) - lower, upper - vpnorm(-ui)));
      vstore(w, wi);
      vstore(rows.later + c * BJ_LANES, later + h);
      gset[0] -= vsum(h);
      gset[2 + i] -= vsum(wi);
      gl[diagonal] += vsum(later - wi * root * ui);
      for (int j = 0; j < i; j++) gl[i + (long)j * d] -= vsum(wi * vload(u + j * BJ_LANES));
    }
  }
}

static void gaussian_mixture_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const gaussian_mixture_rows rows = gaussian_mixture_carve(base, &(carver){.memory = pass->work});
  for (int c = 0; c < k; c++) {
    const real *set = pass->prep + c * gaussian_mixture_step(base), *l = set + 2 + d;
    real sum = set[0];
    for (int i = d - 1; i >= 0; i--) rows.start[c * d + i] = sum += log(l[i + (long)i * d]) + HALF_LOG_2PI;
  }
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const long at = (long)b * d * BJ_BLOCK + r;
    gaussian_mixture_shares(base, pass->prep, pass->x + at, rows);
    gaussian_mixture_draw_rows_vjp(base, pass, pass->gx + at, rows);
  }
}

static void gaussian_mixture_describe(const bj_base *base, bj_describe *out) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  describe_slot(out, "weight", 1, k, 0);
  describe_slot(out, "mean", 2, k, d);
  describe_array(out, "cholesky", 3, (int[]){d, d, k});
}

static void gaussian_mixture_init(const bj_base *base, real *theta, bj_rng *rng) {
  const gaussian_mixture *self = base->self;
  const int k = self->k, d = base->d;
  const long size = (long)k * d;
  for (int c = 0; c < k; c++) theta[c] = 0;
  for (long i = 0; i < size; i++) theta[k + i] = self->spread * rng_normal(rng);
  for (int c = 0; c < k; c++) covariance_init(d, theta + k + size + c * (long)d * d);
}

static bj_status gaussian_mixture_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  gaussian_mixture *self = base->self = build_alloc(build, sizeof(gaussian_mixture));
  const int k = self->k = spec_count(build, spec, "components", 1, BASE_MIXTURE_MAX), d = base->d;
  self->spread = spec_real(build, spec, "spread", 0, INFINITY);
  if (covariance_check(base, "gaussian_mixture", build) != BJ_OK) return build->status;
  base->n_param = k + (long)k * d + (long)k * d * d;
  base->n_prep = gaussian_mixture_step(base) * k;
  carver draws = {0};
  gaussian_mixture_carve(base, &draws);
  const int64_t rows = (2L * d + k) * BJ_BLOCK;
  base->n_work = SIZE_OR_MORE(draws.used > rows ? draws.used : rows);
  return build->status;
}

static const bj_base_kind base_gaussian_mixture = {
    .name = "gaussian_mixture",
    .build = gaussian_mixture_build,
    .describe = gaussian_mixture_describe,
    .init = gaussian_mixture_init,
    .prepare = gaussian_mixture_prepare,
    .prepare_vjp = gaussian_mixture_prepare_vjp,
    .log_density = gaussian_mixture_log_density,
    .log_density_vjp = gaussian_mixture_log_density_vjp,
    .log_tails = gaussian_mixture_log_tails,
    .log_tails_vjp = gaussian_mixture_log_tails_vjp,
    .draw = gaussian_mixture_draw,
    .draw_vjp = gaussian_mixture_draw_vjp,
};
