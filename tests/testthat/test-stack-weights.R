# Weights of stacks against what they make largest.

test_that("weights are the mode of the held-out likelihood with its prior", {
  set.seed(1)
  log_density <- matrix(rnorm(300, sd = 2), 100, dimnames = list(NULL, c("full", "kernel", "spline")))
  w <- runif(100)
  weight <- stack_weights(log_density, rep_len(1:5, 100), w)
  value <- function(free) {
    p <- exp(c(0, free)) / sum(exp(c(0, free)))
    w <- w * sum(w) / sum(w^2)
    -sum(w * log(exp(log_density) %*% p)) - STACK_PRIOR_ROWS / 3 * sum(log(p))
  }
  best <- optim(c(0, 0), value, control = list(reltol = 1e-14, maxit = 2000))$par
  expect_equal(unname(weight), exp(c(0, best)) / sum(exp(c(0, best))), tolerance = 1e-4)
  expect_equal(sum(stack_weights(cbind(full = rep(-Inf, 5), normal = 0), 1:5)), 1)
})

test_that("weights of few rows are averaged over priors by the likelihood of rows left out", {
  set.seed(2)
  n <- 40
  log_density <- cbind(normal = rnorm(n), kernel = rnorm(n, sd = 2), student_t = rnorm(n), full = rnorm(n, sd = 3))
  w <- runif(n)
  group <- rep_len(1:4, n)
  weight <- stack_weights(log_density, group, w)
  w <- w * sum(w) / sum(w^2)
  mode <- function(rows, strength) {
    prior <- STACK_PRIOR_ROWS / 4 + strength / 2 * c(1, 0, 1, 0)
    value <- function(free) {
      p <- exp(c(0, free)) / sum(exp(c(0, free)))
      -sum(w[rows] * log(exp(log_density[rows, ]) %*% p)) - sum(prior * log(p))
    }
    best <- optim(numeric(3), value, method = "BFGS", control = list(reltol = 1e-14, maxit = 500))$par
    exp(c(0, best)) / sum(exp(c(0, best)))
  }
  likelihood <- vapply(PRIOR_STRENGTHS, function(strength) {
    sum(vapply(seq_len(n), function(i) {
      w[i] * log(sum(exp(log_density[i, ]) * mode(which(group != group[i]), strength)))
    }, 0))
  }, 0)
  share <- exp(likelihood) / sum(exp(likelihood))
  modes <- vapply(PRIOR_STRENGTHS, function(strength) mode(seq_len(n), strength), numeric(4))
  expect_equal(unname(weight), drop(modes %*% share), tolerance = 1e-4)
  expect_named(weight, colnames(log_density))
  # many rows know by themselves
  many <- log_density[rep(seq_len(n), length.out = LUCKY_ROWS), ]
  expect_equal(
    stack_weights(many, rep_len(1:4, LUCKY_ROWS)), mixture_mode(many, rep(1, LUCKY_ROWS), rep(STACK_PRIOR_ROWS / 4, 4)),
    ignore_attr = TRUE
  )
})

test_that("logs of sums are exact at the ends", {
  expect_identical(log_add(-Inf, -Inf), -Inf)
  expect_identical(log_add(c(0, -Inf), c(-Inf, 2)), c(0, 2))
  expect_equal(log_add(-1000, -1000), -1000 + log(2))
  expect_equal(averaged_rows(list(c(0, NA, 1), c(NA, NA, 3))), c(0, NA, log(mean(exp(c(1, 3))))))
})
