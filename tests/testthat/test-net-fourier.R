two_unchanged <- function(net, d = 4) layer_coupling(scalar_affine(), net, mask = seq_len(d) <= 2)

test_that("a conditioner like any other", {
  expect_layer_ok(two_unchanged(net_fourier()), d = 4)
  expect_layer_ok(two_unchanged(net_fourier(5, hidden = 4), 3), d = 3)
  expect_layer_ok(two_unchanged(net_fourier(1, init = "uniform"), 3), d = 3)
})

test_that("the net is its formula", {
  set.seed(1)
  for (hidden in list(NULL, 6)) {
    f <- flow(two_unchanged(net_fourier(4, hidden = hidden, init = "uniform")), 4)
    p <- params(f)$layers[[1]]$net
    x <- cbind(rnorm(5), rnorm(5), 0, 0)
    loc <- forward(f, x)$value[, 3:4]
    v <- (atan2(x[, 2], x[, 1]) + pi) / (2 * pi)
    wave <- function(shape) sapply(1:4, function(k) shape(2 * pi * k * v) / k)
    features <- cbind(wave(sin), wave(cos), 1)
    weight <- if (is.null(hidden)) p$weight else p$weight %*% p$hidden_weight
    raw <- features %*% t(weight)
    expect_equal(loc, raw[, c(1, 3)], tolerance = 1e-12)
  }
})

test_that("only the direction counts, from the smallest to the largest inputs", {
  set.seed(1)
  f <- flow(two_unchanged(net_fourier(init = "uniform"), 3), 3)
  sizes <- 10^c(-300, -8, 0, 8, 140)
  y <- forward(f, cbind(0.6 * sizes, -0.8 * sizes, 1))$value[, 3]
  expect_equal(y, rep(y[1], 5), tolerance = 1e-14)
  centre <- flow_vjp(f, cbind(0, 0, 1), FALSE, list(value = c(1, 1, 1)))
  expect_equal(centre$value[3], forward(f, cbind(1, 0, 1))$value[3])
  expect_true(all(is.finite(centre$x)))
})

test_that("wrong arguments are named", {
  expect_error(net_fourier(0), "`m`", class = "bijectr_error_argument")
  expect_error(net_fourier(hidden = 0), "`hidden`", class = "bijectr_error_argument")
  expect_error(flow(layer_coupling(net = net_fourier()), 2), "two dimensions")
})
