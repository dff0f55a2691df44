cauchy_density <- function(x) dcauchy(x, log = TRUE)
cauchy_cdf <- function(x) pcauchy(x)

test_that("standard, and with location and scale", {
  expect_base_ok(base_cauchy(), cauchy_density, cauchy_cdf)
  scale <- log1p(exp(-0.3))
  density <- function(x) cauchy_density((x - 0.7) / scale) - log(scale)
  cdf <- function(x) cauchy_cdf((x - 0.7) / scale)
  expect_base_ok(base_cauchy(trainable = TRUE), density, cdf, theta = c(0.7, -0.3))
  expect_length(coef(flow(layer_flip(), 2, base = base_cauchy())), 0)
  f <- flow(layer_flip(), 2, base = base_cauchy(trainable = TRUE))
  expect_equal(logdensity(f, cbind(1, -2)), sum(cauchy_density(c(1, -2))))
})

test_that("extreme raw parameters stay finite, never NaN", {
  f <- flow(layer_flip(), 1, base = base_cauchy(trainable = TRUE))
  for (raw in c(-1e3, -20, 50, 1e3, 1e6)) {
    params(f) <- c(0, raw)
    out <- flow_vjp(f, 0.1, TRUE, list(log_density = 1))
    expect_false(anyNA(unlist(out)), info = raw)
    set.seed(1)
    expect_false(anyNA(sample(f, 100)), info = raw)
  }
})

test_that("wrong arguments are named", {
  expect_error(base_cauchy(trainable = 1), "trainable", class = "bijectr_error_argument")
})

test_that("far tails", {
  f <- flow(layer_flip(), 1, base = base_cauchy())
  x <- c(1e5, -1e20, 1e100)
  expect_equal(logdensity(f, x), dcauchy(x, log = TRUE))
  expect_equal(c(flow_vjp(f, x, TRUE, list(log_density = rep(1, 3)))$x), -2 / x)
})
