test_that("sigmoid conforms", {
  expect_scalar_ok(scalar_sigmoid(), c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9), range = c(0, 1))
})

test_that("sigmoid is accurate in its tails and its inverse around 1/2", {
  f <- flow(layer_elementwise(scalar_sigmoid()), d = 1)
  x <- c(-1e3, -700, -40, -1, 0, 1, 40, 700, 1e5)
  expect_equal(c(forward(f, x)$value)[-1], plogis(x)[-1], tolerance = 1e-14)
  expect_equal(forward(f, x)$logdet, dlogis(x, log = TRUE), tolerance = 1e-14)
  y <- c(1e-300, 1e-20, 0.2, 0.3, 0.5, 0.9, 1 - 1e-15)
  expect_equal(c(inverse(f, y)$value), qlogis(y), tolerance = 1e-13)
  expect_equal(c(inverse(f, 0.5 + 2^-40)$value), 4 * 2^-40, tolerance = 1e-13)
})
