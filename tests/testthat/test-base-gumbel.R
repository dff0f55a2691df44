test_that("standard, and with location and scale", {
  expect_base_ok(base_gumbel(), function(x) -x - exp(-x), function(x) exp(-exp(-x)))
  theta <- c(0.7, -0.3)
  u <- function(x) (x - 0.7) / log1p(exp(-0.3))
  expect_base_ok(base_gumbel(trainable = TRUE), function(x) (function(x) -x - exp(-x))(u(x)) - log(log1p(exp(-0.3))), function(x) (function(x) exp(-exp(-x)))(u(x)),
    theta = theta
  )
  expect_length(coef(flow(layer_flip(), 2, base = base_gumbel())), 0)
  f <- flow(layer_flip(), 2, base = base_gumbel(trainable = TRUE))
  expect_equal(logdensity(f, cbind(1, -2)), sum((function(x) -x - exp(-x))(c(1, -2))))
})

test_that("extreme raw parameters stay finite, never NaN", {
  f <- flow(layer_flip(), 1, base = base_gumbel(trainable = TRUE))
  for (raw in c(-1e3, -20, 50, 1e3, 1e6)) {
    params(f) <- c(0, raw)
    out <- flow_vjp(f, 0.1, TRUE, list(log_density = 1))
    expect_false(anyNA(unlist(out)), info = raw)
    set.seed(1)
    expect_false(anyNA(sample(f, 100)), info = raw)
  }
})

test_that("wrong arguments are named", {
  expect_error(base_gumbel(trainable = 1), "trainable", class = "bijectr_error_argument")
})
