test_that("AdamW makes the steps of its definition", {
  expect_optimizer_ok(opt_adamw(weight_decay = 0.1), function() {
    m <- v <- 0
    function(g, theta, t) {
      m <<- 0.9 * m + 0.1 * g
      v <<- 0.999 * v + 0.001 * g^2
      m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + 1e-8) + 0.1 * theta
    }
  })
  expect_error(opt_adamw(weight_decay = -1), "weight_decay")
})
