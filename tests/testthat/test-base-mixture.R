random_mixture <- function(d, k, seed) {
  set.seed(seed)
  f <- flow(layer_permute(seq_len(d)), d, base = base_mixture(k, spread = 2))
  params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
  f
}

mixture_density <- function(p, x) {
  w <- exp(p$weight) / sum(exp(p$weight))
  s <- log1p(exp(p$scale))
  log(rowSums(vapply(seq_along(w), function(c) {
    w[c] * exp(rowSums(dnorm(x, rep(p$mean[c, ], each = nrow(x)), rep(s[c, ], each = nrow(x)), log = TRUE)))
  }, numeric(nrow(x)))))
}

test_that("density and gradients", {
  for (k in c(1, 2, 5)) {
    f <- random_mixture(3, k, k)
    x <- matrix(rnorm(18), 6)
    expect_equal(logdensity(f, x), mixture_density(params(f)$base, x), tolerance = 1e-12)
    for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, x, NULL, inverse)
    expect_batches_ok(f, x, NULL, TRUE)
    expect_machines_ok(f, x, NULL, TRUE)
  }
})

test_that("one component is a normal", {
  set.seed(4)
  expect_base_ok(base_mixture(1, spread = 0), function(x) dnorm(x, log = TRUE), pnorm)
})

test_that("draws", {
  f <- random_mixture(1, 3, 7)
  p <- params(f)$base
  w <- exp(p$weight) / sum(exp(p$weight))
  cdf <- function(x) {
    s <- log1p(exp(p$scale[, 1]))
    rowSums(vapply(1:3, function(c) w[c] * pnorm(x, p$mean[c, 1], s[c]), numeric(length(x))))
  }
  draws <- {
    set.seed(11)
    sample(f, 20000)
  }
  expect_gt(ks.test(cdf(c(draws)), "punif")$p.value, 1e-3)
  set.seed(11)
  expect_identical(sample(f, 33), draws[1:33, , drop = FALSE])
  # coordinates of one row share their component, and are independent within it
  g <- flow(layer_flip(), 2, base = base_mixture(2))
  params(g) <- c(0, log(3), -50, 50, -50, 50, rep(log(expm1(1)), 4))
  x <- sample(g, 20000)
  second <- x[, 1] > 0
  expect_equal(mean(second), 0.75, tolerance = 0.02)
  expect_identical(second, x[, 2] > 0)
  expect_lt(abs(cor(x[second, ])[1, 2]), 0.03)
})

test_that("far rows and extreme parameters stay finite", {
  f <- random_mixture(2, 3, 8)
  x <- cbind(c(0, 1e8, 1e100, 1e150), c(1e3, -1e8, 0, -1e150))
  out <- flow_vjp(f, x, TRUE, list(log_density = rep(1, 4)))
  expect_true(all(is.finite(out$x)))
  expect_true(all(is.finite(out$log_density)))
  for (shift in c(-1e3, 1e3)) {
    g <- f
    params(g) <- coef(f) + shift * rep_len(c(1, -1, 0), length(coef(f)))
    expect_false(anyNA(logdensity(g, x[1:2, ])))
  }
})

test_that("wrong arguments are named", {
  expect_error(base_mixture(0), "components", class = "bijectr_error_argument")
  expect_error(base_mixture(spread = -1), "spread", class = "bijectr_error_argument")
})

# A draw from the uniform numbers z by the inverses of the conditional distribution functions
draw_of <- function(p, z) {
  s <- log1p(exp(p$scale))
  share <- exp(p$weight) / sum(exp(p$weight))
  x <- numeric(length(z))
  for (i in seq_along(z)) {
    cdf <- function(at) sum(share * pnorm(at, p$mean[, i], s[, i]))
    x[i] <- uniroot(function(at) cdf(at) - z[i], c(-60, 60), tol = 1e-14)$root
    share <- share * dnorm(x[i], p$mean[, i], s[, i])
    share <- share / sum(share)
  }
  x
}

uniform_of <- function(p, x) {
  s <- log1p(exp(p$scale))
  share <- exp(p$weight) / sum(exp(p$weight))
  z <- numeric(length(x))
  for (i in seq_along(x)) {
    z[i] <- sum(share * pnorm(x[i], p$mean[, i], s[, i]))
    share <- share * dnorm(x[i], p$mean[, i], s[, i])
    share <- share / sum(share)
  }
  z
}

test_that("draws move with the parameters so that their conditional distribution functions stay", {
  for (d in 1:3) {
    f <- random_mixture(d, 3, d)
    set.seed(5)
    x <- sample(f, 5)
    a <- matrix(rnorm(5 * d), 5)
    exact <- native_draw_vjp(f, x, NULL, a)
    z <- lapply(1:5, function(r) uniform_of(params(f)$base, x[r, ]))
    moved <- function(theta) {
      params(f) <- theta
      sum(vapply(1:5, function(r) sum(a[r, ] * draw_of(params(f)$base, z[[r]])), 0))
    }
    theta <- unname(coef(f))
    numeric <- vapply(seq_along(theta), function(i) {
      derivative(function(step) moved(replace(theta, i, theta[i] + step)), 1e-4)
    }, 0)
    expect_lt(relative_gap(exact, numeric), 1e-6)
  }
})

test_that("it is trained against a log density", {
  target <- function(x) log(0.3 * dnorm(x[, 1], -2, 0.5) + 0.7 * dnorm(x[, 1], 1.5, 1))
  set.seed(1)
  f <- flow(layer_permute(1), 1, base = base_mixture(2, spread = 2))
  params(f) <- c(0, 0, -1, 1, 0, 0)
  fit <- fit_flow(target, f, d = 1, steps = 800, learning_rate = 0.03, evaluate = 0, progress = FALSE)
  p <- params(fit)$base
  expect_equal(exp(p$weight) / sum(exp(p$weight)), c(0.3, 0.7), tolerance = 0.05)
  expect_equal(c(p$mean), c(-2, 1.5), tolerance = 0.05)
  expect_equal(c(log1p(exp(p$scale))), c(0.5, 1), tolerance = 0.05)
})

test_that("distribution and quantile functions", {
  f <- random_mixture(1, 3, 7)
  x <- c(-40, -3, -0.5, 0.3, 2, 30)
  p <- params(f)$base
  cdf <- function(x, lower) {
    w <- exp(p$weight) / sum(exp(p$weight))
    sum(w * pnorm(x, p$mean[, 1], log1p(exp(p$scale[, 1])), lower))
  }
  expect_equal(pflow(x, f), vapply(x, cdf, 0, TRUE), tolerance = 1e-13)
  upper <- vapply(x, cdf, 0, FALSE)
  expect_equal(pflow(x, f, lower.tail = FALSE, log.p = TRUE), log(upper), tolerance = 1e-13)
  q <- c(0, 1e-300, 1e-20, 0.1, 0.5, 0.51, 1 - 1e-9, 1)
  expect_equal(pflow(qflow(q, f), f) / c(1, q[-1]), c(0, rep(1, 7)), tolerance = 1e-12)
  log_q <- c(-1e4, -800, -1, -1e-4, -1e-20)
  for (lower in c(TRUE, FALSE)) {
    expect_equal(pflow(qflow(log_q, f, NULL, lower, TRUE), f, NULL, lower, TRUE) / log_q, rep(1, 5), tolerance = 1e-12)
  }
  # two distant members: nearly no density between them
  params(f) <- c(0, 0, 0, -50, 50, 60, rep(log(expm1(1)), 3))
  expect_equal(pflow(qflow(1:8 / 9, f), f), 1:8 / 9, tolerance = 1e-13)
})

mixture_parts <- function(raw, k) {
  weight <- exp(raw[, 1:k, drop = FALSE])
  list(
    weight = weight / rowSums(weight), mean = raw[, k + 1:k, drop = FALSE],
    scale = log1p(exp(raw[, 2 * k + 1:k, drop = FALSE]))
  )
}

test_that("mixture density networks", {
  for (k in c(1, 2, 5)) {
    start <- c(rep(0, k), 1.5 * qnorm((1:k - 0.5) / k), rep(log(expm1(1)), k))
    expect_given_base_ok(
      base_mixture(k, 1.5, given_net()), start,
      function(x, raw) with(mixture_parts(raw, k), log(rowSums(weight * dnorm(x, mean, scale)))),
      function(x, raw) with(mixture_parts(raw, k), rowSums(weight * pnorm(x, mean, scale)))
    )
  }
})

test_that("a mixture density network of several coordinates, whose draws share their component", {
  d <- 2
  k <- 3
  f <- flow(list(), d, base = base_mixture(k, 2, given_net()), d_condition = 1)
  set.seed(41)
  params(f) <- 0.6 * rnorm(length(coef(f)))
  start <- vapply(1:d, function(i) 2 * qnorm(((1:k - 0.5) / k + (i - 1) * (sqrt(5) - 1) / 2) %% 1), numeric(k))
  # raw parameters at one condition
  raw_at <- function(f, given) {
    raw <- naive_net(f, matrix(given)) + c(rep(0, k), start, rep(log(expm1(1)), k * d))
    list(weight = raw[1:k], mean = matrix(raw[k + 1:(k * d)], k), scale = matrix(raw[k + k * d + 1:(k * d)], k))
  }
  given <- rnorm(5)
  x <- matrix(rnorm(5 * d), 5)
  one <- vapply(1:5, function(i) mixture_density(raw_at(f, given[i]), x[c(i, i), ])[1], 0)
  expect_equal(logdensity(f, x, given), one, tolerance = 1e-12)
  draws <- sample(f, 20000, condition = 0.5)
  p <- raw_at(f, 0.5)
  weight <- exp(p$weight) / sum(exp(p$weight))
  expect_equal(colMeans(draws), colSums(weight * p$mean), tolerance = 0.05)
  expected <- sum(weight * p$mean[, 1] * p$mean[, 2]) - prod(colSums(weight * p$mean))
  expect_equal(cov(draws)[1, 2], expected, tolerance = 0.05)

  a <- matrix(rnorm(5 * d), 5)
  exact <- native_draw_vjp(f, x, matrix(given), a)
  z <- lapply(1:5, function(r) uniform_of(raw_at(f, given[r]), x[r, ]))
  theta <- unname(coef(f))
  numeric <- vapply(seq_along(theta), function(i) {
    derivative(function(step) {
      params(f) <- replace(theta, i, theta[i] + step)
      sum(vapply(1:5, function(r) sum(a[r, ] * draw_of(raw_at(f, given[r]), z[[r]])), 0))
    }, 1e-4)
  }, 0)
  expect_lt(relative_gap(exact, numeric), 1e-6)
})

test_that("a mixture density network follows branches that cross", {
  set.seed(42)
  n <- 1500
  x <- runif(n, -1, 1)
  y <- ifelse(runif(n) < 0.5, x, -x) + 0.1 * rnorm(n)
  fit <- fit_flow(y, list(), condition = x, base = base_mixture(2, net = net_mlp(16)), steps = 1500,
    learning_rate = 0.01
  )
  half <- 0.5 * dnorm(0.8, 0.8, 0.1)
  expect_equal(exp(logdensity(fit, c(0.8, -0.8), c(0.8, 0.8))), rep(half, 2), tolerance = 0.3)
  expect_lt(exp(logdensity(fit, 0, 0.8)), 0.1)
})
