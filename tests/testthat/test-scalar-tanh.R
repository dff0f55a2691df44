test_that("tanh conforms", {
  expect_scalar_ok(scalar_tanh(), c(-2.9, -1.2, -0.4, 0, 0.3, 1.7, 2.6), range = c(-1, 1))
})

test_that("tanh is accurate in its tails", {
  f <- flow(layer_elementwise(scalar_tanh()), d = 1)
  x <- c(1e-10, 0.5, 5, 15, 300, 1e5)
  expect_equal(c(forward(f, x)$value), tanh(x), tolerance = 1e-15)
  expect_equal(forward(f, x)$logdet, 2 * (log(2) - x - log1p(exp(-2 * x))), tolerance = 1e-14)
  y <- c(1e-300, 0.3, 1 - 1e-3, 1 - 1e-9, 1 - 1e-15)
  expect_equal(c(inverse(f, y)$value), atanh(y), tolerance = 1e-12)
  expect_equal(inverse(f, -y)$logdet, -log1p(-y) - log1p(y), tolerance = 1e-14)
})
