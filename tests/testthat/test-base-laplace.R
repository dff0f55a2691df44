laplace_density <- function(x) -abs(x) - log(2)
laplace_cdf <- function(x) ifelse(x < 0, exp(x) / 2, 1 - exp(-x) / 2)

test_that("standard, with location and scale, at extreme parameters", {
  expect_loc_scale_base_ok(base_laplace, laplace_density, laplace_cdf)
})

test_that("location and scale by a net", {
  expect_given_loc_scale_ok(base_laplace(net = given_net()), laplace_density, laplace_cdf)
})
