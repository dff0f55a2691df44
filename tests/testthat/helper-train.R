# Each optimiser against its textbook loop in R, over the same gradients.
naive_optimizer <- function(kind, theta, gradient, steps, rate, decay = 0.1, momentum = 0.9, nesterov = FALSE) {
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

# A flow, data, and the gradient of its loss.
optimizer_problem <- function() {
  set.seed(1)
  # 19 parameters: whole vectors and a tail for every instruction set
  masked <- layer_autoregressive(net = net_mlp(1, init = "uniform"))
  f <- flow(layer_chain(masked, layer_elementwise(scalar_affine())), d = 3)
  x <- matrix(rnorm(60, 1), 20)
  gradient <- function(theta) {
    f$params <- theta
    flow_vjp(f, x, cotangents = list(log_density = rep(-1 / 20, 20)))$params
  }
  list(f = f, x = x, gradient = gradient)
}

expect_optimizer_ok <- function(optimizer, ...) {
  at <- optimizer_problem()
  testthat::expect_identical(length(coef(at$f)) %% 4L != 0L, TRUE)
  testthat::expect_equal(trained(optimizer, at$f, at$x),
    naive_optimizer(..., theta = at$f$params, gradient = at$gradient, steps = 12, rate = 0.02),
    tolerance = 1e-10
  )
}

# Rates that the history records.
recorded_rates <- function(schedule, steps = 40) {
  set.seed(1)
  control <- fit_control(learning_rate = 0.01, schedule = schedule, steps = steps, batch_size = 10, validation = 0)
  fit <- fit_flow(matrix(rnorm(20), 10), layer_elementwise(scalar_affine()), control = control)
  fit$history$rate
}
half_cosine <- function(from, to, t) to + (from - to) * (1 + cos(pi * t)) / 2
