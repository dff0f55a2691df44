# The exact posterior as a flow: z * sd * narrow + 0.8 x.
exact_flow <- function(narrow = 1) {
  f <- flow(
    list(layer_elementwise(scalar_affine(scale = "exp")), layer_additive_condition()), d = 2, d_condition = 2
  )
  raw <- params(f)
  scale <- log(narrow * sqrt(0.2))
  params(f) <- c(0, 0, scale, scale, 0.8, 0, 0, 0.8)[seq_along(unlist(raw))]
  f
}

test_that("coverage by density is that of the exact regions of a normal posterior", {
  set.seed(1)
  pairs <- conjugate_pairs(200)
  f <- exact_flow()
  at <- matrix(c(1, -1), 1)
  expect_equal(logdensity(f, 0.8 * at, at), -log(2 * pi * 0.2))
  found <- expected_coverage(f, pairs$theta, pairs$data, draws = 199)
  expect_identical(found$verdict, "calibrated")
  # the level of the region that holds the parameters is a chi-squared probability
  exact <- pchisq(rowSums((pairs$theta - 0.8 * pairs$data)^2) / 0.2, 2)
  expect_lt(max(abs((found$ranks[, 1] + 0.5) / 200 - exact)), 0.15)
  curve <- vapply(found$coverage$level, function(level) mean(exact < level), 0)
  expect_lt(max(abs(found$coverage$coverage - curve)), 0.05)
  expect_lt(abs(found$area - 0.5 + mean(exact)), 0.01)
  narrow <- expected_coverage(exact_flow(0.7), pairs$theta, pairs$data, draws = 49)
  expect_match(narrow$reasons, "overconfident")
  expect_lt(narrow$area, -0.05)
  wide <- expected_coverage(exact_flow(1.4), pairs$theta, pairs$data, draws = 49)
  expect_match(wide$reasons, "conservative")
  # it is the rank of the log density of sbc(), from above
  set.seed(2)
  a <- expected_coverage(f, pairs$theta, pairs$data, draws = 49)$ranks[, 1]
  set.seed(2)
  b <- sbc(f, pairs$theta, pairs$data, draws = 49)$ranks[, "log density"]
  expect_lt(max(abs(a + b - 49)), 25) # other numbers of the stream, the same simulations
  expect_gt(cor(a, -b), 0.9)
})

test_that("tarp passes the true posterior, and sees what ranks of parameters do not", {
  p <- vapply(1:50, function(seed) {
    set.seed(seed)
    pairs <- conjugate_pairs(100)
    expected_coverage(conjugate(), pairs$theta, pairs$data, "tarp", draws = 19)$p
  }, 0)
  expect_gt(suppressWarnings(stats::ks.test(p, "punif", exact = FALSE))$p.value, 0.01)
  set.seed(1)
  pairs <- conjugate_pairs(300)
  look <- function(draw, ...) expected_coverage(draw, pairs$theta, pairs$data, "tarp", draws = 49, ...)
  expect_identical(look(conjugate(tilt = 0.9))$verdict, "not calibrated")
  expect_match(look(conjugate(narrow = 0.7))$reasons, "overconfident")
  expect_identical(look(conjugate(shift = 1))$verdict, "not calibrated")
  # a reference point knows the simulations before its own
  x <- cbind(rnorm(20), rnorm(20))
  y <- cbind(rnorm(20))
  ridge <- function(i) {
    before <- cbind(1, x)[1:(i - 1), ]
    sum(c(1, x[i, ]) * solve(diag(3) + crossprod(before), crossprod(before, y[1:(i - 1)])))
  }
  skip_if_not(exists("expected_before", asNamespace("bijectr")))
  expect_equal(expected_before(x, y)[3:20], vapply(3:20, ridge, 0))
  # the prior, whatever the data: not by points that do not know the data
  prior <- function(data, draws) matrix(rnorm(2 * draws), draws)
  expect_match(look(prior)$reasons, "ignores data")
  expect_identical(look(prior, references = matrix(runif(600, -1.7, 1.7), 300))$verdict, "calibrated")
  expect_error(look(prior, references = matrix(0, 3, 2)), "references", class = "bijectr_error_argument")
})

test_that("distances are from the references that are given", {
  set.seed(3)
  pairs <- conjugate_pairs(40)
  even <- function(data, draws) outer(seq_len(draws) / draws, c(1, 1))
  found <- expected_coverage(even, pairs$theta, pairs$data, "tarp", draws = 19, references = rbind(c(0, 0)))
  sd <- apply(pairs$theta, 2, stats::sd)
  far <- function(x) rowSums(sweep(x, 2, sd, "/")^2)
  naive <- vapply(1:40, function(i) sum(far(even(NULL, 19)) < far(pairs$theta[i, , drop = FALSE])), 0)
  expect_equal(unname(found$ranks[, 1]), naive)
})

test_that("coverage prints, is drawn, and refuses what it cannot use", {
  set.seed(4)
  pairs <- conjugate_pairs(60)
  found <- expected_coverage(conjugate(), pairs$theta, pairs$data, "tarp", draws = 19)
  expect_output(print(found), "expected coverage.*tarp.*level +0.50.*area")
  expect_identical(as.data.frame(found), found$coverage)
  expect_identical(drawn(plot(found)), found)
  expect_setequal(names(found), c("verdict", "reasons", "notes", "p", "tests", "coverage", "area", "method", "ranks",
    "draws", "rows", "level", "description"))
  expect_error(expected_coverage(conjugate(), pairs$theta, pairs$data), "no density",
    class = "bijectr_error_argument")
  expect_error(expected_coverage(exact_flow(), pairs$theta, pairs$data, references = 1), "tarp",
    class = "bijectr_error_argument")
  skip_if_not_installed("ggplot2")
  expect_s3_class(ggplot2::autoplot(found), "ggplot")
})
