test_that("the rate is constant, after a linear rise", {
  expect_equal(recorded_rates(schedule_constant()), rep(0.01, 40))
  expect_equal(recorded_rates(schedule_constant(warmup = 0.5))[1:19], 0.01 * (2:20) / 21)
})
