x <- c(-3.1, -1.2, -0.4, 0, 0.3, 1.7, 2.9)

test_that("support conforms", {
  expect_scalar_ok(scalar_support(), x)
  expect_scalar_ok(scalar_support(0), x, range = c(0, Inf))
  expect_scalar_ok(scalar_support(-0.5), x, range = c(-0.5, Inf))
  expect_scalar_ok(scalar_support(upper = 2), x, range = c(-Inf, 2))
  expect_scalar_ok(scalar_support(0, curve = "softplus", scale = 0.7), x, range = c(0, Inf))
  expect_scalar_ok(scalar_support(upper = -1, curve = "softplus", scale = 3), x, range = c(-Inf, -1))
  expect_scalar_ok(scalar_support(0, curve = "power", scale = 0.7, power = 0.3), x, range = c(0, Inf))
  expect_scalar_ok(scalar_support(upper = -1, curve = "power", scale = 3, power = 0.8), x, range = c(-Inf, -1))
  expect_scalar_ok(scalar_support(0, reach = 2.5), x, range = c(0, Inf))
  expect_scalar_ok(scalar_support(upper = 2, reach = 1.5), x, range = c(-Inf, 2))
  expect_scalar_ok(scalar_support(-1, curve = "power", scale = 0.7, power = 0.3, reach = 2), x, range = c(-1, Inf))
  expect_scalar_ok(scalar_support(upper = 0, curve = "power", power = 0.3, reach = 2), x, range = c(-Inf, 0))
  expect_scalar_ok(scalar_support(0, 1), x, range = c(0, 1))
  expect_scalar_ok(scalar_support(-2, 3), x, range = c(-2, 3))
  expect_scalar_ok(scalar_support(-7, 0), x, range = c(-7, 0))
})

at <- function(...) flow(layer_elementwise(scalar_support(...)), d = 1)

# As the formulas are written.
naive <- function(x, lower, upper, curve, scale) {
  if (is.finite(lower) && is.finite(upper)) {
    y <- lower + (upper - lower) * plogis(x)
    return(list(y = y, logdet = log(upper - lower) + plogis(x, log.p = TRUE) + plogis(-x, log.p = TRUE)))
  }
  sign <- if (is.finite(lower)) 1 else -1
  end <- if (is.finite(lower)) lower else upper
  if (curve == "log") return(list(y = end + sign * exp(sign * x), logdet = sign * x))
  u <- sign * x / scale
  list(y = end + sign * scale * (pmax(u, 0) + log1p(exp(-abs(u)))), logdet = plogis(u, log.p = TRUE))
}

cases <- list(
  list(0, Inf, "log", 1), list(-3, Inf, "log", 1), list(-Inf, 5, "log", 1), list(0, Inf, "softplus", 2),
  list(4, Inf, "softplus", 0.1), list(-Inf, -4, "softplus", 10), list(0, 1, "log", 1), list(-3, 11, "log", 1)
)

test_that("support is its formulas, at every scale", {
  for (case in cases) for (unit in 10^c(-12, -6, 0, 6, 12)) {
    lower <- case[[1]] * unit
    upper <- case[[2]] * unit
    one_log <- case[[3]] == "log" && !is.finite(upper - lower)
    scale <- case[[4]] * unit
    z <- seq(-6, 6, length.out = 41)
    if (one_log) z <- z + log(unit) * if (is.finite(lower)) 1 else -1
    if (case[[3]] == "softplus") z <- z * scale
    f <- at(lower, upper, case[[3]], scale)
    out <- forward(f, z)
    true <- naive(z, lower, upper, case[[3]], scale)
    expect_equal(c(out$value) / unit, true$y / unit, tolerance = 1e-14)
    expect_equal(out$logdet, true$logdet, tolerance = 1e-13)
    expect_true(all(out$value > lower & out$value < upper))
    expect_true(all(diff(out$value) > 0))
    back <- inverse(f, out$value)
    expect_lt(max(abs(back$value - z)) / max(abs(z)), 1e-9)
    expect_lt(max(abs(back$logdet + out$logdet)), 1e-9)
  }
})

test_that("beyond its reach a curve is its tangent", {
  for (unit in c(1e-8, 1, 1e8)) for (curve in c("log", "power")) for (side in c(1, -1)) {
    from <- function(...) at(if (side > 0) 3 * unit else -Inf, if (side < 0) 3 * unit else Inf, curve, unit, 0.3, ...)
    curved <- from()
    straight <- from(reach = 5 * unit)
    turn <- c(inverse(curved, (3 + side * 5) * unit)$value)
    slope <- exp(forward(curved, turn)$logdet)
    size <- if (curve == "log") 1 else unit
    before <- turn - side * c(0.001, 1, 3, 20) * size
    expect_identical(forward(straight, before), forward(curved, before))
    expect_identical(
      inverse(straight, forward(curved, before)$value), inverse(curved, forward(curved, before)$value)
    )
    beyond <- turn + side * c(0, 1e-3, 1, 20, 1e6) * size
    out <- forward(straight, beyond)
    expect_equal(c(out$value) / unit, 3 + side * 5 + slope * (beyond - turn) / unit, tolerance = 1e-12)
    expect_equal(out$logdet, rep(log(slope), 5), tolerance = 1e-12)
    back <- inverse(straight, out$value)
    expect_equal(c(back$value), beyond, tolerance = 1e-12)
    expect_equal(back$logdet, -out$logdet, tolerance = 1e-12)
  }
  f <- at(0, reach = 10)
  expect_identical(logdensity(f, c(-1, 0)), c(-Inf, -Inf))
  whole <- stats::integrate(function(y) exp(logdensity(f, y)), 0, 200, subdivisions = 500)
  expect_equal(whole$value, 1, tolerance = 1e-6)
})

test_that("power is between log and softplus", {
  z <- c(-700, -30, -4, -0.5, 0, 0.3, 2, 25, 300)
  for (case in list(c(0, 0.7, 0.25), c(4, 3, 0.6), c(-1, 1e-6, 0.1))) {
    f <- at(case[1], curve = "power", scale = case[2], power = case[3])
    g <- at(upper = -case[1], curve = "power", scale = case[2], power = case[3])
    q <- pmax(z, 0) + log1p(exp(-abs(z)))
    v <- case[2] * expm1(log1p(case[3] * q) / case[3])
    logdet <- (1 / case[3] - 1) * log1p(case[3] * q) + plogis(z, log.p = TRUE)
    out <- forward(f, case[2] * z)
    expect_equal(c(out$value), case[1] + v, tolerance = 1e-14)
    expect_equal(out$logdet, logdet, tolerance = 1e-13)
    expect_identical(c(forward(g, -case[2] * z)$value), -c(out$value))
    expect_equal(forward(g, -case[2] * z)$logdet, logdet, tolerance = 1e-13)
    back <- inverse(f, out$value[z > -20])
    expect_equal(c(back$value), (case[2] * z)[z > -20], tolerance = 1e-7)
  }
  y <- 10^c(-300, -20, -1, 0, 1, 5)
  soft <- inverse(at(0, curve = "softplus", scale = 2), y)
  expect_equal(inverse(at(0, curve = "power", scale = 2, power = 1), y), soft, tolerance = 1e-13)
  # the log curve in the limit, but for where it takes the scale
  near <- inverse(at(0, curve = "power", scale = 1, power = 0.01), y[1:4])
  expect_equal(c(near$value), log(y[1:4]), tolerance = 0.01)
  expect_equal(near$logdet, -log(y[1:4]), tolerance = 0.01)
})

test_that("distances from an end at 0 have all their digits", {
  far <- c(-600, -100, -40, -1)
  expect_equal(log(c(forward(at(0, 1), far)$value)), plogis(far, log.p = TRUE), tolerance = 1e-15)
  expect_equal(log(-c(forward(at(-1, 0), -far)$value)), plogis(far, log.p = TRUE), tolerance = 1e-15)
  expect_equal(log(-c(forward(at(upper = 0), -far)$value)), far, tolerance = 1e-15)
  expect_equal(log(c(forward(at(0, curve = "softplus", scale = 1e6), 1e6 * far)$value)),
    log(1e6) + log(log1p(exp(far))), tolerance = 1e-15)
  y <- 10^c(-300, -200, -20, -1)
  expect_equal(c(inverse(at(0, 1), y)$value), qlogis(y), tolerance = 1e-15)
  expect_equal(inverse(at(0, 1), y)$logdet, -(log(y) + log1p(-y)), tolerance = 1e-15)
  expect_equal(inverse(at(-1, 0), -y)$logdet, -(log(y) + log1p(-y)), tolerance = 1e-15)
  expect_equal(c(inverse(at(0, curve = "softplus", scale = 1e12), y)$value), 1e12 * (log(y) - log(1e12)))
  # linear far out, with slope 1
  expect_equal(c(inverse(at(2, curve = "softplus", scale = 3), 1e9)$value), 1e9 - 2)
  expect_identical(inverse(at(2, curve = "softplus", scale = 3), 1e9)$logdet, 0)
})

test_that("values never leave the open interval, and those inside can be taken back", {
  z <- c(-1e150, -1e5, -800, -709, -50, 0, 50, 709, 800, 1e5, 1e150)
  ends <- list(
    c(0, 1), c(-1, 0), c(5, 6), c(1e15, 1e15 + 2), c(-1e-12, 3e-12), c(-1e150, 1e150), c(0, Inf), c(1, Inf),
    c(-Inf, 0), c(-Inf, -1e10), c(-1e-300, 1e150), c(0, 1e150), c(1e-300, 1e307), c(-1e150, -1e-300), c(0, 2^-996)
  )
  for (end in ends) for (curve in c("log", "softplus", "power")) {
    f <- at(end[1], end[2], curve)
    out <- native_map(f, matrix(z), NULL, FALSE)
    expect_true(all(out$value > end[1] & out$value < end[2]))
    expect_true(all(is.finite(out$value)) && all(is.finite(out$logdet)))
    expect_false(is.unsorted(out$value))
    back <- native_map(f, out$value, NULL, TRUE)
    expect_true(all(is.finite(back$value)) && all(is.finite(back$logdet)))
    expect_false(is.unsorted(back$value))
  }
})

test_that("ends as far apart as numbers go are no trouble", {
  f <- at(-1e-300, 1e150)
  y <- c(-0.5e-300, 1e-200, 1, 1e100)
  out <- inverse(f, y)
  expect_equal(c(out$value), log(y + 1e-300) - log(1e150), tolerance = 1e-14)
  expect_equal(out$logdet, -log(y + 1e-300), tolerance = 1e-14)
  value <- function(y) sum(native_map(f, matrix(y), NULL, TRUE)$logdet)
  expect_true(is.finite(value(c(-1e-300 * (1 - 1e-15), 1e150 * (1 - 1e-15)))))
})

test_that("outside the open interval the density is 0, at the ends too", {
  for (end in list(c(0, 1), c(-2, Inf), c(-Inf, 3))) {
    y <- end[is.finite(end)]
    y <- c(y, if (is.finite(end[1])) end[1] - 1, if (is.finite(end[2])) end[2] + 1)
    f <- at(end[1], end[2])
    out <- native_map(f, matrix(y), NULL, TRUE)
    expect_identical(out$logdet, rep(-Inf, length(y)))
    expect_identical(c(out$value), rep(0, length(y)))
    # which are no points of the user's
    expect_warning(out <- inverse(f, c(y, 0.5)), class = "bijectr_warning_outside")
    expect_identical(is.na(c(out$value)), rep(c(TRUE, FALSE), c(length(y), 1)))
  }
})

test_that("without ends it is the identity", {
  expect_identical(c(forward(at(), x)$value), x)
  expect_identical(inverse(at(), x)$logdet, 0 * x)
  expect_identical(format(scalar_support()), "scalar_support()")
})

test_that("support prints what counts, and checks its arguments", {
  expect_identical(format(scalar_support(0, curve = "softplus")),
    "scalar_support(lower = 0, curve = \"softplus\", scale = 1)")
  expect_identical(format(scalar_support(0, 1, scale = 3)), "scalar_support(lower = 0, upper = 1)")
  expect_error(scalar_support(1, 0), "lower", class = "bijectr_error_argument")
  expect_error(scalar_support(1, 1), "lower", class = "bijectr_error_argument")
  expect_error(scalar_support(Inf), "lower", class = "bijectr_error_argument")
  expect_error(scalar_support(NA), "lower", class = "bijectr_error_argument")
  expect_error(scalar_support(upper = -Inf), "upper", class = "bijectr_error_argument")
  expect_error(scalar_support(-1e308, 1e308), "far apart", class = "bijectr_error_argument")
  expect_error(scalar_support(1, 1 + 1e-16 * 4), "near", class = "bijectr_error_argument")
  expect_error(scalar_support(0, 1e-310), "near", class = "bijectr_error_argument")
  expect_error(scalar_support(0, curve = "exp"), "curve", class = "bijectr_error_argument")
  expect_error(scalar_support(0, scale = 0), "scale", class = "bijectr_error_argument")
  expect_error(scalar_support(0, curve = "power", power = 2), "power", class = "bijectr_error_argument")
  expect_error(scalar_support(0, reach = 0), "reach", class = "bijectr_error_argument")
  expect_error(forward(at(0, curve = "power", scale = 1e300, reach = 1e-300), 1), "too far from its `scale`")
  expect_identical(format(scalar_support(0, reach = 9)), "scalar_support(lower = 0, curve = \"log\", reach = 9)")
  expect_identical(format(scalar_support(0, 1, reach = 9)), "scalar_support(lower = 0, upper = 1)")
  expect_identical(format(scalar_support(0, curve = "power", power = 0.3)),
    "scalar_support(lower = 0, curve = \"power\", scale = 1, power = 0.3)")
  f <- at(0, 1)
  f$layers$layers[[1]]$scalar$upper <- -1
  expect_error(forward(f, 1), "interval of finite width")
})
