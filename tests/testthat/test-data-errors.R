# Every input that cannot be used: one clear error that names the argument and the place.

set.seed(1)
fit <- fit_flow(faithful, steps = 2)
given <- fit_flow(faithful["eruptions"], condition = faithful["waiting"], steps = 2)

# Every text must be in the message, whatever its line breaks. What a type is called is left to cli.
expect_argument_error <- function(code, ...) {
  problem <- expect_error(code, class = "bijectr_error_argument")
  message <- gsub("\\s+", " ", paste(conditionMessage(problem), collapse = " "))
  for (text in c(...)) expect_match(message, text, fixed = TRUE)
}

with_value <- function(value, row = 3, column = "waiting") {
  x <- faithful
  x[row, column] <- value
  x
}

test_that("data of the wrong type", {
  expect_argument_error(
    fit_flow(data.frame(a = 1:3, b = complex(3), c = list2DF(list(u = 1:3)))),
    "Column b of `data` must be numeric, not "
  )
  expect_argument_error(fit_flow(data.frame(a = 1:3, c = TRUE)), "Column c of `data` has one level in these rows")
  expect_argument_error(fit_flow(data.frame(a = 1:3, b = I(list(1, 2, 3)))), "Column b of `data` must be numeric, not ")
  expect_argument_error(
    fit_flow(data.frame(a = 1:3, b = I(matrix(1:6, 3)))),
    "Column b of `data` must be numeric, not "
  )
  expect_argument_error(fit_flow("a"), "`data` must have at least two rows, not 1.")
  expect_argument_error(fit_flow(list(1, 2)), "`data` must have at least two rows, not 1.")
  expect_argument_error(fit_flow(list(a = 1:3, b = 1:2)), "The columns of `data` must have one length, not 2 and 3.")
  expect_argument_error(fit_flow(list()), "`data` has no columns.")
  expect_argument_error(fit_flow(NULL), "`data` must be a numeric matrix, data frame or vector, not ")
  expect_argument_error(fit_flow(c(TRUE, FALSE)), "has a level of its own in every row")
  expect_argument_error(fit_flow(matrix("a", 2, 2)), "`data` must be a numeric matrix, data frame or vector, not ")
  expect_argument_error(fit_flow(complex(3)), "`data` must be a numeric matrix, data frame or vector, not ")
  expect_argument_error(fit_flow(array(1, c(2, 2, 2))), "`data` must have two dimensions, not 3.")
})

test_that("64-bit integers are not read as doubles", {
  x <- data.frame(a = 1:3, b = 1:3)
  x$b <- structure(c(1, 2, 3), class = "integer64")
  expect_error(fit_flow(x), "Column b of `data` must be numeric")
})

test_that("values that cannot be used: argument, row and column", {
  expect_argument_error(
    fit_flow(with_value(NA)),
    "`data` has a value that cannot be used: row 3, column waiting is NA."
  )
  expect_argument_error(
    fit_flow(with_value(NaN)),
    "`data` has a value that cannot be used: row 3, column waiting is NaN."
  )
  expect_argument_error(
    fit_flow(with_value(-Inf)),
    "`data` has a value that cannot be used: row 3, column waiting is -Inf."
  )
  expect_argument_error(
    fit_flow(with_value(1e200)),
    "`data` has a value that cannot be used: row 3, column waiting is 1e+200 (too large)."
  )
  expect_argument_error(
    fit_flow(with_value(c(NA, Inf), row = 3:4)),
    "`data` has a value that cannot be used: row 3, column waiting is NA.",
    "2 values are missing, not finite or larger than 1e+150."
  )
  expect_argument_error(
    fit_flow(unname(as.matrix(with_value(NA)))),
    "`data` has a value that cannot be used: row 3, column 2 is NA."
  )
  expect_argument_error(fit_flow(c(1, NA, 3)), "`data` has a value that cannot be used: row 2, column 1 is NA.")
})

test_that("too little data", {
  expect_argument_error(fit_flow(faithful[0, ]), "`data` must have at least two rows, not 0.")
  expect_argument_error(fit_flow(faithful[1, ]), "`data` must have at least two rows, not 1.")
  expect_argument_error(fit_flow(faithful[, 0]), "`data` has no columns.")
  expect_argument_error(fit_flow(numeric()), "`data` must have at least two rows, not 0.")
  expect_argument_error(fit_flow(5), "`data` must have at least two rows, not 1.")
  expect_argument_error(fit_flow(cbind(faithful, level = 1)), "Column level of `data` is constant: it has no density.")
  expect_argument_error(fit_flow(rep(3, 10)), "Column 1 of `data` is constant: it has no density.")
})

test_that("large values that can still be used are used", {
  large <- fit_flow(faithful * 1e100, steps = 2)
  expect_true(is.finite(logLik(large)))
  small <- fit_flow(faithful * 1e-100, steps = 2)
  expect_true(is.finite(logLik(small)))
  far <- fit_flow(faithful + 1e9, steps = 2)
  expect_true(is.finite(logLik(far)))
})

test_that("integer columns and odd classes of numbers are numbers", {
  whole <- data.frame(a = 1:20, b = I(as.numeric(20:1)^2))
  expect_s3_class(fit_flow(whole, steps = 2), "bijectr_fit")
  expect_s3_class(fit_flow(as.matrix(1:20), steps = 2), "bijectr_fit")
})

test_that("points that do not fit the flow", {
  expect_argument_error(logdensity(fit), "`newdata` is missing.")
  expect_argument_error(logdensity(fit, "a"), "`newdata` must be a numeric matrix, data frame or vector, not ")
  expect_argument_error(logdensity(fit, NULL), "`newdata` must be a numeric matrix, data frame or vector, not ")
  expect_argument_error(logdensity(fit, list(1, "a")), "Column 2 of `newdata` must be numeric, not ")
  expect_argument_error(
    logdensity(fit, data.frame(eruptions = 1)),
    "`newdata` lacks the column waiting.", "It has eruptions."
  )
  expect_argument_error(
    logdensity(fit, data.frame(eruption = 1, waiting = 2)),
    "`newdata` lacks the column eruptions.", "It has eruption: is that the one?"
  )
  expect_argument_error(
    logdensity(fit, data.frame(a = 1, b = 2)),
    "`newdata` lacks the columns eruptions and waiting.", "It has a and b."
  )
  expect_argument_error(
    logdensity(fit, data.frame(eruptions = 1, waiting = "a")),
    "Column waiting of `newdata` must be numeric, not "
  )
  expect_argument_error(logdensity(fit, matrix(1, 1, 3)), "`newdata` must have 2 columns, one a coordinate, not 3.")
  expect_argument_error(
    logdensity(fit, 1:3),
    "`newdata` must have 2 columns, one a coordinate, or be 2 numbers for one row, not 3 numbers."
  )
  expect_argument_error(
    logdensity(fit, with_value(c(NA, Inf), row = 3:4)),
    "`newdata` has a value that cannot be used: row 4, column waiting is Inf."
  )
  expect_argument_error(
    logdensity(fit, c(1, Inf)),
    "`newdata` has a value that cannot be used: row 1, column 2 is Inf."
  )
  expect_argument_error(
    forward(fit, c(1, 1e200)),
    "`x` has a value that cannot be used: row 1, column 2 is 1e+200 (too large)."
  )
  expect_argument_error(inverse(fit, matrix(1, 1, 1)), "`x` must have 2 columns, one a coordinate, not 1.")
})

test_that("conditions that do not fit the flow", {
  expect_argument_error(
    logdensity(fit, faithful, condition = 1),
    "`condition` was given, but the flow has no conditioning variables."
  )
  expect_argument_error(logdensity(given, 1:3), "`condition` is missing: the flow is conditional on 1 variable.")
  expect_argument_error(
    logdensity(given, 1:3, condition = c(60, 70)),
    "`condition` must have 1 row or as many rows as there are points (3), not 2."
  )
  expect_argument_error(logdensity(given, 1:3, condition = cbind(1, 2)), "`condition` must have 1 column, not 2.")
  expect_argument_error(
    logdensity(given, 1:3, condition = data.frame(wait = 1)),
    "`condition` lacks the column waiting.", "It has wait."
  )
  expect_argument_error(
    logdensity(given, 1:3, condition = data.frame(waiting = c(60, NA, Inf))),
    "`condition` has a value that cannot be used: row 3, column waiting is Inf."
  )
  expect_argument_error(
    sample(given, 3, condition = data.frame(waiting = c(60, NA, 70))),
    "`condition` has a value that cannot be used: row 2, column waiting is NA."
  )
  expect_argument_error(
    logdensity(given, 1:3, condition = "a"),
    "`condition` must be a numeric matrix, data frame or vector, not "
  )
  expect_argument_error(
    logdensity(given, 1:3, condition = factor(1:3)),
    "`condition` must be a numeric matrix, data frame or vector, not "
  )
  expect_argument_error(
    fit_flow(faithful, condition = 1:3),
    "`condition` must have as many rows as `data` (272), not 3."
  )
  expect_argument_error(
    fit_flow(faithful$eruptions, condition = data.frame(kind = rep("a", 272))),
    "Column kind of `condition` must be numeric, not "
  )
  expect_argument_error(
    fit_flow(faithful$eruptions, condition = replace(faithful$waiting, 7, NA)),
    "`condition` has a value that cannot be used: row 7, column 1 is NA."
  )
})

test_that("other arguments of fit_flow()", {
  expect_argument_error(
    fit_flow(faithful, stepz = 3),
    "Unknown argument `stepz` of `fit_flow()`.", "Beside its own arguments it takes those of `fit_control()`."
  )
  expect_argument_error(
    fit_flow(faithful, start = 3, stepz = 3), "Unknown arguments `start` and `stepz`",
    "`start` is for other kinds of what is fitted."
  )
  expect_argument_error(fit_flow(faithful, 5), "`layers` must be a layer, not ")
  expect_argument_error(fit_flow(faithful, steps = "a"), "`steps` must be one whole number, not \"a\".")
  expect_argument_error(fit_flow(faithful, steps = 1.5), "`steps` must be one whole number, not 1.5.")
  expect_argument_error(fit_flow(faithful, learning_rate = -1), "`learning_rate` must be above 0, not -1.")
  expect_argument_error(fit_flow(faithful, validation = 1.5), "`validation` must be at least 0 and below 1, not 1.5.")
  expect_argument_error(fit_flow(faithful, base = "normal"), "`base` must be a base, not ")
  expect_argument_error(fit_flow(faithful, control = list()), "`control` must come from `fit_control()`, not ")
  expect_argument_error(
    fit_flow(faithful, standardize = "no"),
    "`standardize` must be one of \"robust\", \"whiten\", \"scale\", or \"none\", not \"no\"."
  )
  expect_argument_error(
    fit_flow(faithful, weights = 1:3),
    "`weights` must be 272 numbers, one a row of `data`, not 3 numbers."
  )
  expect_argument_error(
    fit_flow(faithful, weights = rep(-1, 272)),
    "`weights` must be finite and not negative; element 1 is -1."
  )
  expect_argument_error(fit_flow(faithful, weights = rep(0, 272)), "`weights` must be positive for at least two rows.")
  expect_argument_error(fit_flow(faithful, progress = NA), "`progress` must be TRUE or FALSE, not NA.")
})

test_that("arguments that no method takes are not swallowed", {
  expect_argument_error(logdensity(given, 3, conditon = 70), "Unknown argument `conditon`.")
  expect_argument_error(logdensity(fit, faithful, NULL, 1, 2), "2 arguments too many.")
  expect_argument_error(forward(fit, faithful, condtion = 1), "Unknown argument `condtion`.")
  expect_argument_error(inverse(fit, faithful, condtion = 1), "Unknown argument `condtion`.")
  expect_argument_error(predict(fit, faithful, se.fit = TRUE), "Unknown argument `se.fit`.")
  expect_argument_error(sample(fit, 3, replace = TRUE), "Unknown argument `replace`.")
  expect_argument_error(simulate(fit, 1, nrow = 3), "Unknown argument `nrow`.")
  expect_argument_error(logLik(fit, REML = TRUE), "Unknown argument `REML`.")
  expect_argument_error(resume(fit, learning_rate = 1), "Unknown argument `learning_rate`.")
  expect_argument_error(importance_sample(fit, dnorm, size = 3), "Unknown argument `size`.")
  expect_argument_error(sample_imh(fit, dnorm, n = 3), "Unknown argument `n`.")
  expect_argument_error(plot(fit, las = 2), "Unknown argument `las`.")
  expect_argument_error(plot(fit, "loss", las = 2), "Unknown argument `las`.")
  # base::sample() is untouched
  expect_length(sample(5, 7, replace = TRUE), 7)
})

test_that("weights and checkpoints that cannot be used", {
  expect_argument_error(
    fit_flow(faithful, weights = rep(1e300, 272)),
    "`weights` must not exceed 1e+150; element 1 is "
  )
  nowhere <- file.path(tempdir(), "nowhere", "fit.rds")
  expect_argument_error(fit_flow(faithful, checkpoint = nowhere), "There is no folder ", "for `checkpoint`")
  expect_argument_error(
    fit_flow(faithful["eruptions"], condition = faithful[, 0]),
    "`condition` has no columns."
  )
})

test_that("column names that are empty or repeated find nothing: columns are taken in order", {
  for (names in list(c("a", ""), c("a", "a"), c("a", NA))) {
    x <- as.matrix(faithful)
    colnames(x) <- names
    set.seed(1)
    if (identical(names, c("a", "a"))) {
      expect_warning(fit <- fit_flow(x, steps = 2), "several columns of the name a", class = "bijectr_warning_names")
    } else {
      fit <- fit_flow(x, steps = 2)
    }
    expect_null(fit$names)
    at <- logdensity(fit, unname(x[1:3, ]))
    expect_identical(logdensity(fit, x[1:3, ]), at)
    expect_identical(logdensity(fit, as.data.frame(x[1:3, ])), at)
    # and points with such names, where the data had good ones
    colnames(x) <- names
    set.seed(1)
    named <- fit_flow(faithful, steps = 2)
    expect_identical(logdensity(named, x[1:3, ]), at)
  }
})

test_that("errors of arguments have a class and the call of the user", {
  problem <- tryCatch(fit_flow(faithful[0, ]), error = identity)
  expect_s3_class(problem, "bijectr_error_argument")
  expect_identical(as.character(conditionCall(problem)[[1]]), "fit_flow")
})
