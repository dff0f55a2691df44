test_that("euler is of order 1", {
  expect_order_ok(solver_euler, 1, c(0.05, 0.025, 0.0125))
})

# The integral of the trace is the log-determinant of the solution, and that of Euler's steps only roughly: no battery.
test_that("euler has exact gradients", {
  f <- flow(layer_continuous(field_mlp(4, init = "uniform"), solver_euler(0.1)), 2)
  for (inverse in c(FALSE, TRUE)) expect_gradient_ok(f, matrix(rnorm(12), 6), NULL, inverse)
  expect_error(solver_euler(step = -1), "step", class = "bijectr_error_argument")
})
