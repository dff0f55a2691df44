test_that("layers alternate, the first transforms the first half", {
  set.seed(1)
  net <- net_mlp(3, activation = "tanh", init = "uniform")
  for (d in 4:5) {
    x <- matrix(rnorm(2 * d), 2)
    one <- flow(realnvp_flow(1, net), d)
    z <- inverse(one, x)$value
    first <- seq_len(d %/% 2)
    expect_identical(z[, -first], x[, -first])
    expect_false(any(z[, first] == x[, first]))
    p <- params(one)$layers[[1]]$net
    t <- naive_mlp(p[[1]], x[1, -first], "tanh")
    s <- naive_mlp(p[[2]], x[1, -first], "tanh")
    expect_equal(z[1, first], x[1, first] * exp(s) + t, tolerance = 1e-13)
    two <- flow(realnvp_flow(2, net), d)
    p <- params(two)
    p$layers[[2]] <- params(one)$layers[[1]] # data side last
    params(two) <- p
    expect_equal(inverse(two, x)$value[, first], z[, first])
  }
})

test_that("bounded scales, polynomial nets, a trainable base", {
  set.seed(1)
  base <- base_normal(trainable = TRUE, parameter = "variance")
  f <- flow(realnvp_flow(net = net_polynomial(2), bounded = TRUE), 4, base)
  expect_named(params(f)$base, c("mean", "variance"))
  x <- matrix(rnorm(8), 2)
  expect_equal(forward(f, inverse(f, x)$value)$value, x)
  expect_error(realnvp_flow(net = scalar_affine()), "net", class = "bijectr_error_argument")
})
