test_that("exp conforms", {
  expect_scalar_ok(scalar_exp(), c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9), range = c(0, Inf), extreme = c(-Inf, 700))
})

test_that("exp is exp", {
  f <- flow(layer_elementwise(scalar_exp()), d = 1)
  expect_equal(c(forward(f, c(-700, 0, 700))$value), exp(c(-700, 0, 700)), tolerance = 1e-14)
  expect_identical(forward(f, c(-700, 0, 700))$logdet, c(-700, 0, 700))
  expect_equal(c(inverse(f, c(1e-300, 1, 1e149))$value), log(c(1e-300, 1, 1e149)), tolerance = 1e-15)
})
