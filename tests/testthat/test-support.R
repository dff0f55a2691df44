# Supports of columns: given, found, in densities, draws and print.

line <- function(fit) utils::capture.output(print(fit))
ends <- function(fit) lapply(flow_supports(fit), function(s) c(s$lower, s$upper))

test_that("densities stay in the units of the data and integrate to 1 on the support", {
  set.seed(1)
  x <- rgamma(300, 2)
  for (support in list(
    positive(curve = "log"), positive(curve = "softplus"), bounded(0, 40), bounded(-Inf, 30), real(), positive(-1)
  )) {
    set.seed(2)
    fit <- fit_flow(x, support = support, steps = 60)
    if (!is_real(support)) expect_equal(ends(fit), list(c(support$lower, support$upper)))
    grid <- seq(max(-60, support$lower), min(80, support$upper), length.out = 200001)
    density <- exp(logdensity(fit, grid[-c(1, 200001)]))
    expect_equal(sum(density) * (grid[2] - grid[1]), 1, tolerance = 2e-3, info = format(support))
    draws <- sample(fit, 5000)
    expect_true(all(draws > support$lower & draws < support$upper))
    out <- c(support$lower, support$upper, support$lower - 1)
    out <- out[is.finite(out)]
    if (length(out)) expect_equal(logdensity(fit, out), rep(-Inf, length(out)))
    expect_equal(fit$loglik, sum(logdensity(fit, x)))
  }
})

test_that("losses of the history are those of the data's units", {
  set.seed(3)
  x <- rlnorm(400, 3, 1)
  seen <- NULL
  fit <- fit_flow(x,
    steps = 40, noise = 0, validation = 1:100, validate_every = 10, batch_size = 300, keep_state = TRUE,
    callback = function(fit, record) seen <<- c(seen, record$validation)
  )
  expect_equal(ends(fit), list(c(0, Inf)))
  expect_equal(min(fit$history$validation, na.rm = TRUE), -mean(logdensity(fit, x[1:100])))
  first <- fit_flow(x, steps = 1, noise = 0, validation = 1:100, batch_size = 300)
  expect_equal(first$history$train[1], 4.4, tolerance = 0.1)
  # and training goes on from there
  more <- resume(fit, steps = 10, data = x)
  expect_lt(abs(tail(more$history$validation, 1) - tail(fit$history$validation, 1)), 0.1)
  fit["state"] <- list(NULL)
  again <- suppressMessages(resume(fit, steps = 10, data = x))
  expect_equal(min(again$history$validation, na.rm = TRUE), -mean(logdensity(again, x[1:100])))
})

test_that("supports that are found", {
  set.seed(4)
  n <- 1000
  table <- data.frame(
    price = rlnorm(n), share = runif(n), percent = 100 * rbeta(n, 1, 0.8), low = rbeta(n, 2, 8), z = rnorm(n),
    kelvin = 290 + rexp(n), zeros = c(0, rexp(n - 1)), closed = c(1, runif(n - 1)), far = rnorm(n, 6)
  )
  found <- find_supports(table, rep(list(NULL), 9), TRUE, seq_len(n))
  shown <- vapply(found, format, "")
  expect_identical(
    stats::setNames(shown, names(table)),
    c(
      price = "(0, Inf) by log", share = "(0, 1)", percent = "(0, 100)", low = "(0, Inf) by softplus",
      z = "(-Inf, Inf)", kelvin = "(-Inf, Inf)", zeros = "(-Inf, Inf)", closed = "(-Inf, Inf)", far = "(-Inf, Inf)"
    )
  )
  fit <- fit_flow(table[c("price", "z")], steps = 2)
  expect_match(line(fit), "support: price (0, Inf) by log", fixed = TRUE, all = FALSE)
  expect_match(utils::capture.output(print(summary(fit))), "Support: +price [(]0, Inf[)] by log", all = FALSE)
  expect_null(flow_supports(fit_flow(table[c("price", "z")], support = "real", steps = 2)))
  expect_null(flow_supports(fit_flow(table[c("price", "z")], coupling_flow(flow_layers = 1), steps = 2)))
  # layers of the user's own end where they end, unless asked
  own <- fit_flow(table[c("price", "z")], coupling_flow(flow_layers = 1), support = "auto", steps = 2)
  expect_identical(ends(own), list(c(0, Inf), c(-Inf, Inf)))
})

test_that("a wrong guess is not made of few rows or of rows without weight", {
  wrong <- vapply(1:200, function(seed) {
    set.seed(seed)
    !is_real(found_support(x <- abs(rnorm(30, 2)), range(x), x))
  }, NA)
  expect_lt(mean(wrong), 0.05)
  set.seed(5)
  x <- c(rlnorm(100), -1)
  expect_true(is_real(find_supports(cbind(x), list(NULL), TRUE, 1:101)[[1]]))
  weights <- c(rep(1, 100), 0)
  expect_false(is_real(find_supports(cbind(x), list(NULL), TRUE, 1:101, weights)[[1]]))
  fit <- fit_flow(x, weights = weights, steps = 5)
  expect_true(is.finite(fit$loglik))
})

test_that("lower and upper, names and positions", {
  set.seed(6)
  x <- cbind(a = rexp(50), b = runif(50, 2, 3))
  expect_identical(ends(fit_flow(x, lower = c(b = 2, a = 0), upper = c(b = 3), steps = 1)), list(c(0, Inf), c(2, 3)))
  expect_identical(ends(fit_flow(x, lower = c(0, 2), steps = 1)), list(c(0, Inf), c(2, Inf)))
  expect_identical(ends(fit_flow(x, support = list(real(), bounded(2, 4)), steps = 1)), list(c(-Inf, Inf), c(2, 4)))
  expect_identical(ends(fit_flow(x, support = positive(), steps = 1)), list(c(0, Inf), c(0, Inf)))
  expect_identical(
    ends(fit_flow(b ~ a, as.data.frame(x), support = list(b = bounded(1, 4)), steps = 1)), list(c(1, 4))
  )
})

test_that("ends of dates and the like are those of their columns", {
  set.seed(11)
  n <- 100
  table <- data.frame(
    day = as.Date("2020-01-01") + runif(n, 1, 900), wait = as.difftime(rexp(n), units = "mins"), z = rnorm(n)
  )
  ends_of <- list(as.Date("2020-01-01"), as.Date("2024-01-01"))
  term <- bounded(ends_of[[1]], ends_of[[2]])
  expect_identical(utils::capture.output(term), "<support> (2020-01-01, 2024-01-01)")
  fit <- fit_flow(table, support = list(day = term, wait = positive()), steps = 5)
  expect_identical(ends(fit)[1:2], list(as.double(unlist(ends_of)), c(0, Inf)))
  expect_match(line(fit), "support: day (2020-01-01, 2024-01-01), wait (0 mins, Inf)", fixed = TRUE, all = FALSE)
  days <- sample(fit, 2000)$day
  expect_s3_class(days, "Date")
  expect_true(all(days > ends_of[[1]] & days < ends_of[[2]]))
  expect_identical(logdensity(fit, replace(table[1:2, ], "day", ends_of[[1]] - 0:1)), c(-Inf, -Inf))
  given <- function(...) ends(fit_flow(table, ..., steps = 1))
  expect_identical(
    given(lower = list(day = ends_of[[1]], wait = as.difftime(-1, units = "hours")), upper = list(z = 9)),
    list(c(18262, Inf), c(-60, Inf), c(-Inf, 9))
  )
  expect_identical(ends(fit_flow(table$day, lower = ends_of[[1]], steps = 1)), list(c(18262, Inf)))
  times <- as.POSIXct(table$day)
  expect_identical(
    ends(fit_flow(times, support = bounded(as.POSIXlt("2020-01-01", tz = "UTC"), as.Date(Inf)), steps = 1)),
    list(c(18262 * 86400, Inf))
  )
  # times from 1970 on are no amounts
  expect_true(is_real(given_supports(NULL, NULL, NULL, 1, NULL, list(codec_of(times)))[[1]]))
  refused <- function(words, data = table, ...) {
    expect_error(fit_flow(data, ..., steps = 1), words, class = "bijectr_error_argument")
  }
  refused("Column day of `data` is of class Date, but its support [(]0, Inf[)]", support = list(day = positive()))
  refused("Column z of `data` is numeric, but its support [(]2020-01-01, 2024-01-01[)]", support = list(z = term))
  refused("Column wait of `data` is of class difftime in mins", support = list(wait = positive(-1)))
  refused("outside its support [(]2021-01-01, Inf[)]: row [0-9]+ is 2020-", lower = list(day = as.Date("2021-01-01")))
  expect_error(fit_flow(function(x) -x^2, d = 1, support = term), "is numeric, but its support")
  expect_error(bounded(ends_of[[1]], 5), "of one kind", class = "bijectr_error_argument")
  expect_error(bounded(ends_of[[2]], ends_of[[1]]), "2024-01-01 and 2020-01-01", class = "bijectr_error_argument")
  expect_error(positive(as.Date(NA)), "finite", class = "bijectr_error_argument")
})

test_that("what depends on what behind its support is told with it", {
  set.seed(12)
  x <- rnorm(100)
  told <- function(data, words, ...) {
    e <- tryCatch(fit_flow(data, ..., steps = 1), error = identity)
    expect_s3_class(e, "bijectr_error_argument")
    message <- gsub("[[:space:]]+", " ", conditionMessage(e))
    for (word in words) expect_match(message, word, fixed = TRUE)
  }
  told(data.frame(a = exp(x), b = x), c(
    "Behind the support a (0, Inf) by log, column b of `data` is a linear function of a", "`support = \"real\"`",
    "Leave b out"
  ))
  told(data.frame(b = x, a = exp(x)), "Behind the support a (0, Inf) by log, column a of `data`")
  told(data.frame(a = exp(x), b = exp(2 * x)), "Behind the supports a (0, Inf) by log and b (0, Inf) by log, column b")
  told(data.frame(b = x, a = plogis(x)), "Behind the support a (0, 1)", support = list(a = bounded(0, 1)))
  expect_s3_class(fit_flow(data.frame(a = exp(x), b = x), support = "real", steps = 1), "bijectr_fit")
  # those whose supports have no part in it are told as ever
  told(data.frame(a = exp(x), b = 10 + x, c = x), "Column c of `data` is a linear function of b:", support = "real")
})

test_that("case weights count as repeated rows, and rows without weight not at all", {
  set.seed(13)
  shapes <- list(
    function(n) rlnorm(n), function(n) rgamma(n, 2), function(n) rbeta(n, 2, 8), function(n) runif(n),
    function(n) 100 * rbeta(n, 3, 1), function(n) abs(rnorm(n, 3)), function(n) rexp(n)^2, function(n) 300 + rexp(n)
  )
  found <- function(x, weights = NULL) format(find_supports(cbind(x), list(NULL), TRUE, seq_along(x), weights)[[1]])
  same <- vapply(rep(shapes, each = 20), function(shape) {
    x <- shape(150)
    times <- base::sample(1:3, 150, TRUE)
    found(x, times) == found(rep(x, times))
  }, NA)
  expect_gt(mean(same), 0.85) # the numbers of rows differ
  # weights that turn the sample into another one
  x <- c(rlnorm(400), runif(400, 2, 3))
  late <- rep(0:1, each = 400)
  expect_identical(found(x, 1 - late), "(0, Inf) by log")
  expect_identical(found(x, late), "(-Inf, Inf)")
  expect_identical(found(x, 1 - late + 1e-9 * late), "(0, Inf) by log")
  y <- c(runif(400), rep(0.5, 400))
  expect_identical(found(y, 1e-9 + late), "(-Inf, Inf)")
  expect_identical(found(y, rep(2, 800)), found(y))
  curve <- function(weights) with_curve(positive(), x, range(x), weights)
  expect_identical(curve(1 - late + 1e-9 * late)$curve, "log")
  expect_identical(curve(1e-9 + late)$curve, with_curve(positive(), x[late == 1], range(x))$curve)
  scale <- with_curve(positive(curve = "softplus"), x, range(x), 1e-9 + late)$scale
  expect_equal(scale, median(x[late == 1]), tolerance = 0.01)
  # the number of rows is the effective one: five near the end, of which one has all the weight, are not five
  z <- c(seq(0.01, 0.5, length.out = 45), rep(0.97, 5))
  expect_identical(found(z), "(0, 1)")
  expect_false(found(z, c(rep(1, 45), 1, rep(1e-6, 4))) == "(0, 1)")
})

test_that("a curve is for one end, and counts stay counts", {
  for (wrong in list(quote(bounded(0, 1, "log")), quote(bounded(-Inf, Inf, "softplus")))) {
    expect_error(eval(wrong), "`curve` is for intervals with one end", class = "bijectr_error_argument")
  }
  expect_identical(bounded(0, Inf, "log"), positive(curve = "log"))
  set.seed(14)
  n <- rpois(200, 3)
  fit <- suppressWarnings(fit_flow(n, support = counts(), steps = 3))
  expect_true(flow_supports(fit)[[1]]$whole)
  kept <- flow_supports(fit_flow(rgamma(200, 5), support = positive(curve = "softplus"), steps = 1))[[1]]
  expect_identical(kept$curve, "softplus")
  expect_gt(kept$scale, 1)
  expect_error(suppressWarnings(fit_flow(n + 0.5, fit, steps = 1)), "must be whole numbers: row 1")
  expect_error(resume(fit, n + 0.5, steps = 1), "must be whole numbers: row 1", class = "bijectr_error_argument")
  expect_identical(suppressMessages(resume(fit, n, steps = 1))$steps, 4)
})

test_that("what cannot be is an error that says where", {
  set.seed(7)
  x <- data.frame(a = rexp(30), b = rnorm(30))
  refused <- function(..., data = x) {
    arguments <- list(...)
    words <- arguments[names(arguments) == ""]
    e <- tryCatch(do.call(fit_flow, c(list(data, steps = 1), arguments[names(arguments) != ""])), error = identity)
    expect_s3_class(e, "bijectr_error_argument")
    for (word in words) expect_match(conditionMessage(e), word, fixed = TRUE)
  }
  refused("Column b", "outside its support (0, Inf)", "row ", support = list(b = positive()))
  refused("row 3 is 0", "Supports are open", data = replace(x, cbind(3, 1), 0), support = list(a = positive()))
  refused("`support` has c, which is no column", support = list(c = positive()))
  refused("`support` must be a list", support = "positive")
  refused("`support` must be a list", support = list(a = 3))
  refused("`support` must have names", support = list(positive()))
  refused("both speak of column a", support = list(a = positive()), lower = c(a = 0))
  refused("must be whole numbers", support = list(a = counts()))
  refused("`lower` must be numbers", lower = c(a = "0"))
  expect_error(bounded(2, 1), "below", class = "bijectr_error_argument")
  expect_error(bounded(1), "`upper`", class = "bijectr_error_argument")
  expect_error(positive(curve = "exp"), "`curve`", class = "bijectr_error_argument")
})

test_that("counts are checked and announced", {
  set.seed(8)
  x <- rpois(200, 2)
  two <- data.frame(n = x, z = rnorm(200))
  expect_warning(
    fit <- fit_flow(two, support = list(n = counts()), steps = 30), "whole", class = "bijectr_warning_counts"
  )
  expect_true(all(round(sample(fit, 2000)$n) >= 0))
})

test_that("a fit brings its support along, and noise stays inside", {
  set.seed(9)
  x <- rlnorm(200, 0, 2)
  fit <- fit_flow(x, steps = 20)
  expect_gt(fit$control$noise, 0)
  again <- fit_flow(x, fit, steps = 5)
  expect_identical(again$layers, fit$layers)
  expect_true(all(is.finite(again$history$train)))
  expect_error(fit_flow(x, fit, support = positive(), steps = 5), "support", class = "bijectr_error_argument")
  file <- tempfile()
  saveRDS(fit, file)
  expect_identical(logdensity(readRDS(file), x), logdensity(fit, x))
})

test_that("log densities have supports too", {
  set.seed(10)
  target <- function(x) stats::dgamma(x[, "rate"], 3, 2, log = TRUE) + stats::dbeta(x[, "p"], 2, 3, log = TRUE)
  fit <- fit_flow(target, names = c("rate", "p"), support = list(rate = positive(), p = bounded(0, 1)), steps = 300)
  expect_match(line(fit), "support: rate (0, Inf) by log, p (0, 1)", fixed = TRUE, all = FALSE)
  expect_equal(fit$evaluation$log_z, 0, tolerance = 0.05)
  draws <- sample(fit, 5000)
  expect_true(all(draws > 0 & draws[, "p"] < 1))
  expect_equal(colMeans(draws), c(rate = 1.5, p = 0.4), tolerance = 0.05)
  expect_error(fit_flow(target, names = c("rate", "p"), support = "auto"), "support", class = "bijectr_error_argument")
  expect_error(fit_flow(target, fit, support = positive()), "support", class = "bijectr_error_argument")
})

test_that("the curve is what the tail of the data says, and draws stay near them", {
  set.seed(21)
  curve <- function(x, ...) with_curve(positive(...), x, range(x))
  expect_identical(curve(rlnorm(3000, 0, 2))$curve, "log")
  tails <- list(list(rweibull(3000, 0.5), 0.25), list(rweibull(3000, 0.7), 0.35), list(rgamma(3000, 0.5), 0.5))
  for (tail in tails) {
    found <- curve(tail[[1]])
    expect_identical(found$curve, "power")
    expect_equal(found$power, tail[[2]], tolerance = 0.35)
    expect_identical(found$scale, weighted_quantile(tail[[1]], 0.5))
    expect_equal(curve(1e6 * tail[[1]])$power, found$power, tolerance = 1e-6) # no matter the unit
  }
  expect_identical(curve(rnorm(3000, 4))$curve, "softplus")
  expect_identical(curve(1:5)$curve, "softplus")
  expect_gt(curve(rexp(500), curve = "power")$power, 0.2)

  # from a fit to data that go further the reach does, too
  start <- fit_flow(rlnorm(200, 0, 2), members = 1, steps = 20, progress = FALSE)
  before <- flow_supports(start)[[1]]
  expect_identical(before$curve, "log")
  larger <- c(rlnorm(200, 0, 2), 1e5)
  after <- flow_supports(fit_flow(larger, start, steps = 1, progress = FALSE))[[1]]
  expect_identical(after$reach, 2e5)
  expect_identical(flow_supports(fit_flow(rlnorm(50), start, steps = 1, progress = FALSE))[[1]]$reach, before$reach)

  # no further than their tangent where nothing was seen, unless the user has chosen
  expect_identical(curve(c(1, exp(-(1:50) / 5), 9))$reach, 2 * 9)
  expect_null(curve(rlnorm(50, 0, 2), curve = "log")$reach)
  below <- rev(-exp(seq(-4, 4, length.out = 50)))
  expect_equal(with_curve(bounded(-Inf, 0), below, range(below))$reach, 2 * exp(4))

  x <- rweibull(3000, 0.7)
  fit <- fit_flow(x, steps = 400)
  expect_identical(flow_supports(fit)[[1]]$curve, "power")
  expect_lt(max(sample(fit, 1e6)), 6 * max(x)) # the truth about 2, a log curve 100
  kept <- tempfile(fileext = ".rds")
  saveRDS(fit, kept)
  expect_identical(logdensity(readRDS(kept), x), logdensity(fit, x))
  expect_identical(flow_supports(fit_flow(x, fit, steps = 1)), flow_supports(fit))
})
