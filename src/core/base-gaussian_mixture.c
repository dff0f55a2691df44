/* gaussian_mixture: k normals with full covariances L_c L_c'; weights, means and covariances are trainable.
 *
 *   p = sum_c w_c N(x; mean_c, L_c L_c'),  w = softmax(weight)
 *   e_c = log w_c - |u_c|^2 / 2 - sum_i log L_cii - d log(2 pi) / 2,  u_c = L_c^{-1} (x - mean_c)
 *   log p = m + log sum_c exp(e_c - m), m = max e;  share_c = exp(e_c - log p)
 *   vjp, with g_c = gp share_c: v_c = g_c u_c, the rest, and L of the raw numbers, in base-covariance.h;
 *     gweight_c = g_c - w_c gp
 *   draw: a uniform chooses c by the cumulated weights, then mean_c + L_c z, z of N(0, 1)
 *   prep: k times (log w_c + constants, cumulated weight, a set of base-covariance.h); gprep: gradient of weight, sum
 *     of gp, gradients of the set
 */
#include "base-covariance.h"

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

/* The uniform that chooses is a pair of its own behind those of the coordinates. */
static void gaussian_mixture_draw(const bj_base *base, const real *theta, const real *prep, uint64_t seed,
                                  uint64_t first_row, int nb, real *x) {
  const int k = ((const gaussian_mixture *)base->self)->k, d = base->d;
  const long step = gaussian_mixture_step(base);
  (void)theta;
  base_draw_pairs(base, seed, first_row, nb, x, random_normal2);
  for (int b = 0; b < nb; b++) {
    real choice[BJ_BLOCK], unused[BJ_BLOCK];
    random_uniform2(seed, first_row + (uint64_t)b * BJ_BLOCK, (uint32_t)(d + 1) / 2, choice, unused);
    for (int r = 0; r < BJ_BLOCK; r++) {
      const real *mean = prep + base_choose(k, prep + 1, step, choice[r]) * step + 2, *l = mean + d;
      real *row = x + (long)b * d * BJ_BLOCK + r;
      for (int i = d - 1; i >= 0; i--) {
        real sum = mean[i];
        for (int j = 0; j <= i; j++) sum += l[i + (long)j * d] * row[(long)j * BJ_BLOCK];
        row[(long)i * BJ_BLOCK] = sum;
      }
    }
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
  base->n_work = (2L * d + k) * BJ_BLOCK;
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
    .draw = gaussian_mixture_draw,
};
