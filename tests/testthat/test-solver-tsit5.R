test_that("tsit5 is of order 5", {
  expect_order_ok(solver_tsit5, 5, c(0.5, 1 / 3, 0.25, 0.125))
})

# dz/dt = a z + b, by weights of a perceptron that is nearly linear: small weights, then undone.
linear_flow <- function(a, b, solver, t0 = 0, t1 = 1) {
  small <- 1e-3
  f <- flow(layer_continuous(field_mlp(1), solver, t0 = t0, t1 = t1), 1)
  params(f)$layers[[1]]$field <- list(W1 = cbind(small, 0), b1 = 0, W2 = matrix(a / small), b2 = b)
  f
}

test_that("the length of the interval counts, and its direction", {
  for (t1 in c(0.5, 1, 2, -1)) {
    for (solver in list(solver_tsit5(step = 0.01), solver_rk4(0.01), solver_tsit5(rtol = 1e-10))) {
      f <- linear_flow(0.7, 0.2, solver, t1 = t1)
      out <- forward(f, 0.4)
      expect_equal(c(out$value), 0.4 * exp(0.7 * t1) + 0.2 * expm1(0.7 * t1) / 0.7, tolerance = 1e-5)
      expect_equal(out$logdet, 0.7 * t1, tolerance = 1e-5)
      expect_equal(c(inverse(f, out$value)$value), 0.4, tolerance = 1e-8)
    }
  }
  # a step that does not divide the interval: three equal ones
  out <- forward(linear_flow(1, 0, solver_euler(0.4)), 1)
  expect_equal(c(out$value), (1 + 1 / 3)^3, tolerance = 1e-5)
})

test_that("adaptive steps keep to the tolerance, for each row alone", {
  set.seed(2)
  f <- flow(layer_continuous(field_mlp(16, init = "uniform"), solver_tsit5(step = 0.002)), 2)
  params(f) <- 3 * coef(f)
  x <- matrix(2 * rnorm(60), 30)
  exact <- forward(f, x)
  for (tolerance in 10^c(-3, -5, -8)) {
    f$layers$layers[[1]]$solver <- solver_tsit5(rtol = tolerance)
    out <- forward(f, x)
    expect_lt(relative_gap(out$value, exact$value), 30 * tolerance)
    expect_lt(relative_gap(out$logdet, exact$logdet), 30 * tolerance)
    back <- inverse(f, out$value)
    expect_lt(relative_gap(back$value, x), 10 * 30 * tolerance)
    alone <- do.call(rbind, lapply(1:30, function(i) forward(f, x[i, , drop = FALSE])$value))
    expect_identical(alone, out$value)
  }
})

test_that("adaptive steps pass the battery, and too many are an error", {
  solver <- solver_tsit5(step = 0.5, rtol = 1e-11, atol = 1e-11)
  expect_layer_ok(layer_continuous(field_mlp(4), solver), d = 2, spread = 0.3, round_trip = 1e-8)
  gate <- net_mlp(3, activation = "tanh", init = "uniform")
  expect_layer_ok(layer_continuous(field_planar(2, gate), solver), d = 2, d_condition = 1, spread = 0.2,
    round_trip = 1e-8, extreme = 10^c(-300, -8, 0, 2)
  )
  f <- flow(layer_continuous(field_mlp(8, init = "uniform"), solver_tsit5(rtol = 1e-12, max_steps = 2)), 2)
  expect_error(forward(f, cbind(1, 2)), "max_steps")
})

test_that("steps are by default those of an accuracy, a lower one while training", {
  at <- function(solver, size = 4) {
    f <- flow(layer_continuous(field_mlp(16, init = "uniform"), solver), 2)
    params(f) <- size * sin(seq_along(coef(f)))
    f
  }
  set.seed(4)
  x <- matrix(rnorm(200), 100)
  exact <- logdensity(at(solver_tsit5(rtol = 1e-12)), x)
  off <- function(solver) max(abs(logdensity(at(solver), x) - exact))
  expect_lt(off(solver_tsit5()), 1e-7)
  expect_gt(off(solver_tsit5(step = 0.1)), 1e-5)
  f <- at(solver_tsit5(), 1)
  expect_lt(max(abs(inverse(f, forward(f, x)$value)$value - x)), 1e-8)

  control <- fit_control(steps = 1, batch_size = 50, learning_rate = 1e-3, validation = 0.5)
  records <- function(solver) {
    set.seed(5)
    layer <- layer_continuous(field_mlp(16, init = "uniform"), solver)
    fit <- fit_flow(x, layer, standardize = "none", progress = FALSE, control = control)
    c(fit$history$train, fit$history$validation)
  }
  expect_identical(records(solver_tsit5(training = 1e-2)), records(solver_tsit5(rtol = 1e-2, step = 0.2)))
  expect_false(any(records(solver_tsit5(training = 1e-2)) == records(solver_tsit5())))
  expect_identical(records(solver_tsit5(rtol = 1e-6)), records(solver_tsit5(rtol = 1e-9, training = 1e-6)))
})

test_that("a field in single precision is not followed into its rounding", {
  f <- flow(layer_continuous(field_mlp(16, init = "uniform", precision = "single")), 2)
  solver <- f$layers$layers[[1]]$solver
  expect_identical(c(solver$rtol, solver$atol, solver$training), c(1e-6, 1e-6, 1e-4))
  set.seed(6)
  x <- matrix(rnorm(100), 50)
  expect_equal(inverse(f, forward(f, x)$value)$value, x, tolerance = 1e-4)
  # nor where training alone is in single precision
  trained <- trained_as(flow(layer_continuous(), 2), fit_control(steps = 1, precision = "single"))
  expect_identical(trained$layers$layers[[1]]$solver$rtol, 1e-6)
  expect_identical(flow(layer_continuous(), 2)$layers$layers[[1]]$solver$rtol, 1e-9)
})

test_that("agrees with deSolve", {
  skip_if_not_installed("deSolve")
  set.seed(3)
  f <- flow(layer_continuous(field_mlp(8, "softplus", init = "uniform"), solver_tsit5(rtol = 1e-11)), 2)
  params(f) <- 2 * coef(f)
  p <- params(f)$layers[[1]]$field
  x <- c(0.5, -1)
  field <- function(t, z) naive_mlp(p, c(z, t), "softplus")
  right <- function(t, state, none) {
    z <- state[1:2]
    h <- 1e-5
    trace <- (field(t, z + c(h, 0)) - field(t, z - c(h, 0)))[1] + (field(t, z + c(0, h)) - field(t, z - c(0, h)))[2]
    list(c(field(t, z), trace / (2 * h)))
  }
  theirs <- deSolve::ode(c(x, 0), c(0, 1), right, NULL, method = "lsoda", rtol = 1e-12, atol = 1e-12)[2, -1]
  ours <- forward(f, rbind(x))
  expect_lt(relative_gap(c(ours$value), unname(theirs[1:2])), 1e-8)
  expect_lt(relative_gap(ours$logdet, theirs[[3]]), 1e-8)
})

test_that("arguments are checked", {
  expect_error(solver_tsit5(step = 0), "step", class = "bijectr_error_argument")
  expect_error(solver_tsit5(rtol = -1), "rtol", class = "bijectr_error_argument")
  expect_error(solver_tsit5(rtol = 0), "atol", class = "bijectr_error_argument")
  expect_error(solver_tsit5(training = -1), "training", class = "bijectr_error_argument")
  expect_error(solver_tsit5(step = 0.1, training = 1e-3), "rtol", class = "bijectr_error_argument")
  expect_error(solver_tsit5(rtol = 1e-6, max_steps = 0), "max_steps", class = "bijectr_error_argument")
  expect_error(layer_continuous(solver = "tsit5"), "solver", class = "bijectr_error_argument")
  expect_error(flow(layer_continuous(solver = solver_tsit5(step = 1e-9)), 2), "too short")
})

test_that("a row whose field is no number becomes NaN, not one that has arrived", {
  set.seed(2)
  field <- field_mlp(8, "softplus", init = "uniform", precision = "single")
  f <- flow(layer_continuous(field, solver_tsit5(rtol = 1e-5)), 2)
  x <- rbind(c(1, 1), c(1e39, 1), c(-1, 0.5)) # 1e39 is no single number
  for (map in list(forward, inverse)) {
    out <- suppressWarnings(map(f, x))
    expect_identical(is.nan(out$value[, 1]), c(FALSE, TRUE, FALSE))
    expect_identical(is.nan(out$logdet), c(FALSE, TRUE, FALSE))
    expect_identical(out$value[-2, ], map(f, x[-2, ])$value)
  }
  expect_warning(density <- logdensity(f, x), class = "bijectr_warning_nan")
  expect_identical(is.nan(density), c(FALSE, TRUE, FALSE))
  params(f) <- coef(f) * 1e300
  expect_true(all(is.nan(suppressWarnings(logdensity(f, x)))))
})
