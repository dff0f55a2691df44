few <- function(..., kinds = NULL) {
  fit_flow(..., members = stack_members(kinds, folds = 2, fits = 1), steps = 20, progress = FALSE)
}

of_kind <- function(fit, kind) Filter(function(member) member$kind == kind, fit$members)

test_that("what is beyond a support that was found is unlikely, not impossible", {
  set.seed(1)
  x <- data.frame(percent = 100 * rbeta(80, 2, 0.3), z = rnorm(80))
  x$percent <- pmin(x$percent, 99.99 - runif(80) / 1000)
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

test_that("draws behind a logarithm that was found stay near the rows", {
  set.seed(4)
  x <- rgamma(400, 2)
  fit <- few(data.frame(x = x), kinds = c("normal", "student_t", "affine_t"))
  expect_identical(flow_supports(fit)[[1]]$curve, "log")
  expect_lt(max(sample(fit, 2e5)$x), 60 * max(x)) # without the reach 10^10 times
})

test_that("means that hang on tails are announced, and others are not", {
  set.seed(4)
  d <- data.frame(x = rnorm(200))
  d$y <- rlnorm(200, d$x, 0.5)
  fit <- few(y ~ x, data = d)
  expect_no_warning(predict(fit, d[1:3, ], type = "response"))
  wide <- few(log(y) ~ x, data = transform(d, y = y * exp(5 * rnorm(200))), kinds = "normal")
  expect_warning(predict(wide, d[1:3, ], type = "response"), class = "bijectr_warning_tail_mean")
  # lognormal of sigma: the share of the mean above the 99.9 per cent quantile is pnorm(sigma - qnorm(0.999))
  z <- qnorm(ppoints(1e5))
  share <- function(sigma) {
    sum(exp(sigma * z)[z > qnorm(0.999)]) / sum(exp(sigma * z))
  }
  rule <- quantile_rule(RESPONSE_NODES)
  at <- ifelse(rule$low, 1, -1) * qnorm(rule$p)
  for (sigma in c(0.5, 1, 2)) {
    part <- mean_within(exp(sigma * at), identity, matrix(rule$weight), rule$far & at > 0)
    expect_equal(part$far, pnorm(sigma - qnorm(0.999)), tolerance = 0.1)
    expect_equal(share(sigma), part$far, tolerance = 0.1)
  }
})

test_that("quantiles at the ends need no search, and those of several conditions are a matrix", {
  set.seed(5)
  fit <- few(rlnorm(60), kinds = c("normal", "student_t", "kernel", "beyond"))
  q <- qflow(c(0, 0.5, 1), fit)
  expect_identical(q[c(1, 3)], c(-Inf, Inf))
  expect_equal(pflow(q[2], fit), 0.5)
  expect_identical(unname(quantile(fit)[c(1, 3, 5)]), q)
  given <- few(dist ~ speed, data = cars, kinds = c("normal", "student_t"))
  new <- data.frame(speed = c(5, 10, 15))
  q <- quantile(given, c(0.1, 0.9), condition = new)
  expect_identical(dim(q), c(3L, 2L))
  expect_identical(colnames(q), c("10%", "90%"))
  expect_identical(q[[2, 2]], qflow(0.9, given, condition = new[2, , drop = FALSE]))
})

test_that("kinds that no row speaks for are left out, unless they were named", {
  set.seed(6)
  near <- transform(trees, S = Girth + rnorm(31) * 1e-6)
  fit <- fit_flow(near, steps = 20, members = stack_members(folds = 5, fits = 1), progress = FALSE)
  expect_true(all(c("diagonal", "kernel", "shrunk") %in% names(fit$left_out)))
  draws <- sample(fit, 5000)
  expect_lt(max(abs(draws$S - draws$Girth)), 1e-4)
  named <- few(near, kinds = c("normal", "diagonal"))
  expect_true(all(c("normal", "diagonal") %in% colnames(named$held_out)))
  # of fewer rows than columns a t distribution has no spread to speak of
  wide <- suppressWarnings(few(matrix(rnorm(96), 8)), classes = "bijectr_warning_few_rows")
  expect_true("student_t" %in% names(wide$left_out))
  expect_lt(sd(sample(wide, 5000)[, 1]), 3)
  log_density <- cbind(normal = c(0, 0, 0), full = c(-9, -9, -9), student_t = c(-8, -7, -7), beyond = -20)
  hopeless <- function(kept = character()) hopeless_kinds(log_density, stack_weights(log_density, 1:3), kept = kept)
  expect_identical(hopeless(c("student_t", "beyond")), "full")
  expect_identical(hopeless(), c("full", "student_t"))
  log_density[1, ] <- c(-9, -1, -8, -20)
  expect_identical(hopeless(), "student_t")
})

test_that("stacks say what is theirs", {
  set.seed(7)
  x <- data.frame(a = rnorm(40), b = rnorm(40))
  fit <- few(x, kinds = c("normal", "spline"))
  expect_error(resume(fit, transform(x, a = 2 * a), steps = 2), "is not what the stack was made from",
    class = "bijectr_error_argument"
  )
  expect_output(print(fit), "standard error")
  x$a[3] <- NA
  expect_error(fit_flow(x, na = "model", members = c("normal", "full")), "`members` is for stacks",
    class = "bijectr_error_argument"
  )
  few_rows <- tryCatch(fit_flow(matrix(rnorm(40), 8), steps = 2, members = "normal"), warning = identity)
  expect_false(grepl("validation = 0", conditionMessage(few_rows)))
  bad <- check_flow(few(c(rnorm(60), 30), kinds = "normal"), rnorm(200, 5))
  expect_identical(bad$verdict, "do not trust")
  expect_match(paste(bad$notes, collapse = " "), "stack_members(kinds)", fixed = TRUE)
})

test_that("what a second reader found stays mended", {
  set.seed(7)
  y <- rlnorm(300)
  fit <- few(y, kinds = c("spline", "beyond"))
  check <- check_flow(fit, c(rlnorm(300), -0.5), draws = 2000)
  expect_match(check$reasons, "1 of 301 rows lie outside of the support that the fit has found", all = FALSE)

  # the normal is compared with, though it is no member
  z <- data.frame(a = c(rnorm(100, 0, 1e-3), rnorm(100, 100, 1e-3)))
  z$b <- c(rnorm(100, 0, 1e-3), rnorm(100, 50, 1e-3))
  apart <- fit_flow(z, members = stack_members(folds = 2, fits = 1), steps = 50, progress = FALSE)
  expect_true("normal" %in% names(apart$left_out))
  expect_gt(apart$reference$flow, apart$reference$normal + 3)
  expect_output(print(apart), "gain over the normal")

  gaps <- data.frame(a = c(NA, rnorm(39)), b = rnorm(40))
  expect_error(fit_flow(gaps, na = "model", members = stack_members()), "stacks", class = "bijectr_error_argument")

  e <- data.frame(x = rnorm(80))
  e$y <- exp(6 * rnorm(80))
  r <- few(log(y) ~ x, data = e, kinds = "normal")
  expect_warning(predict(r, data.frame(x = c(NA, NA, 0)), type = "response"), "The mean of row 3 is made")
  expect_warning(
    predict(r, data.frame(x = c(NA, 1, 0)), type = "response"), "Means of 2 rows, the first of them row 2, are"
  )
  expect_identical(dim(quantile(r, numeric(), condition = e[1:2, "x", drop = FALSE])), c(2L, 0L))
  expect_identical(
    quantile(r, c(0.1, 0.9), condition = list(x = 1:2)), quantile(r, c(0.1, 0.9), condition = cbind(x = 1:2))
  )
  expect_error(resume(r, e, weights = runif(80), steps = 2), "`weights` is not what", class = "bijectr_error_argument")
  expect_error(resume(r, e[80:1, ], steps = 2), "`data` is not what", class = "bijectr_error_argument")

  # rows of a weight that says nothing do not keep a hopeless kind
  log_density <- cbind(normal = rnorm(500, -1, 0.1), full = rnorm(500, -4.5, 0.1), spline = rnorm(500, -1, 0.1))
  w <- c(rep(24, 20), rep(0.01, 480))
  expect_identical(hopeless_kinds(log_density, stack_weights(log_density, rep(1:2, 250), w), w), "full")
})
