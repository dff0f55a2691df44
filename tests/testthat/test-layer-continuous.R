net <- field_mlp(5)
gate <- net_mlp(3, activation = "tanh", init = "uniform")
fine <- solver_tsit5(step = 0.05)

drawn_flow <- function(layer, d, spread = 0.5, seed = 1, ...) {
  set.seed(seed)
  f <- flow(layer, d, ...)
  params(f) <- unname(coef(f)) + spread * rnorm(length(coef(f)))
  f
}

test_that("probes that are given pass the battery", {
  set.seed(1)
  probe <- matrix(rnorm(6 * 3), 6)
  for (field in list(net, field_planar(2, gate))) {
    f <- drawn_flow(layer_continuous(field, fine, trace = "hutchinson", probe = probe), 3, 0.3)
    x <- matrix(rnorm(18), 6)
    for (inverse in c(FALSE, TRUE)) {
      expect_gradient_ok(f, x, NULL, inverse)
      expect_machines_ok(f, x, NULL, inverse)
    }
  }
})

test_that("probes of the wrong shape are told, also those that no constructor wrote", {
  layer <- layer_continuous(probe = matrix(1, 2, 3))
  expect_error(flow(layer, 2), "must have 2 columns, one a coordinate, not 3", class = "bijectr_error_argument")
  layer$probe_values <- NA
  expect_error(flow(layer, 2), "must have 2 columns, one a coordinate, not none", class = "bijectr_error_argument")
})

test_that("the average over probes is the exact trace", {
  corners <- as.matrix(expand.grid(c(-1, 1), c(-1, 1), c(-1, 1)))
  x <- matrix(c(0.3, -0.5, 0.8), 8, 3, byrow = TRUE)
  for (field in list(net, field_planar(3, gate))) {
    # one step of Euler's method: the trace enters linearly
    layer <- function(...) layer_continuous(field, solver_euler(1), ...)
    f <- drawn_flow(layer("hutchinson", corners), 3)
    estimates <- forward(f, x)$logdet
    f$layers <- flow(layer("exact"), 3)$layers
    expect_equal(mean(estimates), forward(f, x)$logdet[1], tolerance = 1e-12)
    expect_gt(sd(estimates), 1e-3)
  }
})

test_that("probes that are drawn are for training: densities are functions of the point", {
  f <- drawn_flow(layer_continuous(net, fine, "hutchinson"), 4)
  exact <- f
  exact$layers <- flow(layer_continuous(net, fine, "exact"), 4)$layers
  x <- matrix(rnorm(20), 5)
  expect_identical(logdensity(f, x), logdensity(exact, x))
  cot <- list(log_density = rep(1, 5))
  train <- function(f, seed) native_vjp(f, x, NULL, TRUE, cot, seed = seed)
  expect_identical(train(f, 1), train(f, 1))
  expect_false(identical(train(f, 1)$log_density, train(f, 2)$log_density))
  expect_identical(train(exact, 1)$log_density, logdensity(exact, x))
  # unbiased, for either distribution
  for (probe in c("rademacher", "gaussian")) {
    many <- x[rep(1, 4000), ]
    f$layers$layers[[1]]$probe <- probe
    estimate <- native_vjp(f, many, NULL, TRUE, list(), seed = 3)$log_density
    expect_lt(abs(mean(estimate) - logdensity(f, x)[1]), 4 * sd(estimate) / sqrt(4000))
  }
})

test_that("layers of one chain draw probes of their own", {
  layer <- layer_continuous(net, fine, "hutchinson")
  f <- drawn_flow(layer_chain(layer, layer_invert(layer)), 4)
  params(f) <- rep(unname(coef(f))[seq_len(length(coef(f)) / 2)], 2)
  x <- matrix(rnorm(200), 50)
  # there and back: with the same probes the estimates would cancel as the log-determinants do
  expect_lt(max(abs(forward(f, x)$logdet)), 1e-6)
  expect_gt(sd(native_vjp(f, x, NULL, FALSE, list(), seed = 1)$logdet), 0.01)
})

test_that("penalties are the integrals they say, and have gradients", {
  for (field in list(net, field_planar(2, gate))) {
    for (trace in c("exact", "hutchinson")) {
      probe <- if (trace == "exact") "rademacher" else diag(2)
      f <- drawn_flow(layer_continuous(field, fine, trace, probe, kinetic = 0.3, jacobian = 0.2), 2)
      x <- matrix(rnorm(12), 6)
      for (inverse in c(FALSE, TRUE)) {
        penalty <- function(f, x) native_vjp(f, x, NULL, inverse, list(), seed = 1)
        out <- penalty(f, x)
        expect_true(all(out$penalty > 0))
        theta <- f$params
        h <- 1e-5
        numeric <- vapply(seq_along(theta), function(i) {
          at <- function(move) {
            f["params"] <- list(replace(theta, i, theta[i] + move))
            mean(penalty(f, x)$penalty)
          }
          (at(h) - at(-h)) / (2 * h)
        }, 1)
        expect_lt(relative_gap(out$params, numeric), 1e-6)
        slope <- vapply(1:2, function(j) {
          step <- h * (col(x) == j)
          (penalty(f, x + step)$penalty - penalty(f, x - step)$penalty) / (2 * h) / nrow(x)
        }, numeric(6))
        expect_lt(relative_gap(out$x, slope), 1e-6)
      }
    }
  }
  # one step of Euler's method: the derivatives at the start
  f <- drawn_flow(layer_continuous(net, solver_euler(1), kinetic = 1), 2)
  x <- matrix(rnorm(6), 3)
  out <- native_vjp(f, x, NULL, FALSE, list(), seed = 1)
  expect_equal(out$penalty, rowSums((out$value - x)^2), tolerance = 1e-12)
  f$layers$layers[[1]][c("kinetic", "jacobian")] <- list(0, 1)
  h <- 1e-5
  jacobian <- lapply(1:2, function(j) {
    step <- h * (col(x) == j)
    (forward(f, x + step)$value - forward(f, x - step)$value) / (2 * h) - step / h
  })
  norm <- rowSums(do.call(cbind, jacobian)^2)
  expect_equal(native_vjp(f, x, NULL, FALSE, list(), seed = 1)$penalty, norm, tolerance = 1e-8)
  # not outside of training
  expect_equal(logdensity(f, x), native_map(f, x, NULL, TRUE)$log_density)
})

test_that("the end is shifted in training only", {
  f <- drawn_flow(layer_continuous(net, fine, steer = 0.3), 2)
  x <- matrix(rnorm(6), 3)
  at <- function(seed, inverse) native_vjp(f, x, NULL, inverse, list(), seed = seed)$value
  for (inverse in c(FALSE, TRUE)) {
    ends <- lapply(1:20, at, inverse = inverse)
    expect_gt(length(unique(ends)), 15)
    expect_identical(at(1, inverse), at(1, inverse))
    expect_equal(native_map(f, x, NULL, inverse)$value, Reduce(`+`, ends) / 20, tolerance = 0.2)
  }
  # the shift is within its bound: a field of constant speed shows it
  params(f) <- 0 * coef(f)
  params(f)$layers[[1]]$field$b2 <- c(1, 0)
  moved <- vapply(1:200, function(seed) at(seed, FALSE)[1, 1] - x[1, 1], 1)
  expect_true(all(moved > 0.7 & moved < 1.3))
  expect_gt(diff(range(moved)), 0.5)
})

test_that("the solver by default is that of the field", {
  solver <- function(...) layer_continuous(...)$solver
  expect_identical(solver(), solver_tsit5())
  expect_identical(solver(field_planar(2)), solver_tsit5(step = 0.05))
  expect_identical(solver(field_planar(2), solver_tsit5()), solver_tsit5())
  expect_identical(flow(continuous_flow(field_planar(2)), 2)$layers$layers[[1]]$solver, solver_tsit5(step = 0.05))
  expect_error(layer_continuous(t0 = -1e308, t1 = 1e308), "far from", class = "bijectr_error_argument")
  expect_error(layer_continuous("planar"), "`field` must be a field", class = "bijectr_error_argument")
})

test_that("long solves keep a part of their states, and give the same", {
  for (solver in list(solver_rk4(1 / 150), solver_tsit5(step = 1 / 100))) {
    f <- drawn_flow(layer_continuous(net, solver), 2)
    x <- matrix(rnorm(8), 4)
    for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, x, NULL, inverse)
  }
  few <- drawn_flow(layer_continuous(net, solver_tsit5(step = 1 / 64)), 2)
  many <- drawn_flow(layer_continuous(net, solver_tsit5(step = 1 / 65)), 2)
  cot <- list(log_density = rep(1, 4))
  expect_equal(flow_vjp(few, x, TRUE, cot), flow_vjp(many, x, TRUE, cot), tolerance = 1e-8)
  adaptive <- function(most) drawn_flow(layer_continuous(net, solver_tsit5(rtol = 1e-14, max_steps = most)), 2)
  expect_error(logdensity(adaptive(64), x), "max_steps")
  expect_equal(flow_vjp(few, x, TRUE, cot), flow_vjp(adaptive(1000), x, TRUE, cot), tolerance = 1e-8)
})

test_that("the adjoint equation gives the gradient up to the solver's error", {
  for (field in list(field_mlp(5, frequencies = 1), field_planar(3, gate))) {
    for (d_condition in 0:1) {
      layer <- function(solver, gradient) layer_continuous(field, solver, gradient = gradient)
      x <- matrix(rnorm(10), 5)
      condition <- if (d_condition > 0) matrix(rnorm(5), 5)
      gap <- function(solver, inverse) {
        exact <- drawn_flow(layer(solver, "discrete"), 2, d_condition = d_condition)
        f <- drawn_flow(layer(solver, "adjoint"), 2, d_condition = d_condition)
        cot <- list(value = x, logdet = x[, 1], log_density = x[, 2])
        ours <- flow_vjp(f, x, inverse, cot, condition)
        theirs <- flow_vjp(exact, x, inverse, cot, condition)
        expect_identical(ours$value, theirs$value)
        max(mapply(relative_gap, ours[c("params", "x", "condition")], theirs[c("params", "x", "condition")]))
      }
      for (inverse in c(FALSE, TRUE)) {
        expect_lt(gap(solver_tsit5(step = 0.02), inverse), 1e-7)
        expect_lt(gap(solver_tsit5(rtol = 1e-9), inverse), 1e-7)
        expect_gt(gap(solver_tsit5(step = 0.5), inverse), 1e-9)
      }
    }
  }
})

test_that("densities integrate to 1", {
  for (field in list(net, field_planar(3, gate))) {
    f <- drawn_flow(layer_continuous(field, fine), 2, 0.7)
    axis <- seq(-8, 8, length.out = 161)
    p <- exp(logdensity(f, as.matrix(expand.grid(axis, axis))))
    expect_equal(sum(p) * 0.1^2, 1, tolerance = 1e-3)
  }
})

test_that("draws have the density", {
  f <- drawn_flow(layer_continuous(field_mlp(8), fine), 1, 1)
  set.seed(5)
  draws <- sample(f, 5000)
  axis <- seq(-12, 12, length.out = 4001)
  cdf <- cumsum(exp(logdensity(f, axis))) * diff(axis[1:2])
  expect_gt(ks.test(c(draws), approxfun(axis, cdf, yleft = 0, yright = 1))$p.value, 1e-3)
})

test_that("a fit with probes, penalties and shifts trains the same for any threads and cuts", {
  set.seed(1)
  x <- matrix(rexp(1200), 600)
  layer <- layer_continuous(field_mlp(8), solver_rk4(0.25), "hutchinson", kinetic = 0.01, jacobian = 0.01, steer = 0.2)
  fit <- function(threads, seconds = 0.2) {
    withr::local_options(bijectr.threads = threads, bijectr.seconds_per_call = seconds)
    set.seed(2)
    fit_flow(x, layer,
      steps = 20, batch_size = 400, validation = 0.2, validate_every = 5, noise = 0, keep_state = TRUE
    )
  }
  whole <- fit(1)
  expect_identical(fit(2)$state, whole$state)
  expect_identical(fit(1, 0)$state, whole$state)
  expect_lt(tail(whole$history$validation, 1), whole$history$validation[which(is.finite(whole$history$validation))[1]])
})

test_that("against a log density probes and penalties act on the gradient", {
  set.seed(6)
  target <- function(x) -rowSums((x - 1)^2) / 2
  layer <- function(...) layer_continuous(field_mlp(4, init = "uniform"), solver_rk4(0.25), ...)
  gradient <- function(seed, ...) {
    f <- drawn_flow(layer(...), 2)
    at <- target_with_gradient(target, "differences", 2, NULL)
    reverse_gradient(f, matrix(0.1 * 1:10, 5), at, loss_reverse_kl(), seed = seed)$gradient
  }
  expect_identical(gradient(1), gradient(NULL))
  expect_gt(max(abs(gradient(1, "hutchinson") - gradient(2, "hutchinson"))), 1e-6)
  expect_gt(max(abs(gradient(1, kinetic = 1) - gradient(1))), 1e-3)
  fit <- fit_flow(target, layer("hutchinson", kinetic = 0.01), d = 2, steps = 150, batch_size = 64)
  expect_lt(abs(fit$evaluation$log_z - log(2 * pi)), 0.1)
  expect_error(fit_flow(target, layer(steer = 0.1), d = 2), "steer", class = "bijectr_error_argument")
})

test_that("a solver that cannot follow takes the step back", {
  set.seed(3)
  layer <- layer_continuous(field_mlp(8), solver_tsit5(step = 0.5, rtol = 1e-5, max_steps = 6))
  messages <- 0
  fit <- withCallingHandlers(
    suppressWarnings(fit_flow(faithful, layer, steps = 300, learning_rate = 1, schedule = schedule_constant())),
    bijectr_message_rollback = function(m) {
      messages <<- messages + 1
      tryInvokeRestart("muffleMessage")
    }
  )
  expect_gt(messages, 0)
  expect_true(all(is.finite(coef(fit))))
})

test_that("arguments are checked", {
  expect_error(layer_continuous(trace = "none"), "trace", class = "bijectr_error_argument")
  expect_error(layer_continuous(probe = "cauchy"), "probe", class = "bijectr_error_argument")
  expect_error(layer_continuous(probe = cbind(1, NA)), "probe", class = "bijectr_error_argument")
  expect_error(flow(layer_continuous(probe = cbind(1, 2)), 3), "3 columns", class = "bijectr_error_argument")
  expect_error(layer_continuous(t0 = 1), "t1", class = "bijectr_error_argument")
  expect_error(layer_continuous(steer = 1), "steer", class = "bijectr_error_argument")
  expect_error(layer_continuous(kinetic = -1), "kinetic", class = "bijectr_error_argument")
  expect_error(layer_continuous(gradient = "none"), "gradient", class = "bijectr_error_argument")
})
