# The kernels through the package, on every instruction set that this machine has.
test_that("vector functions agree with R's", {
  x <- c(-30, -5, -1, -1e-3, 0, 1e-8, 0.5, 2, 20)
  for (isa in native_isa()) {
    withr::local_options(bijectr.isa = isa)
    expect_equal(native_num_apply("exp", x), exp(x), tolerance = 1e-15)
    expect_equal(native_num_apply("tanh", x), tanh(x), tolerance = 1e-15)
    expect_equal(native_num_apply("log", x[x > 0]), log(x[x > 0]), tolerance = 1e-15)
    expect_equal(native_num_apply("softplus", x), log1p(exp(x)), tolerance = 1e-15)
    expect_equal(native_num_apply("sin", x), sin(x), tolerance = 1e-15)
    expect_equal(native_num_apply("recip", x[x != 0]), 1 / x[x != 0], tolerance = 1e-15)
  }
  expect_error(native_num_apply("no such", 1), "no such")
})

test_that("products agree with R's", {
  set.seed(1)
  for (isa in native_isa()) {
    withr::local_options(bijectr.isa = isa)
    for (m in c(1, 3, 8, 21)) {
      for (k in c(1, 2, 7, 50)) {
        w <- matrix(rnorm(m * k), m)
        x <- array(rnorm(32 * k * 2), c(32, k, 2))
        y <- array(native_num_gemm("product", w, x, m, k, 2), c(32, m, 2))
        for (b in 1:2) expect_equal(t(y[, , b]), t(matrix(x[, , b], 32) %*% t(w)), ignore_attr = TRUE)
        g <- native_num_gemm("weight_grad", y, x, m, k, 2)
        product_of <- function(b) crossprod(matrix(y[, , b], 32), matrix(x[, , b], 32))
        expect_equal(matrix(g, m), product_of(1) + product_of(2))
      }
    }
  }
})

test_that("Philox gives its published answers", {
  expect_identical(
    native_num_philox(c(0, 0, 0, 0), c(0, 0)), c(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8) + 0
  )
})

test_that("an instruction set that is not there is an error", {
  withr::local_options(bijectr.isa = "abacus")
  expect_error(native_num_apply("exp", 1), "bijectr.isa")
})
