x <- c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9)

test_that("affine conforms", {
  expect_scalar_ok(scalar_affine(), x)
  expect_scalar_ok(scalar_affine(min_scale = 0), x)
  expect_scalar_ok(scalar_affine(scale = "exp"), x)
  expect_scalar_ok(scalar_affine(limit = 1), x)
  expect_scalar_ok(scalar_affine(limit = 0.3), x, spread = 2)
  expect_scalar_ok(scalar_affine("exp", limit = 2), x)
})

test_that("with a limit the log scale is bounded, and the same near 0", {
  logdet <- function(raw, ...) {
    f <- flow(layer_elementwise(scalar_affine(...)), d = 1)
    vapply(raw, function(r) {
      params(f) <- c(0, r)
      forward(f, 1)$logdet
    }, 0)
  }
  raw <- c(-1e300, -40, -3, -1, -0.5, 0, 0.2, 1, 2.9, 50, 1e300)
  bounded <- logdet(raw, "exp", limit = 2)
  expect_equal(bounded[2:10], (raw / (1 + (raw / 2)^4)^(1 / 4))[2:10], tolerance = 1e-14)
  expect_equal(bounded[c(1, 11)], c(-2, 2), tolerance = 1e-9)
  expect_lt(max(abs(bounded / raw - 1)[abs(raw) <= 1 & raw != 0]), 0.016)
  v <- log(log1p(exp(raw[3:10])) + 0.01)
  expect_equal(logdet(raw[3:10], limit = 3), v / (1 + (v / 3)^4)^(1 / 4), tolerance = 1e-13)
  expect_equal(logdet(raw[1], min_scale = 0, limit = 3), -3)
  x <- c(-2, 0.5)
  expect_identical(forward(flow(layer_elementwise(scalar_affine("exp", limit = 2)), d = 1), x)$value[, 1], x)
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
  expect_error(scalar_affine(limit = 0), "limit", class = "bijectr_error_argument")
  expect_error(scalar_affine(limit = 81), "limit", class = "bijectr_error_argument")
  expect_identical(format(scalar_affine(limit = 2)), "scalar_affine(scale = \"softplus\", min_scale = 0.01, limit = 2)")
  expect_null(scalar_affine()$limit)
  f <- flow(layer_elementwise(scalar_affine(limit = 2)), d = 1)
  f$layers$layers[[1]]$scalar$limit <- 1e9
  expect_error(forward(f, 1), "limit")
})
