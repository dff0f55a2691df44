/* The planar field (see field-planar.c) for any number of coordinates and gates a row, by products of matrices. */
#include "field-planar.h"
#include "num-gemm.h"

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* One block of a pass: where its rows are. */
typedef struct {
  const real *w, *u, *b, *c;
  const real *gate; /* rows, or one number a unit */
  const real *z, *probe;
  real *h, *one, *two, *gh, *gg, *r, *e, *je;
  units_prep to; /* vjp: gprep */
} unit_block;

static unit_block unit_block_of(const bj_field *field, const bj_field_pass *pass, int b) {
  const field_units *self = field->self;
  const units_prep prep = units_prep_of(field, pass->prep);
  const units_rows rows = CARVE(units_carve, field, pass);
  const long units = (long)b * self->units * BJ_BLOCK, d = (long)b * field->d * BJ_BLOCK;
  unit_block block = {
      .w = prep.w,
      .u = prep.u,
      .b = prep.b,
      .c = prep.c,
      .gate = gates_are_rows(field, pass) ? rows.gate + units : prep.table + (long)pass->node * self->units,
      .z = pass->z + b * pass->stride,
      .probe = pass->probe ? pass->probe + d : NULL,
      .h = rows.h + units,
      .one = rows.one + units,
      .two = rows.two + units,
      .gh = rows.gh + units,
      .gg = rows.gg + units,
      .r = rows.r + units,
      .e = rows.e + d,
      .je = rows.je + d,
  };
  if (pass->gprep) block.to = units_prep_of(field, pass->gprep);
  return block;
}

#define GATE(i) (rowwise ? vload(at->gate + (long)(i)*BJ_BLOCK + r) : vset(at->gate[i]))
#define ROW(p, i) ((p) + (long)(i)*BJ_BLOCK + r)

/* rows(m) = M x, M the units x d matrix or its transpose */
static void unit_product(const real *matrix, int units, int d, int transposed, const real *bias, const real *x,
                         real *y) {
  gemm_matrix m = transposed ? gemm_transpose(matrix, units, d) : gemm_columns(matrix, units, d, NULL);
  m.bias = bias;
  gemm(GEMM_SET, m, 1, x, 0, y, 0);
}

/* J e for one direction, into je; q g p stays in `two`, p in `one`. */
INLINE void unit_direction(const field_units *self, const unit_block *at, const real *e, int d, int rowwise) {
  unit_product(at->w, self->units, d, 0, NULL, e, at->one);
  vreal total[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) total[r / BJ_LANES] = vset(0);
  for (int i = 0; i < self->units; i++) {
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), g = GATE(i);
      total[r / BJ_LANES] += g;
      vstore(ROW(at->two, i), g * (1.0 - h * h) * vload(ROW(at->one, i)));
    }
  }
  unit_product(at->u, self->units, d, 1, NULL, at->two, at->je);
  for (int j = 0; j < d; j++) {
    FOR_ROWS(r) vstore(ROW(at->je, j), vload(ROW(at->je, j)) + total[r / BJ_LANES] * vload(ROW(e, j)));
  }
}

/* The probe, or unit vector i. */
static const real *unit_direction_of(const unit_block *at, int d, int i) {
  if (at->probe) return at->probe;
  memset(at->e, 0, sizeof(real) * (size_t)d * BJ_BLOCK);
  for (int r = 0; r < BJ_BLOCK; r++) at->e[(long)i * BJ_BLOCK + r] = 1;
  return at->e;
}

/* Directions that are gone through: with the trace alone, and exact, none. */
static int unit_directions(const bj_field *field, const bj_field_pass *pass) {
  if (pass->probe && (pass->trace || pass->square)) return 1;
  return pass->square ? field->d : 0;
}

INLINE void unit_value_of(const bj_field *field, const bj_field_pass *pass, int b, int rowwise) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units;
  const unit_block block = unit_block_of(field, pass, b), *at = &block;
  real *f = pass->f + b * pass->stride;
  unit_product(at->w, units, d, 0, at->b, at->z, at->h);
  vreal total[BJ_BLOCK / BJ_LANES], trace[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) total[r / BJ_LANES] = trace[r / BJ_LANES] = vset(0);
  for (int i = 0; i < units; i++) {
    vtanh_row(at->h + (long)i * BJ_BLOCK);
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), g = GATE(i);
      total[r / BJ_LANES] += g;
      trace[r / BJ_LANES] += g * at->c[i] * (1.0 - h * h);
      vstore(ROW(at->one, i), g * h);
    }
  }
  unit_product(at->u, units, d, 1, NULL, at->one, f);
  FOR_ROWS(r) {
    const vreal sum = total[r / BJ_LANES];
    for (int j = 0; j < d; j++) vstore(ROW(f, j), vload(ROW(f, j)) + sum * vload(ROW(at->z, j)));
    if (pass->trace) vstore(pass->trace + b * pass->stride + r, (real)d * sum + trace[r / BJ_LANES]);
    if (pass->square) vstore(pass->square + b * pass->stride + r, vset(0));
  }
  for (int k = 0; k < unit_directions(field, pass); k++) {
    const real *e = unit_direction_of(at, d, k);
    unit_direction(self, at, e, d, rowwise);
    FOR_ROWS(r) {
      vreal along = vset(0), square = vset(0);
      for (int j = 0; j < d; j++) {
        const vreal v = vload(ROW(at->je, j));
        along += v * vload(ROW(e, j));
        square += v * v;
      }
      if (pass->trace && pass->probe) vstore(pass->trace + b * pass->stride + r, along);
      real *to = pass->square ? pass->square + b * pass->stride + r : NULL;
      if (to) vstore(to, vload(to) + square);
    }
  }
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* Adds what one direction gives. */
INLINE void unit_direction_vjp(const bj_field *field, const bj_field_pass *pass, int b, const unit_block *at, int k,
                               int rowwise) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units;
  const real *e = unit_direction_of(at, d, k);
  unit_direction(self, at, e, d, rowwise);
  vreal along[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) {
    const vreal gt = pass->trace && pass->probe ? vload(pass->gtrace + (long)b * BJ_BLOCK + r) : vset(0);
    const vreal gs = pass->square ? 2.0 * vload(pass->gsquare + (long)b * BJ_BLOCK + r) : vset(0);
    along[r / BJ_LANES] = vset(0);
    for (int j = 0; j < d; j++) {
      const vreal cotangent = gt * vload(ROW(e, j)) + gs * vload(ROW(at->je, j));
      vstore(ROW(at->je, j), cotangent);
      along[r / BJ_LANES] += cotangent * vload(ROW(e, j));
    }
  }
  gemm_weight_grad(units, d, 1, at->two, 0, at->je, 0, at->to.u, units, NULL, NULL);
  unit_product(at->u, units, d, 0, NULL, at->je, at->r); /* v */
  for (int i = 0; i < units; i++) {
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), q = 1.0 - h * h, g = GATE(i), v = vload(ROW(at->r, i));
      const vreal pv = vload(ROW(at->one, i)) * v;
      vstore(ROW(at->gh, i), vload(ROW(at->gh, i)) - 2.0 * h * g * pv);
      vstore(ROW(at->gg, i), vload(ROW(at->gg, i)) + along[r / BJ_LANES] + q * pv);
      vstore(ROW(at->two, i), g * q * v);
    }
  }
  gemm_weight_grad(units, d, 1, at->two, 0, e, 0, at->to.w, units, NULL, NULL);
}

INLINE void unit_vjp_of(const bj_field *field, const bj_field_pass *pass, int b, int rowwise) {
  const field_units *self = field->self;
  const int d = field->d, units = self->units, exact = pass->trace && !pass->probe;
  const unit_block block = unit_block_of(field, pass, b), *at = &block;
  const real *gf = pass->gf + b * pass->stride;
  real *gz = pass->gz + b * pass->stride;
  vreal total[BJ_BLOCK / BJ_LANES], along[BJ_BLOCK / BJ_LANES], gt[BJ_BLOCK / BJ_LANES];
  FOR_ROWS(r) {
    gt[r / BJ_LANES] = exact ? vload(pass->gtrace + (long)b * BJ_BLOCK + r) : vset(0);
    total[r / BJ_LANES] = vset(0);
    along[r / BJ_LANES] = (real)d * gt[r / BJ_LANES];
    for (int j = 0; j < d; j++) along[r / BJ_LANES] += vload(ROW(gf, j)) * vload(ROW(at->z, j));
  }
  unit_product(at->u, units, d, 0, NULL, gf, at->r);
  for (int i = 0; i < units; i++) {
    vreal gc = vset(0);
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), q = 1.0 - h * h, g = GATE(i), uf = vload(ROW(at->r, i));
      const vreal qt = q * gt[r / BJ_LANES];
      total[r / BJ_LANES] += g;
      gc += g * qt;
      vstore(ROW(at->gg, i), along[r / BJ_LANES] + h * uf + at->c[i] * qt);
      vstore(ROW(at->gh, i), g * (uf - 2.0 * h * at->c[i] * gt[r / BJ_LANES]));
      vstore(ROW(at->one, i), g * h);
    }
    if (exact) at->to.c[i] += vsum(gc);
  }
  gemm_weight_grad(units, d, 1, at->one, 0, gf, 0, at->to.u, units, NULL, NULL);
  for (int k = 0; k < unit_directions(field, pass); k++) {
    unit_direction_vjp(field, pass, b, at, k, rowwise);
  }
  for (int i = 0; i < units; i++) {
    vreal sum = vset(0), ggate = vset(0);
    FOR_ROWS(r) {
      const vreal h = vload(ROW(at->h, i)), ga = vload(ROW(at->gh, i)) * (1.0 - h * h);
      vstore(ROW(at->gh, i), ga);
      sum += ga;
      if (!rowwise) ggate += vload(ROW(at->gg, i));
    }
    at->to.b[i] += vsum(sum);
    if (!rowwise) at->to.table[(long)pass->node * units + i] += vsum(ggate);
  }
  gemm_weight_grad(units, d, 1, at->gh, 0, at->z, 0, at->to.w, units, NULL, NULL);
  unit_product(at->w, units, d, 1, NULL, at->gh, gz);
  for (int j = 0; j < d; j++) {
    FOR_ROWS(r) vstore(ROW(gz, j), vload(ROW(gz, j)) + total[r / BJ_LANES] * vload(ROW(gf, j)));
  }
}

static void unit_value(const bj_field *field, const bj_field_pass *pass, int b) {
  BY_FLAG(gates_are_rows(field, pass), unit_value_of, field, pass, b);
}

static void unit_vjp(const bj_field *field, const bj_field_pass *pass, int b) {
  BY_FLAG(gates_are_rows(field, pass), unit_vjp_of, field, pass, b);
}

#undef GATE
#undef ROW
