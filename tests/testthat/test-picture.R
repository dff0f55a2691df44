# What a picture shows is looked at as data, see picture.R; that it can be drawn, by both systems.
set.seed(1)
fit <- fit_flow(faithful, members = 1, steps = 30)
one <- fit_flow(faithful["waiting"], members = 1, steps = 30)
sized <- transform(faithful, size = rep(c("a", "b"), 136))
given <- fit_flow(waiting ~ eruptions + size, sized, members = 1, steps = 30)

kinds <- function(panel) sub("bijectr_item_", "", vapply(panel$items, function(item) class(item)[1], ""))
items <- function(picture, kind, panel = 1) {
  found <- picture$panels[[panel]]
  found$items[kinds(found) == kind]
}

test_that("a picture covers where the mass is, of data and flow alike, and says what lies outside", {
  wild <- rbind(faithful, data.frame(eruptions = 1e6, waiting = -1e6))
  picture <- make_picture(fit, "density", data = wild, grid = 10)
  panel <- picture$panels[[1]]
  expect_lt(diff(panel$xlim), 20)
  expect_lt(diff(panel$ylim), 300)
  expect_match(picture$note, "1 row of the data outside")
  expect_true(all(faithful$eruptions > panel$xlim[1] & faithful$eruptions < panel$xlim[2]))
  # the flow has its mass elsewhere: both are in the picture
  away <- make_picture(one, "samples", data = data.frame(waiting = faithful$waiting + 500))
  expect_lt(away$panels[[1]]$xlim[1], 60)
  expect_gt(away$panels[[1]]$xlim[2], 580)
})

test_that("bars are densities of all data, those outside of the window too", {
  x <- c(seq(0, 1, length.out = 99), 1000)
  bars <- density_bars(x, c(0, 1))
  expect_equal(sum(diff(bars$breaks) * bars$density), 0.99)
  expect_equal(density_bars(x[1:99])$density, density_bars(x[1:99], c(0, 1))$density)
})

test_that("what is asked for is honoured", {
  picture <- make_picture(fit, "density",
    data = faithful, xlim = c(1, 6), xlab = "Length", ylab = "Wait", main = "A title", levels = c(0.3, 0.6), grid = 8
  )
  panel <- picture$panels[[1]]
  expect_identical(panel$xlim, c(1, 6))
  expect_identical(c(panel$xlab, panel$ylab, picture$main), c("Length", "Wait", "A title"))
  expect_named(items(picture, "map")[[1]]$levels, c("30%", "60%"))
  expect_identical(items(make_picture(one, "density", col = "red"), "lines")[[1]]$col, "red")
  expect_error(make_picture(fit, levels = 2), "`levels` must be shares", class = "bijectr_error_argument")
  expect_error(make_picture(fit, col = "nocolor"), "`col` must be colors", class = "bijectr_error_argument")
  expect_error(plot(fit, add = NA), "`add`", class = "bijectr_error_argument")
})

test_that("very many rows are thinned, and soon drawn", {
  set.seed(2)
  many <- faithful[base::sample(272, 1e6, TRUE), ]
  took <- system.time(picture <- drawn({
    plot(fit, data = many)
    make_picture(fit, "density", data = many)
  }))[["elapsed"]] / 2
  expect_length(items(picture, "points")[[1]]$x, PICTURE_POINTS)
  expect_match(picture$note, "5,000 of 1,000,000 points")
  skip_on_cran()
  expect_lt(took, 4) # 2 s where nothing else runs
})

test_that("`add` draws into the plot that is there, and needs one", {
  drawn({
    plot(one, data = faithful)
    usr <- graphics::par("usr")
    shown <- plot(one, col = "red", add = TRUE)
    expect_identical(graphics::par("usr"), usr)
    expect_named(shown, c("x", "density"))
    expect_error(plot(fit, "pairs", add = TRUE), "one panel", class = "bijectr_error_argument")
  })
  while (grDevices::dev.cur() > 1) grDevices::dev.off()
  expect_error(plot(one, add = TRUE), "needs a plot", class = "bijectr_error_argument")
})

test_that("the condition is named, and matching rows alone are drawn", {
  data <- sized
  picture <- make_picture(given, "density", condition = list(eruptions = 2, size = "b"), data = data)
  near <- abs(data$eruptions - 2) <= sd(data$eruptions) / 4 & data$size == "b"
  expect_match(picture$note, "given eruptions = 2, size = b")
  expect_match(picture$note, paste0("data: ", sum(near), " of 272 rows with eruptions within 0.29"))
  bars <- items(picture, "bars")[[1]]
  expect_equal(bars$top, density_bars(data$waiting[near], picture$panels[[1]]$xlim)$density)
  none <- make_picture(given, "density", condition = list(eruptions = 3, size = "b"), data = data[data$eruptions > 4, ])
  expect_length(items(none, "bars"), 0)
  expect_match(none$note, "data: 0 of [0-9]+ rows")
})

test_that("axes have units and dates", {
  d <- structure(faithful$waiting, class = "difftime", units = "mins")
  timed <- fit_flow(list(wait = d), members = 1, steps = 5)
  expect_identical(make_picture(timed, "density")$panels[[1]]$xlab, "wait [mins]")
  day <- as.Date("2024-01-01") + round(10 * faithful$eruptions)
  dated <- fit_flow(data.frame(day = day, waiting = faithful$waiting), members = 1, steps = 5)
  picture <- make_picture(dated, "density", grid = 5)
  ticks <- picture$panels[[1]]$xticks
  expect_true(all(ticks$at >= picture$panels[[1]]$xlim[1]))
  expect_match(ticks$labels, "[A-Z0-9]")
  expect_silent(drawn(plot(dated, data = data.frame(day = day, waiting = faithful$waiting))))
})

test_that("a fan goes over numbers and levels, of one response and several, and of levels", {
  data <- sized
  shown <- drawn(plot(given, "fan", data = data))
  expect_identical(names(shown), c("eruptions", "5%", "25%", "50%", "75%", "95%"))
  expect_equal(shown[["50%"]], predict(given, data.frame(eruptions = shown$eruptions, size = "a"), "median"))
  over <- drawn(plot(given, "fan", over = "size", data = data))
  expect_identical(over$size, c("a", "b"))
  typical <- data.frame(eruptions = sort(data$eruptions)[136], size = over$size)
  expect_equal(over[["50%"]], predict(given, typical, "median"))
  expect_length(items(make_picture(given, "fan", over = "size", data = data, envir = environment()), "bars"), 2)
  both <- fit_flow(cbind(eruptions, waiting) ~ size, data, members = 1, steps = 5)
  picture <- make_picture(both, "fan", data = data, envir = environment())
  expect_length(picture$panels, 2)
  expect_length(picture$shown, 11)
  set.seed(3)
  classes <- fit_flow(Species ~ Petal.Width, iris, members = c("linear", "frequencies"))
  picture <- make_picture(classes, "fan", data = iris, envir = environment())
  expect_identical(names(picture$shown), c("Petal.Width", levels(iris$Species)))
  expect_equal(rowSums(picture$shown[-1]), rep(1, 101))
  expect_length(items(picture, "lines"), 3)
})

test_that("losses that are bounds are shown as these", {
  target <- fit_flow(function(x) -rowSums(x^2) / 2, d = 1, steps = 30)
  picture <- make_picture(target, "loss")
  expect_identical(picture$panels[[1]]$ylab, "ELBO (nats)")
  expect_identical(items(picture, "lines")[[1]]$y, -target$history$train)
  expect_identical(make_picture(fit, "loss")$panels[[1]]$ylab, "Loss: mean negative log density (nats)")
})

test_that("what has no room is told of", {
  deep <- flow(layer_repeat(layer_elementwise(scalar_affine()), 30), d = 2)
  expect_message(drawn(plot(deep, "layers", n = 20)), "24 of 30 layers")
  wide <- flow(layer_elementwise(scalar_affine()), d = 7)
  expect_message(drawn(plot(wide, n = 20)), "5 of 7 coordinates")
  expect_silent(drawn(plot(wide, n = 20, coordinates = 1:3)))
})

test_that("every picture is one of ggplot2, too", {
  skip_if_not_installed("ggplot2")
  built <- function(object, ...) {
    plot <- ggplot2::autoplot(object, ...)
    expect_s3_class(plot, "ggplot")
    drawn(print(plot))
    invisible(ggplot2::ggplot_build(plot))
  }
  data <- sized
  for (type in c("density", "samples", "pairs", "layers", "loss")) built(fit, type)
  for (type in c("density", "samples", "check", "survival")) built(one, type, data = faithful["waiting"])
  shown <- built(fit, data = faithful, grid = 20)
  expect_identical(nrow(shown$data[[1]]), 400L)
  expect_equal(nrow(shown$data[[3]]), 272)
  built(given, "fan", data = data)
  built(given, "fan", data = data, over = "size")
  built(given, condition = list(eruptions = 2, size = "b"), data = data)
  table <- fit_flow(iris, members = c("normal", "cells", "frequencies"))
  panels <- built(table, data = iris)
  expect_length(unique(panels$layout$layout$PANEL), 5)
  # the levels are named on the axis of their panel
  labels <- lapply(panels$layout$panel_params, function(p) p$x$get_labels())
  expect_true(any(vapply(labels, function(l) identical(as.vector(stats::na.omit(l)), levels(iris$Species)), NA)))
  built(table, "pairs")
  built(conditional(table, Species = "setosa"), coordinates = 1:2)
  built(check_flow(fit, faithful))
  built(suppressWarnings(compare_flows(a = fit, b = flow(layer_elementwise(scalar_affine()), 2), data = faithful)))
})

test_that("maps of pairs are each of their own two coordinates", {
  wide <- flow(layer_elementwise(scalar_affine()), d = 3)
  p <- params(wide)
  p$layers[[1]]$loc <- c(0, 100, 1000)
  params(wide) <- p
  picture <- make_picture(wide, "pairs", n = 400)
  for (k in c(2, 3, 6)) {
    panel <- picture$panels[[k]]
    map <- panel$items[[1]]$surface(panel$xlim, panel$ylim)
    mass <- sum(map$density) * diff(map$x[1:2]) * diff(map$y[1:2])
    expect_equal(mass, 1, tolerance = 0.15)
  }
})

test_that("lines and points have the widths, types, signs and sizes that are asked for", {
  picture <- picture_of(one, "density", data = faithful["waiting"], lwd = 5, lty = "dashed")
  line <- items(picture, "lines")[[1]]
  expect_identical(line[c("lwd", "lty")], list(lwd = 5, lty = "dashed"))
  picture <- picture_of(fit, "samples", data = faithful, pch = "x", cex = 2)
  for (points in items(picture, "points")) expect_identical(points[c("pch", "cex")], list(pch = "x", cex = 2))
  expect_s3_class(drawn(plot(given, "fan", data = sized, lwd = 3, pch = 3, cex = 0.5)), "data.frame")
  if (requireNamespace("ggplot2", quietly = TRUE)) {
    shown <- ggplot2::autoplot(fit, "samples", data = faithful, pch = "x", cex = 2)
    expect_identical(unique(ggplot2::layer_data(shown, 1)$shape), "x")
  }
  expect_error(plot(one, lwd = "a"), "`lwd` must be one number", class = "bijectr_error_argument")
  expect_error(plot(one, lty = "dashes"), "`lty` must be one whole number", class = "bijectr_error_argument")
  expect_error(plot(one, pch = 99), "`pch` must be", class = "bijectr_error_argument")
})
