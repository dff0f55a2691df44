# Kernels of distances between rows, src/core/near.c, and the likelihood of logits, src/core/logits.c, against the same
# written in R.

test_that("kernels of distances are those of the formulas", {
  set.seed(1)
  for (d in c(1, 3, 20)) {
    for (n in c(1, 5, 32, 45)) {
      x <- matrix(rnorm(n * d), n)
      y <- matrix(rnorm(17 * d), 17)
      y[3, ] <- x[1, ]
      square <- outer(seq_len(n), 1:17, Vectorize(function(i, j) sum((x[i, ] - y[j, ])^2)))
      expect_equal(nearness(x, y, 0.3), exp(-sqrt(square / d) / 0.3), tolerance = 1e-13)
      expect_equal(normal_kernels(x, y, 0.7), exp(-square / (2 * 0.7^2)), tolerance = 1e-13)
      expect_identical(nearness(x, y, 1e-3)[1, 3], 1)
      # a row is computed in the same way wherever it stands
      expect_identical(nearness(x[n, , drop = FALSE], y, 0.3), nearness(x, y, 0.3)[n, , drop = FALSE])
    }
  }
  far <- matrix(c(1e10, 1e160, 1e300), 3)
  expect_true(all(nearness(far, matrix(0), 0.1) < 1e-300))
  expect_true(all(normal_kernels(far, matrix(0), 0.1) < 1e-300))
})

test_that("the border looks at what it is given", {
  x <- matrix(0, 2, 2)
  expect_error(native_near_kernels(x, matrix(0, 2, 3), 1, FALSE), "same columns")
  expect_error(native_near_kernels(1:2, x, 1, FALSE), "`x` must be a matrix")
  expect_error(native_near_kernels(x, x, NA, FALSE), "rate")
})

test_that("the likelihood of logits and its gradient are those of the formulas", {
  set.seed(2)
  for (n in c(1, 32, 45, 203)) {
    for (count in c(1, 2, 7)) {
      x <- cbind(1, matrix(rnorm(n * 4), n))
      y <- matrix(rpois(n * count, 0.5) + 0, n)
      b <- rnorm(5 * count, sd = 2)
      loss <- function(b) {
        eta <- x %*% matrix(b, 5)
        most <- apply(eta, 1, max)
        -sum(y * (eta - most - log(rowSums(exp(eta - most)))))
      }
      found <- native_logits_loss(x, y, b)
      expect_equal(found$loss, loss(b), tolerance = 1e-13)
      share <- exp(x %*% matrix(b, 5))
      expect_equal(found$gradient, crossprod(x, rowSums(y) * share / rowSums(share) - y), tolerance = 1e-12)
    }
  }
  far <- native_logits_loss(matrix(1, 1, 1), cbind(1, 0, 0), c(-2000, 0, 1000))
  expect_equal(far$loss, 3000)
  expect_equal(far$gradient, matrix(c(-1, 0, 1), 1))
  expect_error(native_logits_loss(x, y[-1, , drop = FALSE], b), "same rows")
  expect_error(native_logits_loss(x, y, b[-1]), "one for each column")
  expect_error(native_logits_loss(1, y, b), "`x` must be a matrix")
})
