# Small fits whose parameters must stay as they are to the last bit: every loss, every premade stack, conditions,
# weights, validation, averaging, clipping, noise, resuming, rollback and several bases. tools/make-digests.R writes
# fixtures/fit-digests.csv from them; test-digests.R compares.

digest_data <- function() {
  set.seed(101)
  x <- matrix(stats::rnorm(400), 200)
  x[, 2] <- x[, 2] / 2 + x[, 1]^2 / 3
  colnames(x) <- c("a", "b")
  x
}

digest_target <- function(x) -(x[, 1]^2 + (x[, 2] - x[, 1]^2 / 2)^2) / 2

# The default layers of log densities when the digests were made.
spline_layers <- function() {
  spline <- scalar_rq_spline(knots = 10, interval = 10)
  body <- masked_autoregressive_flow(spline, flow_layers = 4, nn_width = 32, invert = FALSE)
  layer_chain(body, layer_elementwise(scalar_affine(min_scale = 0)))
}

digest_fits <- list(
  coupling_affine = function(x) {
    fit_flow(x, coupling_flow(scalar_affine(), flow_layers = 2, nn_width = 8), steps = 60, batch_size = 64)
  },
  coupling_spline_weights = function(x) {
    layers <- coupling_flow(scalar_rq_spline(knots = 5), flow_layers = 2, nn_width = 8)
    fit_flow(x, layers, weights = seq_len(200) %% 4, steps = 50, batch_size = 64, standardize = "scale")
  },
  default_table = function(x) fit_flow(x, steps = 40),
  default_one_coordinate = function(x) fit_flow(x[, 2], steps = 60),
  masked_autoregressive_ema = function(x) {
    layers <- masked_autoregressive_flow(scalar_affine(), flow_layers = 2, nn_width = 8)
    fit_flow(x, layers, max_epochs = 6, batch_size = 32, ema = 0.95)
  },
  formula_condition = function(x) {
    net <- net_mlp(32)
    spline <- layer_autoregressive(scalar_rq_spline(knots = 8, interval = 5), net)
    layers <- layer_invert(
      layer_chain(layer_autoregressive(scalar_affine(), net), layer_repeat(layer_chain(spline, layer_permute()), 3))
    )
    fit_flow(b ~ a + I(a^2), data = as.data.frame(x), layers = layers, steps = 50, batch_size = 50)
  },
  block_neural = function(x) {
    fit_flow(x, block_neural_autoregressive_flow(nn_block_dim = 4), steps = 30, batch_size = 64, clip = 1)
  },
  planar_last_parameters = function(x) {
    fit_flow(x, planar_flow(flow_layers = 3), steps = 40, keep_best = FALSE, optimizer = opt_sgd(0.9, TRUE, 1e-3))
  },
  triangular_spline_amsgrad = function(x) {
    fit_flow(x, triangular_spline_flow(flow_layers = 2), steps = 40, optimizer = opt_amsgrad(),
      schedule = schedule_one_cycle()
    )
  },
  radial_condition = function(x) {
    fit_flow(x[, 1:2], radial_flow(depth = 4),
      condition = x[, 2], steps = 40, optimizer = opt_adamw(1e-2), schedule = schedule_exponential(0.99, 0.1))
  },
  realnvp = function(x) fit_flow(x, realnvp_flow(2), steps = 40, batch_size = 40, validation = 1:30),
  continuous_likelihood = function(x) {
    fit_flow(x, continuous_flow(field_mlp(6), solver_rk4(step = 0.25)), steps = 15, batch_size = 40, keep_best = FALSE)
  },
  continuous_hutchinson = function(x) {
    layer <- layer_continuous(field_mlp(6), solver_rk4(step = 0.25), trace = "hutchinson", kinetic = 0.1)
    fit_flow(x, layer, steps = 15, batch_size = 40, keep_best = FALSE)
  },
  flow_matching = function(x) {
    fit_flow(x, continuous_flow(field_mlp(6), solver_rk4(step = 0.25)), loss = loss_flow_matching(),
      steps = 40, keep_best = FALSE
    )
  },
  mixture_base = function(x) fit_flow(x, layer_flip(), base = base_mixture(3), steps = 60, validation = 0),
  student_base = function(x) {
    layers <- coupling_flow(scalar_affine(), flow_layers = 2, nn_width = 6)
    fit_flow(x, layers, base = base_student_t(5, trainable = TRUE), steps = 40)
  },
  resumed = function(x) {
    layers <- coupling_flow(scalar_affine(), flow_layers = 2, nn_width = 8)
    fit <- fit_flow(x, layers,
      max_epochs = 3, batch_size = 32, schedule = schedule_constant(), noise = 0, keep_state = TRUE
    )
    resume(fit, epochs = 3, data = x)
  },
  rolled_back = function(x) {
    suppressMessages(fit_flow(x, coupling_flow(scalar_affine(), flow_layers = 2, nn_width = 6),
      learning_rate = 20, optimizer = opt_sgd(), schedule = schedule_constant(), steps = 150, batch_size = 32,
      max_failures = 20, standardize = "none", keep_best = FALSE
    ))
  },
  reverse_kl = function(x) {
    fit_flow(digest_target, spline_layers(), d = 2, steps = 30, batch_size = 64, start = "standard", evaluate = 0)
  },
  stick_the_landing = function(x) {
    fit_flow(digest_target, spline_layers(), d = 2, steps = 30, batch_size = 64, start = "standard", evaluate = 0,
      loss = loss_stick_the_landing(),
      gradient = "symbolic", anneal = 0.5
    )
  },
  renyi_mixture = function(x) {
    fit_flow(digest_target, layer_elementwise(scalar_affine()),
      d = 2, base = base_mixture(2), steps = 30, batch_size = 64, evaluate = 0, loss = loss_renyi(0.5)
    )
  },
  importance_weighted_resumed = function(x) {
    fit <- fit_flow(digest_target, layer_triangular_affine(),
      d = 2, steps = 20, batch_size = 64, evaluate = 0, loss = loss_importance_weighted(8), keep_state = TRUE
    )
    resume(fit, steps = 20, target = digest_target)
  },
  contrastive_rounds = function(x) {
    simulator <- function(theta) theta + 0.5 * matrix(stats::rnorm(length(theta)), nrow(theta))
    prior <- list(
      sample = function(n) matrix(stats::rnorm(2 * n), n),
      log_density = function(t) rowSums(stats::dnorm(t, log = TRUE))
    )
    fit_rounds(simulator, prior, c(0.5, -0.5),
      simulations = 60, layers = masked_autoregressive_flow(scalar_affine(), flow_layers = 1, nn_width = 6),
      steps = 20, noise = 0, loss = loss_contrastive(5)
    )
  }
)

# One name after another: digest_fits[[name]], from the same seed whatever ran before.
run_digest_fit <- function(name) {
  x <- digest_data()
  set.seed(7)
  suppressWarnings(digest_fits[[name]](x))
}

# md5 of the bits of the parameters, on any kind of machine: little-endian doubles.
digest_numbers <- function(numbers) {
  file <- tempfile()
  on.exit(unlink(file))
  con <- file(file, "wb")
  writeBin(as.double(numbers), con, endian = "little")
  close(con)
  unname(tools::md5sum(file))
}
