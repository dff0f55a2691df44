/* Continuous flows without R, on the guarded memory of core-check-flow.c. */

static const double two = 2, units = 3, attempts = 256, ends[2] = {0, 1}, weights[2] = {0.3, 0.2};
static const double probes[10] = {1, -1, 1, 1, -1, 1, -1, -1, 1, -1};

/* `field` is "mlp" or "planar". What is left at 0 or NULL is not given. */
typedef struct {
  const char *field, *solver, *trace, *gradient;
  double step, tolerance;
  int penalties, steer, probe;
  int d, n_condition, n;
  double back, error; /* tolerances of the way back, and of the gradient */
  int train;
} continuous_case;

/* A chain of a continuous layer, a permutation and the same one inverted; with `matching` the layer alone. */
static void continuous_with_chain(const continuous_case *it, int matching, const char *what,
                                  void (*use)(const char *, const continuous_case *, const bj_spec *)) {
  const double tolerance = it->tolerance, step = it->step, shift = 0.1;
  double reversed[16];
  for (int i = 0; i < it->d; i++) reversed[i] = it->d - i;
  const bj_entry gate_fields[] = {NUMBERS("width", 2, width), STRING("activation", "tanh"), STRING("init", "uniform")};
  const bj_spec gate = {"mlp", 3, gate_fields};
  const bj_entry mlp_fields[] = {NUMBERS("width", 2, width), STRING("activation", "tanh"),
                                 NUMBERS("frequencies", 1, &two), STRING("init", "uniform")};
  const bj_entry planar_fields[] = {NUMBERS("units", 1, &units), CHILD("gate", &gate), STRING("init", "small")};
  const int is_mlp = !strcmp(it->field, "mlp"), adaptive = tolerance > 0;
  const bj_spec field = {it->field, is_mlp ? 4 : 3, is_mlp ? mlp_fields : planar_fields};
  const bj_entry solver_fields[] = {NUMBERS("step", 1, &step), NUMBERS("rtol", adaptive, &tolerance),
                                    NUMBERS("atol", adaptive, &tolerance), NUMBERS("training", 0, &tolerance),
                                    NUMBERS("max_steps", adaptive, &attempts)};
  const bj_spec solver = {it->solver, 5, solver_fields};
  const bj_entry fields[] = {
      CHILD("field", &field),
      CHILD("solver", &solver),
      STRING("trace", it->trace ? it->trace : "exact"),
      STRING("probe", "rademacher"),
      NUMBERS("probe_values", it->probe ? 5 / it->d * it->d : 0, probes),
      STRING("gradient", it->gradient ? it->gradient : "discrete"),
      NUMBERS("t0", 1, &ends[0]),
      NUMBERS("t1", 1, &ends[1]),
      NUMBERS("kinetic", it->penalties & 1, weights),
      NUMBERS("jacobian", it->penalties >> 1 & 1, weights + 1),
      NUMBERS("steer", it->steer, &shift),
  };
  const bj_spec layer = {"continuous", sizeof fields / sizeof *fields, fields};
  const bj_entry invert_fields[] = {CHILD("layer", &layer)},
                 permute_fields[] = {NUMBERS("permutation", it->d, reversed)};
  const bj_spec parts[] = {{"permute", 1, permute_fields}, layer, {"invert", 1, invert_fields}};
  const bj_entry chain_fields[] = {{.name = "layers", .type = BJ_ENTRY_SPECS, .n = matching ? 2 : 3, .specs = parts}};
  const bj_spec chain = {"chain", 1, chain_fields};
  use(what, it, &chain);
}

static void continuous_check(const char *what, const continuous_case *it, const bj_spec *chain) {
  const flow_case flow = {chain, it->d, it->n_condition, it->n, it->back, it->error, it->train, NULL};
  check_case(what, &flow);
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static double clock_ticks;
static double clock_tick(void) { return clock_ticks += 1; } /* long steps: so a training tries its threads */

enum { TRAIN_ROWS = 300, TRAIN_BATCH = 161, TRAIN_VALIDATION = 40, TRAIN_STEPS = 12 };

/* Trains for a few steps, on rows in memory or that the host brings; the parameters are left in theta, which the caller
 * frees. */
static long train_few(const char *what, const continuous_case *it, const bj_spec *chain, int matching, int n_worker,
                      int bring, double **theta) {
  guarded pool = {.n = 0};
  const bj_memory memory = {guarded_alloc, &pool};
  const bj_workers workers = {.n_worker = n_worker, .run = serial_run, .clock = clock_tick};
  bj_error error = {""};
  bj_flow *flow;
  bj_flow_size size;
  const bj_status built =
      BJ_CORE.flow_build(&standard_normal, chain, it->d, it->n_condition, &memory, &flow, &size, &error);
  check(built == BJ_OK, "%s: not built: %s", what, error.message);
  if (built != BJ_OK) return 0;
  const size_t n_param = sizeof(double) * (size_t)size.n_param, all = TRAIN_ROWS + TRAIN_VALIDATION;
  double *data = malloc(sizeof(double) * all * (size_t)it->d), *weight = malloc(sizeof(double) * all);
  double *condition = malloc(sizeof(double) * (all * (size_t)it->n_condition + 1));
  double *state_memory = calloc(6, n_param), record[4][TRAIN_STEPS + 2];
  int rows[TRAIN_ROWS + TRAIN_VALIDATION];
  case_state = 5;
  for (size_t i = 0; i < all * (size_t)it->d; i++) data[i] = case_uniform(-2, 2);
  for (size_t i = 0; i < all * (size_t)it->n_condition; i++) condition[i] = case_uniform(-1, 1);
  for (size_t i = 0; i < all; i++) rows[i] = (int)i, weight[i] = i % 7 ? case_uniform(0, 2) : 0;
  const double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, *columns[2][8];
  for (int j = 0; j < it->d; j++) columns[0][j] = data + (size_t)j * all;
  for (int j = 0; j < it->n_condition; j++) columns[1][j] = condition + (size_t)j * all;
  brought points = {columns[0], it->d, 1000}, given = {columns[1], it->n_condition, 1000};
  bj_rows data_rows = {.n = (long)all, .column = columns[0]}, condition_rows = {.n = (long)all, .column = columns[1]};
  if (bring) {
    data_rows = (bj_rows){.n = (long)all, .read = bring_rows, .host = &points};
    condition_rows = (bj_rows){.n = (long)all, .read = bring_rows, .host = &given};
  }
  const bj_entry adam_entries[] = {NUMBERS("beta1", 1, &beta1), NUMBERS("beta2", 1, &beta2), NUMBERS("eps", 1, &eps)};
  const bj_entry constant_entries[] = {NUMBERS("warmup", 1, &zero)};
  const bj_spec adam = {"adam", 3, adam_entries}, constant = {"constant", 1, constant_entries};
  const bj_spec loss = {matching ? "flow_matching" : "maximum_likelihood", 0, NULL};
  const bj_train_setup setup = {.n = TRAIN_ROWS,
                                .n_validation = TRAIN_VALIDATION,
                                .loss = &loss,
                                .data = data_rows,
                                .condition = condition_rows,
                                .weight = weight,
                                .train_row = rows,
                                .validation_row = rows + TRAIN_ROWS,
                                .batch_size = TRAIN_BATCH,
                                .max_step = TRAIN_STEPS,
                                .optimizer = &adam,
                                .schedule = &constant,
                                .learning_rate = 1e-2,
                                .schedule_steps = TRAIN_STEPS,
                                .max_failure = 3,
                                .seed = 3,
                                .seconds = 1e9};
  bj_train_state state = {.theta = state_memory,
                          .moment = state_memory + size.n_param,
                          .best = state_memory + 3 * size.n_param,
                          .safe = NULL,
                          .rate_factor = 1,
                          .best_loss = INFINITY,
                          .max_record = TRAIN_STEPS + 2,
                          .record_step = record[0],
                          .record_train = record[1],
                          .record_validation = record[2],
                          .record_rate = record[3]};
  state.safe = malloc(3 * n_param);
  BJ_CORE.flow_init(flow, 7, state.theta, &workers);
  memcpy(state.safe, state.theta, n_param);
  memset(state.safe + size.n_param, 0, 2 * n_param);
  bj_train_outcome outcome;
  const bj_status status = BJ_CORE.train(flow, &setup, &state, &memory, &workers, &outcome, &error);
  check(status == BJ_OK && outcome == BJ_FINISHED, "%s: training ended with %d, %d: %s", what, status, outcome,
        error.message);
  check(state.n_failure == 0 && state.n_record > 1, "%s: %g failures in training", what, state.n_failure);
  for (long i = 0; i < state.n_record; i++) {
    check(isfinite(record[1][i]) && isfinite(record[2][i]), "%s: losses %g, %g", what, record[1][i], record[2][i]);
  }
  guarded_free(&pool, what);
  *theta = malloc(n_param);
  memcpy(*theta, state.theta, n_param);
  free(data), free(weight), free(condition), free(state_memory), free(state.safe);
  return size.n_param;
}

/* The same numbers with spaces that slots share, and with one for each slot, and from rows that the host brings. */
static void continuous_train(const char *what, const continuous_case *it, const bj_spec *chain) {
  double *theta[3] = {NULL, NULL, NULL};
  long n = 0;
  for (int i = 0; i < 3; i++) n = train_few(what, it, chain, it->train == 2, 1 + 3 * (i % 2), i == 2, theta + i);
  int same = n > 0, as_brought = n > 0;
  for (long i = 0; i < n; i++) same &= theta[0][i] == theta[1][i], as_brought &= theta[0][i] == theta[2][i];
  check(same, "%s: the parameters depend on the number of threads, or are not numbers", what);
  check(as_brought, "%s: the parameters depend on whether the host brings the rows", what);
  free(theta[0]), free(theta[1]), free(theta[2]);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static void check_continuous(void) {
  static const continuous_case cases[] = {
      /* a tape; without one: long solves, kept states one in every so many; two and three blocks of a group of four */
      {"planar", "rk4", NULL, NULL, 0.26, 0, 0, 0, 0, 2, 0, 1, 1e-3, 1e-5, 0},
      {"planar", "tsit5", NULL, NULL, 0.25, 0, 0, 0, 0, 5, 0, 33, 1e-4, 1e-5, 0},
      {"planar", "rk4", NULL, NULL, 0.3, 0, 0, 0, 0, 3, 2, 70, 1e-2, 1e-5, 0},
      {"planar", "euler", NULL, NULL, 0.00098, 0, 0, 0, 0, 12, 0, 65, 1e-2, 1e-5, 0},
      {"mlp", "rk4", NULL, NULL, 0.25, 0, 0, 0, 0, 1, 1, 31, 1e-3, 1e-5, 0},
      {"mlp", "tsit5", NULL, NULL, 0.2, 0, 0, 0, 0, 4, 0, 97, 1e-4, 1e-5, 0},
      {"mlp", "rk4", NULL, NULL, 0.0123, 0, 0, 0, 0, 3, 2, 150, 1e-6, 1e-5, 0},
      /* steps that follow the error: differences see the lengths depend on the parameters */
      {"planar", "tsit5", NULL, NULL, 0.3, 1e-8, 0, 0, 0, 2, 0, 45, 1e-5, 1e-5, 0},
      {"planar", "tsit5", NULL, NULL, 0.3, 1e-8, 0, 0, 0, 4, 1, 1, 1e-5, 1e-5, 0},
      {"mlp", "tsit5", NULL, NULL, 0.3, 1e-8, 0, 0, 0, 3, 2, 130, 1e-5, 1e-5, 0},
      /* the adjoint equation */
      {"planar", "tsit5", NULL, "adjoint", 0.05, 0, 0, 0, 0, 2, 0, 33, 1e-5, 1e-4, 0},
      {"planar", "tsit5", NULL, "adjoint", 0.05, 0, 0, 0, 0, 5, 2, 66, 1e-5, 1e-4, 0},
      {"mlp", "rk4", NULL, "adjoint", 0.013, 0, 0, 0, 0, 3, 1, 65, 1e-5, 1e-4, 0},
      {"mlp", "tsit5", NULL, "adjoint", 0.3, 1e-9, 0, 0, 0, 2, 0, 97, 1e-5, 1e-4, 0},
      /* given probes, in every call */
      {"mlp", "rk4", "hutchinson", NULL, 0.2, 0, 0, 0, 1, 2, 0, 70, 1e-3, 1e-5, 0},
      {"planar", "rk4", "hutchinson", NULL, 0.2, 0, 0, 0, 1, 5, 1, 40, 1e-3, 1e-5, 0},
      /* as in training: probes, penalties, shifted ends */
      {"mlp", "rk4", "hutchinson", NULL, 0.2, 0, 3, 1, 0, 5, 2, 70, 0, 1e-5, 1},
      {"mlp", "rk4", NULL, NULL, 0.2, 0, 2, 0, 0, 3, 0, 97, 0, 1e-5, 1},
      {"mlp", "euler", NULL, NULL, 0.01, 0, 1, 1, 0, 1, 0, 33, 0, 1e-5, 1},
      {"mlp", "tsit5", "hutchinson", NULL, 0.3, 1e-9, 3, 1, 0, 4, 1, 130, 0, 1e-4, 1},
      {"mlp", "tsit5", "hutchinson", "adjoint", 0.05, 0, 3, 1, 0, 3, 0, 40, 0, 1e-4, 1},
      {"planar", "tsit5", NULL, NULL, 0.2, 0, 3, 1, 0, 2, 0, 66, 0, 1e-5, 1},
      {"planar", "rk4", "hutchinson", NULL, 0.2, 0, 2, 0, 0, 3, 1, 31, 0, 1e-5, 1},
      {"planar", "rk4", "hutchinson", NULL, 0.2, 0, 0, 1, 0, 2, 0, 33, 0, 1e-5, 1},
      {"planar", "tsit5", NULL, "adjoint", 0.05, 0, 3, 0, 0, 6, 0, 33, 0, 1e-4, 1},
  };
  static const continuous_case trained[] = {
      {.field = "planar", .solver = "tsit5", .step = 0.3, .d = 2, .train = 2},
      {.field = "planar", .solver = "rk4", .step = 0.3, .d = 4, .n_condition = 1, .train = 2},
      {.field = "mlp", .solver = "tsit5", .step = 0.3, .tolerance = 1e-4, .d = 3, .n_condition = 2, .train = 2},
      {.field = "mlp", .solver = "rk4", .trace = "hutchinson", .step = 0.3, .penalties = 3, .steer = 1, .d = 5},
      {.field = "mlp", .solver = "tsit5", .step = 0.3, .tolerance = 1e-4, .d = 1, .n_condition = 1},
      {.field = "planar", .solver = "rk4", .step = 0.3, .penalties = 2, .d = 2},
  };
  char what[200];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    snprintf(what, sizeof what, "continuous case %d", (int)i + 1);
    continuous_with_chain(cases + i, 0, what, continuous_check);
  }
  for (size_t i = 0; i < sizeof trained / sizeof *trained; i++) {
    snprintf(what, sizeof what, "continuous training %d", (int)i + 1);
    continuous_with_chain(trained + i, trained[i].train == 2, what, continuous_train);
  }
}
