test_that("tan conforms", {
  expect_scalar_ok(scalar_tan(), c(0.05, 0.2, 0.26, 0.5, 0.6, 0.74, 0.9), domain = c(0, 1), extreme = c(1e-101, 1))
})

test_that("tan is accurate at both ends of the interval", {
  f <- flow(layer_elementwise(scalar_tan()), d = 1)
  p <- c(1e-100, 1e-9, 0.1, 0.25, 0.4, 0.5, 0.7, 0.75, 0.99, 1 - 2^-50)
  y <- c(forward(f, p)$value)
  expect_equal(y, stats::qcauchy(p), tolerance = 1e-14)
  expect_equal(forward(f, p)$logdet, -stats::dcauchy(y, log = TRUE), tolerance = 1e-14)
  y <- c(-1e100, -1e9, -2, -1, -0.3, 0, 1e-5, 0.5, 1, 3, 1e10)
  expect_equal(log(c(inverse(f, y)$value)), stats::pcauchy(y, log.p = TRUE), tolerance = 1e-14)
  expect_equal(inverse(f, y)$logdet[-1], stats::dcauchy(y[-1], log = TRUE), tolerance = 1e-14)
  expect_equal(inverse(f, -1e100)$logdet, -log(pi) - 200 * log(10), tolerance = 1e-14)
})
