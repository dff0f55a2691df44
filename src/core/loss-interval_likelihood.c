/* Interval likelihood of one coordinate: a row says that it lies in (l, u], where l < u, or at l = u, and that it would
 * not have been seen outside of (a, b]. Each end may be infinite. With F the distribution function of the flow, G that
 * of the base, z the inverse of a point and s = 1 or -1 as the map increases or falls:
 *
 *   loss = log(F(b) - F(a)) - log(F(u) - F(l)), with log p(l) for the latter where l = u
 *   F(x) = G(z) or 1 - G(z)
 *   log(F(u) - F(l)) = log F(u) + log(1 - F(l) / F(u)), or by the other tail, with 1 - F(l) for F(u) and 1 - F(u) for
 *                      F(l), whichever of the two, F(u) or 1 - F(l), is smaller: that one has the digits
 *   vjp: d log(F(u) - F(l)) / dz(u) = s g(z(u)) / (F(u) - F(l)), and the same with a minus sign for z(l)
 *   of parameters p of the base: a draw z moves with them so that G(z; p) stays, dG/dp = -g dz/dp. So they get minus
 *   what a draw z would give them with the cotangent that z has here; or, where g may be 0 though dG/dp is not, as
 *   between the components of a mixture, by the tails, with L, S the larger and the smaller: d log P = (d log L - r
 *   d log S) / (1 - r), r = S / L
 *
 * An interval so narrow that the difference has no digits counts as its density at u times its width. The points are
 * put through the layers one after the other, and back in the opposite order; a point that no row of a chunk has costs
 * nothing.
 */
#include "loss.h"

typedef struct {
  real sign;
  int by_tails; /* the base's parameters have their gradient by its tails */
} interval_likelihood;

enum { LOWER, UPPER, FROM, TO, N_POINT };

/* A row, and what became of its points; the cotangents of log F and log(1 - F) at each, times its weight. */
typedef struct {
  real point[N_POINT], log_p[N_POINT], log_g[N_POINT], below[N_POINT], above[N_POINT]; /* log F, log(1 - F) */
  real gbelow[N_POINT], gabove[N_POINT];
} interval_row;

/* Of this much the difference of two tails, in parts of the larger one, has no digits. */
#define INTERVAL_NARROW BY_REAL(1e-9, 1e-4f)

/* The two tails whose difference is F(high) - F(low), in logs: of F, or `by_above` of 1 - F. */
typedef struct {
  int by_above;
  real large, small;
} interval_tails;

static interval_tails interval_tails_of(const interval_row *at, int low, int high) {
  if (at->above[low] < at->below[high]) return (interval_tails){1, at->above[low], at->above[high]};
  return (interval_tails){0, at->below[high], at->below[low]};
}

/* log(F(high) - F(low)), and whether that is too narrow to have digits. */
static real interval_log_probability(const interval_row *at, int low, int high, int *narrow) {
  const interval_tails tails = interval_tails_of(at, low, high);
  const real share = -expm1(tails.small - tails.large); /* 1 - small / large */
  *narrow = !(share > INTERVAL_NARROW);
  return tails.large + log(share);
}

/* Whether a row has this point: where l = u one is enough. */
static int interval_has(const interval_row *at, int which) {
  return fabs(at->point[which]) < INFINITY && !(which == UPPER && at->point[UPPER] == at->point[LOWER]);
}

/* In the place of an end that is infinite stands one that is not. */
static real interval_stand_in(const interval_row *at, int which) {
  for (int k = 0; k < N_POINT; k++) {
    const int point = (which + k) % N_POINT;
    if (interval_has(at, point)) return at->point[point];
  }
  return 0;
}

static int interval_any(const interval_row *rows, const real *weight, int n, int which) {
  for (int i = 0; i < n; i++) {
    if (interval_has(rows + i, which) && weight[i] != 0) return 1;
  }
  return 0;
}

/* Puts point `which` of every row through the layers. */
static bj_status interval_put(const flow_params *params, flow_space *space, const interval_row *rows, int which,
                              uint64_t row, int nb) {
  for (int i = 0; i < nb * BJ_BLOCK; i++) space->x[i] = interval_stand_in(rows + i, which);
  return chunk_run(params, space, row, nb);
}

/* What the rows that have this point, which was just put through, need of it. */
static void interval_read(const interval_likelihood *self, const flow_params *params, flow_space *space,
                          interval_row *rows, int which, int nb) {
  const int n = nb * BJ_BLOCK, falls = self->sign < 0;
  const bj_base *base = params->flow->base;
  const bj_base_pass pass = chunk_base_pass(params, space, nb, BJ_INVERSE);
  base->kind->log_tails(base, &pass, space->tails, space->tails + n);
  for (int i = 0; i < n; i++) {
    interval_row *at = rows + i;
    at->log_p[which] = space->log_density[i];
    at->log_g[which] = space->log_density[i] - space->sum[i];
    if (!interval_has(at, which)) continue;
    at->below[which] = space->tails[falls ? n + i : i];
    at->above[which] = space->tails[falls ? i : n + i];
  }
}

/* Of log(F(high) - F(low)), with the cotangent g. */
static void interval_tails_vjp(interval_row *at, int low, int high, real g) {
  const interval_tails tails = interval_tails_of(at, low, high);
  const real ratio = exp(tails.small - tails.large), g_large = g / (1 - ratio), g_small = -g_large * ratio;
  if (tails.by_above) {
    at->gabove[low] += g_large;
    at->gabove[high] += g_small;
  } else {
    at->gbelow[high] += g_large;
    at->gbelow[low] += g_small;
  }
}

/* The loss of a row, and the cotangents of its z and of log p at each point, times its weight. */
static real interval_loss(const interval_likelihood *self, interval_row *at, real weight, real *gz, real *gp) {
  real loss = 0;
  for (int k = 0; k < N_POINT; k++) gz[k] = gp[k] = at->gbelow[k] = at->gabove[k] = 0;
  for (int pair = 0; pair < 2; pair++) {
    const int low = pair ? FROM : LOWER, high = pair ? TO : UPPER;
    const real factor = pair ? 1 : -1; /* of the loss */
    int narrow = 1;
    real log_p = at->log_p[low];
    if (at->point[low] == at->point[high]) {
      gp[low] += factor * weight;
    } else {
      log_p = interval_log_probability(at, low, high, &narrow);
      if (narrow && interval_has(at, low) && interval_has(at, high)) {
        log_p = at->log_p[high] + log(at->point[high] - at->point[low]);
        gp[high] += factor * weight;
      } else {
        const real by_log = factor * weight * self->sign;
        if (interval_has(at, high)) gz[high] += by_log * exp(at->log_g[high] - log_p);
        if (interval_has(at, low)) gz[low] -= by_log * exp(at->log_g[low] - log_p);
        if (self->by_tails) interval_tails_vjp(at, low, high, factor * weight);
      }
    }
    loss += factor * log_p;
  }
  return loss;
}

/* Of what z(which) gives the loss, the gradient of the base's parameters; gy are the cotangents of z. */
static void interval_base_vjp(const interval_likelihood *self, const flow_params *params, flow_space *space,
                              const interval_row *rows, int which, int nb) {
  const bj_base *base = params->flow->base;
  const int n = nb * BJ_BLOCK, falls = self->sign < 0;
  bj_base_pass pass = chunk_base_pass(params, space, nb, BJ_INVERSE);
  int any = 0;
  if (base->n_param == 0) return;
  if (self->by_tails) {
    real *below = space->tails, *above = below + n;
    for (int i = 0; i < n; i++) {
      const int has = interval_has(rows + i, which);
      const real gbelow = has ? rows[i].gbelow[which] : 0, gabove = has ? rows[i].gabove[which] : 0;
      below[i] = falls ? gabove : gbelow;
      above[i] = falls ? gbelow : gabove;
      any |= below[i] != 0 || above[i] != 0;
    }
    if (any) base->kind->log_tails_vjp(base, &pass, below, above);
    return;
  }
  pass.gx = space->gx; /* chunk_vjp() writes over it */
  for (int i = 0; i < n; i++) {
    space->gx[i] = -space->gy[i];
    any |= space->gy[i] != 0;
  }
  if (any) base->kind->draw_vjp(base, &pass);
}

static bj_status interval_chunk(const bj_loss *loss, const flow_params *params, flow_space *space, uint64_t row,
                                int nb) {
  const interval_likelihood *self = loss->self;
  const int training = params->run.purpose == RUN_TRAIN, n = nb * BJ_BLOCK;
  interval_row rows[BJ_CHUNK * BJ_BLOCK];
  real gz[BJ_CHUNK * BJ_BLOCK][N_POINT], gp[BJ_CHUNK * BJ_BLOCK][N_POINT];
  int put[N_POINT], n_put = 0; /* the points that are put through */
  for (int i = 0; i < n; i++) {
    const real *ends = space->ends + (long)(i / BJ_BLOCK) * FLOW_ENDS * BJ_BLOCK + i % BJ_BLOCK;
    rows[i].point[LOWER] = space->x[i];
    for (int k = 0; k < FLOW_ENDS; k++) rows[i].point[UPPER + k] = ends[k * BJ_BLOCK];
    for (int k = 0; k < N_POINT; k++) { /* of an infinite end */
      rows[i].below[k] = rows[i].point[k] < 0 ? -INFINITY : 0;
      rows[i].above[k] = rows[i].point[k] < 0 ? 0 : -INFINITY;
    }
    space->loss_row[i] = 0;
  }
  for (int k = 0; k < N_POINT; k++) {
    if (!interval_any(rows, space->weight_row, n, k)) continue;
    const bj_status status = interval_put(params, space, rows, k, row, nb);
    if (status != BJ_OK) return status;
    interval_read(self, params, space, rows, k, nb);
    for (int i = 0; i < n && training && n_put == 0; i++) space->loss_row[i] = space->penalty[i];
    put[n_put++] = k;
  }
  for (int i = 0; i < n; i++) {
    space->loss_row[i] += interval_loss(self, rows + i, space->weight_row[i], gz[i], gp[i]);
  }
  for (int j = n_put - 1; j >= 0 && training; j--) {
    bj_status status = j < n_put - 1 ? interval_put(params, space, rows, put[j], row, nb) : BJ_OK;
    if (status != BJ_OK) return status;
    for (int i = 0; i < n; i++) {
      space->gpenalty[i] = j == 0 ? space->weight_row[i] : 0; /* of the first point, as in the loss */
      space->gy[i] = gz[i][put[j]];
      space->gp[i] = gp[i][put[j]];
      space->gl[i] = 0;
    }
    interval_base_vjp(self, params, space, rows, put[j], nb);
    status = chunk_vjp(params, space, row, nb);
    if (status != BJ_OK) return status;
  }
  return BJ_OK;
}

static bj_status interval_build(bj_loss *loss, const bj_spec *spec, const bj_flow *flow, bj_build *build) {
  interval_likelihood *self = loss->self = build_alloc(build, sizeof(interval_likelihood));
  self->sign = spec_bool(build, spec, "increasing") ? 1 : -1;
  loss->n_end = FLOW_ENDS;
  if (flow->d != 1) return spec_error(build, "intervals are of one coordinate");
  const bj_base *base = flow->base;
  self->by_tails = base->n_param > 0 && base->kind->log_tails_vjp != NULL;
  if (!base->kind->log_tails || (base->n_param > 0 && !base->kind->draw_vjp && !self->by_tails)) {
    return spec_error(build,
                      "intervals need a base that has a distribution function, with its gradient by all parameters");
  }
  return build->status;
}

static const bj_loss_kind loss_interval_likelihood = {
    .name = "interval_likelihood",
    .build = interval_build,
    .chunk = interval_chunk,
};
