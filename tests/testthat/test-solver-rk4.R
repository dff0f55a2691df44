test_that("rk4 is of order 4", {
  expect_order_ok(solver_rk4, 4, c(0.25, 0.125, 1 / 16))
})

test_that("rk4 passes the battery in a layer", {
  expect_layer_ok(layer_continuous(field_mlp(4), solver_rk4(0.1)), d = 2, spread = 0.2, round_trip = 0.1)
  expect_error(solver_rk4(step = -1), "step", class = "bijectr_error_argument")
})
