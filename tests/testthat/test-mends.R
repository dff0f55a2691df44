# What once broke fits: weights of few rows or of odd size, data outside supports, codes as conditions, one wild value.

n <- 200
expect_argument <- function(x, message) expect_error(x, message, class = "bijectr_error_argument")

test_that("weights of few rows or of any size give a fit or say what is wrong", {
  set.seed(1)
  expect_argument(
    fit_flow(c(rnorm(20), rep(1, 180)), weights = c(rep(0, 20), rep(1, 180)), steps = 5), "constant in the training"
  )
  for (seed in 1:30) {
    set.seed(seed)
    x <- rnorm(n)
    z <- if (seed %% 2) rnorm(n)
    said <- tryCatch(
      suppressWarnings(fit_flow(x, condition = z, weights = c(1, 1, rep(0, n - 2)), steps = 2)), error = identity
    )
    if (inherits(said, "error")) expect_argument(stop(said), "validation") else expect_s3_class(said, "bijectr_fit")
  }
})

test_that("the unit of weights changes no digit of a fit, and the log likelihood as it should", {
  x <- withr::with_seed(2, rnorm(n))
  w <- rep(c(1, 0.7), n / 2)
  fit <- function(unit) withr::with_seed(3, fit_flow(x, weights = w * unit, steps = 5))
  ordinary <- fit(1)
  for (unit in c(2^-700, 2^450)) {
    other <- fit(unit)
    expect_identical(other$params, ordinary$params)
    expect_identical(other$loglik, ordinary$loglik * unit)
  }
  expect_s3_class(fit(1e-200), "bijectr_fit")
})

test_that("data outside the supports of a fit are told, and supports without values", {
  set.seed(4)
  fit <- fit_flow(data.frame(a = rexp(n)), support = positive(), steps = 5)
  outside <- data.frame(a = c(1, -1, rexp(n - 2)))
  expect_argument(suppressMessages(resume(fit, outside, steps = 5)), "a.*outside its support .*row 2 is -1")
  expect_argument(fit_flow(outside, fit, steps = 5), "a.*outside its support .*row 2 is -1")
  expect_argument(fit_flow(-rexp(n), fit, steps = 5), "outside its support")
  expect_argument(fit_flow(rexp(n), lower = Inf), "`lower` must not be Inf")
  expect_argument(fit_flow(rexp(n), upper = -Inf), "`upper` must not be -Inf")
})

test_that("points outside the support have no latent point", {
  set.seed(5)
  fit <- fit_flow(rexp(n), support = positive(), steps = 5)
  expect_warning(z <- predict(fit, c(NA, -1, 1), "latent"), "row 2", class = "bijectr_warning_outside")
  expect_identical(is.na(z[, 1]), c(TRUE, TRUE, FALSE))
  expect_silent(inside <- predict(fit, 1, "latent"))
  expect_identical(z[3, ], inside[1, ])
})

test_that("missing probabilities have missing quantiles", {
  f <- flow(layer_elementwise(scalar_affine()), d = 1)
  expect_identical(qflow(c(0.5, NA), f), c(qflow(0.5, f), NA))
  expect_identical(qflow(NA, f), NA_real_)
  expect_identical(predict(f, c(NA, 0.2), "quantile"), c(NA, qflow(0.2, f)))
})

test_that("conditions that layers look up are codes, not standardised, and checked", {
  set.seed(6)
  g <- base::sample(0:3, n, replace = TRUE)
  y <- cbind(rnorm(n, 3 * g), rnorm(n))
  layers <- layer_autoregressive(scalar_affine(), net_embedding(net_mlp(8), 1, 4))
  given <- cbind(g = g, x = rnorm(n, 5))
  fit <- fit_flow(y, layers, condition = given, steps = 300)
  means <- vapply(0:3, function(k) mean(sample(fit, 2000, condition = cbind(g = k, x = 5))[, 1]), 0)
  expect_lt(max(abs(means - 3 * 0:3)), 0.8)
  expect_argument(logdensity(fit, y[1:2, ], cbind(g = c(1, 4), x = 5)), "g.*whole numbers from 0 to 3.*row 2 is 4")
  expect_argument(logdensity(fit, y[1, , drop = FALSE], cbind(g = 0.5, x = 5)), "g.*row 1 is 0.5")
  given[7, "g"] <- -1
  expect_argument(fit_flow(y, layers, condition = given, steps = 5), "g.*condition.*row 7 is -1")
})

test_that("one value far out does not spoil the fit of the others", {
  set.seed(7)
  x <- rnorm(n)
  draws <- sample(fit_flow(c(x, 1e20), steps = 100), 2000)
  expect_lt(max(abs(quantile(draws, c(0.25, 0.5, 0.75)) - quantile(x, c(0.25, 0.5, 0.75)))), 0.35)
  pairs <- cbind(x, 0.8 * x + 0.6 * rnorm(n))
  draws <- sample(fit_flow(rbind(pairs, 1e9), steps = 100), 2000)
  expect_lt(max(abs(apply(draws, 2, quantile, c(0.25, 0.75)) - apply(pairs, 2, quantile, c(0.25, 0.75)))), 0.35)
})

test_that("advice is about rows that count, and not about columns known to be counts", {
  set.seed(8)
  advice <- function(...) {
    seen <- character()
    withCallingHandlers(fit_flow(..., steps = 2), warning = function(w) {
      seen <<- c(seen, class(w)[1])
      invokeRestart("muffleWarning")
    })
    seen
  }
  x <- c(rnorm(150), rep(0, 50))
  expect_true("bijectr_warning_atom" %in% advice(x))
  expect_false("bijectr_warning_atom" %in% advice(x, weights = as.numeric(x != 0)))
  k <- rpois(n, 2)
  expect_true("bijectr_warning_ties" %in% advice(k, support = "real"))
  expect_true("bijectr_warning_counts" %in% advice(k))
  expect_identical(advice(k, support = counts()), character())
})

test_that("one call warns once of conditions out of range", {
  set.seed(9)
  fit <- fit_flow(rnorm(n), condition = rnorm(n), steps = 5)
  warnings <- capture_warnings(simulate(fit, nsim = 5, condition = 50))
  expect_length(warnings, 1)
  expect_match(warnings, "goes beyond")
  withr::local_pdf(withr::local_tempfile(fileext = ".pdf"))
  expect_length(capture_warnings(plot(fit, condition = 50)), 1)
})

test_that("a left side that hangs on the other rows is refused", {
  set.seed(6)
  table <- data.frame(y = rexp(60), x = rnorm(60))
  hang <- list(I(y - mean(y)) ~ x, y / sum(y) ~ x, rank(y) ~ x, cumsum(y) ~ x, cbind(log(y), y - y[1]) ~ x)
  for (formula in hang) {
    expect_error(fit_flow(formula, data = table, steps = 2), "other rows are left out",
      class = "bijectr_error_argument"
    )
  }
  for (formula in list(scale(y) ~ x, log(y) ~ x, y - 1 ~ x, pmin(y, 3) + 0 * y ~ x, splines::ns(y, 2) ~ x)) {
    expect_no_error(suppressWarnings(fit_flow(formula, data = table, steps = 2)))
  }
  layers <- layer_elementwise(scalar_affine())
  refused <- function(formula, table) expect_argument(fit_flow(formula, table, layers, steps = 1), "left out.*column")
  table$far <- replace(table$y, 55, 100)
  refused(y / max(far) ~ x, table)
  refused(y + runif(length(y)) ~ x, table)
  refused(~ x + I(y - median(y)), table)
  repeating <- data.frame(y = rep(c(1.5, 2, 7, 3), 15)) # whose halves have one mean
  refused(I(y - mean(y)) ~ 1, repeating)
  # functions beside the formula are found, units may depend on the rows, no random numbers are drawn
  twice <- function(y) 2 * y
  expect_s3_class(fit_flow(twice(y) ~ x, table, layers, steps = 1), "bijectr_fit")
  table$begin <- as.POSIXct("2020-01-01", tz = "UTC") + 1:60
  table$end <- table$begin + c(5, rep(9e5, 59)) * (1 + table$y)
  expect_s3_class(fit_flow(I(end - begin) ~ x, table, layers, steps = 1), "bijectr_fit")
  draws <- function(formula) {
    withr::local_seed(12)
    fit_flow(formula, table, layers, steps = 1, validation = 0)
    runif(1)
  }
  expect_identical(draws(I(y + 0) ~ 1), draws(y ~ 1))
})

test_that("names that are there twice are told", {
  set.seed(7)
  table <- stats::setNames(data.frame(rnorm(50), rnorm(50, 9), rnorm(50)), c("a", "a", "b"))
  expect_warning(fit_flow(table, steps = 2), "several columns of the name", class = "bijectr_warning_names")
  expect_warning(fit_flow(as.matrix(table), steps = 2), class = "bijectr_warning_names")
  fit <- fit_flow(table[2:3], steps = 2)
  for (at in list(table, stats::setNames(table[1:2], c("a", "a")))) {
    expect_argument(logdensity(fit, at), "`newdata` has several columns of the name a")
    expect_argument(inverse(fit, as.matrix(at)), "`x` has several columns of the name a")
  }
  expect_warning(fit_flow(table[3], condition = table, steps = 1), "`condition` has several columns of the name a",
    class = "bijectr_warning_names"
  )
  expect_argument(fit_flow(a ~ b, table, steps = 1), "`data` has several columns of the name a")
  whole <- data.frame(y = rexp(50), b = table$b, c = table[[1]])
  fit <- fit_flow(log(y) ~ b + c, whole, steps = 1)
  expect_argument(logdensity(fit, whole[1, ], stats::setNames(whole[1, ], c("b", "c", "c"))), "`condition` has several")
  expect_argument(logdensity(fit, stats::setNames(whole, c("y", "y", "b"))), "`newdata` has several columns of the nam")
})

test_that("dependence in the training rows alone is not told to drop what cannot be dropped", {
  set.seed(8)
  a <- rnorm(300)
  b <- replace(a, 1, a[1] + 1)
  said <- tryCatch(
    fit_flow(data.frame(a, b), collinear = "drop", validation = 1:10, steps = 2), bijectr_error_argument = identity
  )
  expect_match(conditionMessage(said), "in the training rows, though not in all")
  expect_no_match(conditionMessage(said), "drop")
  table <- data.frame(a, b = rnorm(300))
  table$c <- table$a + table$b
  start <- fit_flow(transform(table, c = rev(c)), steps = 1)
  expect_argument(fit_flow(table, start, collinear = "drop", steps = 1), "training starts from has it as a coordinate")
  # what depends behind the supports alone is not said to be of the training rows
  table <- exp(table)
  expect_argument(fit_flow(table, collinear = "drop", support = positive(), steps = 1), "Behind the supports")
})

test_that("ends that are missing, supports of a fit that has one, and lists of columns are told in full", {
  set.seed(9)
  table <- data.frame(y = rexp(50), z = rexp(50), x = rnorm(50))
  expect_error(fit_flow(table, lower = c(y = 0, z = NA), steps = 2), "`lower` is missing for column z")
  expect_error(fit_flow(table, upper = list(y = NA_real_), steps = 2), "`upper` is missing for column y")
  fit <- fit_flow(table["y"], support = list(y = positive()), steps = 2)
  expect_error(fit_flow(table["y"], layers = fit, support = "real", steps = 2), "which has its own")
  # rounds do not ask for what a start has
  rounds <- fit_rounds(
    function(theta) theta + rnorm(length(theta)), list(sample = function(n) matrix(rexp(n)), log_density = dexp), 1,
    rounds = 1, simulations = 40, layers = fit_flow(rexp(40), support = positive(), condition = rnorm(40), steps = 1),
    steps = 1
  )
  expect_s3_class(rounds, "bijectr_fit")
  fit <- fit_flow(y ~ x + z, data = table, steps = 2)
  expect_error(logdensity(fit, 1, condition = cbind(x = 1, q = 2)), "the columns x and z")
})

test_that("what stands in left sides and gaps is taken for what it is", {
  set.seed(10)
  table <- data.frame(y = rexp(80), z = rnorm(80))
  fit <- fit_flow(cbind(a = log(y), z) ~ 1, data = table, steps = 2)
  expect_error(fit_flow(cbind(a = y, z) ~ 1, data = table, layers = fit, steps = 2), "the left side",
    class = "bijectr_error_argument", ignore.case = TRUE
  )
  # a row without its condition is left out, whatever its left side
  given <- data.frame(y = c(0, rexp(40)), x = c(NA, rnorm(40)))
  expect_identical(nobs(fit_flow(log(y) ~ x, data = given, na.action = na.omit, steps = 2)), 40L)
  # ends that were given hold beside those that are looked for
  gaps <- data.frame(x = replace(rexp(60), 1:5, NA), y = rexp(60))
  fit <- suppressWarnings(fit_flow(gaps, na = "model", support = "auto", lower = c(x = -10), steps = 2))
  expect_output(print(fit), "x (-10, Inf)", fixed = TRUE)
  # what is refused before the training is no lost training
  expect_error(fit_flow(gaps, layers = "a", na = "model", steps = 2), class = "bijectr_error_argument")
  # 0 is the same in all units
  wait <- data.frame(w = as.difftime(runif(50), units = "mins"))
  fit <- fit_flow(wait, support = list(w = bounded(0, as.difftime(60, units = "secs"))), steps = 2)
  expect_true(all(sample(fit, 100)$w < 1))
})
