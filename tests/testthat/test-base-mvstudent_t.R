# The multivariate t by its formula; `p` are raw parameters.
mvstudent_t_density <- function(p, x) {
  l <- p$cholesky
  l[upper.tri(l)] <- 0
  diag(l) <- log1p(exp(diag(l)))
  df <- log1p(exp(p$df))
  d <- length(p$loc)
  sigma <- l %*% t(l)
  constant <- lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) - determinant(sigma)$modulus[1] / 2
  constant - (df + d) / 2 * log1p(mahalanobis(x, p$loc, sigma) / df)
}

random_mvstudent_t <- function(d, seed, df = 3) {
  set.seed(seed)
  f <- flow(layer_permute(seq_len(d)), d, base = base_mvstudent_t(df))
  params(f) <- unname(coef(f)) + 0.4 * rnorm(length(coef(f)))
  f
}

test_that("the start is a spherical t, and passes the battery", {
  for (df in c(0.6, 1.5, 3, 30)) {
    joint <- function(x) {
      d <- ncol(x)
      lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) - (df + d) / 2 * log1p(rowSums(x^2) / df)
    }
    expect_base_ok(base_mvstudent_t(df), function(x) dt(x, df, log = TRUE), function(x) pt(x, df), joint = joint)
  }
})

test_that("density and gradients", {
  for (d in c(1, 2, 3, 6)) {
    f <- random_mvstudent_t(d, d)
    x <- matrix(2 * rnorm(6 * d), 6)
    expect_equal(logdensity(f, x), mvstudent_t_density(params(f)$base, x), tolerance = 1e-13)
    for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, x, NULL, inverse)
    expect_batches_ok(f, x, NULL, TRUE)
    expect_machines_ok(f, x, NULL, TRUE)
  }
})

test_that("draws have the distribution of the density", {
  f <- random_mvstudent_t(5, 7, df = 4)
  p <- params(f)$base
  l <- p$cholesky
  l[upper.tri(l)] <- 0
  diag(l) <- log1p(exp(diag(l)))
  df <- log1p(exp(p$df))
  set.seed(2)
  u <- t(forwardsolve(l, t(sample(f, 20000)) - p$loc))
  expect_gt(ks.test(pf(rowSums(u^2) / 5, 5, df), "punif")$p.value, 1e-3) # radius
  direction <- u / sqrt(rowSums(u^2))
  expect_lt(max(abs(crossprod(direction) / 20000 - diag(5) / 5)), 0.01)
  for (j in 1:5) {
    expect_gt(ks.test(pt(u[, j], df), "punif")$p.value, 1e-3) # coordinates
    expect_gt(ks.test(pbeta(direction[, j]^2, 1 / 2, 2), "punif")$p.value, 1e-3)
  }
  # one coordinate given the others is a t with more degrees of freedom, and wider the further out they are
  given <- u[, 3] / sqrt((df + rowSums(u[, -3]^2)) / (df + 4))
  expect_gt(ks.test(pt(given, df + 4), "punif")$p.value, 1e-3)
})

test_that("many degrees of freedom are a normal, and far rows keep their tails", {
  for (df in c(1e3, 1e5, 1e12)) {
    f <- flow(layer_flip(), 3, base = base_mvstudent_t(df))
    x <- rbind(c(0, 0, 0), c(0.3, -2, 1))
    expect_equal(logdensity(f, x), rowSums(dnorm(x, log = TRUE)), tolerance = 4 / df + 1e-12, info = df)
  }
  f <- flow(layer_flip(), 1, base = base_mvstudent_t(3))
  x <- c(1e5, -1e20, 1e100, -1e200, 1e290)
  expect_equal(logdensity(f, x), dt(x, 3, log = TRUE), tolerance = 1e-13)
  f <- flow(layer_flip(), 2, base = base_mvstudent_t(3))
  out <- flow_vjp(f, cbind(x, -x), TRUE, list(log_density = rep(1, 5)))
  expect_equal(out$x[1:4, 1], -5 / 2 / x[1:4], tolerance = 1e-9)
  expect_true(all(is.finite(unlist(out))))
})

test_that("it learns location, scale matrix and degrees of freedom", {
  set.seed(3)
  truth <- flow(layer_permute(1:2), 2, base = base_mvstudent_t(3))
  params(truth) <- raw_mvstudent_t(c(3, -1), rbind(c(2, 0), c(1, 0.5)), 3)
  x <- sample(truth, 4000)
  fit <- fit_flow(x, flow(layer_permute(1:2), 2, base = base_mvstudent_t(5)),
    standardize = "none", progress = FALSE,
    control = fit_control(learning_rate = 0.05, batch_size = 4000, steps = 800, validation = 0, noise = 0)
  )
  p <- params(fit)$base
  expect_equal(p$loc, c(3, -1), tolerance = 0.05)
  expect_equal(log1p(exp(diag(p$cholesky))), c(2, 0.5), tolerance = 0.05)
  expect_equal(p$cholesky[2, 1], 1, tolerance = 0.1)
  expect_equal(log1p(exp(p$df)), 3, tolerance = 0.1)
  expect_gt(mean(logdensity(fit, x)), mean(logdensity(truth, x)))
})

test_that("extreme raw parameters stay finite, never NaN", {
  f <- flow(layer_flip(), 2, base = base_mvstudent_t())
  for (raw in c(-1e3, -20, 50, 1e3, 1e6, 1e12)) {
    params(f) <- c(0, 0, raw, 1, 0, raw, raw)
    out <- flow_vjp(f, rbind(c(0.1, 0.2), c(0, 0)), TRUE, list(log_density = c(1, 1)))
    expect_true(all(is.finite(unlist(out))), info = raw)
    set.seed(1)
    expect_true(all(is.finite(sample(f, 100))), info = raw)
  }
})

test_that("distribution and quantile functions of one coordinate", {
  f <- flow(layer_permute(1), 1, base = base_mvstudent_t())
  params(f) <- raw_mvstudent_t(2, 0.4, 3.5)
  x <- c(-20, 1, 2.5, 9)
  expect_equal(pflow(x, f, log.p = TRUE), pt((x - 2) / 0.4, 3.5, log.p = TRUE), tolerance = 1e-13)
  expect_equal(qflow(c(1e-9, 0.3, 1), f), 2 + 0.4 * qt(c(1e-9, 0.3, 1), 3.5), tolerance = 1e-13)
})

# Each coordinate of u = L^-1 (x - loc) given those before it is a t; a draw of its distribution functions z.
mvstudent_t_draw <- function(p, z) {
  l <- p$cholesky
  l[upper.tri(l)] <- 0
  diag(l) <- log1p(exp(diag(l)))
  df <- log1p(exp(p$df))
  u <- numeric()
  for (i in seq_along(z)) u[i] <- sqrt((df + sum(u^2)) / (df + i - 1)) * qt(z[i], df + i - 1)
  p$loc + drop(l %*% u)
}

test_that("draws move with the parameters so that their conditional distribution functions stay", {
  for (d in 1:4) {
    f <- random_mvstudent_t(d, 10 + d)
    z <- matrix(runif(7 * d), 7)
    x <- t(matrix(apply(z, 1, mvstudent_t_draw, p = params(f)$base), d))
    a <- matrix(rnorm(7 * d), 7)
    exact <- native_draw_vjp(f, x, NULL, a)
    theta <- unname(coef(f))
    numeric <- vapply(seq_along(theta), function(i) {
      derivative(function(step) {
        params(f) <- replace(theta, i, theta[i] + step)
        sum(a * t(matrix(apply(z, 1, mvstudent_t_draw, p = params(f)$base), d)))
      }, 1e-4)
    }, 0)
    expect_lt(relative_gap(exact, numeric), 1e-6)
  }
  f <- flow(list(), 2, base = base_mvstudent_t(0.02))
  set.seed(5)
  expect_true(all(is.finite(native_draw_vjp(f, sample(f, 200), NULL, matrix(1, 200, 2)))))
})

test_that("it is trained against a log density", {
  truth <- list(loc = c(3, -1), cholesky = diag(log(expm1(c(2, 0.5)))), df = log(expm1(4)))
  truth$cholesky[2, 1] <- 1
  set.seed(6)
  fit <- fit_flow(function(x) mvstudent_t_density(truth, x), flow(list(), 2, base = base_mvstudent_t(10)),
    d = 2, steps = 1500, learning_rate = 0.03, evaluate = 0, progress = FALSE
  )
  p <- params(fit)$base
  expect_equal(p$loc, truth$loc, tolerance = 0.02)
  expect_equal(p$cholesky[c(1, 2, 4)], truth$cholesky[c(1, 2, 4)], tolerance = 0.05)
  expect_equal(log1p(exp(p$df)), 4, tolerance = 0.15)
})

test_that("wrong arguments are named", {
  expect_error(base_mvstudent_t(0), "df", class = "bijectr_error_argument")
  expect_error(base_mvstudent_t(Inf), "df", class = "bijectr_error_argument")
  expect_error(flow(layer_flip(), 1025, base = base_mvstudent_t()), "at most 1024")
})
