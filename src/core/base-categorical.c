/* categorical: one coordinate whose points are the codes 0, 1, ..., n - 1 of n levels, with logits that are free, or
 * those of a net of the conditions.
 *
 *   log p(x = j) = eta_j - log sum_i exp(eta_i), and -Inf where x is no code; eta = logit, or net(c)
 *   vjp: gx = 0;  geta_i = gp (1[x = i] - p_i), where x is a code
 *   draw: the number of levels, but for the last, whose cumulated probability a uniform exceeds
 *   prep without a net, a level: log p_i, the cumulated p_i; gprep: sum of gp over its rows, -
 */
#include "base-common.h"

#define CATEGORICAL_MAX 1000

typedef struct {
  int n;
} categorical;

/* The logits of the rows at `row` of a pass, and the largest. */
INLINE const real *categorical_logits(const bj_base *base, const base_rows *at, long row, vreal *most) {
  const int n = ((const categorical *)base->self)->n;
  const real *eta = at->net.y + row / BJ_BLOCK * n * BJ_BLOCK + row % BJ_BLOCK;
  *most = vload(eta);
  for (int i = 1; i < n; i++) *most = vmax(*most, vload(eta + (long)i * BJ_BLOCK));
  return eta;
}

static void categorical_log_density(const bj_base *base, const bj_base_pass *pass) {
  const int n = ((const categorical *)base->self)->n, by_net = base->net != NULL;
  base_rows at = {0};
  if (by_net) {
    base_given(base, pass);
    at = base_rows_at(base, pass);
  }
  FOR_BASE_ROWS(base, pass, 0, x_at, row) {
    const vreal x = vload(pass->x + x_at);
    vreal value = vset(-INFINITY);
    if (by_net) {
      vreal most, sum = vset(0);
      const real *eta = categorical_logits(base, &at, row, &most);
      for (int i = 0; i < n; i++) {
        const vreal apart = vload(eta + (long)i * BJ_BLOCK) - most;
        sum += vexp(apart);
        value = vselect(veq(x, vset(i)), apart, value);
      }
      value -= vlog(sum);
    } else {
      for (int i = 0; i < n; i++) value = vselect(veq(x, vset(i)), vset(pass->prep[2 * i]), value);
    }
    vstore(pass->log_density + row, vload(pass->log_density + row) + value);
  }
}

static void categorical_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int n = ((const categorical *)base->self)->n;
  if (!base->net) {
    for (int i = 0; i < n; i++) {
      vreal here = vset(0);
      FOR_BASE_ROWS(base, pass, 0, x_at, row) {
        here += vselect(veq(vload(pass->x + x_at), vset(i)), vload(pass->gp + row), vset(0));
      }
      pass->gprep[2 * i] += vsum(here);
    }
    return;
  }
  const base_rows at = base_rows_at(base, pass);
  FOR_BASE_ROWS(base, pass, 0, x_at, row) {
    const vreal x = vload(pass->x + x_at), gp = vload(pass->gp + row);
    vreal most, sum = vset(0), g = vset(0);
    const real *eta = categorical_logits(base, &at, row, &most);
    real *geta = at.net.gy + (eta - at.net.y);
    for (int i = 0; i < n; i++) {
      const vreal share = vexp(vload(eta + (long)i * BJ_BLOCK) - most);
      sum += share;
      g = vselect(veq(x, vset(i)), gp, g);
      vstore(geta + (long)i * BJ_BLOCK, share);
    }
    const vreal part = g / sum;
    for (int i = 0; i < n; i++) {
      real *to = geta + (long)i * BJ_BLOCK;
      vstore(to, vselect(veq(x, vset(i)), g, vset(0)) - part * vload(to));
    }
  }
  base_given_vjp(base, pass);
}

static void categorical_prepare(const bj_base *base, const real *theta, real *prep) {
  if (!base->net) base_weights(((const categorical *)base->self)->n, theta, prep, prep + 1, 2);
}

static void categorical_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep,
                                    real *gtheta) {
  const int n = ((const categorical *)base->self)->n;
  real total = 0;
  (void)theta;
  if (base->net) return;
  for (int i = 0; i < n; i++) total += gprep[2 * i];
  for (int i = 0; i < n; i++) gtheta[i] += gprep[2 * i] - exp(prep[2 * i]) * total;
}

static void categorical_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row,
                             real *x) {
  const int n = ((const categorical *)base->self)->n, by_net = base->net != NULL;
  base_rows at = {0};
  if (by_net) {
    base_given(base, pass);
    at = base_rows_at(base, pass);
  }
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_uniform2);
  FOR_BASE_ROWS(base, pass, 0, x_at, row) {
    vreal uniform = vload(x + x_at), code = vset(0), below = vset(0), most;
    if (by_net) {
      vreal sum = vset(0);
      const real *eta = categorical_logits(base, &at, row, &most);
      for (int i = 0; i < n; i++) sum += vexp(vload(eta + (long)i * BJ_BLOCK) - most);
      uniform = uniform * sum;
      for (int i = 0; i < n - 1; i++) {
        below += vexp(vload(eta + (long)i * BJ_BLOCK) - most);
        code += vselect(vlt(below, uniform), vset(1), vset(0));
      }
    } else {
      for (int i = 0; i < n - 1; i++) code += vselect(vlt(vset(pass->prep[2 * i + 1]), uniform), vset(1), vset(0));
    }
    vstore(x + x_at, code);
  }
}

static void categorical_describe(const bj_base *base, bj_describe *out) {
  if (!base->net) describe_slot(out, "logit", 1, ((const categorical *)base->self)->n, 0);
}

static void categorical_init(const bj_base *base, real *theta, bj_rng *rng) {
  const int n = base->net ? 0 : ((const categorical *)base->self)->n;
  (void)rng;
  for (int i = 0; i < n; i++) theta[i] = 0;
}

static bj_status categorical_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  categorical *self = base->self = build_alloc(build, sizeof(categorical));
  self->n = spec_count(build, spec, "levels", 2, CATEGORICAL_MAX);
  if (base->d != 1) return spec_error(build, "base_categorical() is of one coordinate");
  const bj_status status = base_net_build(base, spec, self->n, NULL, build);
  if (status != BJ_OK || base->net) return status;
  base->n_param = self->n;
  base->n_prep = 2 * self->n;
  return build->status;
}

static const bj_base_kind base_categorical = {
    .name = "categorical",
    .build = categorical_build,
    .describe = categorical_describe,
    .init = categorical_init,
    .prepare = categorical_prepare,
    .prepare_vjp = categorical_prepare_vjp,
    .log_density = categorical_log_density,
    .log_density_vjp = categorical_log_density_vjp,
    .draw = categorical_draw,
};
