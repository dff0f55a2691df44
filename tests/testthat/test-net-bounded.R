small <- net_mlp(5, activation = "tanh")

test_that("a conditioner like any other, dense and masked", {
  for (limit in c(0.6, 4)) expect_net_ok(net_bounded(small, limit))
  expect_layer_ok(layer_autoregressive(scalar_affine(), net_bounded(small, 0.5)), d = 3, spread = 0.5)
  expect_layer_ok(layer_autoregressive(scalar_affine(limit = 1), net_bounded(small, 0.5)), d = 3, d_condition = 2)
  expect_layer_ok(layer_invert(layer_autoregressive(scalar_tanh_affine(), net_bounded(small, 0.5))), d = 2)
  expect_net_ok(net_bounded(net_separate(small, net_mlp(3, activation = "tanh")), 0.6))
})

# The shifts that a net makes of x_1 and of a condition.
shift_of <- function(layer, x, given) {
  set.seed(2)
  f <- flow(layer, 2, d_condition = 1)
  params(f) <- unname(coef(f)) + rnorm(length(coef(f)))
  forward(f, cbind(x, 0), rep_len(given, length(x)))$value[, 2]
}

test_that("the net sees coordinates bent beyond the limit, and conditions as they are", {
  x <- c(-1e150, -40, -3, -2, -1, 0, 0.5, 2, 2.5, 7, 1e150)
  bent <- ifelse(abs(x) <= 2, x, sign(x) * 2 * (2 - 2 / abs(x)))
  for (layer in list(layer_autoregressive, layer_coupling)) {
    net <- net_mlp(6)
    made <- function(net) layer(scalar_affine(), net)
    expect_equal(shift_of(made(net_bounded(net, 2)), x, 9), shift_of(made(net), bent, 9), tolerance = 1e-14)
  }
})

test_that("parameters are those of the net, and levels are looked up behind it", {
  f <- flow(layer_autoregressive(scalar_affine(), small), 3, d_condition = 1)
  g <- flow(layer_autoregressive(scalar_affine(), net_bounded(small)), 3, d_condition = 1)
  expect_identical(names(coef(f)), names(coef(g)))
  net <- net_bounded(net_embedding(small, 1, 4, dim = 2), 1)
  set.seed(1)
  f <- flow(layer_autoregressive(scalar_affine(), net), 2, d_condition = 2)
  params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
  s <- flow_subject(f, matrix(2 * rnorm(12), 6), cbind(c(0, 1, 2, 3, 3, 0), rnorm(6)))
  for (inverse in c(TRUE, FALSE)) {
    expect_gradient_ok(s$f, s$x, s$condition, inverse)
    expect_batches_ok(s$f, s$x, s$condition, inverse)
  }
})

test_that("arguments are checked", {
  expect_error(net_bounded(scalar_affine()), "must be a net", class = "bijectr_error_argument")
  expect_error(net_bounded(small, 0), "limit", class = "bijectr_error_argument")
  expect_error(net_bounded(small, Inf), "limit", class = "bijectr_error_argument")
  expect_error(flow(layer_autoregressive(net = net_bounded(net_fourier())), 2), "masks")
  f <- flow(layer_coupling(net = net_bounded(small)), 2)
  f$layers$layers[[1]]$net$limit <- -1
  expect_error(logdensity(f, rbind(c(0, 0))), "limit")
})
