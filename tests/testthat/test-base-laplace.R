laplace_density <- function(x) -abs(x) - log(2)
laplace_cdf <- function(x) ifelse(x < 0, exp(x) / 2, 1 - exp(-x) / 2)

test_that("standard, and with location and scale", {
  expect_base_ok(base_laplace(), laplace_density, laplace_cdf)
  scale <- log1p(exp(-0.3))
  density <- function(x) laplace_density((x - 0.7) / scale) - log(scale)
  cdf <- function(x) laplace_cdf((x - 0.7) / scale)
  expect_base_ok(base_laplace(trainable = TRUE), density, cdf, theta = c(0.7, -0.3))
  expect_length(coef(flow(layer_flip(), 2, base = base_laplace())), 0)
  f <- flow(layer_flip(), 2, base = base_laplace(trainable = TRUE))
  expect_equal(logdensity(f, cbind(1, -2)), sum(laplace_density(c(1, -2))))
})

test_that("extreme raw parameters stay finite, never NaN", {
  f <- flow(layer_flip(), 1, base = base_laplace(trainable = TRUE))
  for (raw in c(-1e3, -20, 50, 1e3, 1e6)) {
    params(f) <- c(0, raw)
    out <- flow_vjp(f, 0.1, TRUE, list(log_density = 1))
    expect_false(anyNA(unlist(out)), info = raw)
    set.seed(1)
    expect_false(anyNA(sample(f, 100)), info = raw)
  }
})

test_that("wrong arguments are named", {
  expect_error(base_laplace(trainable = 1), "trainable", class = "bijectr_error_argument")
})
