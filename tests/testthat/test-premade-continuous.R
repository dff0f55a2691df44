test_that("a continuous flow passes the battery, both ways round", {
  for (invert in c(TRUE, FALSE)) {
    expect_layer_ok(continuous_flow(field_mlp(4), solver_tsit5(step = 0.05), 2, invert = invert), d = 2, spread = 0.3)
  }
})

test_that("the trace is exact where that is cheap", {
  trace <- function(layers, d) flow(layers, d)$layers$layers[[1]]$trace
  expect_identical(trace(continuous_flow(), 3), "exact")
  expect_identical(trace(continuous_flow(), 4), "exact")
  expect_identical(trace(continuous_flow(field_mlp(c(8, 8, 8))), 4), "hutchinson")
  expect_identical(trace(continuous_flow(jacobian = 0.1), 4), "hutchinson")
  expect_identical(trace(continuous_flow(probe = diag(2)), 2), "hutchinson")
  expect_identical(trace(continuous_flow(field_planar(2), probe = diag(4)), 4), "hutchinson")
  expect_identical(trace(continuous_flow(field_planar(2)), 30), "exact")
  expect_identical(trace(continuous_flow(trace = "exact"), 9), "exact")
})

test_that("it learns two moons", {
  set.seed(1)
  angle <- runif(2000, 0, 2 * pi)
  x <- cbind(2 * cos(angle) + ifelse(angle > pi, 1, -1), 2 * sin(angle)) + 0.2 * matrix(rnorm(4000), 2000)
  fit <- fit_flow(x, continuous_flow(field_mlp(32), solver_rk4(0.2)), steps = 150, batch_size = 256)
  expect_gt(fit$reference$flow - fit$reference$normal, 0.3)
})
