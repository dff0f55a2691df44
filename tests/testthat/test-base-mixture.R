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
