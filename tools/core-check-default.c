/* What a kind may leave out: a layer and a scalar that have forward and forward_vjp alone get their inverses and the
 * gradients of those from the core. They are in no table, so they are built here by hand. */

/* tilt: y_1 = x_1 + a tanh(x_2), y_2 = x_2 + a tanh(x_1) + c, with a = theta and c the condition.
 * log|det| = log(1 - a^2 t_1 t_2), t = 1 - tanh(x)^2. */
static bj_status tilt_build(bj_layer *layer, const bj_spec *spec, bj_build *build) {
  (void)spec, (void)build;
  layer->n_param = 1;
  return BJ_OK;
}

static bj_status tilt_forward(const bj_layer *layer, bj_pass *pass) {
  (void)layer;
  const double a = pass->theta[0];
  for (int i = 0; i < pass->nb * BJ_BLOCK; i++) {
    const long at = 2L * (i / BJ_BLOCK) * BJ_BLOCK + i % BJ_BLOCK;
    const double h1 = tanh(pass->x[at]), h2 = tanh(pass->x[at + BJ_BLOCK]);
    pass->y[at] = pass->x[at] + a * h2;
    pass->y[at + BJ_BLOCK] = pass->x[at + BJ_BLOCK] + a * h1 + pass->condition[i];
    pass->logdet->sum[i] += log(1 - a * a * (1 - h1 * h1) * (1 - h2 * h2));
  }
  return BJ_OK;
}

static bj_status tilt_forward_vjp(const bj_layer *layer, bj_pass *pass) {
  (void)layer;
  const double a = pass->theta[0];
  for (int i = 0; i < pass->nb * BJ_BLOCK; i++) {
    const long at = 2L * (i / BJ_BLOCK) * BJ_BLOCK + i % BJ_BLOCK, next = at + BJ_BLOCK;
    const double h1 = tanh(pass->x[at]), h2 = tanh(pass->x[next]), t1 = 1 - h1 * h1, t2 = 1 - h2 * h2;
    const double g1 = pass->gy[at], g2 = pass->gy[next], gdet = pass->gl[i] / (1 - a * a * t1 * t2);
    pass->gx[at] = g1 + a * t1 * g2 + 2 * a * a * h1 * t1 * t2 * gdet;
    pass->gx[next] = g2 + a * t2 * g1 + 2 * a * a * h2 * t1 * t2 * gdet;
    pass->gtheta[0] += g1 * h2 + g2 * h1 - 2 * a * t1 * t2 * gdet;
    if (pass->gcondition) pass->gcondition[i] += g2;
  }
  return BJ_OK;
}

static const bj_layer_kind layer_tilt = {
    .name = "tilt", .build = tilt_build, .forward = tilt_forward, .forward_vjp = tilt_forward_vjp};

#define TILT_ROWS (BJ_CHUNK * BJ_BLOCK)

typedef struct {
  double x[2 * TILT_ROWS], y[2 * TILT_ROWS], back[2 * TILT_ROWS], condition[TILT_ROWS];
  double gy[2 * TILT_ROWS], gl[TILT_ROWS], gx[2 * TILT_ROWS], gcondition[TILT_ROWS];
  double sum[TILT_ROWS], factor[TILT_ROWS], theta, gtheta;
  bj_error error;
  bj_logdet logdet;
  bj_run run;
} tilt_data;

static bj_pass tilt_pass(tilt_data *of, int nb, const double *x, double *y, double *work) {
  of->logdet = (bj_logdet){of->sum, of->factor, 0};
  logdet_start(&of->logdet, nb);
  return (bj_pass){.nb = nb,
                   .theta = &of->theta,
                   .condition = of->condition,
                   .x = x,
                   .y = y,
                   .logdet = &of->logdet,
                   .work = work,
                   .run = &of->run,
                   .error = &of->error};
}

/* sum(gy x) + sum(gl logdet) of the inverse at y. */
static double tilt_loss(const bj_layer *layer, tilt_data *of, int nb, const double *y, double *work) {
  static double x[2 * TILT_ROWS];
  bj_pass pass = tilt_pass(of, nb, y, x, work);
  layer->kind->inverse(layer, &pass);
  double loss = 0;
  for (int i = 0; i < 2 * nb * BJ_BLOCK; i++) loss += of->gy[i] * x[i];
  for (int i = 0; i < nb * BJ_BLOCK; i++) loss += of->gl[i] * of->sum[i];
  return loss;
}

static void tilt_check(const bj_layer *layer, int nb, double *work) {
  static tilt_data of;
  const int n = nb * BJ_BLOCK;
  const double step = 1e-5;
  check_subject subject = {"tilt, without an inverse", "inverse", 2, 1, (unsigned long)case_state};
  of.theta = 0.9;
  for (int i = 0; i < 2 * n; i++) of.x[i] = case_uniform(-3, 3), of.gy[i] = case_uniform(-1, 1);
  for (int i = 0; i < n; i++) of.condition[i] = case_uniform(-1, 1), of.gl[i] = case_uniform(-1, 1);
  bj_pass pass = tilt_pass(&of, nb, of.x, of.y, work);
  layer->kind->forward(layer, &pass);
  double there[TILT_ROWS];
  for (int i = 0; i < n; i++) there[i] = -of.sum[i];

  pass = tilt_pass(&of, nb, of.y, of.back, work);
  check(layer->kind->inverse(layer, &pass) == BJ_OK, "the inverse of tilt: %s", of.error.message);
  check_near(&subject, "inverse", n, 2, of.back, of.x, 1e-12);
  check_near(&subject, "log-determinants cancel", n, 1, of.sum, there, 1e-12);

  of.gtheta = 0;
  memset(of.gcondition, 0, sizeof of.gcondition);
  pass = tilt_pass(&of, nb, of.y, of.back, work);
  pass.gy = of.gy;
  pass.gl = of.gl;
  pass.gx = of.gx;
  pass.gtheta = &of.gtheta;
  pass.gcondition = of.gcondition;
  check(layer->kind->inverse_vjp(layer, &pass) == BJ_OK, "the gradient of the inverse of tilt");

  double along[3] = {0, 0, 0}, difference[3] = {0, 0, 0}, moved[2 * TILT_ROWS], direction[2 * TILT_ROWS];
  for (int i = 0; i < 2 * n; i++) {
    direction[i] = case_uniform(-1, 1);
    along[0] += direction[i] * of.gx[i];
  }
  for (int i = 0; i < n; i++) along[1] += direction[i] * of.gcondition[i];
  along[2] = of.gtheta;
  for (int side = -1; side <= 1; side += 2) {
    const double move = side * step, share = side / (2 * step);
    for (int i = 0; i < 2 * n; i++) moved[i] = of.y[i] + move * direction[i];
    difference[0] += share * tilt_loss(layer, &of, nb, moved, work);
    for (int i = 0; i < n; i++) of.condition[i] += move * direction[i];
    difference[1] += share * tilt_loss(layer, &of, nb, of.y, work);
    for (int i = 0; i < n; i++) of.condition[i] -= move * direction[i];
    of.theta += move;
    difference[2] += share * tilt_loss(layer, &of, nb, of.y, work);
    of.theta -= move;
  }
  check_near(&subject, "gradient of x, along a direction", 1, 1, along, difference, 1e-6);
  check_near(&subject, "gradient of the condition, along a direction", 1, 1, along + 1, difference + 1, 1e-6);
  check_near(&subject, "gradient of the parameter", 1, 1, along + 2, difference + 2, 1e-6);
}

static void check_default(void) {
  guarded pool = {.n = 0};
  const bj_memory memory = {guarded_alloc, &pool};
  bj_error error = {""};
  bj_build build = {.memory = &memory, .error = &error, .family = "layer"};
  bj_layer layer = {.kind = &layer_tilt, .d = 2, .n_condition = 1};
  layer.kind->build(&layer, NULL, &build);
  layer_fill(&layer, &build);
  check(build.status == BJ_OK && layer.kind->inverse && layer.kind->inverse_vjp, "a table without gaps");
  double *work = carve_block(&memory, layer.n_work);
  for (int nb = 1; nb <= BJ_CHUNK; nb++) tilt_check(&layer, nb, work);

  static tilt_data of;
  of.theta = 0;
  for (int i = 0; i < BJ_BLOCK; i++) of.y[i] = of.y[i + BJ_BLOCK] = i == 7 ? NAN : 1;
  bj_pass pass = tilt_pass(&of, 1, of.y, of.x, work);
  check(layer.kind->inverse(&layer, &pass) == BJ_OK, "a point that is not a number does not fail the others");
  check(isnan(of.x[7]) && of.x[6] == 1, "it stays what it is");
  guarded_free(&pool, "defaults");
}
