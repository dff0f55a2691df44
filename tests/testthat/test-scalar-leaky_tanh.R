x <- c(-9, -3.2, -1.2, -0.4, 0, 0.3, 1.7, 2.9, 40)

test_that("leaky_tanh conforms", {
  expect_scalar_ok(scalar_leaky_tanh(), x)
  expect_scalar_ok(scalar_leaky_tanh(1.474), x)
  expect_scalar_ok(scalar_leaky_tanh(5), x)
})

test_that("leaky_tanh is tanh, then its tangent lines", {
  f <- flow(layer_elementwise(scalar_leaky_tanh(2)), d = 1)
  out <- forward(f, c(-5, -1, 0, 2, 3))
  slope <- 1 - tanh(2)^2
  expect_equal(c(out$value), c(-tanh(2) - 3 * slope, tanh(-1), 0, tanh(2), tanh(2) + slope), tolerance = 1e-14)
  expect_equal(out$logdet, log(c(slope, 1 - tanh(1)^2, 1, slope, slope)), tolerance = 1e-14)
})

test_that("the inverse has finite, right gradients at -1 and 1", {
  f <- flow(layer_elementwise(scalar_leaky_tanh()), d = 1)
  slope <- 1 / (1 - tanh(3)^2)
  out <- flow_vjp(f, matrix(c(-1, 1)), TRUE, list(value = c(1, 1), logdet = c(1, 1)))
  expect_equal(c(out$x), c(slope, slope), tolerance = 1e-12)
  expect_equal(out$logdet, log(c(slope, slope)), tolerance = 1e-12)
})

test_that("leaky_tanh checks its arguments", {
  expect_error(scalar_leaky_tanh(0), "max_value")
  expect_error(scalar_leaky_tanh(40), "max_value")
})
