# Codes of levels in a layer, at random parameters.
embedded_subject <- function(make, d, levels, numbers = 0, spread = 0.5, n = 6) {
  set.seed(1)
  codes <- sapply(levels, function(l) sample(l, n, TRUE) - 1)
  given <- cbind(matrix(rnorm(n * numbers), n), codes)
  f <- flow(make(net_embedding(small, numbers + seq_along(levels), levels, dim = 2)), d, d_condition = ncol(given))
  params(f) <- unname(coef(f)) + spread * rnorm(length(coef(f)))
  flow_subject(f, matrix(rnorm(n * d), n), given)
}
small <- net_mlp(5, activation = "tanh")

test_that("a conditioner like any other, dense and masked", {
  for (make in layers_around_net(small)) {
    for (inverse in c(TRUE, FALSE)) {
      s <- embedded_subject(make, 3, c(4, 7), numbers = 1)
      expect_gradient_ok(s$f, s$x, s$condition, inverse)
      expect_batches_ok(s$f, s$x, s$condition, inverse)
      expect_machines_ok(s$f, s$x, s$condition, inverse)
      s <- embedded_subject(make, 2, 5)
      expect_gradient_ok(s$f, s$x, s$condition, inverse)
    }
  }
})

test_that("the tables' gradients are those of differences", {
  set.seed(2)
  net <- net_embedding(net_mlp(6, activation = "tanh"), 1:2, c(3, 4), dim = c(2, 3))
  for (layer in list(layer_autoregressive(scalar_affine(), net), layer_coupling(scalar_affine(), net))) {
    f <- flow(layer, 3, d_condition = 3)
    params(f) <- 0.5 * rnorm(length(coef(f)))
    x <- matrix(rnorm(30), 10)
    given <- cbind(sample(3, 10, TRUE) - 1, rep(c(0, 1, 3), length.out = 10), rnorm(10)) # level 2 of 4 is not there
    density <- function(theta) {
      params(f) <- theta
      sum(logdensity(f, x, given))
    }
    theta <- unname(coef(f))
    exact <- flow_vjp(f, x, TRUE, list(log_density = rep(1, 10)), given)$params
    differences <- vapply(seq_along(theta), function(i) {
      step <- replace(numeric(length(theta)), i, 1e-5)
      (density(theta + step) - density(theta - step)) / 2e-5
    }, 1)
    expect_equal(unname(exact), differences, tolerance = 1e-6)
    shaped <- f
    params(shaped) <- unname(exact)
    tables <- params(shaped)$layers[[1]]$net
    expect_identical(dim(tables$table2), c(4L, 3L))
    expect_identical(tables$table2[3, ], c(0, 0, 0))
    expect_true(all(tables$table2[-3, ] != 0))
  }
})

test_that("the net sees coordinates, numbers, and rows of the tables", {
  set.seed(3)
  net <- net_embedding(net_mlp(4, activation = "tanh", init = "uniform"), c(1, 3), c(3, 5), dim = 2)
  f <- flow(layer_coupling(scalar_affine("exp"), net), 3, d_condition = 3)
  params(f) <- rnorm(length(coef(f)))
  p <- params(f)$layers[[1]]$net
  out <- forward(f, rbind(c(0.3, -1, 2)), rbind(c(2, 0.7, 4)))$value
  raw <- naive_mlp(p$net, c(0.3, 0.7, p$table1[3, ], p$table2[5, ]), "tanh")
  expect_equal(out[1, ], c(0.3, c(-1, 2) * exp(raw[c(2, 4)]) + raw[c(1, 3)]), tolerance = 1e-13)
})

test_that("in front of a masked net nothing of a later coordinate is seen", {
  set.seed(4)
  f <- flow(layer_autoregressive(scalar_affine(), net_embedding(net_mlp(9), 2, 6)), 4, d_condition = 2)
  params(f) <- rnorm(length(coef(f)))
  x <- matrix(rnorm(4), 1)
  given <- rbind(c(0.2, 3))
  for (j in 1:4) {
    moved <- x
    moved[j] <- x[j] + 1
    changed <- forward(f, moved, given)$value != forward(f, x, given)$value
    expect_identical(which(changed)[1], j)
  }
  expect_true(all(forward(f, x, rbind(c(0.2, 4)))$value != forward(f, x, given)$value))
  expect_true(all(forward(f, x, rbind(c(0.3, 3)))$value != forward(f, x, given)$value))
  expect_equal(inverse(f, forward(f, x, given)$value, given)$value, x, tolerance = 1e-12)
})

test_that("all levels start alike, and codes beyond them are not numbers", {
  set.seed(5)
  net <- net_embedding(net_mlp(8, init = "uniform"), 1, 3)
  f <- flow(layer_autoregressive(scalar_affine(), net), 2, d_condition = 1)
  x <- matrix(rnorm(8), 4)
  expect_identical(logdensity(f, x, c(0, 1, 2, 0)), logdensity(f, x, 1))
  expect_warning(bad <- logdensity(f, x, c(-1, 3, 9e149, 2)), class = "bijectr_warning_nan")
  expect_identical(is.na(bad), c(TRUE, TRUE, TRUE, FALSE))
})

test_that("dimensions grow slowly", {
  expect_identical(net_embedding(small, 1:5, c(2, 11, 100, 1500, 1e6))$dim, c(2L, 2L, 4L, 7L, 8L))
})

test_that("wrong arguments are named", {
  expect_argument <- function(expr, message) expect_error(expr, message, class = "bijectr_error_argument")
  expect_argument(net_embedding(scalar_affine(), 1, 2), "must be a net")
  expect_argument(net_embedding(small, 2:1, c(2, 2)), "ascending")
  expect_argument(net_embedding(small, integer(), integer()), "ascending")
  expect_argument(net_embedding(small, 1, c(2, 2)), "one number for each")
  expect_argument(net_embedding(small, 1, 0), "`levels`")
  expect_argument(net_embedding(small, 1, 3, dim = 0), "`dim`")
  expect_error(flow(layer_coupling(net = net_embedding(small, 2, 3)), 2, d_condition = 1), "name conditions")
  expect_error(flow(layer_autoregressive(net = net_embedding(net_fourier(), 1, 3)), 2, d_condition = 1), "masks")
})
