small <- net_mlp(width = 5, activation = "tanh")

test_that("affine and spline couplings", {
  expect_layer_ok(layer_coupling(scalar_affine(), small), d = 2)
  expect_layer_ok(layer_coupling(scalar_affine(), small), d = 5, d_condition = 2)
  expect_layer_ok(layer_coupling(scalar_rq_spline(knots = 3), small), d = 3)
  expect_layer_ok(layer_coupling(scalar_rq_spline(knots = 2), small), d = 3, d_condition = 1)
  expect_layer_ok(layer_coupling(scalar_tanh_affine(), small), d = 4, d_condition = 1)
  expect_layer_ok(layer_coupling(scalar_affine(), small, add_initial = FALSE), d = 3)
})

test_that("masks", {
  expect_layer_ok(layer_coupling(scalar_affine(), small, mask = c(FALSE, TRUE, FALSE, TRUE)), d = 4)
  f <- expect_layer_ok(layer_coupling(scalar_affine(), small, mask = c(TRUE, FALSE, TRUE)), d = 3, d_condition = 1)
  x <- matrix(rnorm(12), 4)
  y <- forward(f, x, 0.3)$value
  expect_identical(y[, c(1, 3)], x[, c(1, 3)])
  expect_false(any(y[, 2] == x[, 2]))
})

test_that("swap transforms the first half instead", {
  f <- expect_layer_ok(layer_coupling(scalar_affine(), small, swap = TRUE), d = 5)
  x <- matrix(rnorm(10), 2)
  y <- forward(f, x)$value
  expect_identical(y[, 3:5], x[, 3:5])
  expect_false(any(y[, 1:2] == x[, 1:2]))
})

test_that("with nothing to see the parameters are constants", {
  expect_layer_ok(layer_coupling(scalar_affine(), small), d = 1)
  expect_layer_ok(layer_coupling(scalar_affine(), small, mask = c(FALSE, FALSE)), d = 2)
  f <- expect_layer_ok(layer_coupling(scalar_affine(), small), d = 1, d_condition = 2)
  expect_false(forward(f, 0, cbind(0, 1))$value == forward(f, 0, cbind(1, 1))$value)
})

# outputs come coordinate after coordinate, within one as the scalar names its parameters
test_that("coupling is the net and the scalar, written out", {
  set.seed(1)
  net <- net_mlp(c(5, 4), activation = "tanh", init = "uniform")
  f <- flow(layer_coupling(scalar_affine(), net), 5, d_condition = 2)
  p <- params(f)$layers[[1]]$net
  x <- matrix(rnorm(20), 4)
  condition <- matrix(rnorm(8), 4)
  out <- forward(f, x, condition)
  for (i in 1:4) {
    raw <- matrix(naive_mlp(p, c(x[i, 1:2], condition[i, ]), "tanh"), 2)
    scale <- log1p(exp(raw[2, ] + log(expm1(0.99)))) + 0.01
    expect_equal(out$value[i, ], c(x[i, 1:2], x[i, 3:5] * scale + raw[1, ]), tolerance = 1e-13)
    expect_equal(out$logdet[i], sum(log(scale)), tolerance = 1e-12)
  }
})

test_that("a zero output is the identity, if the initial values are added", {
  x <- matrix(rnorm(6), 2)
  f <- flow(layer_coupling(scalar_rq_spline(), small), 3)
  expect_equal(forward(f, x), list(value = x, logdet = c(0, 0)), tolerance = 1e-14)
  f <- flow(layer_coupling(scalar_affine(min_scale = 0), small, add_initial = FALSE), 2)
  expect_equal(forward(f, cbind(1, 1))$value, cbind(1, log(2)))
})

test_that("wrong arguments are named", {
  expect_error(layer_coupling(mask = c(TRUE, TRUE)), "mask", class = "bijectr_error_argument")
  expect_error(layer_coupling(mask = 1), "mask", class = "bijectr_error_argument")
  expect_error(layer_coupling(net = scalar_affine()), "net", class = "bijectr_error_argument")
  expect_error(flow(layer_coupling(mask = c(TRUE, FALSE)), d = 3), "mask")
})

test_that("a flow holds the mask, without which the core makes none", {
  mask <- function(...) flow(layer_coupling(...), d = 5)$layers$layers[[1]]$mask
  expect_identical(mask(), c(TRUE, TRUE, FALSE, FALSE, FALSE))
  expect_identical(mask(swap = TRUE), !mask())
  expect_identical(mask(mask = c(FALSE, TRUE, TRUE, TRUE, FALSE)), c(FALSE, TRUE, TRUE, TRUE, FALSE))
  expect_error(flow(layer_coupling(swap = TRUE), d = 1), "nothing to transform")
  f <- flow(layer_coupling(), d = 5)
  f$layers$layers[[1]]["mask"] <- list(NULL)
  expect_error(logdensity(f, numeric(5)), "mask", class = "bijectr_error")
})
