two <- function() scalar_chain(scalar_affine(), scalar_rq_spline(knots = 4, interval = 3))

test_that("scalars and dimensions", {
  expect_layer_ok(layer_radial(scalar_affine()), d = 2)
  expect_layer_ok(layer_radial(scalar_rq_spline(knots = 3)), d = 3)
  expect_layer_ok(layer_radial(two()), d = 4)
  expect_layer_ok(layer_radial(two(), center = 1:3, scale = 0.5), d = 3, d_condition = 1)
  expect_layer_ok(layer_radial(scalar_tanh_affine()), d = 2)
  # smooth scalars in one dimension: differences across the centre meet a kink
  expect_layer_ok(layer_radial(scalar_affine()), d = 1, x = cbind(c(-2, -0.5, 0.7, 3)))
})

naive_radial <- function(x, center, scale, map) {
  s <- scale * (x - center)
  r <- sqrt(sum(s^2) + 1e-14)
  out <- map(r)
  moved <- out$value - map(0)$value
  list(
    value = center + moved / r * (x - center), logdet = out$logdet + (length(x) - 1) * log(moved / r)
  )
}

test_that("the layer is its formula", {
  set.seed(1)
  f <- flow(layer_radial(two()), 3)
  params(f) <- coef(f) + 0.5 * rnorm(length(coef(f)))
  p <- params(f)$layers[[1]]
  one <- flow(layer_elementwise(two()), 1)
  params(one) <- list(base = list(), layers = list(p[-(1:2)]))
  x <- matrix(rnorm(15), 5)
  out <- forward(f, x)
  for (i in 1:5) {
    naive <- naive_radial(x[i, ], p$center, exp(p$log_scale), function(r) lapply(forward(one, r), c))
    expect_equal(out$value[i, ], naive$value, tolerance = 1e-13)
    expect_equal(out$logdet[i], naive$logdet, tolerance = 1e-12)
  }
})

test_that("initial centre and scale", {
  p <- params(flow(layer_radial(scalar_affine(), center = c(-0.5, -1), scale = 2), 2))$layers[[1]]
  expect_equal(p$center, c(-0.5, -1))
  expect_equal(p$log_scale, rep(log(2), 2))
  f <- flow(layer_radial(scalar_affine(), center = c(-0.5, -1)), 2)
  expect_equal(forward(f, cbind(3, 4))$value, cbind(3, 4))
})

test_that("the centre stays where it is, with the limit of the log-determinant", {
  set.seed(2)
  f <- flow(layer_radial(two(), center = c(1, -2)), 2)
  p <- params(f)
  p$layers[[1]][["1.loc"]] <- 0.7
  p$layers[[1]][["2.slopes"]] <- rnorm(4)
  params(f) <- p
  near <- rbind(c(1, -2), c(1 + 1e-9, -2), c(1, -2 + 1e-5))
  for (inverse in c(FALSE, TRUE)) {
    out <- flow_vjp(f, near, inverse, list(value = rep(1, 6), logdet = rep(1, 3)))
    expect_true(all(is.finite(unlist(out))))
    expect_equal(matrix(out$value, 3)[1, ], c(1, -2))
    expect_equal(out$logdet[1:2], rep(out$logdet[3], 2), tolerance = 1e-3)
  }
  # F(0) so large that F(r) - F(0) has no digits next to the centre
  p$layers[[1]][["1.loc"]] <- 1e12
  params(f) <- p
  out <- flow_vjp(f, near, FALSE, list(value = rep(1, 6), logdet = rep(1, 3)))
  expect_true(all(is.finite(unlist(out))))
})

test_that("far rows do not overflow", {
  f <- flow(layer_radial(two()), 2)
  x <- cbind(c(1e150, -3e149), c(0, 1e150))
  expect_equal(forward(f, x)$value, x)
})

test_that("wrong arguments are named", {
  expect_error(layer_radial(net_mlp()), "scalar", class = "bijectr_error_argument")
  expect_error(layer_radial(scalar_affine(), scale = 0), "scale", class = "bijectr_error_argument")
  expect_error(layer_radial(scalar_affine(), center = "a"), "center", class = "bijectr_error_argument")
  expect_error(flow(layer_radial(scalar_affine(), center = 1:2), 3), "center")
})
