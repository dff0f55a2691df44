# Conditional and marginal distributions, and imputation, beside closed forms.

# A normal distribution of three columns: what it is given the second of them.
three <- function() {
  root <- rbind(c(1, 0, 0), c(0.8, 0.6, 0), c(-0.5, 0.7, 0.4))
  f <- flow(list(), 3, base_mvnormal())
  f["params"] <- list(raw_mvnormal(c(1, -1, 0), root))
  list(flow = f, mean = c(1, -1, 0), cov = tcrossprod(root))
}

given_second <- function(x2) {
  at <- three()
  s <- at$cov
  list(
    mean = at$mean[c(1, 3)] + s[c(1, 3), 2] / s[2, 2] * (x2 - at$mean[2]),
    cov = s[c(1, 3), c(1, 3)] - tcrossprod(s[c(1, 3), 2]) / s[2, 2]
  )
}

log_normal <- function(x, mean, cov) {
  r <- chol(cov)
  z <- backsolve(r, t(x) - mean, transpose = TRUE)
  -colSums(z^2) / 2 - sum(log(diag(r))) - ncol(x) / 2 * log(2 * pi)
}

test_that("a normal distribution is conditioned as the formulas have it", {
  at <- three()
  cond <- conditional(at$flow, x2 = c(0.5))
  truth <- given_second(0.5)
  expect_false(cond$exact)
  expect_gt(cond$ess, 500)
  expect_equal(cond$log_evidence, dnorm(0.5, at$mean[2], sqrt(at$cov[2, 2]), log = TRUE), tolerance = 5 * cond$error)
  set.seed(2)
  x <- matrix(rnorm(20), 10)
  expect_equal(logdensity(cond, x), log_normal(x, truth$mean, truth$cov), tolerance = 0.02)
  s <- sample(cond, 4000)
  expect_identical(colnames(s), c("x1", "x3"))
  expect_equal(unname(colMeans(s)), truth$mean, tolerance = 0.1)
  expect_equal(unname(cov(s)), truth$cov, tolerance = 0.12)
  expect_identical(logdensity(cond, x), logdensity(cond, x))
  first <- marginal(at$flow, c("x1", "x2"))
  expect_equal(logdensity(first, x), log_normal(x, at$mean[1:2], at$cov[1:2, 1:2]), tolerance = 0.05)
  one <- marginal(at$flow, 2)
  expect_equal(pflow(c(-2, 0), one), pnorm(c(-2, 0), -1, sqrt(at$cov[2, 2])), tolerance = 0.05)
  expect_equal(qflow(0.5, one), -1, tolerance = 0.06)
})

test_that("several rows that are given have a distribution each", {
  at <- three()
  cond <- conditional(at$flow, data.frame(x2 = c(-3, 2)))
  expect_length(cond$log_evidence, 2)
  set.seed(3)
  s <- sample(cond, 3000)
  odd <- seq(1, 3000, 2)
  expect_equal(unname(colMeans(s[odd, ])), given_second(-3)$mean, tolerance = 0.12)
  expect_equal(unname(colMeans(s[-odd, ])), given_second(2)$mean, tolerance = 0.12)
  x <- matrix(0, 2, 2)
  expect_equal(logdensity(cond, x)[2], log_normal(x[2, , drop = FALSE], given_second(2)$mean, given_second(2)$cov),
    tolerance = 0.05
  )
  expect_error(logdensity(cond, matrix(0, 3, 2)), "as many rows as are given", class = "bijectr_error_argument")
})

test_that("what comes first in a chain is exact", {
  set.seed(4)
  fit <- fit_flow(iris, members = c("normal", "cells"), progress = FALSE)
  setosa <- conditional(fit, Species = "setosa")
  expect_true(setosa$exact)
  species <- marginal(fit, "Species")
  p <- logdensity(species, data.frame(Species = "setosa"))
  expect_equal(setosa$log_evidence, p, tolerance = 1e-12)
  rows <- iris[c(1, 20, 40), ]
  expect_equal(logdensity(setosa, rows), logdensity(fit, rows) - p, tolerance = 1e-12)
  expect_identical(unique(sample(conditional(fit, Petal.Length = 1.4, Petal.Width = 0.2), 50)$Species), factor("setosa",
    levels(iris$Species)
  ))
  # probabilities of levels given numbers, by Bayes' theorem
  x <- iris[51, 1:4]
  by_hand <- vapply(levels(iris$Species), function(s) logdensity(fit, cbind(x, Species = s)), 0)
  of_level <- conditional(fit, x, draws = 200)
  direct <- logdensity(of_level, data.frame(Species = "versicolor"))
  expect_equal(direct, by_hand[["versicolor"]] - log(sum(exp(by_hand))), tolerance = 0.1)
  expect_error(conditional(fit, iris[1, ]), "All columns are given", class = "bijectr_error_argument")
  expect_error(conditional(fit, Sepal = 1), "no column", class = "bijectr_error_argument")
  expect_error(conditional(fit, 1), "need names", class = "bijectr_error_argument")
  expect_error(conditional(fit, Species = "rose"), "rose", class = "bijectr_error_argument")
  expect_error(marginal(fit, 7), "names or numbers", class = "bijectr_error_argument")
  expect_error(forward(setosa, x), "no map", class = "bijectr_error_argument")
  expect_output(print(setosa), "exact")
  broken <- setosa
  broken$given <- NULL
  expect_error(sample(broken, 2), "damaged", class = "bijectr_error_argument")
})

test_that("gaps are filled from what is there", {
  set.seed(5)
  fit <- fit_flow(iris, members = c("normal", "cells"), progress = FALSE)
  d <- iris[c(1:20, 61:80), ]
  d$Petal.Length[1:10] <- NA
  d$Species[15:25] <- NA
  d$Sepal.Width[40] <- NA
  set.seed(6)
  done <- impute(fit, d, m = 3, type = "list")
  expect_length(done, 3)
  for (one in done) {
    expect_false(anyNA(one))
    expect_identical(one[26:39, ], d[26:39, ])
    expect_identical(as.character(one$Species[15:25]), rep(c("setosa", "versicolor"), c(6, 5)))
    expect_lt(max(abs(one$Petal.Length[1:10] - 1.46)), 1)
  }
  expect_length(attr(done, "ess"), 22)
  expect_error(impute(fit, 1:3), "data frame", class = "bijectr_error_argument")
  skip_if_not_installed("mice")
  mids <- impute(fit, d, m = 2)
  expect_s3_class(mids, "mids")
  expect_false(anyNA(mice::complete(mids, 2)))
})

test_that("levels of parts have probabilities and classes, but no means, quantiles or hazards", {
  set.seed(31)
  fit <- fit_flow(iris, members = stack_members(c("normal", "cells", "frequencies", "linear")), progress = FALSE)
  measured <- conditional(fit, iris[c(1, 60, 140), 1:4])
  p <- predict(measured, type = "probability")
  expect_identical(dim(p), c(3L, 3L))
  expect_equal(rowSums(p), rep(1, 3), tolerance = 1e-12)
  sums <- rowSums(exp(vapply(levels(iris$Species), function(level) {
    logdensity(measured, data.frame(Species = factor(rep(level, 3), levels(iris$Species))))
  }, numeric(3))))
  expect_equal(sums, rep(1, 3), tolerance = 1e-12)
  expect_identical(as.character(predict(measured, type = "class")), c("setosa", "versicolor", "virginica"))
  expect_equal(unname(predict(marginal(fit, "Species"), type = "probability")[1, ]), rep(1 / 3, 3), tolerance = 0.02)
  expect_error(predict(measured, type = "response"), "no mean")
  expect_error(quantile(marginal(fit, "Species"), 0.5), "without order")
  expect_error(pflow("setosa", marginal(fit, "Species")), "without order")
  expect_error(conditional(measured, Sepal.Length = 5), "already")
  expect_error(marginal(measured, "Species"), "already")
  expect_error(conditional(fit, iris[0, 1:2]), "at least one value")
  expect_error(conditional(fit = "a", Sepal.Length = 1), "data frame")
  d <- data.frame(g = rep(c("a", "b"), 40), k = rpois(80, 3))
  counted <- fit_flow(d, members = stack_members(c("normal", "frequencies")), support = list(k = counts()))
  expect_error(predict(conditional(counted, g = "a"), type = "hazard", times = 1), "Hazards")
})

test_that("gaps in columns that came as text, or empty, are filled with levels", {
  set.seed(32)
  d <- data.frame(f = factor(rep(c("a", "b"), 40)), x = rnorm(80))
  fit <- fit_flow(d, members = stack_members(c("normal", "frequencies")), progress = FALSE)
  empty <- impute(fit, data.frame(f = NA, x = c(0, 1)), m = 1, type = "list")[[1]]
  expect_identical(levels(empty$f), c("a", "b"))
  expect_false(anyNA(empty$f))
  text <- impute(fit, data.frame(f = c(NA, "b", NA), x = 0), m = 2, type = "list")
  expect_true(all(vapply(text, function(one) all(one$f %in% c("a", "b")), NA)))
  few <- impute(fit, data.frame(f = factor(c(rep(NA, 30), "b"), levels = "b"), x = 0), m = 2, type = "list")
  expect_false(anyNA(few[[2]]$f))
  expect_setequal(few[[1]]$f, c("a", "b"))
})

test_that("several rows that are given have a mean, quantiles and survival functions each", {
  set.seed(33)
  d <- data.frame(g = rep(c("a", "b"), 40), x = rnorm(80) + rep(c(0, 20), 40))
  fit <- fit_flow(d, members = stack_members(c("normal", "cells", "frequencies")), progress = FALSE)
  both <- conditional(fit, g = c("a", "b"))
  expect_equal(as.vector(predict(both, type = "response")), c(0, 20), tolerance = 0.1)
  q <- predict(both, type = "quantile", p = c(0.1, 0.5, 0.9))
  expect_identical(dim(q), c(2L, 3L))
  expect_true(all(diff(t(q)) > 0) && q[2, 1] > q[1, 3])
  expect_equal(unname(quantile(both, c(0.1, 0.5, 0.9))), unname(q))
  expect_equal(unname(median(both)), unname(q[, 2]))
  s <- predict(both, type = "survival", times = c(10, 10))
  expect_identical(unname(s), matrix(c(0, 1, 0, 1), 2))
})

test_that("rows that are given and points with gaps stay together, and are many", {
  at <- three()
  given <- c(-3, 2, 0)
  cond <- conditional(at$flow, x2 = given)
  x <- matrix(c(0, NA, 1, 0.5, 0, 1), 3)
  expect_identical(logdensity(cond, x)[2], NA_real_)
  whole <- conditional(at$flow, x2 = given[c(1, 3)])
  expect_equal(logdensity(cond, x)[c(1, 3)], logdensity(whole, x[c(1, 3), ]), tolerance = 0.01)
  expect_identical(logdensity(marginal(at$flow, c("x1", "x3")), matrix(0, 0, 2)), numeric())
  one <- marginal(at$flow, "x1")
  expect_identical(qflow(c(0.5, NA), one)[2], NA_real_)
  cond <- conditional(at$flow, x2 = given, x1 = 0)
  expect_identical(is.na(qflow(c(0.5, NA, 0.1), cond)), c(FALSE, TRUE, FALSE))
  expect_identical(qflow(c(0.5, NA, 0.1), cond)[3], qflow(c(0.2, 0.3, 0.1), cond)[3])
  # more than are weighed at once
  many <- conditional(at$flow, x2 = seq(-4, 2, length.out = 25), draws = 20000)
  truth <- dnorm(many$given[, 2], -1, 1, log = TRUE)
  expect_true(all(abs(many$log_evidence - truth) < 6 * many$error + 1e-3))
  expect_length(many$ess, 25)
})

test_that("parts have summaries and pictures; what they have not is said", {
  set.seed(34)
  fit <- fit_flow(iris, members = c("normal", "cells"), progress = FALSE)
  setosa <- conditional(fit, Species = "setosa")
  s <- summary(setosa)
  expect_identical(rownames(s$numbers), names(iris)[-5])
  expect_equal(s$numbers$mean, unname(colMeans(iris[1:50, -5])), tolerance = 0.05)
  expect_identical(names(s$numbers), c("mean", "sd", "5%", "25%", "50%", "75%", "95%"))
  expect_identical(summary(setosa)$numbers, s$numbers)
  expect_output(print(s), "Numbers, by 10,000 draws")
  long <- conditional(fit, Petal.Length = 4.8)
  drawn <- prop.table(table(sample(long, 4000)$Species))
  expect_equal(as.vector(summary(long)$levels$Species), as.vector(drawn), tolerance = 0.1)
  expect_output(print(summary(marginal(fit, "Species"))), "Probabilities of Species")
  expect_identical(nobs(setosa), 150L)
  expect_error(logLik(setosa), "no log likelihood", class = "bijectr_error_argument")
  expect_error(update(setosa), "fitted anew", class = "bijectr_error_argument")
  both <- conditional(fit, Species = c("setosa", "virginica"))
  expect_error(summary(both), "one row", class = "bijectr_error_argument")
  expect_error(plot(both), "one row", class = "bijectr_error_argument")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  shown <- plot(setosa, data = iris[1:50, -5])
  expect_identical(names(shown), names(iris)[-5])
  expect_identical(names(plot(marginal(fit, c("Species", "Petal.Width")), "pairs")), c("Petal.Width", "Species"))
  density <- plot(conditional(fit, data.frame(Species = "setosa", iris[1, 1:3])), xlim = c(0, 1))
  expect_equal(sum(density$density) * diff(density$x[1:2]), 1, tolerance = 0.1)
  expect_named(plot(marginal(fit, "Petal.Width")), "Petal.Width") # by draws
  expect_error(plot(setosa, grid = 10), "grid", class = "bijectr_error_argument")
})

test_that("imputed values are of the type of their column, and columns without values of their own stay", {
  skip_if_not_installed("mice")
  set.seed(35)
  d <- data.frame(x = rnorm(60), n = base::sample(100:900, 60), same = 1)
  fit <- fit_flow(d[1:2], members = c("normal", "student_t"), progress = FALSE)
  d$n[1:4] <- NA
  out <- impute(fit, d, m = 2)
  expect_identical(out$method, c(x = "", n = "bijectr", same = ""))
  expect_type(mice::complete(out, 1)$n, "integer")
  expect_identical(mice::complete(out, 2)[-2], d[-2])
  expect_type(impute(fit, d, m = 1, type = "list")[[1]]$n, "integer")
})

test_that("the distribution of whole numbers at a condition is of whole numbers", {
  set.seed(36)
  d <- data.frame(x = runif(200))
  d$k <- rpois(200, 2 + d$x)
  fit <- suppressWarnings(fit_flow(k ~ x, data = d, members = c("normal", "linear"), progress = FALSE))
  at <- data.frame(x = 0.2)
  part <- marginal(fit, "k", condition = at)
  expect_equal(logdensity(part, 0:15), logdensity(fit, data.frame(k = 0:15), condition = at), tolerance = 1e-12)
  expect_true(all(unlist(summary(part)$numbers[3:7]) %% 1 == 0))
  expect_type(sample(part, 3)$k, "integer")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_named(plot(part), "k")
  expect_error(plot(part, "layers"), class = "bijectr_error_argument")
  expect_error(plot(part, "survival"), "with a density", class = "bijectr_error_argument")
})
