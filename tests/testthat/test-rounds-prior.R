# The support of a prior, and draws that are kept to it.

draws_of <- function(prior, n = 200) as_numeric_matrix(prior$sample(n), "prior")

ends_of <- function(prior) {
  found <- prior_support(prior, draws_of(prior))
  list(
    lower = vapply(found$supports, `[[`, 0, "lower"), upper = vapply(found$supports, `[[`, 0, "upper"),
    whole = found$whole
  )
}

box <- list(
  sample = function(n) cbind(runif(n, -3, 3), runif(n, 0.1, pi)),
  log_density = function(theta) dunif(theta[, 1], -3, 3, log = TRUE) + dunif(theta[, 2], 0.1, pi, log = TRUE)
)

disc <- list(
  sample = function(n) {
    angle <- runif(n, 0, 2 * pi)
    sqrt(runif(n)) * cbind(cos(angle), sin(angle))
  },
  log_density = function(theta) ifelse(rowSums(theta^2) < 1, -log(pi), -Inf)
)

ordered <- list(
  sample = function(n) t(apply(matrix(runif(2 * n), n), 1, sort)),
  log_density = function(theta) {
    ifelse(theta[, 1] > 0 & theta[, 1] < theta[, 2] & theta[, 2] < 1, log(2), -Inf)
  }
)

test_that("ends are found to the digit, and only where there are some", {
  set.seed(1)
  expect_identical(ends_of(box), list(lower = c(-3, 0.1), upper = c(3, pi), whole = TRUE))
  several <- list(
    sample = function(n) cbind(rexp(n), rnorm(n), rbeta(n, 2, 2), rcauchy(n)),
    log_density = function(theta) {
      dexp(theta[, 1], log = TRUE) + dnorm(theta[, 2], log = TRUE) + dbeta(theta[, 3], 2, 2, log = TRUE) +
        dcauchy(theta[, 4], log = TRUE)
    }
  )
  expect_identical(ends_of(several), list(lower = c(0, -Inf, 0, -Inf), upper = c(Inf, Inf, 1, Inf), whole = TRUE))
  far <- list(
    sample = function(n) matrix(rexp(n, 1e-3) - 5e6), log_density = function(theta) dexp(theta[, 1] + 5e6, 1e-3, TRUE)
  )
  expect_identical(ends_of(far)$lower, -5e6)
  flow_prior <- check_prior(flow(layer_elementwise(scalar_affine()), 2, base = base_uniform(-1, 1)))
  expect_identical(ends_of(flow_prior), list(lower = c(-1, -1), upper = c(1, 1), whole = TRUE))
})

test_that("of supports of other shapes the ends are found that are the same everywhere", {
  set.seed(1)
  expect_identical(ends_of(disc), list(lower = c(-Inf, -Inf), upper = c(Inf, Inf), whole = FALSE))
  expect_identical(ends_of(ordered), list(lower = c(0, -Inf), upper = c(Inf, 1), whole = FALSE))
  two_parts <- list(
    sample = function(n) matrix(runif(n) + 2 * (runif(n) < 0.5)),
    log_density = function(theta) log((dunif(theta[, 1]) + dunif(theta[, 1], 2, 3)) / 2)
  )
  expect_false(ends_of(two_parts)$whole)
})

test_that("a log density that is an error or a warning outside does no harm", {
  set.seed(1)
  stops <- box
  stops$log_density <- function(theta) {
    if (any(abs(theta[, 1]) > 3)) stop("outside")
    dunif(theta[, 1], -3, 3, log = TRUE)
  }
  expect_identical(ends_of(stops)$lower, c(-Inf, -Inf))
  warns <- list(sample = function(n) matrix(rlnorm(n)), log_density = function(theta) -log(theta[, 1])^2)
  expect_no_warning(found <- ends_of(warns))
  expect_identical(found$lower, 0)
})

test_that("a support that is given is taken", {
  set.seed(1)
  given <- c(box, list(support = list(bounded(-4, 4), positive())))
  expect_identical(ends_of(given)[1:2], list(lower = c(-4, 0), upper = c(4, Inf)))
  expect_identical(ends_of(c(box, list(lower = c(-3, 0.1), upper = c(3, 4))))[1:2], list(
    lower = c(-3, 0.1), upper = c(3, 4)
  ))
  expect_error(ends_of(c(box, list(support = list(bounded(0, 4), positive())))), "`prior\\$sample` drew -")
  expect_error(ends_of(c(box, list(support = list(bounded(-4, 4), counts())))), "counts")
  expect_error(check_prior(c(box, list(suport = real()))), "Did you mean")
})

# ---- draws of fits ---------------------------------------------------------------------------------------------------

noisy <- function(theta) theta + 0.5 * matrix(rnorm(length(theta)), nrow(theta))
affine <- function() masked_autoregressive_flow(flow_layers = 1, nn_width = 8)

test_that("draws of a fit are within the prior, by its layers or drawn anew", {
  set.seed(1)
  inside <- function(fit, prior) {
    draws <- sample(fit, 500)
    others <- sample(fit, 2, condition = rbind(c(0, 0.5), c(0.3, 0.7)))
    all(is.finite(prior$log_density(rbind(draws, others))))
  }
  fit_to <- function(prior, ..., at = c(2.9, 0.2)) {
    fit_rounds(noisy, prior, at, rounds = 2, simulations = 60, steps = 10, loss = loss_contrastive(5), ...)
  }
  # at the end of a box
  fit <- suppressWarnings(fit_to(box))
  expect_identical(fit$leakage, 0)
  expect_null(fit$prior_support)
  expect_true(inside(fit, box))
  expect_identical(vapply(flow_supports(fit), `[[`, 0, "upper"), c(3, pi))
  expect_true(all(is.finite(fit$rounds[[2]]$history$train)))
  expect_output(print(fit), "leakage: 0 %")
  # layers that know nothing of it: the ends alone
  fit <- suppressWarnings(fit_to(box, layers = affine()))
  expect_gt(fit$leakage, 0.02)
  expect_identical(fit$prior_support, list(lower = c(-3, 0.1), upper = c(3, pi), log_density = NULL))
  expect_true(inside(fit, box))
  expect_output(print(fit), "drawn anew")
  with_density <- sample(fit, 5, logdensity = TRUE)
  expect_equal(attr(with_density, "logdensity"), logdensity(fit, unclass(with_density)[, ]))
  # more than ends
  for (prior in list(disc, ordered)) {
    fit <- suppressWarnings(fit_to(prior, at = c(0.1, 0.9)))
    expect_gt(fit$leakage, 0)
    expect_true(is.function(fit$prior_support$log_density))
    expect_true(inside(fit, prior))
    expect_lt(mean(!is.finite(prior$log_density(fit$rounds[[2]]$theta))), 1e-9)
  }
})

test_that("a fit whose draws are all outside says so", {
  fit <- suppressWarnings(fit_rounds(noisy, box, c(0, 1), rounds = 1, simulations = 20, steps = 2, layers = affine()))
  fit$prior_support$lower[1] <- 1e9
  fit$prior_support$upper[1] <- 2e9
  expect_error(sample(fit, 10), "Hardly a draw")
})
