small <- net_mlp(width = 5, activation = "tanh", init = "uniform")

test_that("shifts by a condition", {
  expect_layer_ok(layer_additive_condition(), d = 2, d_condition = 1)
  expect_layer_ok(layer_additive_condition(), d = 1, d_condition = 3)
  expect_layer_ok(layer_additive_condition(small), d = 3, d_condition = 2)
  expect_layer_ok(layer_additive_condition(net_mlp(c(6, 4))), d = 2, d_condition = 2)
  both <- layer_chain(layer_planar(net = small), layer_additive_condition(), layer_flip())
  expect_layer_ok(both, d = 2, d_condition = 2)
  expect_layer_ok(layer_invert(layer_additive_condition(small)), d = 2, d_condition = 1)
})

test_that("the shift is Wc c, or the net", {
  set.seed(1)
  x <- matrix(rnorm(12), 4)
  condition <- matrix(rnorm(8), 4)
  f <- flow(layer_additive_condition(), 3, d_condition = 2)
  expect_identical(forward(f, x, condition)$value, x)
  wc <- params(f)$layers[[1]]$Wc
  expect_identical(dim(wc), c(3L, 2L))
  params(f) <- rnorm(6)
  expect_equal(forward(f, x, condition)$value, x + condition %*% t(params(f)$layers[[1]]$Wc), tolerance = 1e-14)
  f <- flow(layer_additive_condition(small), 3, d_condition = 2)
  p <- params(f)$layers[[1]]$net
  out <- forward(f, x, condition)
  for (i in 1:4) expect_equal(out$value[i, ], x[i, ] + naive_mlp(p, condition[i, ], "tanh"), tolerance = 1e-13)
  expect_identical(out$logdet, numeric(4))
})

test_that("without conditions it is left out", {
  layers <- function(...) flow(layer_chain(...), 2)$layers$layers
  expect_length(layers(layer_additive_condition()), 0)
  expect_length(layers(layer_planar(), layer_invert(layer_additive_condition(small)), layer_flip()), 2)
  expect_length(flow(layer_repeat(layer_additive_condition(), 3), 2, d_condition = 1)$layers$layers, 3)
  expect_identical(forward(flow(layer_additive_condition(), 2), diag(2))$value, diag(2))
})

test_that("wrong arguments are named", {
  expect_error(layer_additive_condition(1), "net", class = "bijectr_error_argument")
})
