test_that("gradient descent makes the steps of its definition", {
  for (nesterov in c(FALSE, TRUE)) {
    expect_optimizer_ok(opt_sgd(momentum = 0.9, nesterov = nesterov), function() {
      b <- 0
      function(g, theta, t) {
        b <<- 0.9 * b + g
        if (nesterov) g + 0.9 * b else b
      }
    })
  }
})

test_that("gradients are clipped by their global norm", {
  at <- optimizer_problem()
  f <- at$f
  x <- at$x
  norm <- sqrt(sum(at$gradient(f$params)^2))
  moved <- function(clip) sqrt(sum((trained(opt_sgd(), f, x, steps = 1, rate = 1e-3, clip = clip) - f$params)^2)) / 1e-3
  expect_equal(moved(NULL), norm, tolerance = 1e-6)
  expect_equal(moved(norm / 2), norm / 2, tolerance = 1e-6)
  expect_equal(moved(norm * 2), norm, tolerance = 1e-6)
})
