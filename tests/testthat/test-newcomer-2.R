# What a newcomer stumbled over: calls that any user of lm() makes.

test_that("fits of counts know the rows that they were made from", {
  counts <- data.frame(n = rep(0:5, 12), x = rep(1:6, each = 12) / 6)
  fit <- suppressWarnings(fit_flow(n ~ x, counts, members = c("normal", "negative_binomial")))
  expect_no_warning(residuals(fit))
  expect_identical(check_flow(fit, counts)$rows$used, "training")
  expect_identical(check_flow(fit, counts[-1, ])$rows$used, "given")
  counts$n[1] <- 9L
  expect_warning(residuals(fit), class = "bijectr_warning_data")
})

test_that("dates, times and spans on the right side have the class and units of the fit", {
  d <- data.frame(t = as.Date("2024-01-01") + 0:59, y = 1:60 + sin(1:60))
  fit <- fit_flow(y ~ t, d, members = "normal")
  new <- data.frame(t = as.Date("2024-02-10"))
  expect_equal(predict(fit, new), 41, tolerance = 0.05)
  for (wrong in list(as.POSIXct("2024-02-10", tz = "UTC"), "2024-02-10", 19763)) {
    expect_error(predict(fit, data.frame(t = wrong)), "t.*must be of class Date", class = "bijectr_error_argument")
  }
  expect_warning(predict(fit, data.frame(t = as.Date("2025-01-01"))), "beyond 2024-01-01 to 2024-02-29",
    class = "bijectr_warning_extrapolation"
  )
  expect_identical(is.na(predict(fit, data.frame(t = as.Date(c(NA, "2024-02-10"))))), c(TRUE, FALSE))
  d$t <- d$t - d$t[1] # days
  fit <- fit_flow(y ~ t, d, members = "normal")
  hours <- data.frame(t = as.difftime(40 * 24, units = "hours"))
  expect_equal(predict(fit, hours), predict(fit, data.frame(t = as.difftime(40, units = "days"))))
  fit$condition$model$codecs <- list(t = "days")
  expect_error(predict(fit, hours), "damaged", class = "bijectr_error_argument")
})

test_that("predict() says which condition is missing, and what levels have", {
  d <- data.frame(x = 1:40 / 40, g = gl(2, 20), y = rnorm(40))
  fit <- fit_flow(y ~ x + g, d, members = "normal")
  expect_error(predict(fit, data.frame(x = 0.5)), "lacks the column g", class = "bijectr_error_argument")
  expect_message(predict(fit, d), '"response".*means', class = "bijectr_message_predict")
  levels <- fit_flow(g ~ x, d)
  expect_message(predict(levels, d), '"class".*levels', class = "bijectr_message_predict")
  # one warning a call
  told <- 0
  withCallingHandlers(
    {
      predict(fit, data.frame(x = 9, g = "1"), interval = 0.9)
      suppressMessages(generics::augment(fit, newdata = data.frame(x = 9, g = "1", y = 0), interval = 0.9))
    },
    bijectr_warning_extrapolation = function(w) {
      told <<- told + 1
      invokeRestart("muffleWarning")
    }
  )
  expect_identical(told, 2)
})

test_that("no rows have no values", {
  d <- data.frame(x = 1:60 / 60, y = rnorm(60))
  fit <- fit_flow(y ~ x, d, members = c("normal", "nearby"))
  expect_no_warning(none <- logdensity(fit, d[0, ]))
  expect_identical(none, numeric())
  expect_identical(predict(fit, d[0, "x", drop = FALSE]), numeric())
})

test_that("what models have and flows have not is refused with the reason", {
  fit <- fit_flow(faithful["waiting"], members = "normal")
  for (f in list(vcov, confint, anova, sigma)) expect_error(f(fit), class = "bijectr_error_argument")
  expect_equal(mean(fit), mean(faithful$waiting), tolerance = 1e-3)
  expect_error(mean(fit, condition = 3), class = "bijectr_error_argument")
})

test_that("means of parts say their errors; their survival functions are drawn", {
  set.seed(3)
  d <- data.frame(a = gl(3, 30), b = rnorm(90, rep(1:3, each = 30)))
  fit <- fit_flow(d)
  part <- marginal(fit, "b")
  mean <- predict(part, type = "response")
  error <- attr(mean, "error")
  expect_length(error, 1)
  expect_lt(abs(mean - 2), 5 * error + 0.3)
  shown <- drawn(plot(part, "survival"))
  expect_false(is.unsorted(-shown$survival))
  expect_error(plot(marginal(fit, "a"), "survival"), "numbers", class = "bijectr_error_argument")
})

test_that("pairs show levels as shares, those of draws and data on one scale", {
  set.seed(4)
  d <- data.frame(a = gl(3, 30), b = rnorm(90))
  picture <- make_picture(fit_flow(d), "pairs", data = d)
  bars <- Filter(function(item) inherits(item, "bijectr_item_bars"), picture$panels[[1]]$items)
  heights <- lapply(bars, function(item) item$top - item$bottom)
  expect_length(heights[[1]], 3)
  expect_equal(heights[[1]], heights[[2]], tolerance = 0.2)
  expect_equal(diff(range(heights[[2]])), 0)
})

test_that("a check of the fit's own rows says that they are", {
  fit <- fit_flow(eruptions ~ waiting, data = faithful, members = "normal")
  own <- "rows that the fit was made from: new ones would look less good"
  expect_identical(make_picture(fit, "check", envir = environment())$note, own)
  expect_null(make_picture(fit, "check", data = faithful[1:100, ], envir = environment())$note)
})

test_that("what may have been meant is named", {
  methods <- list(fit_flow.default, fit_flow.formula, fit_flow.function)
  own <- setdiff(unique(unlist(lapply(methods, function(f) names(formals(f))))), "...")
  expect_setequal(FIT_ARGUMENTS, own)
  expect_error(fit_flow(waiting ~ eruptions, faithful, weigths = 1:272), "mean `weights`",
    class = "bijectr_error_argument"
  )
  fit <- fit_flow(waiting ~ eruptions, faithful, members = "normal")
  new <- data.frame(eruptions = 3)
  expect_error(predict(fit, new, level = 0.9), "mean `interval`", class = "bijectr_error_argument")
  expect_error(predict(fit, new, type = "mean"), 'mean "response"', class = "bijectr_error_argument")
  expect_error(predict(fit, new, interval = "confidence"), "new responses", class = "bijectr_error_argument")
})

test_that("what a second reader found", {
  d <- data.frame(x = c(seq(-2, 2, length.out = 80), 1500, 3000))
  d$y <- 2 * d$x + sin(1:82)
  far <- fit_flow(y ~ x, d, members = c("normal", "nearby"))
  expect_equal(predict(far, data.frame(x = 700)), 1400, tolerance = 0.05) # where no row is near
  # rows that were left out are those of the data as they are now
  d <- data.frame(x = 1:40 / 40, y = sin(1:40))
  d$y[c(3, 7)] <- NA
  fit <- fit_flow(y ~ x, d, na.action = na.exclude, members = "normal")
  d$y[20] <- NA
  expect_warning(r <- residuals(fit), class = "bijectr_warning_data")
  expect_identical(which(is.na(r)), c(3L, 7L, 20L))
  # spans as a bare vector, and numbers without a unit
  d <- data.frame(u = as.difftime(0:59, units = "hours"), y = 1:60 + sin(1:60))
  fit <- fit_flow(y ~ u, d, members = "normal")
  expect_equal(pflow(30, fit, condition = as.difftime(30 * 60, units = "mins")),
    pflow(30, fit, condition = as.difftime(30, units = "hours"))
  )
  expect_error(pflow(30, fit, condition = 30), "must be a data frame", class = "bijectr_error_argument")
  expect_error(predict(fit, data.frame(U = 1)), "lacks the column u", class = "bijectr_error_argument")
  names(fit$condition$model$codecs) <- NULL
  expect_error(predict(fit, d), "damaged", class = "bijectr_error_argument")
  # lists of parts are times, too
  d$u <- as.POSIXlt("2024-01-01", tz = "UTC") + 86400 * 0:59
  d$u <- as.POSIXlt(d$u)
  fit <- suppressWarnings(fit_flow(y ~ u, d, members = "normal"))
  expect_length(logdensity(fit, d), 60)
  expect_equal(mean(fit_flow(faithful["waiting"], members = "normal"), na.rm = TRUE), 70.9, tolerance = 1e-3)
})

test_that("lines of maps have widths and types, too", {
  picture <- picture_of(fit_flow(faithful, members = "normal"), "density", grid = 8, lwd = 5, lty = 2)
  expect_identical(picture$panels[[1]]$items[[1]][c("lwd", "lty")], list(lwd = 5, lty = 2L))
})
