# Perceptrons in single precision against the same ones in double.

single_of <- function(flow) {
  flow[c("layers", "base")] <- lapply(flow[c("layers", "base")], in_single, all = TRUE)
  flow
}

random_flow <- function(layers, d, d_condition = 0, base = base_normal()) {
  f <- flow(layers, d, base, d_condition = d_condition)
  f["params"] <- list(rnorm(length(f$params), sd = 0.15))
  f
}

# Relative to the largest number, of log densities, gradients in both directions, and the way there and back.
expect_single_ok <- function(layers, d, d_condition = 0, n = 70, round_trip = 1e-9, tolerance = 2e-5, ...) {
  set.seed(1)
  f <- random_flow(layers, d, d_condition, ...)
  g <- single_of(f)
  expect_false(identical(f$layers, g$layers) && identical(f$base, g$base))
  x <- matrix(rnorm(n * d), n)
  condition <- if (d_condition > 0) matrix(rnorm(n * d_condition), n)
  near <- function(a, b) expect_lt(max(abs(a - b)) / max(abs(a), 1e-3), tolerance)
  near(logdensity(f, x, condition), logdensity(g, x, condition))
  expect_false(identical(logdensity(f, x, condition), logdensity(g, x, condition))) # it is not double in disguise
  z <- inverse(g, x, condition)
  expect_equal(forward(g, z$value, condition)$value, x, tolerance = round_trip, ignore_attr = TRUE)
  for (inverse in c(TRUE, FALSE)) {
    gradient <- function(flow, threads) {
      cotangents <- list(value = cos(x), logdet = sin(x[, 1]), log_density = rep(0.5, n))
      native_vjp(flow, x, condition, inverse, cotangents, threads)
    }
    of_f <- gradient(f, 1)
    of_g <- gradient(g, 1)
    for (part in names(of_f)) if (length(of_f[[part]])) near(of_f[[part]], of_g[[part]])
    expect_identical(gradient(g, 2), of_g)
  }
  # one row is what it is among others
  expect_identical(
    logdensity(g, x[3, , drop = FALSE], if (!is.null(condition)) condition[3, , drop = FALSE]),
    logdensity(g, x, condition)[3]
  )
}

test_that("coupling layers, small nets and wide ones, with offsets, conditions and every activation", {
  expect_single_ok(layer_coupling(scalar_rq_spline(), net_mlp(64)), 6)
  expect_single_ok(layer_coupling(scalar_affine(), net_mlp(50)), 2) # one sweep for a net of one hidden layer
  expect_single_ok(layer_coupling(scalar_affine(), net_mlp(c(33, 17), activation = "tanh")), 5, 3)
  expect_single_ok(coupling_flow(scalar_affine(limit = 2), flow_layers = 2), 4, n = 300)
  for (activation in names(ACTIVATIONS)) {
    expect_single_ok(layer_coupling(scalar_affine(), net_mlp(20, 2, activation)), 4)
  }
})

test_that("masked nets, all at once and rank after rank", {
  expect_single_ok(layer_autoregressive(scalar_affine(), net_mlp(40, 2)), 5)
  expect_single_ok(layer_autoregressive(scalar_rq_spline(), net_mlp(c(37, 20), activation = "elu")), 4, 2)
  expect_single_ok(masked_autoregressive_flow(flow_layers = 2, nn_width = 130), 9, n = 200)
  expect_single_ok(layer_autoregressive(scalar_affine(), net_mlp(9, 0)), 3)
  expect_single_ok(layer_autoregressive(scalar_affine(), net_mlp(50)), 2) # the kernels of small nets
})

test_that("nets within nets, of bases, and fields", {
  expect_single_ok(
    layer_autoregressive(scalar_affine(), net_set(net_mlp(16, 2), columns = 1:4, size = 2, dim = 3)), 3, 4
  )
  expect_single_ok(layer_coupling(scalar_affine(), net_separate(net_mlp(9), net_mlp(12, 2))), 3)
  expect_single_ok(list(), 2, 3, base = base_normal(net = net_mlp(20)))
  rk4 <- solver_rk4(1 / 8)
  expect_single_ok(layer_continuous(field_mlp(c(16, 32)), rk4), 3, 2, round_trip = 1e-4)
  expect_single_ok(layer_continuous(field_mlp(20, "softplus", frequencies = 2), rk4), 4, round_trip = 1e-4)
  expect_single_ok(layer_continuous(field_mlp(c(8, 8)), solver_tsit5(rtol = 1e-5)), 2, round_trip = 1e-3, n = 40)
})

test_that("a training in single precision gives a fit in double precision", {
  set.seed(2)
  x <- matrix(rexp(600), 200)
  layers <- coupling_flow(scalar_affine(limit = 2), flow_layers = 2, nn_width = 140)
  fit <- function(...) {
    set.seed(3)
    fit_flow(x, layers, steps = 30, progress = FALSE, ...)
  }
  double <- fit(precision = "double")
  single <- fit(precision = "single")
  expect_identical(single$layers, double$layers)
  with_params <- double
  with_params["params"] <- list(single$params)
  expect_identical(logdensity(single, x), logdensity(with_params, x))
  expect_false(identical(coef(single), coef(double)))
  expect_equal(logLik(single), logLik(double), tolerance = 1e-3, ignore_attr = TRUE)
  # nets so wide are trained so by default; narrow ones are not
  expect_identical(coef(fit()), coef(single))
  layers <- coupling_flow(scalar_affine(limit = 2), flow_layers = 2, nn_width = 127)
  expect_identical(coef(fit()), coef(fit(precision = "double")))
  # nor are the fits of before, whose control says nothing
  expect_identical(trained_as(as_flow(double), list()), as_flow(double))
  layers <- coupling_flow(scalar_affine(limit = 2), flow_layers = 2, nn_width = 140)
  before <- fit(precision = "double", keep_state = TRUE)
  before$control$precision <- NULL
  whole <- fit(precision = "double", keep_state = TRUE)
  expect_identical(coef(resume(before, x, steps = +5)), coef(resume(whole, x, steps = +5)))
})

test_that("log densities are trained so, too, and it goes on as if it had not ended", {
  target <- function(x) -(x[, 1]^2 + x[, 2]^2) / 2
  layers <- masked_autoregressive_flow(flow_layers = 1, nn_width = 16, invert = FALSE)
  fit <- function(steps, precision) {
    set.seed(4)
    fit_flow(target, layers, d = 2, steps = steps, batch_size = 20, precision = precision, gradient = "symbolic",
      evaluate = 0, keep_state = TRUE, schedule = schedule_constant()
    )
  }
  whole <- fit(8, "single")
  expect_false(identical(coef(whole), coef(fit(8, "double"))))
  expect_identical(coef(resume(fit(5, "single"), target = target, steps = +3)), coef(whole))
})

test_that("which perceptrons gain by it is said of their layers", {
  precisions <- function(x) {
    own <- if (inherits(x, c("bijectr_net_mlp", "bijectr_field_mlp"))) !is.null(x$precision)
    c(own, if (is.list(x)) unlist(lapply(x, precisions)))
  }
  single <- function(layer) precisions(in_single(layer, all = FALSE))
  expect_false(single(layer_coupling(scalar_affine(), net_mlp(127))))
  expect_true(single(layer_coupling(scalar_affine(), net_mlp(c(20, 128)))))
  expect_false(single(layer_continuous(field_mlp(63))))
  expect_true(single(layer_continuous(field_mlp(64))))
  expect_true(single(layer_continuous(field_mlp(64), solver_tsit5(rtol = 1e-5))))
  expect_false(single(layer_continuous(field_mlp(64), solver_tsit5(rtol = 1e-8))))
})

test_that("nets and fields say so, keep it, and refuse other words", {
  net <- net_mlp(8, precision = "single")
  expect_match(format(net), "precision = \"single\")", fixed = TRUE)
  expect_identical(net_mlp(8, precision = "double"), net_mlp(8))
  expect_error(net_mlp(8, precision = "half"), "precision")
  expect_error(fit_control(steps = 1, precision = "half"), "precision")
  expect_identical(field_mlp(8, precision = "single")$precision, "single")
  f <- flow(layer_coupling(scalar_affine(), net), 3)
  again <- unserialize(serialize(f, NULL))
  expect_identical(logdensity(again, matrix(1, 2, 3)), logdensity(f, matrix(1, 2, 3)))
  w <- 2^20
  wide <- net_mlp(c(w, 1, w, 1, w, 1, w), activation = "tanh", precision = "single")
  expect_error(flow(layer_coupling(scalar_affine(), wide), 2), "too large")
  broken <- f
  broken$layers$layers[[1]]$net$precision <- "half"
  expect_error(logdensity(broken, matrix(1, 2, 3)), "precision")
})
