two <- function() scalar_chain(scalar_affine(), scalar_rq_spline(knots = 3, interval = 3))

test_that("nets, scalars, dimensions, conditions", {
  expect_layer_ok(layer_radial_conditional(scalar_affine()), d = 2, spread = 0.2)
  expect_layer_ok(layer_radial_conditional(two(), net_fourier(2, hidden = 3)), d = 2, spread = 0.2)
  expect_layer_ok(layer_radial_conditional(scalar_affine(), net_mlp(4, activation = "tanh")), d = 3, spread = 0.2)
  expect_layer_ok(
    layer_radial_conditional(two(), net_mlp(3, activation = "tanh"), center = 1, scale = 2),
    d = 2, d_condition = 2, spread = 0.2
  )
  expect_layer_ok(layer_radial_conditional(scalar_tanh_affine(), add_initial = FALSE), d = 2, spread = 0.2)
})

test_that("each direction has its own radial layer", {
  set.seed(1)
  f <- flow(layer_radial_conditional(two(), net_fourier(2, init = "uniform")), 2)
  params(f) <- coef(f) + 0.2 * rnorm(length(coef(f)))
  p <- params(f)$layers[[1]]
  start <- coef(flow(layer_elementwise(two()), 1))
  x <- matrix(rnorm(10), 5)
  out <- forward(f, x)
  for (i in 1:5) {
    s <- exp(p$log_scale) * (x[i, ] - p$center)
    v <- (atan2(s[2], s[1]) + pi) / (2 * pi)
    features <- c(sin(2 * pi * (1:2) * v) / 1:2, cos(2 * pi * (1:2) * v) / 1:2, 1)
    g <- flow(layer_radial(two()), 2)
    params(g) <- c(p$center, p$log_scale, start + p$net$weight %*% features)
    expect_equal(lapply(forward(g, x[i, , drop = FALSE]), c), list(value = out$value[i, ], logdet = out$logdet[i]))
  }
})

test_that("the net may be left out", {
  names_of <- function(d, d_condition = 0) {
    names(params(flow(layer_radial_conditional(scalar_affine()), d, d_condition = d_condition))$layers[[1]]$net)
  }
  expect_equal(names_of(2), "weight")
  expect_equal(names_of(3), c("W1", "b1", "W2", "b2"))
  expect_equal(names_of(2, 1), c("W1", "b1", "W2", "b2"))
  expect_error(flow(layer_radial_conditional(scalar_affine(), net_fourier()), 3), "two dimensions")
})

test_that("next to the centre everything is finite", {
  set.seed(2)
  f <- flow(layer_radial_conditional(two(), net_fourier(init = "uniform")), 2)
  x <- rbind(c(0, 0), c(1e-9, 0), c(-1e-300, 1e-300))
  for (inverse in c(FALSE, TRUE)) {
    out <- flow_vjp(f, x, inverse, list(value = rep(1, 6), logdet = rep(1, 3)))
    expect_true(all(is.finite(unlist(out))))
  }
})

test_that("wrong arguments are named", {
  expect_error(layer_radial_conditional(scalar_affine(), scalar_affine()), "net", class = "bijectr_error_argument")
  expect_error(layer_radial_conditional(scalar_affine(), add_initial = NA), "add_initial",
    class = "bijectr_error_argument"
  )
})
