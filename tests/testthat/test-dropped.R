# Columns that are linear functions of others, left out and given back.

dropping <- function(data, ..., layers = layer_elementwise(scalar_affine())) {
  set.seed(7)
  # the default noise depends on the number of columns
  fit_flow(data, ..., layers = layers, steps = 3, batch_size = 32, validation = 0.2, noise = 0, collinear = "drop")
}

pair <- function(n = 80) {
  set.seed(3)
  data.frame(a = rnorm(n, 3), b = rnorm(n, -1, 2))
}

expect_relation <- function(value, expected) expect_lt(max(abs(value - expected) / abs(expected)), 1e-12)

test_that("a copy comes back exactly, and the density is that of the column kept", {
  x <- pair()
  table <- data.frame(a = x$a, copy = x$a, b = x$b)
  fit <- dropping(table)
  alone <- dropping(x)
  expect_identical(fit$d, 2L)
  expect_identical(fit$names, c("a", "b"))
  expect_null(alone$dropped)
  expect_identical(fit$params, alone$params)
  expect_identical(logdensity(fit, table), logdensity(alone, x))
  expect_identical(fit$loglik, alone$loglik)
  draws <- sample(fit, 50)
  expect_named(draws, names(table))
  expect_identical(draws$copy, draws$a)
})

test_that("sums, and shares that add up to one, hold in draws", {
  x <- pair()
  fit <- dropping(data.frame(x, total = x$a + x$b, twice = 5 - x$b / 2))
  expect_identical(fit$dropped$columns, 3:4)
  expect_identical(fit$dropped$coefficients, list(c(1, 1), -0.5))
  expect_identical(fit$dropped$intercept, c(0, 5))
  draws <- sample(fit, 200)
  expect_relation(draws$total, draws$a + draws$b)
  expect_relation(draws$twice, 5 - draws$b / 2)
  expect_output(print(fit), "total \\(of a, b\\), twice \\(of b\\)")
  set.seed(4)
  shares <- matrix(rgamma(300, 2), 100)
  shares <- shares / rowSums(shares)
  fit <- dropping(shares)
  draws <- sample(fit, 200)
  expect_identical(dim(draws), c(200L, 3L))
  expect_relation(rowSums(draws), rep(1, 200))
  expect_true(all(is.finite(logdensity(fit, shares))))
  expect_identical(logdensity(fit, shares), logdensity(fit, shares[, 1:2]))
})

test_that("rows off the relation have no density, rows with gaps no value", {
  x <- pair()
  table <- data.frame(sum = x$a + x$b, x)
  fit <- dropping(table)
  expect_identical(fit$dropped$columns, 3L)
  at <- table[1:6, ]
  at$b[2] <- at$b[2] + 1e-3
  at$sum[4] <- NA
  at$b[5] <- NA
  value <- logdensity(fit, at)
  expect_identical(value[2], -Inf)
  expect_identical(which(is.na(value)), 4:5)
  expect_true(all(is.finite(value[c(1, 3, 6)])))
  expect_identical(dflow(at, fit)[2], 0)
  expect_warning(back <- inverse(fit, at[1:2, ]), class = "bijectr_warning_outside")
  expect_identical(back$logdet == -Inf, c(FALSE, TRUE))
  expect_identical(logdensity(fit, at[1, c("a", "b", "sum")]), value[1])
  expect_identical(logdensity(fit, as.matrix(at)[1:3, ]), value[1:3])
  expect_identical(logdensity(fit, unname(as.matrix(at)[1:3, ])), value[1:3])
  expect_identical(logdensity(fit, table[c("a", "sum")])[c(1, 3)], value[c(1, 3)])
  expect_error(logdensity(fit, table[c("a", "b")]), "sum", class = "bijectr_error_argument")
})

test_that("classes, files, resumed and repeated fits keep what was left out", {
  x <- pair()
  day <- as.Date("2020-01-01") + 10 * x$a
  table <- data.frame(start = day, b = x$b, end = day + 7)
  fit <- dropping(table)
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  again <- readRDS(file)
  set.seed(1)
  draws <- sample(again, 20)
  set.seed(1)
  expect_identical(sample(fit, 20), draws)
  expect_s3_class(draws$end, "Date")
  expect_lt(max(abs(as.numeric(draws$end - draws$start) - 7)), 1e-7)
  expect_identical(lapply(simulate(fit, 1, n = 4)[[1]], class), lapply(table, class))
  longer <- resume(fit, table, steps = 2)
  expect_equal(longer$steps, 5)
  expect_identical(longer$dropped, fit$dropped)
  expect_identical(update(fit, data = table, layers = layer_elementwise(scalar_affine()))$dropped, fit$dropped)
  onward <- dropping(table, layers = fit)
  expect_identical(onward$dropped, fit$dropped)
  expect_true(is.finite(logdensity(onward, table[1, ])))
  off <- table
  off$end[3] <- off$end[3] + 1
  expect_error(dropping(off, layers = fit), "Row 3", class = "bijectr_error_argument")
  expect_output(print(summary(fit)), "start")
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  expect_no_error(plot(fit, data = table))
})

test_that("formulas and supports go with it", {
  x <- exp(pair())
  x$g <- rep(1:2, 40)
  x$total <- x$a + x$b
  fit <- dropping(cbind(a, b, total) ~ g, x)
  expect_identical(fit$dropped$names, "total")
  expect_true(is.finite(logdensity(fit, x[1, ])))
  draws <- sample(fit, 10, condition = data.frame(g = 1))
  expect_relation(draws$total, draws$a + draws$b)
  expect_no_error(resume(fit, x, steps = 1))
  fit <- dropping(x[c("total", "a", "b")], support = list(total = positive(), b = positive()))
  expect_identical(fit$dropped$names, "b")
  expect_true(all(sample(fit, 100)$total > 0))
})

test_that("the default is an error that names the cure", {
  x <- pair()
  x$total <- x$a + x$b
  expect_error(fit_flow(x, layer_elementwise(scalar_affine()), steps = 1), "collinear = \"drop\"",
    class = "bijectr_error_argument"
  )
  expect_error(fit_flow(x, collinear = "leave"), "collinear", class = "bijectr_error_argument")
  gaps <- x
  gaps$b[2] <- NA
  expect_error(fit_flow(gaps, na = "model", collinear = "drop"), "missing values", class = "bijectr_error_argument")
  # one that is damaged is told of
  fit <- dropping(x)
  fit$dropped$of <- list("a")
  expect_error(sample(fit, 1), "dropped", class = "bijectr_error_argument")
  for (wrong in list("a", 1, sum, TRUE)) {
    fit["dropped"] <- list(wrong)
    expect_error(sample(fit, 1), "dropped", class = "bijectr_error_argument")
  }
})

test_that("importance draws, chains and tables have all columns", {
  x <- pair()
  x$total <- x$a + x$b
  fit <- dropping(x)
  target <- function(at) dnorm(at[, "total"], 2, log = TRUE) + dnorm(at[, "a"], 3, log = TRUE)
  weighed <- importance_sample(fit, target, n = 100)
  expect_named(weighed$draws, names(x))
  chains <- unclass(sample_imh(fit, target, size = 20, chains = 2, warmup = 5))
  expect_identical(dim(chains)[3], 3L)
  expect_relation(c(chains[, , 3]), c(chains[, , 1] + chains[, , 2]))
  table <- augment.bijectr_flow(fit, as.matrix(x))
  expect_named(table, c(names(x), ".logdensity"))
  one <- dropping(data.frame(a = x$a, copy = 2 * x$a))
  expect_identical(one$d, 1L)
  expect_named(rflow(3, one), c("a", "copy"))
  expect_identical(order(pflow(c(1, 2, 3), one)), 1:3)
})
