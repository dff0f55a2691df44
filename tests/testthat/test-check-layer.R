test_that("layers of all kinds keep what a layer promises", {
  set.seed(1)
  net <- net_mlp(6, activation = "tanh", init = "uniform")
  layers <- list(
    layer_elementwise(scalar_rq_spline(knots = 4)), layer_coupling(scalar_affine("exp"), net),
    layer_autoregressive(scalar_rq_spline(knots = 4), net), layer_planar(), layer_triangular_affine(init = "glorot"),
    layer_radial(scalar_cubic_rational()), layer_block_autoregressive(1, 3), layer_permute(3:1), layer_householder(),
    list(layer_flip(), layer_coupling(scalar_affine(), net_mlp(8)))
  )
  for (layer in layers) {
    for (d_condition in 0:2) {
      found <- check_layer(layer, 3, d_condition)
      expect_true(all(found$ok), info = paste(capture.output(print(layer), print(found)), collapse = "\n"))
    }
  }
  expect_true("gradient in conditions" %in% check_layer(layers[[2]], 3, 2)$check)
  expect_output(print(check_layer(layer_planar(), 2)), "check of a layer")
})

# Another function in the place of one of the package, until the caller returns.
replaced <- function(name, f, frame = parent.frame()) {
  space <- asNamespace("bijectr")
  real <- get(name, space)
  put <- function(value) {
    unlockBinding(name, space)
    assign(name, value, space)
    lockBinding(name, space)
  }
  put(f)
  withr::defer(put(real), frame)
}

test_that("what is wrong is found", {
  set.seed(2)
  # a gradient, a determinant and a map that are off by a little
  off <- function(which, by = 1e-4) {
    real_map <- native_map
    real_vjp <- native_vjp
    replaced("native_map", function(flow, x, condition, inverse, ...) {
      out <- real_map(flow, x, condition, inverse, ...)
      if (which == "logdet") out$logdet <- out$logdet + by * x[, 1]
      if (which == "value" && inverse) out$value <- out$value * (1 + by)
      out
    })
    replaced("native_vjp", function(...) {
      out <- real_vjp(...)
      if (which == "params") out$params[1] <- out$params[1] + by * sqrt(sum(out$params^2))
      if (which == "x") out$x <- out$x * (1 + by)
      out
    })
    found <- check_layer(layer_coupling(scalar_affine(), net_mlp(4, activation = "tanh", init = "uniform")), 2)
    found$check[!found$ok]
  }
  expect_true("round trip" %in% off("value"))
  expect_true("log-determinant" %in% off("logdet"))
  expect_true("gradient in points" %in% off("x"))
  expect_true("gradient in parameters" %in% off("params", 1e-3))
})

test_that("arguments are checked", {
  expect_error(check_layer(layer_planar()), "`d` is missing", class = "bijectr_error_argument")
  expect_error(check_layer(layer_planar(), 2, n = 1), "`n` must be at least 2", class = "bijectr_error_argument")
  expect_error(check_layer(layer_planar(), 2, far = -1), "`far` must be positive", class = "bijectr_error_argument")
  expect_error(check_layer(3, 2), "`layer", class = "bijectr_error_argument")
})
