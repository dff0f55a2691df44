x <- c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9)

test_that("affine conforms", {
  expect_scalar_ok(scalar_affine(), x)
  expect_scalar_ok(scalar_affine(min_scale = 0), x)
  expect_scalar_ok(scalar_affine(scale = "exp"), x)
})

test_that("affine is s x + t, and starts as the identity", {
  f <- flow(layer_elementwise(scalar_affine()), d = 1)
  expect_equal(c(forward(f, x)$value), x)
  params(f) <- c(2, 0.3)
  s <- log1p(exp(0.3)) + 0.01
  expect_equal(c(forward(f, x)$value), s * x + 2)
  expect_equal(forward(f, x)$logdet, rep(log(s), 7))
  f <- flow(layer_elementwise(scalar_affine("exp")), d = 1)
  params(f) <- c(2, 0.3)
  expect_equal(c(inverse(f, x)$value), (x - 2) * exp(-0.3))
})

test_that("affine checks its arguments", {
  expect_error(scalar_affine("softmax"), "scale")
  expect_error(scalar_affine(min_scale = -1), "min_scale")
})
