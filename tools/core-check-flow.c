/* Flows without R: specs written in C, memory from malloc with a guard behind every block, so that the sanitizers and
 * the guards see what R's allocator would hide. */

#define GUARD UINT64_C(0x5ca1ab1e0ddba11)

typedef struct {
  void *blocks[4096];
  size_t sizes[4096];
  int n;
} guarded;

static void *guarded_alloc(void *host, size_t bytes) {
  guarded *memory = host;
  const uint64_t guard = GUARD;
  char *p = malloc(bytes + sizeof guard);
  memset(p, 0xff, bytes); /* NaN: nothing may be read before it is written */
  memcpy(p + bytes, &guard, sizeof guard);
  memory->blocks[memory->n] = p;
  memory->sizes[memory->n++] = bytes;
  return p;
}

static void guarded_free(guarded *memory, const char *what) {
  for (int i = 0; i < memory->n; i++) {
    uint64_t guard;
    memcpy(&guard, (char *)memory->blocks[i] + memory->sizes[i], sizeof guard);
    check(guard == GUARD, "%s: block %d of %lu bytes was overrun", what, i, (unsigned long)memory->sizes[i]);
    free(memory->blocks[i]);
  }
  memory->n = 0;
}

static void serial_run(void *host, int n_task, void (*task)(void *, int), void *arg) {
  (void)host;
  for (int i = n_task - 1; i >= 0; i--) task(arg, i); /* any order will do */
}

/* A table as a host that brings the rows, and that after so many calls cannot. */
typedef struct {
  const double *const *column;
  int n_column;
  long left;
} brought;

static bj_status bring_rows(void *host, const int *row, long first, int n, real *to, long stride) {
  brought *from = host;
  if (from->left-- <= 0) return BJ_BAD_INPUT;
  for (int j = 0; j < from->n_column; j++) {
    for (int r = 0; r < n; r++) to[j * stride + r] = from->column[j][row ? row[r] : first + r];
  }
  return BJ_OK;
}

static const double zero = 0, one = 1, knots = 5, width[2] = {7, 6}, interval[2] = {-3, 3}, least = 1e-3, most = 3;

#define NUMBERS(called, count, values) \
  { .name = called, .type = BJ_ENTRY_NUMBERS, .n = count, .numbers = values }
#define STRING(called, value) \
  { .name = called, .type = BJ_ENTRY_STRING, .n = 1, .string = value }
#define CHILD(called, spec) \
  { .name = called, .type = BJ_ENTRY_SPEC, .n = 1, .specs = spec }

static const bj_entry normal_entries[] = {NUMBERS("trainable", 1, &zero), STRING("parameter", "scale")};
static const bj_spec standard_normal = {"normal", 2, normal_entries};

/* How a flow of standard normal draws is checked. */
typedef struct {
  const bj_spec *layer;
  int d, n_condition, n;
  double back, gradient; /* tolerances of the way back, and of the gradient */
  int train;             /* gradients as in a step of training, of density and penalty */
  const bj_spec *base;   /* NULL: a normal with mean and scale */
} flow_case;

/* There and back, and the gradient along one random direction of all parameters against a central difference. */
static void check_case(const char *what, const flow_case *flow_of) {
  const unsigned long seed = (unsigned long)case_state;
  const int d = flow_of->d, n_condition = flow_of->n_condition, n = flow_of->n;
  const bj_entry base_fields[] = {NUMBERS("trainable", 1, &one), STRING("parameter", "scale")};
  const bj_spec normal = {"normal", 2, base_fields}, *base = flow_of->base ? flow_of->base : &normal;
  guarded pool = {.n = 0};
  const bj_memory memory = {guarded_alloc, &pool};
  const bj_workers workers = {.n_worker = 1, .run = serial_run};
  bj_error error = {""};
  bj_flow *flow;
  bj_flow_size size;
  const bj_core *core = &BJ_CORE;
  const bj_status built = core->flow_build(base, flow_of->layer, d, n_condition, &memory, &flow, &size, &error);
  check(built == BJ_OK, "%s: not built: %s", what, error.message);
  if (built != BJ_OK) return;

  const size_t bytes = sizeof(double), rows = (size_t)n;
  double *theta = malloc(bytes * (size_t)size.n_param), *gradient = malloc(bytes * (size_t)size.n_param);
  double *x = malloc(bytes * rows * (size_t)d), *z = malloc(bytes * rows * (size_t)d);
  double *back = malloc(bytes * rows * (size_t)d), *gx = malloc(bytes * rows * (size_t)d);
  double *density = malloc(bytes * rows), *there = malloc(bytes * rows), *here = malloc(bytes * rows);
  double *cotangent = malloc(bytes * rows), *condition = malloc(bytes * (rows * (size_t)n_condition + 1));
  double *gc = malloc(bytes * (rows * (size_t)n_condition + 1)), *penalty = malloc(bytes * rows);
  check(core->flow_init(flow, 7, theta, &workers) == BJ_OK, "%s: initial values", what);
  for (long i = 0; i < size.n_param; i++) theta[i] += case_uniform(-0.1, 0.1);
  for (int i = 0; i < n * d; i++) x[i] = case_uniform(-2, 2);
  for (int i = 0; i < n * n_condition; i++) condition[i] = case_uniform(-1, 1);
  for (int i = 0; i < n; i++) cotangent[i] = case_uniform(-1, 1);

  const double *columns[3][16];
  for (int j = 0; j < d; j++) columns[0][j] = x + j * n, columns[1][j] = z + j * n;
  for (int j = 0; j < n_condition; j++) columns[2][j] = condition + j * n;
  const bj_rows conditions = {.n = n, .column = columns[2]};
  bj_map_job job = {.x = {.n = n, .column = columns[0]},
                    .condition = conditions,
                    .y = z,
                    .logdet = there,
                    .log_density = density,
                    .cot_p = cotangent,
                    .grad_param = gradient,
                    .grad_x = gx,
                    .grad_condition = n_condition > 0 ? gc : NULL,
                    .train = flow_of->train,
                    .seed = 11,
                    .cot_penalty = 0.7,
                    .penalty = flow_of->train ? penalty : NULL};
  check_subject of = {what, "inverse", d, n_condition, seed};
  check(core->flow_map(flow, theta, BJ_INVERSE, &job, &memory, &workers, &error) == BJ_OK, "%s: inverse", what);

  brought points = {columns[0], d, 1000}, given = {columns[2], n_condition, 1000};
  double *other = malloc(bytes * (size_t)size.n_param), *gx_other = malloc(bytes * rows * (size_t)d);
  bj_map_job job_brought = job;
  job_brought.x = (bj_rows){.n = n, .read = bring_rows, .host = &points};
  job_brought.condition = (bj_rows){.n = n, .read = bring_rows, .host = &given};
  job_brought.y = back, job_brought.log_density = here, job_brought.grad_param = other, job_brought.grad_x = gx_other;
  check(core->flow_map(flow, theta, BJ_INVERSE, &job_brought, &memory, &workers, &error) == BJ_OK, "%s: brought", what);
  const int same = !memcmp(back, z, bytes * rows * (size_t)d) && !memcmp(here, density, bytes * rows) &&
                   !memcmp(gx_other, gx, bytes * rows * (size_t)d) &&
                   !memcmp(other, gradient, bytes * (size_t)size.n_param);
  check(same, "%s: rows that the host brings are not as those in memory", what);
  points.left = n > BJ_BLOCK;
  check(core->flow_map(flow, theta, BJ_INVERSE, &job_brought, &memory, &workers, &error) == BJ_BAD_INPUT,
        "%s: rows that the host could not bring are not missed", what);
  free(other), free(gx_other);

  const bj_map_job way_back = {.x = {.n = n, .column = columns[1]}, .condition = conditions, .y = back, .logdet = here};
  check(core->flow_map(flow, theta, BJ_FORWARD, &way_back, &memory, &workers, &error) == BJ_OK, "%s: forward", what);
  for (int i = 0; i < n; i++) there[i] = -there[i];
  if (!flow_of->train) {
    check_near(&of, "forward of inverse", n, d, back, x, flow_of->back);
    check_near(&of, "log-determinants cancel", n, 1, here, there, flow_of->back);
  }

  const double step = 1e-5;
  double expected = 0, value[2] = {0, 0};
  double *direction = malloc(bytes * (size_t)size.n_param), *moved = malloc(bytes * (size_t)size.n_param);
  double *unused = malloc(bytes * (size_t)size.n_param);
  for (long i = 0; i < size.n_param; i++) {
    direction[i] = case_uniform(-1, 1);
    expected += gradient[i] * direction[i];
  }
  job.grad_param = flow_of->train ? unused : NULL; /* training is with gradients only */
  for (int side = 0; side < 2; side++) {
    for (long i = 0; i < size.n_param; i++) moved[i] = theta[i] + (side ? step : -step) * direction[i];
    core->flow_map(flow, moved, BJ_INVERSE, &job, &memory, &workers, &error);
    for (int i = 0; i < n; i++) value[side] += cotangent[i] * density[i] + (flow_of->train ? 0.7 * penalty[i] : 0);
  }
  const double difference = (value[1] - value[0]) / (2 * step);
  of.direction = flow_of->train ? "inverse, training" : "inverse";
  check_near(&of, "gradient of parameters, along a direction", 1, 1, &expected, &difference, flow_of->gradient);

  double *draws = malloc(bytes * rows * (size_t)d);
  const bj_draw_job draw = {.n = n, .condition = conditions, .seed = 3, .z = draws};
  check(core->flow_draw(flow, theta, &draw, &memory, &workers) == BJ_OK, "%s: draws", what);
  for (int i = 0; i < n * d; i++) check(fabs(draws[i]) < 1e3, "%s: draw %g", what, draws[i]);
  const bj_rows drawn = {.n = n, .column = (const double *const *)columns[0]};
  for (int j = 0; j < d; j++) columns[0][j] = draws + j * n;
  const bj_status through = core->flow_draw_vjp(flow, theta, &drawn, &conditions, x, gradient, &memory, &error);
  check(through == BJ_OK, "%s: gradient through draws: %s", what, error.message);
  double *raw = malloc(bytes * (rows * (size_t)size.n_given + 1));
  check(core->flow_given(flow, theta, &conditions, raw, &memory) == BJ_OK, "%s: what the base is given", what);
  for (int i = 0; i < n * size.n_given; i++) check(isfinite(raw[i]), "%s: raw parameter %g", what, raw[i]);
  free(raw);
  guarded_free(&pool, what);
  free(theta), free(gradient), free(x), free(z), free(back), free(gx), free(density), free(there), free(here);
  free(cotangent), free(condition), free(direction), free(moved), free(draws), free(gc), free(penalty), free(unused);
}

/* A chain of two coupling or autoregressive layers with a permutation between, or only elementwise ones. */
static void check_one_flow(const char *layer_kind, const bj_spec *scalar, int d, int n_condition, int n, int depth) {
  char what[200];
  snprintf(what, sizeof what, "%s of %s, d = %d, %d conditions, n = %d, depth %d", layer_kind, scalar->kind, d,
           n_condition, n, depth);
  double reversed[16], mask[16];
  for (int i = 0; i < d; i++) reversed[i] = d - i, mask[i] = i < d / 2;
  const bj_entry net_fields[] = {NUMBERS("width", depth, width), STRING("activation", depth == 1 ? "relu" : "tanh"),
                                 STRING("init", "uniform")};
  const bj_spec net = {"mlp", 3, net_fields};
  const bj_entry layer_fields[] = {CHILD("scalar", scalar), CHILD("net", &net), NUMBERS("shared", 1, &zero),
                                   NUMBERS("mask", d, mask), NUMBERS("add_initial", 1, &one)};
  const bj_spec layer = {layer_kind, 5, layer_fields};
  const bj_entry invert_fields[] = {CHILD("layer", &layer)}, permute_fields[] = {NUMBERS("permutation", d, reversed)};
  const bj_spec parts[] = {layer, {"permute", 1, permute_fields}, {"invert", 1, invert_fields}};
  const bj_entry chain_fields[] = {{.name = "layers", .type = BJ_ENTRY_SPECS, .n = 3, .specs = parts}};
  const bj_spec chain_spec = {"chain", 1, chain_fields};
  const flow_case flow = {&chain_spec, d, n_condition, n, 1e-9, 1e-5, 0, NULL};
  check_case(what, &flow);
}

/* Bases whose parameters a net gives, behind an elementwise layer. */
static void check_given_base(const bj_spec *scalar, int d, int n) {
  const bj_entry layer_fields[] = {CHILD("scalar", scalar), NUMBERS("shared", 1, &zero)};
  const bj_spec layer = {"elementwise", 2, layer_fields};
  const bj_entry chain_fields[] = {{.name = "layers", .type = BJ_ENTRY_SPECS, .n = 1, .specs = &layer}};
  const bj_spec chain_spec = {"chain", 1, chain_fields};
  const bj_entry net_fields[] = {NUMBERS("width", 1, width), STRING("activation", "tanh"), STRING("init", "uniform")};
  const bj_spec net = {"mlp", 3, net_fields};
  static const char *const kinds[] = {"normal", "student_t", "laplace", "logistic", "gumbel", "mixture"};
  const bj_entry fields[] = {CHILD("net", &net),
                             NUMBERS("trainable", 1, &zero),
                             STRING("parameter", "variance"),
                             NUMBERS("df", 1, &knots),
                             NUMBERS("components", 1, &knots),
                             NUMBERS("spread", 1, &one)};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    char what[100];
    snprintf(what, sizeof what, "base %s by a net, d = %d, n = %d", kinds[k], d, n);
    const bj_spec base = {kinds[k], 6, fields};
    const flow_case flow = {&chain_spec, d, 2, n, 1e-9, 1e-5, 0, &base};
    check_case(what, &flow);
  }
}

static void check_flow(void) {
  const bj_entry affine_fields[] = {NUMBERS("min_scale", 1, &least), STRING("scale", "softplus")};
  const bj_entry leaky_fields[] = {NUMBERS("max_value", 1, &most)};
  const bj_spec affine_spec = {"affine", 2, affine_fields}, leaky_spec = {"leaky_tanh", 1, leaky_fields};
  const bj_entry spline_fields[] = {NUMBERS("knots", 1, &knots), NUMBERS("interval", 2, interval),
                                    STRING("boundary", "free"), NUMBERS("min_width", 1, &least),
                                    NUMBERS("min_slope", 1, &least)};
  const bj_spec spline_spec = {"rq_spline", 5, spline_fields};
  const bj_spec *const scalars[] = {&affine_spec, &spline_spec, &leaky_spec};
  static const char *const layers[] = {"coupling", "autoregressive", "elementwise"};
  static const int sizes[] = {1, 31, 33, 128, 129, 700};
  for (int l = 0; l < 3; l++) {
    for (int s = 0; s < (l == 2 ? 3 : 2); s++) {
      for (int i = 0; i < 6; i++) check_one_flow(layers[l], scalars[s], 1 + (i + s) % 4, i % 3, sizes[i], i % 3);
    }
  }
  for (int i = 0; i < 6; i++) check_one_flow("autoregressive", &affine_spec, 2, 0, sizes[i], 1); /* a small net */
  for (int i = 0; i < 6; i++) check_given_base(&affine_spec, 1 + i % 3, sizes[i]);
}
