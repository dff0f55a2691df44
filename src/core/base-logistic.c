/* logistic: independent standard logistic coordinates.
 *
 *   log p = -softplus(x) - softplus(-x) = -|x| - 2 log(1 + e^-|x|);  vjp: gx = gp (1 - 2 sigmoid(x)) = -gp tanh(x / 2)
 *   P(X <= x) = 1 / (1 + e^-x)
 *   draw: log(u) - log(1 - u)
 */
#include "base-common.h"

static void logistic_log_density(const bj_base *base, const bj_base_pass *pass) {
  for (int i = 0; i < base->d; i++) {
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal size = vabs(vload(pass->x + at));
      vstore(pass->log_density + row, vload(pass->log_density + row) + size - vset(2) * vsoftplus(size));
    }
  }
}

static void logistic_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  for (int i = 0; i < base->d; i++) {
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal slope = vtanh(vset(0.5) * vload(pass->x + at));
      vstore(pass->gx + at, vload(pass->gx + at) - vload(pass->gp + row) * slope);
    }
  }
}

static void logistic_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    const vreal x = vload(pass->x + at);
    vstore(below + row, -vsoftplus(-x));
    vstore(above + row, -vsoftplus(x));
  }
}

static void logistic_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  base_draw_pairs(base, seed, first_row, pass->nb, x, random_uniform2);
  for (long i = 0; i < (long)pass->nb * base->d * BJ_BLOCK; i += BJ_LANES) {
    const vreal u = vload(x + i);
    vstore(x + i, vlog(u) - vlog(vset(1) - u));
  }
}

static bj_status logistic_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  (void)base;
  (void)spec;
  (void)build;
  return BJ_OK;
}

static const bj_base_kind base_logistic = {
    .name = "logistic",
    .build = logistic_build,
    .log_density = logistic_log_density,
    .log_density_vjp = logistic_log_density_vjp,
    .log_tails = logistic_log_tails,
    .draw = logistic_draw,
};
