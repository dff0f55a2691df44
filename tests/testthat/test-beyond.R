few <- function(..., kinds = NULL) {
  fit_flow(..., members = stack_members(kinds, folds = 2, fits = 1), steps = 20, progress = FALSE)
}

of_kind <- function(fit, kind) Filter(function(member) member$kind == kind, fit$members)

test_that("what is beyond a support that was found is unlikely, not impossible", {
  set.seed(1)
  x <- data.frame(percent = 100 * rbeta(80, 2, 0.3), z = rnorm(80))
  x$percent <- pmin(round(x$percent, 2), 99.99)
  expect_true(sum(x$percent >= 95) >= 5)
  fit <- few(x)
  expect_output(print(fit), "support: percent (0, 100)", fixed = TRUE)
  beyond <- of_kind(fit, "beyond")[[1]]
  expect_equal(beyond$weight, 1e-4 / sum(fit$folds > 0))
  expect_equal(sum(vapply(fit$members, `[[`, 0, "weight")), 1)
  outside <- data.frame(percent = c(100, 120, -20), z = 0)
  expect_equal(
    logdensity(fit, outside), log(beyond$weight) + native_log_density(beyond$flows[[1]], as.matrix(outside), NULL)
  )
  # naive reference: the predictive distribution of the columns as they are
  z <- scale(x)
  found <- fit_predictive_normal(unname(z[, ]), NULL)
  at <- (c(100, 0) - attr(z, "scaled:center")) / attr(z, "scaled:scale")
  u <- solve(found$root, at - found$mean)
  df <- found$df
  by_hand <- lgamma((df + 2) / 2) - lgamma(df / 2) - log(df * pi) - log(abs(det(found$root))) -
    (df + 2) / 2 * log1p(sum(u^2) / df) - sum(log(attr(z, "scaled:scale")))
  expect_equal(logdensity(fit, outside[1, ]), log(beyond$weight) + by_hand, tolerance = 1e-6)
  expect_true(all(abs(sample(fit, 1e4)$percent - 50) < 50))
})

test_that("supports that were told are kept, and where none were found there is nothing beyond", {
  set.seed(2)
  x <- data.frame(price = rlnorm(100), other = rlnorm(100))
  told <- few(x, support = list(price = positive(), other = positive()))
  expect_length(of_kind(told, "beyond"), 0)
  expect_identical(logdensity(told, data.frame(price = -1, other = 1)), -Inf)
  half <- few(x, support = list(price = positive()))
  expect_length(of_kind(half, "beyond"), 1)
  expect_identical(logdensity(half, data.frame(price = -1, other = 1)), -Inf)
  expect_true(is.finite(logdensity(half, data.frame(price = 1, other = -1))))
  expect_length(of_kind(few(data.frame(a = rnorm(60), b = rnorm(60))), "beyond"), 0)
})

test_that("given conditions, and trained further, it stays", {
  set.seed(3)
  d <- data.frame(x = rnorm(150))
  d$y <- rlnorm(150, d$x)
  fit <- few(y ~ x, data = d)
  expect_true(is.finite(logdensity(fit, data.frame(x = 0, y = -1))))
  share <- of_kind(fit, "beyond")[[1]]$weight
  expect_equal(share, 1e-4 / sum(fit$folds > 0))
  further <- resume(fit, d, steps = 5)
  expect_equal(of_kind(further, "beyond")[[1]]$weight, share)
  # members on t distributions have no mean behind a logarithm
  means <- predict(fit, d, type = "response")
  expect_lt(max(abs(log(means) - d$x - 0.5)), 2)
})
