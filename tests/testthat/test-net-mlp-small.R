# A net with few inputs and outputs has kernels of its own. Three transformed coordinates are too many for them: there
# the general products run, and with zero weights of the cotangent on the added coordinates they must agree.
test_that("the kernels of small nets agree with the general products", {
  rows <- 150
  for (size in list(c(1, 1), c(2, 1), c(3, 1), c(4, 1), c(1, 2), c(2, 2))) {
    for (width in c(1, 2, 50, 51)) {
      set.seed(sum(size))
      n_in <- size[1]
      n_out <- 2 * size[2]
      net <- net_mlp(width, init = "uniform")
      coupling <- function(d) flow(layer_coupling(scalar_affine(), net, mask = seq_len(d) <= n_in), d)
      small <- coupling(n_in + size[2])
      large <- coupling(n_in + 3)
      w1 <- rnorm(width * n_in)
      b1 <- rnorm(width)
      w2 <- matrix(rnorm(6 * width), 6)
      b2 <- rnorm(6)
      top <- seq_len(n_out)
      small$params <- c(w1, b1, w2[top, ], b2[top])
      large$params <- c(w1, b1, w2, b2)
      x <- matrix(rnorm(rows * (n_in + 3)), rows)
      first <- seq_len(n_in + size[2])
      cotangent <- matrix(rnorm(length(x)), rows)
      cotangent[, -first] <- 0
      for (inverse in c(FALSE, TRUE)) {
        a <- flow_vjp(small, x[, first], inverse, list(value = cotangent[, first]))
        b <- flow_vjp(large, x, inverse, list(value = cotangent))
        hidden <- seq_len(width * (n_in + 1))
        expect_identical(a$value, b$value[, first])
        expect_equal(a$x, b$x[, first], tolerance = 1e-13)
        expect_equal(a$params[hidden], b$params[hidden], tolerance = 1e-13)
        expect_equal(matrix(a$params[-hidden], n_out), matrix(b$params[-hidden], 6)[top, ], tolerance = 1e-13)
      }
    }
  }
})

# The masked net of three coordinates has units of two ranks, every other one of each, and general products; the first
# two coordinates know only the units of the lower rank.
test_that("masked nets of two coordinates agree with the general products", {
  rows <- 150
  expect_agree <- function(width, scalar, n_param, around = identity) {
    set.seed(width)
    masked <- function(width, d) flow(layer_autoregressive(scalar, around(net_mlp(width, init = "uniform"))), d)
    small <- masked(width, 2)
    large <- masked(2 * width, 3)
    shape <- list(c(2 * width, 3), c(2 * width, 1), c(3 * n_param, 2 * width), c(3 * n_param, 1))
    part <- rep(1:4, vapply(shape, prod, 0))
    parts <- function(p) Map(function(p, shape) matrix(p, shape[1]), split(p, part), shape)
    lower <- seq(1, 2 * width, by = 2)
    top <- seq_len(2 * n_param)
    kept <- function(p) c(p[[1]][lower, 1:2], p[[2]][lower, ], p[[3]][top, lower], p[[4]][top, ])
    large$params <- rnorm(length(part)) / 2
    small$params <- kept(parts(large$params))
    x <- matrix(rnorm(rows * 3), rows)
    cotangent <- cbind(matrix(rnorm(rows * 2), rows), 0)
    for (inverse in c(FALSE, TRUE)) {
      a <- flow_vjp(small, x[, 1:2], inverse, list(value = cotangent[, 1:2]))
      b <- flow_vjp(large, x, inverse, list(value = cotangent))
      expect_identical(a$value, b$value[, 1:2])
      expect_equal(a$x, b$x[, 1:2], tolerance = 1e-13)
      expected <- kept(parts(b$params))
      expect_equal(a$params, expected, tolerance = 1e-13)
      expect_true(any(expected != 0))
    }
  }
  for (width in c(1, 2, 50, 51)) expect_agree(width, scalar_affine(), 2)
  expect_agree(7, scalar_cubic_conjugation(), 4)
  expect_agree(7, scalar_affine(), 2, function(net) net_bounded(net, 1))
})
