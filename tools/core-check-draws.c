/* Losses of draws without R: programs beside the C library, and gradients of steps beside central differences. */

static double at_add(double a, double b) { return a + b; }
static double at_subtract(double a, double b) { return a - b; }
static double at_multiply(double a, double b) { return a * b; }
static double at_divide(double a, double b) { return a / b; }
static double at_negate(double a, double b) { return (void)b, -a; }
static double at_power(double a, double b) { return (void)b, a * a * a; }
static double at_normal_log(double a, double b) { return -a / b * a / b / 2 - log(b) - 0.91893853320467274178; }
static double at_normal(double a, double b) { return exp(at_normal_log(a, b)); }
static double at_plogis(double a, double b) { return (void)b, 1 / (1 + exp(-a)); }
static double at_pnorm(double a, double b) { return (void)b, 0.5 * erfc(-a / sqrt(2)); }
static double at_dnorm(double a, double b) { return (void)b, exp(-a * a / 2) / sqrt(2 * 3.14159265358979323846); }
#define OF_LIBM(name) \
  static double at_##name(double a, double b) { return (void)b, name(a); }
OF_LIBM(exp)
OF_LIBM(expm1)
OF_LIBM(log)
OF_LIBM(log1p)
OF_LIBM(sqrt)
OF_LIBM(sin)
OF_LIBM(cos)
OF_LIBM(tan)
OF_LIBM(atan)
OF_LIBM(sinh)
OF_LIBM(cosh)
OF_LIBM(tanh)

#define REFERENCE(name) \
  { #name, at_##name }
static const struct {
  const char *name;
  double (*at)(double a, double b);
} program_references[] = {
    REFERENCE(add),    REFERENCE(subtract), REFERENCE(multiply), REFERENCE(divide), {"pow", pow},
    {"larger", fmax},  {"smaller", fmin},   REFERENCE(negate),   REFERENCE(power),  REFERENCE(exp),
    REFERENCE(expm1),  REFERENCE(log),      REFERENCE(log1p),    REFERENCE(sqrt),   {"abs", NULL},
    REFERENCE(sin),    REFERENCE(cos),      REFERENCE(tan),      REFERENCE(atan),   REFERENCE(sinh),
    REFERENCE(cosh),   REFERENCE(tanh),     REFERENCE(plogis),   REFERENCE(pnorm),  REFERENCE(dnorm),
    REFERENCE(normal), REFERENCE(normal_log),
};
#define N_REFERENCE ((int)(sizeof program_references / sizeof *program_references))

static const double column_number[2] = {1, 2}, first_two[2] = {1, 2}, cube = 3;

/* Columns 1 and 2, and as the last node a function of them. */
static void check_function(int k, int n) {
  const char *name = program_references[k].name;
  const program_function *f = find_function(name);
  check(f != NULL, "program: no function %s", name);
  if (!f) return;
  const bj_entry columns[2][1] = {{NUMBERS("number", 1, column_number)}, {NUMBERS("number", 1, column_number + 1)}};
  const bj_entry entries[] = {NUMBERS("of", f->n_of, first_two), NUMBERS("number", f->numbered, &cube)};
  const bj_spec nodes[] = {{"column", 1, columns[0]}, {"column", 1, columns[1]}, {name, 2, entries}};
  const bj_entry parts[] = {{.name = "nodes", .type = BJ_ENTRY_SPECS, .n = 3, .specs = nodes}};
  const bj_spec spec = {"program", 1, parts};
  guarded pool = {.n = 0};
  const bj_memory memory = {guarded_alloc, &pool};
  bj_error error = {""};
  double *x = malloc(sizeof(double) * 2 * (size_t)n), *moved = malloc(sizeof(double) * 2 * (size_t)n);
  double *slope = malloc(sizeof(double) * 2 * (size_t)n), *values = malloc(sizeof(double) * 3 * (size_t)n);
  for (int i = 0; i < 2 * n; i++) x[i] = case_uniform(0.2, 1.4);
  check(BJ_CORE.program_evaluate(&spec, 2, n, x, values, slope, &memory, &error) == BJ_OK, "program: %s: %s", name,
        error.message);
  for (int i = 0; i < n; i++) {
    const double expected = program_references[k].at ? program_references[k].at(x[i], x[n + i]) : fabs(x[i]);
    check(fabs(values[i] - expected) <= 2e-15 * (1 + fabs(expected)), "program: %s(%g, %g) is %.17g, not %.17g", name,
          x[i], x[n + i], values[i], expected);
  }
  for (int j = 0; j < 2; j++) {
    const double step = 1e-6;
    for (int side = 0; side < 2; side++) {
      memcpy(moved, x, sizeof(double) * 2 * (size_t)n);
      for (int i = 0; i < n; i++) moved[j * n + i] += side ? step : -step;
      BJ_CORE.program_evaluate(&spec, 2, n, moved, values + (1 + side) * n, NULL, &memory, &error);
    }
    for (int i = 0; i < n; i++) {
      const double difference = (values[2 * n + i] - values[n + i]) / (2 * step), here = slope[j * n + i];
      const int kink = fabs(x[i] - x[n + i]) < 2 * step; /* of larger and smaller */
      check(kink || fabs(here - difference) <= 1e-7 * (1 + fabs(difference)), "program: %s'(%g, %g) is %g, not %g",
            name, x[i], x[n + i], here, difference);
    }
  }
  guarded_free(&pool, name);
  free(x), free(moved), free(slope), free(values);
}

/* log p(x) = -x_1^4 / 4 - (x_2 - x_1)^2, as a host evaluates it. */
static bj_status bent_target(void *host, long n, const double *x, double *value, double *gradient) {
  (void)host;
  for (long i = 0; i < n; i++) {
    const double a = x[i], b = x[n + i] - a;
    value[i] = -a * a * a * a / 4 - b * b;
    gradient[i] = -a * a * a + 2 * b;
    gradient[n + i] = -2 * b;
  }
  return BJ_OK;
}

/* The gradient of a step along a random direction of the parameters, base and layer, against a central difference. */
static void check_draw_step(const bj_spec *loss, int n, double beta) {
  const unsigned long seed = (unsigned long)case_state;
  const bj_entry affine_fields[] = {STRING("scale", "softplus"), NUMBERS("min_scale", 1, &least),
                                    NUMBERS("limit", 0, &zero), NUMBERS("symmetric", 1, &zero)};
  const bj_spec affine = {"affine", 4, affine_fields};
  const bj_entry net_fields[] = {NUMBERS("width", 1, width), STRING("activation", "tanh"), STRING("init", "uniform")};
  const bj_spec net = {"mlp", 3, net_fields};
  const double mask[2] = {1, 0};
  const bj_entry layer_fields[] = {CHILD("scalar", &affine), CHILD("net", &net), NUMBERS("shared", 1, &zero),
                                   NUMBERS("mask", 2, mask), NUMBERS("add_initial", 1, &one)};
  const bj_spec layer = {"coupling", 5, layer_fields};
  const bj_entry chain_fields[] = {{.name = "layers", .type = BJ_ENTRY_SPECS, .n = 1, .specs = &layer}};
  const bj_spec chain = {"chain", 1, chain_fields};
  const bj_entry base_fields[] = {NUMBERS("trainable", 1, &one), STRING("parameter", "scale")};
  const bj_spec base = {"normal", 2, base_fields};
  guarded pool = {.n = 0};
  const bj_memory memory = {guarded_alloc, &pool};
  const bj_workers workers = {.n_worker = 1, .run = serial_run};
  bj_error error = {""};
  bj_flow *flow;
  bj_flow_size size;
  const bj_status built = BJ_CORE.flow_build(&base, &chain, 2, 0, &memory, &flow, &size, &error);
  check(built == BJ_OK, "draws: flow: %s", error.message);
  if (built != BJ_OK) return;
  const size_t bytes = sizeof(double) * (size_t)size.n_param;
  double *theta = malloc(bytes), *moved = malloc(bytes), *direction = malloc(bytes), *gradient = malloc(bytes);
  BJ_CORE.flow_init(flow, 7, theta, &workers);
  for (long i = 0; i < size.n_param; i++) theta[i] += case_uniform(-0.1, 0.1), direction[i] = case_uniform(-1, 1);
  const bj_draw_setup setup = {.loss = loss, .target = {.evaluate = bent_target}, .n = n};
  bj_draw_step step = {.seed = 5, .beta = beta};
  const bj_status done = BJ_CORE.draw_step(flow, theta, &setup, &step, gradient, &memory, &workers, &error);
  check(done == BJ_OK, "draws: step of %s: %s", loss->kind, error.message);
  double expected = 0, value[2];
  for (long i = 0; i < size.n_param; i++) expected += gradient[i] * direction[i];
  for (int side = 0; side < 2; side++) {
    for (long i = 0; i < size.n_param; i++) moved[i] = theta[i] + (side ? 1e-5 : -1e-5) * direction[i];
    bj_draw_step at = {.seed = 5, .beta = beta};
    BJ_CORE.draw_step(flow, moved, &setup, &at, gradient, &memory, &workers, &error);
    value[side] = at.loss;
  }
  const double difference = (value[1] - value[0]) / 2e-5;
  const check_subject of = {loss->kind, "step", 2, 0, seed};
  check_near(&of, "gradient of parameters, along a direction", 1, 1, &expected, &difference, 1e-6);
  check(beta != 1 || step.loss == step.shown, "draws: what is shown of %s is not the loss", loss->kind);
  guarded_free(&pool, loss->kind);
  free(theta), free(moved), free(direction), free(gradient);
}

/* Programs that say anything are run, or refused with a message. */
static void check_random_program(int *n_run) {
  static const double any[] = {0, 1, 2, 3, 4, -1, 0.5, 1e9, 1e300, NAN, INFINITY, 2147483648.0};
  enum { N_ANY = sizeof any / sizeof *any, N_NODE = 6 };
  const int n_function = (int)(sizeof program_functions / sizeof *program_functions);
  double numbers[N_NODE][4], x[6], value[3], slope[6];
  bj_entry entries[N_NODE][2];
  bj_spec nodes[N_NODE];
  for (int i = 0; i < N_NODE; i++) {
    const unsigned k = (unsigned)(case_bits() % (unsigned)(n_function + 1));
    for (int j = 0; j < 4; j++)
      numbers[i][j] = case_bits() % 8 ? (double)(1 + case_bits() % (unsigned)(i + 1)) : any[case_bits() % N_ANY];
    entries[i][0] = (bj_entry)NUMBERS("of", (int)(case_bits() % 8 ? 2 : case_bits() % 4), numbers[i]);
    entries[i][1] = (bj_entry)NUMBERS("number", (int)(case_bits() % 8 ? 1 : case_bits() % 3), numbers[i] + 2);
    const char *name = k < (unsigned)n_function ? program_functions[k].name : "nobody";
    nodes[i] = (bj_spec){i == 0 ? "column" : name, 2, entries[i]};
  }
  const bj_entry parts[] = {
      {.name = "nodes", .type = BJ_ENTRY_SPECS, .n = 1 + (int)(case_bits() % N_NODE), .specs = nodes}};
  const bj_spec spec = {"program", 1, parts};
  guarded pool = {.n = 0};
  const bj_memory memory = {guarded_alloc, &pool};
  bj_error error = {""};
  for (int i = 0; i < 6; i++) x[i] = case_uniform(-2, 2);
  const bj_status status = BJ_CORE.program_evaluate(&spec, 2, 3, x, value, slope, &memory, &error);
  *n_run += status == BJ_OK;
  check(status == BJ_OK || (status == BJ_BAD_SPEC && error.message[0]), "program: status %d without a message", status);
  guarded_free(&pool, "program");
}

static void check_draws(void) {
  static const int rows[] = {1, 33, 200};
  int n_run = 0;
  for (int i = 0; i < 5000; i++) check_random_program(&n_run);
  check(n_run > 500, "only %d of the random programs run", n_run);
  for (int k = 0; k < N_REFERENCE; k++) {
    for (int i = 0; i < 3; i++) check_function(k, rows[i]);
  }
  static const double alphas[] = {0.5, 0, 2, 1}, groups[] = {1, 6};
  for (int n = 6; n <= 600; n *= 10) {
    const bj_entry reverse[] = {NUMBERS("path", 1, &zero)};
    check_draw_step(&(bj_spec){"reverse_kl", 1, reverse}, n, 1);
    check_draw_step(&(bj_spec){"reverse_kl", 1, reverse}, n, 0.3);
    for (int i = 0; i < 4; i++) {
      const bj_entry renyi[] = {NUMBERS("path", 1, &zero), NUMBERS("alpha", 1, alphas + i)};
      check_draw_step(&(bj_spec){"renyi", 2, renyi}, n, 0.7);
    }
    for (int i = 0; i < 2; i++) {
      const bj_entry weighted[] = {NUMBERS("path", 1, &zero), NUMBERS("draws", 1, groups + i)};
      check_draw_step(&(bj_spec){"importance_weighted", 2, weighted}, n, 1);
    }
  }
}
