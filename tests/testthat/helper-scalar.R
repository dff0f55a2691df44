# The conformance battery of scalar bijections: what every kind must do, whatever its formula.
#
# `x` are points of the domain, away from kinks (differences are taken across 4e-5). `domain` and `range` are the open
# intervals that the map and its inverse accept. `extreme` bounds the extreme inputs of the map, where its true value
# would overflow, and `extreme_inverse` those of the inverse. `spread` is the standard deviation of the random
# parameters around the initial ones.

expect_scalar_ok <- function(scalar, x, domain = c(-Inf, Inf), range = c(-Inf, Inf), extreme = domain,
                             extreme_inverse = range, spread = 0.5) {
  set.seed(1)
  f <- random_flow(layer_elementwise(scalar), 2, spread)
  x <- cbind(x, rev(x))
  y <- forward(f, x)$value

  testthat::expect_length(coef(f), length(unlist(params(f))))
  expect_round_trip(f, x)
  expect_scalar_logdet(scalar, x[, 1], spread)
  expect_vjp(f, x, inverse = FALSE)
  expect_vjp(f, y, inverse = TRUE)
  expect_rows_alone(f, x, y)
  expect_extremes(scalar, extreme, inverse = FALSE)
  expect_extremes(scalar, extreme_inverse, inverse = TRUE)
  expect_outside(scalar, domain, inverse = FALSE)
  expect_outside(scalar, range, inverse = TRUE)
  expect_saved(f, x)
  expect_rowwise(scalar, x, spread)
}

random_flow <- function(layer, d, spread) {
  f <- flow(layer, d = d)
  if (length(coef(f))) params(f) <- coef(f) + spread * stats::rnorm(length(coef(f)))
  f
}

# The derivative at 0 of `f`, a function of a step, from four differences: steep inverses bend within 1e-3.
derivative <- function(f, h = 1e-5) (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)

near <- function(a, b) max(0, abs(a - b) / pmax(1, abs(b)))

expect_round_trip <- function(f, x) {
  there <- forward(f, x)
  back <- inverse(f, there$value)
  testthat::expect_lt(near(back$value, x), 1e-9)
  testthat::expect_lt(near(back$logdet, -there$logdet), 1e-9)
}

expect_scalar_logdet <- function(scalar, x, spread) {
  f <- random_flow(layer_elementwise(scalar), 1, spread)
  slope <- derivative(function(step) forward(f, x + step)$value)
  testthat::expect_lt(near(log(abs(slope)), forward(f, x)$logdet), 1e-6)
}

# The gradients of sum(a * value) + sum(b * logdet) against central differences.
expect_vjp <- function(f, x, inverse, tolerance = 1e-6) {
  a <- matrix(stats::rnorm(length(x)), nrow(x))
  b <- stats::rnorm(nrow(x))
  exact <- flow_vjp(f, x, inverse, list(value = a, logdet = b))
  map <- if (inverse) bijectr::inverse else forward
  rows <- function(f, x) {
    out <- map(f, x)
    rowSums(a * out$value) + b * out$logdet
  }
  out <- map(f, x)
  testthat::expect_identical(exact$logdet, out$logdet)
  testthat::expect_equal(c(exact$value), c(out$value), tolerance = 0)
  for (j in seq_len(ncol(x))) {
    numeric <- derivative(function(step) rows(f, x + step * (col(x) == j)))
    testthat::expect_lt(near(numeric, exact$x[, j]), tolerance)
  }
  theta <- coef(f)
  numeric <- vapply(seq_along(theta), function(i) {
    sum(derivative(function(step) {
      params(f) <- replace(theta, i, theta[i] + step)
      rows(f, x)
    }))
  }, numeric(1))
  testthat::expect_lt(near(numeric, exact$params), tolerance)
}

expect_rows_alone <- function(f, x, y) {
  for (i in c(1, nrow(x))) {
    testthat::expect_identical(forward(f, x[i, , drop = FALSE])$value[1, ], forward(f, x)$value[i, ])
    testthat::expect_identical(inverse(f, y[i, , drop = FALSE])$logdet, inverse(f, y)$logdet[i])
  }
}

# The gradient of sum(value) + sum(logdet), straight from the core: the public functions take no inputs beyond 1e150,
# but inside a flow a scalar may meet them.
core_vjp <- function(f, x, inverse) {
  one <- list(value = matrix(1, nrow(x), ncol(x)), logdet = rep(1, nrow(x)))
  native_vjp(f, x, NULL, inverse, one)
}

extreme_inputs <- function(within) {
  sizes <- 10^c(-300, -100, -8, 0, 3, 8, 100, 154, 200, 300)
  x <- c(0, sizes, -sizes, within[is.finite(within)] * (1 + 1e-12), within[is.finite(within)] * (1 - 1e-12))
  x[x > within[1] & x < within[2]]
}

expect_extremes <- function(scalar, within, inverse) {
  f <- flow(layer_elementwise(scalar), d = 1)
  x <- matrix(extreme_inputs(within))
  out <- core_vjp(f, x, inverse)
  testthat::expect_true(all(is.finite(out$value)))
  testthat::expect_true(all(is.finite(out$logdet)))
  one <- vapply(seq_len(nrow(x)), function(i) {
    out <- core_vjp(f, x[i, , drop = FALSE], inverse)
    all(is.finite(out$x)) && all(is.finite(out$params))
  }, logical(1))
  testthat::expect_equal(x[!one], numeric())

  for (raw in c(1e300, -1e300, 1e3, -1e3)) {
    if (length(coef(f)) == 0) break
    params(f) <- raw * rep_len(c(1, -1, -1, 0), length(coef(f)))
    out <- (if (inverse) bijectr::inverse else forward)(f, matrix(c(0.4, 0.6)))
    testthat::expect_false(anyNA(c(out$value, out$logdet)))
  }
}

# Outside the domain the density is 0, without a NaN anywhere.
expect_outside <- function(scalar, within, inverse) {
  x <- matrix(c(-1e300, -5, 0, within, 5, 1e300))
  x <- x[is.finite(x) & (x <= within[1] | x >= within[2]), , drop = FALSE]
  if (nrow(x) == 0) return()
  f <- flow(layer_elementwise(scalar), d = 1)
  out <- core_vjp(f, x, inverse)
  testthat::expect_true(all(is.finite(out$value)))
  testthat::expect_equal(out$logdet, rep(-Inf, nrow(x)))
  testthat::expect_true(all(is.finite(out$x)))
}

expect_saved <- function(f, x) {
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  saveRDS(f, file)
  again <- readRDS(file)
  testthat::expect_identical(again, f)
  testthat::expect_identical(forward(again, x), forward(f, x))
}

# Parameters from a conditioner, one set a row.
expect_rowwise <- function(scalar, x, spread) {
  has_params <- length(coef(flow(layer_elementwise(scalar, shared = TRUE), d = 1))) > 0
  if (!has_params) return()
  f <- flow(layer_coupling(scalar, net_mlp(width = 4, activation = "tanh", init = "uniform")), d = 2)
  params(f) <- coef(f) + spread * stats::rnorm(length(coef(f)))
  expect_round_trip(f, x)
  expect_vjp(f, x, inverse = FALSE)
  expect_vjp(f, forward(f, x)$value, inverse = TRUE)
  expect_rows_alone(f, x, forward(f, x)$value)
}
