# Whole numbers in one coordinate: probabilities of intervals.

quiet_fit <- function(...) suppressWarnings(fit_flow(..., progress = FALSE), classes = "bijectr_warning_counts")
small_stack <- function(kinds = c("normal", "spline", "affine_t")) stack_members(kinds, folds = 2, fits = 1)

counts_given <- function(n) {
  d <- data.frame(x = rnorm(n))
  d$y <- rpois(n, exp(1 + 0.5 * d$x))
  d
}

test_that("probabilities sum to 1, and are those of the density of the line", {
  set.seed(1)
  d <- counts_given(200)
  fits <- list(
    quiet_fit(y ~ x, data = d, members = 1, steps = 60),
    quiet_fit(y ~ x, data = d, members = small_stack(), steps = 60),
    quiet_fit(y ~ x, data = d, support = counts(-Inf), members = small_stack("spline"), steps = 60)
  )
  for (fit in fits) {
    expect_true(is_whole(fit))
    k <- if (is.null(flow_supports(fit))) -60:160 else 0:1000
    for (x in c(-1, 0.7)) {
      p <- dflow(k, fit, condition = data.frame(x = rep(x, length(k))))
      expect_equal(sum(p) + pflow(max(k), fit, condition = data.frame(x = x), lower.tail = FALSE) +
                     pflow(min(k) - 1, fit, condition = data.frame(x = x)), 1, tolerance = 1e-9)
    }
    given <- take_condition(fit, data.frame(x = 0.7), 1)
    at <- function(y) exp(points_density(fit, matrix(y), given[rep(1, length(y)), , drop = FALSE]))
    mass <- stats::integrate(at, 1.5, 2.5, rel.tol = 1e-10)$value
    expect_equal(dflow(2, fit, condition = data.frame(x = 0.7)), mass, tolerance = 1e-9)
    expect_identical(logdensity(fit, data.frame(x = 0.7, y = c(2.5, NA))), c(-Inf, NA))
    expect_equal(fit$loglik, sum(logdensity(fit, d)), tolerance = 1e-12)
  }
})

test_that("draws, quantiles and distribution functions are whole, means are of whole numbers", {
  set.seed(2)
  y <- rpois(300, 4)
  for (fit in list(quiet_fit(y, support = counts(), steps = 100), quiet_fit(y, members = small_stack(), steps = 60))) {
    z <- sample(fit, 2e4)
    expect_true(all(z == round(z) & z >= 0))
    p <- dflow(0:60, fit)
    expect_lt(max(abs(tabulate(z + 1, 61) / 2e4 - p)), 0.015)
    expect_equal(pflow(0:60, fit), cumsum(p), tolerance = 1e-9)
    expect_identical(pflow(c(3.7, -0.2), fit), pflow(c(3, -1), fit))
    level <- c(0.01, 0.3, 0.5, 0.9)
    smallest <- vapply(level, function(a) which(cumsum(p) >= a)[1] - 1, 0)
    expect_identical(qflow(level, fit), smallest)
    expect_identical(qflow(0, fit), 0)
    expect_identical(median(fit), smallest[3])
    expect_equal(predict(fit, type = "response"), sum(0:60 * p), tolerance = 1e-2)
  }
  expect_identical(to_whole(c(-0.5, -0.5 + 2^-54, 0.49, 0.5, 0.51, 7, Inf)), c(-1, 0, 0, 0, 1, 7, Inf))
})

test_that("the true model is near, for numbers on the line and for ratings, too", {
  set.seed(3)
  d <- counts_given(1000)
  new <- counts_given(4000)
  truth <- mean(dpois(new$y, exp(1 + 0.5 * new$x), log = TRUE))
  fit <- suppressWarnings(fit_flow(y ~ x, data = d, progress = FALSE))
  expect_gt(mean(suppressWarnings(logdensity(fit, new))), truth - 0.03)
  # its figures are honest, and the normal beside it is one of probabilities
  expect_equal(fit$reference$flow, mean(suppressWarnings(logdensity(fit, new))), tolerance = 0.05)
  expect_gt(fit$reference$flow, fit$reference$normal)
  expect_identical(check_flow(fit, new[1:600, ], draws = 4000)$verdict, "trust")
  shifted <- transform(new[1:600, ], y = y + 2)
  expect_identical(check_flow(fit, shifted, draws = 4000)$verdict, "do not trust")

  rating <- quiet_fit(pmin(rpois(300, 4), 9) + 1, support = counts(1, 10), steps = 200)
  expect_equal(sum(dflow(1:10, rating)), 1, tolerance = 1e-12)
  expect_identical(dflow(c(0, 11), rating), c(0, 0))
  expect_identical(range(sample(rating, 1000)) >= 1, c(TRUE, TRUE))
})

test_that("columns of whole numbers are found, where ties are many and nothing else was said", {
  set.seed(4)
  found <- function(x, ...) is_whole(quiet_fit(x, steps = 2, ...))
  expect_true(found(rpois(300, 3)))
  expect_true(found(round(rnorm(300))))
  expect_false(found(round(rnorm(300, sd = 20))))
  expect_false(suppressWarnings(found(rpois(300, 3) / 2)))
  expect_false(suppressWarnings(found(1000 * rpois(300, 3))))
  expect_false(suppressWarnings(found(rpois(300, 3), support = "real")))
  expect_false(suppressWarnings(found(rpois(300, 3), layers = layer_elementwise(scalar_affine()))))
  expect_true(found(rpois(300, 3), support = counts(), layers = layer_elementwise(scalar_affine())))
  expect_warning(fit <- fit_flow(rpois(300, 3), steps = 2), "counts()", fixed = TRUE, class = "bijectr_warning_counts")
  expect_identical(flow_supports(fit)[[1]]$lower, -0.5)
  expect_warning(fit <- fit_flow(round(rnorm(300)), steps = 2), "counts(-Inf)", fixed = TRUE)
  expect_null(flow_supports(fit))
  # where gaps are learned from, they are numbers
  two <- data.frame(n = rpois(100, 3), z = rnorm(100))
  gaps <- suppressWarnings(fit_flow(data.frame(n = c(NA, two$n)), na = "model", steps = 2))
  expect_true(is.finite(logdensity(gaps, data.frame(n = 2.5))))
})

test_that("fits of whole numbers go on, start others, are saved and weighed", {
  set.seed(5)
  d <- counts_given(150)
  one <- quiet_fit(y ~ x, data = d, members = 1, steps = 40, keep_state = TRUE, support = counts())
  expect_gte(resume(one, d, steps = 200)$held_out_loglik, one$held_out_loglik - 1e-9)
  expect_silent(started <- fit_flow(y ~ x, data = d, layers = one, steps = 5, progress = FALSE))
  expect_true(is_whole(started))
  expect_error(fit_flow(y ~ x, data = transform(d, y = y + 0.5), layers = one, steps = 5), "whole numbers",
    class = "bijectr_error_argument"
  )
  d$w <- rep(c(1, 2, 0), 50)
  stack <- quiet_fit(y ~ x, data = d, members = small_stack(), steps = 40, weights = w)
  expect_true(is.finite(stack$loglik))
  expect_s3_class(resume(stack, d, weights = d$w, steps = 5), "bijectr_stack")
  file <- tempfile(fileext = ".rds")
  saveRDS(stack, file)
  seen <- d[d$w > 0, ] # rows of no weight may lie beyond the others
  expect_identical(logdensity(readRDS(file), seen), logdensity(stack, seen))
  for (base in list(base_mixture(2), base_student_t(trainable = TRUE))) {
    fit <- quiet_fit(d$y, support = counts(), base = base, steps = 50)
    expect_equal(sum(dflow(0:1000, fit)), 1, tolerance = 1e-6)
  }
  expect_error(counts(0.5), "`lower` must be a whole number", class = "bijectr_error_argument")
  expect_error(counts(3, 1), "below", class = "bijectr_error_argument")
})

test_that("points within intervals have the distribution of the flow", {
  f <- flow(layer_elementwise(scalar_affine()), 1)
  set.seed(7)
  k <- round(rnorm(4000))
  expect_gt(stats::ks.test(drawn_within(f, k - 0.5, k + 0.5, NULL), "pnorm")$p.value, 0.01)
  far <- drawn_within(f, c(-12.5, 11.5), c(-11.5, 12.5), NULL)
  expect_true(all(abs(far - c(-12, 12)) <= 0.5))
})
