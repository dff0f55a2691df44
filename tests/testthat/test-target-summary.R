# What summary() and as.data.frame() tell of fits to log densities.

log_target <- function(x) dnorm(x[, 1], 1, 2, log = TRUE) + dexp(x[, 2], log = TRUE)
fit <- with_seed(1, fit_flow(log_target, names = c("a", "b"), support = list("real", positive()), evaluate = 2000))

test_that("summary() has a table of coordinates, by a seed of its own", {
  s <- with_seed(2, summary(fit))
  expect_identical(s$draws, with_seed(3, summary(fit))$draws)
  expect_named(s$draws, c("what", "mean", "sd", "low", "median", "high"))
  expect_identical(s$draws$what, c("a", "b"))
  expect_equal(s$draws$mean, c(1, 1), tolerance = 0.05)
  expect_equal(s$draws$sd, c(2, 1), tolerance = 0.07)
  expect_equal(s$draws$low, c(qnorm(0.05, 1, 2), qexp(0.05)), tolerance = 0.1)
  expect_equal(s$draws$high, c(qnorm(0.95, 1, 2), qexp(0.95)), tolerance = 0.1)
  printed <- capture.output(print(s))
  expect_match(printed, "By 10,000 draws of the flow", all = FALSE)
  expect_match(printed, "mean +sd +5% +median +95%", all = FALSE)
  expect_false(any(grepl("epoch", printed)))
  set.seed(4)
  before <- .Random.seed
  summary(fit)
  expect_identical(.Random.seed, before)
})

test_that("of many coordinates the first are printed", {
  wide <- with_seed(5, fit_flow(function(x) -rowSums(x^2) / 2, d = SUMMARY_COORDINATES + 3, evaluate = 2000))
  s <- summary(wide)
  expect_equal(nrow(s$draws), SUMMARY_COORDINATES + 3)
  expect_output(print(s), "and 3 more coordinates")
})

test_that("as.data.frame() of a check of the target are its moments", {
  check <- with_seed(6, check_flow(fit, draws = 2000))
  expect_identical(as.data.frame(check), check$moments)
})

test_that("a target that stood in the call and has lost what was around it is asked for", {
  around <- function(k) fit_flow(function(x) -k * rowSums(x^2) / 2, d = 2, evaluate = 100)
  lost <- with_seed(7, around(3))
  expect_error(check_flow(lost, draws = 1000), "`target` must be given", class = "bijectr_error_argument")
  kept <- with_seed(7, fit_flow(function(x) -3 * rowSums(x^2) / 2, d = 2, evaluate = 100))
  expect_identical(with_seed(8, check_flow(kept, draws = 1000))$verdict, "trust")
})

test_that("the integral of what is no proper density is said to be in doubt", {
  check <- with_seed(9, check_flow(fit, draws = 2000, target = function(x) x[, 1]^2))
  expect_match(check$reasons, "not a proper density", all = FALSE)
  expect_output(print(check), "What may help")
})
