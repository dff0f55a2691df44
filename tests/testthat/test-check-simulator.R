check_by_normal <- function(data, observed, ...) {
  check_simulator(data, observed, members = 1, layers = layer_elementwise(scalar_affine()), steps = 100, ...)
}

test_that("observations like the simulations pass with the p-value of their density, others warn", {
  set.seed(1)
  data <- matrix(rnorm(2000), 1000, dimnames = list(NULL, c("u", "v")))
  data[3, 1] <- NaN
  found <- check_by_normal(data, c(1, -1))
  expect_identical(found$n, 249L)
  expect_identical(found$failed, 1L)
  expect_equal(found$p, pchisq(2, 2, lower.tail = FALSE), tolerance = 4 * found$error)
  expect_equal(found$error, sqrt(found$p * (1 - found$p) / found$n))
  expect_equal(found$coordinates$p, rep(2 * pnorm(-1), 2), tolerance = 0.15)
  expect_output(print(found), "is like the simulations")
  expect_warning(out <- check_by_normal(data, c(0, 6)), class = "bijectr_warning_misspecified")
  expect_equal(out$p, 1 / 250)
  expect_identical(which.min(out$coordinates$p), 2L)
  expect_output(print(out), "is unlike the simulations")
  expect_silent(check_by_normal(data, c(0, 6), level = 1e-3))
})

test_that("p-values are uniform for observations that are simulations", {
  set.seed(2)
  f <- flow(layer_elementwise(scalar_affine()), d = 1)
  p <- replicate(200, suppressWarnings(check_simulator(rnorm(60), rnorm(1), fit = f)$p))
  expect_gt(stats::ks.test(p + runif(200, -0.5, 0.5) / 61, "punif", exact = FALSE)$p.value, 0.01)
})

test_that("values that do not go together, and constants that are others, are seen", {
  set.seed(3)
  u <- rnorm(400)
  data <- cbind(u, v = u + 0.1 * rnorm(400), constant = 2)
  expect_warning(
    found <- check_simulator(data, c(1, -1, 2), members = 1, steps = 200), class = "bijectr_warning_misspecified"
  )
  expect_gt(min(found$coordinates$p), 0.1)
  expect_lt(found$coordinates$p_given_others[1], 0.02)
  expect_gt(found$coordinates$p[3], 0.9)
  expect_warning(other <- check_simulator(data, c(1, 1, 3), members = 1, steps = 20))
  expect_identical(other$logdensity$observed, -Inf)
  expect_error(check_simulator(data, 1:2), "3 numbers", class = "bijectr_error_argument")
  expect_error(check_simulator(data[1:20, ], 1:3), "at least 40", class = "bijectr_error_argument")
  expect_error(check_simulator(data, c(1, NA, 2)), "observed", class = "bijectr_error_argument")
})
