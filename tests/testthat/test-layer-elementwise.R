test_that("own and shared parameters", {
  expect_layer_ok(layer_elementwise(scalar_affine()), d = 3, extreme = 10^c(-300, -8, 3, 8, 100))
  expect_layer_ok(layer_elementwise(scalar_affine(), shared = TRUE), d = 3)
  expect_layer_ok(layer_elementwise(scalar_rq_spline(knots = 3)), d = 2, extreme = 10^c(-300, -8, 3, 8, 100))
  expect_layer_ok(layer_elementwise(scalar_rq_spline(knots = 3), shared = TRUE), d = 2)
  expect_layer_ok(layer_elementwise(scalar_tanh_affine()), d = 3)
})

test_that("many coordinates need more than one claim on the log-determinant", {
  f <- expect_layer_ok(layer_elementwise(scalar_affine(scale = "exp")), d = 37, spread = 2)
  expect_equal(forward(f, matrix(0, 1, 37))$logdet, sum(params(f)$layers[[1]]$scale))
  params(f)$layers[[1]]$scale <- rep(c(200, -200), length.out = 37)
  expect_equal(forward(f, matrix(0, 1, 37))$logdet, 200)
})

test_that("a layer without parameters", {
  expect_layer_ok(layer_elementwise(scalar_leaky_tanh()), d = 2)
  f <- flow(layer_elementwise(scalar_leaky_tanh()), d = 2)
  expect_length(coef(f), 0)
})

test_that("shared parameters are one set, own ones are d", {
  expect_length(coef(flow(layer_elementwise(scalar_affine(), shared = TRUE), d = 5)), 2)
  expect_length(coef(flow(layer_elementwise(scalar_affine()), d = 5)), 10)
  f <- flow(layer_elementwise(scalar_affine(scale = "exp"), shared = TRUE), d = 2)
  params(f) <- c(1, log(2))
  out <- forward(f, rbind(c(0, 1), c(-1, 3)))
  expect_equal(out$value, rbind(c(1, 3), c(-1, 7)))
  expect_equal(out$logdet, rep(2 * log(2), 2))
})

mixed <- function() {
  list(scalar_leaky_tanh(), scalar_rq_spline(knots = 3), scalar_affine(), scalar_tanh_affine(), scalar_affine("exp"))
}

test_that("one scalar a coordinate", {
  expect_layer_ok(layer_elementwise(mixed()), d = 5, x = matrix(seq(-2.3, 2.1, length.out = 30), 6))
  expect_layer_ok(layer_elementwise(mixed()[1:2]), d = 2, d_condition = 2)
  expect_layer_ok(layer_elementwise(list(scalar_chain(scalar_affine(), scalar_tanh_affine()))), d = 1)
  x <- cbind(1:6, -6:-1) + 0.5
  expect_layer_ok(layer_elementwise(list(scalar_leaky_relu(0.5), scalar_leaky_tanh())), d = 2, x = x)
  expect_layer_ok(layer_elementwise(rep(mixed(), 5)), d = 25, only = c("parameters", "gradient of parameters"))
})

test_that("with scalars that have no inverse everywhere", {
  layer <- layer_elementwise(list(scalar_softplus(), scalar_affine(), scalar_exp(), scalar_rq_spline(3)))
  x <- matrix(seq(0.3, 2.8, length.out = 24), 6)
  s <- layer_subject(layer, 4, x = x, domain = c(-5, 5), range = c(0, 100), extreme = 10^c(-8, 0))
  expect_checks(s, map_checks)
  f <- flow(layer, 4)
  x <- rbind(c(-1, 1, 1, 1), c(1, -1, 1, 1), c(1, 1, -1, 1))
  expect_warning(out <- inverse(f, x), class = "bijectr_warning_outside")
  expect_identical(is.finite(out$logdet), c(FALSE, TRUE, FALSE))
  expect_identical(is.na(out$value[, 2]), c(TRUE, FALSE, TRUE))
  expect_false(anyNA(native_map(f, x, NULL, TRUE)$value))
})

test_that("a list of scalars is each of them alone", {
  set.seed(1)
  f <- random_flow(layer_elementwise(mixed()), 5, 0.4)
  x <- matrix(rnorm(500), 100)
  out <- forward(f, x)
  logdet <- 0
  for (i in 1:5) {
    one <- flow(layer_elementwise(mixed()[[i]]), 1)
    own <- params(f)$layers[[1]]
    if (i > 1) params(one)$layers[[1]] <- own[[i]]
    there <- forward(one, x[, i, drop = FALSE])
    expect_identical(c(there$value), out$value[, i])
    logdet <- logdet + there$logdet
  }
  expect_equal(out$logdet, logdet, tolerance = 1e-13)
})

test_that("a list of the same scalar is that scalar", {
  set.seed(2)
  f <- random_flow(layer_elementwise(scalar_rq_spline(3)), 3, 0.4)
  g <- flow(layer_elementwise(rep(list(scalar_rq_spline(3)), 3)), 3)
  p <- params(g)
  own <- params(f)$layers[[1]]
  for (i in 1:3) p$layers[[1]][[i]] <- lapply(own, function(value) value[i, ])
  params(g) <- p
  x <- matrix(rnorm(300), 100)
  expect_identical(forward(g, x), forward(f, x))
  expect_identical(inverse(g, x), inverse(f, x))
  expect_length(coef(g), length(coef(f)))
})

test_that("params() and coef() show the coordinates of a list", {
  f <- flow(layer_elementwise(mixed()[c(1, 3, 1, 4)]), 4)
  p <- params(f)$layers[[1]]
  expect_length(p, 4)
  expect_length(p[[1]], 0)
  expect_named(p[[2]], c("loc", "scale"))
  expect_length(p[[3]], 0)
  expect_true("layers.1.2.loc" %in% names(coef(f)))
  expect_setequal(names(p[[4]]), c("scale_factor", "scale", "loc"))
  params(f)$layers[[1]][[2]]$loc <- 7
  expect_equal(forward(f, matrix(0, 1, 4))$value[2], 7)
})

test_that("a list of scalars prints, and trains", {
  layer <- layer_elementwise(list(a = scalar_softplus(), b = scalar_affine()))
  expect_identical(format(layer), paste0(
    "layer_elementwise(scalar = list(scalar_softplus(), scalar_affine(scale = \"softplus\", min_scale = 0.01)), ",
    "shared = FALSE)"
  ))
  expect_output(print(flow(layer, 2)), "list(scalar_softplus()", fixed = TRUE)
  expect_match(format(layer_elementwise(rep(mixed(), 4))), "20 specifications")
  expect_identical(brief(layer), "elementwise softplus, affine")
  expect_identical(brief(layer_elementwise(mixed())), "elementwise 4 kinds")
  expect_identical(brief(layer_elementwise(scalar_exp())), "elementwise exp")
  set.seed(3)
  x <- cbind(rexp(200), rnorm(200, 5, 2))
  fit <- fit_flow(x,
    layers = list(layer_elementwise(scalar_affine()), layer), standardize = FALSE,
    control = fit_control(steps = 200, learning_rate = 0.05)
  )
  expect_true(all(sample(fit, 100)[, 1] > 0))
  expect_equal(mean(sample(fit, 4000)[, 2]), 5, tolerance = 0.2)
})

test_that("a list of scalars must be one for each coordinate", {
  layer <- layer_elementwise(list(scalar_exp(), scalar_affine()))
  expect_error(flow(layer, 3), "2 scalar bijections, but there are 3 coordinates", class = "bijectr_error_argument")
  expect_error(flow(layer_invert(layer), 1), "there is 1 coordinate", class = "bijectr_error_argument")
  expect_error(layer_elementwise(list()), "scalar", class = "bijectr_error_argument")
  expect_error(layer_elementwise(list(scalar_exp(), net_mlp())), "scalar[[2]]", fixed = TRUE)
  expect_error(layer_elementwise(list(scalar_exp()), shared = TRUE), "shared", class = "bijectr_error_argument")
  f <- flow(layer, 2)
  f$layers$layers[[1]]$scalar <- list(scalar_exp())
  expect_error(forward(f, cbind(1, 1)), "one for each of 2 coordinates")
  f$layers$layers[[1]]$scalar <- list(scalar_exp(), scalar_exp())
  f$layers$layers[[1]]$shared <- TRUE
  expect_error(forward(f, cbind(1, 1)), "shared")
})

test_that("wrong arguments are named", {
  expect_error(layer_elementwise(net_mlp()), "scalar", class = "bijectr_error_argument")
  expect_error(layer_elementwise(scalar_affine(), shared = NA), "shared", class = "bijectr_error_argument")
})
