small <- net_mlp(5, activation = "tanh")

test_that("inverted layers", {
  expect_layer_ok(layer_invert(layer_elementwise(scalar_affine())), d = 2)
  expect_layer_ok(layer_invert(layer_elementwise(scalar_rq_spline(knots = 2))), d = 2)
  expect_layer_ok(layer_invert(layer_coupling(scalar_affine(), small)), d = 3, d_condition = 1)
  expect_layer_ok(layer_invert(layer_autoregressive(scalar_affine(), small)), d = 3)
  expect_layer_ok(layer_invert(layer_autoregressive(scalar_rq_spline(knots = 2), small)), d = 3, d_condition = 1)
  expect_layer_ok(layer_invert(layer_permute(c(2, 3, 1))), d = 3)
  expect_layer_ok(layer_invert(layer_chain(layer_coupling(scalar_affine(), small), layer_flip())), d = 3)
})

test_that("an inverted flow is the flow turned round", {
  set.seed(1)
  layers <- layer_chain(
    layer_coupling(scalar_rq_spline(), net_mlp(5, init = "uniform")), layer_permute(c(2, 3, 1)),
    layer_elementwise(scalar_affine())
  )
  f <- flow(layers, d = 3)
  g <- flow(layer_invert(layers), d = 3)
  params(f) <- rnorm(length(coef(f)))
  p <- params(g)
  p$layers <- rev(params(f)$layers)
  params(g) <- p
  x <- matrix(rnorm(12), 4)
  expect_equal(forward(g, x), inverse(f, x), tolerance = 1e-14)
  expect_equal(inverse(g, x), forward(f, x), tolerance = 1e-14)
  again <- flow(layer_invert(layer_invert(layers)), d = 3)
  expect_identical(again$layers, f$layers)
})

test_that("wrong arguments are named", {
  expect_error(layer_invert(1), "layer", class = "bijectr_error_argument")
})
