small <- net_mlp(4, activation = "tanh")

test_that("a conditioner like any other", {
  expect_layer_ok(layer_coupling(scalar_affine(), net_separate(small, net_mlp(3, activation = "silu"))), d = 3)
  expect_layer_ok(
    layer_coupling(scalar_tanh_affine(), net_separate(net_mlp(c(3, 4), activation = "tanh"), small)),
    d = 4, d_condition = 2
  )
  expect_layer_ok(layer_coupling(scalar_affine(), net_separate(small)), d = 3)
})

test_that("net j gives parameter j of every coordinate", {
  set.seed(1)
  shift <- net_mlp(5, activation = "tanh", init = "uniform")
  scale <- net_mlp(3, activation = "sin", init = "uniform")
  f <- flow(layer_coupling(scalar_affine("exp"), net_separate(shift, scale)), 5, d_condition = 1)
  p <- params(f)$layers[[1]]$net
  x <- rnorm(5)
  raw <- lapply(1:2, function(j) naive_mlp(p[[j]], c(x[1:2], 0.3), c("tanh", "sin")[j]))
  out <- forward(f, rbind(x), 0.3)
  expect_equal(out$value[1, ], c(x[1:2], x[3:5] * exp(raw[[2]]) + raw[[1]]), tolerance = 1e-13)
  expect_equal(out$logdet, sum(raw[[2]]), tolerance = 1e-13)
})

test_that("initial values of the scalar are dealt out too", {
  f <- flow(layer_coupling(scalar_affine(), net_separate(small, small)), 4)
  expect_equal(forward(f, rbind(1:4))$value, rbind(1:4) + 0)
})

test_that("wrong arguments are named", {
  expect_error(net_separate(), "at least one net", class = "bijectr_error_argument")
  expect_error(net_separate(scalar_affine()), "must be a net", class = "bijectr_error_argument")
  expect_error(flow(layer_coupling(scalar_affine(), net_separate(small, small, small)), 2), "evenly")
})
