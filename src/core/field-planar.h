/* What the parts of the planar field share: where its numbers are. Formulas in field-planar.c. */
#ifndef BJ_FIELD_PLANAR_H
#define BJ_FIELD_PLANAR_H

#include "field.h"
#include "num-carve.h"

typedef struct {
  int units, start_small;
  bj_net *gate; /* of one unit; all are alike */
} field_units;

/* W, U: units x d, element (i, j) at i + j units. */
typedef struct {
  real *w, *u, *b;
  real *gates; /* the nets' parameters, one after another */
} units_theta;

/* What a gate's net works on, for up to BJ_CHUNK blocks. */
typedef struct {
  real *x, *y, *gy, *gx;
  real *cache, *work;
} gate_memory;

/* prep, and gprep. */
typedef struct {
  real *w, *u, *b, *c;
  real *raw, *set, *graw; /* scratch: one unit in the order of num-planar.h */
  real *gates;            /* prep of the nets */
  real *table;            /* [node][unit] */
  gate_memory node;       /* scratch for nodes */
} units_prep;

/* Cache and work, [block][...][BJ_BLOCK]. */
typedef struct {
  real *h, *gate;                /* cache: rows of units; the gates where they are rows */
  real *one, *two, *gh, *gg, *r; /* rows of units */
  real *e, *je;                  /* rows of coordinates */
  gate_memory row;               /* of gates that are rows */
} units_rows;

static units_theta units_carve_theta(const bj_field *field, carver *from);
static units_prep units_carve_prep(const bj_field *field, carver *from);
static units_rows units_carve(const bj_field *field, carver *cache, carver *work);

INLINE units_theta units_theta_of(const bj_field *field, const real *theta) {
  return units_carve_theta(field, &(carver){.memory = (real *)theta});
}
INLINE units_prep units_prep_of(const bj_field *field, const real *prep) {
  return units_carve_prep(field, &(carver){.memory = (real *)prep});
}

/* ---- gates: field-planar-gates.c --------------------------------------------------------------------------------- */

/* The net of unit i, and where its gradient goes. */
static bj_net_pass gate_pass(const bj_field *field, int i, const real *theta, const real *prep, real *gtheta,
                             real *gprep);

/* Times of their own, or conditions: gates a row. */
static int gates_are_rows(const bj_field *field, const bj_field_pass *pass);

/* A table of gates for times that all rows share. */
static void field_units_nodes(const bj_field *field, const real *theta, real *prep, int first, int n,
                              const real *times);
static void field_units_nodes_vjp(const bj_field *field, const real *theta, const real *prep, real *gprep, real *gtheta,
                                  int first, int n, const real *times);

/* Gates that are rows, and the way back from the rows `gg`. */
static void field_units_row_gates(const bj_field *field, const bj_field_pass *pass);
static void field_units_row_gates_vjp(const bj_field *field, const bj_field_pass *pass);

/* ---- one block: field-planar-small.c, field-planar-rows.c -------------------------------------------------------- */

/* In one to three coordinates, at a time that all rows share: everything a unit does in registers, where the general
 * path goes through products of small matrices. */
#define SMALL_UNITS_MAX_D 3

typedef struct {
  int units;
  const real *w, *u, *b, *c; /* element (i, j) of W and U at i + j units */
  const real *gate;
  const real *z, *probe; /* probe: NULL for the exact trace */
  real *f, *trace, *h;   /* trace: NULL if not wanted */
  const real *gf, *gt;   /* vjp; gt goes with trace */
  real *gz, *gw, *gu, *gb, *gc, *ggate;
} small_units;

static void small_units_value(const small_units *at, int d);
static void small_units_vjp(const small_units *at, int d);

/* Block b, for any number of coordinates, whether gates are rows or not. */
static void unit_value(const bj_field *field, const bj_field_pass *pass, int b);
static void unit_vjp(const bj_field *field, const bj_field_pass *pass, int b);

#endif
