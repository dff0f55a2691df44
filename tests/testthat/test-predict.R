set.seed(1)
fit <- fit_flow(faithful, steps = 20)
one <- fit_flow(faithful["waiting"], steps = 50)
layers <- masked_autoregressive_flow(flow_layers = 1, nn_width = 8)
given <- fit_flow(faithful["eruptions"], layers, condition = faithful["waiting"], steps = 100)

test_that("types agree with the verbs they stand for", {
  x <- faithful[1:7, ]
  expect_identical(predict(fit, x), logdensity(fit, x))
  expect_identical(predict(fit, x, "density"), exp(logdensity(fit, x)))
  expect_identical(predict(fit, x, "latent"), inverse(fit, x)$value)
  expect_identical(predict(one, x, "distribution"), pflow(x$waiting, one))
  expect_identical(predict(one, c(0.1, 0.9), type = "quantile"), qflow(c(0.1, 0.9), one))
})

test_that("columns are found by name", {
  expect_identical(predict(fit, faithful[1:3, 2:1]), predict(fit, faithful[1:3, ]))
  expect_identical(predict(one, faithful[1:3, ]), predict(one, faithful$waiting[1:3]))
})

test_that("conditions: one row for all, or one row a point", {
  x <- c(2, 3)
  expect_identical(
    predict(given, x, "distribution", condition = c(60)),
    predict(given, x, "distribution", condition = data.frame(waiting = c(60, 60)))
  )
  two <- predict(given, c(0.5, 0.5), "quantile", condition = c(50, 90))
  expect_lt(two[1], two[2])
  expect_error(predict(given, x), "`condition` is missing")
  expect_error(
    predict(given, c(0.1, 0.2), "quantile", condition = c(60, 70, 80)),
    "`condition` must have 1 row or .*\\(2\\), not\\s3"
  )
})

test_that("latents of the data look like the base", {
  set.seed(2)
  trained <- fit_flow(faithful["waiting"], steps = 300)
  z <- predict(trained, faithful["waiting"], "latent")
  expect_lt(abs(mean(z)), 0.15)
  expect_lt(abs(sd(z) - 1), 0.15)
})

test_that("errors name the argument", {
  expect_error(predict(fit), "`newdata` is missing")
  expect_error(predict(fit, faithful, "densities"), "`type` must be one of")
  expect_error(predict(fit, faithful, "distribution"), "one coordinate; this one has 2")
  expect_error(predict(fit, 0.5, "quantile"), "one coordinate; this one has 2")
  expect_error(predict(one, 1.5, "quantile"), "`newdata` must hold probabilities.*element 1 is 1.5")
})
