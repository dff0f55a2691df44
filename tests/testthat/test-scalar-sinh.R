test_that("sinh conforms", {
  expect_scalar_ok(scalar_sinh(), c(-2.9, -1.2, -0.4, 0, 0.3, 1.7, 2.6), extreme = c(-700, 700))
})

test_that("sinh is accurate near 0 and in its tails", {
  f <- flow(layer_elementwise(scalar_sinh()), d = 1)
  x <- c(1e-10, 0.5, 5, 15, 300, 700)
  expect_equal(c(forward(f, x)$value), sinh(x), tolerance = 1e-14)
  expect_equal(forward(f, x)$logdet, x + log1p(exp(-2 * x)) - log(2), tolerance = 1e-14)
  y <- c(1e-300, -0.3, 4, 1e10, -1e100, 1e149)
  expect_equal(c(inverse(f, y)$value), asinh(y), tolerance = 1e-14)
  expect_equal(inverse(f, y)$logdet, ifelse(abs(y) > 1e8, -log(abs(y)), -log1p(y^2) / 2), tolerance = 1e-14)
})
