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
    !is_real(found_support(x <- abs(rnorm(30, 2)), x))
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
  expect_warning(fit <- fit_flow(x, support = counts(), steps = 30), "counts", class = "bijectr_warning_counts")
  expect_true(all(round(sample(fit, 2000)) >= 0))
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
