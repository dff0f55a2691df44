/* student_t: independent Student t coordinates, degrees of freedom v fixed or trainable, v = softplus(df).
 *
 *   log p = c(v) - (v + 1) / 2 log(1 + x^2 / v),  c(v) = lgamma((v + 1) / 2) - lgamma(v / 2) - log(v pi) / 2
 *   vjp: gx = -gp (v + 1) x / (v + x^2)
 *        gv = gp (c'(v) - log(1 + x^2 / v) / 2 + (v + 1) x^2 / (2 v (v + x^2)))
 *   draw (Bailey 1994): sqrt(v (u1^(-2 / v) - 1)) cos(2 pi u2)
 *   prep, a coordinate: v, c(v), c'(v); gprep: gradient of v
 */
#include "base-common.h"

typedef struct {
  int trainable;
  real df;
} student_t;

static void student_t_log_density(const bj_base *base, const bj_base_pass *pass) {
  for (int i = 0; i < base->d; i++) {
    const real v = pass->prep[3 * i];
    FOR_BASE_ROWS(base, pass, i, at, row) {
      /* (x / sqrt(v))^2 overflows for large |x|; there log(1 + w^2) = 2 log|w| */
      const vreal w = vabs(vload(pass->x + at)) * vset(1 / sqrt(v)), huge = vset(1e8);
      const vreal tail = vset(2) * vlog(vmax(w, huge)), near = vmin(w, huge);
      const vreal log_term = vselect(vlt(huge, w), tail, vlog1p(near * near));
      vstore(pass->log_density + row,
             vload(pass->log_density + row) + vset(pass->prep[3 * i + 1]) - vset(0.5 * (v + 1)) * log_term);
    }
  }
}

static void student_t_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  const student_t *self = base->self;
  for (int i = 0; i < base->d; i++) {
    const vreal v = vset(pass->prep[3 * i]), dc = vset(pass->prep[3 * i + 2]), root = vset(1 / sqrt(pass->prep[3 * i]));
    vreal sum = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const vreal x = vmin(vmax(vload(pass->x + at), vset(-REAL_SQUARE)), vset(REAL_SQUARE)),
                  gp = vload(pass->gp + row);
      const vreal w = x * root, ratio = w / (vset(1) + w * w); /* sqrt(v) x / (v + x^2) */
      vstore(pass->gx + at, vload(pass->gx + at) - gp * (v + vset(1)) * ratio * root);
      if (self->trainable) {
        sum += gp * (dc - vset(0.5) * vlog1p(w * w) + vset(0.5) * (v + vset(1)) * ratio * w / v);
      }
    }
    if (self->trainable) pass->gprep[3 * i] += vsum(sum);
  }
}

static void student_t_prepare(const bj_base *base, const real *theta, real *prep) {
  const student_t *self = base->self;
  for (int i = 0; i < base->d; i++) {
    const real v = self->trainable ? softplus_above(STUDENT_T_LEAST, theta[i], NULL) : self->df;
    prep[3 * i] = v;
    student_t_constant(v, prep + 3 * i + 1, prep + 3 * i + 2);
  }
}

static void student_t_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const student_t *self = base->self;
  (void)prep;
  for (int i = 0; i < base->d && self->trainable; i++) {
    gtheta[i] += gprep[3 * i] * vfirst(vsigmoid(vset(theta[i])));
  }
}

static void student_t_draw(const bj_base *base, const real *theta, const real *prep, uint64_t seed, uint64_t first_row,
                           int nb, real *x) {
  (void)theta;
  for (int b = 0; b < nb; b++) {
    for (int i = 0; i < base->d; i++) {
      real u1[BJ_BLOCK], u2[BJ_BLOCK], *row = x + ((long)b * base->d + i) * BJ_BLOCK;
      const real v = prep[3 * i];
      random_uniform2(seed, first_row + (uint64_t)b * BJ_BLOCK, (uint32_t)i, u1, u2);
      FOR_ROWS(r) {
        vreal sine, cosine;
        vsincos(vset(6.28318530717958647693) * vload(u2 + r), &sine, &cosine);
        vstore(row + r, vsqrt(vset(v) * vexpm1(vset(-2 / v) * vlog(vload(u1 + r)))) * cosine);
      }
    }
  }
}

static void student_t_describe(const bj_base *base, bj_describe *out) {
  const student_t *self = base->self;
  if (self->trainable) describe_slot(out, "df", 1, base->d, 0);
}

static void student_t_init(const bj_base *base, real *theta, bj_rng *rng) {
  const student_t *self = base->self;
  (void)rng;
  for (int i = 0; i < base->d && self->trainable; i++) theta[i] = inverse_softplus(self->df);
}

static bj_status student_t_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  student_t *self = base->self = build_alloc(build, sizeof(student_t));
  self->trainable = spec_bool(build, spec, "trainable");
  self->df = spec_real(build, spec, "df", 0, INFINITY);
  if (!(self->df > 0)) return spec_error(build, "`df` of base_student_t() must be above 0");
  base->n_param = self->trainable ? base->d : 0;
  base->n_prep = 3 * base->d;
  return build->status;
}

static const bj_base_kind base_student_t = {
    .name = "student_t",
    .build = student_t_build,
    .describe = student_t_describe,
    .init = student_t_init,
    .prepare = student_t_prepare,
    .prepare_vjp = student_t_prepare_vjp,
    .log_density = student_t_log_density,
    .log_density_vjp = student_t_log_density_vjp,
    .draw = student_t_draw,
};
