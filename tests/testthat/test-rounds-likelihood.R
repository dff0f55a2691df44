# Fits in rounds by the likelihood, against conjugate posteriors.

noisy <- function(theta) theta + 0.5 * matrix(rnorm(length(theta)), nrow(theta))
normal_prior <- list(
  sample = function(n) matrix(rnorm(n), n), log_density = function(theta) dnorm(theta[, 1], log = TRUE)
)
affine <- function() masked_autoregressive_flow(flow_layers = 2, nn_width = 16)

by_likelihood <- function(observed, ..., prior = normal_prior, simulations = c(300, 300), steps = 400) {
  fit_rounds(noisy, prior, observed,
    simulations = simulations, layers = affine(), steps = steps, method = "likelihood", ...
  )
}

test_that("the posterior of a normal model, its evidence, and what the fit says", {
  set.seed(1)
  fit <- by_likelihood(1.5)
  draws <- sample(fit, 5000)
  expect_lt(abs(mean(draws) - 1.2), 0.1)
  expect_lt(abs(sd(draws) - sqrt(0.2)), 0.07)
  expect_lt(abs(mean(fit$draws) - 1.2), 0.1)
  expect_lt(abs(fit$evaluation$log_z - dnorm(1.5, 0, sqrt(1.25), log = TRUE)), 0.2)
  expect_gt(fit$evaluation$ess / fit$evaluation$n, 0.8)
  expect_identical(fit$observed, matrix(1.5))
  expect_s3_class(fit, c("bijectr_rounds_fit", "bijectr_target_fit", "bijectr_fit", "bijectr_flow"), exact = TRUE)
  # later rounds are where the posterior is
  expect_lt(sd(fit$rounds[[2]]$theta), 0.7 * sd(fit$rounds[[1]]$theta))
  expect_output(print(fit), "likelihood: flow of 1 coordinate given 1")
  expect_error(resume(fit), "rounds")
  # its own target
  target <- function(theta) {
    logdensity(fit$likelihood, matrix(1.5, nrow(theta)), condition = theta) + normal_prior$log_density(theta)
  }
  at <- matrix(c(0, 1, 2))
  expect_equal(log_posterior(as_flow(fit$likelihood), normal_prior, matrix(1.5))(at), target(at))
  fit$call$prior <- quote(normal_prior)
  expect_gt(importance_sample(fit, n = 1000)$ess, 800)
  expect_identical(check_flow(fit, draws = 2000)$draws, 2000L)
  # at another observation, and at more of them
  there <- rounds_posterior(fit, -0.5)
  expect_lt(abs(mean(sample(there, 2000)) + 0.4), 0.15)
  expect_identical(there$rounds, fit$rounds)
  wide <- list(sample = function(n) matrix(rnorm(n, 0, 3)), log_density = function(t) dnorm(t[, 1], 0, 3, log = TRUE))
  expect_gt(mean(sample(rounds_posterior(fit, 1.5, prior = wide), 2000)), 1.3)
  expect_error(rounds_posterior(fit, c(1, 2)), "1 column", class = "bijectr_error_argument")
})

test_that("several observations of the same parameters", {
  set.seed(2)
  x <- c(0.2, 0.9, 1.4, 0.5)
  fit <- by_likelihood(matrix(x), rounds = 1, simulations = 600)
  draws <- sample(fit, 5000)
  expect_lt(abs(mean(draws) - sum(x) / 0.25 / (1 + 4 / 0.25)), 0.12)
  expect_lt(abs(sd(draws) - sqrt(1 / (1 + 4 / 0.25))), 0.06)
})

test_that("modes are kept and draws are within the prior", {
  set.seed(3)
  prior <- list(
    sample = function(n) matrix(runif(n, -2, 2)), log_density = function(theta) dunif(theta[, 1], -2, 2, log = TRUE)
  )
  square <- function(theta) theta^2 + 0.1 * rnorm(nrow(theta))
  fit <- fit_rounds(square, prior, 3.8, simulations = c(400, 200), steps = 400, method = "likelihood")
  draws <- sample(fit, 4000)
  expect_lt(abs(mean(draws > 0) - 0.5), 0.1)
  expect_lt(mean(abs(draws) < 1.7), 0.05)
  expect_true(all(abs(draws) < 2))
  expect_identical(fit$leakage, 0)
})

test_that("mistakes are told, and nothing is lost to them", {
  never <- function(theta) stop("simulated")
  expect_error(fit_rounds(never, normal_prior, 1, method = "both"), "`method` must be one of")
  expect_error(fit_rounds(never, normal_prior, matrix(1:2), method = "posterior"), "must be a numeric vector")
  expect_error(fit_rounds(never, normal_prior, matrix(c(1, NA)), method = "likelihood"), "cannot be used: row 2")
  expect_error(
    fit_rounds(never, normal_prior, 1:2, method = "likelihood", layers = flow(affine(), 1, d_condition = 1)),
    "`layers` is a flow of 1 coordinate, but `observed` has 2"
  )
  again <- 0
  stops <- function(theta) {
    again <<- again + 1
    if (again == 2) stop("no more")
    noisy(theta)
  }
  set.seed(4)
  failed <- tryCatch(
    fit_rounds(stops, normal_prior, 1, simulations = 40, steps = 5, layers = affine(), method = "likelihood"),
    error = identity
  )
  expect_s3_class(failed, "bijectr_error_training")
  expect_length(failed$rounds, 1)
  expect_length(sample(failed$fit, 3), 3)
  posterior <- fit_rounds(noisy, normal_prior, 1, rounds = 1, simulations = 40, steps = 5, layers = affine())
  expect_error(rounds_posterior(posterior, 2), "condition")
  file <- withr::local_tempfile()
  saveRDS(failed$fit, file)
  expect_identical(logdensity(readRDS(file), 0.5), logdensity(failed$fit, 0.5))
})
