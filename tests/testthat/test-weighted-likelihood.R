# Flows by maximum likelihood of draws that are weighted towards a log density.

standard <- function(x) -rowSums(x^2) / 2

# A fit to the standard normal target and one whose draws are off from it.
fit_beside <- function(d, loc, scale) {
  fit <- with_seed(1, fit_flow(standard, d = d, evaluate = 2000))
  layers <- layer_standardize(rep(loc, d), diag(scale, d))
  off <- new_flow(layer_chain(layer_triangular_affine(), layers), d, base_normal(), 0L)
  out <- fit
  out[names(off)] <- off
  target <- target_with_gradient(standard, "differences", d, NULL)
  list(fit = add_evaluation(out, with_seed(2, evaluate_target(out, target, 2000))), target = target)
}

# As many rungs of the ladder as there are in a row.
with_likelihood <- function(fit, target) {
  at <- new_rung(fit, as_flow(fit), fit$steps, settled = FALSE)
  for (round in seq_len(LIKELIHOOD_ROUNDS)) at <- likelihood_rung(at, target)
  at$fit
}

test_that("weights are those of the target over the flow's draws and wider ones", {
  beside <- fit_beside(2, 0.3, 0.8)
  at <- with_seed(3, rows_of_target(beside$fit, beside$target))
  expect_equal(mean(at$weights), 1)
  expect_equal(sort(c(at$rows$train, at$rows$validation)), seq_len(nrow(at$x)))
  shares <- at$weights / sum(at$weights)
  expect_lt(max(abs(colSums(shares * at$x))), 0.05)
  expect_equal(sqrt(colSums(shares * at$x^2)), c(1, 1), tolerance = 0.03)
  # by the density of the mixture that they are draws of
  again <- with_seed(3, weigh_wide_draws(beside$fit, beside$target, LIKELIHOOD_DRAWS))
  expect_equal(at$x, again$value)
  w <- exp(beside$target(again$value, FALSE)$value - again$log_m)
  expect_equal(quantile(at$weights, c(0.1, 0.5)), quantile(w / mean(w), c(0.1, 0.5)), tolerance = 0.02)
})

test_that("weights that tell too little are not learned from, and points without a density are left out", {
  far <- fit_beside(8, 3, 0.3)
  expect_null(with_seed(4, rows_of_target(far$fit, far$target)))
  expect_identical(with_seed(4, with_likelihood(far$fit, far$target)), far$fit)
  beside <- fit_beside(2, 0, 1)
  half <- target_with_gradient(function(x) ifelse(x[, 1] > 0, standard(x), -Inf), "differences", 2, NULL)
  at <- with_seed(5, rows_of_target(beside$fit, half))
  expect_true(all(at$x[, 1] > 0))
  nowhere <- target_with_gradient(function(x) rep(-Inf, nrow(x)), "differences", 2, NULL)
  expect_null(with_seed(5, rows_of_target(beside$fit, nowhere)))
})

test_that("a flow that is too narrow and off comes to the target, without a gradient of it", {
  beside <- fit_beside(3, 0.4, 0.7)
  values <- function(x, gradient = TRUE) {
    stopifnot(!gradient)
    beside$target(x, FALSE)
  }
  fit <- with_seed(6, with_likelihood(beside$fit, values))
  expect_identical(fit$steps %% likelihood_control()$steps, 0)
  expect_gt(fit$steps, 0)
  x <- with_seed(7, as.matrix(sample(fit, 20000)))
  expect_lt(max(abs(colMeans(x))), 0.05)
  expect_equal(apply(x, 2, sd), rep(1, 3), tolerance = 0.05)
  expect_gt(fit$evaluation$elbo, beside$fit$evaluation$elbo + 0.1)
  # what is said of the training is what was there, but for its steps and time
  expect_identical(fit$history, beside$fit$history)
  expect_identical(fit$control, beside$fit$control)
  expect_identical(fit$epochs, beside$fit$epochs)
  longer <- suppressMessages(resume(fit, steps = 2, target = standard))
  expect_identical(longer$steps, fit$steps + 2)
})

test_that("what ends a rung of the ladder leaves what was reached before", {
  # not normal, and not well fitted by weighted draws alone
  funnel <- function(x) dnorm(x[, 1], 0, 3, log = TRUE) + rowSums(dnorm(x[, -1], 0, exp(x[, 1] / 2), log = TRUE))
  calls <- 0
  spoiled <- function(call, how) {
    calls <<- 0
    function(x) {
      if (nrow(x) == (1 - LOCAL_SHARE) * LIKELIHOOD_DRAWS) {
        calls <<- calls + 1
        if (calls == call) how()
      }
      funnel(x)
    }
  }
  set.seed(1)
  error <- tryCatch(fit_flow(spoiled(2, function() stop("lost")), d = 10), error = identity)
  expect_s3_class(error, "bijectr_error_training")
  expect_match(conditionMessage(error$parent), "lost")
  expect_gt(error$fit$steps, 0)
  expect_length(sample(error$fit, 5), 50)
  set.seed(1)
  expect_warning(fit <- fit_flow(spoiled(2, rlang::interrupt), d = 10), class = "bijectr_warning_interrupted")
  expect_identical(fit$status, "interrupted")
  expect_identical(fit$params, error$fit$params)
  # before any flow, the error is the user's own
  set.seed(1)
  expect_error(fit_flow(spoiled(1, function() stop("lost")), d = 10), "^lost$")
})

test_that("an evaluation that fails leaves a fit without one, not that of other parameters", {
  beside <- fit_beside(3, 0.4, 0.7)
  at <- with_seed(9, rows_of_target(beside$fit, beside$target))
  broken <- function(x, gradient = TRUE) list(value = rep(NaN, nrow(x)))
  expect_warning(
    after <- likelihood_fit(beside$fit, as_flow(beside$fit), broken, at), class = "bijectr_warning_evaluation"
  )
  expect_null(after$evaluation)
})

test_that("what gains is what comes closer, forward and back", {
  beside <- fit_beside(2, 0.5, 0.7)
  at <- with_seed(8, rows_of_target(beside$fit, beside$target))
  exact <- fit_beside(2, 0, 1)$fit
  expect_true(gains_evidence(beside$fit, exact, at))
  expect_false(gains_evidence(exact, beside$fit, at))
  expect_false(gains_evidence(exact, exact, at))
  # forward a little, and back a lot the other way
  worse <- exact
  worse$evaluation$elbo <- beside$fit$evaluation$elbo - 10
  expect_false(gains_evidence(beside$fit, worse, at))
  # with no ELBO before there is none to lose
  without <- beside$fit
  without$evaluation$elbo <- -Inf
  expect_true(gains_evidence(without, worse, at))
  worse$evaluation$elbo <- -Inf
  expect_false(gains_evidence(beside$fit, worse, at))
})

test_that("a funnel is fitted, or said not to be, and its weighted draws are right", {
  funnel <- function(x) dnorm(x[, 1], 0, 3, log = TRUE) + rowSums(dnorm(x[, -1], 0, exp(x[, 1] / 2), log = TRUE))
  set.seed(1)
  fit <- fit_flow(funnel, d = 6)
  verdict <- check_flow(fit)$verdict
  s <- importance_sample(fit, n = 40000)
  w <- if (verdict == "trust") rep(1 / 40000, 40000) else exp(s$log_weights)
  x <- s$draws[, 1]
  expect_lt(abs(sum(w * x)) / 3, 0.1)
  expect_equal(sqrt(sum(w * x^2)), 3, tolerance = 0.1)
  expect_lt(abs(fit$evaluation$log_z), 0.1)
})

test_that("the error of an ELBO with a long tail does not speak for it", {
  told <- function(elbo, se) list(evaluation = list(elbo = elbo, elbo_se = se))
  expect_true(gains(told(-100, 85), told(22, 0.01)))
  expect_false(gains(told(22, 0.01), told(-100, 85)))
  expect_false(gains(told(1, 0.01), told(30, 50)))
  expect_false(gains(told(1, 0.01), told(1.01, 0.01)))
  expect_true(gains(told(-Inf, NA), told(1, 0.01)))
  expect_false(gains(told(1, 0.01), told(-Inf, NA)))
})
