/* The tables of kinds: one row each. Everything else reaches a kind through its row. */
#include "draw_loss.h"
#include "loss.h"
#include "optimizer.h"
#include "protocol.h"
#include "solve.h"

/* One row a line. */
/* clang-format off */
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
    &scalar_support,
    &scalar_tail,
};
static const bj_net_kind *const net_kinds[] = {
    &net_mlp,
    &net_fourier,
    &net_polynomial,
    &net_separate,
    &net_bounded,
    &net_embedding,
    &net_set,
    &net_r,
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
    &layer_r,
};
static const bj_field_kind *const field_kinds[] = {
    &field_planar,
    &field_mlp,
};
static const bj_solver *const solver_kinds[] = {
    &solver_tsit5,
    &solver_rk4,
    &solver_euler,
};
static const bj_base_kind *const base_kinds[] = {
    &base_normal,
    &base_logistic,
    &base_student_t,
    &base_uniform,
    &base_laplace,
    &base_cauchy,
    &base_gumbel,
    &base_mvnormal,
    &base_mixture,
    &base_mvstudent_t,
    &base_gaussian_mixture,
    &base_categorical,
};
static const bj_optimizer_kind *const opt_kinds[] = {
    &opt_adam,
    &opt_adamw,
    &opt_amsgrad,
    &opt_sgd,
};
static const bj_schedule_kind *const schedule_kinds[] = {
    &schedule_constant,
    &schedule_cosine,
    &schedule_exponential,
    &schedule_one_cycle,
};
static const bj_loss_kind *const loss_kinds[] = {
    &loss_maximum_likelihood,
    &loss_flow_matching,
    &loss_interval_likelihood,
};
static const bj_draw_loss_kind *const draw_loss_kinds[] = {
    &draw_loss_reverse_kl,
    &draw_loss_renyi,
    &draw_loss_importance_weighted,
};
/* clang-format on */

/* What tests compare the other kinds with: found as they are, and on no list. */
static const bj_scalar_kind *const scalar_oracle[] = {&scalar_generic};
static const bj_layer_kind *const layer_oracle[] = {&layer_generic};

/* All tables, whose rows all start with their name: a family is one line. */
#define ROWS(family, rows, listed) \
  { #family, (const void *const *)rows, (int)(sizeof rows / sizeof *rows), listed }
#define TABLE(family) ROWS(family, family##_kinds, 1)
static const struct {
  const char *family;
  const void *const *rows;
  int n, listed;
} kind_tables[] = {
    TABLE(scalar),
    TABLE(net),
    TABLE(field),
    TABLE(solver),
    TABLE(layer),
    TABLE(base),
    TABLE(opt),
    TABLE(schedule),
    TABLE(loss),
    TABLE(draw_loss),
    ROWS(scalar, scalar_oracle, 0),
    ROWS(layer, layer_oracle, 0),
};

static const char *kind_name(const void *row) { return *(const char *const *)row; }

static void kinds(bj_kind_visitor visit, void *host) {
  for (size_t t = 0; t < sizeof kind_tables / sizeof *kind_tables; t++) {
    for (int i = 0; kind_tables[t].listed && i < kind_tables[t].n; i++) {
      visit(host, kind_tables[t].family, kind_name(kind_tables[t].rows[i]));
    }
  }
}

/* Finds the row of a spec's kind; messages name its family until build_leave(). NULL and an error if there is none;
 * `what` is the family in words. */
static const void *build_enter(bj_build *build, const bj_spec *spec, const char *family, const char *what) {
  build->family = family;
  if (build->depth++ >= BJ_DEPTH) spec_error(build, "specifications are nested more than %d deep", BJ_DEPTH);
  for (size_t t = 0; build->status == BJ_OK && t < sizeof kind_tables / sizeof *kind_tables; t++) {
    if (strcmp(kind_tables[t].family, family)) continue;
    for (int i = 0; i < kind_tables[t].n; i++) {
      if (!strcmp(kind_name(kind_tables[t].rows[i]), spec->kind)) return kind_tables[t].rows[i];
    }
  }
  spec_error(build, "there is no %s \"%s\"", what, spec->kind);
  return NULL;
}

/* Back in the part that holds this one, which is of family `outer`. */
static bj_status build_leave(bj_build *build, const char *outer, bj_status status) {
  build->family = outer;
  build->depth--;
  if (build->status == BJ_OK) build->status = status;
  return build->status;
}

/* Sizes that a build() found, each of which must be within the bound. */
static bj_status build_sizes(bj_build *build, const bj_spec *spec, long a, long b, long c, long d) {
  const long sizes[] = {a, b, c, d};
  for (int i = 0; i < 4; i++) {
    if (sizes[i] < 0 || sizes[i] > SIZE_MOST) spec_error(build, "%s_%s() is too large", build->family, spec->kind);
  }
  return build->status;
}

/* What comes of spec_part() and is NULL has its error already, here and below. */
static bj_status scalar_build(bj_build *build, const bj_spec *spec, bj_scalar **out) {
  const char *const outer = build->family;
  bj_scalar *scalar = *out = build_alloc(build, sizeof(bj_scalar));
  if (!spec) return build->status;
  scalar->kind = build_enter(build, spec, "scalar", "scalar bijection");
  bj_status status = scalar->kind ? scalar->kind->build(scalar, spec, build) : build->status;
  if (status == BJ_OK) {
    scalar_fill(scalar, build);
    status = build_sizes(build, spec, scalar->n_param, scalar->n_prep, scalar->n_cache, scalar->n_global);
  }
  return build_leave(build, outer, status);
}

static int ranks_ascend(const int *rank, int n) {
  for (int i = 1; i < n; i++) {
    if (rank[i] < rank[i - 1]) return 0;
  }
  return 1;
}

#ifdef BJ_SINGLE_CORE
/* What a perceptron computes in; there are specs that say nothing. */
static int wants_single(bj_build *build, const bj_spec *spec) {
  return spec_has_string(spec, "precision") && spec_choice(build, spec, "precision", "double", "single", NULL) == 1;
}
#endif

static bj_status net_build(bj_build *build, const bj_spec *spec, const bj_net_request *request, const char *where,
                           bj_net **out) {
  const char *const outer = build->family;
  bj_net *net = *out = build_alloc(build, sizeof(bj_net));
  if (!spec) return build->status;
  net->kind = build_enter(build, spec, "net", "net");
#ifdef BJ_SINGLE_CORE
  if (net->kind == &net_mlp && wants_single(build, spec)) net->kind = &net_single;
#endif
  if (net->kind && request->in_rank && !net->kind->masks) {
    spec_error(build, "%s needs a net with autoregressive masks, which net_%s() has not", where, spec->kind);
  }
  /* A layer's mistake; bounds of masks that were found in other ranks would be wrong without a word. */
  if (request->in_rank &&
      !(ranks_ascend(request->in_rank, request->n_in) && ranks_ascend(request->out_rank, request->n_out))) {
    spec_error(build, "ranks of a masked net must ascend");
  }
  net->n_in = request->n_in;
  net->n_out = request->n_out;
  bj_status status = build->status == BJ_OK ? net->kind->build(net, spec, request, build) : build->status;
  if (status == BJ_OK) status = build_sizes(build, spec, net->n_param, net->n_prep, net->n_cache, net->n_work);
  return build_leave(build, outer, status);
}

static bj_status field_build(bj_build *build, const bj_spec *spec, int d, int n_condition, int n_node, bj_field **out) {
  const char *const outer = build->family;
  bj_field *field = *out = build_alloc(build, sizeof(bj_field));
  if (!spec) return build->status;
  field->kind = build_enter(build, spec, "field", "field");
#ifdef BJ_SINGLE_CORE
  if (field->kind == &field_mlp && wants_single(build, spec)) field->kind = &field_single;
#endif
  field->d = d;
  field->n_condition = n_condition;
  field->n_node = n_node;
  field->group = BJ_CHUNK;
  bj_status status = field->kind ? field->kind->build(field, spec, build) : build->status;
  if (status == BJ_OK) status = build_sizes(build, spec, field->n_param, field->n_prep, field->n_cache, field->n_work);
  return build_leave(build, outer, status);
}

static bj_status solver_build(bj_build *build, const bj_spec *spec, real length, solve_plan *plan) {
  const char *const outer = build->family;
  if (!spec) return build->status;
  plan->solver = build_enter(build, spec, "solver", "solver");
  const bj_status status = plan->solver ? solve_plan_steps(plan, spec, length, build) : build->status;
  return build_leave(build, outer, status);
}

static bj_status layer_build(bj_build *build, const bj_spec *spec, int d, int n_condition, bj_layer **out) {
  const char *const outer = build->family;
  bj_layer *layer = *out = build_alloc(build, sizeof(bj_layer));
  layer->kind = build_enter(build, spec, "layer", "layer");
  layer->number = build->n_layer++;
  layer->d = d;
  layer->n_condition = n_condition;
  bj_status status = layer->kind ? layer->kind->build(layer, spec, build) : build->status;
  if (status == BJ_OK) {
    layer_fill(layer, build);
    status = build_sizes(build, spec, layer->n_param, layer->n_prep, layer->n_cache, layer->n_work);
  }
  return build_leave(build, outer, status);
}

static bj_status base_build(bj_build *build, const bj_spec *spec, int d, int n_condition, bj_base **out) {
  const char *const outer = build->family;
  bj_base *base = *out = build_alloc(build, sizeof(bj_base));
  base->kind = build_enter(build, spec, "base", "base distribution");
  base->d = d;
  base->n_condition = n_condition;
  bj_status status = base->kind ? base->kind->build(base, spec, build) : build->status;
  if (status == BJ_OK) status = build_sizes(build, spec, base->n_param, base->n_prep, base->n_cache, base->n_work);
  return build_leave(build, outer, status);
}

static void net_describe(const bj_net *net, bj_describe *out) { net->kind->describe(net, out); }
static void net_init(const bj_net *net, real *theta, bj_rng *rng) { net->kind->init(net, theta, rng); }
static void net_prepare(const bj_net *net, const real *theta, real *prep) {
  if (net->kind->prepare) net->kind->prepare(net, theta, prep);
}
static void net_prepare_vjp(const bj_net *net, const real *gprep, real *gtheta) {
  if (net->kind->prepare_vjp) net->kind->prepare_vjp(net, gprep, gtheta);
}

static bj_status optimizer_build(bj_build *build, const bj_spec *spec, bj_optimizer **out) {
  const char *const outer = build->family;
  bj_optimizer *optimizer = *out = build_alloc(build, sizeof(bj_optimizer));
  optimizer->kind = build_enter(build, spec, "opt", "optimiser");
  return build_leave(build, outer, optimizer->kind ? optimizer->kind->build(optimizer, spec, build) : build->status);
}

static bj_status schedule_build(bj_build *build, const bj_spec *spec, double peak, double steps, bj_schedule **out) {
  const char *const outer = build->family;
  bj_schedule *schedule = *out = build_alloc(build, sizeof(bj_schedule));
  schedule->kind = build_enter(build, spec, "schedule", "schedule");
  schedule->peak = peak;
  schedule->steps = steps;
  return build_leave(build, outer, schedule->kind ? schedule->kind->build(schedule, spec, build) : build->status);
}

static bj_status loss_build(bj_build *build, const bj_spec *spec, const bj_flow *flow, bj_loss **out) {
  const char *const outer = build->family;
  bj_loss *loss = *out = build_alloc(build, sizeof(bj_loss));
  loss->kind = build_enter(build, spec, "loss", "loss of data");
  const int reads = loss->kind && loss->kind->build;
  return build_leave(build, outer, reads ? loss->kind->build(loss, spec, flow, build) : build->status);
}

static bj_status draw_loss_build(bj_build *build, const bj_spec *spec, bj_draw_loss **out) {
  const char *const outer = build->family;
  bj_draw_loss *loss = *out = build_alloc(build, sizeof(bj_draw_loss));
  loss->kind = build_enter(build, spec, "draw_loss", "loss of draws");
  if (loss->kind) loss->path = spec_bool(build, spec, "path");
  const int reads = loss->kind && loss->kind->build;
  return build_leave(build, outer, reads ? loss->kind->build(loss, spec, build) : build->status);
}

static bj_status optimizer_moments(const bj_spec *spec, const bj_memory *memory, int *n_moment, bj_error *error) {
  bj_build build = {.memory = memory, .error = error};
  bj_optimizer *optimizer;
  const bj_status status = optimizer_build(&build, spec, &optimizer);
  *n_moment = status == BJ_OK ? optimizer->kind->n_moment : 0;
  return status;
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
