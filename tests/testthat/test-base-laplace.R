laplace_density <- function(x) -abs(x) - log(2)
laplace_cdf <- function(x) ifelse(x < 0, exp(x) / 2, 1 - exp(-x) / 2)

test_that("standard, with location and scale, at extreme parameters", {
  expect_loc_scale_base_ok(base_laplace, laplace_density, laplace_cdf)
})

test_that("location and scale by a net", {
  expect_given_loc_scale_ok(base_laplace(net = given_net()), laplace_density, laplace_cdf)
})

test_that("both tails have all their digits, far out too", {
  f <- flow(list(), 1, base = base_laplace())
  q <- c(0.5, 5, 35, 300)
  for (lower in c(TRUE, FALSE)) {
    side <- if (lower) -1 else 1 # that of the tail that is asked for
    expect_one <- function(ratio) expect_equal(ratio, rep(1, 4), tolerance = 1e-13)
    expect_one(pflow(side * q, f, lower.tail = lower) / (exp(-q) / 2))
    expect_one(pflow(side * q, f, lower.tail = lower, log.p = TRUE) / (-q - log(2)))
    expect_one(pflow(-side * q, f, lower.tail = lower, log.p = TRUE) / log1p(-exp(-q) / 2))
    expect_one(qflow(exp(-q) / 2, f, lower.tail = lower) / (side * q))
    expect_one(qflow(-q - log(2), f, lower.tail = lower, log.p = TRUE) / (side * q))
    expect_one(qflow(log1p(-exp(-q) / 2), f, lower.tail = lower, log.p = TRUE) / (-side * q))
    expect_identical(qflow(c(0, 1), f, lower.tail = lower), side * c(Inf, -Inf))
    expect_identical(qflow(c(-Inf, 0), f, lower.tail = lower, log.p = TRUE), side * c(Inf, -Inf))
  }
})
