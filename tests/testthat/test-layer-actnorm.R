test_that("actnorm is an elementwise affine layer", {
  expect_layer_ok(layer_actnorm(), d = 3)
  f <- flow(layer_actnorm(), 2)
  expect_identical(forward(f, diag(2)), list(value = diag(2), logdet = c(0, 0)))
  params(f)$layers[[1]] <- list(loc = c(1, 2), scale = log(c(3, 4)))
  expect_equal(forward(f, diag(2))$value, cbind(c(4, 1), c(2, 6)))
})

test_that("initial values from data make mean 0 and variance 1 on the base side of each", {
  set.seed(1)
  data <- matrix(rnorm(900, 5, 3), 300) %*% matrix(c(1, 2, 0, 0, 1, 0, 1, 0, 4), 3)
  variance <- function(x) colMeans(x^2) - colMeans(x)^2
  coupling <- layer_coupling(scalar_affine(), net_mlp(4, init = "uniform"))
  for (invert in c(TRUE, FALSE)) {
    layers <- layer_chain(layer_lu_linear(), layer_actnorm(), coupling, layer_flip(), layer_actnorm())
    f <- flow(if (invert) layer_invert(layers) else layers, 3)
    f <- initialize_from_data(f, data)
    n <- length(f$layers$layers)
    marked <- vapply(f$layers$layers, function(l) inherits(bare(l), "bijectr_layer_actnorm"), logical(1))
    expect_identical(sum(marked), 2L)
    for (i in which(marked)) {
      z <- inverse_through(f, i:n, data, NULL)
      expect_equal(colMeans(z), numeric(3), tolerance = 1e-10)
      expect_equal(variance(z), rep(1, 3), tolerance = 1e-10)
    }
  }
})

test_that("initial values with conditions, weights and constant columns", {
  set.seed(2)
  data <- cbind(rnorm(50, 3), 7)
  f <- flow(layer_chain(layer_actnorm(), layer_additive_condition()), 2, d_condition = 1)
  weights <- rep(0:1, 25)
  f <- initialize_from_data(f, data, cbind(rnorm(50)), weights)
  p <- params(f)$layers[[1]]
  expect_equal(p$loc, c(mean(data[weights == 1, 1]), 7))
  expect_equal(p$scale[2], 0)
  f <- flow(layer_planar(), 2)
  expect_identical(initialize_from_data(f, data), f)
})
