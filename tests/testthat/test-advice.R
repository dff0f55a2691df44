# What a careful colleague would say: which warnings come, and which do not.

# The classes of the advice, without the prefix, of an expression.
advice <- function(expr) {
  said <- character()
  withCallingHandlers(expr, warning = function(w) {
    said <<- c(said, sub("^bijectr_warning_", "", grep("^bijectr_warning_", class(w), value = TRUE)))
    invokeRestart("muffleWarning")
  })
  said
}
advice_on <- function(data, ..., condition = NULL, weights = NULL, validation = 0.15) {
  data <- as_fit_data(data)
  rows <- with_seed(1, split_rows(n_rows(data), validation, weights))
  advice(advise_data(encode_columns(data), as_fit_condition(condition, n_rows(data)), rows, weights))
}

test_that("measurements are fitted without a word", {
  set.seed(1)
  expect_identical(advice(fit_flow(faithful, steps = 5)), character())
  expect_identical(advice(fit_flow(cbind(Sepal.Length, Sepal.Width) ~ Species, iris, steps = 5)), character())
  for (data in list(iris[1:4], quakes, trees, cars, rnorm(1000), rpois(1000, 100), 0.1 * round(10 * rnorm(2000)),
    exp(3 * rnorm(1000)), rt(1000, 1), round(1e6 * rlnorm(500)), 1e-12 * rnorm(100), 1e12 + rnorm(100)
  )) {
    expect_identical(advice_on(data), character())
  }
})

test_that("ties and integers are announced, whatever their units", {
  set.seed(1)
  expect_identical(advice(fit_flow(round(rnorm(1000)), steps = 5)), "counts") # alone they are fitted as such
  expect_identical(advice(fit_flow(round(rnorm(1000)), support = "real", steps = 5)), "ties")
  for (x in list(rpois(500, 2), rbinom(500, 1, 0.05), sample(5, 200, TRUE), rgeom(1000, 0.5), 1e4 * rpois(200, 2))) {
    expect_identical(advice_on(x), "ties")
    expect_identical(advice_on(1e-12 * x), "ties")
    expect_identical(advice_on(data.frame(z = rnorm(length(x)), x = x)), "ties")
  }
  expect_warning(
    advise_data(as.matrix(mtcars), NULL, list(train = 1:32, validation = integer()), rep(c(1, 0), c(32, 0))),
    "cyl, vs, am, gear, and carb", class = "bijectr_warning_ties"
  ) |> suppressWarnings()
})

test_that("many values at one point are announced", {
  set.seed(1)
  expect_identical(advice_on(c(rep(0, 100), rexp(900))), "atom")
  expect_identical(advice_on(pmin(pmax(rnorm(1000), -1.5), 1.5)), "atom")
  expect_identical(advice_on(c(rnorm(800), rep(-99, 100), rep(-98, 100))), "atom")
  expect_identical(advice_on(cbind(rnorm(100), c(rep(7, 60), rnorm(40)))), "atom")
  expect_warning(fit_flow(data.frame(paid = c(rep(0, 50), rexp(50))), steps = 2), "column paid: 50 % at 0",
    class = "bijectr_warning_atom"
  )
})

test_that("rows on both sides of the split are announced, coincidences are not", {
  set.seed(1)
  twice <- function(x) rbind(as.matrix(x), as.matrix(x))
  expect_identical(advice_on(twice(faithful)), "duplicates")
  expect_identical(advice_on(faithful[sample(272, 272, TRUE), ]), "duplicates")
  expect_identical(advice_on(twice(rnorm(100))), "duplicates")
  expect_identical(advice_on(twice(1e-12 * rnorm(100))), "duplicates")
  expect_identical(advice_on(twice(rnorm(100)), validation = 1:15), "duplicates")
  expect_identical(advice_on(twice(rnorm(100)), validation = c(1:15, 101:115)), character())
  expect_identical(advice_on(twice(rnorm(100)), condition = rnorm(200)), character())
  expect_identical(advice_on(faithful$waiting), character())
})

test_that("values that agree by rounding are no copies, whatever the scale and however few are held out", {
  said <- function(make, n, times) {
    vapply(seq_len(times), function(seed) {
      set.seed(seed)
      x <- make(n)
      "duplicates" %in% with_seed(seed, {
        data <- as_fit_data(x)
        advice(advise_data(encode_columns(data), NULL, split_rows(n_rows(data), 0.15, NULL), NULL))
      })
    }, NA)
  }
  rounded <- list(
    function(n) rpois(n, 100), function(n) log(round(rlnorm(n, 4, 1.3)) + 10), function(n) round(rnorm(n, 20, 5), 1),
    function(n) round(rnorm(n), 2), function(n) round(rlnorm(n, 10, 1), -2), function(n) log(round(rexp(n), 2) + 0.01),
    function(n) sqrt(rpois(n, 60)), function(n) signif(rlnorm(n, 0, 2), 2), function(n) round(2 * rnorm(n, 170, 8)) / 2,
    function(n) cbind(round(rnorm(n), 1), round(rexp(n), 1)), function(n) log(islands)
  )
  for (make in rounded) for (n in c(40, 100, 500)) {
    expect_lte(sum(said(make, n, 25)), 1, label = paste("alarms at", n, "rows of", deparse1(body(make))))
  }
  exact <- list(rnorm, rexp, function(n) rt(n, 2), function(n) cbind(round(rnorm(n), 1), rexp(n)))
  for (make in exact) for (n in c(20, 125)) {
    expect_gte(sum(said(function(n) do.call(rbind, rep(list(as.matrix(make(n))), 2)), n, 25)), if (n == 20) 20 else 24)
  }
})

test_that("few rows are announced by their weight", {
  set.seed(1)
  expect_identical(advice_on(matrix(rnorm(200), 20)), "few_rows")
  expect_identical(advice_on(matrix(rnorm(40), 20)), character())
  expect_identical(advice_on(matrix(rnorm(40), 20), condition = matrix(rnorm(60), 20)), "few_rows")
  expect_identical(advice_on(matrix(rnorm(40), 20), weights = 10^-(1:20)), "few_rows")
})

test_that("a condition that never varies is announced", {
  set.seed(1)
  x <- data.frame(y = rnorm(100), one = 0.1 * 3, f = factor(rep("a", 100), c("a", "b")), z = rnorm(100))
  expect_identical(advice(fit_flow(x["y"], condition = x[c("one", "z")], steps = 2)), "constant_condition")
  expect_warning(fit_flow(y ~ one + z, data = x, steps = 2), "one does not vary",
    class = "bijectr_warning_constant_condition"
  )
  said <- function(one, ...) advice(fit_flow(x["y"], condition = one, steps = 2, ...))
  expect_identical(said(1e-300 * x$z), character())
  expect_identical(said(c(0.1 + 0.2, rep(0.3, 99))), "constant_condition")
  expect_identical(said(rep(c(0.3, 0.3 + 1e-6), 50)), character())
  expect_identical(said(rep(1:2, 50), weights = rep(0:1, 50)), "constant_condition")
})

test_that("a large network is announced with its time and size", {
  set.seed(1)
  x <- matrix(rnorm(120), 40)
  layer <- layer_coupling(scalar_affine(), net_mlp(c(800, 1300)))
  expect_warning(fit_flow(x, layer, steps = 1, batch_size = 8), "1,0[0-9]+,[0-9]+ parameters.* s and [0-9]+ MB",
    class = "bijectr_warning_large"
  )
})

test_that("a hopeless training is not returned as a good fit", {
  set.seed(1)
  expect_identical(advice(fit_flow(faithful, learning_rate = 1e6, steps = 200)), "no_better")
  expect_identical(advice(fit_flow(faithful, learning_rate = 1e6, steps = 200, validation = 0)), "no_better")
  expect_identical(advice(fit_flow(faithful, steps = 200)), character())
  expect_identical(advice(fit_flow(matrix(rnorm(600), 300), steps = 200)), character())
})

test_that("advice that is an error does not cost the fit", {
  set.seed(1)
  withr::local_options(warn = 2)
  error <- tryCatch(fit_flow(faithful, learning_rate = 1e6, steps = 200), error = identity)
  expect_s3_class(error, "bijectr_error_training")
  expect_identical(error$fit$steps, 200)
})
