/* What a vector field is to the solver of its differential equation. As the other kinds, see protocol.h. */
#ifndef BJ_FIELD_H
#define BJ_FIELD_H

#include "num-carve.h"
#include "num-rows.h"
#include "protocol.h"

/* The right side f(t, z) of a differential equation dz/dt = f, with the trace of its Jacobian J = df/dz. */
typedef struct bj_field bj_field;

typedef struct {
  int nb;
  long stride; /* of z, f, trace and square between blocks */
  const real *theta, *prep;
  /* The time: one for all rows, number `node` of those that prepare_nodes() was given, or one a row. */
  int node;
  real time;
  const real *times;     /* NULL, or [block][BJ_BLOCK]: then node and time are not used */
  const real *condition; /* [block][n_condition][BJ_BLOCK] */
  const real *z;
  real *f;
  real *trace;       /* tr J, or with a probe e' J e; NULL: not wanted */
  real *square;      /* |J|^2, the sum of the squares of its entries, or with a probe |J e|^2; NULL: not wanted */
  const real *probe; /* [block][d][BJ_BLOCK] or NULL */
  const real *fixed; /* of begin(), or NULL; never with probes or squares */
  real *cache, *work;
  /* vjp only, strides as above */
  const real *gf, *gtrace, *gsquare; /* gtrace, gsquare: [block][BJ_BLOCK], NULL if trace, square are */
  real *gz;                          /* overwritten */
  real_sum *gtheta, *gprep, *gfixed; /* added to; gfixed NULL if fixed is */
  real *gcondition;                  /* added to; may be NULL */
} bj_field_pass;

typedef struct {
  const char *name;
  bj_status (*build)(bj_field *field, const bj_spec *spec, bj_build *build);
  void (*describe)(const bj_field *field, bj_describe *out);
  void (*init)(const bj_field *field, real *theta, bj_rng *rng);
  void (*prepare)(const bj_field *field, const real *theta, real *prep);
  void (*prepare_vjp)(const bj_field *field, const real *theta, const real *prep, real *gprep, real *gtheta);
  /* What depends on the time alone, for the nodes first .. first + n - 1, after prepare; its vjp comes before
   * prepare_vjp. NULL: nothing does. */
  void (*prepare_nodes)(const bj_field *field, const real *theta, real *prep, int first, int n, const real *times);
  void (*prepare_nodes_vjp)(const bj_field *field, const real *theta, const real *prep, real *gprep, real *gtheta,
                            int first, int n, const real *times);
  /* What depends on the parameters alone and is made anew for each solve with exact traces and no squares: n_fixed
   * reals, 0 where there is nothing. Its vjp, when that of the solve ends, brings the gradient that calls have added to
   * the n_gfixed of gfixed to gtheta. */
  void (*begin)(const bj_field *field, const real *theta, const real *prep, real *fixed);
  void (*begin_vjp)(const bj_field *field, const real *theta, const real *prep, const real *fixed,
                    const real_sum *gfixed, real_sum *gtheta);
  void (*value)(const bj_field *field, const bj_field_pass *pass);
  void (*vjp)(const bj_field *field, const bj_field_pass *pass);
} bj_field_kind;

struct bj_field {
  const bj_field_kind *kind;
  int d, n_condition;
  int n_node; /* nodes at most */
  int group;  /* blocks that are best taken side by side: a pass has no more, and arrays have room for them */
  long n_param, n_prep;
  long n_cache, n_work; /* reals of a group */
  long n_fixed, n_gfixed;
  void *self;
};

/* [block][n][BJ_BLOCK], with room for a group's blocks. */
INLINE real *field_rows(const bj_field *field, carver *from, long n) {
  return carve(from, n * field->group * BJ_BLOCK);
}

/* n_node and the sizes of the layer are given. */
static bj_status field_build(bj_build *build, const bj_spec *spec, int d, int n_condition, int n_node, bj_field **out);

#endif
