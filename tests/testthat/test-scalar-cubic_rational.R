x <- c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9)

test_that("cubic_rational conforms", {
  expect_scalar_ok(scalar_cubic_rational(), x)
  expect_scalar_ok(scalar_cubic_rational(1), x, spread = 1)
})

rational_alpha <- function(raw) {
  lo <- -0.999
  hi <- 7.999
  lo + (hi - lo) * stats::plogis(raw + stats::qlogis(-lo / (hi - lo)))
}

test_that("cubic_rational is x + alpha u / (1 + beta u^2)", {
  f <- flow(layer_elementwise(scalar_cubic_rational()), d = 1)
  for (raw in c(-1.3, 0, 2)) {
    params(f) <- c(0.4, raw, -0.7)
    alpha <- rational_alpha(raw)
    beta <- 0.1 + log1p(exp(0.3))
    u <- x - 0.4
    out <- forward(f, x)
    expect_equal(c(out$value), x + alpha * u / (1 + beta * u^2), tolerance = 1e-13)
    expect_equal(out$logdet, log(1 + alpha * (1 - beta * u^2) / (1 + beta * u^2)^2), tolerance = 1e-12)
  }
})

test_that("cubic_rational starts at alpha small and beta = 1", {
  f <- flow(layer_elementwise(scalar_cubic_rational(0)), d = 1)
  expect_equal(unname(coef(f)), c(0, 0, log(expm1(0.9)) - 1))
  expect_equal(c(forward(f, x)$value), x, tolerance = 1e-15)
})

test_that("the root is found everywhere, also next to a triple root", {
  f <- flow(layer_elementwise(scalar_cubic_rational()), d = 1)
  grid <- matrix(c(0, 10^seq(-12, 12, length.out = 2001), seq(0, 20, length.out = 4001)))
  for (raw in c(-1e4, -40, -5, -1, -0.01, 0, 0.01, 1, 3, 6, 8, 10, 40, 1e4)) {
    params(f) <- c(0, raw, 0.2)
    there <- forward(f, grid)
    back <- inverse(f, there$value)
    # a slope of 1e-4 multiplies the rounding of the value
    loose <- 4e-16 * exp(pmax(0, -there$logdet)) + 4e-16
    expect_true(all(abs(back$value - grid) <= 4 * loose * grid), info = raw)
    expect_equal(c(forward(f, back$value)$value), c(there$value), tolerance = 1e-14)
    expect_equal(back$logdet, -there$logdet, tolerance = 1e-9)
  }
})

test_that("cubic_rational leaves distant points where they are", {
  f <- flow(layer_elementwise(scalar_cubic_rational()), d = 1)
  far <- matrix(c(1e9, 1e60, -1e154, 1e155, -1e300))
  for (beta in c(0.2, 1e4, 1e300)) {
    params(f) <- c(0, 1, beta)
    for (inverse in c(FALSE, TRUE)) {
      out <- native_map(f, far, NULL, inverse)
      expect_equal(out$value, far, tolerance = 1e-15)
      expect_lt(max(abs(out$logdet)), 1e-15)
    }
  }
})

test_that("cubic_rational checks its arguments", {
  expect_error(scalar_cubic_rational(-1), "init_scale")
})
