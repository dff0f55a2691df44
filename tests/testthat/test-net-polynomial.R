test_that("a conditioner like any other", {
  # differences of a cubic in far tails are rough, so the points stay near
  x <- matrix(seq(-1, 1, length.out = 18), 6)
  expect_layer_ok(layer_coupling(scalar_affine(), net_polynomial(2)), d = 3, x = x, spread = 0.2)
  expect_layer_ok(layer_coupling(scalar_affine(), net_polynomial(3, basis = "legendre")), d = 3, x = x, spread = 0.2)
  x <- matrix(seq(-1, 1, length.out = 24), 6)
  layer <- layer_coupling(scalar_tanh_affine(), net_polynomial(2, 3))
  expect_layer_ok(layer, d = 4, d_condition = 2, x = x, spread = 0.2)
  expect_layer_ok(layer_coupling(scalar_affine(), net_polynomial(0)), d = 2)
})

# the net's value is the shift of a coordinate that is 0
polynomial_values <- function(net, x) {
  d <- ncol(x)
  f <- flow(layer_coupling(scalar_affine("exp"), net, mask = seq_len(d + 1) <= d), d + 1)
  n_term <- nrow(params(f)$layers[[1]]$net$coef)
  vapply(seq_len(n_term), function(t) {
    p <- params(f)
    p$layers[[1]]$net$coef[] <- 0
    p$layers[[1]]$net$coef[t, 1] <- 1
    params(f) <- p
    forward(f, cbind(x, 0))$value[, d + 1]
  }, numeric(nrow(x)))
}

test_that("terms and their order", {
  x <- cbind(c(0.3, -2), c(1.5, 0.7))
  h <- list(function(x) 1 + 0 * x, identity, function(x) (x^2 - 1) / sqrt(2), function(x) (x^3 - 3 * x) / sqrt(6))
  degrees <- rbind(c(0, 0), c(1, 0), c(0, 1), c(2, 0), c(1, 1), c(0, 2), c(3, 0), c(2, 1), c(1, 2), c(0, 3))
  expected <- apply(degrees, 1, function(k) h[[k[1] + 1]](x[, 1]) * h[[k[2] + 1]](x[, 2]))
  expect_equal(polynomial_values(net_polynomial(3), x), expected, tolerance = 1e-14)
  few <- apply(degrees, 1, max) <= 2
  expect_equal(polynomial_values(net_polynomial(2, 3), x), expected[, few], tolerance = 1e-14)
  three <- polynomial_values(net_polynomial(2), cbind(x, 0.5))
  expect_equal(dim(three), c(2, 10))
  expect_equal(three[, 7], x[, 1] * 0.5)
})

test_that("both bases are orthonormal", {
  gram <- function(basis, x, weight) {
    values <- polynomial_values(net_polynomial(4, basis = basis), cbind(x))
    crossprod(values * weight, values) / sum(weight)
  }
  x <- seq(-0.9995, 0.9995, length.out = 2000)
  expect_equal(gram("legendre", x, rep(1, 2000)), diag(5), tolerance = 1e-5)
  expect_equal(gram("hermite", 12 * x, dnorm(12 * x)), diag(5), tolerance = 1e-10)
})

test_that("initial coefficients are small normal draws", {
  set.seed(1)
  f <- flow(layer_coupling(scalar_affine("exp"), net_polynomial(6)), 8)
  expect_equal(sd(coef(f)), 0.1, tolerance = 0.05)
})

test_that("`init` is the size of the initial coefficients, and 0 the identity", {
  size <- function(init) {
    set.seed(1)
    coef(flow(layer_coupling(scalar_affine("exp"), net_polynomial(6, init = init)), 8))
  }
  expect_equal(size(0.02), 0.2 * size(0.1))
  f <- flow(realnvp_flow(net = net_polynomial(3, init = 0)), 4)
  x <- matrix(seq(-30, 30, length.out = 20), 5)
  expect_identical(forward(f, x)$value, x)
})

test_that("flows saved without `init` start as before", {
  set.seed(1)
  layer <- layer_coupling(scalar_affine("exp"), net_polynomial(2))
  new <- coef(flow(layer, 4))
  layer$net$init <- NULL
  set.seed(1)
  expect_identical(coef(flow(layer, 4)), new)
})

test_that("wrong arguments are named", {
  expect_error(net_polynomial(-1), "degree", class = "bijectr_error_argument")
  expect_error(net_polynomial(basis = "chebyshev"), "basis", class = "bijectr_error_argument")
  expect_error(net_polynomial(init = -1), "init", class = "bijectr_error_argument")
  expect_error(flow(layer_coupling(net = net_polynomial(30)), 20), "terms")
})
