# Draws of a posterior by tempering, against posteriors that are known.

normal_draws <- function(n, d) matrix(rnorm(n * d), n)
normal_density <- function(x) rowSums(dnorm(x, log = TRUE))

test_that("a conjugate normal posterior, and its evidence", {
  set.seed(1)
  x <- c(1.5, -3)
  likelihood <- function(theta) rowSums(dnorm(theta, rep(x, each = nrow(theta)), 0.3, log = TRUE))
  out <- tempered_draws(normal_draws(4000, 2), likelihood, normal_density, NULL)
  precision <- 1 + 1 / 0.09
  expect_lt(max(abs(colMeans(out$draws) - x / 0.09 / precision)), 0.03)
  expect_lt(max(abs(apply(out$draws, 2, sd) * sqrt(precision) - 1)), 0.06)
  expect_lt(abs(out$log_z - sum(dnorm(x, 0, sqrt(1.09), log = TRUE))), 0.1)
  expect_identical(out$powers[length(out$powers)], 1)
  # to be told apart the draws have to move
  expect_gt(nrow(unique(out$draws)), 3500)
})

test_that("modes keep their shares, behind a support too", {
  set.seed(2)
  # shares 0.7 and 0.3 of a uniform prior on (0, 10)
  likelihood <- function(theta) log(0.7 * dnorm(theta[, 1], 1, 0.05) + 0.3 * dnorm(theta[, 1], 8, 0.05))
  inside <- function(theta) dunif(theta[, 1], 0, 10, log = TRUE)
  out <- tempered_draws(matrix(runif(4000, 0, 10)), likelihood, inside, support_layer(list(bounded(0, 10))))
  expect_lt(abs(mean(out$draws > 5) - 0.3), 0.05)
  expect_lt(abs(sd(out$draws[out$draws > 5]) - 0.05), 0.005)
  expect_lt(abs(out$log_z - log(0.1)), 0.1)
  expect_true(all(out$draws > 0 & out$draws < 10))
})

test_that("a prior that does not fill its ends is kept to", {
  set.seed(3)
  from <- normal_draws(4000, 2)
  from <- from[from[, 1] > from[, 2], ]
  prior <- function(theta) ifelse(theta[, 1] > theta[, 2], normal_density(theta), -Inf)
  asked <- NULL
  likelihood <- function(theta) {
    asked <<- c(asked, min(theta[, 1] - theta[, 2]))
    rowSums(dnorm(theta, 0, 0.5, log = TRUE))
  }
  out <- tempered_draws(from, likelihood, prior, NULL)
  expect_gt(min(asked), 0) # nothing is asked of the likelihood outside
  expect_true(all(out$draws[, 1] > out$draws[, 2]))
  # the difference is half normal
  expect_lt(abs(mean(out$draws[, 1] - out$draws[, 2]) - sqrt(2 * 0.2) * sqrt(2 / pi)), 0.04)
  expect_error(
    tempered_draws(from, function(theta) rep(-Inf, nrow(theta)), prior, NULL), "no density", class = "bijectr_error"
  )
})

test_that("steps of the power keep half of the particles", {
  set.seed(4)
  log_likelihood <- -100 * rnorm(1000)^2
  step <- next_power(log_likelihood, 0)
  w <- exp_shares(step * log_likelihood)
  expect_equal(1 / sum(w^2), 500, tolerance = 0.01)
  expect_equal(next_power(log_likelihood / 1e4, 0.25), 0.75)
  expect_equal(tabulate(spread_rows(4, c(0.5, 0.25, 0.25, 0), 4, runif(1)), 4), c(2, 1, 1, 0))
})
