noisy <- function(theta) theta + matrix(rnorm(length(theta)), nrow(theta))

# log of the mean of the learned likelihood over draws of the prior
evidence <- function(fit, prior) {
  theta <- prior$sample(40000)
  log_mean_exp(log_likelihood(as_flow(fit$likelihood), fit$observed, theta))
}

test_that("the evidence of a flow that leaks is that of the target, and another prior is taken at its word", {
  comb <- list(
    sample = function(n) matrix(floor(runif(n, 0, 8)) + runif(n, 0, 0.3), n),
    log_density = function(theta) {
      ifelse(theta[, 1] > 0 & theta[, 1] < 8 & theta[, 1] %% 1 < 0.3, -log(8 * 0.3), -Inf)
    }
  )
  set.seed(1)
  fit <- fit_rounds(noisy, comb, 4, rounds = 1, simulations = 500, steps = 150, method = "likelihood", progress = FALSE)
  expect_gt(fit$leakage, 0.01)
  truth <- evidence(fit, comb)
  expect_lt(abs(fit$evaluation$log_z - truth), 0.05)
  expect_lte(fit$evaluation$elbo, fit$evaluation$log_z)
  # what is kept needs no name of the prior
  wide <- list(
    sample = function(n) matrix(rnorm(n, 3, 2), n), log_density = function(theta) dnorm(theta[, 1], 3, 2, log = TRUE)
  )
  other <- rounds_posterior(fit, 4, prior = wide, progress = FALSE)
  truth <- evidence(other, wide)
  rm(wide)
  expect_lt(abs(importance_sample(other, n = 4000)$log_z - truth), 0.05)
  expect_lt(abs(check_flow(other, draws = 4000)$log_z[["estimate"]] - truth), 0.05)
  expect_identical(as.character(other$call[[1]]), "rounds_posterior")
  expect_error(resume(fit), "fit[$]likelihood", class = "bijectr_error_argument")
  # draws of the flow itself, of which some are outside
  kept <- sample_within(fit, comb, 500)
  expect_lt(abs(attr(kept, "within") - (1 - fit$leakage)), 0.05)
})

test_that("columns of an observation go by their names", {
  simulator <- function(theta) cbind(u = theta[, 1], v = 10 + theta[, 1]) + 0.1 * rnorm(2 * nrow(theta))
  prior <- list(
    sample = function(n) matrix(rnorm(n), n), log_density = function(theta) dnorm(theta[, 1], log = TRUE)
  )
  set.seed(2)
  fit <- suppressWarnings(
    fit_rounds(simulator, prior, c(v = 11, u = 1), rounds = 1, simulations = 300, steps = 150, progress = FALSE)
  )
  expect_lt(abs(mean(sample(fit, 500)) - 1), 0.3)
  expect_error(
    fit_rounds(simulator, prior, c(v = 11, w = 1), rounds = 1, simulations = 20, steps = 1, progress = FALSE), "lacks"
  )
  data <- simulator(prior$sample(200))
  expect_gt(check_simulator(data, c(v = 10, u = 0), steps = 50, members = 1)$p, 0.02)
  expect_identical(check_observed(c(b = 1, a = 2), TRUE, c("a", "b")), matrix(c(2, 1), 1))
})

test_that("a prior whose log density is an error outside is no crash, hopeless draws end", {
  prior <- list(sample = function(n) matrix(rgamma(n, 2), n), log_density = function(theta) {
    if (any(theta <= 0)) stop("negative")
    log(theta[, 1]) - theta[, 1]
  })
  set.seed(3)
  fit <- suppressWarnings(
    fit_rounds(noisy, prior, 1, rounds = 1, simulations = 100, steps = 20, progress = FALSE)
  )
  expect_true(is.na(fit$leakage) || fit$leakage == 0)
  flow <- flow(list(layer_elementwise(scalar_affine())), 1)
  expect_error(draws_inside(flow, 5, NULL, function(x) rep(FALSE, nrow(x))), "Hardly a draw",
    class = "bijectr_error_argument"
  )
  # one in two hundred is enough, however many are wanted
  drawn <- draws_inside(flow, 2000, NULL, function(x) x[, 1] > 2.58)
  expect_true(all(drawn > 2.58))
})

test_that("missing values of a log density are no crash", {
  set.seed(4)
  expect_error(fit_flow(function(x) rep(NA_real_, nrow(x)), d = 2), "target is NA", class = "bijectr_error_argument")
  seldom <- function(x) ifelse(x[, 1] > 3.2, NA, -rowSums(x^2) / 2)
  expect_s3_class(suppressWarnings(fit_flow(seldom, d = 2, steps = 20)), "bijectr_fit")
})
