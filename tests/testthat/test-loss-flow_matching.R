# Flow matching: the field is regressed on straight ways, without solving.
matching_fit <- function(x, layers, ..., seed = 1) {
  set.seed(seed)
  fit_flow(x, layers, loss = loss_flow_matching(), noise = 0, ...)
}

test_that("its loss is its formula, whatever stands beside the layer", {
  set.seed(1)
  x <- matrix(rnorm(64), 32)
  # a field of constant speed (1, 2): the loss is the mean of |v - (x - z) / (t1 - t0)|^2 over draws z of the base
  layer <- layer_continuous(field_mlp(3), t0 = 0, t1 = 2)
  f <- flow(layer_chain(layer_flip(), layer, layer_permute(2:1)), 2)
  params(f) <- 0 * coef(f)
  params(f)$layers[[2]]$field$b2 <- c(1, 2)
  many <- x[rep(1:32, 2000), ]
  fit <- fit_flow(many, f,
    loss = loss_flow_matching(), standardize = "none", steps = 1, batch_size = nrow(many), learning_rate = 1e-12,
    validation = 0, noise = 0, keep_best = FALSE
  )
  u <- x[, 2:1] / 2
  expected <- mean(rowSums((rep(c(1, 2), each = 32) - u)^2)) + 2 / 4
  expect_equal(fit$history$train[1], expected, tolerance = 0.02)
})

test_that("it learns, validates on the same draws, and goes on", {
  set.seed(2)
  x <- cbind(a = rexp(1500), b = rnorm(1500))
  layers <- continuous_flow(field_mlp(32), solver_rk4(0.1))
  fit <- matching_fit(x, layers, steps = 400, batch_size = 256)
  expect_gt(fit$reference$flow - fit$reference$normal, 0.1)
  expect_output(print(fit), "continuous")
  expect_identical(coef(matching_fit(x, layers, steps = 400, batch_size = 256)), coef(fit))
  withr::with_options(list(bijectr.threads = 1), {
    expect_identical(coef(matching_fit(x, layers, steps = 400, batch_size = 256)), coef(fit))
  })
  more <- resume(fit, steps = 10)
  expect_equal(more$steps, 410)
  expect_identical(more$loss$kind, "flow_matching")
  planar <- matching_fit(x, layer_continuous(field_planar(3, net_mlp(5, init = "uniform"))), steps = 50)
  expect_lt(tail(planar$history$train, 1), planar$history$train[1])
  given <- matching_fit(x[, 1], layers, condition = x[, 2], steps = 20)
  expect_length(logdensity(given, 1:2, c(0, 1)), 2)
})

test_that("its gradient is that of the loss", {
  set.seed(3)
  x <- matrix(rnorm(80), 40)
  f <- flow(layer_continuous(field_mlp(4, init = "uniform")), 2)
  # one step of plain descent shows the gradient; two losses beside it the slope
  at <- function(theta, rate, steps = 1) {
    params(f) <- theta
    set.seed(4)
    fit_flow(x, f,
      loss = loss_flow_matching(), standardize = "none", optimizer = opt_sgd(), learning_rate = rate, steps = steps,
      schedule = schedule_constant(), batch_size = 40, validation = 0, noise = 0, keep_best = FALSE, progress = FALSE
    )
  }
  theta <- unname(coef(f))
  gradient <- (theta - unname(coef(at(theta, 1e-3)))) / 1e-3
  h <- 1e-5
  numeric <- vapply(seq_along(theta), function(i) {
    loss <- function(move) at(replace(theta, i, theta[i] + move), 1e-9)$history$train[1]
    (loss(h) - loss(-h)) / (2 * h)
  }, 1)
  expect_lt(relative_gap(gradient, numeric), 1e-6)
})

test_that("it is for one continuous layer", {
  expect_error(matching_fit(faithful, coupling_flow(), steps = 1), "layer_continuous", class = "bijectr_error_argument")
  two <- continuous_flow(field_mlp(4), flow_layers = 2)
  expect_error(matching_fit(faithful, two, steps = 1), "one", class = "bijectr_error_argument")
  both <- layer_chain(layer_planar(), layer_continuous(field_mlp(4)))
  expect_error(matching_fit(faithful, both, steps = 1), "no parameters", class = "bijectr_error_argument")
  expect_error(fit_flow(faithful, loss = loss_renyi(), steps = 1), "loss", class = "bijectr_error_argument")
  expect_error(fit_flow(function(x) -x^2, d = 1, loss = loss_flow_matching()), "data", class = "bijectr_error_argument")
})
