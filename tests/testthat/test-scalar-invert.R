x <- c(-2.5, -0.7, -0.1, 0.3, 1.2, 2.9)

test_that("inverted scalars pass the battery", {
  expect_scalar_ok(scalar_invert(scalar_affine()), x)
  expect_scalar_ok(scalar_invert(scalar_tanh_affine()), x)
  expect_scalar_ok(scalar_invert(scalar_leaky_tanh(3)), x / 2)
  expect_scalar_ok(scalar_invert(scalar_rq_spline(knots = 3)), x)
  expect_scalar_ok(scalar_invert(scalar_chain(scalar_affine(), scalar_leaky_tanh(3))), x / 2)
  squash <- scalar_leaky_tanh(3)
  spline <- scalar_rq_spline(3, 1, boundary = "free")
  expect_scalar_ok(scalar_chain(squash, spline, scalar_invert(squash)), x, spread = 0.3)
})

test_that("forward is inverse, with the same parameters", {
  set.seed(1)
  f <- flow(layer_elementwise(scalar_rq_spline(3)), 2)
  g <- flow(layer_elementwise(scalar_invert(scalar_rq_spline(3))), 2)
  expect_identical(names(coef(f)), names(coef(g)))
  params(f) <- params(g) <- rnorm(length(coef(f)))
  y <- matrix(x, 3)
  expect_identical(forward(g, y), inverse(f, y))
  expect_identical(inverse(g, y), forward(f, y))
  expect_identical(scalar_invert(scalar_invert(scalar_exp())), scalar_exp())
})

test_that("wrong arguments are named", {
  expect_error(scalar_invert(layer_flip()), "scalar", class = "bijectr_error_argument")
})
