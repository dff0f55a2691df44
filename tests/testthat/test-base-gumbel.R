gumbel_density <- function(x) -x - exp(-x)
gumbel_cdf <- function(x) exp(-exp(-x))

test_that("standard, with location and scale, at extreme parameters", {
  expect_loc_scale_base_ok(base_gumbel, gumbel_density, gumbel_cdf)
})

test_that("location and scale by a net", {
  expect_given_loc_scale_ok(base_gumbel(net = given_net()), gumbel_density, gumbel_cdf)
})

test_that("both tails have all their digits, far out too", {
  f <- flow(list(), 1, base = base_gumbel())
  q <- c(0.5, 5, 35, 300)
  expect_one <- function(ratio) expect_equal(ratio, rep(1, 4), tolerance = 1e-13)
  expect_one(pflow(q, f, lower.tail = FALSE) / -expm1(-exp(-q)))
  expect_one(pflow(q, f, lower.tail = FALSE, log.p = TRUE) / log(-expm1(-exp(-q))))
  expect_one(pflow(q, f, log.p = TRUE) / -exp(-q))
  expect_one(qflow(-expm1(-exp(-q)), f, lower.tail = FALSE) / q)
  expect_one(qflow(-exp(-q), f, log.p = TRUE) / q)
  expect_identical(pflow(1e4, f, lower.tail = FALSE, log.p = TRUE), -1e4)
})
