test_that("shift with scales and with a triangular matrix", {
  root <- t(chol(matrix(c(4, 1, 0.5, 1, 2, -0.3, 0.5, -0.3, 1), 3)))
  expect_layer_ok(layer_standardize(c(1, -2), c(0.5, 3)), d = 2, extreme = 10^c(-300, -8, 3, 8, 150))
  expect_layer_ok(layer_standardize(1:3, root), d = 3, extreme = 10^c(-300, -8, 3, 8, 140))
  expect_layer_ok(layer_standardize(5, matrix(2)), d = 1)
  f <- flow(layer_standardize(1:3, root), d = 3)
  x <- matrix(rnorm(12), 4)
  expect_equal(forward(f, x)$value, x %*% t(root) + rep(1:3, each = 4), tolerance = 1e-14)
  expect_equal(forward(f, x)$logdet, rep(sum(log(diag(root))), 4))
  expect_equal(inverse(f, x)$value, t(solve(root, t(x) - 1:3)), tolerance = 1e-14)
  expect_length(coef(f), 0)
})

test_that("log densities are those of the normal it makes", {
  f <- flow(layer_standardize(c(1, 2), c(3, 4)), d = 2)
  x <- cbind(rnorm(5), rnorm(5))
  expect_equal(logdensity(f, x), dnorm(x[, 1], 1, 3, log = TRUE) + dnorm(x[, 2], 2, 4, log = TRUE))
})

test_that("wrong arguments are named", {
  expect_error(layer_standardize(1, 0), "scale", class = "bijectr_error_argument")
  expect_error(layer_standardize(1, c(1, 1)), "scale", class = "bijectr_error_argument")
  expect_error(layer_standardize(NA_real_, 1), "loc", class = "bijectr_error_argument")
  expect_error(layer_standardize(1:2, matrix(1, 2, 2)), "scale", class = "bijectr_error_argument")
  expect_error(flow(layer_standardize(1:2, 1:2), d = 3), "standardize")
})
