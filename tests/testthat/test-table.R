# What is computed of tables where they lie, and of some of their rows.

test_that("ranges, rows and the other rows are those of R, for matrices and lists, numbers and whole numbers", {
  set.seed(1)
  frame <- list(a = rnorm(50), b = sample.int(9L, 50, TRUE), c = rexp(50))
  matrix <- cbind(a = frame$a, c = frame$c)
  rows <- c(7L, 3L, 50L, 3L)
  weights <- rep(c(0, 1, 2), length.out = 50)
  expect_identical(native_ranges(frame), unname(vapply(frame, function(x) as.double(range(x)), c(0, 0))))
  expect_identical(native_ranges(matrix, rows), unname(apply(matrix[rows, ], 2, range)))
  kept <- setdiff(rows, which(weights == 0))
  expect_identical(native_ranges(matrix, rows, weights), unname(apply(matrix[kept, ], 2, range)))
  expect_identical(native_ranges(matrix, integer()), matrix(c(Inf, -Inf), 2, 2))
  expect_identical(rows_at(matrix, rows), matrix[rows, ])
  expect_identical(rows_at(frame, as.double(rows)), as.matrix(as.data.frame(frame))[rows, ])
  expect_identical(rows_at(unname(frame), 1:2), unname(as.matrix(as.data.frame(frame))[1:2, ]))
  center <- c(1, 1 / 3)
  scale <- c(0.1, 3)
  by_hand <- (matrix[rows, ] - rep(center, each = 4)) / rep(scale, each = 4)
  expect_identical(rows_at(matrix, rows, center, scale), by_hand)
  expect_null(rows_at(NULL, 1:2))
  expect_identical(native_other_rows(10, c(2L, 9L, 2L)), setdiff(1:10, c(2L, 9L)))
  expect_identical(native_other_rows(3, integer()), 1:3)
  for (x in list(frame$a, frame$b)) expect_identical(native_rows_within(x, 0.5, 4), which(x >= 0.5 & x <= 4))
})

test_that("rows that are not there, and other things than numbers, are errors", {
  x <- cbind(1:3 + 0, 4:6)
  for (rows in list(0L, 4L, -1, NA, NA_integer_, NaN, Inf)) {
    expect_error(native_rows_at(x, rows), "row", class = "bijectr_error_core")
    expect_error(native_ranges(x, rows), "row", class = "bijectr_error_core")
    expect_error(native_other_rows(3, rows), "row", class = "bijectr_error_core")
  }
  expect_error(native_ranges(list("a")), "numbers", class = "bijectr_error_core")
  expect_error(native_ranges(list(1, 1:2)), "length", class = "bijectr_error_core")
  expect_error(native_rows_at(x, 1, 1, c(1, 1)), "center", class = "bijectr_error_core")
})

test_that("rows without a density are counted over slices, and the first is told", {
  f <- flow(list(layer_elementwise(scalar_support(0, 1))), d = 2)
  x <- matrix(0.5, 70000, 2)
  expect_identical(native_rows_without_density(f, x, NULL, NULL), c(0, NA, NA))
  x[c(66000, 69999), 1] <- 2
  expect_identical(native_rows_without_density(f, list(x[, 1], x[, 2]), NULL, NULL), c(2, 66000, -Inf))
  weights <- rep(1, 70000)
  weights[66000] <- 0
  expect_identical(native_rows_without_density(f, x, NULL, weights), c(1, 69999, -Inf))
})

test_that("of many rows so many are looked at, over all of them and by weight", {
  look <- look_at_rows(1:1000, NULL, 1000)
  expect_identical(look[c("rows", "all")], list(rows = 1:1000, all = TRUE))
  look <- look_at_rows(seq(10, 2e6, by = 10), NULL, 1000)
  expect_length(look$rows, 1000)
  expect_false(look$all)
  expect_identical(anyDuplicated(look$rows), 0L)
  expect_true(all(look$rows %% 10 == 0))
  # one in each stretch, at no fixed place of it: months do not fall out
  expect_identical(as.integer(ceiling(look$rows / 2000)), 1:1000)
  months <- look_at_rows(seq_len(12 * 1000), NULL, 1000)$rows %% 12
  expect_true(all(table(months) > 60 & table(months) < 110) && length(table(months)) == 12)
  # by weight: a row of a tenth of the weight is a tenth of the rows, those without are none
  weights <- c(0, 1000, rep(1, 9000))
  look <- look_at_rows(1:9002, weights, 50)
  expect_identical(sum(look$rows == 2), 5L)
  expect_false(1 %in% look$rows)
  expect_null(look$weights)
  # rows that count as few are all looked at
  look <- look_at_rows(1:9002, weights, 1000)
  expect_identical(look, list(rows = 2:9002, weights = weights, all = TRUE))
})

test_that("scales of many rows are those of all, and what is refused is refused for all", {
  set.seed(2)
  n <- 40000
  x <- cbind(rnorm(n, 3, 2), 0)
  x[, 2] <- x[, 1] + rnorm(n)
  found <- center_and_root(x, seq_len(n), NULL, "whiten")
  expect_equal(found$center, colMeans(x), tolerance = 0.02)
  expect_equal(found$root %*% t(found$root), cov(x), tolerance = 0.05, ignore_attr = TRUE)
  # equal but in one row
  copy <- cbind(a = x[, 1], b = x[, 1])
  copy[777, 2] <- 1e4
  expect_no_error(center_and_root(copy, seq_len(n), NULL, "whiten"))
  copy[777, 2] <- copy[777, 1]
  expect_error(center_and_root(copy, seq_len(n), NULL, "whiten"), "linear function", class = "bijectr_error_argument")
})

test_that("a few rows far out are found among many, and fitted with a tail", {
  set.seed(3)
  n <- 50000
  x <- c(rnorm(n - 15), runif(15, 1e3, 1e5))
  layer <- tail_layer(cbind(x), seq_len(n), NULL, center_and_root(cbind(x), seq_len(n), NULL, "auto"))
  expect_s3_class(layer$scalar[[1]], "bijectr_scalar_tail")
  fit <- fit_flow(x, steps = 500)
  expect_gt(mean(logdensity(fit, x)), -3)
  few <- c(rnorm(16000), 1e3, 4e3, 8e3)
  expect_gt(mean(logdensity(fit_flow(few, steps = 500), few)), -3)
})

test_that("copies are found in large tables however they stand", {
  set.seed(4)
  half <- matrix(rnorm(2e5), 1e5)
  for (table in list(rbind(half, half), half[rep(1:1e5, each = 2), ])) {
    expect_warning(fit_flow(table, steps = 1), class = "bijectr_warning_duplicates")
  }
  expect_no_warning(fit_flow(rbind(half, matrix(rnorm(2e5), 1e5)), steps = 1), class = "bijectr_warning_duplicates")
})

test_that("a column that varies in few of many rows is fitted, whatever stands beside it", {
  set.seed(5)
  n <- 40000
  for (beside in list(rnorm(n), rcauchy(n))) {
    few <- data.frame(x = replace(numeric(n), c(5, 20000, 39000), c(1, 2, 3)), beside)
    expect_no_error(fit <- suppressWarnings(fit_flow(few, steps = 2, validation = 6:100)))
    expect_true(is.finite(fit$loglik))
  }
})

test_that("a time limit is seen while rows are looked through", {
  f <- flow(masked_autoregressive_flow(flow_layers = 30), 2)
  x <- rep(0.5, 4e6)
  x <- list(x, x)
  limited <- function() {
    setTimeLimit(elapsed = 0.1, transient = TRUE)
    on.exit(setTimeLimit())
    native_rows_without_density(f, x, NULL, NULL)
  }
  expect_error(limited(), "elapsed time limit")
})
