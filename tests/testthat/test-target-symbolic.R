# Symbolic targets beside R's own value and differences of it.

expect_symbolic <- function(target, program = TRUE) {
  x <- rbind(c(0.2, 0.5), c(0.4, -0.3), c(1.5, 2))
  at <- target_with_gradient(target, "symbolic", 2, NULL)
  by_differences <- difference_gradient(function(x) rep_len(target(x), nrow(x)), x)
  expect_equal(at(x)$value, by_differences$value, tolerance = 1e-13, info = deparse1(body(target)))
  expect_equal(at(x)$gradient, by_differences$gradient, tolerance = 1e-6, info = deparse1(body(target)))
  expect_identical(!is.null(program_of(at)), program, info = deparse1(body(target)))
}

expect_refused <- function(target, why) {
  expect_error(target_with_gradient(target, "symbolic", 2, NULL), why, class = "bijectr_error_argument")
}

test_that("normal densities are those of all their arguments where R differentiates", {
  for (target in list(
    function(x) dnorm(x[, 1], 3, 0.5, log = TRUE) + lgamma(x[, 2]^2 + 1),
    function(x) dnorm(x[, 1], x[, 2], exp(x[, 1])) - lgamma(x[, 1]),
    function(x) dnorm(sd = exp(x[, 2]), x = x[, 1], log = TRUE) + log2(x[, 1]),
    function(x) log(pnorm(x[, 1], 1, 2)) * x[, 2], function(x) pnorm(x[, 1], sd = exp(x[, 2])),
    function(x) gamma(x = x[, 1]), function(x) pnorm(x[, 1]) + dnorm(x[, 2]) * lgamma(x[, 1])
  )) {
    expect_symbolic(target, program = FALSE)
  }
  expect_refused(function(x) pnorm(x[, 1], log.p = TRUE), "log.p")
  expect_refused(function(x) pnorm(x[, 1], lower.tail = FALSE), "upper tail")
  expect_refused(function(x) dnorm(x[, 1], log = x[, 2] > 0), "neither")
})

test_that("functions are R's, and called by position", {
  log <- function(a) base::log(pmax(a, 1e-3))
  expect_refused(function(x) log(x[, 1]), "no function of R")
  expect_refused(function(x) base::log(x[, 1]), "no function of R")
  own <- function(a) 2 * a
  expect_symbolic(function(x) own(3) * x[, 1] + lgamma(x[, 1]), program = FALSE)
  expect_refused(function(x) own(x[, 1]), "own")
  expect_refused(function(x) psigamma(deriv = 0, x[, 1]), "by name")
})

test_that("numbers are single ones, wherever they come from", {
  p <- list(mu = 1, sd = 2, x = 3)
  v <- c(1, 2, 3)
  expect_symbolic(function(x) {
    mu <- x[, 1]
    -(mu - p$mu)^2 / p$sd + p$x * x[, 2]
  })
  expect_symbolic(function(x) {
    a <- 3
    a <- x[, 1] * a
    b <- sum(v) * 2
    unused <- nrow(x)
    a * x[, 2] / b + lgamma(b)
  })
  expect_symbolic(function(x) x[, 1, drop = TRUE] * x[, 2])
  expect_symbolic(function(x) {
    a <- x[, 1]
    a <- 3
    a * x[, 2]
  })
  expect_refused(function(x) v * x[, 1], "`v` is not one number")
  expect_refused(function(x) x[, 3], "no coordinate")
  expect_refused(function(x) {
    a <- return(x[, 1])
    5
  }, "no formula")
  x <- matrix(5:10, 3) # nothing that a target means by `x`
  expect_refused(function(x, y = x[, 1]) -y^2, "default of its argument `y`")
})

test_that("long targets take as long as they are", {
  steps <- function(first, n) {
    target <- function(x) NULL
    body(target) <- as.call(c(list(quote(`{`), first), rep(list(quote(a <- a - a * a)), n), list(quote(a))))
    target
  }
  expect_symbolic(steps(quote(a <- x[, 1] / 8), 100))
  expect_refused(steps(quote(a <- lgamma(x[, 1])), 100), "too long")
  sum_of <- function(first) {
    for (i in 1:1000) first <- call(if (i %% 2) "+" else "-", first, quote(x[, 2]^2 / 8))
    target <- function(x) NULL
    body(target) <- first
    target
  }
  expect_symbolic(sum_of(quote(x[, 1])))
  expect_symbolic(sum_of(quote(lgamma(x[, 1]))), program = FALSE)
})
