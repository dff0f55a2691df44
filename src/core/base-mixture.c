/* mixture: k normals with independent coordinates; weights, means and scales are trainable.
 *
 *   p = sum_c w_c prod_i N(x_i; mean_ci, s_ci),  w = softmax(weight),  s = softplus(scale)
 *   e_c = log w_c + sum_i (-u_ci^2 / 2 - log s_ci - log(2 pi) / 2),  u_ci = (x_i - mean_ci) / s_ci
 *   log p = m + log sum_c exp(e_c - m), m = max e;  share_c = exp(e_c - log p)
 *   vjp, with g_c = gp share_c:  gx_i = -sum_c g_c u_ci / s_ci;  gmean_ci = g_c u_ci / s_ci;
 *     glog s_ci = g_c (u_ci^2 - 1);  gweight_c = g_c - w_c gp
 *   draw: a uniform chooses c by the cumulated weights, then mean + s N(0, 1)
 *   vjp of draws (Figurnov, Mohamed, Mnih 2018): a draw moves with the parameters so that its conditional distribution
 *     functions stay what they are. F_i = sum_c r_ci Phi(u_ci), where r_ci is the share of component c given the
 *     coordinates before i; p_i = sum_c r_ci phi(u_ci) / s_ci. From the last coordinate back, with l = gx_i / p_i and
 *     h_c = l r_ci (Phi(u_ci) - F_i):
 *       gmean_ci += l r_ci phi(u_ci) / s_ci;  glog s_ci += l r_ci phi(u_ci) u_ci;  gweight_c -= h_c;  and for j < i
 *       gmean_cj -= h_c u_cj / s_cj;  glog s_cj -= h_c (u_cj^2 - 1);  gx_j += sum_c h_c u_cj / s_cj
 *   prep: k sets of (log w_c + constants, cumulated weight, d means, d reciprocals of s, d numbers log w_c + constants
 *   of the first 0, 1, ... coordinates); gprep: gradients of weight, -, mean, log s, -
 */
#include "base-common.h"
#include "num-special.h"

typedef struct {
  int k;
  real spread; /* of the initial means */
} mixture;

INLINE const real *mixture_set(const bj_base *base, const real *prep, int c) { return prep + (2 + 3L * base->d) * c; }

/* e_c of the rows at x into e; returns log p. */
INLINE vreal mixture_terms(const bj_base *base, const real *prep, const real *x, vreal *e) {
  const mixture *self = base->self;
  vreal most = vset(-INFINITY), sum = vset(0);
  for (int c = 0; c < self->k; c++) {
    const real *set = mixture_set(base, prep, c), *mean = set + 2, *inverse = mean + base->d;
    e[c] = vset(set[0]);
    for (int i = 0; i < base->d; i++) {
      const vreal u = (vload(x + i * BJ_BLOCK) - vset(mean[i])) * vset(inverse[i]);
      e[c] = e[c] - vset(0.5) * u * u;
    }
    e[c] = vmax(vset(BASE_MIXTURE_LEAST), e[c]);
    most = vmax(most, e[c]);
  }
  for (int c = 0; c < self->k; c++) sum = sum + vexp(e[c] - most);
  return most + vlog(sum);
}

static void mixture_log_density(const bj_base *base, const bj_base_pass *pass) {
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal e[BASE_MIXTURE_MAX];
    real *to = pass->log_density + b * BJ_BLOCK + r;
    vstore(to, vload(to) + mixture_terms(base, pass->prep, pass->x + (long)b * base->d * BJ_BLOCK + r, e));
  }
}

static void mixture_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const mixture *self = base->self;
  const int d = base->d;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    vreal e[BASE_MIXTURE_MAX];
    const long at = (long)b * d * BJ_BLOCK + r;
    const vreal gp = vload(pass->gp + b * BJ_BLOCK + r), log_p = mixture_terms(base, pass->prep, pass->x + at, e);
    for (int c = 0; c < self->k; c++) {
      const real *set = mixture_set(base, pass->prep, c), *mean = set + 2, *inverse = mean + d;
      real *gset = pass->gprep + (set - pass->prep);
      const vreal g = gp * vexp(e[c] - log_p);
      gset[0] += vsum(g);
      gset[1] += vsum(gp);
      for (int i = 0; i < d; i++) {
        real *gx = pass->gx + at + i * BJ_BLOCK;
        const vreal u = (vload(pass->x + at + i * BJ_BLOCK) - vset(mean[i])) * vset(inverse[i]);
        const vreal gmean = g * u * vset(inverse[i]);
        vstore(gx, vload(gx) - gmean);
        gset[2 + i] += vsum(gmean);
        gset[2 + d + i] += vsum(g * (u * u - vset(1)));
      }
    }
  }
}

/* Parameters are [weight | mean, k x d | scale, k x d]. */
static void mixture_prepare(const bj_base *base, const real *theta, real *prep) {
  const mixture *self = base->self;
  const int k = self->k, d = base->d;
  base_weights(k, theta, prep, prep + 1, 2 + 3L * d);
  for (int c = 0; c < k; c++) {
    real *set = prep + (2 + 3L * d) * c;
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
  for (int c = 0; c < k; c++) {
    const real *gset = mixture_set(base, gprep, c);
    const real before = c > 0 ? mixture_set(base, prep, c - 1)[1] : 0, weight = mixture_set(base, prep, c)[1] - before;
    gtheta[c] += gset[0] - weight * gset[1];
    for (int i = 0; i < d; i++) {
      real dlog;
      base_positive(theta[k + (long)k * d + c + (long)i * k], &dlog);
      gtheta[k + c + (long)i * k] += gset[2 + i];
      gtheta[k + (long)k * d + c + (long)i * k] += gset[2 + d + i] * dlog;
    }
  }
}

static void mixture_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  const mixture *self = base->self;
  const int d = base->d;
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_normal2);
  for (int b = 0; b < pass->nb; b++) {
    int chosen[BJ_BLOCK];
    base_choose(base, self->k, pass->prep + 1, 2 + 3L * d, seed, first_row + (uint64_t)b * BJ_BLOCK, chosen);
    for (int r = 0; r < BJ_BLOCK; r++) {
      const real *mean = mixture_set(base, pass->prep, chosen[r]) + 2, *inverse = mean + d;
      for (int i = 0; i < d; i++) {
        real *here = x + ((long)b * d + i) * BJ_BLOCK + r;
        *here = mean[i] + *here / inverse[i];
      }
    }
  }
}

/* r_ci and Phi(u_ci) of one coordinate. Returns p_i; `apart` becomes Phi(u_ci) - F_i, from the smaller tail. */
INLINE vreal mixture_conditional(const bj_base *base, const real *prep, const real *x, int i, vreal *share,
                                 vreal *apart) {
  const mixture *self = base->self;
  const int d = base->d;
  vreal most = vset(-INFINITY), sum = vset(0), density = vset(0), lower = vset(0), upper = vset(0);
  for (int c = 0; c < self->k; c++) {
    const real *set = mixture_set(base, prep, c), *mean = set + 2, *inverse = mean + d;
    share[c] = vset(inverse[d + i]);
    for (int j = 0; j < i; j++) {
      const vreal u = (vload(x + j * BJ_BLOCK) - vset(mean[j])) * vset(inverse[j]);
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
    const real *set = mixture_set(base, prep, c), *mean = set + 2, *inverse = mean + d;
    const vreal u = (vload(x + i * BJ_BLOCK) - vset(mean[i])) * vset(inverse[i]);
    share[c] = share[c] / sum;
    density = density + share[c] * vset(inverse[i]) * vexp(vset(-0.5) * u * u - vset(HALF_LOG_2PI));
    lower = lower + share[c] * vpnorm(u);
    upper = upper + share[c] * vpnorm(-u);
  }
  const vint below = vlt(lower, upper);
  for (int c = 0; c < self->k; c++) {
    const real *mean = mixture_set(base, prep, c) + 2, *inverse = mean + d;
    const vreal u = (vload(x + i * BJ_BLOCK) - vset(mean[i])) * vset(inverse[i]);
    apart[c] = vselect(below, vpnorm(u) - lower, upper - vpnorm(-u));
  }
  return density;
}

static void mixture_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  const mixture *self = base->self;
  const int d = base->d;
  FOR_BLOCK_ROWS(pass->nb, b, r) {
    const real *x = pass->x + (long)b * d * BJ_BLOCK + r;
    real *gx = pass->gx + (long)b * d * BJ_BLOCK + r;
    for (int i = d - 1; i >= 0; i--) {
      vreal share[BASE_MIXTURE_MAX], apart[BASE_MIXTURE_MAX];
      const vreal density = mixture_conditional(base, pass->prep, x, i, share, apart);
      const vreal l = vload(gx + i * BJ_BLOCK) / vmax(vset(REAL_TINY), density);
      for (int c = 0; c < self->k; c++) {
        const real *set = mixture_set(base, pass->prep, c), *mean = set + 2, *inverse = mean + d;
        real *gset = pass->gprep + (set - pass->prep);
        const vreal u = (vload(x + i * BJ_BLOCK) - vset(mean[i])) * vset(inverse[i]);
        const vreal here = l * (share[c] * vexp(vset(-0.5) * u * u - vset(HALF_LOG_2PI))),
                    h = l * (share[c] * apart[c]);
        gset[0] -= vsum(h);
        gset[2 + i] += vsum(here * vset(inverse[i]));
        gset[2 + d + i] += vsum(here * u);
        for (int j = 0; j < i; j++) {
          const vreal before = (vload(x + j * BJ_BLOCK) - vset(mean[j])) * vset(inverse[j]);
          const vreal g = h * before * vset(inverse[j]);
          gset[2 + j] -= vsum(g);
          gset[2 + d + j] -= vsum(h * (before * before - vset(1)));
          vstore(gx + j * BJ_BLOCK, vload(gx + j * BJ_BLOCK) + g);
        }
      }
    }
  }
}

static void mixture_describe(const bj_base *base, bj_describe *out) {
  const int k = ((const mixture *)base->self)->k;
  describe_slot(out, "weight", 1, k, 0);
  describe_slot(out, "mean", 2, k, base->d);
  describe_slot(out, "scale", 2, k, base->d);
}

static void mixture_init(const bj_base *base, real *theta, bj_rng *rng) {
  const mixture *self = base->self;
  const long size = (long)self->k * base->d;
  for (int c = 0; c < self->k; c++) theta[c] = 0;
  for (long i = 0; i < size; i++) theta[self->k + i] = self->spread * rng_normal(rng);
  for (long i = 0; i < size; i++) theta[self->k + size + i] = inverse_softplus(1);
}

static bj_status mixture_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  mixture *self = base->self = build_alloc(build, sizeof(mixture));
  self->k = spec_count(build, spec, "components", 1, BASE_MIXTURE_MAX);
  self->spread = spec_real(build, spec, "spread", 0, INFINITY);
  base->n_param = self->k + 2L * self->k * base->d;
  base->n_prep = (2 + 3L * base->d) * self->k;
  return build->status;
}

static const bj_base_kind base_mixture = {
    .name = "mixture",
    .build = mixture_build,
    .describe = mixture_describe,
    .init = mixture_init,
    .prepare = mixture_prepare,
    .prepare_vjp = mixture_prepare_vjp,
    .log_density = mixture_log_density,
    .log_density_vjp = mixture_log_density_vjp,
    .draw = mixture_draw,
    .draw_vjp = mixture_draw_vjp,
};
