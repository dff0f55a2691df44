test_that("the rate falls by a factor a step", {
  expect_equal(recorded_rates(schedule_exponential(decay = 0.9)), 0.01 * 0.9^(1:40))
  expect_error(schedule_exponential(decay = 0), "decay")
})
