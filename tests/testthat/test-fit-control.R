test_that("settings are checked", {
  expect_error(fit_control(steps = 1.5), "steps")
  expect_error(fit_control(), "steps")
  expect_error(fit_control(steps = 1, keep_state = NA), "keep_state", class = "bijectr_error_argument")
})
