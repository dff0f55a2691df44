# Tables of mixed columns: probabilities and densities in one, see R/table.R.

small_members <- function() stack_members(c("normal", "cells", "frequencies", "linear", "local"))

mixed_rows <- function(n = 240) {
  set.seed(11)
  g <- factor(base::sample(c("a", "b", "c"), n, TRUE, c(0.5, 0.3, 0.2)), c("a", "b", "c", "never"))
  size <- factor(base::sample(c("S", "M", "L"), n, TRUE), c("S", "M", "L"), ordered = TRUE)
  count <- rpois(n, 1 + as.integer(g))
  amount <- ifelse(runif(n) < 0.3, 0, exp(rnorm(n, as.integer(size))))
  x <- rnorm(n, 2 * as.integer(g)) + rnorm(n)
  data.frame(x = x, g = g, size = size, yes = runif(n) < 0.4, count = count, amount = amount, y = x + rnorm(n))
}

mixed_fit <- local({
  fit <- NULL
  function() {
    if (is.null(fit)) {
      set.seed(12)
      fit <<- suppressWarnings(fit_flow(mixed_rows(), members = small_members(), progress = FALSE))
    }
    fit
  }
})

test_that("columns become blocks, few levels first, and the density is the product of theirs", {
  fit <- mixed_fit()
  d <- mixed_rows()
  expect_s3_class(fit, c("bijectr_table", "bijectr_fit", "bijectr_flow"), exact = TRUE)
  kinds <- vapply(fit$blocks, `[[`, "", "kind")
  expect_identical(kinds, c("levels", "levels", "levels", "whole", "atoms", "rest", "line"))
  expect_identical(lapply(fit$blocks, `[[`, "columns"), list(4L, 3L, 2L, 5L, 6L, 6L, c(1L, 7L)))
  z <- list(d$x, as.integer(d$g) - 1, as.integer(d$size) - 1, d$yes + 0, d$count + 0, d$amount, d$y)
  parts <- vapply(fit$blocks, function(block) block_density(fit, block, z, NULL), numeric(nrow(d)))
  expect_equal(logdensity(fit, d), rowSums(parts), tolerance = 1e-12)
  expect_true(all(parts[d$amount == 0, 6] == 0))
  # the line block by hand: indicators, scores, values and atoms stand for the columns before it
  last <- fit$blocks[[7]]$fit
  given <- cbind(
    d$yes, as.integer(d$size) - 1, d$g == "b", d$g == "c", d$g == "never", d$count, d$amount, d$amount == 0
  )
  colnames(given) <- last$condition$names
  expect_equal(parts[, 7], suppressWarnings(logdensity(last, d[c("x", "y")], given)), tolerance = 1e-12)
  expect_equal(as.numeric(logLik(fit)), sum(logdensity(fit, d)), tolerance = 1e-12)
  expect_identical(nobs(fit), nrow(d))
})

test_that("probabilities add up to 1, and with them densities", {
  fit <- mixed_fit()
  levels <- expand.grid(
    g = c("a", "b", "c", "never"), size = c("S", "M", "L"), yes = c(TRUE, FALSE), stringsAsFactors = FALSE
  )
  first <- marginal(fit, c("g", "size", "yes"))
  expect_true(first$exact)
  p <- exp(logdensity(first, levels))
  expect_equal(sum(p), 1, tolerance = 1e-9)
  expect_gt(p[levels$g == "never" & levels$size == "S" & levels$yes], 0)
  # of one further column, given those
  given <- levels[rep(3, 400), ]
  given$count <- 0:399
  counted <- marginal(fit, c("g", "size", "yes", "count"))
  expect_equal(sum(exp(logdensity(counted, given) - logdensity(first, levels[3, ]))), 1, tolerance = 1e-9)
  # and of a column with an atom: its probability, and an integral
  one <- cbind(levels[rep(3, 2), ], count = 2)
  amounts <- marginal(fit, c("g", "size", "yes", "count", "amount"))
  at <- function(amount) {
    row <- cbind(one[rep(1, length(amount)), ], amount = amount)
    exp(suppressWarnings(logdensity(amounts, row)) - logdensity(counted, one[1, ]))
  }
  ends <- seq(-80, 80, 5) # of logarithms
  rest <- sum(mapply(function(from, to) {
    stats::integrate(function(u) at(exp(u)) * exp(u), from, to, rel.tol = 1e-10, subdivisions = 2000)$value
  }, ends[-length(ends)], ends[-1]))
  expect_equal(at(0) + rest, 1, tolerance = 1e-6)
})

test_that("draws have the classes and levels of the columns", {
  fit <- mixed_fit()
  set.seed(13)
  s <- sample(fit, 4000)
  d <- mixed_rows()
  expect_identical(names(s), names(d))
  expect_identical(lapply(s, class), lapply(d, class))
  expect_identical(levels(s$g), levels(d$g))
  expect_true(all(s$count == round(s$count) & s$count >= 0))
  expect_equal(mean(s$amount == 0), mean(d$amount == 0), tolerance = 0.15)
  expect_equal(as.vector(prop.table(table(s$g)))[1:3], as.vector(prop.table(table(d$g)))[1:3], tolerance = 0.1)
  expect_equal(tapply(s$y, droplevels(s$g, "never"), mean), tapply(d$y, droplevels(d$g), mean), tolerance = 0.1)
  expect_true(all(is.finite(logdensity(fit, s))))
  expect_identical(with_seed(3, sample(fit, 5)), with_seed(3, sample(fit, 5)))
  sets <- simulate(fit, 2, seed = 1, n = 3)
  expect_identical(vapply(sets, nrow, 0L), c(sim_1 = 3L, sim_2 = 3L))
})

test_that("what is wrong in layers is told before other blocks are fitted", {
  expect_error(fit_flow(iris, layers = "x"), "`layers` must be a layer", class = "bijectr_error_argument")
  expect_error(fit_flow(iris, base = base_normal(3)), class = "bijectr_error_argument")
})

test_that("what cannot be is refused by name", {
  fit <- mixed_fit()
  d <- mixed_rows()[1:3, ]
  odd <- d
  odd$g <- as.character(odd$g)
  odd$g[2] <- "z"
  expect_error(logdensity(fit, odd), "level \"z\" in row 2", class = "bijectr_error_argument")
  expect_error(logdensity(fit, transform(d, g = 1)), "must be a factor", class = "bijectr_error_argument")
  odd <- d
  odd$size[2] <- NA
  expect_identical(is.na(logdensity(fit, odd)), c(FALSE, TRUE, FALSE))
  expect_error(fit_flow(transform(mixed_rows(), g = "a")), "one level", class = "bijectr_error_argument")
  gap <- mixed_rows()
  gap$g[4] <- NA
  expect_error(fit_flow(gap), "row 4, column g is NA", class = "bijectr_error_argument")
  expect_error(forward(fit, d), "chain of fits", class = "bijectr_error_argument")
  expect_error(predict(fit, d, "response"), "no mean", class = "bijectr_error_argument")
  expect_error(predict(fit, d, "probability"), "one column of levels", class = "bijectr_error_argument")
  broken <- fit
  broken$blocks[[1]]$fit <- NULL
  expect_error(logdensity(broken, d), "damaged", class = "bijectr_error_argument")
  broken <- fit
  broken$codecs[[2]]$levels <- 3
  expect_error(logdensity(broken, d), "damaged", class = "bijectr_error_argument")
  expect_equal(logdensity(unserialize(serialize(fit, NULL)), d), logdensity(fit, d))
})

test_that("factors are responses, with probabilities and classes", {
  set.seed(14)
  fit <- fit_flow(Species ~ Petal.Length + Petal.Width, data = iris, members = c("linear", "local"), progress = FALSE)
  p <- predict(fit, iris, "probability")
  expect_identical(dim(p), c(150L, 3L))
  expect_identical(colnames(p), levels(iris$Species))
  expect_equal(rowSums(p), rep(1, 150), tolerance = 1e-12)
  expect_equal(log(p[cbind(1:150, as.integer(iris$Species))]), logdensity(fit, iris), tolerance = 1e-12)
  class <- predict(fit, iris, "class")
  expect_identical(levels(class), levels(iris$Species))
  expect_gt(mean(class == iris$Species), 0.94)
  drawn <- sample(fit, 2000, condition = iris[rep(71, 2000), ])[[1]]
  expect_equal(as.vector(table(drawn)) / 2000, unname(p[71, ]), tolerance = 0.1)
  set.seed(15)
  d <- data.frame(x = rnorm(300))
  d$y <- cut(d$x + rlogis(300) / 2, c(-Inf, -1, 0, 1, Inf), labels = c("i", "ii", "iii", "iv"), ordered_result = TRUE)
  fit <- fit_flow(y ~ x, data = d, progress = FALSE)
  p <- predict(fit, data.frame(x = c(-1, 0.5)), "probability")
  truth <- t(vapply(c(-1, 0.5), function(x) diff(plogis(2 * (c(-Inf, -1, 0, 1, Inf) - x))), numeric(4)))
  expect_equal(unname(p), truth, tolerance = 0.15)
  expect_s3_class(predict(fit, data.frame(x = 0), "class"), "ordered")
})

test_that("steps of more than 1 are found, and single flows fit tables too", {
  set.seed(16)
  d <- data.frame(score = 10 * rbinom(200, 8, 0.6), x = rnorm(200), f = factor(rep(1:2, 100)))
  fit <- suppressWarnings(fit_flow(d, members = small_members(), progress = FALSE))
  role <- fit$roles[[1]]
  expect_identical(role[c("kind", "step", "origin")], list(kind = "whole", step = 10, origin = min(d$score)))
  scores <- marginal(fit, "score")
  s <- sample(fit, 300)$score
  expect_true(all(s %% 10 == 0))
  # other whole numbers are very unlikely, not impossible, and the probabilities of all add up to 1
  off <- logdensity(fit, data.frame(score = c(35, 35.5, 0), x = 0, f = factor(1)))
  expect_lt(off[1], -15)
  expect_identical(is.finite(off), c(TRUE, FALSE, TRUE))
  all <- data.frame(score = -60:200, x = 0, f = factor(1))
  part <- bijectr:::block_density(fit, fit$blocks[[2]], bijectr:::take_in(fit, all, "newdata", NULL)$points, NULL)
  expect_identical(fit$blocks[[2]]$columns, 1L)
  expect_equal(sum(exp(part)), 1, tolerance = 1e-9)
  expect_identical(role$support$lower, -0.5 - min(d$score) / 10)
  one <- suppressWarnings(fit_flow(d[c("x", "f")], steps = 20))
  expect_true(all(is.finite(logdensity(one, d))))
  expect_identical(one$steps, 20)
  expect_output(print(one), "table of 2 blocks")
  expect_output(print(summary(one)), "Block 2")
})

test_that("a column of amounts with zeros has a distribution function, quantiles and a mean", {
  set.seed(17)
  d <- data.frame(y = ifelse(runif(400) < 0.25, 0, rexp(400)))
  fit <- fit_flow(d$y, members = stack_members(c("normal", "spline")), progress = FALSE)
  expect_s3_class(fit, "bijectr_table")
  at <- c(-1, 0, 0.5, 2)
  expect_equal(pflow(at, fit), ecdf(d$y)(at), tolerance = 0.06)
  expect_equal(pflow(at, fit, lower.tail = FALSE), 1 - pflow(at, fit), tolerance = 1e-12)
  p <- c(0.1, 0.4, 0.9)
  expect_identical(qflow(0.1, fit), 0)
  expect_equal(pflow(qflow(p[2:3], fit), fit), p[2:3], tolerance = 1e-9)
  set.seed(1)
  expect_equal(predict(fit, type = "response"), mean(d$y), tolerance = 0.15)
})

test_that("pictures and checks of tables are there", {
  fit <- mixed_fit()
  d <- mixed_rows()
  expect_picture <- function(code) {
    path <- tempfile(fileext = ".pdf")
    grDevices::pdf(path)
    on.exit({
      grDevices::dev.off()
      expect_gt(file.size(path), 1000)
    })
    code
  }
  expect_picture(shown <- plot(fit, data = d, n = 200))
  expect_identical(dim(shown), c(200L, 7L))
  expect_picture(plot(fit, "pairs", data = d, n = 200))
  set.seed(18)
  expect_s3_class(check_flow(fit, d, draws = 500), "bijectr_check")
})

test_that("quantiles of the upper tail keep their digits beside atoms", {
  set.seed(41)
  fit <- fit_flow(c(rep(0, 60), rexp(200)), members = stack_members(c("normal", "spline")), progress = FALSE)
  q <- qflow(c(-30, -12, -1), fit, lower.tail = FALSE, log.p = TRUE)
  expect_equal(pflow(q, fit, lower.tail = FALSE, log.p = TRUE), c(-30, -12, -1), tolerance = 1e-8)
  expect_identical(qflow(0.9, fit, lower.tail = FALSE), 0)
  expect_equal(qflow(0.3, fit, lower.tail = FALSE), qflow(0.7, fit), tolerance = 1e-9)
})

test_that("a column with atoms has survival functions and quantiles at conditions", {
  set.seed(42)
  d <- data.frame(y = c(rep(0, 40), rexp(60)), x = rnorm(100))
  fit <- fit_flow(y ~ x, d, members = stack_members(c("normal", "frequencies")), progress = FALSE)
  new <- data.frame(x = 0:1)
  s <- predict(fit, new, "survival", times = c(0, 1))
  below <- pflow(rep(c(0, 1), each = 2), fit, condition = new[c(1, 2, 1, 2), , drop = FALSE])
  expect_equal(unname(s), 1 - matrix(below, 2), tolerance = 1e-12)
  expect_identical(dim(predict(fit, new, "quantile", p = c(0.1, 0.5, 0.9))), c(2L, 3L))
})

test_that("weights of any scale give the same table with steps", {
  set.seed(43)
  d <- data.frame(score = 10 * rbinom(100, 8, 0.5), f = factor(rep(1:2, 50)))
  fit <- function(w) {
    suppressWarnings(fit_flow(d, weights = w, members = stack_members(c("normal", "frequencies")), progress = FALSE))
  }
  at <- data.frame(score = c(40, 43), f = factor(1, levels = 1:2))
  set.seed(1)
  one <- logdensity(fit(rep(1, 100)), at)
  set.seed(1)
  expect_equal(logdensity(fit(rep(1e-7, 100)), at), one, tolerance = 1e-9)
})

test_that("columns of two values have these alone, and levels of no row keep NA", {
  set.seed(44)
  d <- data.frame(k = rep(c(0, 100), c(60, 40)), b = rbinom(100, 1, 0.4), x = rnorm(100))
  fit <- suppressWarnings(fit_flow(d, members = stack_members(c("normal", "frequencies")), progress = FALSE))
  draws <- sample(fit, 2000)
  expect_setequal(draws$k, c(0, 100))
  expect_setequal(draws$b, c(0, 1))
  z <- data.frame(f = addNA(factor(rep(c("a", NA), 40))), x = rnorm(80))
  gaps <- fit_flow(z, members = stack_members(c("normal", "frequencies")), progress = FALSE)
  expect_identical(levels(sample(gaps, 9)$f), levels(z$f))
})

test_that("kinds that need conditions, and settings of one flow, are told where there are none", {
  set.seed(45)
  d <- data.frame(f = factor(rep(c("a", "b"), 40)), x = rnorm(80))
  expect_no_warning(fit_flow(d, members = c("normal", "cells", "linear", "local"), progress = FALSE))
  expect_no_error(fit_flow(f ~ 1, data = d, members = "linear", progress = FALSE))
  expect_warning(fit_flow(d$x, members = c("normal", "nearby"), progress = FALSE), "given conditions")
  expect_error(fit_flow(f ~ x, data = d, steps = 7), "columns of numbers with densities")
  w <- fit_flow(f ~ x, d, members = "frequencies", progress = FALSE)
  expect_identical(dim(predict(w, d[0, ], type = "probability")), c(0L, 2L))
  expect_true(is.na(predict(w, data.frame(x = NA_real_), type = "class")))
})

test_that("blocks side by side are the same fit, and an error of one keeps the others", {
  skip_if_not_installed("future.apply")
  skip_on_cran()
  set.seed(46)
  n <- 80
  d <- data.frame(f = factor(sample.int(2, n, TRUE)), g = factor(sample.int(3, n, TRUE)), x = rnorm(n), z = rexp(n))
  fit <- function(...) {
    set.seed(47)
    fit_flow(d, members = c("normal", "frequencies", "linear"), progress = FALSE, ...)
  }
  one <- fit()
  after <- runif(1)
  old <- future::plan(future::multisession, workers = 2)
  on.exit(future::plan(old))
  two <- fit()
  expect_identical(runif(1), after)
  expect_identical(logdensity(two, d), logdensity(one, d))
  expect_identical(lapply(two$blocks, `[[`, "share"), lapply(one$blocks, `[[`, "share"))
  expect_identical(block_turns(3, NULL, FALSE), list(1:2, 3))
  expect_identical(block_turns(3, 9, TRUE), list(3L, 2L, 1L))
  # what is fitted beside one that fails is kept
  jobs <- lapply(1:3, function(i) list(seed = i, kind = "levels", i = i, points = i))
  work <- function(kind, points, ...) if (points == 2) stop("no good") else list(points = points, status = "finished")
  lost <- tryCatch(fit_blocks(lapply(1:3, list), jobs, work, FALSE, list(), 1:3), error = identity)
  expect_match(conditionMessage(lost), "Block 2 ended in an error")
  expect_identical(vapply(lost$blocks, `[[`, 0L, "points"), c(1L, 3L))
  work <- function(kind, points, ...) list(points = points, status = if (points == 2) "interrupted" else "finished")
  lost <- tryCatch(fit_blocks(lapply(1:3, list), jobs, work, FALSE, list(), 1:3), error = identity)
  expect_match(conditionMessage(lost), "Block 2 was interrupted")
  expect_identical(vapply(lost$blocks, `[[`, 0L, "points"), c(1L, 3L, 2L))
  work <- function(kind, points, ...) {
    if (points == 1) stop_arg("not so")
    list(points = points, status = "finished")
  }
  together <- function() fit_blocks(lapply(1:3, list), jobs, work, FALSE, list(), 1:3)
  expect_error(together(), "not so", class = "bijectr_error_argument")
  withr::with_options(list(future.globals.maxSize = 1), {
    lost <- tryCatch(together(), error = identity)
  })
  expect_match(conditionMessage(lost$parent), "maximum allowed size")
})
