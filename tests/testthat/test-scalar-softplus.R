test_that("softplus conforms", {
  expect_scalar_ok(scalar_softplus(), c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9), range = c(0, Inf))
})

test_that("softplus is accurate in its tails", {
  f <- flow(layer_elementwise(scalar_softplus()), d = 1)
  x <- c(-700, -40, -1, 0, 1, 40, 1e5)
  for (i in seq_along(x)) {
    expect_equal(c(forward(f, x[i])$value), max(x[i], 0) + log1p(exp(-abs(x[i]))), tolerance = 1e-14)
    expect_equal(forward(f, x[i])$logdet, plogis(x[i], log.p = TRUE), tolerance = 1e-14)
  }
  y <- c(1e-300, 1e-10, 0.3, 2, 40, 1e5)
  for (i in seq_along(y)) {
    expect_equal(c(inverse(f, y[i])$value), y[i] + log(-expm1(-y[i])), tolerance = 1e-14)
    log_slope <- if (y[i] < 1) -log(-expm1(-y[i])) else -log1p(-exp(-y[i]))
    expect_equal(inverse(f, y[i])$logdet, log_slope, tolerance = 1e-13)
  }
})
