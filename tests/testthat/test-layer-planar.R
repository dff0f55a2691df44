small <- net_mlp(width = 5, activation = "tanh", init = "uniform")

test_that("planar layers, both activations, with and without conditions", {
  for (d in c(1, 2, 3, 5)) {
    expect_layer_ok(layer_planar(), d = d)
    expect_layer_ok(layer_planar("leaky_relu", 0.1), d = d)
  }
  expect_layer_ok(layer_planar(), d = 2, spread = 2)
  for (d in 1:3) {
    expect_layer_ok(layer_planar(net = small), d = d, d_condition = 2)
    expect_layer_ok(layer_planar("leaky_relu", 0.2, small), d = d, d_condition = 1)
  }
  expect_layer_ok(layer_planar(), d = 2, d_condition = 1)
  expect_layer_ok(layer_repeat(layer_planar(), 5), d = 2, spread = 1)
  expect_layer_ok(layer_invert(layer_planar()), d = 2)
})

# One row, from the formulas of the help page.
naive_planar <- function(w, u, b, x, h) {
  t <- sum(w * u)
  s <- log(1 + log1p(exp(t)))
  u <- u + (s - 1 - t) * w / sum(w^2)
  a <- sum(w * x) + b
  list(value = x + u * h$value(a), logdet = log(abs(1 + h$slope(a) * sum(u * w))))
}
naive_tanh <- list(value = tanh, slope = function(a) 1 / cosh(a)^2)
naive_leaky <- list(value = function(a) if (a < 0) 0.1 * a else a, slope = function(a) if (a < 0) 0.1 else 1)

test_that("planar is its formula", {
  set.seed(1)
  for (h in list(naive_tanh, naive_leaky)) {
    layer <- if (identical(h, naive_tanh)) layer_planar() else layer_planar("leaky_relu", 0.1)
    for (d in c(2, 4)) {
      f <- flow(layer, d)
      params(f) <- rnorm(2 * d + 1)
      p <- params(f)$layers[[1]]
      x <- matrix(2 * rnorm(5 * d), 5)
      out <- forward(f, x)
      for (i in 1:5) {
        expected <- naive_planar(p$w, p$u, p$b, x[i, ], h)
        expect_equal(out$value[i, ], expected$value, tolerance = 1e-13)
        expect_equal(out$logdet[i], expected$logdet, tolerance = 1e-11)
      }
    }
  }
})

test_that("given conditions, w, u and b are the outputs of the net", {
  set.seed(2)
  net <- net_mlp(4, activation = "tanh")
  f <- flow(layer_planar(net = net), 3, d_condition = 2)
  p <- params(f)$layers[[1]]$net
  expect_length(p$b2, 7)
  expect_false(all(p$W2 == 0)) # not the saddle at w = u = b = 0
  x <- matrix(rnorm(12), 4)
  condition <- matrix(rnorm(8), 4)
  out <- forward(f, x, condition)
  for (i in 1:4) {
    raw <- naive_mlp(p, condition[i, ], "tanh")
    expected <- naive_planar(raw[1:3], raw[4:6], raw[7], x[i, ], naive_tanh)
    expect_equal(out$value[i, ], expected$value, tolerance = 1e-12)
    expect_equal(out$logdet[i], expected$logdet, tolerance = 1e-11)
  }
})

set_planar <- function(w, u, b, layer = layer_planar()) {
  f <- flow(layer, length(w))
  params(f)$layers[[1]] <- list(w = w, u = u, b = b)
  f
}

# log|1 + u'psi| as the libraries compute it is off from w'u of about -10, and -Inf from -36
test_that("the log-determinant does not cancel for very negative w'u", {
  for (t in c(-5, -10, -30, -50, -200, -600)) {
    f <- set_planar(c(1, 0), c(t, 0), 0)
    expect_equal(forward(f, cbind(0, 1))$logdet, t, tolerance = 0.01)
    # 1 - h' + h's with s = log(1 + softplus(t))
    s <- log1p(log1p(exp(t)))
    a <- c(1e-6, 1e-3, 0.1, 2, 30)
    expect_equal(forward(f, cbind(a, 0))$logdet, log(tanh(a)^2 + s / cosh(a)^2), tolerance = 1e-12)
    g <- flow_vjp(f, cbind(c(0, a), 0), FALSE, list(logdet = rep(1, 6)))
    expect_true(all(is.finite(c(g$params, g$x))))
  }
  f <- set_planar(c(1, 0), c(-1e4, 0), 0)
  out <- flow_vjp(f, cbind(c(0, 1e-9, 1), 0), FALSE, list(value = rep(1, 6), logdet = rep(1, 3)))
  expect_true(all(is.finite(unlist(out))))
})

test_that("w = 0 has a value and gradients", {
  f <- set_planar(c(0, 0), c(1, -2), 0.3)
  x <- rbind(c(1, 2), c(0, 0), c(-1e8, 3))
  out <- forward(f, x)
  expect_equal(out$value, x + rep(c(1, -2), each = 3) * tanh(0.3), tolerance = 1e-14)
  expect_equal(out$logdet, numeric(3))
  expect_equal(inverse(f, out$value)$value, x, tolerance = 1e-14)
  for (inverse in c(FALSE, TRUE)) {
    g <- flow_vjp(f, x, inverse, list(value = rep(1, 6), logdet = rep(1, 3)))
    expect_true(all(is.finite(unlist(g))))
  }
  # outputs of a net that are all zero
  f <- flow(layer_planar(net = small), 2, d_condition = 1)
  params(f) <- 0 * coef(f)
  for (inverse in c(FALSE, TRUE)) {
    g <- flow_vjp(f, x, inverse, list(value = rep(1, 6), logdet = rep(1, 3)), cbind(1:3))
    expect_equal(g$value, x)
    expect_true(all(is.finite(unlist(g))))
  }
  # tiny w on both sides of the floor
  for (size in 10^-c(5, 11, 13, 20, 160, 300)) {
    out <- flow_vjp(set_planar(size * c(1, 1), c(1, -2), 0), x[1:2, ], FALSE, list(value = rep(1, 4), logdet = c(1, 1)))
    expect_true(all(is.finite(unlist(out))))
  }
})

test_that("the tanh inverse finds its root wherever it lies", {
  set.seed(3)
  for (t in c(-700, -50, -20, -3, -0.5, 0, 0.6, 5, 1e3, 1e6)) {
    f <- set_planar(c(1, 0), c(t, 0.5), 0.2)
    x <- cbind(c(-0.2, 10^-(0:8), -10^-(0:8), 3, 30, 1e4), 1)
    y <- forward(f, x)
    back <- inverse(f, y$value)
    # where the layer is flat, y carries few digits of x: compare in y
    again <- forward(f, back$value)
    expect_lt(relative_gap(again$value, y$value), 1e-12)
    if (t > -1) expect_lt(relative_gap(back$value, x), 1e-12)
    if (t > -1) expect_lt(relative_gap(back$logdet, -y$logdet), 1e-10)
    expect_true(all(is.finite(back$logdet)))
  }
})

test_that("an untrained planar layer is the identity", {
  set.seed(5)
  x <- matrix(rnorm(12, sd = 3), 4)
  for (activation in c("tanh", "leaky_relu")) {
    there <- forward(flow(layer_repeat(layer_planar(activation), 20), 3), x)
    expect_equal(there$value, x, tolerance = 1e-13)
    expect_lt(max(abs(there$logdet)), 1e-13)
  }
})

test_that("or it starts with small parameters, as FlowJAX's", {
  set.seed(4)
  p <- unname(coef(flow(layer_repeat(layer_planar(init = "small"), 100), 3)))
  expect_length(p, 700)
  expect_lt(abs(sd(p) - 0.01), 1e-3)
  expect_named(params(flow(layer_planar(), 2))$layers[[1]], c("w", "u", "b"))
})

test_that("wrong arguments are named", {
  expect_error(layer_planar("relu"), "activation", class = "bijectr_error_argument")
  expect_error(layer_planar("leaky_relu", 2), "negative_slope", class = "bijectr_error_argument")
  expect_error(layer_planar(net = 3), "net", class = "bijectr_error_argument")
})
