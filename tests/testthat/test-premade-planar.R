kinds <- function(f) {
  vapply(f$layers$layers, function(layer) if (layer$kind == "invert") paste0("-", layer$layer$kind) else layer$kind, "")
}

test_that("planar and triangular spline flows pass the battery, both ways round", {
  for (invert in c(TRUE, FALSE)) {
    expect_layer_ok(planar_flow(3, invert = invert), d = 2)
    expect_layer_ok(planar_flow(2, 0.1, invert = invert), d = 3)
    expect_layer_ok(planar_flow(2, nn_width = 4, nn_activation = "tanh", invert = invert), d = 2, d_condition = 1)
    expect_layer_ok(triangular_spline_flow(2, knots = 3, invert = invert), d = 2, spread = 0.2)
    expect_layer_ok(triangular_spline_flow(2, knots = 3, invert = invert), d = 3, d_condition = 2, spread = 0.2)
    expect_layer_ok(triangular_spline_flow(1, knots = 2, invert = invert), d = 1, spread = 0.2)
  }
})

test_that("stacks and defaults", {
  expect_identical(kinds(flow(planar_flow(2, invert = FALSE), 2)), rep(c("planar", "permute"), 2))
  expect_identical(kinds(flow(planar_flow(1), 2)), c("-permute", "-planar"))
  expect_length(flow(planar_flow(), 2)$layers$layers, 16)
  expect_length(coef(flow(planar_flow(), 3)), 8 * 7)
  one <- c("elementwise", "triangular_affine", "permute")
  expect_identical(kinds(flow(triangular_spline_flow(2, invert = FALSE), 2)), rep(one, 2))
  given <- flow(triangular_spline_flow(1), 2, d_condition = 3)
  expect_identical(kinds(given), c("-permute", "-additive_condition", "-triangular_affine", "-elementwise"))
  expect_length(coef(flow(triangular_spline_flow(), 2)), 8 * (2 * (9 + 9 + 10) + 2 + 4 + 2))
  f <- flow(planar_flow(1, nn_width = 7, nn_depth = 2, invert = FALSE), 2, d_condition = 1)
  expect_identical(f$layers$layers[[1]]$net$width, c(7L, 7L))
})

test_that("the splines start at the identity", {
  f <- flow(triangular_spline_flow(init = "identity"), 3, base = base_logistic())
  x <- matrix(3 * rnorm(12), 4)
  expect_equal(logdensity(f, x), rowSums(dlogis(x, log = TRUE)), tolerance = 1e-9)
})

test_that("densities integrate to 1", {
  set.seed(1)
  for (layers in list(planar_flow(2), triangular_spline_flow(2, knots = 3))) {
    f <- flow(layers, 1)
    params(f) <- unname(coef(f)) + 0.5 * rnorm(length(coef(f)))
    mass <- integrate(function(x) exp(logdensity(f, x)), -Inf, Inf, subdivisions = 1000)$value
    expect_equal(mass, 1, tolerance = 1e-5)
  }
})

test_that("a planar flow learns and can be drawn from", {
  set.seed(1)
  x <- cbind(rnorm(400), 0)
  x[, 2] <- x[, 1]^2 + 0.3 * rnorm(400)
  fit <- fit_flow(x, planar_flow(8), control = fit_control(learning_rate = 0.02, steps = 2000), progress = FALSE)
  normal <- -log(2 * pi) - 1 - log(det(cov(x))) / 2
  expect_gt(mean(logdensity(fit, x)), normal + 0.2)
  expect_true(all(is.finite(inverse(fit, sample(fit, 100))$value)))
})

test_that("wrong arguments are named", {
  expect_error(planar_flow(0), "flow_layers", class = "bijectr_error_argument")
  expect_error(planar_flow(negative_slope = -1), "negative_slope", class = "bijectr_error_argument")
  expect_error(triangular_spline_flow(tanh_max_val = 0), "tanh_max_val", class = "bijectr_error_argument")
  expect_error(triangular_spline_flow(knots = 0), "knots", class = "bijectr_error_argument")
  expect_error(triangular_spline_flow(init = "none"), "init", class = "bijectr_error_argument")
})
