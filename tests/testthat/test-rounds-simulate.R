# Simulations: how many, failed ones, and by workers.

noisy <- function(theta) theta + 0.5 * matrix(rnorm(length(theta)), nrow(theta))
normal_prior <- list(
  sample = function(n) matrix(rnorm(n), n), log_density = function(theta) dnorm(theta[, 1], log = TRUE)
)
affine <- function() masked_autoregressive_flow(flow_layers = 1, nn_width = 6)
quick <- function(simulator, ..., steps = 5) {
  fit_rounds(simulator, normal_prior, 1, layers = affine(), steps = steps, loss = loss_contrastive(5), ...)
}

test_that("a budget may be one number a round", {
  set.seed(1)
  fit <- quick(noisy, simulations = c(40, 20, 30))
  expect_identical(vapply(fit$rounds, function(round) nrow(round$theta), 0L), c(40L, 20L, 30L))
  expect_output(print(fit), "3 of 40, 20, 30: 90 simulations")
  expect_length(quick(noisy, simulations = 20)$rounds, 2)
  expect_error(quick(noisy, rounds = 2, simulations = c(20, 20, 20)), "one a round", class = "bijectr_error_argument")
  expect_error(quick(noisy, simulations = c(20, 2)), "`simulations` must be at least 10")
  expect_error(quick(noisy, simulations = c(20, NA)), "`simulations` must be one whole number")
})

test_that("rows that failed are left out, counted, and told once a round", {
  set.seed(1)
  fails <- function(theta) {
    out <- noisy(theta)
    out[2, ] <- NA
    out[5, ] <- Inf
    out[7, ] <- 1e200
    out
  }
  for (method in c("posterior", "likelihood")) {
    told <- character()
    fit <- withCallingHandlers(quick(fails, simulations = c(40, 30), method = method),
      bijectr_warning_failed_simulations = function(w) {
        told <<- c(told, conditionMessage(w))
        invokeRestart("muffleWarning")
      },
      warning = function(w) invokeRestart("muffleWarning")
    )
    expect_match(told, "^3 of [34]0 simulations of round [12]")
    expect_length(told, 2)
    expect_identical(vapply(fit$rounds, `[[`, 0L, "failed"), c(3L, 3L))
    # what was simulated is all there
    expect_identical(dim(fit$rounds[[1]]$data), c(40L, 1L))
    expect_identical(is.na(fit$rounds[[1]]$data[2]), TRUE)
    expect_output(print(fit), "70 simulations, 6 of them failed")
    expect_identical((fit$likelihood %||% fit)$nobs, 64L)
  }
})

test_that("what is left after failures must be enough", {
  set.seed(1)
  most <- function(theta) replace(noisy(theta), -(1:4), NA)
  failed <- tryCatch(quick(most, simulations = 30), error = identity)
  expect_s3_class(failed, "bijectr_error_training")
  expect_match(conditionMessage(failed$parent), "26 of 30 simulations of round 1 failed")
  expect_identical(dim(failed$rounds[[1]]$theta), c(30L, 1L))
  # enough for a flow, not for the atoms
  some <- function(theta) replace(noisy(theta), -(1:14), NA)
  failed <- tryCatch(
    suppressWarnings(fit_rounds(some, normal_prior, 1, simulations = 30, steps = 5, layers = affine(),
      loss = loss_contrastive(24), batch_size = 25
    )),
    error = identity
  )
  expect_s3_class(failed, "bijectr_error_training")
  expect_match(conditionMessage(failed$parent), "atoms")
})

test_that("workers of a plan simulate, and their number changes nothing", {
  skip_if_not_installed("future.apply")
  skip_if_not(future::supportsMulticore())
  shift <- 0.25
  here <- Sys.getpid()
  simulator <- function(theta) cbind(theta + shift + 0.5 * rnorm(nrow(theta)), Sys.getpid() == here)
  simulated_by <- function(workers) {
    old <- future::plan("multicore", workers = workers)
    on.exit(future::plan(old))
    set.seed(3)
    theta <- matrix(rnorm(100))
    run <- list(problem = list(simulator = simulator), rounds = list(list(theta = theta)))
    simulate_data(run)$rounds[[1]]$data
  }
  two <- simulated_by(2)
  expect_identical(dim(two), c(100L, 2L))
  expect_true(all(two[, 2] == 0)) # elsewhere
  expect_identical(simulated_by(3), two)
})
