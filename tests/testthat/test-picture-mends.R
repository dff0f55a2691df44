# What a second reader found in pictures and predictions.
set.seed(1)
joint <- fit_flow(faithful, members = 1, steps = 10)
given <- fit_flow(eruptions ~ waiting, faithful, members = 1, steps = 10)

test_that("numbers keep their labels beside panels of levels, whatever their range", {
  skip_if_not_installed("ggplot2")
  d <- data.frame(g = factor(rep(c("a", "b", "c"), 100)), income = runif(300, 0, 1e6))
  fit <- fit_flow(d, members = c("normal", "cells", "frequencies"))
  for (type in c("density", "pairs")) {
    built <- ggplot2::ggplot_build(ggplot2::autoplot(fit, type, data = d))
    labels <- lapply(built$layout$panel_params, function(p) as.vector(stats::na.omit(p$x$get_labels())))
    expect_true(any(vapply(labels, identical, NA, c("a", "b", "c"))), info = type)
    expect_true(any(vapply(labels, function(l) length(l) > 3 && !any(c("a", "b", "c") %in% l), NA)), info = type)
  }
})

test_that("colours of any name, no lines, one row, and no matching row", {
  one <- fit_flow(faithful$waiting, members = 1, steps = 5)
  expect_no_error(drawn(plot(joint, "samples", data = faithful, col = "darkgoldenrod")))
  expect_no_error(drawn(plot(one, data = faithful$waiting, col = "darkgoldenrod")))
  expect_no_error(drawn(plot(joint, levels = numeric(), grid = 10)))
  expect_no_error(drawn(plot(joint, "pairs", data = faithful[1, ])))
  table <- fit_flow(iris, members = c("normal", "cells", "frequencies"))
  expect_error(plot(table, data = iris[0, ]), "`data` has no rows", class = "bijectr_error_argument")
  expect_error(plot(table, "pairs", n = 1), "at least 10", class = "bijectr_error_argument")
  classes <- fit_flow(Species ~ Petal.Width, iris, members = "linear")
  far <- iris[iris$Petal.Width > 2, ]
  expect_no_warning(drawn(plot(classes, condition = data.frame(Petal.Width = 1), data = far)))
  expect_error(plot(joint, "pairs", xlim = c(0, 1)), "one panel", class = "bijectr_error_argument")
  drawn({
    plot(joint, grid = 10)
    expect_named(plot(joint, data = faithful, add = TRUE, grid = 10), c("x", "y", "density"))
  })
  part <- conditional(fit_flow(faithful, members = "normal"), waiting = 80)
  picture <- make_picture(part)
  expect_match(picture$note, "given waiting = 80")
  drawn({
    plot(part)
    expect_named(plot(part, add = TRUE, col = "red"), c("x", "density"))
  })
})

test_that("fans hold dates at their median, and may have no data beside them", {
  d <- data.frame(y = rnorm(200), day = as.Date("2024-01-01") + 0:199, i = rep(1:20, 10))
  fit <- fit_flow(y ~ day + i, d, members = "normal")
  picture <- make_picture(fit, "fan", over = "i", data = d, envir = environment())
  expect_match(picture$note, "day = 2024-04-09")
  many <- fit_flow(mpg ~ wt + hp + qsec, mtcars, members = "normal")
  expect_no_warning(drawn(plot(many, "fan")))
  expect_error(plot(given, "fan", data = faithful[0, ]), "no values of waiting", class = "bijectr_error_argument")
})

test_that("augment() has means and intervals in one unit, and takes conditions as logdensity() does", {
  skip_if_not_installed("generics")
  logs <- fit_flow(log(eruptions) ~ waiting, faithful, members = "normal")
  out <- generics::augment(logs, faithful, interval = 0.9)
  expect_true(all(out$.lower < out$.fitted & out$.fitted < out$.upper))
  apart <- generics::augment(given, faithful["eruptions"], condition = faithful["waiting"])
  expect_equal(apart$.fitted, as.double(predict(given, faithful, "response")))
  plain <- fit_flow(faithful["eruptions"], condition = faithful["waiting"], members = "normal")
  alone <- generics::augment(plain, newdata = faithful["waiting"])
  expect_identical(names(alone), c("waiting", ".fitted"))
  expect_identical(nrow(generics::augment(given, faithful[0, ])), 0L)
  expect_identical(residuals(given, faithful[0, ]), numeric())
})

test_that("tibbles of predictions keep names, and have no rows where none are asked for", {
  skip_if_not_installed("tibble")
  d <- data.frame(fit = rnorm(60), upright = rnorm(60), size = runif(60))
  both <- fit_flow(cbind(fit, upright) ~ size, d, members = "normal")
  expect_named(predict(both, d[1:2, ], as_tibble = TRUE, type = "response"), c(".pred_fit", ".pred_upright"))
  expect_named(
    predict(both, d[1:2, "size", drop = FALSE], interval = 0.9, as_tibble = TRUE),
    c(".pred_fit", ".pred_lower_fit", ".pred_upper_fit", ".pred_upright", ".pred_lower_upright", ".pred_upper_upright")
  )
  none <- data.frame(waiting = numeric())
  expect_identical(dim(predict(given, none, interval = 0.9, as_tibble = TRUE)), c(0L, 3L))
  expect_named(predict(given, none, "quantile", p = c(0.05, 0.5), as_tibble = TRUE), c(".pred_q0.05", ".pred_q0.5"))
  expect_named(predict(given, data.frame(waiting = 60), interval = 0.9, as_tibble = TRUE),
    c(".pred", ".pred_lower", ".pred_upper")
  )
  expect_named(predict(given, faithful[1:2, ], "density", as_tibble = TRUE), ".pred_density")
  table <- fit_flow(iris, members = c("normal", "cells", "frequencies"))
  species <- marginal(table, "Species")
  expect_named(predict(species, type = "class", as_tibble = TRUE), ".pred_class")
  expect_named(predict(species, type = "probability", as_tibble = TRUE), paste0(".pred_", levels(iris$Species)))
})

test_that("densities of several points of several coordinates, and one row of conditions as a vector", {
  skip_if_not_installed("distributional")
  at <- unname(as.matrix(faithful[1:3, ]))
  expect_equal(unlist(density(dist_flow(joint), at)), exp(logdensity(joint, at)))
  two <- cbind(a = faithful$waiting, b = rnorm(272))
  fit <- fit_flow(faithful["eruptions"], condition = two, members = "normal")
  expect_equal(density(dist_flow(fit, c(50, 0)), 3), exp(logdensity(fit, 3, c(50, 0))))
})

test_that("handles for C refuse whole numbers, and numbers print so that they come back", {
  whole <- suppressMessages(fit_flow(rpois(100, 3), support = counts(), members = 1, steps = 5))
  expect_error(callable_parts(whole), "whole numbers", class = "bijectr_error_argument")
  spec <- scalar_power(sqrt(2))
  expect_identical(eval(parse(text = capture.output(print(spec)))), spec)
  expect_output(print(scalar_power(0.1)), "0.1)", fixed = TRUE)
})

test_that("titles clear the keys beside them, and shrink where there is no room", {
  grDevices::pdf(NULL, width = 4, height = 4)
  on.exit(grDevices::dev.off())
  graphics::plot(0)
  wanted <- graphics::par("mai")[2] + graphics::par("pin")[1] / 2
  ends <- function(place) place[["middle"]] + c(-1, 1) * place[["half"]]
  free <- title_place("short", 1, NULL, NULL)
  expect_equal(free[["middle"]], wanted)
  expect_equal(free[["cex"]], 1)
  expect_gte(ends(title_place("short", 1, wanted, NULL))[1], wanted - 1e-6)
  expect_lte(ends(title_place("short", 1, NULL, wanted))[2], wanted + 1e-6)
  none <- title_place("short", 1, wanted, wanted - 1) # keys from both sides
  expect_gte(none[["half"]], 0)
  expect_true(all(ends(none) >= 0 & ends(none) <= 4))
  shrunk <- title_place(strrep("long ", 20), 1, NULL, NULL)
  expect_true(all(ends(shrunk) >= 0 & ends(shrunk) <= 4))
  expect_lt(shrunk[["cex"]], 1)
  expect_gt(shrunk[["cex"]], 0.3)
})

test_that("keys and titles share the space above a picture", {
  drawn({
    graphics::par(mfrow = c(1, 2))
    expect_no_error(plot(joint, main = "the density of a flow", grid = 10))
    expect_no_error(plot(joint, "samples", data = faithful, main = "draws of a flow"))
  })
})

test_that("curves differ in a grey print", {
  grey <- colSums(grDevices::col2rgb(curve_colors(4)) * c(0.299, 0.587, 0.114))
  expect_true(all(diff(grey) > 10))
  expect_lt(max(grey), grDevices::col2rgb("grey60")[1])
  expect_identical(curve_colors(1), FLOW_COLOR)
})
