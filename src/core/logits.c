/* The likelihood of multinomial logits. Of rows x of p numbers, each with weights y of L values and coefficients B,
 *
 *   eta = x B,   log q_l = eta_l - log sum_m exp(eta_m),   loss = -sum_rows sum_l y_l log q_l,
 *
 *   d loss / d B = sum_rows x' (s q - y),   s = sum_l y_l
 *
 * Block by block, in order: rows beyond the last have no weight.
 */
#include "num-carve.h"
#include "num-math.h"
#include "num-rows.h"

/* eta to the gradient of the loss in it; gives the loss of a block. */
static real logits_slope(int count, const real *y, real *eta) {
  vreal loss = vset(0);
  FOR_ROWS(r) {
    vreal most = vload(eta + r), sum = vset(0), mass = vset(0);
    for (int l = 1; l < count; l++) most = vmax(most, vload(eta + (long)l * BJ_BLOCK + r));
    for (int l = 0; l < count; l++) sum += exp_of_negative(vload(eta + (long)l * BJ_BLOCK + r) - most);
    const vreal total = most + vlog(sum);
    for (int l = 0; l < count; l++) mass += vload(y + (long)l * BJ_BLOCK + r);
    for (int l = 0; l < count; l++) {
      real *at = eta + (long)l * BJ_BLOCK + r;
      const vreal log_share = vload(at) - total, weight = vload(y + (long)l * BJ_BLOCK + r);
      loss -= weight * log_share;
      vstore(at, mass * exp_of_negative(log_share) - weight);
    }
  }
  return vsum(loss);
}

static void logits_values(const bj_logits_job *job, const real *x, real *eta) {
  for (int l = 0; l < job->count; l++) {
    const double *b = job->coefficient + (long)l * job->p;
    FOR_ROWS(r) {
      vreal sum = vset(0);
      for (int k = 0; k < job->p; k++) sum += vload(x + (long)k * BJ_BLOCK + r) * vset((real)b[k]);
      vstore(eta + (long)l * BJ_BLOCK + r, sum);
    }
  }
}

static void logits_add(const bj_logits_job *job, const real *x, const real *slope) {
  for (int l = 0; l < job->count; l++) {
    for (int k = 0; k < job->p; k++) {
      vreal sum = vset(0);
      FOR_ROWS(r) sum += vload(x + (long)k * BJ_BLOCK + r) * vload(slope + (long)l * BJ_BLOCK + r);
      job->gradient[(long)l * job->p + k] += (double)vsum(sum);
    }
  }
}

static double logits_loss(const bj_logits_job *job, const bj_memory *memory) {
  const int64_t size = (int64_t)job->p * BJ_BLOCK, values = (int64_t)job->count * BJ_BLOCK;
  carver measure = {0};
  carve(&measure, size);
  carve(&measure, values);
  carve(&measure, values);
  carver from = {.memory = carve_block(memory, measure.used)};
  real *x = carve(&from, size), *y = carve(&from, values), *eta = carve(&from, values);
  double loss = 0;
  memset(job->gradient, 0, sizeof(double) * (size_t)job->p * (size_t)job->count);
  for (long first = 0; first < job->n; first += BJ_BLOCK) {
    load_block(job->x, job->n, job->p, first, x);
    const long rows = load_block(job->y, job->n, job->count, first, y);
    for (int l = 0; l < job->count; l++) {
      for (long r = rows; r < BJ_BLOCK; r++) y[(long)l * BJ_BLOCK + r] = 0;
    }
    logits_values(job, x, eta);
    loss += (double)logits_slope(job->count, y, eta);
    logits_add(job, x, eta);
  }
  return loss;
}
