test_that("AMSGrad makes the steps of its definition", {
  expect_optimizer_ok(opt_amsgrad(), "amsgrad")
})
