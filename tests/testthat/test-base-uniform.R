test_that("uniform on an interval", {
  expect_base_ok(base_uniform(), function(x) dunif(x, log = TRUE), punif,
    x = c(0.01, 0.3, 0.5, 0.99), support = c(0, 1)
  )
  expect_base_ok(base_uniform(-2, 3), function(x) dunif(x, -2, 3, log = TRUE), function(x) punif(x, -2, 3),
    x = c(-1.9, 0, 2.5), support = c(-2, 3)
  )
})

test_that("outside the interval the density is 0, without a NaN in the gradients", {
  f <- flow(layer_flip(), 2, base = base_uniform(-1, 1))
  x <- cbind(c(0, 2, 0, -1e100), c(0, 0, -1.5, 3))
  expect_identical(logdensity(f, x), c(-2 * log(2), -Inf, -Inf, -Inf))
  f <- flow(layer_elementwise(scalar_affine()), 2, base = base_uniform(-1, 1))
  out <- flow_vjp(f, x, TRUE, list(log_density = rep(1, 4)))
  expect_false(anyNA(unlist(out)))
})

test_that("the change of variables of y = 2x + 1", {
  f <- flow(layer_elementwise(scalar_affine(scale = "exp")), d = 1, base = base_uniform())
  params(f) <- c(1, log(2))
  expect_equal(logdensity(f, c(0.9, 1.1, 2, 2.9, 3.1)), log(c(0, 0.5, 0.5, 0.5, 0)))
})

test_that("wrong arguments are named", {
  expect_error(base_uniform(1, 1), "min", class = "bijectr_error_argument")
  expect_error(base_uniform(0, Inf), "max", class = "bijectr_error_argument")
})
