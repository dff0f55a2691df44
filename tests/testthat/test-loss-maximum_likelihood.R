test_that("the loss is the weighted mean of negative log densities", {
  set.seed(1)
  x <- matrix(rnorm(60), 30)
  w <- rep(0:2, 10)
  f <- flow(layer_elementwise(scalar_affine()), 2)
  params(f) <- c(0.3, -0.2, 0.1, 0.4)
  fit <- fit_flow(x, f, weights = w, standardize = "none", steps = 1, batch_size = 30, validation = 0, noise = 0)
  expect_equal(fit$history$train, sum(w * -logdensity(f, x)) / sum(w), tolerance = 1e-14)
  held <- fit_flow(x, f,
    standardize = "none", steps = 1, batch_size = 30, validation = 1:7, noise = 0, keep_best = FALSE
  )
  expect_equal(held$history$validation, -mean(logdensity(held, x[1:7, ])), tolerance = 1e-14)
})

test_that("penalties of layers count in training alone", {
  set.seed(2)
  x <- matrix(rnorm(60), 30)
  layer <- function(kinetic) layer_continuous(field_mlp(4, init = "uniform"), solver_rk4(0.25), kinetic = kinetic)
  f <- flow(layer(0), 2)
  g <- flow(layer(0.5), 2)
  g["params"] <- f["params"]
  fit <- function(f) {
    fit_flow(x, f,
      standardize = "none", steps = 1, batch_size = 30, validation = 1:10, noise = 0, learning_rate = 1e-12,
      schedule = schedule_constant()
    )$history
  }
  expect_gt(fit(g)$train, fit(f)$train + 1e-3)
  expect_equal(fit(g)$validation, fit(f)$validation, tolerance = 1e-8)
})
