test_that("products of reflections", {
  for (d in c(1, 2, 3, 6)) {
    expect_layer_ok(layer_householder(), d = d)
    expect_layer_ok(layer_householder(1), d = d)
  }
  expect_layer_ok(layer_householder(7), d = 4)
  expect_layer_ok(layer_householder(), d = 20)
})

test_that("householder is its formula", {
  set.seed(1)
  f <- flow(layer_householder(3), 4)
  v <- params(f)$layers[[1]]$v
  q <- diag(4)
  for (i in 1:3) q <- (diag(4) - 2 * tcrossprod(v[, i]) / sum(v[, i]^2)) %*% q
  x <- matrix(rnorm(20), 5)
  expect_equal(forward(f, x), list(value = x %*% t(q), logdet = numeric(5)), tolerance = 1e-13)
  expect_equal(inverse(f, x)$value, x %*% q, tolerance = 1e-13)
})

test_that("a vector of zeros reflects nothing; sizes of vectors do not matter", {
  f <- flow(layer_householder(2), 2)
  x <- rbind(c(1, 2), c(-3, 0.5))
  params(f)$layers[[1]]$v <- cbind(c(0, 0), c(0, 1e-200))
  expect_equal(forward(f, x)$value, x %*% diag(c(1, -1)))
  g <- flow_vjp(f, x, FALSE, list(value = rep(1, 4)))
  expect_false(anyNA(unlist(g)))
  params(f)$layers[[1]]$v <- cbind(c(0, 0), c(0, 1e200))
  expect_equal(forward(f, x)$value, x %*% diag(c(1, -1)))
})

test_that("wrong arguments are named", {
  expect_error(layer_householder(0), "n_reflections", class = "bijectr_error_argument")
})
