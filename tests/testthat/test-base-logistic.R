test_that("standard logistic", {
  expect_base_ok(base_logistic(), function(x) dlogis(x, log = TRUE), plogis)
})

test_that("tails are exponential", {
  f <- flow(layer_flip(), 1, base = base_logistic())
  expect_equal(logdensity(f, c(-800, 40, 1e5)), dlogis(c(-800, 40, 1e5), log = TRUE), tolerance = 1e-14)
})

test_that("location and scale by a net", {
  expect_given_loc_scale_ok(base_logistic(given_net()), function(x) dlogis(x, log = TRUE), plogis)
})
