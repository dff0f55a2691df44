# The trainer at work on rows (lower, upper] that were seen within (from, to]: list(loss, theta), the mean loss and the
# parameters after one step of plain descent.
interval_step <- function(f, lower, upper, from = -Inf, to = Inf, condition = NULL, weights = NULL, rate = 1e-12,
                          noise = 0, increasing = TRUE) {
  n <- length(lower)
  control <- make_control(NULL, default_control(n, 1), list(
    steps = 1, optimizer = opt_sgd(), learning_rate = rate, schedule = schedule_constant(), batch_size = n,
    noise = noise, keep_best = FALSE, validation = 0
  ))
  space <- list(data = matrix(lower), ends = cbind(upper, rep_len(from, n), rep_len(to, n)))
  setup <- data_setup(space, condition, weights, list(train = seq_len(n), validation = integer()), control, diag(1),
                      loss_interval_likelihood(increasing))
  state <- with_seed(1, new_state(f, control))
  setup$seed <- state$seed
  run <- run_training(f, setup, state, control, FALSE, NULL)
  if (inherits(run$condition, "condition")) stop(run$condition)
  list(loss = run$history[[2]], theta = run$state$theta)
}

# As the formulas are written, by the distribution function of R: log(F(upper) - F(lower)).
naive_log_probability <- function(f, lower, upper, condition = NULL) {
  log_cdf <- function(x, tail) points_cdf(f, matrix(x), condition, tail, TRUE)
  below <- cbind(log_cdf(lower, TRUE), log_cdf(upper, TRUE))
  above <- cbind(log_cdf(lower, FALSE), log_cdf(upper, FALSE))
  ifelse(above[, 1] < below[, 2],
    above[, 1] + log(-expm1(above[, 2] - above[, 1])), below[, 2] + log(-expm1(below[, 1] - below[, 2]))
  )
}

test_that("probabilities of intervals are those of the base's distribution function, far out too", {
  set.seed(1)
  bases <- list(
    base_normal(), base_logistic(), base_laplace(), base_cauchy(), base_gumbel(), base_student_t(3),
    base_student_t(0.7), base_student_t(40), base_student_t(1e9), base_uniform(-50, 50), base_mvnormal(),
    base_mvstudent_t(3), base_mixture(3, spread = 2), base_gaussian_mixture(2, spread = 2), base_mixture(1)
  )
  for (base in bases) {
    f <- flow(layer_elementwise(scalar_affine()), 1, base = base)
    for (i in 1:30) {
      ends <- sort(rnorm(2) * 10^runif(1, -3, 1.4))
      if (i %% 3 == 0) ends[1] <- -Inf
      if (i %% 5 == 0) ends[2] <- Inf
      true <- naive_log_probability(f, ends[1], ends[2])
      if (is.nan(true) || true < -1e250) next # nothing but zeros
      expect_lt(abs(-interval_step(f, ends[1], ends[2])$loss - true), 1e-12 * max(1, -true))
    }
  }
})

test_that("a row may be exact, censored, truncated, narrow; the loss is that of its kind", {
  set.seed(2)
  f <- flow(masked_autoregressive_flow(scalar_rq_spline(4), 1, 4), 1, d_condition = 2)
  given <- matrix(rnorm(12), 6)
  lower <- c(0.3, 0.3, -Inf, -0.5, 0.2, -0.7)
  upper <- c(0.3, Inf, 0.1, 0.9, 0.2 + 1e-12, -0.7)
  from <- c(-Inf, -1, -Inf, -1, -Inf, -1)
  to <- c(Inf, Inf, 2, 2, Inf, 2)
  each <- vapply(1:6, function(i) {
    interval_step(f, lower[i], upper[i], from[i], to[i], given[i, , drop = FALSE])$loss
  }, 0)
  density <- points_density(f, matrix(upper[c(1, 5, 6)]), given[c(1, 5, 6), ])
  seen <- naive_log_probability(f, from, to, given)
  true <- -naive_log_probability(f, lower, upper, given)
  true[c(1, 5, 6)] <- -(density + c(0, log(upper[5] - lower[5]), 0))
  expect_equal(each, true + seen, tolerance = 1e-11)
  weights <- c(1, 2, 0, 1, 3, 1)
  all <- interval_step(f, lower, upper, from, to, given, weights)
  expect_equal(all$loss, sum(weights * each) / sum(weights), tolerance = 1e-13)
  # beside integration of the density
  mass <- stats::integrate(function(x) exp(points_density(f, matrix(x), given[rep(4, length(x)), ])), -0.5, 0.9,
                           rel.tol = 1e-12)
  expect_equal(naive_log_probability(f, -0.5, 0.9, given[4, , drop = FALSE]), log(mass$value), tolerance = 1e-9)
})

test_that("its gradient is that of the loss", {
  set.seed(3)
  n <- 150 # more than one chunk
  given <- matrix(rnorm(n), n)
  lower <- rnorm(n)
  upper <- lower + rexp(n) * sample(c(0, 1e-3, 1, Inf), n, TRUE)
  lower[sample(n, 20)] <- -Inf
  upper[!is.finite(lower) & !is.finite(upper)] <- 0
  upper[is.nan(upper)] <- Inf
  from <- ifelse(runif(n) < 0.3, pmin(lower, 0) - 1, -Inf)
  to <- ifelse(runif(n) < 0.3, pmax(upper, 0) + 1, Inf)
  flows <- list(
    flow(list(layer_elementwise(scalar_affine()), masked_autoregressive_flow(scalar_rq_spline(5), 2, 4)), 1,
      d_condition = 1
    ),
    flow(masked_autoregressive_flow(scalar_affine(), 1, 4), 1, base = base_student_t(4), d_condition = 1),
    flow(masked_autoregressive_flow(scalar_affine(), 1, 4), 1, base = base_gumbel(), d_condition = 1),
    flow(layer_elementwise(scalar_affine()), 1, base = base_normal(TRUE, "variance"), d_condition = 1),
    flow(layer_invert(layer_elementwise(scalar_affine())), 1, base = base_cauchy(TRUE), d_condition = 1),
    flow(list(), 1, base = base_normal(net = given_net()), d_condition = 1),
    flow(list(), 1, base = base_normal(parameter = "variance", net = given_net()), d_condition = 1),
    flow(layer_elementwise(scalar_affine()), 1, base = base_student_t(4, net = given_net()), d_condition = 1),
    flow(list(), 1, base = base_logistic(given_net()), d_condition = 1),
    flow(list(), 1, base = base_gumbel(net = given_net()), d_condition = 1),
    flow(list(), 1, base = base_laplace(net = given_net()), d_condition = 1),
    flow(list(), 1, base = base_mixture(3), d_condition = 1),
    flow(layer_elementwise(scalar_affine()), 1, base = base_mixture(3, net = given_net()), d_condition = 1),
    flow(masked_autoregressive_flow(scalar_affine(), 1, 4), 1, base = base_mvnormal(), d_condition = 1),
    flow(list(), 1, base = base_gaussian_mixture(2), d_condition = 1),
    flow(list(), 1, base = base_mvstudent_t(3), d_condition = 1),
    flow(list(), 1, base = base_student_t(3, trainable = TRUE, net = given_net()), d_condition = 1),
    flow(layer_elementwise(scalar_affine()), 1, base = base_student_t(2, trainable = TRUE), d_condition = 1)
  )
  for (f in flows) {
    theta <- rnorm(length(coef(f)), sd = 0.3)
    params(f) <- theta
    gradient <- (theta - interval_step(f, lower, upper, from, to, given, rate = 1e-3)$theta) / 1e-3
    h <- 1e-5
    numeric <- vapply(seq_along(theta), function(i) {
      loss <- function(move) {
        params(f) <- replace(theta, i, theta[i] + move)
        interval_step(f, lower, upper, from, to, given)$loss
      }
      (loss(h) - loss(-h)) / (2 * h)
    }, 1)
    expect_lt(relative_gap(gradient, numeric), 1e-6)
  }
})

test_that("ends between the components of a mixture say what they say of the weights", {
  for (base in list(base_mixture(2), base_gaussian_mixture(2))) {
    f <- flow(list(), 1, base = base)
    for (sd in c(0.5, 0.03, 0.02, 1e-4)) {
      theta <- c(0.4, -0.2, -1, 1, log(expm1(c(sd, sd))))
      loss <- function(p) {
        params(f) <- p
        interval_step(f, c(0, 0.1, -Inf), c(Inf, 50, -0.2))$loss
      }
      params(f) <- theta
      gradient <- (theta - interval_step(f, c(0, 0.1, -Inf), c(Inf, 50, -0.2), rate = 1e-3)$theta) / 1e-3
      numeric <- vapply(1:2, function(i) {
        (loss(replace(theta, i, theta[i] + 1e-5)) - loss(replace(theta, i, theta[i] - 1e-5))) / 2e-5
      }, 0)
      expect_lt(relative_gap(gradient[1:2], numeric), 1e-6)
      expect_gt(max(abs(gradient[1:2])), 0.05)
    }
    params(f) <- c(0, 0, 0, 0, log(expm1(c(1, 1))))
    far <- function(mean) {
      params(f) <- c(0, 0, mean, mean, log(expm1(c(1, 1))))
      interval_step(f, 50, Inf)$loss
    }
    step <- coef(f) - interval_step(f, 50, Inf, rate = 1e-6)$theta
    expect_equal(unname(sum(step[3:4])) / 1e-6, (far(1e-4) - far(-1e-4)) / 2e-4, tolerance = 1e-5)
  }
})

test_that("ends of a row move together under noise, and a falling map has its ends swapped", {
  set.seed(4)
  f <- flow(layer_elementwise(scalar_affine()), 1)
  moved <- interval_step(f, 0.5, 0.5 + 1e-3, -1, 1, noise = 0.3)$loss
  expect_false(moved == interval_step(f, 0.5, 0.5 + 1e-3, -1, 1)$loss)
  exact <- interval_step(f, 0.5, 0.5, -1, 1, noise = 0.3)$loss # the same draw of noise
  expect_equal(moved, exact - log(1e-3), tolerance = 1e-3)

  falling <- flow(layer_elementwise(scalar_power(-1)), 1, base = base_uniform(1, 2))
  expect_false(flow_increases(falling, NULL))
  out <- interval_step(falling, 0.6, 0.8, increasing = FALSE)
  expect_equal(exp(-out$loss), 1 / 0.6 - 1 / 0.8, tolerance = 1e-12)
})

test_that("what it cannot train is refused", {
  two <- flow(layer_elementwise(scalar_affine()), 2)
  expect_error(interval_step(flow(list(), 1, base = base_categorical(2)), 0, 1), "base")
  control <- make_control(NULL, default_control(2, 2), list(steps = 1, validation = 0))
  setup <- data_setup(list(data = diag(2)), NULL, NULL, list(train = 1:2, validation = integer()), control, diag(2),
                      loss_interval_likelihood())
  state <- new_state(two, control)
  setup$seed <- state$seed
  expect_match(conditionMessage(run_training(two, setup, state, control, FALSE, NULL)$condition), "one coordinate")
})
