test_that("the start is standard normal", {
  expect_base_ok(base_mvnormal(), function(x) dnorm(x, log = TRUE), pnorm)
})

random_mvnormal <- function(d, seed) {
  set.seed(seed)
  f <- flow(layer_permute(seq_len(d)), d, base = base_mvnormal())
  params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
  f
}

test_that("density, gradients and draws of a correlated normal", {
  f <- random_mvnormal(3, 1)
  p <- params(f)$base
  l <- p$cholesky
  l[upper.tri(l)] <- 0
  diag(l) <- log1p(exp(diag(l)))
  x <- matrix(rnorm(18), 6)
  u <- t(solve(l, t(x) - p$mean))
  expect_equal(logdensity(f, x), rowSums(dnorm(u, log = TRUE)) - sum(log(diag(l))), tolerance = 1e-13)
  for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, x, NULL, inverse)
  expect_batches_ok(f, x, NULL, TRUE)
  expect_machines_ok(f, x, NULL, TRUE)
  set.seed(2)
  z <- t(solve(l, t(sample(f, 20000)) - p$mean))
  expect_lt(max(abs(colMeans(z))), 0.03)
  expect_equal(cov(z), diag(3), tolerance = 0.03)
  for (j in 1:3) expect_gt(ks.test(z[, j], "pnorm")$p.value, 1e-3)
})

test_that("it learns mean and covariance", {
  set.seed(3)
  x <- matrix(rnorm(2000), 1000) %*% rbind(c(2, 1), c(0, 0.5)) + rep(c(3, -1), each = 1000)
  f <- flow(layer_permute(1:2), 2, base = base_mvnormal())
  fit <- fit_flow(x, f,
    standardize = "none", progress = FALSE,
    control = fit_control(learning_rate = 0.05, batch_size = 1000, steps = 600, validation = 0, noise = 0)
  )
  p <- params(fit)$base
  l <- p$cholesky
  l[upper.tri(l)] <- 0
  diag(l) <- log1p(exp(diag(l)))
  expect_equal(p$mean, colMeans(x), tolerance = 1e-2)
  expect_equal(l %*% t(l), cov(x), tolerance = 2e-2)
})

test_that("extreme raw parameters stay finite, never NaN", {
  f <- flow(layer_flip(), 1, base = base_mvnormal())
  for (raw in c(-1e3, -20, 50, 1e3)) {
    params(f) <- c(0, raw)
    expect_false(anyNA(unlist(flow_vjp(f, 0.1, TRUE, list(log_density = 1)))), info = raw)
  }
  expect_error(flow(layer_flip(), 1025, base = base_mvnormal()), "at most 1024")
})

test_that("distribution and quantile functions of one coordinate", {
  f <- flow(layer_permute(1), 1, base = base_mvnormal())
  params(f) <- c(2, -0.4)
  x <- c(-20, 1, 2.5, 9)
  expect_equal(pflow(x, f, log.p = TRUE), pnorm(x, 2, log1p(exp(-0.4)), log.p = TRUE), tolerance = 1e-14)
  expect_equal(qflow(c(1e-9, 0.3, 1), f), qnorm(c(1e-9, 0.3, 1), 2, log1p(exp(-0.4))), tolerance = 1e-14)
})

test_that("it is trained against a log density", {
  target <- function(x) -(((x[, 1] - 1) / 2)^2 + ((x[, 2] + x[, 1]) / 0.5)^2) / 2
  set.seed(1)
  f <- flow(layer_permute(1:2), 2, base = base_mvnormal())
  fit <- fit_flow(target, f, d = 2, steps = 800, learning_rate = 0.03, evaluate = 0, progress = FALSE)
  p <- params(fit)$base
  expect_equal(p$mean, c(1, -1), tolerance = 0.05)
  expect_equal(log1p(exp(diag(p$cholesky))), c(2, 0.5), tolerance = 0.02)
  expect_equal(p$cholesky[2, 1], -2, tolerance = 0.02)
})

test_that("many coordinates", {
  f <- random_mvnormal(70, 5)
  p <- params(f)$base
  l <- p$cholesky / 20
  diag(l) <- diag(p$cholesky)
  p$cholesky <- l
  params(f) <- list(base = p, layers = list(list()))
  l[upper.tri(l)] <- 0
  diag(l) <- log1p(exp(diag(l)))
  x <- matrix(rnorm(3 * 70), 3)
  u <- t(forwardsolve(l, t(x) - p$mean))
  expect_equal(logdensity(f, x), rowSums(dnorm(u, log = TRUE)) - sum(log(diag(l))), tolerance = 1e-12)
})
