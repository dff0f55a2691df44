test_that("AdamW makes the steps of its definition", {
  expect_optimizer_ok(opt_adamw(weight_decay = 0.1), "adamw")
  expect_error(opt_adamw(weight_decay = -1), "weight_decay")
})
