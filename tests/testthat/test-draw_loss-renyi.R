test_that("Renyi's loss is that of its order", {
  w <- c(-1, 0.5, 2, -0.3)
  expect_draw_loss_ok(loss_renyi(0.5), w, -2 * log(mean(exp(w / 2))))
  expect_draw_loss_ok(loss_renyi(0), w, -log(mean(exp(w))))
  expect_draw_loss_ok(loss_renyi(1), w, -mean(w))
  expect_draw_loss_ok(loss_renyi(2), w, log(mean(exp(-w))))
  # without overflow, and without a number where there is none
  expect_draw_loss_ok(loss_renyi(0), c(1000, 1001), -1000 - log(mean(exp(0:1))))
  expect_draw_loss_ok(loss_renyi(0.5), c(NaN, 1), NaN)
  expect_error(loss_renyi("a"), "alpha")
})
