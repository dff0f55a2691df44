# What is learned from the training rows: scales, moments, dependence.

test_that("quantiles with weights are those of repeated rows, for any scale", {
  set.seed(1)
  x <- round(rnorm(40), 1)
  times <- rep(c(0, 1, 3, 2), 10)
  p <- c(0, 0.1, 0.25, 0.5, 0.9, 1)
  expect_equal(weighted_quantile(x, p), unname(quantile(x, p, type = 5)))
  expect_equal(weighted_quantile(x, p, rep(2, 40)), weighted_quantile(x, p), tolerance = 0.05)
  expect_equal(
    robust_scale(rnorm(1e4), rep(1, 1e4)), c(center = 0, scale = 1), tolerance = 0.05
  )
  odd <- replace(x, times == 0, 1e9)
  expect_identical(robust_scale(odd, times), robust_scale(x, times))
  expect_equal(robust_scale(x * 1e-300, times), robust_scale(x, times) * 1e-300)
})

test_that("robust scales fall back to wider ranges", {
  x <- c(rep(0, 80), 1:20)
  expect_equal(robust_scale(x)[["center"]], 0)
  expect_gt(robust_scale(x)[["scale"]], 0)
  expect_identical(robust_scale(c(rep(0, 999), 1))[["scale"]], NA_real_)
})

test_that("constant is relative to the magnitude", {
  is_flat <- function(x) length(flat_columns(cbind(x))) == 1
  expect_true(is_flat(c(0.1, 0.3 / 3, 1 - 0.9)))
  expect_true(is_flat(rep(0, 3)))
  set.seed(2)
  for (unit in c(1e-300, 1e-12, 1, 1e12, 1e140)) expect_false(is_flat(unit * rnorm(5)))
  expect_error(fit_flow(c(0.1, 0.3 / 3, 1 - 0.9), steps = 1), "constant", class = "bijectr_error_argument")
  expect_error(
    fit_flow(c(1, 2, 3, 3, 3, 3), weights = c(0, 0, 1, 1, 1, 1), validation = 0, steps = 1), "constant",
    class = "bijectr_error_argument"
  )
})

test_that("moments do not under- or overflow, and whitening holds for all scales", {
  set.seed(3)
  z <- matrix(rnorm(300), 100)
  z[, 3] <- z[, 1] + 0.1 * z[, 3]
  for (unit in c(1e-300, 1e-12, 1, 1e12, 1e145)) {
    x <- z * rep(c(unit, 1, unit), each = 100)
    found <- center_and_root(x, 1:100, NULL, "whiten")
    white <- forwardsolve(found$root / found$scale, t(x - rep(found$center, each = 100)) / found$scale)
    expect_equal(cov(t(white)), diag(3))
    fit <- fit_flow(x, layer_flip(), steps = 1)
    expect_true(is.finite(fit$loglik))
    expect_equal(apply(sample(fit, 2000) / rep(c(unit, 1, unit), each = 2000), 2, sd), apply(z, 2, sd), tolerance = 0.1)
  }
})

test_that("small pivots are those of the rows, not of their correlations", {
  set.seed(4)
  n <- 500
  x <- cbind(rnorm(n), rnorm(n))
  for (size in 10^-(2:6)) {
    noise <- rnorm(n)
    y <- cbind(x, x %*% c(1, 1) + size * noise)
    root <- center_and_root(y, seq_len(n), NULL, "whiten")$root
    expect_equal(root[3, 3], size * sd(resid(lm(noise ~ x))),
      tolerance = 1e-4
    )
    expect_equal(tcrossprod(root), cov(y), tolerance = 1e-9)
    # weights count as repeated rows
    weights <- rep(c(1, 2), n / 2)
    weighted <- center_and_root(y, seq_len(n), weights, "whiten")$root
    expect_equal(tcrossprod(weighted), cov.wt(y, weights)$cov, tolerance = 1e-9)
  }
})

test_that("exact dependence is refused and names the columns, robust or not", {
  set.seed(5)
  x <- data.frame(a = rnorm(100), b = rt(100, 1), c = rnorm(100))
  expect_refused <- function(data, ...) {
    for (how in c("robust", "whiten", "scale", "none")) {
      e <- tryCatch(fit_flow(data, standardize = how, steps = 1), error = identity)
      expect_s3_class(e, "bijectr_error_argument")
      for (word in c(...)) expect_match(conditionMessage(e), word, fixed = TRUE)
    }
  }
  expect_refused(cbind(x, d = x$a), "Column d ", "function of a:")
  expect_refused(cbind(x, d = 1e5 + x$a - 2 * x$b), "Column d ", "function of a and b:")
  expect_refused(cbind(x, d = x$a, e = x$c), "Column d ", "The same holds for e")
  shares <- exp(x[c("a", "c")]) / (1 + rowSums(exp(x[c("a", "c")])))
  expect_refused(cbind(shares, rest = 1 - rowSums(shares)), "Column rest ", "function of a and c:")
})

test_that("one outlier moves nothing by much where scales are robust", {
  set.seed(6)
  x <- cbind(a = rnorm(200), b = rnorm(200))
  x[, 2] <- x[, 1] + 0.1 * x[, 2]
  clean <- center_and_root(x, 1:200, NULL, "auto")
  expect_identical(clean$kind, "whiten")
  spoilt <- x
  spoilt[7, 1] <- 1e6
  found <- center_and_root(spoilt, 1:200, NULL, "auto")
  expect_identical(found$kind, "robust")
  expect_equal(found$center, unname(clean$center), tolerance = 0.3)
  expect_equal(found$root, clean$root, tolerance = 0.2)
  # a row of weight zero moves nothing at all
  weights <- replace(rep(1, 200), 7, 0)
  expect_equal(center_and_root(spoilt, 1:200, weights, "robust"), center_and_root(x, 1:200, weights, "robust"))
})
