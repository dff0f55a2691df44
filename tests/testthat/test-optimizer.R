# Each optimiser against its textbook loop in R, over the same gradients.
naive <- function(kind, theta, gradient, steps, rate, decay = 0.1, momentum = 0.9, nesterov = FALSE) {
  m <- v <- w <- b <- 0 * theta
  for (t in seq_len(steps)) {
    g <- gradient(theta)
    m <- 0.9 * m + 0.1 * g
    v <- 0.999 * v + 0.001 * g^2
    w <- pmax(w, v / (1 - 0.999^t))
    ratio <- m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + 1e-8)
    b <- momentum * b + g
    theta <- theta - rate * switch(kind,
      adam = ratio,
      adamw = ratio + decay * theta,
      amsgrad = m / (1 - 0.9^t) / (sqrt(w) + 1e-8),
      sgd = if (nesterov) g + momentum * b else b
    )
  }
  theta
}

trained <- function(optimizer, f, x, steps = 12, rate = 0.02, clip = NULL) {
  control <- fit_control(optimizer,
    learning_rate = rate, schedule = schedule_constant(), steps = steps, batch_size = nrow(x), validation = 0,
    clip = clip
  )
  unname(coef(fit_flow(x, f, standardize = "none", control = control)))
}

set.seed(1)
# 19 parameters: whole vectors and a tail for every instruction set
masked <- layer_autoregressive(net = net_mlp(1, init = "uniform"))
f <- flow(layer_chain(masked, layer_elementwise(scalar_affine())), d = 3)
x <- matrix(rnorm(60, 1), 20)
gradient <- function(theta) {
  f$params <- theta
  flow_vjp(f, x, cotangents = list(log_density = rep(-1 / 20, 20)))$params
}

test_that("every optimiser makes the steps of its definition", {
  expect_identical(length(coef(f)) %% 4L != 0L, TRUE)
  check <- function(optimizer, ...) {
    expect_equal(trained(optimizer, f, x), naive(..., theta = f$params, gradient = gradient, steps = 12, rate = 0.02),
      tolerance = 1e-10
    )
  }
  check(opt_adam(), "adam")
  check(opt_adamw(weight_decay = 0.1), "adamw")
  check(opt_amsgrad(), "amsgrad")
  check(opt_sgd(momentum = 0.9), "sgd")
  check(opt_sgd(momentum = 0.9, nesterov = TRUE), "sgd", nesterov = TRUE)
})

test_that("gradients are clipped by their global norm", {
  norm <- sqrt(sum(gradient(f$params)^2))
  moved <- function(clip) sqrt(sum((trained(opt_sgd(), f, x, steps = 1, rate = 1e-3, clip = clip) - f$params)^2)) / 1e-3
  expect_equal(moved(NULL), norm, tolerance = 1e-6)
  expect_equal(moved(norm / 2), norm / 2, tolerance = 1e-6)
  expect_equal(moved(norm * 2), norm, tolerance = 1e-6)
})

test_that("arguments are checked", {
  expect_error(opt_adam(beta1 = 1), "beta1")
  expect_error(opt_adamw(weight_decay = -1), "weight_decay")
  expect_error(fit_control(optimizer = "adam", steps = 1), "optimizer")
  expect_error(fit_control(steps = 1.5), "steps")
  expect_error(fit_control(), "steps")
})
