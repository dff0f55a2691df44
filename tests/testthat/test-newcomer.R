# What a newcomer stumbled over in predictions and pictures.
set.seed(1)
stops <- fit_flow(dist ~ speed, cars, members = c("normal", "student_t"))

test_that("data that are found by the name of others are announced", {
  table <- cars
  fit <- fit_flow(dist ~ speed, table, members = "normal")
  expect_no_warning(residuals(fit))
  table$dist <- rev(table$dist)
  expect_warning(residuals(fit), "not what the fit was made from", class = "bijectr_warning_data")
  table <- table[1:10, ]
  expect_warning(fitted(fit), "not what the fit was made from", class = "bijectr_warning_data")
  expect_no_warning(residuals(fit, cars))
  make <- function(df) fit_flow(dist ~ speed, data = df, members = "normal")
  expect_error(residuals(make(cars)), "`data` must be given", class = "bijectr_error_argument")
  logs <- fit_flow(log(Ozone) ~ Wind, airquality, subset = Month > 5, na.action = na.omit, members = "normal")
  expect_no_warning(residuals(logs))
  expect_no_warning(residuals(suppressMessages(fit_flow(breaks ~ wool, warpbreaks, members = "normal"))))
})

test_that("log densities where means may be meant are told, and matrices of conditions are these", {
  expect_message(value <- predict(stops, cars[1:2, ]), "Log densities", class = "bijectr_message_predict")
  expect_identical(value, logdensity(stops, cars[1:2, ]))
  expect_no_message(predict(stops, cars[1:2, ], "logdensity"))
  expect_no_message(predict(stops, data.frame(speed = 5)))
  expect_equal(predict(stops, cbind(speed = c(5, 10))), predict(stops, data.frame(speed = c(5, 10))))
})

test_that("rows of conditions that are alike are computed once, to the same", {
  twice <- cars[c(1, 1, 30, 2, 30), "speed", drop = FALSE]
  for (type in c("response", "median", "mode")) {
    each <- vapply(1:5, function(i) predict(stops, twice[i, , drop = FALSE], type), 0)
    expect_identical(predict(stops, twice, type), each, info = type)
  }
  twice$speed[2] <- NA
  expect_identical(is.na(predict(stops, twice, "median")), c(FALSE, TRUE, FALSE, FALSE, FALSE))
  seen <- distinct_rows(list(condition = cbind(c(1, 2, 1, 1 + 1e-15)), n = 4L))
  expect_identical(seen$n, 3L)
  expect_identical(put_back(c(10, 20, 30), seen), c(10, 20, 10, 30))
})

test_that("the variance of one coordinate is an integral, without draws", {
  new <- data.frame(speed = c(5, 15))
  v <- predict(stops, new, "covariance")
  expect_identical(dim(v), c(2L, 1L, 1L))
  x <- seq(-3000, 3000, 0.2)
  for (i in 1:2) {
    w <- dflow(x, stops, condition = new[i, , drop = FALSE]) * 0.2
    expect_equal(v[i, 1, 1], sum(w * (x - sum(w * x))^2), tolerance = 0.02)
  }
  expect_identical(predict(stops, new, "covariance"), v)
})

test_that("whole numbers are drawn as such", {
  x <- rpois(150, 3)
  fit <- suppressMessages(fit_flow(x, support = counts(), members = 1, steps = 60))
  shown <- drawn(plot(fit, data = x))
  expect_identical(shown$x, round(shown$x))
  expect_equal(shown$density, exp(logdensity(fit, shown$x)))
  draws <- drawn(plot(fit, "samples", data = x))
  expect_identical(draws, round(draws))
})

test_that("conditional parts show the rows that match, and others say that they do not", {
  joint <- fit_flow(iris, members = c("normal", "cells", "frequencies"))
  picture <- make_picture(conditional(joint, Species = "setosa"), data = iris)
  expect_match(picture$note, "given Species = setosa; data: 50 of 150 rows")
  apart <- fit_flow(faithful$eruptions, condition = faithful$waiting, members = "normal")
  expect_match(make_picture(apart, condition = 80, data = faithful$eruptions)$note, "all rows")
})

test_that("fans go over numbers that a formula makes levels of, and say what they cannot do", {
  levels <- fit_flow(mpg ~ factor(cyl), mtcars, members = "normal")
  expect_identical(drawn(plot(levels, "fan"))$cyl, c(4, 6, 8))
  expect_error(plot(stops, "fan", over = c("speed", "dist")), "one condition", class = "bijectr_error_argument")
  expect_error(plot(stops, "fan", data = cars[1, ]), "one value of speed", class = "bijectr_error_argument")
  wide <- fit_flow(mpg ~ wt + hp, mtcars, members = "normal")
  expect_error(plot(wide, "fan", at = list(hp = 1:2)), "one value of hp", class = "bijectr_error_argument")
})

test_that("rows with missing values are left out of pictures, and told", {
  gaps <- faithful
  gaps$waiting[3] <- NA
  picture <- make_picture(fit_flow(faithful, members = "normal"), data = gaps)
  expect_match(picture$note, "1 with missing values")
  times <- data.frame(t = as.POSIXct("2024-01-01", tz = "UTC") + runif(200, 0, 1e6), x = rnorm(200))
  expect_no_warning(drawn(plot(fit_flow(times, members = "normal"), "pairs")))
})

test_that("dates stay dates in tibbles and in augment()", {
  skip_if_not_installed("tibble")
  skip_if_not_installed("generics")
  d <- data.frame(day = as.Date("2024-01-01") + runif(200, 0, 100), x = rnorm(200))
  fit <- fit_flow(day ~ x, d, members = "normal")
  new <- data.frame(x = 0:1)
  for (value in list(
    predict(fit, new, as_tibble = TRUE), predict(fit, new, interval = 0.9, as_tibble = TRUE),
    predict(fit, new, "quantile", p = c(0.1, 0.9), as_tibble = TRUE),
    generics::augment(fit, newdata = new, interval = 0.9)[-1]
  )) {
    expect_true(all(vapply(value, inherits, NA, "Date")))
  }
  expect_equal(as.double(predict(fit, new, interval = 0.9, as_tibble = TRUE)$.pred_lower),
    unname(predict(fit, new, interval = 0.9)[, "lwr"])
  )
  expect_type(predict(fit, d[1:2, ], "density", as_tibble = TRUE)$.pred_density, "double")
})
