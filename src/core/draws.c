/* A step of a loss L of draws x = f(z), z from the base, of a flow q against a log density log p:
 *
 *   w_i = beta log p(x_i) - log q(x_i),  s_i = -dL/dw_i
 *   dL = sum_i s_i (d log q(x_i) - beta grad log p(x_i)' dx_i),  by parameters, also through log q itself
 *
 * which is a map forward, the target, and the map back with cotangents -s beta grad log p of x and s of log q. The path
 * gradient leaves out the score, d log q at fixed x: with the factors s~ that the loss makes of s the cotangent of x is
 * s~ (grad log q - beta grad log p), and that of log q is 0. */
#include "draws.h"

static double *some_numbers(bj_build *build, long n) { return build_alloc(build, sizeof(double) * (size_t)n); }

static void columns_of(const double *matrix, long n, int d, const double **column) {
  for (int j = 0; j < d; j++) column[j] = matrix + j * n;
}

static void score_make(bj_build *build, draws *s, const bj_flow *flow, const bj_workers *workers) {
  const long n = s->setup->n;
  s->score = some_numbers(build, n * s->d);
  s->ones = some_numbers(build, n);
  for (long i = 0; i < n; i++) s->ones[i] = 1;
  s->score_job = (bj_map_job){
      .x = {.n = n, .column = s->x_column},
      .cot_p = s->ones,
      .grad_param = build_alloc(build, sizeof(real) * (size_t)flow->n_param),
      .grad_x = s->score,
  };
  map_make(&s->score_map, flow, BJ_INVERSE, &s->score_job, 0, build->memory, workers);
}

static draws *draws_make(bj_build *build, const bj_flow *flow, const bj_draw_setup *setup, real *gradient,
                         const bj_workers *workers) {
  const long n = setup->n;
  const int d = flow->d;
  draws *s = build_alloc(build, sizeof(draws));
  s->setup = setup;
  s->d = d;
  size_product(build, n, d);
  if (flow->n_condition > 0) spec_error(build, "a flow with conditions cannot be trained against a log density");
  draw_check(flow, build);
  draw_loss_build(build, setup->loss, &s->loss);
  if (setup->target.program) s->program = program_build(build, setup->target.program, d);
  if (build->status != BJ_OK) return NULL;
  double **const matrices[] = {&s->z, &s->x, &s->slope, &s->cotangent, &s->grad_z};
  double **const vectors[] = {&s->log_density, &s->value, &s->weight, &s->share};
  for (int i = 0; i < 5; i++) *matrices[i] = some_numbers(build, n * d);
  for (int i = 0; i < 4; i++) *vectors[i] = some_numbers(build, n);
  s->z_column = build_alloc(build, sizeof(double *) * (size_t)d);
  s->x_column = build_alloc(build, sizeof(double *) * (size_t)d);
  columns_of(s->x, n, d, s->x_column);
  s->draw_job = (bj_draw_job){.n = n, .z = s->z};
  s->map_job = (bj_map_job){
      .x = {.n = n, .column = s->z_column},
      .y = s->x,
      .log_density = s->log_density,
      .cot_y = s->cotangent,
      .cot_p = s->loss->path ? NULL : s->share,
      .cot_penalty = 1 / (double)n,
      .grad_x = s->grad_z,
      .grad_param = gradient,
  };
  draw_make(&s->draw, flow, &s->draw_job, build->memory, workers);
  map_make(&s->map, flow, BJ_FORWARD, &s->map_job, 1, build->memory, workers);
  if (s->loss->path) score_make(build, s, flow, workers);
  return s;
}

static void draws_choose_threads(draws *s, int threaded) {
  s->draw.chosen = s->map.chosen = s->score_map.chosen = 1;
  s->draw.threaded = s->map.threaded = s->score_map.threaded = threaded;
}

/* Log weights, the loss, its shares, and the cotangents. */
static void draws_weigh(draws *s, bj_draw_step *step) {
  const long n = s->setup->n;
  const bj_draw_loss *loss = s->loss;
  const double beta = step->beta;
  for (long i = 0; i < n; i++) s->weight[i] = s->value[i] - s->log_density[i];
  step->loss = step->shown = loss->kind->value(loss, n, s->weight, s->share);
  if (beta != 1) {
    for (long i = 0; i < n; i++) s->weight[i] = beta * s->value[i] - s->log_density[i];
    step->loss = loss->kind->value(loss, n, s->weight, s->share);
  }
  if (loss->path && loss->kind->path) loss->kind->path(loss, n, s->share);
  for (int j = 0; j < s->d; j++) {
    for (long i = 0, k = j * n; i < n; i++, k++) {
      s->cotangent[k] =
          loss->path ? s->share[i] * (s->score[k] - beta * s->slope[k]) : -s->share[i] * beta * s->slope[k];
    }
  }
}

static bj_status draws_target(draws *s) {
  const bj_target *target = &s->setup->target;
  if (!s->program) return target->evaluate(target->host, s->setup->n, s->x, s->value, s->slope);
  program_run(s->program, s->setup->n, s->x, s->value, s->slope);
  return BJ_OK;
}

static bj_status draws_step(draws *s, const real *theta, bj_draw_step *step, bj_error *error) {
  s->draw_job.seed = s->map_job.seed = step->seed;
  s->map_job.train = step->train;
  columns_of(step->z ? step->z : s->z, s->setup->n, s->d, s->z_column);
  bj_status status = step->z ? BJ_OK : draw_run(&s->draw, theta);
  if (status != BJ_OK) return status;
  map_begin(&s->map, theta);
  status = map_run(&s->map, MAP_THERE, error);
  if (status != BJ_OK) return status;
  status = draws_target(s);
  if (status != BJ_OK) return status;
  if (s->loss->path) {
    map_begin(&s->score_map, theta);
    status = map_run(&s->score_map, MAP_WHOLE, error);
    if (status != BJ_OK) return status;
  }
  draws_weigh(s, step);
  status = map_run(&s->map, MAP_BACK, error);
  if (status != BJ_OK) return status;
  map_end(&s->map);
  return draw_back(&s->draw, theta, &s->map_job.x, s->grad_z, s->map_job.grad_param);
}

static bj_status draw_step(const bj_flow *flow, const real *theta, const bj_draw_setup *setup, bj_draw_step *step,
                           real *gradient, const bj_memory *memory, const bj_workers *workers, bj_error *error) {
  bj_build build = {.memory = memory, .error = error};
  draws *s = draws_make(&build, flow, setup, gradient, workers);
  return s ? draws_step(s, theta, step, error) : build.status;
}
