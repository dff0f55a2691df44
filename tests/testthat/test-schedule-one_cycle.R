test_that("the rate rises and falls along cosines", {
  u <- (1:40) / 40
  expect_equal(
    recorded_rates(schedule_one_cycle(warmup = 0.25, start = 0.1, final = 0.01)),
    0.01 * ifelse(u < 0.25, half_cosine(0.1, 1, u / 0.25), half_cosine(1, 0.01, (u - 0.25) / 0.75))
  )
  expect_error(schedule_one_cycle(warmup = 1), "warmup")
})
