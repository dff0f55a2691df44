x <- c(0.2, 0.3, 1, 1.7, 2.9, 12)

test_that("power conforms", {
  positive <- c(0, Inf)
  expect_scalar_ok(scalar_power(0.5), x, positive, positive, extreme_inverse = c(1e-101, 1e101))
  expect_scalar_ok(scalar_power(3), x, positive, positive, extreme = c(1e-101, 1e101))
  expect_scalar_ok(scalar_power(-1.5), x, positive, positive, c(1e-101, 1e101), c(1e-101, 1e101))
})

test_that("power is x^p", {
  for (p in c(0.5, 3, 1.681, -2)) {
    f <- flow(layer_elementwise(scalar_power(p)), d = 1)
    expect_equal(c(forward(f, x)$value), x^p, tolerance = 1e-13)
    expect_equal(forward(f, x)$logdet, log(abs(p)) + (p - 1) * log(x), tolerance = 1e-13)
    expect_equal(c(inverse(f, x)$value), x^(1 / p), tolerance = 1e-13)
  }
})

test_that("power checks its arguments", {
  expect_error(scalar_power(0), "exponent")
  expect_error(scalar_power(Inf), "exponent")
  expect_error(scalar_power("a"), "exponent")
})
