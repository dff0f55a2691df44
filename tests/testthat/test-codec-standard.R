# Conditions: standardised, and pulled in beyond the range of the fit.

test_that("numbers within the range are as without it, to the bit", {
  plain <- codec_standard(3, 0.7)
  ranged <- codec_standard(3, 0.7, range = c(-1.3, 5.1), pull = TRUE)
  x <- c(-1.3, 0.1, 3, 5.1)
  expect_identical(encode(ranged, x), encode(plain, x))
  expect_equal(decode(ranged, encode(ranged, x)), x)
  expect_true(intact(ranged))
  expect_false(intact(codec_standard(3, 0.7, range = c(1, NA))))
  expect_false(intact(codec_standard(3, 0.7, range = c(1, 2), pull = 3)))
})

test_that("numbers beyond are pulled in, smoothly and increasingly", {
  codec <- codec_standard(3, 2, range = c(-1, 5), pull = TRUE)
  x <- seq(-30, 30, by = 1e-3)
  z <- encode(codec, x)
  expect_true(all(diff(z) >= 0))
  expect_true(all(z >= -2 - PULL & z <= 1 + PULL))
  slope <- diff(z) / 5e-4
  expect_lt(max(abs(diff(slope))), 0.01) # no corner
  near <- c(-1.9, 5.5)
  expect_equal(decode(codec, encode(codec, near)), near)
  expect_equal(encode(codec_standard(3, 2, range = c(-1, 5)), 100), 48.5)
})

test_that("extrapolation is said, with the variable and its range, and within the range it is not", {
  set.seed(1)
  table <- data.frame(y = rnorm(60), speed = 1:60, width = rnorm(60))
  for (how in c("pull", "linear")) {
    fit <- fit_flow(y ~ speed + width, table, steps = 5, extrapolate = how)
    expect_no_warning(logdensity(fit, table))
    expect_warning(
      sample(fit, 2, condition = data.frame(speed = c(5, 99), width = 0)), "speed goes beyond 1 to 60 in 1 row",
      class = "bijectr_warning_extrapolation"
    )
  }
  quiet <- function(fit, speed) {
    suppressWarnings(logdensity(fit, data.frame(y = 0), data.frame(speed = speed, width = 0)))
  }
  set.seed(1)
  pulled <- fit_flow(y ~ speed + width, table, steps = 5)
  expect_equal(quiet(pulled, 1e6), quiet(pulled, 1e9))
  expect_error(fit_flow(y ~ speed, table, extrapolate = "no"), "`extrapolate`", class = "bijectr_error_argument")
})

test_that("conditions are robust, relative, and blind to rows of weight zero", {
  set.seed(2)
  y <- rnorm(100)
  codec_for <- function(x, ...) fit_flow(y, condition = x, steps = 1, ...)$condition$codecs[[1]]
  x <- rnorm(100)
  expect_equal(codec_for(x, validation = 0)[c("loc", "scale")], list(loc = mean(x), scale = sd(x)))
  spoilt <- codec_for(replace(x, 3, 1e6))
  expect_lt(abs(spoilt$loc), 0.5)
  expect_lt(abs(spoilt$scale - 1), 0.5)
  flat <- function() codec_for(rep(0.1, 100) + c(0, 1e-17))
  expect_warning(expect_equal(flat()$scale, 1), class = "bijectr_warning_constant_condition")
  tiny <- codec_for(1e-300 * x, validation = 0)
  expect_equal(c(tiny$loc, tiny$scale) * 1e300, c(mean(x), sd(x)))
  weights <- replace(rep(1, 100), 3, 0)
  odd <- replace(x, 3, 1e6)
  expect_identical(
    codec_for(odd, weights = weights, validation = 1:2), codec_for(x, weights = weights, validation = 1:2)
  )
})
