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
  expect_lt(max(abs(with_seed(6, as.matrix(sample(fit, 10000)))[, 1])), 25)
  local <- with_seed(7, weigh_wide_draws(fit, as_target(bent, 2), 10000))
  w <- exp_shares(local$log_w)
  expect_gt(max(abs(local$value[w > 1e-5, 1])), 25)
  expect_false(with_seed(8, check_flow(fit, target = bent))$verdict == "trust")
  whole <- with_seed(9, fit_flow(bent, d = 2))
  x <- with_seed(10, as.matrix(sample(whole, 20000)))
  expect_equal(apply(x, 2, sd), c(10, sqrt(201)), tolerance = 0.1)
})

test_that("where neighbours tell nothing there are no such draws", {
  expect_true(uses_local_draws(normal_of(LOCAL_COORDINATES)))
  expect_false(uses_local_draws(normal_of(LOCAL_COORDINATES + 1)))
  u <- cbind(rnorm(30), rnorm(30))
  expect_null(local_components(u, rep(1 / 30, 30), 2)) # too few
  expect_null(local_components(cbind(rnorm(500), 1), rep(1 / 500, 500), 2)) # a coordinate that does not vary
  nowhere <- as_target(function(x) rep(-Inf, nrow(x)), 2)
  at <- with_seed(11, weigh_wide_draws(normal_of(2), nowhere, 1000))
  expect_true(all(at$log_w == -Inf))
  expect_equal(nrow(at$value), 800)
  # a base that is no normal distribution has draws of the flow alone
  uniform <- new_flow(layer_chain(layer_triangular_affine()), 2L, base_logistic(), 0L)
  expect_false(uses_local_draws(uniform))
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
