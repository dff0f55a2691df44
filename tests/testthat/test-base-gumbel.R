gumbel_density <- function(x) -x - exp(-x)
gumbel_cdf <- function(x) exp(-exp(-x))

test_that("standard, with location and scale, at extreme parameters", {
  expect_loc_scale_base_ok(base_gumbel, gumbel_density, gumbel_cdf)
})

test_that("location and scale by a net", {
  expect_given_loc_scale_ok(base_gumbel(net = given_net()), gumbel_density, gumbel_cdf)
})
