test_that("gaussian_cdf conforms", {
  expect_scalar_ok(scalar_gaussian_cdf(), c(-2.9, -1.2, -0.4, 0, 0.3, 1.7, 2.6),
    range = c(0, 1), extreme = c(-1e150, 1e150)
  )
})

test_that("gaussian_cdf has the digits of pnorm and dnorm, also in the tails", {
  f <- flow(layer_elementwise(scalar_gaussian_cdf()), d = 1)
  x <- c(seq(-37, 8, length.out = 1001), -1e-300, 0, 1e-20, 40)
  value <- c(forward(f, x)$value)
  expect_lt(max(abs(value / stats::pnorm(x) - 1)), 3e-14) # the library's own error included
  expect_equal(log(value), stats::pnorm(x, log.p = TRUE), tolerance = 1e-15)
  expect_equal(forward(f, x)$logdet, stats::dnorm(x, log = TRUE), tolerance = 1e-15)
  expect_identical(c(forward(f, -1e10)$value), 0)
  expect_equal(forward(f, -1e10)$logdet, -5e19)
})

test_that("its inverse has the digits of qnorm", {
  f <- flow(layer_elementwise(scalar_gaussian_cdf()), d = 1)
  p <- c(10^-(300:1), seq(0.01, 0.99, length.out = 501), 1 - 10^-(2:15))
  out <- inverse(f, p)
  expect_equal(c(out$value), stats::qnorm(p), tolerance = 1e-14)
  expect_lt(max(abs(out$value - stats::qnorm(p)) / (1e-3 + abs(stats::qnorm(p)))), 1e-13)
  expect_equal(out$logdet, -stats::dnorm(stats::qnorm(p), log = TRUE), tolerance = 1e-13)
})
