x <- c(-90, -5.2, -1.2, -0.4, 0, 0.3, 1.7, 2.9, 40)

test_that("tanh_plus_linear conforms", {
  for (m in c(0.01, 0.3, 1)) expect_scalar_ok(scalar_tanh_plus_linear(m), x)
})

test_that("tanh_plus_linear is tanh x + m x, with full accuracy of its slope in the tails", {
  f <- flow(layer_elementwise(scalar_tanh_plus_linear(1e-6)), d = 1)
  x <- c(-50, -7, -1, 0, 0.5, 9)
  out <- forward(f, x)
  expect_equal(c(out$value), tanh(x) + 1e-6 * x, tolerance = 1e-15)
  expect_equal(out$logdet, log(1 / cosh(x)^2 + 1e-6), tolerance = 1e-14)
})

test_that("the inverse solves for x from the flattest line to the steepest, at both ends", {
  x <- c(-1e12, -1e3, -20, -6, -0.7, -1e-200, 0, 1e-12, 0.34, 0.36, 3, 15, 300, 1e140)
  for (m in c(1e-6, 1e-3, 0.01, 1)) {
    f <- flow(layer_elementwise(scalar_tanh_plus_linear(m)), d = 1)
    y <- tanh(x) + m * x
    back <- c(inverse(f, y)$value)
    expect_lt(max(abs(back - x) / pmax(abs(x), 1)), 1e-15 / m)
    expect_equal(back[6:8] / c(1e-200, 1, 1e-12), x[6:8] / c(1e-200, 1, 1e-12), tolerance = 1e-15)
    expect_lt(max(abs(tanh(back) + m * back - y) / pmax(abs(y), 1e-300)), 1e-15)
  }
})

test_that("the inverse of the largest numbers is finite", {
  f <- flow(layer_elementwise(scalar_tanh_plus_linear()), d = 1)
  out <- core_vjp(f, matrix(c(-1, 1) * .Machine$double.xmax), inverse = TRUE)
  expect_true(all(is.finite(c(out$value, out$x))))
  expect_equal(out$logdet, -rep(log(0.01), 2))
})

test_that("tanh_plus_linear checks its argument", {
  expect_error(scalar_tanh_plus_linear(0), "min_slope")
  expect_error(scalar_tanh_plus_linear(2), "min_slope")
})
