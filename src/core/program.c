/* Programs: an expression of the columns of points as a list of nodes, each a function of nodes before it.
 *
 *   v_i = f_i(v_a, v_b), a, b < i;                      the value is v of the last node
 *   g_last = 1, g_a += g_i df_i/dv_a, g_b += ...        from the last node to the first; the gradient by a column is g
 *                                                       of its nodes
 *
 * A piece of some rows goes through all nodes at a time, so that what they leave stays in cache. Functions are rows of
 * a table: a new one is its value and its derivatives.
 */
#include "program.h"
#include "num-carve.h"
#include "num-math.h"
#include "num-rows.h"
#include "num-special.h"

#define PIECE (BJ_CHUNK * BJ_BLOCK)
#define NODES_MOST 10000

typedef struct program_node program_node;

typedef struct {
  const char *name;
  int n_of;     /* nodes that it is a function of */
  int numbered; /* whether it has a number */
  void (*value)(const program_node *node);
  void (*slope)(const program_node *node); /* NULL: it is no function of nodes */
} program_function;

struct program_node {
  const program_function *f;
  const program_node *a, *b; /* what it is a function of */
  int column;                /* of the points; -1: it is none */
  double number;
  real *v, *g; /* PIECE; g is NULL where no column has a part in it */
};

struct program {
  int d, n_node;
  program_node *nodes;
};

#define FOR_PIECE(i) for (int i = 0; i < PIECE; i += BJ_LANES)

/* Of a: the value v, and its derivative, a function of a and v. */
#define UNARY(name, value, slope)                                                   \
  static void value_of_##name(const program_node *node) {                           \
    FOR_PIECE(i) {                                                                  \
      const vreal a = vload(node->a->v + i);                                        \
      vstore(node->v + i, value);                                                   \
    }                                                                               \
  }                                                                                 \
  static void slope_of_##name(const program_node *node) {                           \
    FOR_PIECE(i) {                                                                  \
      const vreal a = vload(node->a->v + i), v = vload(node->v + i);                \
      (void)a, (void)v;                                                             \
      vstore(node->a->g + i, vload(node->a->g + i) + vload(node->g + i) * (slope)); \
    }                                                                               \
  }

/* Of a and b, which may be the same node. */
#define BINARY(name, value, slope_a, slope_b)                                                   \
  static void value_of_##name(const program_node *node) {                                       \
    FOR_PIECE(i) {                                                                              \
      const vreal a = vload(node->a->v + i), b = vload(node->b->v + i);                         \
      vstore(node->v + i, value);                                                               \
    }                                                                                           \
  }                                                                                             \
  static void slope_of_##name(const program_node *node) {                                       \
    FOR_PIECE(i) {                                                                              \
      const vreal a = vload(node->a->v + i), b = vload(node->b->v + i), v = vload(node->v + i); \
      const vreal g = vload(node->g + i);                                                       \
      (void)a, (void)b, (void)v;                                                                \
      if (node->a->g) vstore(node->a->g + i, vload(node->a->g + i) + g * (slope_a));            \
      if (node->b->g) vstore(node->b->g + i, vload(node->b->g + i) + g * (slope_b));            \
    }                                                                                           \
  }

/* Lane by lane, as the C library has it. */
INLINE vreal pow_of(vreal a, vreal b) {
  real x[BJ_LANES], y[BJ_LANES];
  vstore(x, a);
  vstore(y, b);
  for (int i = 0; i < BJ_LANES; i++) x[i] = (real)pow(x[i], y[i]);
  return vload(x);
}

#define POWER_MOST 64

/* a^k for a number k: whole ones by products. */
INLINE vreal power_of(vreal a, double k) {
  if (k != floor(k) || fabs(k) > POWER_MOST) return pow_of(a, vset((real)k));
  vreal square = a, out = vset(1);
  for (int left = (int)fabs(k); left > 0; left /= 2) {
    if (left % 2) out *= square;
    square *= square;
  }
  return k < 0 ? 1.0 / out : out;
}

/* Beyond 40 it is 0, and the kernel would overflow on the way. */
INLINE vreal normal_density(vreal a) { return normal_kernel(vmin(vset(40), vabs(a))) * (real)0.39894228040143267794; }
/* Of a deviation from the mean; with an sd of 0 all is at the mean, and with one below there is none. */
INLINE vreal log_density_about(vreal deviation, vreal sd) {
  const vreal z = deviation / sd, away = vselect(veq(deviation, vset(0)), vset(INFINITY), vset(-INFINITY));
  const vreal value = (real)-0.5 * z * z - vlog(sd) - LOG_SQRT_2PI;
  return vselect(veq(sd, vset(0)), away + 0.0 * deviation, value);
}
INLINE vreal sign_of(vreal a) { return vselect(veq(a, vset(0)), a, vcopysign(vset(1), a)); }
INLINE vreal one_where(vint which) { return vselect(which, vset(1), vset(0)); }

BINARY(add, a + b, vset(1), vset(1))
BINARY(subtract, a - b, vset(1), vset(-1))
BINARY(multiply, a *b, b, a)
BINARY(divide, a / b, 1.0 / b, -v / b)
BINARY(pow, pow_of(a, b), b *pow_of(a, b - 1.0), v *vlog(a))
BINARY(larger, vselect(vlt(a, b), b, vselect(vle(b, a), a, a + b)), one_where(~vlt(a, b)), one_where(vlt(a, b)))
BINARY(smaller, vselect(vlt(b, a), b, vselect(vle(a, b), a, a + b)), one_where(~vlt(b, a)), one_where(vlt(b, a)))
BINARY(normal_log, log_density_about(a, b), -a / (b * b), (a / b * (a / b) - 1.0) / b)
BINARY(normal, vexp(log_density_about(a, b)), -v *a / (b * b), v *(a / b * (a / b) - 1.0) / b)
UNARY(negate, -a, vset(-1))
UNARY(power, power_of(a, node->number), (real)node->number *power_of(a, node->number - 1))
UNARY(exp, vexp(a), v)
UNARY(expm1, vexpm1(a), vexp(a))
UNARY(log, vlog(a), 1.0 / a)
UNARY(log1p, vlog1p(a), 1.0 / (1.0 + a))
UNARY(sqrt, vsqrt(a), 0.5 / v)
UNARY(abs, vabs(a), sign_of(a))
UNARY(sin, vsin(a), vcos(a))
UNARY(cos, vcos(a), -vsin(a))
UNARY(tan, vsin(a) / vcos(a), 1.0 + v * v)
UNARY(atan, vatan(a), 1.0 / (1.0 + a * a))
UNARY(sinh, vsinh(a), vcosh(a))
UNARY(cosh, vcosh(a), vsinh(a))
UNARY(tanh, vtanh(a), power_of(vcosh(a), -2))
UNARY(plogis, vsigmoid(a), v *vsigmoid(-a))
UNARY(pnorm, vpnorm(a), normal_density(a))
UNARY(dnorm, normal_density(a), -a *v)

/* Numbers are there from the beginning, columns are copied in. */
#define ROW(name, n_of) \
  { #name, n_of, 0, value_of_##name, slope_of_##name }
static const program_function program_functions[] = {
    {"column", 0, 1, NULL, NULL},
    {"number", 0, 1, NULL, NULL},
    {"power", 1, 1, value_of_power, slope_of_power},
    ROW(add, 2),
    ROW(subtract, 2),
    ROW(multiply, 2),
    ROW(divide, 2),
    ROW(pow, 2),
    ROW(larger, 2),
    ROW(smaller, 2),
    ROW(normal_log, 2),
    ROW(normal, 2),
    ROW(negate, 1),
    ROW(exp, 1),
    ROW(expm1, 1),
    ROW(log, 1),
    ROW(log1p, 1),
    ROW(sqrt, 1),
    ROW(abs, 1),
    ROW(sin, 1),
    ROW(cos, 1),
    ROW(tan, 1),
    ROW(atan, 1),
    ROW(sinh, 1),
    ROW(cosh, 1),
    ROW(tanh, 1),
    ROW(plogis, 1),
    ROW(pnorm, 1),
    ROW(dnorm, 1),
};

/* ---- building ---------------------------------------------------------------------------------------------------- */

static const program_function *find_function(const char *name) {
  for (size_t i = 0; i < sizeof program_functions / sizeof *program_functions; i++) {
    if (!strcmp(program_functions[i].name, name)) return program_functions + i;
  }
  return NULL;
}

/* Node i, from what stands before it. */
static void node_build(bj_build *build, const bj_spec *spec, const program *p, int i) {
  program_node *node = p->nodes + i;
  node->f = find_function(spec->kind);
  node->column = -1;
  if (!node->f) {
    spec_error(build, "a program has no function \"%s\"", spec->kind);
    return;
  }
  if (node->f->numbered) node->number = spec_real(build, spec, "number", -INFINITY, INFINITY);
  if (node->f->n_of == 0) {
    if (strcmp(node->f->name, "column")) return;
    node->column = spec_count(build, spec, "number", 1, p->d) - 1;
    return;
  }
  int n;
  const int *of = spec_counts(build, spec, "of", node->f->n_of, &n);
  for (int k = 0; k < node->f->n_of && build->status == BJ_OK; k++) {
    if (of[k] > i) spec_error(build, "node %d of a program is a function of node %d", i + 1, of[k]);
  }
  if (build->status != BJ_OK) return;
  node->a = p->nodes + of[0] - 1;
  node->b = node->f->n_of > 1 ? p->nodes + of[1] - 1 : NULL;
}

static int node_moves(const program_node *node) {
  return node->column >= 0 || (node->a && node->a->g) || (node->b && node->b->g);
}

static program *program_build(bj_build *build, const bj_spec *spec, int d) {
  const char *const outer = build->family;
  build->family = "program";
  program *p = build_alloc(build, sizeof(program));
  int n = 0;
  const bj_spec *specs = spec_parts(build, spec, "nodes", 1, &n);
  if (n > NODES_MOST) spec_error(build, "a program of %d functions is too long", n);
  if (build->status != BJ_OK) return NULL;
  *p = (program){d, n, build_alloc(build, sizeof(program_node) * (size_t)n)};
  real *memory = carve_block(build->memory, 2L * n * PIECE);
  for (int i = 0; i < n && build->status == BJ_OK; i++) {
    program_node *node = p->nodes + i;
    node_build(build, specs + i, p, i);
    node->v = memory + 2L * i * PIECE;
    if (node_moves(node)) node->g = node->v + PIECE;
    if (!node->f || node->f->n_of > 0) continue;
    for (int k = 0; k < PIECE; k++) node->v[k] = (real)node->number;
  }
  build->family = outer;
  return build->status == BJ_OK ? p : NULL;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* Rows beyond the last are that one. */
static void piece_value(const program *p, long n, const double *x, long first, long rows) {
  for (int i = 0; i < p->n_node; i++) {
    const program_node *node = p->nodes + i;
    if (node->column >= 0) {
      const double *from = x + node->column * n + first;
      for (long k = 0; k < PIECE; k++) node->v[k] = (real)from[k < rows ? k : rows - 1];
    } else if (node->f->value) {
      node->f->value(node);
    }
  }
}

static void piece_gradient(const program *p, long n, long first, long rows, double *gradient) {
  for (int i = 0; i < p->n_node; i++) {
    if (p->nodes[i].g) memset(p->nodes[i].g, 0, sizeof(real) * PIECE);
  }
  const program_node *last = p->nodes + p->n_node - 1;
  for (int k = 0; last->g && k < PIECE; k++) last->g[k] = 1;
  for (int i = p->n_node - 1; i >= 0; i--) {
    const program_node *node = p->nodes + i;
    if (node->g && node->f->slope) node->f->slope(node);
    if (node->column < 0) continue;
    double *to = gradient + node->column * n + first;
    for (long k = 0; k < rows; k++) to[k] += node->g[k];
  }
}

static void program_run(const program *p, long n, const double *x, double *value, double *gradient) {
  const program_node *last = p->nodes + p->n_node - 1;
  if (gradient) memset(gradient, 0, sizeof(double) * (size_t)n * (size_t)p->d);
  for (long first = 0; first < n; first += PIECE) {
    const long rows = n - first < PIECE ? n - first : PIECE;
    piece_value(p, n, x, first, rows);
    for (long k = 0; k < rows; k++) value[first + k] = last->v[k];
    if (gradient) piece_gradient(p, n, first, rows, gradient);
  }
}

static bj_status program_evaluate(const bj_spec *spec, int d, long n, const double *x, double *value, double *gradient,
                                  const bj_memory *memory, bj_error *error) {
  bj_build build = {.memory = memory, .error = error};
  const program *p = program_build(&build, spec, d);
  if (p) program_run(p, n, x, value, gradient);
  return build.status;
}
