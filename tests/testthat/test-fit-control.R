test_that("settings are checked", {
  expect_error(fit_control(steps = 1.5), "steps")
  expect_error(fit_control(), "steps")
  expect_error(fit_control(steps = 1, keep_state = NA), "keep_state", class = "bijectr_error_argument")
})

test_that("rows for validation are whole numbers, checkpoints are no folders, and nothing is given twice", {
  expect_error(fit_control(steps = 5, validation = c(1.5, 2.5)), "`validation`", class = "bijectr_error_argument")
  expect_error(fit_control(steps = 5, checkpoint = tempdir()), "is a folder", class = "bijectr_error_argument")
  expect_error(fit_flow(faithful, steps = 5, steps = 7), "`steps` was given twice", class = "bijectr_error_argument")
})
