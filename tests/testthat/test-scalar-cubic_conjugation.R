x <- c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9)

# A root of a u + b u^3 = v by bisection.
cubic_root <- function(a, b, v) {
  stats::uniroot(function(u) a * u + b * u^3 - v, c(-1e3, 1e3), tol = 1e-14)$root
}

test_that("cubic_conjugation conforms", {
  expect_scalar_ok(scalar_cubic_conjugation(), x)
  expect_scalar_ok(scalar_cubic_conjugation(1), x, spread = 1)
})

test_that("cubic_conjugation is the conjugation of a shift by a cubic", {
  f <- flow(layer_elementwise(scalar_cubic_conjugation()), d = 1)
  params(f) <- c(0.4, 1.3, -0.7, 0.9)
  a <- exp(2 * tanh(-0.35))
  b <- exp(2 * tanh(0.45))
  u <- x - 0.4
  w <- vapply(u, function(u) cubic_root(a, b, a * u + b * u^3 + 1.3), numeric(1))
  out <- forward(f, x)
  expect_equal(c(out$value), 0.4 + w, tolerance = 1e-12)
  expect_equal(out$logdet, log(a + 3 * b * u^2) - log(a + 3 * b * w^2), tolerance = 1e-12)
})

test_that("cubic_conjugation starts at a = 1, b = 0.3, beta small", {
  set.seed(1)
  f <- flow(layer_elementwise(scalar_cubic_conjugation(0.1)), d = 500)
  at <- params(f)$layers[[1]]
  expect_equal(exp(2 * tanh(at$a / 2)), rep(1, 500))
  expect_equal(exp(2 * tanh(at$b / 2)), rep(0.3, 500))
  expect_equal(at$loc, rep(0, 500))
  expect_lt(abs(stats::sd(at$beta) - 0.1), 0.02)
  expect_equal(coef(flow(layer_elementwise(scalar_cubic_conjugation(0)), d = 1))[[2]], 0)
})

test_that("cubic_conjugation is accurate where the cubic overflows", {
  f <- flow(layer_elementwise(scalar_cubic_conjugation()), d = 1)
  params(f) <- c(0, 0.5, 0.2, -0.3)
  far <- matrix(c(1e5, 1e20, 1e29, 1e31, 1e60, 1e100, 1e200, 1e300))
  for (inverse in c(FALSE, TRUE)) {
    out <- native_map(f, far, NULL, inverse)
    expect_equal(c(out$value / far), rep(1, 8), tolerance = 1e-14)
    expect_lt(max(abs(out$logdet)), 1e-14)
    # the gradients with respect to a and b vanish as 1 / u^2 and 1 / u, though u - w and u^3 - w^3 cancel
    grad <- vapply(1:8, function(i) core_vjp(f, far[i, , drop = FALSE], inverse)$params, numeric(4))
    expect_true(all(abs(grad[3, ]) < 10 / far^2 + 1e-300))
    expect_true(all(abs(grad[4, ]) < 10 / far))
  }
})

test_that("the value of a row does not depend on its neighbours", {
  f <- flow(layer_elementwise(scalar_cubic_conjugation()), d = 1)
  params(f) <- c(0.1, 0.5, 0.2, -0.3)
  rows <- matrix(c(x, 1e250, -1e40, 1e4, -5e3))
  for (inverse in c(FALSE, TRUE)) {
    all <- core_vjp(f, rows, inverse)
    for (i in seq_along(rows)) {
      one <- core_vjp(f, rows[i, , drop = FALSE], inverse)
      expect_identical(one$value[1], all$value[i])
      expect_identical(one$logdet, all$logdet[i])
      expect_identical(one$x[1], all$x[i])
    }
  }
})

test_that("cubic_conjugation meets offsets of any size", {
  f <- flow(layer_elementwise(scalar_cubic_conjugation()), d = 1)
  for (beta in c(1e15, 1e25, 1e60, 1e95, 1e200, 1e300)) {
    params(f) <- c(0, beta, 0, 0)
    out <- forward(f, c(-0.5, 0, 0.5))
    # beta = w + w^3
    expect_equal(c(out$value), rep(beta^(1 / 3), 3), tolerance = 1e-10)
    expect_equal(out$logdet, log(1 + 3 * c(0.25, 0, 0.25)) - log(3) - 2 / 3 * log(beta), tolerance = 1e-8)
    expect_true(all(is.finite(core_vjp(f, matrix(c(-0.5, 0, 0.5)), FALSE)$params)))
  }
})

test_that("cubic_conjugation checks its arguments", {
  expect_error(scalar_cubic_conjugation(-1), "init_scale")
  expect_error(scalar_cubic_conjugation("a"), "init_scale")
})
