test_that("data are simulated from draws, failures are kept and counted, and the observation has its place", {
  set.seed(1)
  f <- flow(layer_elementwise(scalar_affine()), d = 2)
  seen <- NULL
  simulator <- function(theta) {
    seen <<- theta
    out <- cbind(u = theta[, 1], v = theta[, 2] + 3)
    out[5, 1] <- Inf
    out
  }
  found <- posterior_predictive(f, simulator, n = 2000, observed = c(0, 10))
  expect_identical(found$theta, seen)
  expect_identical(found$failed, 1L)
  expect_true(all(is.na(found$data[5, ])))
  expect_equal(found$data[-5, "v"], seen[-5, 2] + 3)
  table <- found$quantiles
  expect_lt(max(abs(table$median - c(0, 3))), 0.1)
  expect_equal(table$high - table$low, rep(2 * qnorm(0.95), 2), tolerance = 0.05)
  expect_equal(table$below, c(0.5, 1), tolerance = 0.05)
  expect_output(print(found), "2,000, 1 of them failed.*u .*v ")
  expect_identical(as.data.frame(found), table)
  expect_identical(drawn(plot(found)), found)
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(found), "ggplot")
})

test_that("the observation is the condition, forms are those of the simulator, and mistakes are told", {
  f <- flow(layer_additive_condition(), d = 1, d_condition = 2)
  frame <- function(theta) data.frame(p = theta[, 1], q = 1)
  found <- posterior_predictive(f, frame, c(1, 2), n = 20)
  expect_s3_class(found$data, "data.frame")
  expect_identical(found$quantiles$observed, c(1, 2))
  expect_true(all(is.na(posterior_predictive(f, function(theta) theta, c(1, 2), n = 20)$quantiles$below)))
  named <- posterior_predictive(f, frame, c(1, 2), n = 20, observed = c(q = 5, p = 4))
  expect_identical(named$quantiles$observed, c(4, 5))
  text <- posterior_predictive(f, function(theta) data.frame(word = rep("a", nrow(theta))), c(1, 2), n = 20)
  expect_null(text$quantiles)
  expect_output(print(text), "20")
  expect_error(plot(text), "nothing to show", class = "bijectr_error_argument")
  expect_error(posterior_predictive(f, frame, rbind(c(1, 2), 3), n = 5), "one row", class = "bijectr_error_argument")
  expect_error(posterior_predictive(f, frame, c(1, 2), n = 5, observed = 1:3), "2 numbers",
    class = "bijectr_error_argument")
  expect_error(posterior_predictive(f, function(theta) 1:2, c(1, 2), n = 5), "one row for each",
    class = "bijectr_error_argument")
  expect_error(posterior_predictive(f, 3, c(1, 2)), "simulator", class = "bijectr_error_argument")
})
