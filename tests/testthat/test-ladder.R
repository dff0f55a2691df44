# Fits to log densities from the simplest model to richer ones, and their verdict.

normal_target <- function(loc, root) {
  force(root)
  function(x) -colSums(forwardsolve(root, t(x) - loc)^2) / 2 - sum(log(diag(root)))
}

test_that("a normal target is found whatever its condition number, at no steps", {
  set.seed(1)
  loc <- c(3, -200, 1e-3)
  root <- t(chol(diag(c(1e-3, 50, 1)) %*% (diag(0.01, 3) + 0.99) %*% diag(c(1e-3, 50, 1))))
  fit <- fit_flow(normal_target(loc, root), d = 3)
  expect_identical(fit$steps, 0)
  expect_identical(fit$status, "finished")
  expect_equal(fit$evaluation$log_z, 1.5 * log(2 * pi), tolerance = 1e-3)
  expect_lt(fit$evaluation$log_z - fit$evaluation$elbo, 1e-3)
  x <- with_seed(2, as.matrix(sample(fit, 20000)))
  expect_equal(colMeans(x), loc, tolerance = 0.02)
  expect_equal(cov(x), tcrossprod(root), tolerance = 0.05)
  check <- check_flow(fit)
  expect_identical(check$verdict, "trust")
  expect_length(check$reasons, 0)
  expect_equal(check$log_z[["estimate"]], 1.5 * log(2 * pi), tolerance = 0.01)
  expect_output(print(check), "verdict: trust")
  expect_false(any(grepl("modes:", utils::capture.output(print(fit))))) # they were looked for
  expect_equal(check$moments$sd, sqrt(diag(tcrossprod(root))), tolerance = 0.05)
  expect_equal(check$acceptance, 1, tolerance = 1e-3)
})

test_that("an uncentred regression comes out right, with supports and names", {
  set.seed(2)
  x <- cbind(1, cars$speed)
  posterior <- function(p) {
    error <- cars$dist - x %*% t(p[, 1:2, drop = FALSE])
    -nrow(x) * log(p[, 3]) - colSums(error^2) / (2 * p[, 3]^2)
  }
  fit <- fit_flow(posterior, names = c("a", "b", "sigma"), support = list(sigma = positive()))
  # coefficients are on a t distribution of n - 3 degrees of freedom, flat in sigma
  line <- lm(dist ~ speed, cars)
  s <- importance_sample(fit, posterior, n = 40000)
  w <- exp(s$log_weights)
  mean <- colSums(w * s$draws)
  expect_equal(unname(mean[1:2]), unname(coef(line)), tolerance = 0.01)
  sd <- sqrt(colSums(w * s$draws^2) - mean^2)[1:2]
  df <- nrow(cars) - 3
  truth <- sqrt(diag(vcov(line)) * df.residual(line) / df * df / (df - 2))
  expect_equal(unname(sd), unname(truth), tolerance = 0.03)
  expect_true(all(as.matrix(sample(fit, 1000))[, "sigma"] > 0))
  check <- check_flow(fit)
  expect_true(check$verdict %in% c("trust", "resample"))
  expect_identical(check$moments$what, c("a", "b", "sigma"))
})

test_that("a flow is trained where a normal distribution leaves much, and kept where it gains", {
  set.seed(3)
  banana <- function(x) -(x[, 1]^2 + (x[, 2] - x[, 1]^2)^2) / 2
  fit <- fit_flow(banana, d = 2)
  expect_gt(fit$steps, 0)
  expect_equal(fit$evaluation$log_z, log(2 * pi), tolerance = 0.02)
  expect_gt(fit$evaluation$elbo, log(2 * pi) - 0.1)
  # it goes on as any other
  longer <- suppressMessages(resume(fit, steps = 5))
  expect_identical(longer$steps, fit$steps + 5)
})

test_that("what is told is done: settings, other layers, the standard start", {
  target <- function(x) -rowSums((x - 5)^2) * 50
  set.seed(4)
  told <- fit_flow(target, d = 2, steps = 3, evaluate = 500)
  expect_identical(told$steps, 3)
  expect_gt(told$evaluation$elbo, -5) # from where the target is
  set.seed(4)
  standard <- fit_flow(target, d = 2, steps = 3, start = "standard", evaluate = 500)
  expect_lt(standard$evaluation$elbo, -100)
  own <- fit_flow(target, layer_triangular_affine(), d = 2, steps = 3, start = "normal", evaluate = 500)
  expect_gt(own$evaluation$elbo, -5)
  expect_error(fit_flow(target, d = 2, start = "mode"), "`start`", class = "bijectr_error_argument")
  expect_error(fit_flow(target, as_flow(own), start = "normal", steps = 2), "`start`", class = "bijectr_error_argument")
})

test_that("a second mode, and draws that are too narrow, are not trusted", {
  set.seed(5)
  two <- function(x) log(0.6 * exp(-(x[, 1] + 4)^2 / 2) + 0.4 * exp(-(x[, 1] - 4)^2 / 2)) - x[, 2]^2 / 2
  fit <- fit_flow(two, d = 2)
  x <- as.matrix(sample(fit, 2000))
  if (min(mean(x[, 1] > 0), mean(x[, 1] < 0)) < 0.05) {
    check <- check_flow(fit)
    expect_identical(check$verdict, "do not trust")
    expect_gt(length(check$reasons), 0)
  }
  # a flow of a third of the width: weights of its own draws have no variance
  narrow <- fit_flow(function(x) -rowSums(x^2) / 2, d = 2)
  wide <- function(x) -rowSums(x^2) / 18
  expect_identical(check_flow(narrow, target = wide)$verdict, "do not trust")
  shifted <- function(x) -rowSums((x - 0.2)^2) / 2
  check <- check_flow(narrow, target = shifted)
  expect_identical(check$verdict, "resample")
  expect_match(check$reasons, "mean of draws is off by -0.[12]", all = FALSE)
  expect_equal(check$moments$mean, c(0.2, 0.2), tolerance = 0.1)
})

test_that("evidence by hand: densities of widened draws, acceptance, effective shares", {
  fit <- fit_flow(function(x) -rowSums(x^2) / 2, d = 3)
  at <- with_seed(6, wide_draws(fit, 4000))
  z <- inverse(fit, at$value)$value
  s <- c(1, vapply(WIDE_EFFECT, wide_factor, 0, 3))
  slope <- at$log_q - rowSums(dnorm(z, log = TRUE))
  parts <- vapply(s, function(s) exp(rowSums(dnorm(z, 0, s, log = TRUE))), numeric(4000))
  along <- vapply(1:3, function(j) {
    apply(dnorm(z[, -j]), 1, prod) * dnorm(z[, j], 0, WIDE_AXIS)
  }, numeric(4000))
  expect_equal(at$log_m, drop(log(cbind(parts, rowMeans(along)) %*% WIDE_SHARES)) + slope, tolerance = 1e-9)
  # draws are from that mixture: the last of them have one coordinate that is wide
  expect_equal(mean(z[3201:4000, ]^2), (2 + WIDE_AXIS^2) / 3, tolerance = 0.1)
  expect_equal(mean(z[1:2000, ]^2), 1, tolerance = 0.1)
  expect_equal(s[-1]^6 / (2 * s[-1]^2 - 1)^1.5, 1 / WIDE_EFFECT, tolerance = 1e-4)
  log_w <- rnorm(300)
  w <- exp(log_w)
  pairs <- outer(seq_along(w), seq_along(w), function(i, j) w[i] * pmin(1, w[j] / w[i]))
  expect_equal(expected_acceptance(log_w), sum(pairs) / (length(w) * sum(w)), tolerance = 1e-12)
})

test_that("targets without a normal distribution to start from are fitted as before", {
  set.seed(7)
  half <- function(x) ifelse(x[, 1] > 0, -x[, 1], -Inf)
  expect_null(normal_start(target_with_gradient(half, "differences", 1, NULL), 1))
  expect_error(fit_flow(half, d = 1), "support", class = "bijectr_error_argument")
})

test_that("without an evaluation there is none; a fit of no steps goes on; a base that is told is taken", {
  set.seed(8)
  target <- function(x) -rowSums(x^2) / 2 - x[, 1]^4 / 50
  fit <- fit_flow(target, d = 2, evaluate = 0)
  expect_null(fit$evaluation)
  expect_identical(fit$options$evaluate, 0L)
  plain <- fit_flow(function(x) -rowSums(x^2) / 2, d = 2)
  expect_identical(plain$steps, 0)
  longer <- suppressMessages(resume(plain, steps = 4))
  expect_identical(longer$steps, 4)
  expect_identical(fit_flow(target, d = 2, base = base_student_t(5), steps = 2)$base$kind, "student_t")
  expect_gt(fit_flow(target, d = 2, loss = loss_stick_the_landing())$steps, 0)
})

test_that("draws that overflow behind a support have no weight and no part in moments", {
  set.seed(9)
  gamma <- function(x) dgamma(x[, 1], 2, log = TRUE)
  fit <- fit_flow(gamma, names = "a", support = positive())
  far <- fit
  layers <- length(far$layers$layers)
  far$layers$layers[[layers - 1]]$scale <- matrix(400) # draws of the widened ones are infinite
  check <- check_flow(far, target = gamma)
  expect_identical(check$verdict, "do not trust")
  expect_false(anyNA(check$moments$mean))
  expect_identical(check_flow(fit)$verdict %in% c("trust", "resample"), TRUE)
})

test_that("an evaluation that fails at the end, or is interrupted, leaves the fit and that by fewer draws", {
  banana <- function(x) -(x[, 1]^2 + (x[, 2] - x[, 1]^2)^2) / 2
  spoiled <- function(how) function(x) if (nrow(x) == 10000) how(banana(x)) else banana(x)
  set.seed(9)
  expect_warning(
    fit <- fit_flow(spoiled(function(v) replace(v, 7, NaN)), d = 2), "NaN", class = "bijectr_warning_evaluation"
  )
  expect_identical(fit$evaluation$n, EARLY_DRAWS)
  expect_identical(fit$options$evaluate, 10000L)
  set.seed(9)
  expect_warning(
    again <- fit_flow(spoiled(function(v) rlang::interrupt()), d = 2), class = "bijectr_warning_evaluation"
  )
  expect_identical(again[c("status", "params", "steps")], fit[c("status", "params", "steps")])
  set.seed(9)
  calls <- 0
  lost <- function(x) {
    calls <<- calls + 1
    if (nrow(x) == (1 - LOCAL_SHARE) * LIKELIHOOD_DRAWS && calls > 600) stop("lost")
    banana(x)
  }
  error <- tryCatch(fit_flow(lost, d = 2), error = identity)
  if (inherits(error, "bijectr_error_training")) expect_identical(error$fit$options$evaluate, 10000L)
})
