set.seed(1)
layers <- masked_autoregressive_flow(scalar_rq_spline(knots = 4), flow_layers = 4, nn_width = 8)
fit <- fit_flow(faithful, layers, steps = 20)

test_that("logLik() is the sum of log densities, with the number of parameters and of rows", {
  value <- logLik(fit)
  expect_s3_class(value, "logLik")
  expect_equal(as.numeric(value), sum(logdensity(fit, faithful)))
  expect_identical(attr(value, "df"), length(coef(fit)))
  expect_identical(attr(value, "nobs"), nobs(fit))
  expect_identical(nobs(fit), 272L)
})

test_that("logLik() of new data", {
  value <- logLik(fit, newdata = faithful[1:5, ])
  expect_equal(as.numeric(value), sum(logdensity(fit, faithful[1:5, ])))
  expect_identical(attr(value, "nobs"), 5L)
  expect_error(logLik(fit, condition = 1), "condition.*without.*newdata")
})

test_that("logLik() of a conditional fit takes conditions", {
  given <- fit_flow(faithful["eruptions"], condition = faithful["waiting"], steps = 5)
  value <- logLik(given, faithful[1:5, ], faithful[1:5, ])
  expect_equal(as.numeric(value), sum(logdensity(given, faithful[1:5, ], faithful[1:5, ])))
  expect_equal(as.numeric(logLik(given)), sum(logdensity(given, faithful, faithful)))
  expect_error(logLik(given, faithful), "condition.*missing")
})

test_that("weights enter the log likelihood and the number of observations", {
  weights <- rep(0:1, 136)
  weighted <- fit_flow(faithful, weights = weights, steps = 5)
  expect_equal(as.numeric(logLik(weighted)), sum(weights * logdensity(weighted, faithful)))
  expect_identical(nobs(weighted), 136L)
})

test_that("print() shows coordinates, layers, training and the held-out log density", {
  text <- capture.output(print(fit))
  expect_match(text[1], "2 coordinates (eruptions, waiting)", fixed = TRUE)
  expect_match(text, "4 x (permute, inverse autoregressive rq_spline)", fixed = TRUE, all = FALSE)
  expect_match(text, "20 steps", all = FALSE)
  expect_match(text, "held-out rows: -[0-9.]+ \\(normal: -[0-9.]+\\)", all = FALSE)
  capture.output(expect_invisible(print(fit)))
  expect_true(all(nchar(text) <= 80))
})

test_that("lists of names are cut short and seconds have readable units", {
  expect_identical(shorten_list(letters[1:5]), "a, b, c, d, e")
  expect_identical(shorten_list(letters), "a, b, c, d, ...")
  expect_identical(format_seconds(0.4321), "0.43 s")
  expect_identical(format_seconds(600), "10 min")
  expect_identical(format_seconds(36000), "10 h")
})

test_that("a flow that was not fitted to data says so", {
  unfitted <- fit
  unfitted[c("loglik", "nobs")] <- NULL
  expect_error(logLik(unfitted), "newdata.*must be given")
  expect_error(nobs(unfitted), "no number of observations")
})
