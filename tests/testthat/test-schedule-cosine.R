test_that("the rate falls along a cosine", {
  expect_equal(recorded_rates(schedule_cosine(final = 0.1)), 0.01 * (0.1 + 0.9 * (1 + cos(pi * (1:40) / 40)) / 2))
  expect_error(schedule_cosine(final = 2), "final")
})
