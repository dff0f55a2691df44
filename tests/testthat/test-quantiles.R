# Quantiles of rows and of draws, which summary() shows.

set.seed(1)
one <- fit_flow(faithful, steps = 100)

test_that("a fit has the quantiles of its training rows and of draws", {
  train <- faithful[one$rows$train, ]
  known <- one$quantiles
  expect_identical(known$n, length(one$rows$train))
  expect_equal(c(known$drawn, known$broken), c(10000, 0))
  for (j in 1:2) expect_equal(known$data[, j], unname(quantile(train[[j]], QUANTILE_SHARES, type = 5)))
  draws <- with_seed(1, points_drawn(one, 10000, NULL))
  for (j in 1:2) expect_equal(known$draws[, j], unname(quantile(draws[, j], QUANTILE_SHARES, type = 5)))
  s <- summary(one)$quantiles
  expect_named(s, c("data", "draws", "far", "n", "drawn", "broken"))
  expect_identical(rownames(s$draws), c("0 %", "1 %", "25 %", "50 %", "75 %", "99 %", "100 %"))
  expect_identical(s$data$waiting, known$data[, 2])
  expect_identical(s$far, c(eruptions = FALSE, waiting = FALSE))
  text <- capture.output(print(summary(one)))
  expect_match(text, "Quantiles of 231 training rows and of 10,000 draws, whose ends", fixed = TRUE, all = FALSE)
  expect_false(any(grepl("times as far", text)))
  expect_true(all(nchar(text) <= 80))
})

test_that("a stack has them too, and R's generator stays as it was", {
  set.seed(2)
  stack <- fit_flow(trees, members = c("normal", "student_t"))
  expect_identical(stack$quantiles$n, 31L)
  expect_equal(stack$quantiles$data[7, ], unname(apply(trees, 2, max)))
  expect_equal(stack$quantiles$draws[4, ], unname(apply(trees, 2, mean)), tolerance = 0.1)
  expect_output(print(summary(stack)), "Girth +rows +8.3")
  set.seed(3)
  first <- fit_quantiles(stack, as.matrix(trees), NULL, NULL, 1:31)
  after <- runif(1)
  set.seed(3)
  expect_identical(after, runif(1))
  expect_identical(first, stack$quantiles)
})

test_that("draws of conditional fits are at the conditions of the rows, as often as their weights say", {
  set.seed(4)
  x <- c(rep(0, 100), rep(10, 100))
  y <- x + rnorm(200)
  w <- rep(c(1, 3), each = 100)
  # the truth: a line with normal errors, of conditions that the fit standardises
  line <- flow(list(layer_additive_condition()), d = 1, d_condition = 1)
  line["params"] <- list(sqrt(18.75))
  y <- y - 7.5
  fit <- fit_flow(y, line,
    condition = x, weights = w, standardize = "none", steps = 1, learning_rate = 1e-9, noise = 0, validation = 0
  )
  stack <- fit_flow(y ~ x, weights = w, members = "normal")
  for (one in list(stack, fit)) {
    # a quarter is near 0, three quarters near 10
    expect_equal(one$quantiles$draws[c(2, 4:6)], one$quantiles$data[c(2, 4:6)], tolerance = 0.1)
    expect_gt(one$quantiles$draws[4], 1)
    expect_lt(one$quantiles$draws[1], -7.5)
  }
  expect_identical(tabulate(spread_rows(3, c(1, 2, 1), 8), 3), c(2L, 4L, 2L))
  expect_identical(tabulate(spread_rows(4, NULL, 8), 4), rep(2L, 4))
  expect_identical(spread_rows(3, c(0, 0, 1), 2), c(3, 3))
})

test_that("rows count by their weights, and those without weight not at all", {
  set.seed(5)
  weights <- rep(c(0, 1, 3), length.out = 272)
  fit <- fit_flow(faithful, weights = weights, steps = 3)
  used <- intersect(fit$rows$train, which(weights > 0))
  expect_identical(fit$quantiles$n, length(used))
  expect_equal(range(fit$quantiles$data[, 2]), range(faithful$waiting[used]))
  expect_equal(
    fit$quantiles$data[, 1], weighted_quantile(faithful$eruptions[used], QUANTILE_SHARES, weights[used])
  )
})

test_that("they are shown in the classes of the columns, within supports", {
  set.seed(6)
  start <- as.Date("2020-01-01")
  data <- data.frame(day = start + runif(200, 0, 300), wait = as.difftime(rexp(200), units = "mins"))
  fit <- fit_flow(data, support = list(wait = positive()), steps = 50)
  s <- summary(fit)$quantiles
  expect_s3_class(s$data$day, "Date")
  expect_s3_class(s$draws$wait, "difftime")
  expect_true(all(s$draws$wait > 0))
  text <- capture.output(print(summary(fit)))
  expect_match(text, "day rows +2020-0", all = FALSE)
  expect_match(text, " mins", all = FALSE)
  whole <- fit_flow(rexp(200), support = bounded(0, 20), steps = 20)$quantiles
  expect_true(all(whole$draws >= 0 & whole$draws <= 20))
})

test_that("draws far beyond the rows are marked, and what it means is said", {
  wild <- flow(layer_elementwise(scalar_chain(list(scalar_sinh(), scalar_sinh(), scalar_sinh()))), d = 1)
  set.seed(7)
  x <- forward(wild, qnorm(runif(500, 0.02, 0.98)))$value
  expect_warning(fit <- fit_flow(x, wild, standardize = "none", steps = 1, learning_rate = 1e-6, noise = 0), NA)
  s <- summary(fit)
  expect_identical(unname(s$quantiles$far), TRUE)
  text <- capture.output(print(s))
  expect_match(text, "* draws", fixed = TRUE, all = FALSE)
  expect_match(text, "* Draws go more than 10 times as far from the median as any row", fixed = TRUE, all = FALSE)
  # the rule: of as many draws as rows ten times the furthest row, of more draws further
  rows <- c(seq(-1, 1, length.out = 99), 3)
  expect_equal(reach_of_draws(rows, NULL, 100), 10 * (3 - median(rows)))
  away <- sort(abs(rows - median(rows)), decreasing = TRUE)
  expect_equal(reach_of_draws(rows, NULL, 1e4), 10 * away[1] * 100^tail_exponent(away))
  expect_equal(reach_of_draws(c(-1, 0, 1), NULL, 300), 10 * 10)
  expect_identical(reach_of_draws(c(2, 2, 2), NULL, 300), Inf)
  # not those of heavy tails that the rows have
  expect_lt(mean(replicate(200, max(abs(rcauchy(10000))) > reach_of_draws(rcauchy(300), NULL, 10000))), 0.1)
})

test_that("draws that are no numbers, or cannot be made, are told and cost nothing else", {
  drawn_by <- function(draw) {
    registerS3method("points_drawn", "test_draws", draw, asNamespace("bijectr"))
    fit_quantiles(structure(unclass(one), class = c("test_draws", class(one))), as.matrix(faithful), NULL, NULL, 1:272)
  }
  none <- one
  none$quantiles <- drawn_by(function(object, n, condition) stop("no inverse"))
  expect_identical(none$quantiles$drawn, 0L)
  expect_output(print(summary(none)), "Draws cannot be made")
  none$quantiles <- drawn_by(function(object, n, condition) matrix(c(Inf, NaN, rnorm(2 * n - 2)), n))
  expect_identical(none$quantiles$broken, 2L)
  expect_output(print(summary(none)), "2 of the draws are no finite numbers")
  none$quantiles <- drawn_by(function(object, n, condition) matrix(NaN, n, 2))
  expect_output(print(summary(none)), "10,000 of the draws are no finite numbers")
})

test_that("many columns are shown in part, marked ones first", {
  set.seed(8)
  fit <- fit_flow(matrix(rnorm(200 * 13), 200), layer_triangular_affine(), steps = 2)
  fit$quantiles$reach[13] <- 1e-3
  text <- capture.output(print(summary(fit)))
  expect_match(text, "x13 rows", fixed = TRUE, all = FALSE)
  expect_match(text, "and 3 more columns", all = FALSE)
  expect_false(any(grepl("x10 rows", text, fixed = TRUE)))
})

test_that("draws that take long are fewer", {
  small <- flow(continuous_flow(field_mlp(4)), d = 2)
  expect_identical(quantile_draws(small, 200), QUANTILE_LEAST)
  expect_identical(quantile_draws(flow(layer_flip(), d = 2), 200), QUANTILE_DRAWS)
  expect_identical(quantile_draws(flow(layer_flip(), d = 2), 16000), 16000)
  expect_identical(quantile_draws(flow(layer_flip(), d = 100), 200), 5000)
})

test_that("resume() computes them again, and fits without data have none", {
  set.seed(9)
  fit <- fit_flow(faithful, steps = 5)
  more <- suppressMessages(resume(fit, steps = 50))
  expect_identical(more$quantiles$data, fit$quantiles$data)
  expect_false(identical(more$quantiles$draws, fit$quantiles$draws))
  target <- fit_flow(function(x) -rowSums(x^2) / 2, layer_triangular_affine(), d = 2, steps = 3, evaluate = 0)
  expect_null(target$quantiles)
  expect_null(summary(target)$quantiles)
})

test_that("fits of before read, damaged ones are refused", {
  old <- structure(unclass(one)[setdiff(names(one), "quantiles")], class = class(one))
  expect_null(summary(old)$quantiles)
  expect_false(any(grepl("Quantiles", capture.output(print(summary(old))))))
  damaged <- function(field, value) {
    bad <- one
    bad$quantiles[[field]] <- value
    expect_error(summary(bad), "quantiles.* is damaged", class = "bijectr_error_argument")
  }
  damaged("data", one$quantiles$data[1:3, ])
  damaged("draws", "x")
  damaged("reach", c(NA, 1))
  damaged("n", NULL)
  bad <- one
  bad$quantiles <- 3
  expect_error(summary(bad), "quantiles", class = "bijectr_error_argument")
  bad$quantiles <- one$quantiles
  for (field in c("data", "draws")) bad$quantiles[[field]] <- bad$quantiles[[field]][, 1, drop = FALSE]
  bad$quantiles$reach <- 1
  expect_error(summary(bad), "quantiles", class = "bijectr_error_argument")
})
