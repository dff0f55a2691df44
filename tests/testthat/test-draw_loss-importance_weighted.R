test_that("the importance-weighted loss is the mean over groups of draws in turn", {
  w <- c(-1, 0.5, 2, -0.3)
  expect_draw_loss_ok(loss_importance_weighted(2), w, -mean(log(c(mean(exp(w[1:2])), mean(exp(w[3:4]))))))
  expect_draw_loss_ok(loss_importance_weighted(4), w, -log(mean(exp(w))))
  expect_draw_loss_ok(loss_importance_weighted(1), w, -mean(w))
  expect_error(loss_importance_weighted(0), "`k`")
})
