small <- net_mlp(width = 7, activation = "tanh")

test_that("affine and spline layers", {
  expect_layer_ok(layer_autoregressive(scalar_affine(), small), d = 2)
  expect_layer_ok(layer_autoregressive(scalar_affine(), small), d = 4, d_condition = 2)
  expect_layer_ok(layer_autoregressive(scalar_affine(), net_mlp(c(6, 5), activation = "tanh")), d = 3)
  expect_layer_ok(layer_autoregressive(scalar_affine(), net_mlp(depth = 0)), d = 3, d_condition = 1)
  expect_layer_ok(layer_autoregressive(scalar_rq_spline(knots = 2), small), d = 3)
  expect_layer_ok(layer_autoregressive(scalar_rq_spline(knots = 2), small), d = 2, d_condition = 1)
  expect_layer_ok(layer_autoregressive(scalar_tanh_affine(), small), d = 3)
  expect_layer_ok(layer_autoregressive(scalar_affine(), small, add_initial = FALSE), d = 3)
})

test_that("one coordinate, with and without condition", {
  f <- expect_layer_ok(layer_autoregressive(scalar_affine(), small), d = 1)
  # only the last bias acts
  p <- params(f)$layers[[1]]$net
  expect_equal(forward(f, 0)$value[1], p$b2[1], tolerance = 1e-14)
  f <- expect_layer_ok(layer_autoregressive(scalar_affine(), small), d = 1, d_condition = 2)
  expect_false(forward(f, 0, cbind(0, 1))$value == forward(f, 0, cbind(1, 1))$value)
})

test_that("more ranks than hidden units, and a wide layer", {
  expect_layer_ok(layer_autoregressive(scalar_affine(), net_mlp(3, activation = "tanh")), d = 6)
  expect_layer_ok(layer_autoregressive(scalar_affine(), net_mlp(1, activation = "tanh")), d = 3, d_condition = 1)
  expect_layer_ok(layer_autoregressive(scalar_affine(), net_mlp(40, activation = "tanh")), d = 3, spread = 0.2)
})

# d raw parameter pairs of the affine scalar, for one row
naive_affine <- function(p, x, condition, activation, masks) {
  raw <- matrix(naive_mlp(p, c(x, condition), activation, masks), 2)
  list(loc = raw[1, ], scale = log1p(exp(raw[2, ] + log(expm1(0.99)))) + 0.01)
}

naive_inverse <- function(p, y, condition, activation, masks) {
  x <- 0 * y
  for (i in seq_along(y)) {
    one <- naive_affine(p, x, condition, activation, masks)
    x[i] <- (y[i] - one$loc[i]) / one$scale[i]
  }
  list(value = x, logdet = -sum(log(naive_affine(p, x, condition, activation, masks)$scale)))
}

test_that("the masks and both directions, written out", {
  for (case in list(
    list(d = 1, k = 0, width = 5), list(d = 1, k = 2, width = 5), list(d = 2, k = 0, width = 9),
    list(d = 5, k = 0, width = c(7, 11)), list(d = 4, k = 2, width = c(9, 6, 8)), list(d = 3, k = 1, width = integer()),
    list(d = 9, k = 0, width = 33), list(d = 3, k = 0, width = 70)
  )) {
    for (activation in c("relu", "tanh")) {
      set.seed(case$d + case$k)
      net <- net_mlp(case$width, length(case$width), activation, init = "uniform")
      if (length(case$width) == 0) net <- net_mlp(depth = 0, init = "uniform")
      f <- flow(layer_autoregressive(scalar_affine(), net), case$d, d_condition = case$k)
      p <- params(f)$layers[[1]]$net
      masks <- naive_masks(case$d, case$k, case$width, 2)
      x <- matrix(2 * rnorm(5 * case$d), 5)
      condition <- if (case$k > 0) matrix(rnorm(5 * case$k), 5)
      out <- forward(f, x, condition)
      back <- inverse(f, x, condition)
      for (i in 1:5) {
        one <- naive_affine(p, x[i, ], condition[i, ], activation, masks)
        expect_equal(out$value[i, ], x[i, ] * one$scale + one$loc, tolerance = 1e-13)
        expect_equal(out$logdet[i], sum(log(one$scale)), tolerance = 1e-13)
        solved <- naive_inverse(p, x[i, ], condition[i, ], activation, masks)
        expect_equal(back$value[i, ], solved$value, tolerance = 1e-12)
        expect_equal(back$logdet[i], solved$logdet, tolerance = 1e-12)
      }
      # masked weights have no gradient
      gradient <- flow_vjp(f, x, FALSE, list(value = x, logdet = x[, 1]), condition)$params
      masked <- unlist(lapply(seq_along(masks), function(l) c(masks[[l]], rep(1, nrow(masks[[l]]))))) == 0
      expect_true(all(gradient[masked] == 0))
    }
  }
})

test_that("a coordinate depends on those before it only", {
  set.seed(1)
  f <- flow(layer_autoregressive(scalar_rq_spline(), net_mlp(20, init = "uniform")), 5)
  x <- matrix(rnorm(5), 1)
  for (j in 1:5) {
    moved <- x
    moved[j] <- moved[j] + 0.1
    same <- seq_len(5) < j
    expect_identical(forward(f, moved)$value[same], forward(f, x)$value[same])
    expect_identical(inverse(f, moved)$value[same], inverse(f, x)$value[same])
  }
})

test_that("deep inverses stay exact", {
  set.seed(3)
  f <- flow(masked_autoregressive_flow(scalar_rq_spline(), 5, nn_width = 32, init = "uniform"), 6)
  x <- matrix(2 * rnorm(600), 100)
  expect_equal(inverse(f, forward(f, x)$value)$value, x, tolerance = 1e-9)
})

test_that("wrong arguments are named", {
  expect_error(layer_autoregressive(scalar = 1), "scalar", class = "bijectr_error_argument")
  expect_error(layer_autoregressive(net = 1), "net", class = "bijectr_error_argument")
})
