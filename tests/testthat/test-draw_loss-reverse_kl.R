test_that("the reverse KL loss is minus the mean log weight", {
  expect_draw_loss_ok(loss_reverse_kl(), c(-1, 0.5, 2, -0.3), -mean(c(-1, 0.5, 2, -0.3)))
})
