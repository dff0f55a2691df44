x <- c(-3.1, -1.2, -0.4, 0.1, 0.3, 1.7, 2.9)

test_that("tail conforms", {
  expect_scalar_ok(scalar_tail(), x, extreme = c(-100, 100))
  expect_scalar_ok(scalar_tail(loc = -1, scale = 2.5, tail = c(0.7, 0.02)), x + 0.05, extreme = c(-36, 36))
  expect_scalar_ok(scalar_tail(tail = 1e-6), x, extreme = c(-1e4, 1e4), spread = 0.1)
})

at <- function(...) flow(layer_elementwise(scalar_tail(...)), d = 1)

# -log erfc(|x| / sqrt 2), to 60 digits elsewhere.
far <- c(
  -1e100, -1000, -60, -39, -38.7, -38.5, -20, -8, -1.001, -1, -0.3, -1e-8, -1e-200, 1e-300, 1e-3, 0.5, 1.2, 5, 37,
  38.6, 45, 300, 1e20
)
exponent <- c(
  5.0000000000000002e199, 500007.13354763162, 1804.3204135000072, 764.3900093838176, 752.72729753670998,
  745.00212310985114, 203.22400819053732, 34.320289979354605, 1.1494000001961315, 1.1478744644493182,
  0.26895563760890535, 7.9788456398596424e-9, 7.9788456080286534e-201, 7.9788456080286538e-1 * 1e-300,
  0.00079820290701986937, 0.4827645810336733, 1.469070325483794, 14.37185121342878, 688.33743839633065,
  748.85971366564789, 1016.5329470613924, 45005.929584938103, 5.0e39
)
relative <- function(a, b) max(abs(a / b - 1))

test_that("the exponent keeps its digits on the log scale, both ways", {
  # with the least weight y is E but for terms of E^2 1e-6 / 2: undo them
  f <- at(tail = 1e-6)
  some <- abs(far) < 320
  out <- forward(f, far[some])
  expect_lt(relative(log1p(1e-6 * abs(out$value)) / 1e-6, exponent[some]), 1e-9)
  near <- abs(far) < 0.4
  expect_lt(relative(c(forward(f, far[near])$value), sign(far[near]) * expm1(1e-6 * exponent[near]) / 1e-6), 4e-15)
  # log f' holds w = E tail, without overflow
  out <- forward(at(tail = 1), far[some])
  hazard <- sqrt(2 / pi) * exp(exponent[some] - far[some]^2 / 2)
  expect_lt(max(abs(out$logdet - exponent[some] - log(hazard)) / (1 + exponent[some])), 4e-15)
  # and back, from values that are exactly those of the exponent
  for (tail in c(0.01, 0.3, 1)) {
    good <- tail * exponent < 340
    y <- sign(far[good]) * expm1(tail * exponent[good]) / tail
    expect_lt(relative(c(inverse(at(tail = tail), y)$value), far[good]), 2e-14)
  }
})

test_that("tail is its formula", {
  f <- at(loc = 3, scale = 2, tail = c(0.4, 0.05))
  z <- c(-7, -2, -0.3, 0.2, 1, 6)
  weight <- ifelse(z < 0, 0.4, 0.05)
  upper <- 2 * pnorm(-abs(z))
  out <- forward(f, z)
  expect_equal(c(out$value), 3 + 2 * sign(z) / weight * (upper^-weight - 1), tolerance = 1e-13)
  expect_equal(out$logdet, log(2 * sqrt(2 / pi)) - z^2 / 2 - (weight + 1) * log(upper), tolerance = 1e-13)
  expect_equal(c(inverse(f, out$value)$value), z, tolerance = 1e-13)
})

test_that("small weights go to the limit", {
  z <- c(-30, -3, -0.01, 0.01, 3, 30)
  limit <- -sign(z) * (log(2) + pnorm(-abs(z), log.p = TRUE))
  f <- at(tail = 1e-6)
  params(f)$layers[[1]][c("left", "right")] <- list(-1e3, -1e3)
  expect_equal(c(forward(f, z)$value), limit, tolerance = 1e-4)
  params(f)$layers[[1]][c("left", "right")] <- list(-14, -14)
  out <- forward(f, z)
  expect_equal(c(out$value), limit, tolerance = 1e-3)
  expect_lt(max(abs(inverse(f, out$value)$value - z)), 1e-11)
})

test_that("round trips from huge values, and scales of all sizes", {
  y <- c(-10^c(150, 100, 20, 3, 0, -5, -150), 10^c(-150, -5, 0, 3, 20, 100, 150))
  for (tail in c(1e-6, 0.01, 0.3, 1, 10)) {
    f <- at(tail = tail)
    z <- inverse(f, y)
    back <- forward(f, z$value)
    expect_true(all(is.finite(z$value)) && !is.unsorted(z$value))
    expect_equal(back$logdet, -z$logdet, tolerance = 1e-9)
    # E doubles the relative error of |x|, and w = E tail is the exponent of y
    expect_lt(max(abs(log(abs(back$value)) - log(abs(y))) / (1 + log1p(tail * abs(y)))), 1e-11)
  }
  z <- c(-4, -0.2, 0.7, 3)
  for (unit in 10^c(-12, -6, 6, 12)) {
    f <- at(loc = 3 * unit, scale = unit, tail = 0.2)
    g <- at(loc = 3, scale = 1, tail = 0.2)
    raw <- c(0.3, -0.2, 0.1, 0.4)
    params(f) <- params(g) <- coef(g) + raw
    expect_equal(c(forward(f, z)$value) / unit, c(forward(g, z)$value))
    expect_equal(forward(f, z)$logdet, forward(g, z)$logdet + log(unit))
    cot <- list(value = 0 * z, logdet = 1 + z)
    expect_equal(flow_vjp(f, forward(f, z)$value, TRUE, cot)$params, flow_vjp(g, forward(g, z)$value, TRUE, cot)$params)
  }
})

test_that("starting values are as asked for", {
  f <- at(loc = -2, scale = 5, tail = c(0.2, 1.5))
  expect_named(params(f)$layers[[1]], c("loc", "scale", "left", "right"))
  expect_equal(c(forward(f, 0)$value), -2)
  expect_equal(forward(f, 1e-9)$logdet, log(5 * sqrt(2 / pi)), tolerance = 1e-8)
  expect_equal(c(forward(f, -1)$value), -2 - 5 / 0.2 * ((2 * pnorm(-1))^-0.2 - 1))
})

test_that("it learns its parameters", {
  set.seed(1)
  truth <- at(loc = 2, scale = 3, tail = c(0.6, 0.2))
  y <- c(forward(truth, rnorm(4000))$value)
  fit <- fit_flow(y,
    layers = layer_elementwise(scalar_tail()), standardize = FALSE,
    control = fit_control(steps = 800, learning_rate = 0.03, validation = 0)
  )
  p <- params(fit)$layers[[1]]
  softplus <- function(x) log1p(exp(x))
  expect_equal(c(p$loc, softplus(p$scale) + 0.01), c(2, 3), tolerance = 0.05)
  expect_lt(max(abs(softplus(c(p$left, p$right)) - c(0.6, 0.2))), 0.15)
  # no worse than the truth on the rows of the fit, as the maximum must be
  expect_gt(sum(logdensity(fit, y)) - sum(logdensity(truth, y)), 0)
  expect_lt(sum(logdensity(fit, y)) - sum(logdensity(truth, y)), 12)
})

test_that("tail checks its arguments", {
  expect_identical(scalar_tail(tail = 0.3), scalar_tail(tail = c(0.3, 0.3)))
  expect_identical(format(scalar_tail()), "scalar_tail(loc = 0, scale = 1, tail = c(0.1, 0.1))")
  expect_error(scalar_tail(tail = 0), "tail", class = "bijectr_error_argument")
  expect_error(scalar_tail(tail = c(1, NA)), "tail", class = "bijectr_error_argument")
  expect_error(scalar_tail(tail = 1:3), "tail", class = "bijectr_error_argument")
  expect_error(scalar_tail(scale = 0), "scale", class = "bijectr_error_argument")
  expect_error(scalar_tail(loc = Inf), "loc", class = "bijectr_error_argument")
  f <- at()
  f$layers$layers[[1]]$scalar$tail <- c(1, 0)
  expect_error(forward(f, 1), "`tail` of scalar_tail() must be 2 numbers", fixed = TRUE)
})
