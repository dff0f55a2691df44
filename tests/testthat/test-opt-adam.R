test_that("Adam makes the steps of its definition", {
  expect_optimizer_ok(opt_adam(), function() {
    m <- v <- 0
    function(g, theta, t) {
      m <<- 0.9 * m + 0.1 * g
      v <<- 0.999 * v + 0.001 * g^2
      m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + 1e-8)
    }
  })
})

test_that("arguments are checked", {
  expect_error(opt_adam(beta1 = 1), "beta1")
  expect_error(opt_adam(eps = 0), "eps")
  expect_error(fit_control(optimizer = "adam", steps = 1), "optimizer")
})
