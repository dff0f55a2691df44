# Negative binomial and zero-inflated regressions as members of stacks, see R/members-counts.R.

counts_problem <- function(y, x) {
  list(
    data = matrix(y), condition = x, weights = NULL, n = length(y), d = 1, d_condition = ncol(x), levels = NULL,
    rows = list(train = seq_along(y), validation = integer()), rows_are = "whole",
    rules = list(given = list(counts()))
  )
}

test_that("likelihoods of counts are those of R's functions, and their derivatives those of differences", {
  y <- c(0, 0, 1, 3, 12, 250)
  log_mean <- c(-3, 0.5, 0.2, 2, 2.5, 5)
  logit <- c(-1, 0.4, -3, 1, 0, -2)
  z <- plogis(logit)
  for (size in c(0.3, 4, 1e4)) {
    at <- counts_likelihood(y, size, log_mean, NULL)
    expect_equal(at$value, dnbinom(y, size = size, mu = exp(log_mean), log = TRUE), tolerance = 1e-13)
    both <- counts_likelihood(y, size, log_mean, logit)
    own <- dnbinom(y, size = size, mu = exp(log_mean))
    expect_equal(exp(both$value), z * (y == 0) + (1 - z) * own, tolerance = 1e-12)
    h <- 1e-5
    slope <- function(f) (f(h)$value - f(-h)$value) / (2 * h)
    expect_equal(both$by_mean, slope(function(e) counts_likelihood(y, size, log_mean + e, logit)), tolerance = 1e-5)
    expect_equal(both$by_zero, slope(function(e) counts_likelihood(y, size, log_mean, logit + e)), tolerance = 1e-6)
    expect_equal(both$by_size, slope(function(e) counts_likelihood(y, size * exp(e), log_mean, logit)),
      tolerance = 1e-4
    )
  }
})

test_that("regressions of counts find what data were made of", {
  set.seed(1)
  n <- 4000
  x <- cbind(1, rnorm(n), rbinom(n, 1, 0.4))
  mean <- exp(0.5 + 0.4 * x[, 2] - 0.3 * x[, 3])
  found <- fit_counts(rnbinom(n, mu = mean, size = 2), x, NULL, FALSE, 0)
  expect_equal(found$mean, c(0.5, 0.4, -0.3), tolerance = 0.1)
  expect_equal(exp(found$size), 2, tolerance = 0.15)
  zero <- runif(n) < plogis(-0.7 + 0.5 * x[, 2])
  found <- fit_counts(ifelse(zero, 0, rpois(n, mean)), x, NULL, TRUE, 0)
  expect_equal(found$mean, c(0.5, 0.4, -0.3), tolerance = 0.15)
  expect_equal(found$zero, c(-0.7, 0.5, 0), tolerance = 0.2)
  expect_gt(found$size, 2)
  # rows of weight 2 are rows twice
  y <- rpois(50, 2)
  x <- x[1:50, 1:2]
  twice <- fit_counts(c(y, y[1:10]), rbind(x, x[1:10, ]), NULL, FALSE, 0)
  by_weight <- fit_counts(y, x, rep(c(2, 1), c(10, 40)), FALSE, 0)
  expect_equal(twice, by_weight, tolerance = 1e-4)
})

test_that("such members are distributions of whole numbers", {
  set.seed(2)
  x <- matrix(rnorm(200))
  y <- ifelse(runif(200) < 0.3, 0, rpois(200, exp(1 + 0.5 * x)))
  problem <- counts_problem(y, x)
  expect_length(counts_sizes(problem), length(COUNTS_PENALTIES))
  for (inflated in c(FALSE, TRUE)) {
    member <- counts_member(problem, problem$rows, inflated, list(penalty = 1))[[1]]
    expect_no_error(check_member(member, 1, 1))
    for (name in c("mean", "size", "lower")) {
      expect_error(check_member(replace(member, name, "a"), 1, 1), class = "bijectr_error_argument")
    }
    expect_error(check_member(member, 1, 2), class = "bijectr_error_argument")
    given <- matrix(0.4, 301, 1)
    p <- exp(points_density(member, matrix(0:300), given))
    expect_equal(sum(p), 1, tolerance = 1e-12)
    expect_identical(points_density(member, matrix(c(-1, 0.5)), given[1:2, , drop = FALSE]), c(-Inf, -Inf))
    expect_equal(points_cdf(member, matrix(0:300 + 0.5), given, TRUE, FALSE), cumsum(p), tolerance = 1e-12)
    expect_equal(points_cdf(member, matrix(0:9), given[1:10, , drop = FALSE], FALSE, TRUE), log(1 - cumsum(p)[1:10]),
      tolerance = 1e-10
    )
    at <- c(0.05, 0.3, 0.5, 0.9, 0.999)
    wanted <- findInterval(at, cumsum(p), left.open = TRUE)
    expect_equal(points_quantile(member, at, given[1:5, , drop = FALSE], TRUE, FALSE), wanted)
    expect_equal(points_quantile(member, log1p(-at), given[1:5, , drop = FALSE], FALSE, TRUE), wanted)
    drawn <- points_drawn(member, 20000, matrix(0.4, 20000, 1))
    share <- tabulate(drawn + 1, 8) / 20000
    expect_lt(max(abs(share - p[1:8])), 0.015)
  }
})

test_that("stacks have them for counts alone, and they win where they are true", {
  set.seed(3)
  d <- data.frame(x = rnorm(150), g = factor(rep(c("a", "b", "c"), 50)))
  d$y <- rnbinom(150, mu = exp(1.2 + 0.6 * d$x + 0.4 * (d$g == "b")), size = 1.5)
  fit <- suppressWarnings(fit_flow(y ~ x + g, d, members = stack_members(c("student_t", "negative_binomial")),
    support = counts(), progress = FALSE
  ))
  expect_gt(fit$members[[which(vapply(fit$members, `[[`, "", "kind") == "negative_binomial")]]$weight, 0.6)
  new <- d[1:20, ]
  new$y <- NULL
  expect_equal(
    rowSums(vapply(0:200, function(k) exp(logdensity(fit, cbind(new, y = k))), numeric(20))), rep(1, 20),
    tolerance = 1e-9
  )
  expect_true(all(sample(fit, 50, condition = new[rep(1, 50), ])$y >= 0))
  expect_error(
    fit_flow(y ~ x, d, members = stack_members("zero_inflated"), support = counts(0, 60), progress = FALSE),
    "no largest"
  )
})

test_that("counts of less variance than a Poisson distribution has are no negative binomial", {
  set.seed(5)
  d <- data.frame(even = 3 + rbinom(400, 4, 0.3), wide = rnbinom(400, mu = 4, size = 2), x = rnorm(400))
  kinds <- function(fit) summary(fit)$members$member
  expect_false("negative binomial" %in% kinds(suppressMessages(fit_flow(even ~ x, d, support = counts()))))
  expect_true("negative binomial" %in% kinds(suppressMessages(fit_flow(wide ~ x, d, support = counts()))))
  asked <- fit_flow(even ~ x, d, support = counts(), members = c("normal", "negative_binomial"))
  expect_true("negative binomial" %in% kinds(asked))
})
