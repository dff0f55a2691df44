/* Gradients through draws z of the base with respect to its parameters, for losses over draws. Small beside the rest of
 * a step, so it runs on one thread. */
#include "flow.h"
#include "num-carve.h"

static bj_status flow_draw_vjp(const bj_flow *flow, const real *theta, const bj_rows *z, const double *grad_z,
                               real *grad_param, const bj_memory *memory, bj_error *error) {
  const bj_base *base = flow->base;
  const int size = BJ_CHUNK * BJ_BLOCK;
  if (base->n_param == 0) return BJ_OK;
  if (!base->kind->draw_vjp) {
    bj_build build = {.memory = memory, .error = error};
    return spec_error(&build, "the parameters of base_%s() cannot be trained against a log density", base->kind->name);
  }
  const long n = z->n, n_prep = base->n_prep, n_row = (long)size * base->d;
  real *x = carve_block(memory, 2 * n_prep + 2 * n_row);
  real *gx = x + n_row, *gprep = gx + n_row, *prep = gprep + n_prep;
  memset(gprep, 0, sizeof(real) * (size_t)n_prep);
  if (base->kind->prepare) base->kind->prepare(base, theta, prep);
  for (long first = 0; first < n; first += size) {
    const int here = (int)(n - first < size ? n - first : size), nb = (here + BJ_BLOCK - 1) / BJ_BLOCK;
    const bj_base_pass pass = {
        .nb = nb, .theta = theta, .prep = prep, .x = x, .gx = gx, .gtheta = grad_param, .gprep = gprep};
    const bj_status status = pack_rows(z, base->d, NULL, first, here, nb, x);
    if (status != BJ_OK) return status;
    pack_cotangent(grad_z, n, base->d, first, here, nb, gx);
    base->kind->draw_vjp(base, &pass);
  }
  if (base->kind->prepare_vjp) base->kind->prepare_vjp(base, theta, prep, gprep, grad_param);
  return BJ_OK;
}
