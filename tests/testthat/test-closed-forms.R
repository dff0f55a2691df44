# Closed forms of em.R against other ways to the same numbers.

test_that("the predictive normal of one dimension is the integral over its posterior, by the prior of most evidence", {
  set.seed(1)
  z <- matrix(rnorm(7, 0.4, 1.3))
  n <- nrow(z)
  mean <- mean(z)
  squares <- sum((z - mean)^2)
  variance <- squares / (n - 1)
  # log of the integral over the variance of the likelihood of deviations from the mean, and of the prior
  evidence <- function(df, prior) {
    integrand <- function(u) { # of log variance
      v <- exp(u)
      exp(df / 2 * log(prior / 2) - lgamma(df / 2) - (df + n) / 2 * u - (prior + squares) / (2 * v))
    }
    log(integrate(integrand, -15, 15, rel.tol = 1e-10, subdivisions = 2000)$value)
  }
  cases <- expand.grid(more = c(1.1, 4, 16), scale = 10^c(-1, 0, 0.5))
  ours <- mapply(function(more, scale) {
    log_evidence(1 + more, matrix(variance * scale * more), n, matrix(squares))
  }, cases$more, cases$scale)
  theirs <- mapply(function(more, scale) evidence(1 + more, variance * scale * more), cases$more, cases$scale)
  expect_equal(ours - ours[1], theirs - theirs[1], tolerance = 1e-6)

  # the prior of the largest evidence, and the density of the next row under it
  all <- expand.grid(scale = PRIOR_SCALES, more = PRIOR_DEGREES)
  best <- all[which.max(mapply(function(more, scale) {
    log_evidence(1 + more, matrix(variance * scale * more), n, matrix(squares))
  }, all$more, all$scale)), ]
  df <- 1 + best$more + n
  scale <- variance * best$scale * best$more + squares
  rows <- n + PRIOR_ROWS
  found <- fit_predictive_normal(z)
  next_row <- function(x) {
    integrate(function(u) {
      v <- exp(u)
      dnorm(x, mean, sqrt(v * (1 + 1 / rows))) *
        exp(df / 2 * log(scale / 2) - lgamma(df / 2) - df / 2 * u - scale / 2 / v)
    }, -15, 15, rel.tol = 1e-10, subdivisions = 2000)$value
  }
  x <- c(-3, 0, 0.5, 4)
  density <- dt((x - found$mean) / found$root[1, 1], found$df) / found$root[1, 1]
  expect_equal(density, vapply(x, next_row, 0), tolerance = 1e-6)
})

test_that("regressions with weights are those of lm()", {
  set.seed(2)
  x <- cbind(1, matrix(rnorm(60), 30))
  z <- matrix(rnorm(60), 30)
  w <- runif(30, 0, 3)
  found <- weighted_regression(x, z, w)
  model <- lm(z ~ x - 1, weights = w)
  expect_equal(found$coefficient, unname(coef(model)), tolerance = 1e-10)
  expect_equal(found$residual, unname(residuals(model)), tolerance = 1e-10)
  # of columns that cannot be told apart the fit is the same
  twice <- weighted_regression(cbind(x, x[, 2]), z, w)
  expect_equal(twice$residual, found$residual, tolerance = 1e-10)
})

# The log likelihood of a multivariate t, by its formula.
t_loglik <- function(z, w, df, mean, scale) {
  d <- ncol(z)
  away <- z - rep(mean, each = nrow(z))
  q <- rowSums((away %*% solve(scale)) * away)
  sum(w * (lgamma((df + d) / 2) - lgamma(df / 2) - d / 2 * log(df * pi) - log(det(scale)) / 2 -
    (df + d) / 2 * log(1 + q / df)))
}

test_that("a multivariate t is where its likelihood is stationary", {
  set.seed(3)
  n <- 400
  z <- matrix(rnorm(2 * n), n) / sqrt(rchisq(n, 4) / 4)
  z[, 2] <- 0.5 * z[, 1] + z[, 2]
  w <- runif(n, 0.2, 2)
  found <- fit_student_t(z, w)
  scale <- tcrossprod(found$root)
  expect_equal(t_loglik(z, w, found$df, found$mean, scale), found$loglik, tolerance = 1e-6)
  at <- c(found$mean, found$root[lower.tri(found$root, TRUE)])
  value <- function(par) {
    root <- matrix(0, 2, 2)
    root[lower.tri(root, TRUE)] <- par[3:5]
    t_loglik(z, w, found$df, par[1:2], tcrossprod(root))
  }
  slope <- function(par) {
    vapply(seq_along(par), function(j) {
      step <- replace(numeric(5), j, 1e-5)
      (value(par + step) - value(par - step)) / 2e-5
    }, 0)
  }
  # in units of a row; elsewhere it is larger by far
  expect_lt(max(abs(slope(at))) / n, 2e-3)
  expect_gt(max(abs(slope(at + 0.1))) / n, 2e-2)
  # no better by a search, and no other degrees of freedom of the grid are
  other <- optim(at, function(par) -value(par), method = "BFGS")
  expect_lt(-other$value - value(at), 1e-3 * n)
  for (df in setdiff(c(1, 2, 3, 5, 8, 15, 40), found$df)) {
    best <- optim(at, function(par) {
      root <- matrix(0, 2, 2)
      root[lower.tri(root, TRUE)] <- par[3:5]
      -t_loglik(z, w, df, par[1:2], tcrossprod(root))
    }, method = "BFGS")
    expect_lt(-best$value, found$loglik + 1e-3 * n)
  }
})

# The leave-one-out loss of a product of kernels, row by row: copies of a row are left out with it.
kernel_loss <- function(log_width, z, w) {
  n <- nrow(z)
  rate <- log(n^(-1 / (ncol(z) + 4)))
  each <- vapply(seq_len(n), function(i) {
    others <- which(colSums(t(z) != z[i, ]) > 0)
    density <- vapply(others, function(k) prod(dnorm(z[i, ], z[k, ], exp(log_width))), 0)
    log(sum(w[others] * density))
  }, 0)
  -sum(w * each) / sum(w) + 0.5 * sum((log_width - rate)^2) / n
}

test_that("widths of kernels are where the leave-one-out likelihood is stationary", {
  set.seed(4)
  for (weighted in c(FALSE, TRUE)) {
    z <- cbind(c(rnorm(25, -1), rnorm(25, 1, 0.3)), rexp(50))
    z <- rbind(z, z[1:2, ])
    w <- if (weighted) runif(52, 0.5, 2) else rep(1, 52)
    at <- log(fit_kernel_widths(z, if (weighted) w))
    slope <- function(at) {
      vapply(1:2, function(j) {
        step <- replace(c(0, 0), j, 1e-5)
        (kernel_loss(at + step, z, w) - kernel_loss(at - step, z, w)) / 2e-5
      }, 0)
    }
    expect_lt(max(abs(slope(at))), 5e-3)
    expect_gt(min(abs(slope(at + 0.4))), 0.05)
    expect_lt(kernel_loss(at, z, w), kernel_loss(at + c(0.1, -0.1), z, w))
  }
})

test_that("a weight of two is a row that stands there twice", {
  set.seed(5)
  z <- matrix(rnorm(80), 40)
  w <- rep(c(1, 2), 20)
  doubled <- z[rep(1:40, w), ]
  once <- fit_student_t(z, w)
  twice <- fit_student_t(doubled)
  expect_identical(once$df, twice$df)
  expect_equal(once[c("mean", "root", "loglik")], twice[c("mean", "root", "loglik")], tolerance = 1e-8)
  x <- cbind(1, rnorm(40))
  expect_equal(
    weighted_regression(x, z, w)$coefficient,
    weighted_regression(x[rep(1:40, w), ], doubled, rep(1, 60))$coefficient, tolerance = 1e-10
  )
  mean <- fit_predictive_normal(z, w)$mean
  expect_equal(mean, fit_predictive_normal(doubled)$mean, tolerance = 1e-12)
  # one group is a normal: seeds draw nothing that counts
  mixture <- function(z, w) {
    with_seed(1, fit_normal_mixture(z, 1L, "full", w = w))[c("weight", "mean", "roots")]
  }
  expect_equal(mixture(z, w), mixture(doubled, rep(1, 60)), tolerance = 1e-6)
})
