test_that("euler is of order 1", expect_order_ok(solver_euler, 1, c(0.05, 0.025, 0.0125)))

test_that("euler passes the battery in a layer", {
  expect_layer_ok(layer_continuous(field_mlp(4), solver_euler(0.1)), d = 2, spread = 0.2, round_trip = 0.1)
  expect_error(solver_euler(step = -1), "step", class = "bijectr_error_argument")
})
