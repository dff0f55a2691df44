/* What a vector field and a Runge-Kutta method are to layer_continuous(). As the other kinds, see protocol.h. */
#ifndef BJ_FIELD_H
#define BJ_FIELD_H

#include "protocol.h"

/* ---- vector fields ----------------------------------------------------------------------------------------------- */

/* The right side f(t, z) of a differential equation dz/dt = f, with the trace of its Jacobian J = df/dz. */
typedef struct bj_vector_field bj_vector_field;

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
  real *cache, *work;
  /* vjp only, strides as above */
  const real *gf, *gtrace, *gsquare; /* gtrace, gsquare: [block][BJ_BLOCK], NULL if trace, square are */
  real *gz;                          /* overwritten */
  real *gtheta, *gprep, *gcondition; /* added to; gcondition may be NULL */
} bj_field_pass;

typedef struct {
  const char *name;
  bj_status (*build)(bj_vector_field *field, const bj_spec *spec, bj_build *build);
  void (*describe)(const bj_vector_field *field, bj_describe *out);
  void (*init)(const bj_vector_field *field, real *theta, bj_rng *rng);
  void (*prepare)(const bj_vector_field *field, const real *theta, real *prep);
  void (*prepare_vjp)(const bj_vector_field *field, const real *theta, const real *prep, real *gprep, real *gtheta);
  /* What depends on the time alone, for the nodes first .. first + n - 1, after prepare; its vjp comes before
   * prepare_vjp. NULL: nothing does. */
  void (*prepare_nodes)(const bj_vector_field *field, const real *theta, real *prep, int first, int n,
                        const real *times);
  void (*prepare_nodes_vjp)(const bj_vector_field *field, const real *theta, const real *prep, real *gprep,
                            real *gtheta, int first, int n, const real *times);
  void (*value)(const bj_vector_field *field, const bj_field_pass *pass);
  void (*vjp)(const bj_vector_field *field, const bj_field_pass *pass);
} bj_vector_field_kind;

struct bj_vector_field {
  const bj_vector_field_kind *kind;
  int d, n_condition;
  int n_node; /* nodes at most */
  int group;  /* blocks that are best taken side by side */
  long n_param, n_prep;
  long n_cache, n_work; /* reals a block */
  void *self;
};

/* n_node and the sizes of the layer are given. */
static bj_status field_build(bj_build *build, const bj_spec *spec, int d, int n_condition, int n_node,
                             const char *where, bj_vector_field **out);

/* ---- Runge-Kutta methods ----------------------------------------------------------------------------------------- */

#define SOLVER_MAX_STAGES 7

/* Explicit: y_i = z + h sum_{j < i} a[i][j] k_j, k_i = f(t + c[i] h, y_i), z' = z + h sum b[i] k_i. The estimated error
 * is h sum error[i] k_i, where k[n_stage] is f at the end of the step, with which the next one begins. */
typedef struct {
  const char *name;
  int n_stage, order;
  real a[SOLVER_MAX_STAGES][SOLVER_MAX_STAGES], b[SOLVER_MAX_STAGES], c[SOLVER_MAX_STAGES];
  int embedded; /* has error estimates */
  real error[SOLVER_MAX_STAGES + 1];
} bj_solver;

static const bj_solver *solver_find(bj_build *build, const bj_spec *spec,
                                    const char *where); /* NULL: none, with error */

#endif
