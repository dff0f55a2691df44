# What every base with independent coordinates of one shape, a location and a scale must pass: `density` (its logarithm)
# and `cdf` are those of the standard distribution.
expect_loc_scale_base_ok <- function(base, density, cdf) {
  expect_base_ok(base(), density, cdf)
  scale <- log1p(exp(-0.3))
  moved_density <- function(x) density((x - 0.7) / scale) - log(scale)
  moved_cdf <- function(x) cdf((x - 0.7) / scale)
  expect_base_ok(base(trainable = TRUE), moved_density, moved_cdf, theta = c(0.7, -0.3))
  expect_length(coef(flow(layer_flip(), 2, base = base())), 0)
  f <- flow(layer_flip(), 2, base = base(trainable = TRUE))
  expect_equal(logdensity(f, cbind(1, -2)), sum(density(c(1, -2))))
  # extreme raw parameters stay finite, never NaN
  f <- flow(layer_flip(), 1, base = base(trainable = TRUE))
  for (raw in c(-1e3, -20, 50, 1e3, 1e6)) {
    params(f) <- c(0, raw)
    out <- flow_vjp(f, 0.1, TRUE, list(log_density = 1))
    expect_false(anyNA(unlist(out)), info = raw)
    set.seed(1)
    expect_false(anyNA(sample(f, 100)), info = raw)
  }
  expect_error(base(trainable = 1), "trainable", class = "bijectr_error_argument")
}
