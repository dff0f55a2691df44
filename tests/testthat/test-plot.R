set.seed(1)
layers <- masked_autoregressive_flow(scalar_rq_spline(knots = 4), flow_layers = 4, nn_width = 8)
fit <- fit_flow(faithful, layers, steps = 20)
one <- fit_flow(faithful["waiting"], layer_elementwise(scalar_rq_spline(knots = 4)), steps = 20)
given <- fit_flow(faithful["eruptions"], condition = faithful["waiting"], steps = 5)
three <- flow(coupling_flow(flow_layers = 2), d = 3)

test_that("the density of one coordinate", {
  shown <- drawn(plot(one))
  expect_named(shown, c("x", "density"))
  expect_equal(shown$density, exp(logdensity(one, shown$x)))
  # the shown range holds nearly all of the distribution
  expect_gt(sum(shown$density) * diff(shown$x[1:2]), 0.95)
  shown <- drawn(plot(one, data = faithful, xlim = c(0, 200), main = "title"))
  expect_equal(range(shown$x), c(0, 200))
})

test_that("the density of two coordinates covers the plot and the data", {
  shown <- drawn(plot(fit, data = faithful, grid = 20))
  expect_identical(dim(shown$density), c(20L, 20L))
  expect_equal(shown$density[3, 5], exp(logdensity(fit, c(shown$x[3], shown$y[5]))))
  expect_true(all(range(shown$x)[1] < faithful$eruptions & faithful$eruptions < range(shown$x)[2]))
  expect_true(all(range(shown$y)[1] < faithful$waiting & faithful$waiting < range(shown$y)[2]))
})

test_that("regions hold the share of draws that their line says", {
  set.seed(2)
  density <- exp(logdensity(fit, sample(fit, 4000)))
  levels <- region_levels(density, c(0.5, 0.9))
  expect_named(levels, c("50%", "90%"))
  expect_equal(mean(density > levels[1]), 0.5, tolerance = 0.01)
  expect_equal(mean(density > levels[2]), 0.9, tolerance = 0.01)
})

test_that("samples, pairs and conditions", {
  expect_identical(dim(drawn(plot(fit, "samples", n = 50, data = faithful))), c(50L, 2L))
  expect_identical(dim(drawn(plot(one, "samples", n = 50, data = faithful))), c(50L, 1L))
  expect_identical(dim(drawn(plot(three, n = 50))), c(50L, 3L))
  expect_identical(dim(drawn(plot(fit, "pairs", n = 50, data = faithful, main = "title"))), c(50L, 2L))
  expect_identical(dim(drawn(plot(one, "pairs", n = 50))), c(50L, 1L))
  expect_identical(dim(drawn(plot(three, n = 50, coordinates = c(3, 1)))), c(50L, 2L))
  expect_s3_class(drawn(plot(given, condition = 60)), "data.frame")
  expect_error(drawn(plot(given)), "`condition` is missing")
  expect_error(drawn(plot(given, condition = c(50, 60))), "`condition` must be one row for a plot, not 2")
})

test_that("the loss is shown for fits, also without validation", {
  expect_identical(drawn(plot(fit, "loss")), fit$history)
  expect_s3_class(drawn(plot(fit_flow(faithful, steps = 3, validation = 0), "loss")), "data.frame")
  expect_error(drawn(plot(three, "loss")), "`type` must be one of")
})

test_that("the layers: a panel for the base and each layer that is not a permutation", {
  stages <- drawn(plot(fit, "layers", n = 40))
  expect_length(stages, 6)
  expect_equal(as.matrix(forward(fit, stages[[1]])$value), stages[[6]], ignore_attr = TRUE)
  expect_length(drawn(plot(one, "layers", n = 40)), 3)
  expect_length(drawn(plot(three, "layers", n = 40, coordinates = 2:3)), 3)
  deep <- flow(coupling_flow(flow_layers = 40), d = 2)
  expect_message(expect_length(drawn(plot(deep, "layers", n = 20)), 25), "24 of 40")
  expect_error(drawn(plot(three, "layers", coordinates = 1:3)), "one or two")
})

test_that("a prefix of a flow is its first layers with their parameters", {
  set.seed(1)
  f <- flow(coupling_flow(flow_layers = 3), d = 3, base = base_normal(trainable = TRUE))
  params(f) <- rnorm(length(coef(f)))
  expect_equal(prefix_flow(f, 6), f)
  head <- prefix_flow(f, 4)
  expect_identical(params(head)$layers, params(f)$layers[1:4])
  expect_identical(params(head)$base, params(f)$base)
  x <- matrix(rnorm(6), 2)
  expect_equal(forward(prefix_flow(f, 0), x)$value, x)
  expect_s3_class(prefix_flow(fit, 3), "bijectr_flow", exact = TRUE)
})

test_that("graphical parameters are what they were", {
  drawn({
    before <- par(no.readonly = TRUE)
    plot(three, n = 50)
    plot(fit, "layers", n = 50)
    same <- c("mfrow", "mar", "oma", "mgp")
    expect_identical(par(no.readonly = TRUE)[same], before[same])
  })
})

test_that("heavy tails, bounded supports and flat densities can be drawn", {
  heavy <- flow(layer_elementwise(scalar_affine()), d = 1, base = base_student_t(0.5))
  expect_no_error(drawn(plot(heavy)))
  expect_no_error(drawn(plot(heavy, "samples")))
  positive <- flow(layer_elementwise(scalar_exp()), d = 2)
  expect_no_error(drawn(plot(positive)))
  flat <- flow(layer_elementwise(scalar_affine()), d = 2, base = base_uniform())
  expect_no_error(drawn(plot(flat)))
})

test_that("errors name the argument", {
  expect_error(drawn(plot(fit, "densities")), "`type` must be one of")
  expect_error(drawn(plot(fit, data = data.frame(a = 1))), "`data` lacks the columns eruptions and waiting")
  expect_error(drawn(plot(fit, n = 1)), "`n` must be at least 10")
  expect_error(drawn(plot(fit, xlim = 3)), "`xlim` must be two different finite numbers, not 3")
  expect_error(drawn(plot(fit, "pairs", coordinates = "a")), "`coordinates` must be names or numbers of the 2")
})

test_that("data of one row, of none, and limits in either order", {
  expect_type(drawn(plot(fit, data = faithful[1, ], grid = 20)), "list")
  expect_s3_class(drawn(plot(one, data = faithful$waiting[1])), "data.frame")
  expect_error(drawn(plot(fit, data = faithful[0, ])), "`data` has no rows")
  set.seed(3)
  reversed <- drawn(plot(fit, xlim = c(6, 1), ylim = c(100, 40), grid = 20))
  set.seed(3)
  expect_equal(reversed, drawn(plot(fit, xlim = c(1, 6), ylim = c(40, 100), grid = 20)))
  expect_error(drawn(plot(fit, asp = "a")), "`asp` must be one number", class = "bijectr_error_argument")
  expect_type(drawn(plot(fit, asp = NA, grid = 20)), "list")
})

test_that("draws that cannot be drawn are left out and told of, once; without any there is an error", {
  set.seed(5)
  some <- function(d) exploding_flow(d, 0, 400)
  for (d in 1:3) {
    for (type in c("density", "samples", "pairs", "layers")) {
      f <- some(d)
      draws <- suppressWarnings(sample(f, 1000))
      info <- paste(type, d)
      expect_true(any(!is.finite(draws)) && any(rowSums(is.finite(draws)) == d), info = info)
      expect_warning(drawn(plot(f, type, grid = 20)), "of [15]000 draws are not finite", class = "bijectr_warning_plot")
      expect_error(drawn(plot(exploding_flow(d, 1000, 1), type)), "nothing to show", class = "bijectr_error_argument")
    }
  }
  expect_warning(animate_layers(some(2), tempfile()), class = "bijectr_warning_plot")
  expect_error(drawn(plot(huge_flow())), "nothing to show: 5000 of 5000 draws", class = "bijectr_error_argument")
})

test_that("a device without room is the error, and graphical parameters are set back", {
  small <- function(code, ...) {
    grDevices::pdf(NULL, width = 0.3, height = 0.3)
    on.exit(grDevices::dev.off())
    force(code)
  }
  for (type in c("density", "samples", "layers", "loss")) {
    expect_error(small(plot(fit, type)), "not fit on the graphics device",
      class = "bijectr_error_argument", info = type
    )
  }
  small({
    before <- par("mar", "mfrow", "oma")
    try(plot(fit, "layers"), silent = TRUE)
    expect_identical(par("mar", "mfrow", "oma"), before)
  })
})

test_that("colours and forms of conditions", {
  for (bad in list("notacolor", c("red", "notacolor"), list("red"), character(), -1, mean)) {
    expect_error(drawn(plot(fit, colors = bad)), "`colors` must be colors", class = "bijectr_error_argument")
  }
  expect_type(drawn(plot(fit, colors = c("white", NA, "#FF0000"), grid = 10)), "list")
  several <- fit_flow(waiting ~ eruptions + size, transform(faithful, size = rep(c("a", "b", "c", "d"), 68)), steps = 2)
  one_row <- list(eruptions = 3, size = "b")
  expect_identical(dim(sample(several, 2, one_row)), c(2L, 1L))
  set.seed(1)
  as_list <- drawn(plot(several, condition = one_row))
  set.seed(1)
  expect_identical(drawn(plot(several, condition = as.data.frame(one_row))), as_list)
  expect_error(drawn(plot(several, condition = list(eruptions = 3:4, size = c("b", "c")))), "one row for a plot, not 2")
})
