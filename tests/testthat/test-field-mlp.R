# Enough steps for round trips to 1e-9.
fine <- solver_tsit5(step = 0.04)

test_that("perceptrons as fields pass the battery", {
  for (activation in c("tanh", "softplus", "silu", "sin", "sigmoid")) {
    expect_layer_ok(layer_continuous(field_mlp(5, activation), fine), d = 2, spread = 0.3)
  }
  # the second derivative of elu jumps at 0, where differences must not be taken: few evaluations, none meets it
  set.seed(1)
  f <- flow(layer_continuous(field_mlp(5, "elu", init = "uniform"), solver_rk4(step = 0.5)), 2)
  for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, matrix(rnorm(12), 6), NULL, inverse)
  for (d in c(1, 3)) {
    expect_layer_ok(layer_continuous(field_mlp(c(5, 4), frequencies = 2), fine), d = d, d_condition = 2, spread = 0.2)
  }
  expect_layer_ok(layer_continuous(field_mlp(c(4, 5, 3)), fine), d = 2, spread = 0.2)
})

test_that("the field is its formula", {
  set.seed(1)
  d <- 3
  layer <- layer_continuous(field_mlp(c(6, 5), "silu", frequencies = 2), solver_euler(step = 1), t0 = 0.3, t1 = 1.3)
  f <- flow(layer, d, d_condition = 1)
  params(f) <- rnorm(length(coef(f)))
  p <- params(f)$layers[[1]]$field
  x <- matrix(rnorm(4 * d), 4)
  condition <- rnorm(4)
  time <- c(0.3, sin(pi * 0.3), cos(pi * 0.3), sin(2 * pi * 0.3), cos(2 * pi * 0.3))
  field <- function(x, c) naive_mlp(p, c(x, time, c), "silu")
  out <- forward(f, x, condition)
  for (i in 1:4) {
    expect_equal(out$value[i, ] - x[i, ], field(x[i, ], condition[i]), tolerance = 1e-12)
    h <- 1e-6
    trace <- sum(vapply(1:d, function(j) {
      step <- h * (1:d == j)
      (field(x[i, ] + step, condition[i]) - field(x[i, ] - step, condition[i]))[j] / (2 * h)
    }, 1))
    expect_equal(out$logdet[i], trace, tolerance = 1e-7)
  }
})

test_that("exact traces are those of the Jacobian, as a form of slopes or direction by direction", {
  set.seed(2)
  x <- matrix(rnorm(5 * 4), 5)
  for (width in list(7, c(6, 9), c(6, 9, 5))) {
    f <- flow(layer_continuous(field_mlp(width), solver_euler(step = 1), "exact"), 4)
    params(f) <- rnorm(length(coef(f)))
    p <- params(f)$layers[[1]]$field
    trace <- apply(x, 1, function(z) {
      a <- c(z, 0)
      jacobian <- diag(5)[, 1:4]
      for (l in seq_along(width)) {
        w <- p[[paste0("W", l)]]
        a <- tanh(drop(w %*% a) + p[[paste0("b", l)]])
        jacobian <- (1 - a^2) * w %*% jacobian
      }
      sum(diag(p[[paste0("W", length(width) + 1)]] %*% jacobian))
    })
    expect_equal(forward(f, x)$logdet, trace, tolerance = 1e-12)
  }
})

test_that("it starts where nothing moves, or drawn", {
  still <- flow(layer_continuous(field_mlp()), 2)
  x <- matrix(rnorm(8), 4)
  expect_equal(forward(still, x)$value, x)
  expect_equal(forward(still, x)$logdet, numeric(4))
  set.seed(1)
  moving <- flow(layer_continuous(field_mlp(init = "uniform")), 2)
  expect_gt(max(abs(forward(moving, x)$value - x)), 0.01)
})

test_that("arguments are checked", {
  expect_error(field_mlp(numeric()), "width", class = "bijectr_error_argument")
  expect_error(field_mlp(0), "width", class = "bijectr_error_argument")
  expect_error(field_mlp(activation = "relu"), "activation", class = "bijectr_error_argument")
  expect_error(field_mlp(frequencies = -1), "frequencies", class = "bijectr_error_argument")
  expect_error(layer_continuous(net_mlp()), "field", class = "bijectr_error_argument")
})
