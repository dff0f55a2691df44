/* mvstudent_t: multivariate Student t with trainable location, scale matrix L L' and degrees of freedom v.
 *
 *   log p = c(v) - (v + d) / 2 log(1 + q) - sum_i log L_ii,  u = L^{-1} (x - loc),  q = |u|^2 / v,  v = softplus(df)
 *   c(v) = lgamma((v + d) / 2) - lgamma(v / 2) - d log(v pi) / 2
 *        = sum over i = 0 .. d - 1 of c_1(v + i) + log(1 + i / v) / 2, c_1 that of one coordinate: nothing cancels
 *   vjp: v = gp (v + d) / v u / (1 + q); the rest, and L of the raw numbers, in base-covariance.h
 *        gv = gp (c'(v) - log(1 + q) / 2 + (v + d) / (2 v) q / (1 + q))
 *   q is a sum of squares, which may overflow: with s = max(1, max_i |u_i| / sqrt(v)), a = u / (s sqrt(v)), t = |a|^2
 *        1 + q = s^2 (s^-2 + t),  log(1 + q) = 2 log s + log1p(t + (s^-2 - 1)),  q / (1 + q) = t / (s^-2 + t)
 *   draw (Bailey 1994): given the i coordinates of u before them, the next two are a bivariate t with v + i degrees of
 *        freedom, scaled by (v + |u_before|^2) / (v + i): r (cos, sin)(2 pi u2), r^2 = (v + |u_before|^2)
 *        (u1^(-2 / (v + i)) - 1). So all share what a chi-square of the row would give, without one.
 *   vjp of draws loc + L u: as in base-covariance.h, and the distribution function of each u_i given those before it,
 *        that of t = u_i / s_i with v + i degrees of freedom, s_i^2 = (v + |u_before|^2) / (v + i), stays what it is:
 *        du_i/dv = s_i dt/dv + u_i (1 / (v + |u_before|^2) - 1 / (v + i)) / 2,  du_i/du_j = u_i u_j / (v +
 *        |u_before|^2), from the last coordinate back; dt/dv in base-student.h
 *   prep: a set, c(v) - sum of log L_ii, v, c'(v); gprep: gradient of v at v
 */
#include "base-covariance.h"
#include "base-student.h"

typedef struct {
  real df;
} mvstudent_t;

INLINE const real *mvstudent_t_constants(const bj_base *base, const real *prep) {
  return prep + base->d + (long)base->d * base->d;
}

/* Of the rows at u, with root = 1 / sqrt(v): u_i root, kept where s is finite. */
INLINE vreal mvstudent_t_unit(const real *u, int i, vreal root) {
  return vmax(vset(-REAL_HUGE), vmin(vset(REAL_HUGE), vload(u + (long)i * BJ_BLOCK) * root));
}

/* s^-2 - 1 and t; returns s. */
INLINE vreal mvstudent_t_radius(const real *u, int d, vreal root, vreal *less, vreal *t) {
  vreal s = vset(1), sum = vset(0);
  for (int i = 0; i < d; i++) s = vmax(s, vabs(mvstudent_t_unit(u, i, root)));
  const vreal inverse = vset(1) / s;
  for (int i = 0; i < d; i++) {
    const vreal a = mvstudent_t_unit(u, i, root) * inverse;
    sum = sum + a * a;
  }
  *less = inverse * inverse - vset(1);
  *t = sum;
  return s;
}

static void mvstudent_t_log_density(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  const real *constants = mvstudent_t_constants(base, pass->prep), v = constants[1];
  const vreal root = vset(1 / sqrt(v)), power = vset(0.5 * (v + d));
  for (int b = 0; b < pass->nb; b++) {
    covariance_solve(d, pass->prep, pass->x + (long)b * d * BJ_BLOCK, pass->work);
    FOR_ROWS(r) {
      real *to = pass->log_density + b * BJ_BLOCK + r;
      vreal less, t;
      const vreal s = mvstudent_t_radius(pass->work + r, d, root, &less, &t);
      vstore(to, vload(to) + vset(constants[0]) - power * (vset(2) * vlog_normal(s) + vlog1p(t + less)));
    }
  }
}

static void mvstudent_t_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  const long size = (long)d * BJ_BLOCK;
  const real *constants = mvstudent_t_constants(base, pass->prep), v = constants[1];
  const vreal root = vset(1 / sqrt(v)), factor = vset((v + d) / sqrt(v)), dc = vset(constants[2]);
  real *u = pass->work, *w = u + size;
  vreal sum = vset(0);
  for (int b = 0; b < pass->nb; b++) {
    const real *gp = pass->gp + b * BJ_BLOCK;
    covariance_solve(d, pass->prep, pass->x + b * size, u);
    FOR_ROWS(r) {
      vreal less, t;
      const vreal s = mvstudent_t_radius(u + r, d, root, &less, &t), g = vload(gp + r), near = t + less;
      const vreal inverse = vset(1) / s, scale = inverse / (vset(1) + near);
      for (int i = 0; i < d; i++) {
        vstore(w + i * BJ_BLOCK + r, g * factor * (mvstudent_t_unit(u + r, i, root) * inverse * scale));
      }
      sum = sum + g * (dc - vset(0.5) * (vset(2) * vlog_normal(s) + vlog1p(near)) +
                       vset(0.5 * (v + d) / v) * (t / (vset(1) + near)));
    }
    covariance_vjp(d, pass->prep, pass->gprep, gp, u, w, pass->gx + b * size);
  }
  pass->gprep[d + (long)d * d + 1] += vsum(sum);
}

/* Parameters are [loc | cholesky, d x d | df]. */
static void mvstudent_t_prepare(const bj_base *base, const real *theta, real *prep) {
  const int d = base->d;
  const long square = (long)d * d;
  real *constants = prep + d + square;
  const real v = softplus_above(STUDENT_T_LEAST, theta[d + square], NULL);
  memcpy(prep, theta, sizeof(real) * (size_t)d);
  constants[0] = -covariance_prepare(d, theta + d, prep + d);
  constants[1] = v;
  constants[2] = 0;
  for (int i = 0; i < d; i++) {
    real c, dc;
    student_t_constant(v + i, &c, &dc);
    constants[0] += c + 0.5 * log1p(i / v);
    constants[2] += dc - 0.5 * (i / v) / (v + i);
  }
}

static void mvstudent_t_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep,
                                    real *gtheta) {
  const int d = base->d;
  const long df = d + (long)d * d;
  (void)prep;
  for (int i = 0; i < d; i++) gtheta[i] += gprep[i];
  covariance_prepare_vjp(d, theta + d, gprep + d, gtheta + d);
  gtheta[df] += gprep[df + 1] * vfirst(vsigmoid(vset(theta[df])));
}

/* Radii stay where their squares are finite: of few degrees of freedom most draws are larger than any number. */
static void mvstudent_t_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row,
                             real *x) {
  const int d = base->d;
  const real v = mvstudent_t_constants(base, pass->prep)[1];
  for (int b = 0; b < pass->nb; b++) {
    real *block = x + (long)b * d * BJ_BLOCK, square[BJ_BLOCK]; /* v + |u_before|^2 */
    FOR_ROWS(r) vstore(square + r, vset(v));
    for (int i = 0; i < d; i += 2) {
      real u1[BJ_BLOCK], u2[BJ_BLOCK], *row = block + (long)i * BJ_BLOCK;
      random_uniform2(seed, first_row + (uint64_t)b * BJ_BLOCK, (uint32_t)(i / 2), u1, u2);
      FOR_ROWS(r) {
        vreal sine, cosine;
        const vreal grown = vexpm1(vset(-2 / (v + i)) * vlog(vload(u1 + r))), before = vload(square + r);
        const vreal radius = vmin(vset(REAL_SQUARE), vsqrt(before * grown));
        vsincos(vset(6.28318530717958647693) * vload(u2 + r), &sine, &cosine);
        vstore(row + r, radius * cosine);
        if (i + 1 < d) vstore(row + BJ_BLOCK + r, radius * sine);
        vstore(square + r, before + radius * radius);
      }
    }
    covariance_multiply(d, pass->prep, block);
  }
}

/* Adds to gdf what the draws u of a block give v, and writes over the cotangents g of u; squares is scratch. */
static void mvstudent_t_df_move(int d, real v, const real *u, real *g, real *squares, real *gdf) {
  FOR_ROWS(r) {
    vreal sum = vset(v);
    for (int i = 0; i < d; i++) {
      const vreal ui = vload(u + (long)i * BJ_BLOCK + r);
      vstore(squares + (long)i * BJ_BLOCK + r, sum);
      sum = vmin(sum + ui * ui, vset(REAL_HUGE));
    }
  }
  for (int i = d - 1; i >= 0; i--) {
    const long at = (long)i * BJ_BLOCK;
    real c, dc;
    student_t_constant(v + i, &c, &dc);
    FOR_ROWS(r) {
      const vreal square = vload(squares + at + r), s = vsqrt(square / vset(v + i)), ui = vload(u + at + r);
      const vreal move =
          s * student_t_move(v + i, c, dc, ui / s) + vset(0.5) * ui * (vset(1) / square - vset(1 / (v + i)));
      const vreal gi = vload(g + at + r);
      *gdf += vsum(gi * move);
      for (int j = 0; j < i; j++) {
        const long before = (long)j * BJ_BLOCK + r;
        vstore(g + before, vload(g + before) + gi * (ui / square) * vload(u + before));
      }
    }
  }
}

static void mvstudent_t_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  const int d = base->d;
  const long size = (long)d * BJ_BLOCK;
  const real *l = pass->prep + d;
  real *u = pass->work, *g = u + size;
  for (int b = 0; b < pass->nb; b++) {
    const real *gx = pass->gx + b * size;
    covariance_solve(d, pass->prep, pass->x + b * size, u);
    covariance_draw_vjp(d, pass->prep, pass->gprep, u, gx);
    for (int i = 0; i < d; i++) {
      FOR_ROWS(r) {
        vreal sum = vset(0);
        for (int j = i; j < d; j++) sum = sum + vset(l[j + (long)i * d]) * vload(gx + (long)j * BJ_BLOCK + r);
        vstore(g + (long)i * BJ_BLOCK + r, sum);
      }
    }
    mvstudent_t_df_move(d, mvstudent_t_constants(base, pass->prep)[1], u, g, g + size,
                        pass->gprep + d + (long)d * d + 1);
  }
}

static void mvstudent_t_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  const real v = mvstudent_t_constants(base, pass->prep)[1];
  real c, unused;
  student_t_constant(v, &c, &unused);
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    vreal log_below, log_above;
    student_t_tails(v, c, (vload(pass->x + at) - vset(pass->prep[0])) / vset(pass->prep[1]), &log_below, &log_above);
    vstore(below + row, log_below);
    vstore(above + row, log_above);
  }
}

static void mvstudent_t_describe(const bj_base *base, bj_describe *out) {
  describe_slot(out, "loc", 1, base->d, 0);
  describe_slot(out, "cholesky", 2, base->d, base->d);
  describe_slot(out, "df", 0, 0, 0);
}

static void mvstudent_t_init(const bj_base *base, real *theta, bj_rng *rng) {
  const mvstudent_t *self = base->self;
  const int d = base->d;
  (void)rng;
  for (int i = 0; i < d; i++) theta[i] = 0;
  covariance_init(d, theta + d);
  theta[d + (long)d * d] = inverse_softplus(self->df);
}

static bj_status mvstudent_t_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  mvstudent_t *self = base->self = build_alloc(build, sizeof(mvstudent_t));
  self->df = spec_real(build, spec, "df", 0, INFINITY);
  if (!(self->df > 0)) return spec_error(build, "`df` of base_mvstudent_t() must be above 0");
  base->n_param = base->d + (long)base->d * base->d + 1;
  base->n_prep = base->n_param + 2;
  base->n_work = 3L * base->d * BJ_BLOCK;
  return covariance_check(base, "mvstudent_t", build);
}

static const bj_base_kind base_mvstudent_t = {
    .name = "mvstudent_t",
    .build = mvstudent_t_build,
    .describe = mvstudent_t_describe,
    .init = mvstudent_t_init,
    .prepare = mvstudent_t_prepare,
    .prepare_vjp = mvstudent_t_prepare_vjp,
    .log_density = mvstudent_t_log_density,
    .log_density_vjp = mvstudent_t_log_density_vjp,
    .log_tails = mvstudent_t_log_tails,
    .draw = mvstudent_t_draw,
    .draw_vjp = mvstudent_t_draw_vjp,
};
