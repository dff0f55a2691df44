test_that("AMSGrad makes the steps of its definition", {
  expect_optimizer_ok(opt_amsgrad(), function() {
    m <- v <- w <- 0
    function(g, theta, t) {
      m <<- 0.9 * m + 0.1 * g
      v <<- 0.999 * v + 0.001 * g^2
      w <<- pmax(w, v / (1 - 0.999^t))
      m / (1 - 0.9^t) / (sqrt(w) + 1e-8)
    }
  })
})
