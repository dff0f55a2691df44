cauchy_density <- function(x) dcauchy(x, log = TRUE)
cauchy_cdf <- function(x) pcauchy(x)

test_that("standard, with location and scale, at extreme parameters", {
  expect_loc_scale_base_ok(base_cauchy, cauchy_density, cauchy_cdf)
})

test_that("far tails", {
  f <- flow(layer_flip(), 1, base = base_cauchy())
  x <- c(1e5, -1e20, 1e100)
  expect_equal(logdensity(f, x), dcauchy(x, log = TRUE))
  expect_equal(c(flow_vjp(f, x, TRUE, list(log_density = rep(1, 3)))$x), -2 / x)
})

test_that("location and scale by a net", {
  expect_given_loc_scale_ok(base_cauchy(net = given_net()), cauchy_density, cauchy_cdf)
})
