test_that("own and shared parameters", {
  expect_layer_ok(layer_elementwise(scalar_affine()), d = 3, extreme = 10^c(-300, -8, 3, 8, 100))
  expect_layer_ok(layer_elementwise(scalar_affine(), shared = TRUE), d = 3)
  expect_layer_ok(layer_elementwise(scalar_rq_spline(knots = 3)), d = 2, extreme = 10^c(-300, -8, 3, 8, 100))
  expect_layer_ok(layer_elementwise(scalar_rq_spline(knots = 3), shared = TRUE), d = 2)
  expect_layer_ok(layer_elementwise(scalar_tanh_affine()), d = 3)
})

test_that("many coordinates need more than one claim on the log-determinant", {
  f <- expect_layer_ok(layer_elementwise(scalar_affine(scale = "exp")), d = 37, spread = 2)
  expect_equal(forward(f, matrix(0, 1, 37))$logdet, sum(params(f)$layers[[1]]$scale))
  params(f)$layers[[1]]$scale <- rep(c(200, -200), length.out = 37)
  expect_equal(forward(f, matrix(0, 1, 37))$logdet, 200)
})

test_that("a layer without parameters", {
  expect_layer_ok(layer_elementwise(scalar_leaky_tanh()), d = 2)
  f <- flow(layer_elementwise(scalar_leaky_tanh()), d = 2)
  expect_length(coef(f), 0)
})

test_that("shared parameters are one set, own ones are d", {
  expect_length(coef(flow(layer_elementwise(scalar_affine(), shared = TRUE), d = 5)), 2)
  expect_length(coef(flow(layer_elementwise(scalar_affine()), d = 5)), 10)
  f <- flow(layer_elementwise(scalar_affine(scale = "exp"), shared = TRUE), d = 2)
  params(f) <- c(1, log(2))
  out <- forward(f, rbind(c(0, 1), c(-1, 3)))
  expect_equal(out$value, rbind(c(1, 3), c(-1, 7)))
  expect_equal(out$logdet, rep(2 * log(2), 2))
})

test_that("wrong arguments are named", {
  expect_error(layer_elementwise(net_mlp()), "scalar", class = "bijectr_error_argument")
  expect_error(layer_elementwise(scalar_affine(), shared = NA), "shared", class = "bijectr_error_argument")
})
