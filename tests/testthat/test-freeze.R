start <- function() {
  set.seed(1)
  f <- flow(list(layer_triangular_affine(), layer_elementwise(scalar_affine())), 2, base_normal(trainable = TRUE))
  params(f) <- stats::rnorm(length(coef(f)), sd = 0.3)
  f
}

moved <- function(fit, f) coef(fit)[names(coef(f))] != coef(f)

test_that("frozen parameters stay, bit for bit, and the others are trained", {
  f <- start()
  x <- scale(as.matrix(faithful))
  free <- fit_flow(x, f, steps = 20)
  expect_gt(mean(moved(free, f)), 0.8) # what is above a diagonal takes part in nothing
  for (optimizer in list(opt_adam(), opt_adamw(weight_decay = 0.1), opt_sgd(momentum = 0.5))) {
    fit <- fit_flow(x, f, steps = 20, optimizer = optimizer, freeze = c("base", "layers.2.loc"), ema = 0.5)
    still <- grepl("^base|^layers[.]2[.]loc", names(coef(f)))
    expect_false(any(moved(fit, f)[still]))
    expect_true(all(moved(fit, f)[!still & moved(free, f)]))
  }
})

test_that("training what is left is what it is without the frozen part", {
  # a base that is frozen at mean 0 and scale 1 is that without parameters
  layers <- list(layer_elementwise(scalar_affine()))
  plain <- flow(layers, 1)
  frozen <- flow(layers, 1, base_normal(trainable = TRUE))
  p <- params(frozen)
  p$base <- list(mean = 0, scale = log(expm1(1)))
  params(frozen) <- p
  fit <- function(f, ...) {
    set.seed(2)
    fit_flow(faithful$waiting / 50, f, steps = 50, standardize = FALSE, clip = 0.1, ...)
  }
  a <- fit(plain)
  b <- fit(frozen, freeze = "base")
  expect_equal(params(b)$layers, params(a)$layers, tolerance = 1e-12)
  expect_equal(logLik(a), logLik(b), tolerance = 1e-10, ignore_attr = TRUE)
})

test_that("log densities are fitted with frozen parameters, and resumed fits keep them", {
  f <- start()
  target <- fit_flow(function(x) -rowSums(x^2), f, steps = 10, freeze = "layers.1")
  still <- grepl("^layers[.]1[.]", names(coef(f)))
  expect_false(any(moved(target, f)[still]))
  expect_true(all(moved(target, f)[!still]))
  x <- scale(as.matrix(faithful))
  fit <- fit_flow(x, f, steps = 10, freeze = "layers.1", keep_state = TRUE)
  again <- resume(fit, x, steps = 20)
  expect_false(any(moved(again, f)[still]))
  expect_error(fit_flow(x, f, steps = 5, freeze = "layers.3"), "`freeze` has \"layers.3\"",
    class = "bijectr_error_argument"
  )
  expect_error(fit_flow(x, f, steps = 5, freeze = 1), "names of parameters", class = "bijectr_error_argument")
})
