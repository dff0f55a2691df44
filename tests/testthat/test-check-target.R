# Moments that a target does not have, and what fits to log densities have instead of covariances of parameters.

test_that("Hill's estimate is that of the outermost draws, weighted", {
  set.seed(1)
  x <- abs(rt(1e5, 2))
  equal <- rep(1e-5, 1e5)
  top <- sort(x, decreasing = TRUE)[1:2000]
  expect_equal(weighted_tail(x, equal), mean(log(top / min(top))), tolerance = 1e-3)
  expect_equal(weighted_tail(x, equal), 1 / 2, tolerance = 0.1)
  # draws of another density, by weights
  wide <- rcauchy(1e5)
  w <- dt(wide, 3) / dcauchy(wide)
  expect_equal(weighted_tail(abs(wide), w / sum(w)), weighted_tail(abs(rt(1e5, 3)), equal), tolerance = 0.15)
  expect_identical(weighted_tail(x[1:100], rep(0.01, 100)), NA_real_)
})

test_that("a standard deviation that does not exist is told as such", {
  set.seed(1)
  cauchy <- function(x) rowSums(dcauchy(x, log = TRUE))
  found <- check_flow(fit_flow(cauchy, d = 2, names = c("a", "b")))
  expect_true(all(found$moments$tail > 0.5))
  expect_true(any(grepl("^a: the standard deviation .* By its tails the target may have none", found$reasons)))
  normal <- check_flow(fit_flow(function(x) rowSums(dnorm(x, log = TRUE)), d = 2))
  expect_true(all(normal$moments$tail < 0.3))
})

test_that("covariances of parameters lead to those of the target", {
  fit <- fit_flow(function(x) rowSums(dnorm(x, log = TRUE)), d = 2)
  expect_error(vcov(fit), "cov(sample(fit, 1e4))", fixed = TRUE)
  expect_error(confint(fit), "summary")
})

test_that("an error of the simulator says whose it is", {
  prior <- list(sample = function(n) matrix(rnorm(n)), log_density = function(x) dnorm(x[, 1], log = TRUE))
  broken <- function(theta) stop("no licence")
  expect_error(fit_rounds(broken, prior, 1), "The simulator ended in an error.*no licence", class = "bijectr_error")
  fit <- fit_flow(matrix(rnorm(60), 30), condition = matrix(rnorm(30)), members = 1, steps = 2)
  expect_error(sbc(fit, simulator = broken, prior = prior), "The simulator ended in an error")
})

test_that("a scale without its support is told, and warnings of the target are not repeated", {
  log_density <- function(p) dnorm(p[, "a"], log = TRUE) + 60 * log(p[, "s"]) - 6 * p[, "s"]
  told <- character()
  fit <- withCallingHandlers(fit_flow(log_density, names = c("a", "s")), warning = function(w) {
    told <<- c(told, class(w)[1], conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  expect_identical(sum(told == "NaNs produced"), 1L)
  expect_identical(sum(told == "bijectr_warning_support"), 1L)
  expect_match(told, "\"s\" is below 0", all = FALSE)
  expect_silent(fit_flow(log_density, names = c("a", "s"), support = list(s = positive())))
  expect_error(fit_flow(log_density, names = c("a", "s"), support = list(real(), positive())), NA)
  unnamed <- function(p) dnorm(p[, 1], log = TRUE) + 60 * log(p[, 2]) - 6 * p[, 2]
  expect_warning(suppressWarnings(fit_flow(unnamed, d = 2), classes = "simpleWarning"), "list(real(), positive())",
    fixed = TRUE
  )
  odd <- target_with_gradient(function(p) 60 * log(p[, 1]) - p[, 1], "differences", 1, "beta[2]")
  suppressWarnings(odd(matrix(c(-1, 0, 2)), FALSE))
  fit <- list(d = 1, names = "beta[2]", layers = layer_chain())
  expect_warning(warn_below_zero(fit, odd), "`beta[2]` = positive()", fixed = TRUE)
  # where warnings are errors, the error carries the fit
  old <- options(warn = 2)
  ended <- tryCatch(fit_flow(function(p) suppressWarnings(unnamed(p)), d = 2), error = identity)
  options(old)
  expect_s3_class(ended, "bijectr_error_training")
  expect_s3_class(ended$fit, "bijectr_target_fit")
  # no number elsewhere says nothing of a support
  x <- matrix(c(-1, 1, 2, -2, -1, 1), 3)
  seen <- with_no_number(NULL, x, c(TRUE, FALSE, FALSE))
  expect_identical(seen, list(most = c(-1, -2), least = c(1, -1)))
  expect_identical(with_no_number(seen, x, c(FALSE, FALSE, FALSE)), seen)
  expect_identical(with_no_number(seen, 10 * x, c(TRUE, FALSE, FALSE))$most, c(-1, -2))
})

test_that("draws with tails that are too light are to be weighted, unless next to nothing is missing", {
  of <- function(k, ess) light_tails(list(pareto_k = c(flow = k), ess = c(flow = ess)))
  expect_null(of(0.4, 0.5))
  expect_null(of(0.6, 0.95))
  expect_match(of(0.6, 0.5), "0.6, above 1/2")
  expect_match(of(NA_real_, 0.5), "NA")
  # a t distribution by its best normal
  set.seed(1)
  fit <- fit_flow(function(x) rowSums(dt(x, 4, log = TRUE)), layer_elementwise(scalar_affine()), d = 3, steps = 300)
  check <- check_flow(fit, target = function(x) rowSums(dt(x, 4, log = TRUE)))
  expect_gt(check$pareto_k[["flow"]], 0.5)
  expect_true(check$verdict != "trust")
})

test_that("weighted draws that are off themselves are told from chance", {
  set.seed(1)
  n <- 20000
  x <- cbind(rnorm(n), rnorm(n))
  own <- seq_len(n) <= n / 2
  w <- rep(1 / n, n)
  of <- function(log_own) weighted_moments(x, w, own_shares(log_own, own))
  expect_identical(of(numeric(n)), c(mean = 0, sd = 0)) # a difference by chance
  found <- of(ifelse(x[, 1] > 1.5, -Inf, 0)) # what is beyond is never drawn
  expect_gt(found[["mean"]], 0.1)
  expect_gt(found[["sd"]], 0.1)
  expect_identical(of(rep(-Inf, n)) > 0.5, c(mean = FALSE, sd = TRUE))
  doubts <- target_doubts(
    list(
      moments = data.frame(what = "a", mean = 0, sd = 1, sd_off = 0, mean_off = 0), weighted = found,
      pareto_k = c(flow = 0.1, wide = 0.1), ess = c(flow = 1, wide = 1),
      log_z = c(lower = 0, estimate = 0, upper = 0, error = 1, narrow = 0, narrow_error = 1)
    ), data.frame(share = numeric()), list(n = n, k_most = 0.7), TRUE
  )
  expect_match(doubts, "Weighted draws of the flow are off, too: a (mean|standard deviation) by 0?.")
})
