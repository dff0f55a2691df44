# Weights of stacks against what they make largest.

test_that("weights are the mode of the held-out likelihood with its prior", {
  set.seed(1)
  log_density <- matrix(rnorm(300, sd = 2), 100)
  w <- runif(100)
  weight <- stack_weights(log_density, w)
  value <- function(free) {
    p <- exp(c(0, free)) / sum(exp(c(0, free)))
    w <- w / mean(w)
    -sum(w * log(exp(log_density) %*% p)) - STACK_PRIOR_ROWS / 3 * sum(log(p))
  }
  best <- optim(c(0, 0), value, control = list(reltol = 1e-14, maxit = 2000))$par
  expect_equal(weight, exp(c(0, best)) / sum(exp(c(0, best))), tolerance = 1e-4)
  expect_equal(sum(stack_weights(cbind(rep(-Inf, 5), 0))), 1)
})

test_that("logs of sums are exact at the ends", {
  expect_identical(log_add(-Inf, -Inf), -Inf)
  expect_identical(log_add(c(0, -Inf), c(-Inf, 2)), c(0, 2))
  expect_equal(log_add(-1000, -1000), -1000 + log(2))
  expect_equal(averaged_rows(list(c(0, NA, 1), c(NA, NA, 3))), c(0, NA, log(mean(exp(c(1, 3))))))
})
