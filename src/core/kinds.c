/* The tables of kinds: one row each. Everything else reaches a kind through its row. */
#include "field.h"
#include "protocol.h"

static const bj_scalar_kind *const scalar_kinds[] = {
    &scalar_affine,
    &scalar_rq_spline,
    &scalar_tanh_affine,
    &scalar_leaky_relu,
    &scalar_leaky_tanh,
    &scalar_tanh,
    &scalar_tanh_plus_linear,
    &scalar_sigmoid,
    &scalar_softplus,
    &scalar_exp,
    &scalar_power,
    &scalar_chain,
    &scalar_invert,
    &scalar_cubic_conjugation,
    &scalar_sinh_conjugation,
    &scalar_cubic_rational,
    &scalar_sinh,
    &scalar_tan,
    &scalar_gaussian_cdf,
    &scalar_beta_stretch,
};
static const bj_net_kind *const net_kinds[] = {
    &net_mlp,
    &net_fourier,
    &net_polynomial,
    &net_separate,
};
static const bj_layer_kind *const layer_kinds[] = {
    &layer_chain,
    &layer_invert,
    &layer_permute,
    &layer_standardize,
    &layer_elementwise,
    &layer_coupling,
    &layer_autoregressive,
    &layer_block_autoregressive,
    &layer_planar,
    &layer_triangular_affine,
    &layer_additive_condition,
    &layer_householder,
    &layer_lu_linear,
    &layer_radial,
    &layer_radial_conditional,
    &layer_continuous,
};
static const bj_vector_field_kind *const field_kinds[] = {&field_planar, &field_mlp};
static const bj_solver *const solver_kinds[] = {&solver_tsit5, &solver_rk4, &solver_euler};
static const bj_base_kind *const base_kinds[] = {
    &base_normal, &base_logistic, &base_student_t, &base_uniform, &base_laplace,
    &base_cauchy, &base_gumbel,   &base_mvnormal,  &base_mixture,
};

/* All tables, whose rows all start with their name: a family is one line. */
#define TABLE(family) \
  { #family, (const void *const *)family##_kinds, (int)(sizeof family##_kinds / sizeof *family##_kinds) }
static const struct {
  const char *family;
  const void *const *rows;
  int n;
} kind_tables[] = {
    TABLE(scalar), TABLE(net), TABLE(field), TABLE(solver), TABLE(layer), TABLE(base),
};

static const char *kind_name(const void *row) { return *(const char *const *)row; }

static void kinds(bj_kind_visitor visit, void *host) {
  for (size_t t = 0; t < sizeof kind_tables / sizeof *kind_tables; t++) {
    for (int i = 0; i < kind_tables[t].n; i++) visit(host, kind_tables[t].family, kind_name(kind_tables[t].rows[i]));
  }
}

/* Finds the row of a spec's kind in one of the tables. */
static const void *find_kind(const void *const *table, size_t n, const bj_spec *spec) {
  for (size_t i = 0; i < n; i++) {
    if (!strcmp(kind_name(table[i]), spec->kind)) return table[i];
  }
  return NULL;
}
#define FIND_KIND(table, spec) find_kind((const void *const *)(table), sizeof(table) / sizeof *(table), spec)

static bj_status scalar_build(bj_build *build, const bj_spec *spec, const char *where, bj_scalar **out) {
  bj_scalar *scalar = *out = build_alloc(build, sizeof(bj_scalar));
  if (!spec) return spec_error(build, "%s needs a `scalar`", where);
  scalar->kind = FIND_KIND(scalar_kinds, spec);
  if (!scalar->kind) return spec_error(build, "there is no scalar bijection \"%s\"", spec->kind);
  return scalar->kind->build(scalar, spec, build);
}

static bj_status net_build(bj_build *build, const bj_spec *spec, const bj_net_request *request, const char *where,
                           bj_net **out) {
  bj_net *net = *out = build_alloc(build, sizeof(bj_net));
  if (!spec) return spec_error(build, "%s needs a `net`", where);
  net->kind = FIND_KIND(net_kinds, spec);
  if (!net->kind) return spec_error(build, "there is no net \"%s\"", spec->kind);
  if (request->in_rank && !net->kind->masks) {
    return spec_error(build, "%s needs a net with autoregressive masks, which net_%s() has not", where, spec->kind);
  }
  net->n_in = request->n_in;
  net->n_out = request->n_out;
  return net->kind->build(net, spec, request, build);
}

static bj_status field_build(bj_build *build, const bj_spec *spec, int d, int n_condition, int n_node,
                             const char *where, bj_vector_field **out) {
  bj_vector_field *field = *out = build_alloc(build, sizeof(bj_vector_field));
  if (!spec) return spec_error(build, "%s needs a `field`", where);
  field->kind = FIND_KIND(field_kinds, spec);
  if (!field->kind) return spec_error(build, "there is no field \"%s\"", spec->kind);
  field->d = d;
  field->n_condition = n_condition;
  field->n_node = n_node;
  field->group = BJ_CHUNK;
  return field->kind->build(field, spec, build);
}

static const bj_solver *solver_find(bj_build *build, const bj_spec *spec, const char *where) {
  const bj_solver *solver = spec ? FIND_KIND(solver_kinds, spec) : NULL;
  if (!spec) {
    spec_error(build, "%s needs a `solver`", where);
  } else if (!solver) {
    spec_error(build, "there is no solver \"%s\"", spec->kind);
  }
  return solver;
}

static bj_status layer_build(bj_build *build, const bj_spec *spec, int d, int n_condition, bj_layer **out) {
  bj_layer *layer = *out = build_alloc(build, sizeof(bj_layer));
  layer->kind = FIND_KIND(layer_kinds, spec);
  if (!layer->kind) return spec_error(build, "there is no layer \"%s\"", spec->kind);
  layer->number = build->n_layer++;
  layer->d = d;
  layer->n_condition = n_condition;
  return layer->kind->build(layer, spec, build);
}

static bj_status base_build(bj_build *build, const bj_spec *spec, int d, bj_base **out) {
  bj_base *base = *out = build_alloc(build, sizeof(bj_base));
  base->kind = FIND_KIND(base_kinds, spec);
  if (!base->kind) return spec_error(build, "there is no base distribution \"%s\"", spec->kind);
  base->d = d;
  return base->kind->build(base, spec, build);
}

static void layer_describe(const bj_layer *layer, bj_describe *out) {
  if (layer->kind->describe) layer->kind->describe(layer, out);
}
static void layer_init(const bj_layer *layer, real *theta, bj_rng *rng) {
  if (layer->kind->init) layer->kind->init(layer, theta, rng);
}
static void layer_prepare(const bj_layer *layer, const bj_run *run, const real *theta, real *prep) {
  if (layer->kind->prepare) layer->kind->prepare(layer, run, theta, prep);
}
static void layer_prepare_vjp(const bj_layer *layer, const bj_run *run, const real *theta, const real *prep,
                              real *gprep, real *gtheta) {
  if (layer->kind->prepare_vjp) layer->kind->prepare_vjp(layer, run, theta, prep, gprep, gtheta);
}
