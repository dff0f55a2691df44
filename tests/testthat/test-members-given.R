# Members given conditions that are no flows, beside their formulas: frequencies, linear, local, cells, nearby.

pose <- function(y, x, values = NULL, rules = list(), weights = NULL) {
  problem <- list(
    data = matrix(y, NROW(x)), condition = x, weights = weights, n = NROW(x), d = NCOL(y), d_condition = ncol(x),
    rows = list(train = seq_len(NROW(x)), validation = integer()), values = values, memo = new.env(), rules = rules
  )
  if (is.null(values)) problem$line <- line_behind(problem, rep(list(whole_line()), problem$d))
  problem
}

some_levels <- function(n = 60) {
  set.seed(21)
  x <- cbind(rnorm(n), rbinom(n, 1, 0.4))
  list(x = x, y = pmin(3, rpois(n, exp(0.3 * x[, 1] + x[, 2]))))
}

test_that("frequencies have half a row more", {
  d <- some_levels()
  member <- frequencies_member(pose(d$y, d$x, 0:4), list(train = 1:60), NULL)[[1]]
  share <- exp(log_shares(member, d$x, 60))
  expect_equal(share[7, ], (tabulate(d$y + 1, 5) + 0.1) / 60.5, tolerance = 1e-12)
  weighted <- frequencies_member(pose(d$y, d$x, 0:4, weights = rep(c(0, 2), 30)), list(train = 1:60), NULL)[[1]]
  expect_equal(exp(weighted$params), (tabulate(d$y[2 * 1:30] + 1, 5) + 0.1) / 30.5, tolerance = 1e-12)
})

test_that("logits are those of the ridged likelihood", {
  d <- some_levels()
  y <- indicate_values(d$y, 0:3)
  found <- fit_logits(y, d$x, 2)
  loss <- function(b) {
    b <- matrix(b, 3)
    eta <- cbind(1, d$x) %*% b
    own <- eta[cbind(1:60, d$y + 1)] - log(rowSums(exp(eta)))
    -sum(own) + sum(b[-1, ]^2) - sum(b[1, ] - log(sum(exp(b[1, ])))) / 8
  }
  slope <- vapply(1:12, function(j) {
    h <- replace(numeric(12), j, 1e-5)
    (loss(as.vector(found) + h) - loss(as.vector(found) - h)) / 2e-5
  }, 0)
  expect_lt(max(abs(slope)), 0.01)
  # many levels of a condition are codes, of which each level has an effect of its own
  code <- cbind(rep(0:11, 5))
  member <- linear_member(
    c(pose(rep(c(0, 1), c(30, 30)), code, 0:1), list(levels = 12)), list(train = 1:60), list(ridge = 1)
  )[[1]]
  expect_length(member$params, 2 * 12)
  expect_true(isTRUE(intact_categories(member)))
  expect_equal(rowSums(exp(log_shares(member, code, 60))), rep(1, 60), tolerance = 1e-12)
})

test_that("rows nearby count by their distance", {
  d <- some_levels()
  size <- list(width = 0.3, strength = 1)
  member <- local_member(pose(d$y, d$x, c(0, 1, 2, 3)), list(train = 1:60), size)[[1]]
  linear <- linear_member(pose(d$y, d$x, 0:3), list(train = 1:60), list(ridge = LOCAL_RIDGE))[[1]]
  at <- rbind(c(0.2, 1), c(-1, 0))
  by_hand <- t(apply(at, 1, function(c) {
    k <- exp(-sqrt(colMeans((t(d$x) - c)^2)) / 0.3)
    prior <- exp(log_shares(linear, matrix(c, 1), 1))
    (vapply(0:3, function(j) sum(k[d$y == j]), 0) + prior) / (sum(k) + 1)
  }))
  expect_equal(exp(log_shares(member, at, 2)), by_hand, tolerance = 1e-9)
  # what follows from shares
  p <- points_cdf(member, matrix(c(-1, 0, 1.5, 3)), at[c(1, 1, 1, 1), ], TRUE, FALSE)
  expect_equal(p, c(0, by_hand[1, 1], sum(by_hand[1, 1:2]), 1), tolerance = 1e-9)
  q <- points_cdf(member, matrix(c(-1, 0, 1.5, 3)), at[c(1, 1, 1, 1), ], FALSE, FALSE)
  expect_equal(q, 1 - p, tolerance = 1e-12)
  expect_identical(points_quantile(member, p[2:3], at[c(1, 1), ], TRUE, FALSE), c(0, 1))
  expect_identical(points_quantile(member, q[2:3], at[c(1, 1), ], FALSE, FALSE), c(0, 1))
  expect_identical(points_density(member, matrix(c(0.5, 7)), at), c(-Inf, -Inf))
  set.seed(22)
  drawn <- points_drawn(member, 8000, at[rep(1, 8000), ])
  expect_equal(tabulate(drawn + 1, 4) / 8000, by_hand[1, ], tolerance = 0.05)
})

test_that("cells are normal distributions of their own", {
  set.seed(23)
  cell <- rep(0:1, c(200, 100))
  y <- cbind(rnorm(300, 3 * cell, 1 + cell), rnorm(300))
  y[, 2] <- y[, 2] + ifelse(cell == 1, 0.9, -0.5) * y[, 1]
  x <- cbind(cell)
  member <- cells_member(pose(y, x), list(train = 1:300), list(by = 1, strength = 0.01))[[1]]
  own <- function(k) {
    z <- y[cell == k, ]
    r <- chol(cov(z))
    u <- backsolve(r, t(z) - colMeans(z), transpose = TRUE)
    -colSums(u^2) / 2 - sum(log(diag(r))) - log(2 * pi)
  }
  found <- points_density(member, y, x)
  expect_lt(mean(abs(found - c(own(0), own(1)))), 0.03)
  # a cell that no row had: all the same, a proper density
  drawn_to <- cells_member(pose(y, x), list(train = 1:300), list(by = 1, strength = 4))[[1]]
  grid <- as.matrix(expand.grid(seq(-30, 30, 0.2), seq(-30, 30, 0.2)))
  p <- exp(points_density(drawn_to, grid, matrix(0.5, nrow(grid), 1)))
  expect_equal(sum(p) * 0.04, 1, tolerance = 0.01)
  s <- with_seed(1, points_drawn(member, 4000, matrix(1, 4000, 1)))
  expect_equal(cov(s), cov(y[cell == 1, ]), tolerance = 0.15)
  one <- cells_member(pose(y[, 1], x), list(train = 1:300), list(by = 1, strength = 1))[[1]]
  at <- matrix(c(0, 1, 0, 1))
  p <- points_cdf(one, matrix(c(-1, 2, 1, 5)), at, TRUE, FALSE)
  expect_equal(points_quantile(one, p, at, TRUE, FALSE), c(-1, 2, 1, 5), tolerance = 1e-9)
  sizes <- cell_sizes(pose(y, cbind(cell, rnorm(300), rep(0:2, 100))))
  expect_identical(unique(lapply(sizes, `[[`, "by")), list(c(1L, 3L), 1L, 3L))
})

test_that("kernels at residuals nearby are weighed as the formula has it", {
  set.seed(24)
  x <- cbind(rnorm(80), rnorm(80))
  y <- cbind(x[, 1] + rnorm(80), rnorm(80))
  size <- list(near = 0.4, width = 0.3, strength = 0.5)
  member <- nearby_member(pose(y, x), list(train = 1:80), size)[[1]]
  line <- member$line
  z <- (y - rep(line$center, each = 80)) / rep(line$scale, each = 80)
  fit <- lm(z ~ x)
  expect_equal(unname(member$residual), unname(resid(fit)), tolerance = 1e-9)
  at <- 5
  k <- exp(-sqrt(colMeans((t(x) - x[at, ])^2)) / 0.4)
  s <- tcrossprod(member$root)
  normal <- function(u, s) exp(-mahalanobis(u, c(0, 0), s) / 2) / (2 * pi * sqrt(det(s)))
  shift <- resid(fit)[at, ]
  near <- normal(t(shift - t(resid(fit))), 0.3^2 * s)
  own <- gamma((member$df + 2) / 2) / (gamma(member$df / 2) * member$df * pi * sqrt(det(s))) *
    (1 + mahalanobis(shift, c(0, 0), s) / member$df)^(-(member$df + 2) / 2)
  value <- (sum(k * near) + 0.5 * own) / (sum(k) + 0.5) / prod(line$scale)
  expect_equal(exp(points_density(member, y, x))[at], value, tolerance = 1e-9)
  # of one column: distribution function, quantiles and density agree
  one <- nearby_member(pose(y[, 1], x), list(train = 1:80), size)[[1]]
  given <- x[rep(3, 5), ]
  q <- c(-2, -0.5, 0, 1, 3)
  p <- points_cdf(one, matrix(q), given, TRUE, FALSE)
  expect_equal(points_quantile(one, p, given, TRUE, FALSE), q, tolerance = 1e-7)
  density <- function(t) exp(points_density(one, matrix(t), x[rep(3, length(t)), ]))
  expect_equal(stats::integrate(density, -2, 1, rel.tol = 1e-10)$value, p[4] - p[1], tolerance = 1e-8)
  expect_equal(points_cdf(one, matrix(c(-Inf, Inf)), given[1:2, ], TRUE, FALSE), c(0, 1))
  s <- with_seed(2, points_drawn(member, 6000, x[rep(at, 6000), ]))
  mean_by_hand <- drop(c(1, x[at, ]) %*% coef(fit)) + colSums(k * resid(fit)) / (sum(k) + 0.5)
  expect_equal(colMeans(s), unname(mean_by_hand) * line$scale + line$center, tolerance = 0.1)
})

test_that("damaged members are told", {
  d <- some_levels()
  for (member in list(
    local_member(pose(d$y, d$x, 0:3), list(train = 1:60), list(width = 0.3, strength = 1))[[1]],
    cells_member(pose(d$y + 0, d$x), list(train = 1:60), list(by = 2, strength = 1))[[1]],
    nearby_member(pose(d$y + 0, d$x), list(train = 1:60), list(near = 0.3, width = 0.3, strength = 1))[[1]]
  )) {
    expect_no_error(check_member(member, 1, 2))
    expect_error(check_member(member, 1, 3), "damaged", class = "bijectr_error_argument")
    for (field in intersect(c("given", "keys", "values", "flows", "root", "width", "by"), names(member))) {
      broken <- member
      broken[field] <- list(NULL)
      expect_error(check_member(broken, 1, 2), "damaged", class = "bijectr_error_argument")
    }
  }
  expect_error(check_member(list(), 1, 2), "damaged", class = "bijectr_error_argument")
})

test_that("means and variances of kernels nearby are those of their quantiles", {
  set.seed(5)
  x <- matrix(rnorm(400), 200)
  y <- matrix(x[, 1]^2 + rnorm(200) * exp(x[, 2] / 3))
  for (strength in c(0.2, 1)) {
    member <- nearby_member(pose(y, x), list(train = 1:200), list(near = 0.06, width = 0.15, strength = strength))[[1]]
    moments <- function(spread) {
      at <- matrix(spread$x, nrow(spread$weight))
      expect_equal(colSums(spread$weight), rep(1, 20))
      mean <- colSums(at * spread$weight)
      list(mean = mean, sd = sqrt(colSums(at^2 * spread$weight) - mean^2))
    }
    given <- rbind(x[1:19, ], c(90, -90)) # where no kernel is near
    fast <- moments(spread_of_one(member, 20, given, 99L))
    slow <- moments(spread_of_one.default(member, 20, given, 999L))
    expect_lt(max(abs(fast$mean - slow$mean) / slow$sd), 2e-3)
    expect_lt(max(abs(fast$sd / slow$sd - 1)), 0.02)
  }
})
