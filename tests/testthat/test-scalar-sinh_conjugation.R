x <- c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9)

test_that("sinh_conjugation conforms", {
  expect_scalar_ok(scalar_sinh_conjugation(), x)
  expect_scalar_ok(scalar_sinh_conjugation(1), x, spread = 1)
})

test_that("sinh_conjugation is the conjugation of an affine map by sinh", {
  f <- flow(layer_elementwise(scalar_sinh_conjugation()), d = 1)
  params(f) <- c(0.4, -0.6, 1.3, -0.7, 0.9)
  alpha <- log1p(exp(-0.6)) + 0.1
  t <- (x - 0.4) / alpha
  z <- exp(asinh(-0.7)) * (exp(asinh(0.9)) * sinh(t) + 1.3)
  out <- forward(f, x)
  expect_equal(c(out$value), 0.4 + alpha * asinh(z), tolerance = 1e-13)
  expect_equal(out$logdet, asinh(-0.7) + asinh(0.9) + log(cosh(t)) - log1p(z^2) / 2, tolerance = 1e-13)
})

test_that("sinh_conjugation starts at alpha = 1 and beta small", {
  f <- flow(layer_elementwise(scalar_sinh_conjugation(0)), d = 1)
  expect_equal(unname(coef(f)), c(0, log(expm1(0.9)), 0, 0, 0))
  out <- forward(f, x)
  expect_equal(c(out$value), x, tolerance = 1e-14)
  expect_lt(max(abs(out$logdet)), 1e-14)
})

test_that("log-derivatives of distant points are exactly 0, and slow growth is kept", {
  f <- flow(layer_elementwise(scalar_sinh_conjugation()), d = 1)
  params(f) <- c(0.1, 0.5, 0.3, 2, -0.3)
  far <- matrix(c(1e3, -1e8, 1e16, -1e100, 1e300))
  shift <- sign(far) * (log1p(exp(0.5)) + 0.1) * (asinh(2) + asinh(-0.3))
  for (inverse in c(FALSE, TRUE)) {
    out <- native_map(f, far, NULL, inverse)
    expect_equal(out$value, far + (if (inverse) -1 else 1) * shift, tolerance = 1e-15)
    expect_identical(out$logdet, numeric(5))
  }
  # y = x +- alpha (mu + nu), so this is the gradient with respect to alpha, mu and nu
  grad <- core_vjp(f, far[5, , drop = FALSE], FALSE)
  expect_equal(unname(grad$params[1]), 0)
  expect_equal(grad$x[1], 1)
  expect_equal(unname(grad$params[2]), (asinh(2) + asinh(-0.3)) / (1 + exp(-0.5)), tolerance = 1e-12)
})

test_that("the two ways of computing a row agree where one takes over from the other", {
  f <- flow(layer_elementwise(scalar_sinh_conjugation()), d = 1)
  params(f) <- c(0, log(expm1(0.9)), 1e5, 0.8, -0.6)
  at <- 200 * (1 + 1e-13 * c(-1, 1))
  for (inverse in c(FALSE, TRUE)) {
    out <- lapply(at, function(x) core_vjp(f, matrix(x), inverse))
    for (field in c("value", "logdet", "x", "params")) {
      expect_equal(out[[1]][[field]], out[[2]][[field]], tolerance = 1e-9)
    }
  }
})

test_that("sinh_conjugation checks its arguments", {
  expect_error(scalar_sinh_conjugation(-1), "init_scale")
})
