test_that("linear maps in their LU decomposition", {
  for (d in c(1, 2, 3, 6)) expect_layer_ok(layer_lu_linear(), d = d, spread = 0.4)
  expect_layer_ok(layer_lu_linear(c(2, 4, 1, 3)), d = 4, spread = 0.4)
  expect_layer_ok(layer_invert(layer_lu_linear()), d = 3, spread = 0.4)
})

test_that("lu_linear is its formula", {
  set.seed(1)
  f <- flow(layer_lu_linear(c(3, 1, 4, 2)), 4)
  x <- matrix(rnorm(20), 5)
  expect_identical(forward(f, x)$value, x[, c(3, 1, 4, 2)])
  params(f) <- rnorm(length(coef(f)))
  p <- params(f)$layers[[1]]
  lower <- p$lower * lower.tri(p$lower) + diag(4)
  upper <- p$upper * upper.tri(p$upper) + diag(exp(p$log_scale))
  w <- diag(4)[c(3, 1, 4, 2), ] %*% lower %*% upper
  out <- forward(f, x)
  expect_equal(out$value, x %*% t(w), tolerance = 1e-13)
  expect_equal(out$logdet, rep(sum(p$log_scale), 5), tolerance = 1e-14)
  expect_equal(out$logdet[1], c(determinant(w)$modulus), tolerance = 1e-12)
  expect_equal(inverse(f, x)$value, x %*% t(solve(w)), tolerance = 1e-10)
})

test_that("the permutation is drawn once, when the flow is made", {
  set.seed(1)
  f <- flow(layer_repeat(layer_lu_linear(), 5), 6)
  orders <- lapply(f$layers$layers, `[[`, "permutation")
  expect_gt(length(unique(orders)), 1)
  for (order in orders) expect_identical(sort(order), 1:6)
  expect_identical(flow(layer_lu_linear(), 1)$layers$layers[[1]]$permutation, 1L)
})

test_that("wrong arguments are named", {
  expect_error(layer_lu_linear(c(1, 1)), "permutation", class = "bijectr_error_argument")
  expect_error(flow(layer_lu_linear(1:3), 2), "permutation")
})
