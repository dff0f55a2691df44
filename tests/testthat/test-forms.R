# Any table in, the same table out.

set.seed(1)
a <- rnorm(60)
b <- rexp(60)
frame <- data.frame(a = a, b = b)
fitted <- function(x, ...) {
  set.seed(2)
  fit_flow(x, ..., steps = 3)
}
drawn <- function(fit, n = 4) {
  force(fit)
  set.seed(3)
  sample(fit, n)
}
numbers_of <- function(x) unname(as.matrix(as.data.frame(x)))

test_that("whatever holds the same numbers is the same fit", {
  one <- fitted(a)
  same <- list(
    ts = ts(a, start = 1900), as_is = I(a), array = array(a, 60), means = tapply(a, seq_along(a), mean),
    named = stats::setNames(a, seq_along(a)), noquote = noquote(a), column = matrix(a), scaled = scale(a, FALSE, FALSE),
    list = list(a), frame = data.frame(a), labelled = structure(a, class = c("haven_labelled", "vctrs_vctr", "double"))
  )
  for (name in names(same)) expect_identical(coef(fitted(same[[name]])), coef(one), info = name)
  two <- fitted(frame)
  nested <- frame
  nested$b <- scale(b, FALSE, FALSE)
  opened <- frame
  opened$b <- array(b, 60)
  same <- list(
    matrix = cbind(a, b), list = list(a = a, b = b), nested = nested, opened = opened, ts = ts(cbind(a, b)),
    as_is = I(cbind(a, b)), tibble = structure(frame, class = c("tbl_df", "tbl", "data.frame")),
    sub = structure(frame, class = c("sub", "data.frame"))
  )
  for (name in names(same)) {
    fit <- fitted(same[[name]])
    expect_identical(coef(fit), coef(two), info = name)
    expect_identical(logdensity(fit, same[[name]]), logdensity(two, frame), info = name)
    expect_identical(fit$digest, two$digest, info = name)
    expect_identical(fit$names, c("a", "b"), info = name)
  }
})

test_that("series of other packages are numbers", {
  skip_if_not_installed("zoo")
  expect_identical(coef(fitted(zoo::zoo(a, 1:60))), coef(fitted(a)))
  expect_identical(coef(fitted(zoo::zoo(cbind(a, b), 1:60))), coef(fitted(frame)))
  expect_identical(attributes(drawn(fitted(zoo::zoo(a, 1:60)))), NULL)
})

test_that("a vector gives vectors, a matrix matrices, a data frame data frames of its class", {
  plain <- list(vector = a, matrix = cbind(a, b), frame = frame, list = list(a = a, b = b))
  for (name in names(plain)) {
    fit <- fitted(plain[[name]])
    shape <- function(x) {
      if (name == "vector") expect_null(attributes(x))
      if (name == "matrix") expect_true(is.matrix(x))
      if (name %in% c("frame", "list")) expect_identical(class(x), "data.frame")
      expect_identical(colnames(x), if (name != "vector") c("a", "b"))
    }
    shape(drawn(fit))
    shape(drawn(fit, 0))
    shape(simulate(fit, 1, n = 3)[[1]])
    shape(forward(fit, matrix(0, 2, fit$d))$value)
    shape(importance_sample(fit, function(x) -rowSums(x^2), n = 20)$draws)
    shape(rflow(2, fit))
    expect_true(is.matrix(inverse(fit, plain[[name]])$value))
    expect_true(is.matrix(predict(fit, plain[[name]], "latent")))
  }
  expect_identical(numbers_of(drawn(fitted(frame))), unname(drawn(fitted(cbind(a, b)))))
  expect_identical(drawn(fitted(frame["a"]))$a, drawn(fitted(a)))
  # the family of rnorm() gives vectors
  expect_null(dim(rflow(3, fitted(frame["a"]))))
  expect_identical(class(drawn(fitted(structure(frame, class = c("sub", "data.frame"))))), "data.frame")
  repeated <- stats::setNames(frame, c("a", "a"))
  expect_warning(fit <- fitted(repeated), class = "bijectr_warning_names")
  expect_named(drawn(fit), c("x1", "x2"))
})

test_that("broken-down times are times, and numbers written in other ways are numbers", {
  times <- as.POSIXlt("2020-01-01", tz = "UTC") + 1e5 * a
  fit <- fitted(as.POSIXlt(times))
  expect_identical(coef(fit), coef(fitted(as.POSIXct(times))))
  expect_identical(class(drawn(fit)), c("POSIXct", "POSIXt"))
  expect_identical(logdensity(fit, as.POSIXlt(times)), logdensity(fit, as.POSIXct(times)))
  whole <- rep(1:30, 2)
  for (x in list(utils::as.roman(whole), as.hexmode(whole), as.octmode(whole))) {
    expect_identical(coef(fitted(x)), coef(fitted(as.double(whole))))
    expect_null(attributes(drawn(fitted(x))))
    frame$x <- x
    expect_true(is.integer(drawn(fitted(frame))$x)) # as they are stored
  }
})

test_that("plain numbers are not taken for values with a unit, at any door", {
  minutes <- as.difftime(b, units = "mins")
  table <- data.frame(wait = minutes, a = a)
  refused <- function(expr) {
    expect_error(expr, "must be of class .*, not plain numbers", class = "bijectr_error_argument")
  }
  for (x in list(minutes, as.Date("2020-01-01") + b, as.POSIXct("2020-01-01") + b)) {
    fit <- fitted(x)
    refused(logdensity(fit, 5))
    refused(dflow(1:2, fit))
    refused(pflow(c(1, Inf), fit))
    refused(predict(fit, 3, "latent"))
    refused(inverse(fit, matrix(1)))
    expect_identical(logdensity(fit, NA_real_), NA_real_)
    expect_identical(pflow(c(-Inf, NA, Inf), fit), c(0, NA, 1))
    expect_equal(pflow(qflow(0.3, fit), fit), 0.3)
  }
  refused(logdensity(fitted(table), cbind(wait = 1, a = 2)))
  refused(logdensity(fitted(frame["a"], condition = table["wait"]), 1, 3))
})

test_that("tibbles and data.tables come back", {
  skip_if_not_installed("tibble")
  fit <- fitted(tibble::as_tibble(frame))
  expect_identical(drawn(fit), tibble::as_tibble(drawn(fitted(frame))))
  formula <- fit_flow(b ~ a, data = tibble::as_tibble(frame), steps = 2)
  expect_s3_class(sample(formula, 2, condition = data.frame(a = 0)), "tbl_df")
  skip_if_not_installed("data.table")
  table <- data.table::as.data.table(frame)
  fit <- fitted(table)
  draws <- drawn(fit)
  expect_s3_class(draws, "data.table")
  expect_true(data.table::truelength(draws) > 2)
  expect_identical(as.data.frame(draws), drawn(fitted(frame)))
  expect_identical(logdensity(fit, table), logdensity(fit, frame))
  expect_identical(logdensity(fit, table[, 2:1]), logdensity(fit, frame))
})

test_that("draws of the posterior package are their variables, chains put together", {
  skip_if_not_installed("posterior")
  draws <- posterior::subset_draws(posterior::example_draws(), variable = c("mu", "tau"))
  flat <- unclass(posterior::as_draws_matrix(draws))
  plain <- fitted(matrix(flat, nrow(flat), dimnames = list(NULL, c("mu", "tau"))))
  kinds <- list(
    posterior::as_draws_df, posterior::as_draws_matrix, posterior::as_draws_array, posterior::as_draws_list,
    posterior::as_draws_rvars
  )
  for (kind in kinds) {
    x <- kind(draws)
    fit <- fitted(x)
    expect_identical(fit$names, c("mu", "tau"))
    expect_identical(fit$digest, plain$digest)
    expect_identical(coef(fit), coef(plain))
    expect_identical(logdensity(fit, x), logdensity(plain, matrix(flat, nrow(flat))))
    expect_named(as.data.frame(drawn(fit)), c("mu", "tau"))
  }
  weighted <- posterior::weight_draws(posterior::as_draws_df(draws), rep(1, 400))
  expect_identical(fitted(weighted)$names, c("mu", "tau"))
})

test_that("what cannot be fitted is one clear error, unknown arguments too", {
  refused <- function(x, regexp = "must be a numeric matrix, data frame or vector, not") {
    expect_error(fit_flow(x, steps = 2), regexp, class = "bijectr_error_argument")
  }
  refused(table(mtcars$cyl, mtcars$gear), "A table holds counts")
  refused(table(mtcars$cyl), "A table holds counts")
  refused(xtabs(~ cyl + gear, mtcars), "A table holds counts")
  refused(ftable(Titanic), "A table holds counts")
  for (x in list(
    NULL, letters, factor(1:5), TRUE, quote(x), y ~ x, 1i, raw(3), structure(c(1, 2), class = "integer64"),
    structure(cbind(1:3, 0), class = "Surv"), structure(list(1, 2), class = "odd"), new.env()
  )) {
    expect_error(fit_flow(x, steps = 2), class = "bijectr_error")
  }
  refused(list(a = 1:3, b = list(1, 2, 3)), "Column b of `data` must be numeric")
  refused(list(a = 1:3, b = 1:2), "must have one length, not 2 and 3")
  refused(data.frame(a = 1:3, b = I(matrix(1:6, 3))), "Column b of `data` must be numeric")
  refused(data.frame(a = 1:3, b = factor(1:3)), "Column b of `data` has a level of its own")
  for (x in list(a, ts(a), I(a), frame, cbind(a, b), array(a, 60), list(a, b), Sys.Date() + 1:9)) {
    expect_error(fit_flow(x, steps = 2, nonsense = 1), "Unknown argument `nonsense`", class = "bijectr_error_argument")
  }
  skip_if_not_installed("Matrix")
  refused(Matrix::Matrix(c(0, 1, 0, 0), 2, sparse = TRUE), "as.matrix\\(data\\)")
  expect_error(logdensity(fitted(frame), Matrix::Matrix(c(0, 1, 0, 0), 2, sparse = TRUE)), "as.matrix\\(newdata\\)")
})

test_that("a missing value in new data gives NA in its place, the others are computed", {
  fit <- fitted(frame)
  at <- frame[1:4, ]
  whole <- logdensity(fit, at)
  at$b[2] <- NA
  at$a[4] <- NaN
  gone <- c(FALSE, TRUE, FALSE, TRUE)
  expected <- ifelse(gone, NA, whole)
  for (x in list(at, as.matrix(at), as.list(at))) {
    expect_identical(logdensity(fit, x), expected)
    expect_identical(dflow(x, fit, log = TRUE), expected)
    expect_identical(predict(fit, x, "density"), exp(expected))
    latent <- predict(fit, x, "latent")
    expect_identical(rowSums(is.na(latent)), c(0, 2, 0, 2))
    expect_identical(latent[!gone, ], inverse(fit, frame[c(1, 3), ])$value)
  }
  expect_identical(logdensity(fit, c(NA, 1)), NA_real_)
  expect_identical(logdensity(fit, data.frame(a = 1:2, b = NA)), c(NA_real_, NA_real_))
  expect_error(inverse(fit, at), "row 4, column a is NaN", class = "bijectr_error_argument")
  expect_error(fit_flow(at, steps = 2), "row 4, column a is NaN")
  one <- fitted(a)
  expect_identical(pflow(c(0, NA, 1, Inf), one), c(pflow(0, one), NA, pflow(1, one), 1))
  expect_identical(logdensity(one, NA), NA_real_)
  expect_identical(is.na(augment.bijectr_flow(fit, as.matrix(at))$.logdensity), gone)
})

test_that("so does one in the conditions", {
  given <- fitted(frame["a"], condition = frame["b"])
  at <- c(1, NA, 2, Inf)
  value <- logdensity(given, c(0, 0, NA, 1), at[1:3][c(1, 2, 3, 1)])
  expect_identical(is.na(value), c(FALSE, TRUE, TRUE, FALSE))
  expect_identical(value[c(1, 4)], logdensity(given, 0:1, c(1, 1)))
  expect_identical(pflow(c(0, Inf, Inf), given, c(1, NA, 1)), c(pflow(0, given, 1), NA, 1))
  expect_identical(qflow(c(0.2, 0.3), given, c(NA, 1)), c(NA, qflow(0.3, given, 1)))
  expect_identical(qflow(0.2, given, NA_real_), NA_real_)
  expect_identical(logdensity(given, 1:2, NA), c(NA_real_, NA_real_))
  expect_error(logdensity(given, 1:4, at), "row 4, column 1 is Inf", class = "bijectr_error_argument")
  expect_error(sample(given, 2, c(1, NA)), "row 2", class = "bijectr_error_argument")
  formula <- fit_flow(mpg ~ poly(wt, 2) + factor(cyl), data = mtcars, steps = 3)
  cars <- mtcars[1:5, ]
  whole <- logdensity(formula, cars)
  cars$wt[2] <- NA
  cars$cyl[3] <- NA
  cars$mpg[5] <- NA
  expect_identical(logdensity(formula, cars), ifelse(1:5 %in% c(2, 3, 5), NA, whole))
  expect_identical(logdensity(formula, cars[2:3, ]), c(NA_real_, NA_real_))
})

test_that("a table of several types goes round, also through a file and another session", {
  n <- 300
  set.seed(4)
  table <- data.frame(
    income = rlnorm(n, 10), share = rbeta(n, 2, 1), temperature = rnorm(n, 20, 3),
    date = as.Date("2020-01-01") + base::sample(500, n, TRUE)
  )
  first <- as.Date("2019-12-31")
  fit <- fit_flow(table, support = list(date = bounded(first, as.Date("2021-12-31"))), steps = 200)
  # three supports are found or given, the line is left to the temperature
  expect_identical(vapply(flow_supports(fit), is_real, NA), c(FALSE, FALSE, TRUE, FALSE))
  draws <- drawn(fit, 1e5)
  expect_identical(names(draws), names(table))
  expect_identical(lapply(draws, class), lapply(table, class))
  expect_identical(dim(draws), c(100000L, 4L))
  expect_false(anyNA(draws))
  expect_true(all(draws$income > 0 & is.finite(draws$income)))
  expect_true(all(draws$share > 0 & draws$share < 1))
  expect_true(all(draws$date > first & draws$date < as.Date("2021-12-31")))
  expect_true(all(is.finite(logdensity(fit, draws[1:1000, ]))))
  for (name in names(table)) {
    far <- function(p) stats::quantile(as.double(draws[[name]]), p) - stats::quantile(as.double(table[[name]]), p)
    expect_lt(abs(far(0.5)), 0.5 * stats::IQR(as.double(table[[name]])))
  }
  file <- withr::local_tempfile(fileext = ".rds")
  there <- withr::local_tempfile(fileext = ".rds")
  script <- withr::local_tempfile(fileext = ".R")
  saveRDS(list(fit = fit, table = table, libraries = .libPaths()), file)
  writeLines(c(
    "files <- commandArgs(TRUE)", "x <- readRDS(files[1])", ".libPaths(x$libraries)", "library(bijectr)",
    "set.seed(3)", "draws <- sample(x$fit, 1e5)", "saveRDS(list(draws, logdensity(x$fit, x$table)), files[2])"
  ), script)
  status <- system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(c(script, file, there))),
    stdout = FALSE, stderr = FALSE
  )
  expect_identical(status, 0L)
  expect_identical(readRDS(there), list(draws, logdensity(fit, table)))
})

test_that("a fit evaluates what it draws, however far out", {
  set.seed(6)
  heavy <- flow(layer_elementwise(scalar_tail(tail = c(8, 8))), d = 1)
  draws <- c(sample(heavy, 1e4), forward(heavy, c(-8, 8, 36))$value)
  expect_gt(max(abs(draws)), 1e150)
  expect_true(all(is.finite(logdensity(heavy, draws[is.finite(draws)]))))
  fit <- fitted(stats::rcauchy(300))
  expect_true(all(is.finite(logdensity(fit, c(-1e200, 1e151, 1e300)))))
  expect_false(is.unsorted(-logdensity(fit, 10^seq(10, 300, 10))))
  expect_identical(logdensity(fitted(a), c(1e200, NA)) < -1e100, c(TRUE, NA))
  expect_error(logdensity(fit, Inf), "row 1, column 1 is Inf", class = "bijectr_error_argument")
  expect_error(fit_flow(c(a, 1e151), steps = 1), "too large", class = "bijectr_error_argument")
})

test_that("the form of a flow from a file is looked at", {
  fit <- fitted(frame)
  no_class <- list(kind = "frame")
  for (bad in list(1, "frame", list(), list(kind = "cube"), no_class, list(kind = "frame", class = "odd"))) {
    expect_error(sample(replace(fit, "form", list(bad)), 2), "form.* is damaged", class = "bijectr_error_argument")
  }
  expect_true(is.matrix(sample(replace(fit, "form", list(NULL)), 2)))
})

test_that("a large data frame is fitted without copies of it", {
  skip_on_cran()
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")) && file.exists("/proc/self/status"))
  skip_if_not_installed("callr")
  peak <- callr::r(function() {
    library(bijectr)
    fit_flow(faithful, steps = 20)
    kilobytes <- function(what) {
      as.numeric(gsub("[^0-9]", "", grep(what, readLines("/proc/self/status"), value = TRUE)))
    }
    before <- kilobytes("VmRSS")
    frame <- list2DF(lapply(1:10, function(j) rnorm(1e6)))
    names(frame) <- paste0("x", 1:10)
    fit <- fit_flow(frame, steps = 20)
    1024 * (kilobytes("VmHWM") - before) / as.numeric(object.size(frame))
  }, libpath = .libPaths())
  expect_lt(peak, 1.5)
})

test_that("a flow that was saved before there were forms gives matrices", {
  f <- flow(layer_elementwise(scalar_affine()), 2)
  f["form"] <- NULL
  expect_identical(dim(forward(f, matrix(0, 3, 2))$value), c(3L, 2L))
  expect_identical(dim(sample(f, 4)), c(4L, 2L))
})
