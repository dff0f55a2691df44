x <- c(-3.1, -1.2, -0.4, 0.3, 1.7, 2.9)

test_that("leaky_relu conforms", {
  expect_scalar_ok(scalar_leaky_relu(), x)
  expect_scalar_ok(scalar_leaky_relu(0.4), x)
  # around the initial slope: a negative one has no inverse
  expect_scalar_ok(scalar_leaky_relu(2, "identity"), x, spread = 0.1)
})

test_that("leaky_relu is x or alpha x, with alpha at exactly 0", {
  for (parameterization in c("log", "identity")) {
    f <- flow(layer_elementwise(scalar_leaky_relu(0.4, parameterization)), d = 1)
    expect_equal(unname(coef(f)), if (parameterization == "log") log(0.4) else 0.4)
    out <- forward(f, c(-2, 0, 2))
    expect_equal(c(out$value), c(-0.8, 0, 2))
    expect_equal(out$logdet, c(log(0.4), log(0.4), 0))
    expect_equal(inverse(f, c(-0.8, 0, 2))$logdet, -out$logdet)
  }
})

test_that("the initial slope is drawn from U(0, 0.9)", {
  set.seed(1)
  slope <- coef(flow(layer_elementwise(scalar_leaky_relu(parameterization = "identity")), d = 2000))
  expect_gt(min(slope), 0)
  expect_lt(max(slope), 0.9)
  expect_lt(abs(mean(slope) - 0.45), 0.03)
})

test_that("leaky_relu checks its arguments", {
  expect_error(scalar_leaky_relu(0), "slope")
  expect_error(scalar_leaky_relu(1, "linear"), "parameterization")
})
