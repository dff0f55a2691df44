/* Mixtures of k normals of rows x of d numbers with weights w, by expectation and maximisation.
 *
 * A step makes parameters of the moments of the groups, where row x belongs to group g by the share r_g(x):
 *
 *   c_g = sum w r_g                     a_g = sum w r_g x / c_g, the center where c_g is 0
 *   weight_g = c_g / sum w              mean_g = (c_g a_g + q center) / (c_g + q), q = 0.01 rows
 *   S_g = sum w r_g (x - a_g)(x - a_g)' + c_g q / (c_g + q) (a_g - center)(a_g - center)'
 *   C_g = (prior + S_g) / (2 d + 4 + c_g), or its diagonal, or one for all: (prior + sum_g S_g) / (2 d + 3 + sum w)
 *
 * the mode of their posterior (Fraley and Raftery 2007, doi:10.1007/s00357-007-0004-5). With C_g = L_g L_g' and
 *
 *   t_g(x) = log weight_g - log det L_g - d/2 log(2 pi) - |L_g^-1 (x - mean_g)|^2 / 2
 *   m(x) = max_g t_g      s(x) = sum_g exp(t_g - m)      log likelihood = sum w (m + log s)
 *
 * the shares of the next step are exp(t_g - m) / s. One pass over the rows does all of that and adds up the moments of
 * the next step, so that no share is kept: those of a block of rows are in cache. Moments are sums about the mean_g of
 * the pass, b_g, which a_g does not move far from:
 *
 *   f = sum w r_g (x - b)      M = sum w r_g (x - b)(x - b)'      h = a - b
 *   sum w r_g (x - a)(x - a)' = M - h f' - f h' + c_g h h'
 */
#include <stdio.h>

#include "num-carve.h"
#include "num-rows.h"

#define EM_MEAN_ROWS 0.01
#define EM_NO_ROWS 1e-10 /* a group of no more than that has no mean */
#define EM_HALF_LOG_2PI 0.91893853320467274178

/* Several vectors of rows go side by side, so that an element of L is read once for them. */
#define EM_WAYS WAYS(8)
#define EACH_WAY UNROLL for (int k = 0; k < EM_WAYS; k++)
#define FOR_WAY_ROWS(r) for (int r = 0; r < BJ_BLOCK; r += EM_WAYS * BJ_LANES)

typedef struct {
  long n_second; /* of M: its lower triangle, or its diagonal */
  /* of a block of rows, [...][BJ_BLOCK] */
  real *x, *w, *part; /* d; 1; d: what a group makes of x */
  real *share;        /* k: t_g, then w r_g */
  /* of parameters */
  real *mean, *white; /* k x d: b_g, and L^-1 (b_g - center) where there is one L for all */
  real *root;         /* k times L_g by rows, with the reciprocals of its diagonal; once where there is one for all */
  real *constant;     /* k: of t_g */
  real *center;
  /* sums, a vector each */
  real *count, *first, *second; /* k: c_g; k x d: f; k x n_second: M; its sum where there is one for all */
  real *moved, *off;            /* d: h and a_g - center */
} em_space;

/* Which M, and which L, a group has. */
INLINE long em_set(const bj_mixture_job *job, int g) { return job->shape == BJ_MIXTURE_SHARED ? 0 : g; }

static em_space em_carve(const bj_mixture_job *job, carver *from) {
  const int64_t d = job->d, k = job->k, sets = em_set(job, job->k - 1) + 1;
  const int64_t n_second = job->shape == BJ_MIXTURE_DIAGONAL ? d : d * (d + 1) / 2;
  em_space s = {.n_second = (long)n_second};
  s.x = carve(from, d * BJ_BLOCK);
  s.w = carve(from, BJ_BLOCK);
  s.part = carve(from, d * BJ_BLOCK);
  s.share = carve(from, k * BJ_BLOCK);
  s.mean = carve(from, k * d);
  s.white = carve(from, k * d);
  s.root = carve(from, sets * d * d);
  s.constant = carve(from, k);
  s.center = carve(from, d);
  s.count = carve(from, k * BJ_LANES);
  s.first = carve(from, k * d * BJ_LANES);
  s.second = carve(from, sets * n_second * BJ_LANES);
  s.moved = carve(from, d);
  s.off = carve(from, d);
  return s;
}

/* ---- a pass over the rows ---------------------------------------------------------------------------------------- */

/* A block of rows, beyond the last with weight 0. */
static void em_load(const bj_mixture_job *job, long first, em_space *s) {
  const long rows = load_block(job->z, job->n, job->d, first, s->x);
  for (long r = 0; r < BJ_BLOCK; r++) s->w[r] = r < rows ? (real)job->w[first + r] : 0;
}

/* u = L^-1 (x - mean), and `term` = constant - |u|^2 / 2. */
static void em_solve(int d, const real *root, const real *mean, real constant, const real *x, real *u, real *term) {
  FOR_WAY_ROWS(r) {
    vreal square[EM_WAYS];
    EACH_WAY square[k] = vset(0);
    for (int i = 0; i < d; i++) {
      const long at = (long)i * BJ_BLOCK + r;
      const real *l = root + (long)i * d;
      vreal sum[EM_WAYS];
      EACH_WAY sum[k] = vload(x + at + k * BJ_LANES) - vset(mean[i]);
      for (int j = 0; j < i; j++) {
        const vreal factor = vset(l[j]);
        EACH_WAY sum[k] = sum[k] - factor * vload(u + (long)j * BJ_BLOCK + r + k * BJ_LANES);
      }
      EACH_WAY {
        sum[k] = sum[k] * vset(l[i]);
        vstore(u + at + k * BJ_LANES, sum[k]);
        square[k] = square[k] + sum[k] * sum[k];
      }
    }
    EACH_WAY vstore(term + r + k * BJ_LANES, vset(constant) - 0.5 * square[k]);
  }
}

/* `term` = constant - sum of ((x - mean) * scale)^2 / 2, scale[i] `step` apart; NULL: 1. */
static void em_distance(int d, const real *scale, long step, const real *mean, real constant, const real *x,
                        real *term) {
  FOR_WAY_ROWS(r) {
    vreal square[EM_WAYS];
    EACH_WAY square[k] = vset(0);
    for (int i = 0; i < d; i++) {
      const vreal by = vset(scale ? scale[i * step] : 1);
      EACH_WAY {
        const vreal u = (vload(x + (long)i * BJ_BLOCK + r + k * BJ_LANES) - vset(mean[i])) * by;
        square[k] = square[k] + u * u;
      }
    }
    EACH_WAY vstore(term + r + k * BJ_LANES, vset(constant) - 0.5 * square[k]);
  }
}

/* t_g of all groups. */
static void em_terms(const bj_mixture_job *job, em_space *s) {
  const int d = job->d;
  if (job->shape == BJ_MIXTURE_SHARED) em_solve(d, s->root, s->center, 0, s->x, s->part, s->share);
  for (int g = 0; g < job->k; g++) {
    const real *mean = s->mean + (long)g * d, *root = s->root + (long)g * d * d;
    real *term = s->share + (long)g * BJ_BLOCK;
    if (job->shape == BJ_MIXTURE_FULL) {
      em_solve(d, root, mean, s->constant[g], s->x, s->part, term);
    } else if (job->shape == BJ_MIXTURE_DIAGONAL) {
      em_distance(d, root, d + 1, mean, s->constant[g], s->x, term);
    } else {
      em_distance(d, NULL, 0, s->white + (long)g * d, s->constant[g], s->part, term);
    }
  }
}

/* From t_g to w r_g; returns sum w (m + log s). */
static double em_shares(int k, const real *w, real *share) {
  vreal loglik = vset(0);
  FOR_ROWS(r) {
    vreal most = vload(share + r), sum = vset(0);
    for (int g = 1; g < k; g++) most = vmax(most, vload(share + (long)g * BJ_BLOCK + r));
    for (int g = 0; g < k; g++) {
      const vreal e = exp_of_negative(vload(share + (long)g * BJ_BLOCK + r) - most);
      vstore(share + (long)g * BJ_BLOCK + r, e);
      sum = sum + e;
    }
    loglik = loglik + vload(w + r) * (most + vlog(sum));
    const vreal scale = vload(w + r) / sum;
    for (int g = 0; g < k; g++) {
      real *at = share + (long)g * BJ_BLOCK + r;
      vstore(at, vload(at) * scale);
    }
  }
  return vsum(loglik);
}

INLINE void em_add(real *to, vreal sum) { vstore(to, vload(to) + sum); }

/* Adds a block to the moments of group g about its mean. */
static void em_moments(const bj_mixture_job *job, int g, em_space *s) {
  const int d = job->d, diagonal = job->shape == BJ_MIXTURE_DIAGONAL;
  const real *mean = s->mean + (long)g * d;
  real *second = s->second + em_set(job, g) * s->n_second * BJ_LANES;
  const real *share = s->share + (long)g * BJ_BLOCK;
  vreal count = vset(0);
  FOR_ROWS(r) count = count + vload(share + r);
  em_add(s->count + (long)g * BJ_LANES, count);
  for (int i = 0; i < d; i++) {
    vreal weighted[BJ_BLOCK / BJ_LANES], first = vset(0);
    real *part = s->part + (long)i * BJ_BLOCK;
    UNROLL for (int r = 0; r < BJ_BLOCK / BJ_LANES; r++) {
      const vreal residual = vload(s->x + (long)i * BJ_BLOCK + r * BJ_LANES) - vset(mean[i]);
      weighted[r] = vload(share + r * BJ_LANES) * residual;
      first = first + weighted[r];
      vstore(part + r * BJ_LANES, residual);
    }
    em_add(s->first + ((long)g * d + i) * BJ_LANES, first);
    for (int j = diagonal ? i : 0; j <= i; j++, second += BJ_LANES) {
      vreal sum = vset(0);
      part = s->part + (long)j * BJ_BLOCK;
      UNROLL for (int r = 0; r < BJ_BLOCK / BJ_LANES; r++) sum = sum + weighted[r] * vload(part + r * BJ_LANES);
      em_add(second, sum);
    }
  }
}

/* The moments of all groups, and the log likelihood. With `group`, rows belong to those, and there is none. */
static bj_status em_pass(const bj_mixture_job *job, const int *group, const bj_workers *workers, em_space *s,
                         double *loglik) {
  const int d = job->d, k = job->k;
  const size_t sets = (size_t)em_set(job, k - 1) + 1;
  memset(s->count, 0, sizeof(real) * (size_t)k * BJ_LANES);
  memset(s->first, 0, sizeof(real) * (size_t)k * (size_t)d * BJ_LANES);
  memset(s->second, 0, sizeof(real) * sets * (size_t)s->n_second * BJ_LANES);
  *loglik = 0;
  for (long first = 0; first < job->n; first += BJ_BLOCK) {
    if (first % (BJ_CHUNK * BJ_BLOCK) == 0 && workers->stop && workers->stop(workers->host)) return BJ_STOPPED;
    em_load(job, first, s);
    if (group) {
      for (long r = 0; r < BJ_BLOCK; r++) {
        const int own = group[first + r < job->n ? first + r : job->n - 1] - 1;
        for (int g = 0; g < k; g++) s->share[(long)g * BJ_BLOCK + r] = g == own ? s->w[r] : 0;
      }
    } else {
      em_terms(job, s);
      *loglik += em_shares(k, s->w, s->share);
    }
    for (int g = 0; g < k; g++) em_moments(job, g, s);
  }
  return BJ_OK;
}

/* ---- from moments to parameters ---------------------------------------------------------------------------------- */

/* h and a_g - center; returns c_g. */
static double em_center_of(const bj_mixture_job *job, int g, em_space *s) {
  const int d = job->d;
  const double count = vsum(vload(s->count + (long)g * BJ_LANES));
  for (int i = 0; i < d; i++) {
    const real mean = s->mean[(long)g * d + i], first = vsum(vload(s->first + ((long)g * d + i) * BJ_LANES));
    s->moved[i] = count > EM_NO_ROWS ? first / (real)count : s->center[i] - mean;
    s->off[i] = mean - s->center[i] + s->moved[i];
  }
  return count;
}

/* Adds the lower triangle of S_g to `to`; where M is a sum for all, it is added with the first. */
static void em_scatter(const bj_mixture_job *job, int g, double count, const em_space *s, double *to) {
  const int d = job->d, diagonal = job->shape == BJ_MIXTURE_DIAGONAL, own = g == 0 || em_set(job, g) > 0;
  const double pull = count * EM_MEAN_ROWS / (count + EM_MEAN_ROWS);
  const real *second = s->second + em_set(job, g) * s->n_second * BJ_LANES, *first = s->first + (long)g * d * BJ_LANES;
  for (int i = 0; i < d; i++) {
    const double fi = vsum(vload(first + (long)i * BJ_LANES)), hi = s->moved[i];
    for (int j = diagonal ? i : 0; j <= i; j++, second += BJ_LANES) {
      const double fj = vsum(vload(first + (long)j * BJ_LANES)), hj = s->moved[j];
      const double about = (own ? vsum(vload(second)) : 0) - hi * fj - fi * hj + count * hi * hj;
      to[i + (long)j * d] += about + pull * s->off[i] * s->off[j];
    }
  }
}

/* A lower triangle becomes its Cholesky factor; 0: it is not that of a positive definite matrix. */
static int em_cholesky(int d, int diagonal, double *a) {
  for (int j = 0; j < d; j++) {
    double *column = a + (long)j * d;
    for (int k = diagonal ? j : 0; k < j; k++) {
      const double *before = a + (long)k * d;
      for (int i = j; i < d; i++) column[i] -= before[i] * before[j];
    }
    if (!(column[j] > 0 && isfinite(column[j]))) return 0;
    column[j] = sqrt(column[j]);
    for (int i = j + 1; i < d; i++) column[i] /= column[j];
  }
  return 1;
}

/* L of (prior + S) / rows, S in its place before; 0: there is none. */
static int em_root(const bj_mixture_job *job, double rows, double *root) {
  const int d = job->d, diagonal = job->shape == BJ_MIXTURE_DIAGONAL;
  for (int j = 0; j < d; j++) {
    for (int i = j; i < (diagonal ? j + 1 : d); i++) {
      const long at = i + (long)j * d;
      root[at] = (job->prior[at] + root[at]) / rows;
    }
  }
  return em_cholesky(d, diagonal, root);
}

/* The tables of the pass: L by rows, its determinant, means as they are and whitened. */
static void em_tables(const bj_mixture_job *job, em_space *s) {
  const int d = job->d;
  for (int g = 0; g < job->k; g++) {
    const double *root = job->roots + (long)g * d * d;
    const int shared = job->shape == BJ_MIXTURE_SHARED;
    real *by_row = s->root + em_set(job, g) * d * d, *white = s->white + (long)g * d;
    double log_det = 0;
    for (int i = 0; i < d; i++) {
      for (int j = 0; j < i; j++) by_row[(long)i * d + j] = (real)root[i + (long)j * d];
      by_row[(long)i * d + i] = (real)(1 / root[i + (long)i * d]);
      log_det += log(root[i + (long)i * d]);
      s->mean[(long)g * d + i] = (real)job->mean[g + (long)i * job->k];
      if (!shared) continue;
      real sum = s->mean[(long)g * d + i] - s->center[i];
      for (int j = 0; j < i; j++) sum -= by_row[(long)i * d + j] * white[j];
      white[i] = sum * by_row[(long)i * d + i];
    }
    s->constant[g] = (real)(log(job->weight[g]) - log_det - d * EM_HALF_LOG_2PI);
  }
}

static bj_status em_update(const bj_mixture_job *job, double total, em_space *s, bj_error *error) {
  const int d = job->d, k = job->k, shared = job->shape == BJ_MIXTURE_SHARED;
  const size_t size = (size_t)d * (size_t)d;
  memset(job->roots, 0, sizeof(double) * size * (size_t)k);
  int good = 1;
  for (int g = 0; g < k && good; g++) {
    double *root = job->roots + (size_t)em_set(job, g) * size;
    const double count = em_center_of(job, g, s), kept = count / (count + EM_MEAN_ROWS);
    job->weight[g] = fmax(count / total, REAL_TINY);
    for (int i = 0; i < d; i++) job->mean[g + (long)i * k] = job->center[i] + kept * s->off[i];
    em_scatter(job, g, count, s, root);
    if (!shared) good = em_root(job, 2 * d + 4 + count, root);
  }
  if (shared) {
    good = em_root(job, 2 * d + 3 + total, job->roots);
    for (int g = 1; g < k; g++) memcpy(job->roots + (size_t)g * size, job->roots, sizeof(double) * size);
  }
  if (!good) {
    snprintf(error->message, sizeof error->message, "a covariance of a mixture of %d normals is not positive definite",
             k);
    return BJ_NOT_POSITIVE;
  }
  em_tables(job, s);
  return BJ_OK;
}

/* ---- all steps --------------------------------------------------------------------------------------------------- */

/* Moments of the groups that are given: about the center first, then about the means that this has shown. */
static bj_status em_start(const bj_mixture_job *job, const bj_workers *workers, em_space *s) {
  const int d = job->d;
  double unused;
  for (int i = 0; i < d; i++) {
    s->center[i] = (real)job->center[i];
    for (int g = 0; g < job->k; g++) s->mean[(long)g * d + i] = s->center[i];
  }
  const bj_status status = em_pass(job, job->group, workers, s, &unused);
  if (status != BJ_OK) return status;
  for (int g = 0; g < job->k; g++) {
    em_center_of(job, g, s);
    for (int i = 0; i < d; i++) s->mean[(long)g * d + i] += s->moved[i];
  }
  return em_pass(job, job->group, workers, s, &unused);
}

static bj_status normal_mixture(const bj_mixture_job *job, bj_mixture_end *end, const bj_memory *memory,
                                const bj_workers *workers, bj_error *error) {
  carver measure = {0};
  em_carve(job, &measure);
  carver from = {.memory = carve_block(memory, measure.used)};
  em_space s = em_carve(job, &from);
  double total = 0, old = -INFINITY;
  for (long i = 0; i < job->n; i++) total += job->w[i];
  bj_status status = em_start(job, workers, &s);
  for (end->steps = 1; status == BJ_OK; end->steps++) {
    status = em_update(job, total, &s, error);
    if (status != BJ_OK) break;
    status = em_pass(job, NULL, workers, &s, &end->loglik);
    if (status != BJ_OK) break;
    if (!isfinite(end->loglik)) {
      snprintf(error->message, sizeof error->message, "the likelihood of a mixture of %d normals is not finite",
               job->k);
      return BJ_NOT_POSITIVE;
    }
    if (end->steps == job->max_step) break;
    if (fabs(end->loglik - old) < job->tolerance * fabs(end->loglik) + 1e-8) break;
    old = end->loglik;
  }
  return status;
}

#undef EM_WAYS
#undef EACH_WAY
#undef FOR_WAY_ROWS
