normal_target <- function(x) -((x[, 1] - 1)^2 + (x[, 2] / 2)^2) / 2

test_that("draws of a fit to a log density come in three ways", {
  skip_if_not_installed("posterior")
  set.seed(1)
  fit <- fit_flow(normal_target, names = c("a", "b"))
  for (method in c("flow", "resample", "imh")) {
    draws <- posterior::as_draws(fit, n = 4000, method = method)
    expect_s3_class(draws, "draws_matrix")
    expect_identical(dimnames(draws)[[2]], c("a", "b"))
    expect_lt(max(abs(colMeans(draws) - c(1, 0)) / c(1, 2)), 0.08)
    expect_lt(max(abs(apply(draws, 2, sd) / c(1, 2) - 1)), 0.05)
  }
  # resampling mends a flow that is wrong, and says where it cannot
  wide <- function(x) -rowSums(x^2) / 4.5
  mended <- posterior::as_draws(fit, n = 10000, method = "resample", target = function(x) -rowSums(x^2) / 2)
  expect_lt(max(abs(colMeans(mended))), 0.08)
  expect_lt(max(abs(apply(mended, 2, sd) - 1)), 0.08)
  far <- function(x) -rowSums((x - 8)^2) / 2
  expect_warning(posterior::as_draws(fit, n = 500, method = "resample", target = far),
    "k-hat", class = "bijectr_warning_weights"
  )
  expect_error(posterior::as_draws(fit, method = "best"), "method", class = "bijectr_error_argument")
})

test_that("the largest weights are smoothed as by the loo package", {
  set.seed(2)
  log_w <- -0.6 * log(runif(2000)) + rnorm(2000, sd = 0.1)
  smooth <- smooth_weights(log_w)
  expect_equal(order(smooth), order(log_w))
  expect_lte(max(smooth), max(log_w))
  moved <- sum(smooth != log_w)
  expect_true(moved <= ceiling(3 * sqrt(2000)) && moved > 100)
  skip_if_not_installed("loo")
  theirs <- suppressWarnings(loo::psis(log_w, r_eff = 1))
  expect_equal(pareto_k(log_w), theirs$diagnostics$pareto_k, tolerance = 0.02)
  expect_lt(max(abs((smooth - smooth[1]) - (theirs$log_weights[, 1] - theirs$log_weights[1, 1]))), 0.03)
})

test_that("evaluations of a target are counted, those of differences too", {
  rows <- 0
  target <- target_with_gradient(function(x) {
    rows <<- rows + nrow(x)
    normal_target(x)
  }, "differences", 2, NULL)
  x <- matrix(rnorm(6), 3)
  target(x, FALSE)
  target(x)
  expect_identical(evaluations_of(target), 3 + 3 * 5)
  expect_equal(rows, 18)
  set.seed(1)
  rows <- 0
  fit <- fit_flow(function(x) {
    rows <<- rows + nrow(x)
    normal_target(x)
  }, d = 2, steps = 10)
  expect_equal(fit$evaluations, rows)
  expect_output(print(fit), paste("evaluated at", format(rows, big.mark = ",")))
})

test_that("a model's value and gradient at a point are one evaluation", {
  calls <- 0
  model <- new_target_model(c("a", "b"), c(-Inf, -Inf), c(Inf, Inf), function(x, gradient) {
    calls <<- calls + 1
    list(value = normal_target(x), gradient = if (gradient) cbind(1 - x[, 1], -x[, 2] / 4))
  }, NULL)
  target <- target_with_gradient(model_target(model), "model", 2, c("a", "b"))
  x <- matrix(c(0.3, 0.4), 1)
  expect_equal(unname(target(x, FALSE)$value), normal_target(x))
  expect_equal(unname(target(x)$gradient), cbind(0.7, -0.1))
  expect_identical(calls, 1)
  target(x + 1)
  target(x)
  expect_identical(calls, 3)
})

test_that("targets are evaluated by workers with the same bits", {
  skip_if_not_installed("future.apply")
  skip_on_cran()
  fit <- function(...) {
    set.seed(3)
    fit_flow(normal_target, d = 2, steps = 3, batch_size = 40, evaluate = 50, start = "standard", ...)
  }
  expect_error(fit(parallel = TRUE), "no plan", class = "bijectr_error_argument")
  expect_error(fit(parallel = NA), "parallel", class = "bijectr_error_argument")
  here <- fit()
  old <- future::plan(future::multisession, workers = 2)
  on.exit(future::plan(old))
  there <- fit(parallel = TRUE)
  expect_identical(there[c("params", "evaluation", "evaluations")], here[c("params", "evaluation", "evaluations")])
  object <- list(par = c(a = 1), fn = function(par) par^2, gr = function(par) 2 * par)
  expect_error(fit_flow(object, parallel = TRUE), "forks", class = "bijectr_error_argument")
})

test_that("a model that is not here any more is told, with what can be had without it", {
  skip_if_not_installed("posterior")
  make <- function() {
    model <- list(par = c(mu = 0), fn = function(p) sum(p^2) / 2, gr = function(p) p)
    fit_flow(model, steps = 5, evaluate = 0)
  }
  fit <- make()
  expect_error(posterior::as_draws(fit), "cannot be found here.*returns that beside.*sample\\(fit\\) draws",
    class = "bijectr_error_argument"
  )
  expect_identical(dim(sample(fit, 3)), c(3L, 1L))
})
