x <- c(0.03, 0.2, 0.4, 0.5, 0.61, 0.9, 0.97)

test_that("beta_stretch conforms", {
  expect_scalar_ok(scalar_beta_stretch(), x, domain = c(0, 1), range = c(0, 1))
})

test_that("beta_stretch is x^a / (x^a + (1 - x)^a), and starts as the identity", {
  f <- flow(layer_elementwise(scalar_beta_stretch()), d = 1)
  expect_equal(c(forward(f, x)$value), x, tolerance = 1e-15)
  expect_lt(max(abs(forward(f, x)$logdet)), 1e-14)
  for (a in c(0.3, 2.5)) {
    params(f) <- log(expm1(a))
    y <- x^a / (x^a + (1 - x)^a)
    out <- forward(f, x)
    expect_equal(c(out$value), y, tolerance = 1e-13)
    expect_equal(out$logdet, log(a * y * (1 - y) / (x * (1 - x))), tolerance = 1e-12)
    r <- (x / (1 - x))^(1 / a)
    expect_equal(c(inverse(f, x)$value), r / (r + 1), tolerance = 1e-13)
  }
})

test_that("beta_stretch is accurate next to 0 and 1", {
  f <- flow(layer_elementwise(scalar_beta_stretch()), d = 1)
  params(f) <- log(expm1(0.5))
  out <- forward(f, c(1e-300, 1e-20, 1 - 1e-14))
  expect_equal(c(out$value)[1:2], c(1e-150, 1e-10), tolerance = 1e-9)
  expect_equal(out$logdet[1:2], log(0.5) - 0.5 * log(c(1e-300, 1e-20)), tolerance = 1e-9)
})
