# An optimiser against its textbook, over the same gradients: `textbook()` makes a function(g, theta, t) of gradient,
# parameters and number of the step, whose value, times the rate, is taken from the parameters.
textbook_steps <- function(textbook, theta, gradient, steps, rate) {
  move <- textbook()
  for (t in seq_len(steps)) theta <- theta - rate * move(gradient(theta), theta, t)
  theta
}

textbook_adam <- function() {
  m <- v <- 0
  function(g, theta, t) {
    m <<- 0.9 * m + 0.1 * g
    v <<- 0.999 * v + 0.001 * g^2
    m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + 1e-8)
  }
}

trained <- function(optimizer, f, x, steps = 12, rate = 0.02, clip = NULL) {
  control <- fit_control(optimizer,
    learning_rate = rate, schedule = schedule_constant(), steps = steps, batch_size = nrow(x), validation = 0,
    clip = clip, precision = "double"
  )
  unname(coef(fit_flow(x, f, standardize = "none", control = control)))
}

# A flow, data, and the gradient of its loss. With a net of one unit it has 19 parameters: whole vectors and a tail for
# every instruction set.
optimizer_problem <- function(width = 1) {
  set.seed(1)
  masked <- layer_autoregressive(net = net_mlp(width, init = "uniform"))
  f <- flow(layer_chain(masked, layer_elementwise(scalar_affine())), d = 3)
  x <- matrix(rnorm(60, 1), 20)
  gradient <- function(theta) {
    f$params <- theta
    flow_vjp(f, x, cotangents = list(log_density = rep(-1 / 20, 20)))$params
  }
  list(f = f, x = x, gradient = gradient)
}

expect_optimizer_ok <- function(optimizer, textbook, steps = 12, at = optimizer_problem()) {
  testthat::expect_identical(length(coef(at$f)) %% 4L != 0L, TRUE)
  testthat::expect_equal(trained(optimizer, at$f, at$x, steps),
    textbook_steps(textbook, at$f$params, at$gradient, steps = steps, rate = 0.02),
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

# A step of a loss of draws by the core: list(loss, shown, gradient). `target` gives list(value, gradient).
reverse_gradient <- function(flow, z, target, loss, ..., n = nrow(z)) {
  native_draw_step(flow, draw_setup(target, loss, n), z, ...)
}

# Losses of draws of log weights w, as in the references of ?loss_reverse_kl, with minus their derivatives.
loss_by_hand <- function(loss, w) {
  k <- if (loss$kind == "importance_weighted") loss$draws else length(w)
  order <- switch(loss$kind, reverse_kl = 0, importance_weighted = 1, renyi = 1 - loss$alpha)
  groups <- split(w, rep(seq_len(length(w) / k), each = k))
  list(
    value = mean(vapply(groups, function(w) if (order == 0) -mean(w) else -log(mean(exp(order * w))) / order, 0)),
    share = unlist(lapply(groups, function(w) exp(order * w) / sum(exp(order * w))), use.names = FALSE) / length(groups)
  )
}

# The loss of log weights w, which a target makes such that they are these.
expect_draw_loss_ok <- function(loss, w, value) {
  f <- flow(layer_elementwise(scalar_affine()), 1)
  z <- matrix(seq_along(w) / 10)
  target <- function(x) list(value = w + native_map(f, x, NULL, TRUE)$log_density, gradient = 0 * x)
  testthat::expect_equal(reverse_gradient(f, z, target, loss)$loss, value, tolerance = 1e-12)
}
