small <- layer_coupling(scalar_affine(), net_mlp(4, activation = "tanh"))

test_that("chains of layers", {
  expect_layer_ok(layer_chain(small, layer_flip(), layer_elementwise(scalar_affine())), d = 3)
  expect_layer_ok(layer_chain(small, layer_permute(), layer_autoregressive(net = net_mlp(4, activation = "tanh"))),
    d = 3, d_condition = 1
  )
  expect_layer_ok(layer_repeat(layer_chain(small, layer_flip()), 3), d = 2)
  expect_layer_ok(layer_chain(), d = 2)
})

test_that("a chain is its layers one after another", {
  set.seed(1)
  f <- flow(layer_chain(small, layer_elementwise(scalar_rq_spline()), layer_flip()), d = 3)
  params(f) <- rnorm(length(coef(f)))
  x <- matrix(rnorm(12), 4)
  y <- x
  logdet <- 0
  for (i in 1:3) {
    one <- flow(f$layers$layers[[i]], d = 3)
    if (length(coef(one))) params(one) <- unlist(params(f)$layers[[i]])
    out <- forward(one, y)
    y <- out$value
    logdet <- logdet + out$logdet
  }
  expect_equal(forward(f, x), list(value = y, logdet = logdet), tolerance = 1e-14)
})

test_that("layers are counted from base to data, chains in chains are flat", {
  kinds <- function(layers) vapply(flow(layers, d = 2)$layers$layers, function(layer) layer$kind, "")
  a <- layer_elementwise(scalar_affine())
  flat <- c("elementwise", "permute", "elementwise", "permute", "coupling")
  expect_identical(kinds(layer_chain(layer_repeat(layer_chain(a, layer_flip()), 2), small)), flat)
  expect_identical(kinds(list(list(a, layer_flip()), a, list(layer_flip(), small))), flat)
  expect_length(params(flow(layer_repeat(a, 3), d = 2))$layers, 3)
})

test_that("repeated layers share structure, not parameters", {
  set.seed(1)
  f <- flow(layer_repeat(layer_chain(layer_coupling(net = net_mlp(4, init = "uniform")), layer_permute()), 4), d = 5)
  p <- params(f)$layers
  expect_false(identical(p[[1]], p[[3]]))
  permutations <- lapply(f$layers$layers[c(2, 4, 6, 8)], function(layer) layer$permutation)
  expect_gt(length(unique(permutations)), 1)
})

test_that("wrong arguments are named", {
  expect_error(layer_chain(small, 1), "layers", class = "bijectr_error_argument")
  expect_error(layer_repeat(small, 0), "times", class = "bijectr_error_argument")
  expect_error(flow(1, d = 2), "layers", class = "bijectr_error_argument")
  expect_error(flow(small, d = 0), "d", class = "bijectr_error_argument")
})
