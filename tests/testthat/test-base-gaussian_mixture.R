# The lower triangular L of each component, from raw parameters.
mixture_roots <- function(p) {
  lapply(seq_along(p$weight), function(c) {
    l <- matrix(p$cholesky[, , c], ncol(p$mean))
    l[upper.tri(l)] <- 0
    diag(l) <- log1p(exp(diag(l)))
    l
  })
}

# The density by its formula.
gaussian_mixture_density <- function(p, x) {
  w <- exp(p$weight) / sum(exp(p$weight))
  roots <- mixture_roots(p)
  log(rowSums(vapply(seq_along(w), function(c) {
    sigma <- roots[[c]] %*% t(roots[[c]])
    w[c] * exp(-mahalanobis(x, p$mean[c, ], sigma) / 2) / sqrt(det(2 * pi * sigma))
  }, numeric(nrow(x)))))
}

random_gaussian_mixture <- function(d, k, seed) {
  set.seed(seed)
  f <- flow(layer_permute(seq_len(d)), d, base = base_gaussian_mixture(k, spread = 2))
  params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
  f
}

test_that("one component is a normal, and passes the battery", {
  set.seed(4)
  expect_base_ok(base_gaussian_mixture(1, spread = 0), function(x) dnorm(x, log = TRUE), pnorm)
  expect_base_ok(base_gaussian_mixture(4, spread = 0), function(x) dnorm(x, log = TRUE), pnorm)
})

test_that("density and gradients", {
  for (d in c(1, 3, 5)) {
    for (k in c(1, 2, 5)) {
      f <- random_gaussian_mixture(d, k, k)
      x <- matrix(rnorm(6 * d), 6)
      expect_equal(logdensity(f, x), gaussian_mixture_density(params(f)$base, x), tolerance = 1e-12)
      for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, x, NULL, inverse)
    }
  }
  expect_batches_ok(f, x, NULL, TRUE)
  expect_machines_ok(f, x, NULL, TRUE)
})

test_that("many coordinates, and components that are far from all rows of a block", {
  f <- random_gaussian_mixture(70, 3, 2)
  p <- params(f)$base
  p$cholesky <- p$cholesky / 20
  for (c in 1:3) diag(p$cholesky[, , c]) <- 0.3
  p$mean[1, ] <- 100 # a share of nothing, to the last bit
  params(f) <- list(base = p, layers = list(list()))
  x <- matrix(rnorm(3 * 70), 3)
  roots <- mixture_roots(p)
  terms <- vapply(1:3, function(c) {
    u <- forwardsolve(roots[[c]], t(x) - p$mean[c, ])
    p$weight[c] - colSums(u^2) / 2 - sum(log(diag(roots[[c]]))) - 35 * log(2 * pi)
  }, numeric(3))
  expected <- apply(terms, 1, function(e) max(e) + log(sum(exp(e - max(e))))) - log(sum(exp(p$weight)))
  expect_equal(logdensity(f, x), expected, tolerance = 1e-12)
  out <- flow_vjp(f, x, TRUE, list(log_density = rep(1, 3)))
  g <- out$params[1:3]
  w <- exp(p$weight) / sum(exp(p$weight))
  share <- exp(terms - log(rowSums(exp(terms - apply(terms, 1, max)))) - apply(terms, 1, max))
  expect_equal(g, colSums(share) - 3 * w, tolerance = 1e-10)
  expect_true(all(out$params[3 + 3 * seq(0, 69) + 1] == 0))
})

test_that("the start", {
  set.seed(1)
  f <- flow(layer_flip(), 2, base = base_gaussian_mixture(4, spread = 3))
  p <- params(f)$base
  expect_equal(p$weight, rep(0, 4))
  expect_equal(dim(p$mean), c(4, 2))
  expect_equal(dim(p$cholesky), c(2, 2, 4))
  for (root in mixture_roots(p)) expect_equal(root, diag(2))
  expect_false(anyDuplicated(names(coef(f))) > 0)
})

test_that("draws", {
  f <- random_gaussian_mixture(3, 3, 7)
  p <- params(f)$base
  p$mean[2:3, 1] <- p$mean[1, 1] + c(-60, 60) # components that can be told apart
  params(f) <- list(base = p, layers = list(list()))
  w <- exp(p$weight) / sum(exp(p$weight))
  set.seed(11)
  draws <- sample(f, 30000)
  of <- c(2, 1, 3)[findInterval(draws[, 1], p$mean[1, 1] + c(-30, 30)) + 1]
  expect_gt(chisq.test(tabulate(of, 3), p = w)$p.value, 1e-3)
  for (c in 1:3) {
    z <- t(forwardsolve(mixture_roots(p)[[c]], t(draws[of == c, ]) - p$mean[c, ]))
    for (j in 1:3) expect_gt(ks.test(z[, j], "pnorm")$p.value, 1e-3)
    expect_lt(max(abs(cor(z) - diag(3))), 4 / sqrt(nrow(z)))
  }
  set.seed(11)
  expect_identical(sample(f, 33), draws[1:33, , drop = FALSE])
})

test_that("it learns two components", {
  set.seed(3)
  truth <- flow(layer_permute(1:2), 2, base = base_gaussian_mixture(2))
  roots <- array(c(1, 0.8, 0, 0.3, 0.5, -0.4, 0, 1), c(2, 2, 2))
  params(truth) <- raw_gaussian_mixture(c(0.3, 0.7), rbind(c(-2, 0), c(2, 1)), roots)
  x <- sample(truth, 4000)
  f <- flow(layer_permute(1:2), 2, base = base_gaussian_mixture(2))
  params(f) <- raw_gaussian_mixture(c(1, 1), rbind(c(-1, 0), c(1, 0)), array(diag(2), c(2, 2, 2)))
  fit <- fit_flow(x, f,
    standardize = "none", progress = FALSE,
    control = fit_control(learning_rate = 0.05, batch_size = 4000, steps = 400, validation = 0, noise = 0)
  )
  p <- params(fit)$base
  expect_equal(exp(p$weight) / sum(exp(p$weight)), c(0.3, 0.7), tolerance = 0.05)
  expect_equal(p$mean, rbind(c(-2, 0), c(2, 1)), tolerance = 0.05)
  expect_equal(unlist(mixture_roots(p)), c(roots), tolerance = 0.05)
  expect_gt(mean(logdensity(fit, x)), mean(logdensity(truth, x)))
})

test_that("far rows and extreme parameters stay finite", {
  f <- random_gaussian_mixture(2, 3, 8)
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

test_that("distribution and quantile functions of one coordinate", {
  f <- random_gaussian_mixture(1, 3, 7)
  p <- params(f)$base
  w <- exp(p$weight) / sum(exp(p$weight))
  x <- c(-40, -3, -0.5, 0.3, 2, 30)
  cdf <- function(x) sum(w * pnorm(x, p$mean[, 1], log1p(exp(p$cholesky[1, 1, ]))))
  expect_equal(pflow(x, f), vapply(x, cdf, 0), tolerance = 1e-13)
  q <- c(1e-300, 1e-20, 0.1, 0.5, 1 - 1e-9)
  expect_equal(pflow(qflow(q, f), f) / q, rep(1, 5), tolerance = 1e-12)
})

test_that("draws move with the parameters so that their conditional distribution functions stay", {
  # weights, means and standard deviations of x[i] given the coordinates before, by Schur complements
  conditional <- function(p, x, i) {
    before <- seq_len(i - 1)
    weight <- exp(p$weight - max(p$weight))
    mean <- p$mean[, i]
    scale <- numeric(length(mean))
    for (c in seq_along(mean)) {
      root <- mixture_roots(p)[[c]]
      sigma <- root %*% t(root)
      variance <- sigma[i, i]
      if (i > 1) {
        gap <- x[before] - p$mean[c, before]
        within <- sigma[before, before, drop = FALSE]
        gain <- solve(within, sigma[before, i])
        mean[c] <- mean[c] + sum(gain * gap)
        variance <- variance - sum(gain * sigma[before, i])
        weight[c] <- weight[c] * exp(-sum(gap * solve(within, gap)) / 2) / sqrt(det(within))
      }
      scale[c] <- sqrt(variance)
    }
    list(share = weight / sum(weight), mean = mean, scale = scale)
  }
  cdf <- function(at, given) sum(given$share * pnorm(at, given$mean, given$scale))
  uniform_of <- function(p, x) vapply(seq_along(x), function(i) cdf(x[i], conditional(p, x, i)), 0)
  draw_of <- function(p, z) {
    x <- numeric(length(z))
    for (i in seq_along(z)) {
      given <- conditional(p, x, i)
      x[i] <- uniroot(function(at) cdf(at, given) - z[i], c(-60, 60), tol = 1e-14)$root
    }
    x
  }
  for (d in c(1, 3)) {
    f <- random_gaussian_mixture(d, 3, d)
    set.seed(5)
    x <- sample(f, 3)
    a <- matrix(rnorm(3 * d), 3)
    exact <- native_draw_vjp(f, x, NULL, a)
    z <- lapply(1:3, function(r) uniform_of(params(f)$base, x[r, ]))
    moved <- function(theta) {
      params(f) <- theta
      sum(vapply(1:3, function(r) sum(a[r, ] * draw_of(params(f)$base, z[[r]])), 0))
    }
    theta <- unname(coef(f))
    numeric <- vapply(seq_along(theta), function(i) {
      derivative(function(step) moved(replace(theta, i, theta[i] + step)), 1e-4)
    }, 0)
    expect_lt(relative_gap(exact, numeric), 1e-6)
  }
})

test_that("it is trained against a log density", {
  roots <- array(c(1, 0.8, 0, 0.3, 0.5, -0.4, 0, 1), c(2, 2, 2))
  truth <- flow(layer_permute(1:2), 2, base = base_gaussian_mixture(2))
  params(truth) <- raw_gaussian_mixture(c(0.3, 0.7), rbind(c(-2, 0), c(2, 1)), roots)
  set.seed(1)
  f <- flow(layer_permute(1:2), 2, base = base_gaussian_mixture(2))
  params(f) <- raw_gaussian_mixture(c(1, 1), rbind(c(-1, 0), c(1, 0)), array(diag(2), c(2, 2, 2)))
  fit <- fit_flow(function(x) logdensity(truth, x), f,
    d = 2, steps = 800, learning_rate = 0.03, evaluate = 0, progress = FALSE
  )
  p <- params(fit)$base
  expect_equal(exp(p$weight) / sum(exp(p$weight)), c(0.3, 0.7), tolerance = 0.05)
  expect_equal(p$mean, rbind(c(-2, 0), c(2, 1)), tolerance = 0.05)
  expect_equal(unlist(mixture_roots(p)), c(roots), tolerance = 0.05)
})

test_that("wrong arguments are named", {
  expect_error(base_gaussian_mixture(0), "components", class = "bijectr_error_argument")
  expect_error(base_gaussian_mixture(257), "components", class = "bijectr_error_argument")
  expect_error(base_gaussian_mixture(spread = -1), "spread", class = "bijectr_error_argument")
  expect_error(flow(layer_flip(), 1025, base = base_gaussian_mixture()), "at most 1024")
})
