# Draws about points that lie apart.

bent <- function(x) dnorm(x[, 1], 0, 10, log = TRUE) + dnorm(x[, 2] + 0.1 * (x[, 1]^2 - 100), log = TRUE)
as_target <- function(density, d) target_with_gradient(density, "differences", d, NULL)
normal_of <- function(d) with_seed(1, fit_flow(function(x) -rowSums(x^2) / 2, d = d))

test_that("their densities are those of the mixture, behind supports too", {
  fit <- with_seed(2, fit_flow(function(x) dexp(x[, 1], log = TRUE) + dnorm(x[, 2], log = TRUE),
    d = 2, support = list(positive(), real()), steps = 50, evaluate = 100
  ))
  target <- as_target(function(x) dexp(x[, 1], log = TRUE) + dnorm(x[, 2], log = TRUE), 2)
  first <- with_seed(3, weigh_wide_draws(fit, target, 1000))
  wide <- with_seed(3, wide_draws(fit, 800))
  outer <- last_support_layer(fit$layers$layers)
  u <- on_the_line(wide$value, outer)$data
  found <- with_seed(3, {
    wide_draws(fit, 800)
    local_components(u, exp_shares(first$log_p[1:800] - wide$log_m), wide_factor(LOCAL_EFFECT, 2))
  })
  expect_equal(first$value[1:800, ], wide$value)
  # log of u by hand, as the support has it, is not assumed: the slope by differences
  x <- first$value
  line <- function(x) on_the_line(x, outer)$data
  h <- 1e-6 * x[, 1]
  slope <- log((line(cbind(x[, 1] + h, x[, 2]))[, 1] - line(cbind(x[, 1] - h, x[, 2]))[, 1]) / (2 * h))
  by_hand <- vapply(seq_len(nrow(x)), function(i) {
    around <- vapply(seq_along(found$weight), function(c) {
      if (i <= 800 && found$row[c] == i) return(0)
      from <- line(x[i, , drop = FALSE])[1, ] - found$loc[c, ]
      s <- found$root[, , c] %*% t(found$root[, , c])
      exp(-sum(from * solve(s, from)) / 2) / (2 * pi * sqrt(det(s))) / length(found$weight)
    }, 0)
    sum(around)
  }, 0) * exp(slope)
  z <- inverse(fit, x)$value
  m <- exp(wide_log_density(fit, z, logdensity(fit, x)))
  expect_equal(first$log_m, log(0.8 * m + 0.2 * by_hand), tolerance = 1e-5)
  expect_equal(sum(first$own), 400)
})

test_that("weighted by them, moments and the integral are right, whether the flow is or not", {
  for (d in c(1, 2, 6)) {
    target <- as_target(function(x) rowSums(dnorm(x, 0.2, 1.2, log = TRUE)), d)
    fit <- normal_of(d)
    at <- with_seed(4, weigh_wide_draws(fit, target, 40000))
    expect_equal(nrow(at$value), 40000)
    w <- exp(at$log_w)
    expect_equal(log(mean(w)), 0, tolerance = 0.02)
    w <- w / sum(w)
    expect_equal(colSums(w * at$value), rep(0.2, d), tolerance = 0.15)
    expect_equal(sqrt(colSums(w * (at$value - 0.2)^2)), rep(1.2, d), tolerance = 0.03)
  }
})

test_that("a ridge that bends is followed beyond the ends of a flow, and the flow learns it", {
  # a flow of the banana without its ends
  short <- function(x) bent(x) + ifelse(abs(x[, 1]) < 18, 0, -0.5 * (abs(x[, 1]) - 18)^2)
  fit <- with_seed(5, fit_flow(short, d = 2))
  expect_lt(max(abs(with_seed(6, as.matrix(sample(fit, 10000)))[, 1])), 27)
  local <- with_seed(7, weigh_wide_draws(fit, as_target(bent, 2), 10000))
  w <- exp_shares(local$log_w)
  expect_gt(max(abs(local$value[w > 1e-5, 1])), 27)
  expect_false(with_seed(8, check_flow(fit, target = bent))$verdict == "trust")
  whole <- with_seed(9, fit_flow(bent, d = 2))
  x <- with_seed(10, as.matrix(sample(whole, 20000)))
  expect_equal(apply(x, 2, sd), c(10, sqrt(201)), tolerance = 0.1)
})

test_that("where neighbours tell nothing there are no such draws", {
  wide <- normal_of(LOCAL_COORDINATES + 1)
  target <- as_target(function(x) -rowSums(x^2) / 2, wide$d)
  expect_identical(
    with_seed(13, weigh_wide_draws(wide, target, 1000))$value, with_seed(13, wide_draws(wide, 1000))$value
  )
  u <- cbind(rnorm(30), rnorm(30))
  expect_null(local_components(u, rep(1 / 30, 30), 2)) # too few
  expect_null(local_components(cbind(rnorm(500), 1), rep(1 / 500, 500), 2)) # a coordinate that does not vary
  thin <- rnorm(1000)
  found <- local_components(cbind(thin, thin + 1e-6 * rnorm(1000)), rep(1e-3, 1000), 2)
  across <- apply(component_draws(found, 1000), 1, diff)
  expect_lt(median(abs(across)), 1e-5) # neighbours in a thin target are those along it
  nowhere <- as_target(function(x) rep(-Inf, nrow(x)), 2)
  at <- with_seed(11, weigh_wide_draws(normal_of(2), nowhere, 1000))
  expect_true(all(at$log_w == -Inf))
  expect_equal(nrow(at$value), 1000)
})

test_that("flows without an inverse, and targets that are not defined everywhere, are judged by wide draws", {
  gamma <- function(x) rowSums(dgamma(x, 2, 1, log = TRUE))
  one_way <- layer_r(
    forward = function(x) list(value = exp(x), logdet = rowSums(x)),
    inverse = function(x) if (any(x <= 0)) stop("not positive") else log(x)
  )
  fit <- with_seed(14, fit_flow(gamma, list(layer_elementwise(scalar_affine()), one_way), d = 2, steps = 100,
    evaluate = 0
  ))
  expect_silent(check <- with_seed(15, check_flow(fit, target = gamma, draws = 2000)))
  expect_true(check$verdict %in% c("resample", "trust"))
  strict <- function(x) if (any(x <= 0)) stop("x must be positive") else gamma(x)
  layers <- list(layer_elementwise(scalar_affine()), layer_elementwise(scalar_exp()))
  fit <- with_seed(16, fit_flow(strict, layers, d = 2, steps = 100))
  expect_s3_class(with_seed(17, check_flow(fit, target = strict)), "bijectr_target_check")
})

test_that("what a flow cannot draw counts where the target knows it, and is not learned from", {
  within <- function(x) ifelse(x[, 1] > 0 & x[, 1] < 1, dnorm(x[, 1], 0.5, 0.25, log = TRUE), -Inf)
  layers <- list(layer_elementwise(scalar_affine()), layer_elementwise(scalar_sigmoid()))
  fit <- with_seed(18, fit_flow(within, layers, d = 1, steps = 300))
  whole <- as_target(function(x) dnorm(x[, 1], 0.5, 0.25, log = TRUE), 1)
  at <- with_seed(19, weigh_wide_draws(fit, whole, 20000))
  beyond <- at$value[, 1] < 0 | at$value[, 1] > 1
  expect_gt(sum(beyond), 20)
  expect_true(all(at$log_q[beyond] == -Inf))
  w <- exp(at$log_w)
  expect_gt(sum(w[beyond]) / 20000, 0.01) # of 0.046
  expect_equal(mean(w), 1, tolerance = 0.04)
  x <- rows_of_target(fit, whole)$x
  expect_true(all(x >= 0 & x <= 1))
  # where the target is not defined there is nothing to find
  strict <- as_target(function(x) if (any(x < 0 | x > 1)) stop("no") else dnorm(x[, 1], 0.5, 0.25, log = TRUE), 1)
  at <- with_seed(19, weigh_wide_draws(fit, strict, 20000))
  expect_true(all(at$log_w[beyond] == -Inf))
})

test_that("a target that is infinite further out is told of", {
  fit <- normal_of(2)
  endless <- function(x) ifelse(x[, 1] > 5, Inf, -rowSums(x^2) / 2)
  expect_error(
    with_seed(20, check_flow(fit, target = endless)), "The target is Inf at \\(", class = "bijectr_error_argument"
  )
})

test_that("draws of components have their shares, means and covariances", {
  root <- array(c(1, 0.5, 0, 2, 0.3, 0, 0, 0.3), c(2, 2, 2))
  parts <- list(weight = c(0.25, 0.75), loc = rbind(c(5, 5), c(-5, 0)), root = root)
  z <- with_seed(12, component_draws(parts, 40000))
  first <- z[, 1] > 0
  expect_equal(mean(first), 0.25, tolerance = 1e-3)
  expect_equal(colMeans(z[first, ]), c(5, 5), tolerance = 0.02)
  expect_equal(cov(z[first, ]), root[, , 1] %*% t(root[, , 1]), tolerance = 0.05)
  expect_equal(cov(z[!first, ]), root[, , 2] %*% t(root[, , 2]), tolerance = 0.05)
})
