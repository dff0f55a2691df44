# Flows whose bases are filled from plain numbers, against densities in plain R.

filled <- function(base, raw, d) {
  f <- flow(layer_permute(seq_len(d)), d, base = base)
  params(f) <- raw
  f
}

random_root <- function(d) {
  root <- matrix(rnorm(d^2), d)
  diag(root) <- exp(rnorm(d) / 2)
  root # what stands above the diagonal must not matter
}

lower <- function(root) root * lower.tri(root, diag = TRUE)

log_normal <- function(x, mean, root) {
  sigma <- tcrossprod(lower(root))
  -mahalanobis(x, mean, sigma) / 2 - determinant(2 * pi * sigma)$modulus[1] / 2
}

test_that("bases are filled from means, roots, degrees of freedom and weights", {
  set.seed(1)
  for (d in c(1, 2, 5)) {
    x <- matrix(3 * rnorm(10 * d), 10)
    mean <- rnorm(d)
    root <- random_root(d)
    f <- filled(base_mvnormal(), raw_mvnormal(mean, root), d)
    expect_equal(logdensity(f, x), log_normal(x, mean, root), tolerance = 1e-11)

    for (df in c(0.3, 4, 80)) {
      f <- filled(base_mvstudent_t(), raw_mvstudent_t(mean, root, df), d)
      sigma <- tcrossprod(lower(root))
      expected <- lgamma((df + d) / 2) - lgamma(df / 2) - determinant(df * pi * sigma)$modulus[1] / 2 -
        (df + d) / 2 * log1p(mahalanobis(x, mean, sigma) / df)
      expect_equal(logdensity(f, x), expected, tolerance = 1e-11)
    }

    weight <- c(0.2, 0.5, 0.3)
    means <- matrix(rnorm(3 * d), 3)
    roots <- array(replicate(3, random_root(d)), c(d, d, 3))
    f <- filled(base_gaussian_mixture(3), raw_gaussian_mixture(weight, means, roots), d)
    terms <- vapply(1:3, function(c) {
      log(weight[c]) + log_normal(x, means[c, ], matrix(roots[, , c], d))
    }, numeric(10))
    most <- apply(terms, 1, max)
    expect_equal(logdensity(f, x), most + log(rowSums(exp(terms - most))), tolerance = 1e-11)
  }
})

test_that("a weight of nothing, and one component", {
  roots <- array(1, c(1, 1, 2))
  f <- filled(base_gaussian_mixture(2), raw_gaussian_mixture(c(0, 2), rbind(0, 1), roots), 1)
  expect_equal(logdensity(f, c(0, 3)), dnorm(c(0, 3), 1, log = TRUE))
  f <- filled(base_gaussian_mixture(1), raw_gaussian_mixture(1, rbind(c(0, 1)), array(diag(2), c(2, 2, 1))), 2)
  expect_equal(logdensity(f, cbind(0, 3)), dnorm(0, log = TRUE) + dnorm(3, 1, log = TRUE))
})

test_that("the inverse of softplus is accurate for tiny and for large numbers", {
  y <- c(1e-120, 1e-30, 1e-8, 0.01, 0.49, 0.5, 0.51, log(2), 1, 5, 30, 50, 700, 1e4, 1e10)
  expect_equal(softplus(inverse_softplus(y)) / y, rep(1, length(y)), tolerance = 1e-14)
  expect_equal(inverse_softplus(c(1e-120, 1e10)), c(log(1e-120), 1e10), tolerance = 1e-15)
  # the core's own
  f <- filled(base_mvnormal(), raw_mvnormal(0, 1e-100), 1)
  expect_equal(logdensity(f, 0), dnorm(0, log = TRUE) + 100 * log(10), tolerance = 1e-14)
  f <- filled(base_mvnormal(), raw_mvnormal(0, 1e50), 1)
  expect_equal(logdensity(f, 0), dnorm(0, log = TRUE) - 50 * log(10), tolerance = 1e-14)
})
