# Durkan et al. (2019), eq. 4 and 5, one point at a time.
naive_spline <- function(x, widths, heights, slopes, lo, hi, min_width) {
  if (x < lo || x > hi) return(c(x, 0))
  sizes <- function(raw) min_width + (hi - lo - length(raw) * min_width) * exp(raw) / sum(exp(raw))
  knots_x <- lo + c(0, cumsum(sizes(widths)))
  knots_y <- lo + c(0, cumsum(sizes(heights)))
  k <- min(findInterval(x, knots_x), length(widths))
  w <- knots_x[k + 1] - knots_x[k]
  h <- knots_y[k + 1] - knots_y[k]
  s <- h / w
  xi <- (x - knots_x[k]) / w
  both <- xi * (1 - xi)
  denominator <- s + (slopes[k + 1] + slopes[k] - 2 * s) * both
  slope <- s^2 * (slopes[k + 1] * xi^2 + 2 * s * both + slopes[k] * (1 - xi)^2) / denominator^2
  c(knots_y[k] + h * (s * xi^2 + slopes[k] * both) / denominator, log(slope))
}

spline_flow <- function(..., spread = 1) {
  f <- flow(layer_elementwise(scalar_rq_spline(...)), d = 1)
  params(f) <- coef(f) + spread * rnorm(length(coef(f)))
  f
}

x <- c(-7, -3.3, -1.9, -0.77, 0.05, 0.4, 1.3, 2.21, 3.6, 3.9, 12)

test_that("rq_spline conforms", {
  expect_scalar_ok(scalar_rq_spline(), x)
  expect_scalar_ok(scalar_rq_spline(4, interval = c(-1.013, 2.581), boundary = "free"), x)
  expect_scalar_ok(scalar_rq_spline(5, interval = pi, boundary = "circular"), x)
  expect_scalar_ok(scalar_rq_spline(1, interval = 2, min_width = 0.2, min_slope = 0.1), x)
  expect_scalar_ok(scalar_rq_spline(40), x)
})

test_that("rq_spline agrees with the published formula", {
  set.seed(2)
  softplus <- function(x) log1p(exp(x))
  for (boundary in c("linear", "free", "circular")) {
    f <- spline_flow(6, interval = c(-2, 5), min_width = 0.01, min_slope = 0.02, boundary = boundary)
    raw <- params(f)$layers[[1]]
    slopes <- softplus(raw$slopes) + 0.02
    slopes <- switch(boundary, linear = c(1, slopes, 1), free = slopes, circular = c(slopes, slopes[1]))
    at <- c(runif(200, -3, 6), -2, 5)
    truth <- vapply(at, naive_spline, numeric(2), raw$widths, raw$heights, slopes, -2, 5, 0.01)
    out <- forward(f, at)
    expect_equal(c(out$value), truth[1, ], tolerance = 1e-12)
    expect_equal(out$logdet, truth[2, ], tolerance = 1e-10)
  }
})

test_that("rq_spline starts as the identity", {
  for (boundary in c("linear", "free", "circular")) {
    out <- forward(flow(layer_elementwise(scalar_rq_spline(boundary = boundary)), d = 1), x)
    expect_equal(c(out$value), x, tolerance = 1e-14)
    expect_lt(max(abs(out$logdet)), 1e-13)
  }
})

test_that("the ends of the interval are inside, with one-sided derivatives; the outside is the identity", {
  set.seed(3)
  f <- spline_flow(3, interval = c(-1, 2), boundary = "free")
  ends <- c(-1, 2)
  slopes <- log1p(exp(params(f)$layers[[1]]$slopes))[c(1, 5)] + 1e-3
  expect_identical(c(forward(f, ends)$value), ends)
  expect_identical(c(inverse(f, ends)$value), ends)
  expect_equal(forward(f, ends)$logdet, log(slopes), tolerance = 1e-12)
  expect_equal(inverse(f, ends)$logdet, -log(slopes), tolerance = 1e-12)
  grad <- flow_vjp(f, matrix(ends), FALSE, list(value = c(1, 1), logdet = c(0, 0)))$x
  expect_equal(c(grad), slopes, tolerance = 1e-12)
  outside <- c(-1 - 1e-12, 2 + 1e-12, 1e149, -1e149)
  expect_identical(c(forward(f, outside)$value), outside)
  expect_identical(forward(f, outside)$logdet, rep(0, 4))
  grad <- flow_vjp(f, matrix(outside), FALSE, list(value = 1:4, logdet = rep(1, 4)))
  expect_identical(c(grad$x), as.double(1:4))
  expect_true(all(grad$params == 0))
})

test_that("linear ends keep the density continuous, circular ones make it periodic", {
  set.seed(4)
  expect_equal(forward(spline_flow(interval = 3), c(-3, 3))$logdet, c(0, 0), tolerance = 1e-12)
  ends <- forward(spline_flow(interval = pi, boundary = "circular"), c(-pi, pi))$logdet
  expect_equal(ends[1], ends[2], tolerance = 1e-12)
  expect_gt(abs(ends[1]), 0.01)
})

test_that("the inverse is exact also where the spline is steep or flat", {
  set.seed(5)
  for (spread in c(3, 10, 30)) {
    f <- spline_flow(8, boundary = "free", spread = spread)
    y <- seq(-3.99, 3.99, length.out = 301)
    back <- inverse(f, y)
    again <- forward(f, back$value)
    # an error of one unit in the last place of x moves y by the slope times as much
    slack <- 1e-13 + 1e-15 * exp(pmin(again$logdet, 100)) * 8
    expect_true(all(abs(c(again$value) - y) <= slack))
  }
})

test_that("rq_spline checks its arguments", {
  expect_error(scalar_rq_spline(0), "knots")
  expect_error(scalar_rq_spline(8, interval = c(1, 1)), "interval")
  expect_error(scalar_rq_spline(8, interval = "a"), "interval")
  expect_error(scalar_rq_spline(8, min_width = 1), "do not fit")
  expect_error(scalar_rq_spline(8, min_width = 0), "min_width")
  expect_error(scalar_rq_spline(8, min_slope = 0), "min_slope")
  expect_error(scalar_rq_spline(boundary = "open"), "boundary")
  expect_identical(scalar_rq_spline(interval = 2), scalar_rq_spline(interval = c(-2, 2)))
})
