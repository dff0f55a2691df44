/* student_t: independent Student t coordinates, degrees of freedom v fixed or trainable, v = softplus(df); standard, or
 * where there is a net with location and scale s, u = (x - loc) / s, which the net gives each row.
 *
 *   log p = c(v) - (v + 1) / 2 log(1 + u^2 / v) - log s,  c(v) = lgamma((v + 1) / 2) - lgamma(v / 2) - log(v pi) / 2
 *   vjp: gx = -gp (v + 1) u / (v + u^2) / s;  gloc = -gx;  glog s = -gp + gp (v + 1) u^2 / (v + u^2)
 *        gv = gp (c'(v) - log(1 + u^2 / v) / 2 + (v + 1) u^2 / (2 v (v + u^2)))
 *   tails, and how draws move with v: base-student.h
 *   draw (Bailey 1994): sqrt(v (u1^(-2 / v) - 1)) cos(2 pi u2)
 *   prep, a coordinate: v, c(v), c'(v), loc, 1 / s, -log s; gprep: gradient of v, -, -, loc, log s
 */
#include "base-loc_scale.h"
#include "base-student.h"

typedef struct {
  loc_scale own; /* whether location and scale are its own */
  int trainable;
  real df;
} student_t;

#define STUDENT_T_NUMBERS 6

/* Location and scale of coordinate i at the rows at `row`. */
INLINE loc_scale_at student_t_place(const bj_base *base, const base_numbers *numbers, int i, long row, int rows) {
  return loc_scale_read(numbers->prep + base_first(base, row, rows), rows ? 3L * i : STUDENT_T_NUMBERS * (long)i + 3,
                        rows);
}

INLINE void student_t_log_density_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  for (int i = 0; i < base->d; i++) {
    const real *own = pass->prep + STUDENT_T_NUMBERS * i, v = own[0], c = own[1];
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const loc_scale_at par = student_t_place(base, &numbers, i, row, rows);
      /* (u / sqrt(v))^2 overflows for large |u|; there log(1 + w^2) = 2 log|w| */
      const vreal u = (vload(pass->x + at) - par.loc) * par.inverse;
      const vreal w = vabs(u) * vset(1 / sqrt(v)), huge = vset(1e8);
      const vreal tail = vset(2) * vlog(vmax(w, huge)), near = vmin(w, huge);
      const vreal log_term = vselect(vlt(huge, w), tail, vlog1p(near * near));
      vstore(pass->log_density + row,
             vload(pass->log_density + row) + (vset(c) + par.c) - vset(0.5 * (v + 1)) * log_term);
    }
  }
}

static void student_t_log_density(const bj_base *base, const bj_base_pass *pass) {
  base_given(base, pass);
  BY_FLAG(base->net != NULL, student_t_log_density_of, base, pass);
}

INLINE void student_t_log_density_vjp_of(const bj_base *base, const bj_base_pass *pass, int rows) {
  const student_t *self = base->self;
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  for (int i = 0; i < base->d; i++) {
    const real *own = pass->prep + STUDENT_T_NUMBERS * i;
    real *gown = pass->gprep + STUDENT_T_NUMBERS * i;
    const vreal v = vset(own[0]), dc = vset(own[2]), root = vset(1 / sqrt(own[0]));
    vreal sum = vset(0), sum_loc = vset(0), sum_log_s = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const loc_scale_at par = student_t_place(base, &numbers, i, row, rows);
      const vreal u = vmin(vmax((vload(pass->x + at) - par.loc) * par.inverse, vset(-REAL_SQUARE)), vset(REAL_SQUARE)),
                  gp = vload(pass->gp + row);
      const vreal w = u * root, ratio = w / (vset(1) + w * w); /* sqrt(v) u / (v + u^2) */
      const vreal gloc = gp * (v + vset(1)) * ratio * root * par.inverse;
      const vreal g_log_s = gp * ((v + vset(1)) * ratio * w - vset(1));
      vstore(pass->gx + at, vload(pass->gx + at) - gloc);
      if (self->trainable) {
        sum += gp * (dc - vset(0.5) * vlog1p(w * w) + vset(0.5) * (v + vset(1)) * ratio * w / v);
      }
      if (rows) {
        real *to = numbers.gprep + base_first(base, row, rows) + 3L * i * BJ_BLOCK;
        vstore(to, gloc);
        vstore(to + BJ_BLOCK, g_log_s);
      } else {
        sum_loc += gloc;
        sum_log_s += g_log_s;
      }
    }
    if (self->trainable) gown[0] += vsum(sum);
    if (rows || !self->own.free) continue;
    gown[3] += vsum(sum_loc);
    gown[4] += vsum(sum_log_s);
  }
}

static void student_t_log_density_vjp(const bj_base *base, const bj_base_pass *pass) {
  BY_FLAG(base->net != NULL, student_t_log_density_vjp_of, base, pass);
  if (base->net) base_given_vjp(base, pass);
}

INLINE void student_t_log_tails_of(const bj_base *base, const bj_base_pass *pass, real *below, real *above, int rows) {
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  const real v = pass->prep[0], c = pass->prep[1];
  FOR_BASE_ROWS(base, pass, 0, at, row) {
    const loc_scale_at par = student_t_place(base, &numbers, 0, row, rows);
    const vreal u = (vload(pass->x + at) - par.loc) * par.inverse;
    vreal log_below, log_above;
    student_t_tails(v, c, u, &log_below, &log_above);
    vstore(below + row, log_below);
    vstore(above + row, log_above);
  }
}

static void student_t_log_tails(const bj_base *base, const bj_base_pass *pass, real *below, real *above) {
  BY_FLAG(base->net != NULL, student_t_log_tails_of, base, pass, below, above);
}

/* Parameters are [df, if trainable | loc, scale, if its own]. */
static int student_t_n_df(const bj_base *base) { return ((const student_t *)base->self)->trainable ? base->d : 0; }

static void student_t_prepare(const bj_base *base, const real *theta, real *prep) {
  const student_t *self = base->self;
  for (int i = 0; i < base->d; i++) {
    real *own = prep + STUDENT_T_NUMBERS * i;
    own[0] = self->trainable ? softplus_above(STUDENT_T_LEAST, theta[i], NULL) : self->df;
    student_t_constant(own[0], own + 1, own + 2);
  }
  loc_scale_numbers(&self->own, base->d, theta + student_t_n_df(base), prep + 3, STUDENT_T_NUMBERS);
}

static void student_t_prepare_vjp(const bj_base *base, const real *theta, const real *prep, real *gprep, real *gtheta) {
  const student_t *self = base->self;
  const int n_df = student_t_n_df(base);
  (void)prep;
  for (int i = 0; i < n_df; i++) gtheta[i] += gprep[STUDENT_T_NUMBERS * i] * vfirst(vsigmoid(vset(theta[i])));
  loc_scale_numbers_vjp(&self->own, base->d, theta + n_df, gprep + 3, STUDENT_T_NUMBERS, gtheta + n_df);
}

INLINE void student_t_draw_of(const bj_base *base, const bj_base_pass *pass, real *x, int rows) {
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  for (int i = 0; i < base->d; i++) {
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const loc_scale_at par = student_t_place(base, &numbers, i, row, rows);
      vstore(x + at, vload(x + at) / par.inverse + par.loc);
    }
  }
}

static void student_t_draw(const bj_base *base, const bj_base_pass *pass, uint64_t seed, uint64_t first_row, real *x) {
  base_given(base, pass);
  for (int b = 0; b < pass->nb; b++) {
    for (int i = 0; i < base->d; i++) {
      real u1[BJ_BLOCK], u2[BJ_BLOCK], *row = x + ((long)b * base->d + i) * BJ_BLOCK;
      const real v = pass->prep[STUDENT_T_NUMBERS * i];
      random_uniform2(seed, first_row + (uint64_t)b * BJ_BLOCK, (uint32_t)i, u1, u2);
      FOR_ROWS(r) {
        vreal sine, cosine;
        vsincos(vset(6.28318530717958647693) * vload(u2 + r), &sine, &cosine);
        vstore(row + r, vsqrt(vset(v) * vexpm1(vset(-2 / v) * vlog(vload(u1 + r)))) * cosine);
      }
    }
  }
  BY_FLAG(base->net != NULL, student_t_draw_of, base, pass, x);
}

/* To trained degrees of freedom: x = loc + s u, so that dx/dv = s du/dv. */
INLINE void student_t_df_move(const bj_base *base, const bj_base_pass *pass, int rows) {
  const base_numbers numbers = base_numbers_of(base, pass, rows);
  for (int i = 0; i < base->d; i++) {
    const real *own = pass->prep + STUDENT_T_NUMBERS * i;
    vreal sum = vset(0);
    FOR_BASE_ROWS(base, pass, i, at, row) {
      const loc_scale_at par = student_t_place(base, &numbers, i, row, rows);
      const vreal u = (vload(pass->x + at) - par.loc) * par.inverse;
      sum += vload(pass->gx + at) * student_t_move(own[0], own[1], own[2], u) / par.inverse;
    }
    pass->gprep[STUDENT_T_NUMBERS * i] += vsum(sum);
  }
}

static void student_t_draw_vjp(const bj_base *base, const bj_base_pass *pass) {
  if (((const student_t *)base->self)->trainable) BY_FLAG(base->net != NULL, student_t_df_move, base, pass);
  if (base->net) {
    loc_scale_move(base, pass, 0, 3, 1);
    base_given_vjp(base, pass);
  } else if (((const student_t *)base->self)->own.free) {
    loc_scale_move(base, pass, 3, STUDENT_T_NUMBERS, 0);
  }
}

static void student_t_describe(const bj_base *base, bj_describe *out) {
  const student_t *self = base->self;
  if (self->trainable) describe_slot(out, "df", 1, base->d, 0);
  if (!self->own.free) return;
  describe_slot(out, "loc", 1, base->d, 0);
  describe_slot(out, "scale", 1, base->d, 0);
}

static void student_t_init(const bj_base *base, real *theta, bj_rng *rng) {
  const student_t *self = base->self;
  const int n_df = student_t_n_df(base);
  (void)rng;
  for (int i = 0; i < n_df; i++) theta[i] = inverse_softplus(self->df);
  if (self->own.free) loc_scale_start(&self->own, base->d, theta + n_df);
}

static bj_status student_t_build(bj_base *base, const bj_spec *spec, bj_build *build) {
  student_t *self = base->self = build_alloc(build, sizeof(student_t));
  self->trainable = spec_bool(build, spec, "trainable");
  self->df = spec_real(build, spec, "df", 0, INFINITY);
  if (!(self->df > 0)) return spec_error(build, "`df` of base_student_t() must be above 0");
  base->n_param = student_t_n_df(base);
  base->n_prep = (long)STUDENT_T_NUMBERS * base->d;
  return loc_scale_finish(base, spec, 0, build);
}

static const bj_base_kind base_student_t = {
    .name = "student_t",
    .build = student_t_build,
    .describe = student_t_describe,
    .init = student_t_init,
    .prepare = student_t_prepare,
    .prepare_vjp = student_t_prepare_vjp,
    .prepare_rows = loc_scale_prepare_rows,
    .prepare_rows_vjp = loc_scale_prepare_rows_vjp,
    .log_density = student_t_log_density,
    .log_density_vjp = student_t_log_density_vjp,
    .log_tails = student_t_log_tails,
    .draw = student_t_draw,
    .draw_vjp = student_t_draw_vjp,
};
