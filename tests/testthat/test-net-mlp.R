activations <- c("relu", "tanh", "elu", "gelu", "silu", "softplus", "sin", "sigmoid", "leaky_relu", "selu")

test_that("all activations, in the battery", {
  for (activation in activations) {
    expect_net_ok(net_mlp(5, activation = activation), spread = 0.3)
  }
})

test_that("depths 0 to 3, and widths of their own", {
  for (depth in c(0, 2, 3)) expect_net_ok(net_mlp(4, depth, "tanh"), spread = 0.3)
  expect_net_ok(net_mlp(c(3, 6), activation = "silu", init = "uniform"), spread = 0.1)
  expect_net_ok(net_mlp(35, activation = "tanh"), spread = 0.1)
})

test_that("masked nets, in the battery", {
  for (activation in activations) {
    expect_layer_ok(layer_autoregressive(scalar_affine(), net_mlp(5, activation = activation)), d = 3, spread = 0.3)
  }
  expect_layer_ok(layer_autoregressive(scalar_affine(), net_mlp(c(5, 4, 6), activation = "elu")),
    d = 3, d_condition = 1, spread = 0.3
  )
})

# The shift of a coupling layer is an output of the net.
test_that("the net is the formula of the help, written out", {
  for (activation in activations) {
    for (width in list(integer(), 7, c(3, 9), c(40, 33, 5))) {
      set.seed(length(width))
      net <- net_mlp(if (length(width)) width else 1, length(width), activation, init = "uniform")
      f <- flow(layer_coupling(scalar_affine(scale = "exp"), net), 5, d_condition = 1)
      x <- matrix(3 * rnorm(35), 7)
      condition <- rnorm(7)
      out <- forward(f, x, condition)
      for (i in 1:7) {
        raw <- matrix(naive_mlp(params(f)$layers[[1]]$net, c(x[i, 1:2], condition[i]), activation), 2)
        expect_equal(out$value[i, 3:5], x[i, 3:5] * exp(raw[2, ]) + raw[1, ], tolerance = 1e-13)
        expect_equal(out$logdet[i], sum(raw[2, ]), tolerance = 1e-12)
      }
    }
  }
})

test_that("activations survive any input", {
  for (activation in activations) {
    set.seed(1)
    f <- flow(layer_coupling(scalar_tanh_affine(), net_mlp(4, activation = activation, init = "uniform")), 2)
    x <- cbind(c(-1, 1) * rep(c(1e100, 1e150, 1e155, 1e300), each = 2), 1)
    out <- core_vjp(f, x, inverse = FALSE)
    expect_true(all(is.finite(out$value)), info = activation)
    expect_true(all(is.finite(out$x)), info = activation)
    expect_true(all(is.finite(out$params)), info = activation)
  }
})

test_that("initial values", {
  set.seed(1)
  p <- params(flow(layer_coupling(net = net_mlp(c(50, 20))), 4))$layers[[1]]$net
  expect_true(all(p$W3 == 0) && all(p$b3 == 0))
  expect_true(all(abs(p$W1) <= 1 / sqrt(2)) && max(abs(p$W1)) > 0.9 / sqrt(2))
  expect_true(all(abs(p$b2) <= 1 / sqrt(50)) && all(abs(p$W2) <= 1 / sqrt(50)) && max(abs(p$W2)) > 0.99 / sqrt(50))
  p <- params(flow(layer_coupling(net = net_mlp(c(50, 20), init = "uniform")), 4))$layers[[1]]$net
  expect_true(all(abs(p$W3) <= 1 / sqrt(20)) && max(abs(p$W3)) > 0.9 / sqrt(20))
  expect_lt(abs(mean(p$W2)), 4 / sqrt(12 * 50 * 1000))
  set.seed(2)
  a <- flow(layer_coupling(), 4)
  set.seed(2)
  expect_identical(flow(layer_coupling(), 4), a)
})

test_that("wrong arguments are named", {
  expect_error(net_mlp(0), "width", class = "bijectr_error_argument")
  expect_error(net_mlp(c(3, 4), depth = 3), "width", class = "bijectr_error_argument")
  expect_error(net_mlp(depth = -1), "depth", class = "bijectr_error_argument")
  expect_error(net_mlp(activation = "swosh"), "activation", class = "bijectr_error_argument")
  expect_error(net_mlp(init = "zero"), "init", class = "bijectr_error_argument")
})

test_that("a number is the standard deviation of initial weights", {
  set.seed(3)
  spread <- function(net) {
    p <- params(flow(layer_coupling(scalar_affine(), net), 4))$layers[[1]]$net
    list(weights = unlist(p[grepl("^W", names(p))]), biases = unlist(p[grepl("^b", names(p))]))
  }
  start <- spread(net_mlp(c(100, 100), init = 0.01))
  expect_equal(sd(start$weights), 0.01, tolerance = 0.03)
  expect_lt(abs(mean(start$weights^3)) / 0.01^3, 0.2)
  expect_gt(max(abs(start$weights)), 0.03)
  expect_true(all(start$biases == 0))
  expect_true(all(unlist(spread(net_mlp(5, init = 0))) == 0))
  w <- params(flow(layer_radial_conditional(scalar_cubic_rational(), net_fourier(5, hidden = 80, init = 0.01)), 2))
  expect_equal(sd(unlist(w$layers[[1]]$net)), 0.01, tolerance = 0.1)
  field <- coef(flow(layer_continuous(field_mlp(c(80, 80), init = 0.2)), 2))
  expect_equal(sd(field[grepl("W", names(field))]), 0.2, tolerance = 0.05)
  expect_true(all(field[grepl("[.]b[0-9]", names(field))] == 0))
  expect_error(net_mlp(init = -1), "`init` must be at least 0", class = "bijectr_error_argument")
  expect_error(net_mlp(init = c(1, 2)), "`init` must be one number", class = "bijectr_error_argument")
})
