test_that("Adam makes the steps of its definition", {
  expect_optimizer_ok(opt_adam(), textbook_adam)
})

test_that("arguments are checked", {
  expect_error(opt_adam(beta1 = 1), "beta1")
  expect_error(opt_adam(eps = 0), "eps")
  expect_error(fit_control(optimizer = "adam", steps = 1), "optimizer")
})
