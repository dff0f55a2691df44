test_that("ranks are those of a plain loop, and ties are broken at random", {
  set.seed(1)
  pairs <- conjugate_pairs(30)
  even <- function(data, draws) outer((seq_len(draws) - 0.5) / draws, c(1, 1)) # draws without chance
  u <- matrix(runif(60), 30, dimnames = list(NULL, c("a", "b")))
  found <- sbc(even, u, pairs$data, draws = 19, functions = list(sum = function(theta, data) rowSums(theta + data)))
  naive <- function(of) vapply(1:30, function(i) sum(of(even(NULL, 19)) < of(u[i, , drop = FALSE])), 0)
  expect_equal(unname(found$ranks[, "a"]), naive(function(x) x[, 1]))
  expect_equal(unname(found$ranks[, "sum"]), naive(rowSums))
  expect_s3_class(found, "bijectr_sbc")
  expect_setequal(names(found), c("verdict", "reasons", "notes", "p", "tests", "ranks", "draws", "rows", "level",
    "description"))
  # whole numbers: a binomial posterior that is the prior
  set.seed(2)
  coins <- matrix(rbinom(400, 3, 0.5))
  tied <- sbc(function(data, draws) matrix(rbinom(draws, 3, 0.5)), coins, coins, draws = 19)
  expect_gt(tied$tests$p[1], 0.001)
  expect_gt(length(unique(tied$ranks)), 15)
})

test_that("a true posterior passes as often as it says, a wrong one does not", {
  p <- vapply(1:60, function(seed) {
    set.seed(seed)
    pairs <- conjugate_pairs(100)
    sbc(conjugate(), pairs$theta, pairs$data, draws = 19)$tests$p[1]
  }, 0)
  expect_gt(suppressWarnings(stats::ks.test(p, "punif", exact = FALSE))$p.value, 0.01)
  set.seed(1)
  pairs <- conjugate_pairs(300)
  look <- function(...) sbc(conjugate(...), pairs$theta, pairs$data, draws = 49)
  expect_identical(look()$verdict, "calibrated")
  narrow <- look(narrow = 0.7)
  expect_identical(narrow$verdict, "not calibrated")
  expect_match(narrow$reasons, "a: .*overconfident", all = FALSE)
  expect_match(look(narrow = 1.4)$reasons, "too wide", all = FALSE)
  expect_match(look(shift = 0.3)$reasons, "shifted upwards", all = FALSE)
  # ranks of the parameters do not see a correlation, nor a posterior that is the prior; functions do
  expect_identical(look(tilt = 0.9)$verdict, "calibrated")
  prior <- function(data, draws) matrix(rnorm(2 * draws), draws)
  expect_identical(sbc(prior, pairs$theta, pairs$data, draws = 49)$verdict, "calibrated")
  likelihood <- function(theta, data) rowSums(dnorm(data, theta, 0.5, log = TRUE))
  seen <- sbc(prior, pairs$theta, pairs$data, draws = 49, functions = list(likelihood = likelihood))
  expect_match(seen$reasons, "likelihood: it is higher")
  product <- function(theta, data) (theta[, 1] - 0.8 * data[, 1]) * (theta[, 2] - 0.8 * data[, 2])
  expect_match(
    sbc(conjugate(tilt = 0.9), pairs$theta, pairs$data, draws = 49, functions = product)$reasons, "^function: "
  )
})

test_that("fits are looked at with their density, by pairs or by a simulator, and know their own data", {
  set.seed(3)
  pairs <- conjugate_pairs(400)
  fit <- fit_flow(pairs$theta, layer_additive_condition(), condition = pairs$data, steps = 5)
  simulator <- function(theta) replace(theta + 0.5 * rnorm(length(theta)), 1, NA)
  prior <- list(sample = function(n) conjugate_pairs(n)$theta, log_density = function(theta) rowSums(dnorm(theta)))
  found <- sbc(fit, simulator = simulator, prior = prior, simulations = 60, draws = 19)
  expect_identical(found$tests$what, c("a", "b", "log density"))
  expect_identical(found$rows, list(n = 59L, of = 60L, used = "given"))
  expect_match(found$notes, "1 rows with missing values")
  own <- sbc(fit, pairs$theta, pairs$data, draws = 19)
  expect_identical(own$rows$used, "held out")
  expect_identical(own$rows$n, length(fit$rows$validation))
  set.seed(4)
  again <- sbc(fit, pairs$theta, pairs$data, draws = 19)
  set.seed(4)
  expect_identical(sbc(fit, pairs$theta, pairs$data, draws = 19), again)
  expect_true(all(found$ranks >= 0 & found$ranks <= 19))
  # a fit in rounds is asked of simulations that it was not made for
  rounds <- structure(fit, class = c("bijectr_rounds_fit", class(fit)))
  rounds$rounds <- list(1, 2)
  expect_match(sbc(rounds, pairs$theta[1:50, ], pairs$data[1:50, ], draws = 19)$notes, "near its observation")
  # frames and formulas: conditions stand among the columns, or apart
  table <- data.frame(pairs$theta, x = pairs$data[, 1])
  fit <- fit_flow(cbind(a, b) ~ x, data = table[1:200, ], layers = layer_additive_condition(), steps = 5)
  set.seed(5)
  among <- sbc(fit, table[201:260, ], draws = 19)
  set.seed(5)
  expect_identical(sbc(fit, table[201:260, c("a", "b")], table[201:260, "x", drop = FALSE], draws = 19), among)
})

test_that("draws that are not finite are told", {
  broken <- function(data, draws) matrix(c(Inf, rnorm(draws - 1)))
  found <- sbc(broken, rnorm(20), rnorm(20), draws = 19)
  expect_match(found$reasons[1], "20 draws are not finite")
})

test_that("prints and pictures show it", {
  set.seed(5)
  pairs <- conjugate_pairs(100)
  found <- sbc(conjugate(0.6), pairs$theta, pairs$data, draws = 19)
  expect_output(print(found), "simulation-based calibration.*not calibrated.*overconfident.*adjusted")
  expect_identical(as.data.frame(found), found$tests)
  expect_identical(drawn(plot(found)), found)
  expect_identical(drawn(plot(found, "histogram", quantities = "b")), found)
  expect_error(plot(found, quantities = "c"), "quantities", class = "bijectr_error_argument")
  panel <- make_picture.bijectr_sbc(found, "histogram", "a")$panels[[1]]
  bars <- Filter(function(item) inherits(item, "bijectr_item_bars"), panel$items)[[1]]
  expect_equal(bars$top, hist(found$ranks[, "a"], seq(-0.5, 19.5, 2), plot = FALSE)$density * 20)
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(found), "ggplot")
})

test_that("what cannot be used is told before anything is drawn", {
  asked <- function(...) sbc(conjugate(), ...)
  pairs <- conjugate_pairs(20)
  expect_error(asked(), "theta", class = "bijectr_error_argument")
  expect_error(asked(pairs$theta), "data", class = "bijectr_error_argument")
  expect_error(asked(pairs$theta, pairs$data[1:3, ]), "as many rows", class = "bijectr_error_argument")
  expect_error(asked(pairs$theta, pairs$data, simulator = identity), "either", class = "bijectr_error_argument")
  expect_error(asked(simulator = identity), "prior", class = "bijectr_error_argument")
  expect_error(asked(pairs$theta, pairs$data, functions = 3), "functions", class = "bijectr_error_argument")
  expect_error(asked(pairs$theta, pairs$data, functions = function(theta, data) 1), "one number a row",
    class = "bijectr_error_argument")
  expect_error(sbc(3, pairs$theta, pairs$data), "must be a fit", class = "bijectr_error_argument")
  expect_error(sbc(function(data, draws) 1, pairs$theta, pairs$data), "199 rows", class = "bijectr_error_argument")
  f <- flow(layer_elementwise(scalar_affine()), d = 2)
  expect_error(sbc(f, pairs$theta, pairs$data), "not conditional", class = "bijectr_error_argument")
  given <- flow(layer_additive_condition(), d = 2, d_condition = 2)
  expect_error(sbc(given, pairs$theta), "data", class = "bijectr_error_argument")
  expect_error(sbc(given, pairs$theta, pairs$data[, 1]), "`data` must have 2", class = "bijectr_error_argument")
  expect_error(sbc(given, pairs$theta[, 1], pairs$data), "`theta` must have 2", class = "bijectr_error_argument")
})
