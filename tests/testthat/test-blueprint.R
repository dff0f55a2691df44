# The two doors: what users have comes in as numbers, and results go out as the users know them.

set.seed(1)
table <- data.frame(a = rnorm(60), b = rexp(60))
table$c <- 0.5 * table$a + rnorm(60)
fit <- fit_flow(table[c("a", "b")], condition = table["c"], steps = 5, standardize = "scale")

test_that("matrices, data frames, vectors and columns in another order are the same points to the bit", {
  at <- logdensity(fit, table[c("a", "b")], table["c"])
  expect_identical(logdensity(fit, as.matrix(table[c("a", "b")]), table$c), at)
  expect_identical(logdensity(fit, unname(as.matrix(table[c("a", "b")])), as.matrix(table["c"])), at)
  expect_identical(logdensity(fit, table[c("b", "c", "a")], table[3:1]), at)
  expect_identical(logdensity(fit, as.matrix(table[c("b", "a")]), table$c), at)
  expect_identical(logdensity(fit, unlist(table[7, c("a", "b")]), table$c[7]), at[7])
  rows <- table[7:9, ]
  rownames(rows) <- c("x", "y", "z")
  expect_identical(logdensity(fit, as.matrix(rows[1:2]), rows["c"]), at[7:9])
})

test_that("whole numbers are numbers", {
  whole <- data.frame(b = 1:3, a = c(0L, 2L, -1L))
  as_double <- cbind(a = c(0, 2, -1), b = c(1, 2, 3))
  expect_identical(logdensity(fit, whole, 0L), logdensity(fit, as_double, 0))
  given <- c(0, 1, -1) # within the range of the fit
  expect_identical(inverse(fit, whole, as.integer(given)), inverse(fit, as_double, given))
})

test_that("a fit does not depend on the form of its data", {
  fitted <- function(data, condition) {
    set.seed(2)
    fit <- fit_flow(data, condition = condition, steps = 5)
    fit[c("params", "names", "codecs", "condition", "loglik", "reference")]
  }
  as_frame <- fitted(table[c("a", "b")], table["c"])
  expect_identical(fitted(as.matrix(table[c("a", "b")]), as.matrix(table["c"])), as_frame)
  expect_identical(fitted(as.matrix(table[c("a", "b")]), table["c"]), as_frame)
})

test_that("one row of conditions stands for all", {
  points <- table[1:4, 1:2]
  expect_identical(logdensity(fit, points, data.frame(c = 0.3)), logdensity(fit, points, rep(0.3, 4)))
  expect_identical(take_condition(fit, data.frame(c = 1L), 3), take_condition(fit, data.frame(c = c(1, 1, 1)), 3))
})

test_that("the blueprint of a fit says how its columns become numbers", {
  expect_identical(fit$names, c("a", "b"))
  expect_null(fit$codecs)
  expect_identical(fit$condition$names, "c")
  codec <- fit$condition$codecs[[1]]
  train <- table$c[fit$rows$train]
  expect_equal(c(codec$loc, codec$scale), c(mean(train), sd(train)))
  expect_equal(unlist(take_condition(fit, table["c"], 60)), (table$c - codec$loc) / codec$scale, ignore_attr = TRUE)
})

test_that("results have the names of the data whatever way they come out", {
  names <- c("a", "b")
  draws <- sample(fit, 2, condition = 0)
  expect_identical(colnames(draws), names)
  expect_identical(dim(sample(fit, 0, condition = 0)), c(0L, 2L))
  expect_identical(colnames(sample(fit, 0, condition = 0)), names)
  expect_identical(colnames(forward(fit, draws, 0)$value), names)
  expect_identical(colnames(inverse(fit, draws, 0)$value), names)
  expect_identical(colnames(predict(fit, draws, "latent", 0)), names)
  seen <- NULL
  target <- function(x) {
    seen <<- colnames(x)
    -rowSums(x^2)
  }
  expect_identical(colnames(importance_sample(fit, target, 100, condition = 0)$draws), names)
  expect_identical(seen, names)
  bare <- flow(layer_flip(), 2)
  expect_null(dimnames(sample(bare, 2)))
  expect_identical(dimnames(sample_imh(bare, target, size = 5))[[3]], c("x1", "x2"))
})

test_that("points are either form, and rows of both are the same", {
  x <- as.matrix(table)
  columns <- as.list(table)
  expect_identical(n_rows(columns), n_rows(x))
  expect_identical(n_columns(columns), n_columns(x))
  expect_identical(column_names(columns), column_names(x))
  expect_identical(rows_at(columns, 5:3), unclass(x[5:3, ]))
  expect_identical(rows_at(columns, 7), x[7, , drop = FALSE])
  expect_identical(all_rows(columns), x)
  expect_identical(column(columns, 2), column(x, 2))
  weights <- runif(60)
  expect_identical(row_moments(columns, 5:50, weights), row_moments(x, 5:50, weights))
  expect_null(rows_at(NULL, 1:2))
})

test_that("a data frame is not copied, a matrix neither", {
  skip_if_not(capabilities("profmem"))
  n <- 2e5
  f <- flow(layer_elementwise(scalar_affine()), d = 3)
  frame <- data.frame(x = rnorm(n), y = rnorm(n), z = rnorm(n))
  # what the core gives back and nothing else
  expect_length(copies(logdensity(f, frame), n), 1)
  matrix <- as.matrix(frame)
  expect_length(copies(logdensity(f, matrix), n), 1)
  expect_identical(logdensity(f, frame), logdensity(f, matrix))
  # whole numbers become doubles, one column
  frame$y <- seq_len(n)
  expect_length(copies(logdensity(f, frame), n), 2)
  # columns in another order are not moved
  f$names <- c("x", "y", "z")
  frame$y <- frame$x + 1
  expect_length(copies(logdensity(f, frame[3:1]), n), 1)
})

test_that("a fit does not copy the columns of its data", {
  skip_if_not(capabilities("profmem"))
  n <- 2e5
  frame <- as.data.frame(replicate(5, rnorm(n)))
  fit_to <- function(data) {
    fit_flow(data, layer_elementwise(scalar_affine()), standardize = "none", noise = 0, steps = 1, batch_size = 16)
  }
  # nothing that is made for all rows is a matrix of all columns
  expect_lt(max(copies(fit_to(frame), n)), 4 * 8 * n)
})

test_that("values that cannot be used are found in both forms", {
  for (value in c(NA, NaN, Inf, -Inf, 1.1e150, -1.1e150)) {
    x <- table
    x$b[4] <- value
    for (form in list(x, as.matrix(x))) expect_error(check_finite(as_table(form, "x"), "x"), "row 4, column b")
  }
  edge <- cbind(c(LARGEST, -LARGEST))
  expect_identical(check_finite(edge, "x"), edge)
  expect_identical(check_finite(edge[0, , drop = FALSE], "x"), edge[0, , drop = FALSE])
  expect_error(check_finite(list(a = c(1L, NA)), "x"), "row 2, column a is NA")
})

test_that("a new kind of column is a set of methods, and both doors know it", {
  local_fahrenheit()
  weather <- data.frame(rain = rexp(80), heat = 50 + 20 * rnorm(80))
  plain <- weather
  plain$heat <- (weather$heat - 32) / 1.8
  weather$heat <- fahrenheit(weather$heat)
  set.seed(3)
  fit <- fit_flow(weather, steps = 5)
  set.seed(3)
  celsius <- fit_flow(plain, steps = 5)
  expect_identical(fit$params, celsius$params)
  expect_identical(logdensity(fit, weather), logdensity(celsius, plain))
  expect_error(logdensity(fit, plain),
    "Column heat of `newdata` must be in degrees Fahrenheit",
    class = "bijectr_error_argument"
  )
  set.seed(4)
  draws <- sample(fit, 3)
  expect_s3_class(draws, "data.frame")
  expect_s3_class(draws$heat, "fahrenheit")
  set.seed(4)
  expect_equal(cbind(draws$rain, encode(fit$codecs[[2]], draws$heat)), unname(as.matrix(sample(celsius, 3))))
  # on the base side there are no columns of the user's
  expect_identical(inverse(fit, weather), inverse(celsius, plain))
  expect_identical(predict(fit, weather, "latent"), predict(celsius, plain, "latent"))
  latent <- inverse(fit, weather)$value
  expect_equal(forward(fit, latent)$value$heat, weather$heat)
  # training goes on from there
  set.seed(5)
  more <- fit_flow(weather, fit, steps = 2)
  set.seed(5)
  expect_identical(more$params, fit_flow(plain, celsius, steps = 2)$params)
  expect_identical(more$codecs, fit$codecs)
})
