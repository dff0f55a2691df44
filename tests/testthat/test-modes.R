normal_mixture <- function(loc, weight, sd = 1) {
  function(x) {
    parts <- vapply(seq_along(weight), function(c) {
      log(weight[c]) + rowSums(dnorm(x, rep(loc[c, ], each = nrow(x)), sd, log = TRUE))
    }, numeric(nrow(x)))
    log_sum_rows(matrix(parts, nrow(x)))
  }
}

test_that("modes that are far apart are all found, and have their weights", {
  loc <- rbind(c(-6, 0, 0), c(6, 0, 0), c(0, 8, 3))
  weight <- c(0.3, 0.2, 0.5)
  target <- normal_mixture(loc, weight)
  for (seed in 1:3) {
    set.seed(seed)
    fit <- fit_flow(target, d = 3)
    expect_identical(fit$steps, 0) # mixtures of normals need no training
    expect_equal(fit$evaluation$log_z, 0, tolerance = 0.02)
    x <- as.matrix(sample(fit, 20000))
    near <- max.col(-sapply(1:3, function(c) rowSums((x - rep(loc[c, ], each = 20000))^2)))
    expect_lt(max(abs(tabulate(near, 3) / 20000 - weight)), 0.03)
    expect_identical(check_flow(fit)$verdict, "trust")
    # the density is that of the target
    expect_lt(max(abs(logdensity(fit, x[1:50, ]) - target(x[1:50, ]))), 0.3)
  }
})

test_that("modes that are no normals get flows", {
  banana <- function(x) -(x[, 1]^2 + (x[, 2] - x[, 1]^2)^2) / 2
  two <- function(x) log_sum_rows(cbind(banana(x) + log(0.6), banana(x - rep(c(8, 0), each = nrow(x))) + log(0.4)))
  set.seed(1)
  fit <- fit_flow(two, d = 2)
  expect_gt(fit$steps, 0)
  check <- check_flow(fit)
  expect_true(check$verdict != "do not trust")
  expect_equal(check$log_z[["estimate"]], log(2 * pi), tolerance = 0.03)
  s <- importance_sample(fit, n = 20000)
  expect_lt(abs(sum(exp(s$log_weights) * (s$draws[, 1] > 4)) - 0.4), 0.03)
})

test_that("components of a base are what it draws from", {
  flow <- with_seed(1, flow(list(layer_triangular_affine()), 2, base = base_gaussian_mixture(3)))
  parts <- base_components(flow)
  set.seed(2)
  z <- matrix(rnorm(20), 10)
  base <- flow(list(), 2, base = base_gaussian_mixture(3))
  base["params"] <- list(flow$params[seq_along(unlist(base_params(flow)))])
  expect_equal(log_sum_rows(log_components(z, parts)), logdensity(base, z), tolerance = 1e-10)
  one <- base_components(flow(list(layer_triangular_affine()), 2))
  expect_equal(log_components(z, one)[, 1], rowSums(dnorm(z, log = TRUE)), tolerance = 1e-12)
  expect_equal(log_components(z, one, 3)[, 1], rowSums(dnorm(z, sd = 3, log = TRUE)), tolerance = 1e-12)
  expect_null(base_components(flow(list(layer_triangular_affine()), 2, base = base_student_t())))
  same <- on_components(flow, parts)
  expect_equal(logdensity(same, z), logdensity(flow, z), tolerance = 1e-10)
  chosen <- chosen_components(log(matrix(c(0.2, 0.5, 0.3), 30000, 3, byrow = TRUE)))
  expect_lt(max(abs(tabulate(chosen, 3) / 30000 - c(0.2, 0.5, 0.3))), 0.02)
})

test_that("a check of a flow on a mixture sees what it leaves out", {
  target <- normal_mixture(rbind(c(0, 0), c(9, 0)), c(0.5, 0.5))
  narrow <- on_components(flow(list(layer_elementwise(scalar_affine())), 2), list(
    weight = c(0.5, 0.5), loc = rbind(c(0, 0), c(9, 0)), root = array(0.35 * diag(2), c(2, 2, 2))
  ))
  set.seed(3)
  fit <- fit_flow(target, narrow, steps = 1, learning_rate = 1e-9, evaluate = 500)
  found <- check_flow(fit)
  expect_identical(found$verdict, "do not trust")
  expect_equal(found$log_z[["estimate"]], 0, tolerance = 0.1) # that of the flow's own draws is too low
  expect_lt(found$log_z[["narrow"]], -0.1)
  # its picture has both errors of both coordinates
  picture <- picture_of(found)
  points <- function(panel) Filter(function(item) inherits(item, "bijectr_item_points"), panel$items)[[1]]
  expect_equal(points(picture$panels[[1]])$x, found$moments$mean_off)
  expect_equal(points(picture$panels[[2]])$x, 100 * found$moments$sd_off)
  expect_identical(picture$note, "Verdict: do not trust")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(plot(found), found)
  skip_if_not_installed("ggplot2")
  expect_silent(print(ggplot2::autoplot(found)))
})

test_that("modes that are narrower, and far away, are found", {
  mixture <- function(at, sd, first = 1) {
    function(x) {
      a <- rowSums(dnorm(x, 0, first, log = TRUE))
      b <- rowSums(matrix(dnorm(x, rep(at, each = nrow(x)), sd, log = TRUE), nrow(x)))
      pmax(a, b) + log1p(exp(-abs(a - b)))
    }
  }
  for (at in list(c(6, 8), c(-24, 32), c(0, 90))) {
    set.seed(21)
    fit <- fit_flow(mixture(at, 0.3), d = 2)
    expect_equal(fit$evaluation$log_z, log(2), tolerance = 0.01)
    expect_identical(check_flow(fit)$verdict, "trust")
  }
  set.seed(22)
  fit <- fit_flow(mixture(c(50, -30), 1, 0.1), d = 2) # 580 standard deviations away, and ten times as wide
  expect_equal(fit$evaluation$log_z, log(2), tolerance = 0.01)
})

test_that("climbs begin where a target is large beside a normal distribution", {
  parts <- list(weight = 1, loc = matrix(0, 1, 2), root = array(diag(2), c(2, 2, 1)))
  seen <- NULL
  two <- function(z, gradient) {
    seen <<- z
    list(value = pmax(-rowSums(z^2) / 2, -((z[, 1] - 20)^2 + z[, 2]^2) / 0.18))
  }
  starts <- with_seed(23, mode_starts(two, parts, 2))
  expect_equal(nrow(seen), (4 + MODE_DIRECTIONS[["random"]]) * length(MODE_RADII))
  expect_equal(nrow(starts$z), 2 * length(MODE_RADII))
  at <- sqrt((starts$z[, 1] - 20)^2 + starts$z[, 2]^2)
  expect_gte(sum(at < 0.3 * sqrt(rowSums(starts$z^2))), 2)
  nowhere <- function(z, gradient) list(value = rep(-Inf, nrow(z)))
  expect_equal(nrow(mode_starts(nowhere, parts, 2)$z), 0)
})
