# Programs beside R's own value of the same expression, and stats::deriv() or differences.

compiled <- function(target, d, names = NULL) {
  columns <- paste0(".x", seq_len(d))
  formula <- formula_of(target, columns, names)
  compile_program(formula$value, columns, environment(target), formula$lines)
}

expect_program_ok <- function(target, x, exact = TRUE) {
  program <- compiled(target, ncol(x))
  testthat::expect_false(is.null(program), info = deparse1(body(target)))
  at <- native_program(program, x)
  value <- rep_len(target(x), nrow(x))
  testthat::expect_equal(at$value, value, tolerance = 1e-13, info = deparse1(body(target)))
  slope <- difference_gradient(function(x) rep_len(target(x), nrow(x)), x)$gradient
  if (exact) {
    symbols <- paste0(".x", seq_len(ncol(x)))
    both <- stats::deriv(put_lines_in(formula_of(target, symbols, NULL)), symbols)
    columns <- stats::setNames(lapply(seq_along(symbols), function(j) x[, j]), symbols)
    gradient <- attr(eval(both, columns, environment(target)), "gradient")
    testthat::expect_equal(at$gradient, unname(gradient), tolerance = 1e-13, info = deparse1(body(target)))
  }
  testthat::expect_equal(at$gradient, slope, tolerance = 1e-6, info = deparse1(body(target)))
}

test_that("every function is R's, with its derivative", {
  set.seed(1)
  x <- matrix(runif(2 * 300, 0.1, 2), 300)
  exact <- list(
    function(x) x[, 1] + x[, 2], function(x) x[, 1] - x[, 2], function(x) x[, 1] * x[, 2], function(x) x[, 1] / x[, 2],
    function(x) x[, 1]^x[, 2], function(x) 3^x[, 2] + x[, 1], function(x) -x[, 1] * (+x[, 2]),
    function(x) x[, 1]^2 + x[, 2]^3, function(x) x[, 1]^-2 * x[, 2]^7, function(x) x[, 1]^0.3 + x[, 2]^-1.7,
    function(x) exp(x[, 1]) + expm1(x[, 2]), function(x) log(x[, 1]) - log1p(x[, 2]),
    function(x) sqrt(x[, 1] * x[, 2]),
    function(x) sin(x[, 1]) * cos(x[, 2]), function(x) tan(x[, 1] / 2) + atan(x[, 2]),
    function(x) sinh(x[, 1]) * cosh(x[, 2]), function(x) pnorm(x[, 1]) * dnorm(x[, 2])
  )
  for (target in exact) expect_program_ok(target, x)
  y <- x - 1
  for (target in list(
    function(x) tanh(x[, 1]) * plogis(x[, 2]), function(x) abs(x[, 1]) + x[, 2], function(x) pmax(x[, 1], x[, 2]),
    function(x) pmin(x[, 1], 0.3) * x[, 2], function(x) dnorm(x[, 1], 2, 3) * dnorm(x[, 2], sd = 2),
    function(x) dnorm(x[, 1], x[, 2], exp(x[, 2]), log = TRUE), function(x) dnorm(x[, 1] + x[, 2], log = TRUE),
    function(x) dnorm(x[, 1], x[, 2], exp(x[, 2])), function(x) x[, 1]^0 * x[, 2]^1
  )) {
    expect_program_ok(target, y, exact = FALSE)
  }
  used <- c(PROGRAM_ONE, names(PROGRAM_TWO))
  expect_setequal(used, intersect(used, unlist(lapply(exact, function(f) all.names(body(f))))) |>
    union(c("tanh", "plogis", "abs", "pmax", "pmin")))
})

test_that("columns may be used often, not at all, and for any number of rows", {
  for (n in c(1, 2, 31, 128, 129, 400)) {
    x <- matrix(rnorm(3 * n), n)
    expect_program_ok(function(x) -(x[, 3]^2 + (x[, 3] - x[, 1]^2)^2) / 2, x)
    at <- native_program(compiled(function(x) 2 + 0 * x[, 1], 3), x)
    expect_identical(at, list(value = rep(2, n), gradient = matrix(0, n, 3)))
    at <- native_program(compiled(function(x) pi, 3), x)
    expect_identical(at, list(value = rep(pi, n), gradient = matrix(0, n, 3)))
  }
})

test_that("numbers of the environment are those of R, and equal parts are computed once", {
  mean <- 3
  at <- list(scale = 2)
  target <- function(x) {
    u <- (x[, 1] - mean) / at$scale
    -u^2 / 2 - log(at$scale) + sum(1:4)
  }
  x <- matrix(rnorm(50))
  program <- compiled(target, 1)
  expect_equal(native_program(program, x)$value, target(x), tolerance = 1e-14)
  expect_lte(length(program$nodes), 12)
  twice <- compiled(function(x) exp(x[, 1]) * exp(x[, 1]), 1)
  expect_length(twice$nodes, 3)
})

test_that("the ends of domains are R's", {
  x <- matrix(c(0, -1, Inf, -Inf, NaN, 800, -800, 1e-310))
  for (target in list(
    function(x) log(x[, 1]), function(x) exp(x[, 1]), function(x) sqrt(x[, 1]), function(x) x[, 1]^2,
    function(x) 1 / x[, 1],
    function(x) log1p(x[, 1]), function(x) x[, 1]^65, function(x) abs(x[, 1]),
    function(x) pmax(x[, 1], 0),
    function(x) plogis(x[, 1]), function(x) pmax(-5, log(x[, 1])), function(x) pmin(log(x[, 1]), 2),
    function(x) dnorm(0.5, 0, x[, 1], log = TRUE), function(x) dnorm(0.5, 0, x[, 1]), function(x) dnorm(x[, 1] * 1e150),
    function(x) dnorm(0, 0, x[, 1], log = TRUE), function(x) x[, 1]^0
  )) {
    value <- suppressWarnings(target(x))
    found <- native_program(compiled(target, 1), x)$value
    expect_identical(is.nan(found), is.nan(value), info = deparse1(body(target)))
    expect_equal(found, value, tolerance = 1e-12, info = deparse1(body(target)))
  }
})

test_that("what is no program is left to R", {
  own <- function(x) x^2
  data <- c(1, 2, 3)
  for (target in list(
    function(x) own(x[, 1]), function(x) data * x[, 1], function(x) missing_number * x[, 1], function(x) Inf * x[, 1],
    function(x) ifelse(x[, 1] > 0, 1, 2), function(x) log(x[, 1], 2), function(x) lgamma(x[, 1]),
    function(x) pnorm(x[, 1], lower.tail = FALSE), function(x) pmax(x[, 1], 1, 2),
    function(x) dnorm(x[, 1], log = x[, 1])
  )) {
    expect_null(compiled(target, 1))
  }
  exp <- function(x) x # not R's
  expect_null(compiled(function(x) exp(x[, 1]), 1))
})

test_that("names mean what they mean in the function", {
  s <- 10
  x <- matrix(c(0.3, -1.2, 0.5, 2), 2)
  expect_symbolic <- function(target) {
    at <- target_with_gradient(target, "symbolic", 2, NULL)(x)
    expect_equal(at$value, target(x), tolerance = 1e-14)
  }
  expect_symbolic(function(x, s = 2) dnorm(x[, 1], 0, s, log = TRUE) + x[, 2])
  expect_symbolic(function(x, s = 2, v = s^2) -x[, 1]^2 / v + x[, 2])
  expect_symbolic(function(x) {
    a <- x[, 1] / s
    a <- a^2
    return(-a - x[, 2]^2)
  })
  refused <- list(
    function(x) {
      lp <- -x[, 1]^2
      for (i in 1:3) lp <- lp - (x[, 2] - i)^2
      lp
    },
    function(x) {
      k <- c(1, 2)
      k[1] <- 4
      -k[1] * x[, 1]^2
    },
    function(x) {
      s <<- s + 1
      -x[, 1]^2 / s
    },
    function(x) {
      if (s > 2) return(x[, 1])
      x[, 2]
    },
    function(x) {
      exp <- function(z) z
      -exp(x[, 1])
    }
  )
  for (target in refused) {
    expect_error(target_with_gradient(target, "symbolic", 2, NULL), "no symbolic gradient: .* is no formula")
  }
})

test_that("a program is checked before it runs", {
  x <- matrix(0, 2, 2)
  run <- function(...) native_program(list(kind = "program", nodes = list(...)), x)
  column <- list(kind = "column", of = NULL, number = 1)
  of <- function(kind, of) list(kind = kind, of = of, number = NULL)
  expect_error(run(), "nodes", class = "bijectr_error_core")
  expect_error(run(of("gamma", 1)), "no function \"gamma\"", class = "bijectr_error_core")
  expect_error(run(list(kind = "column", of = NULL, number = 3)), "number", class = "bijectr_error_core")
  expect_error(run(column, of("exp", 2)), "function of node 2", class = "bijectr_error_core")
  expect_error(run(column, of("add", 1)), "of", class = "bijectr_error_core")
  expect_error(run(column, list(kind = "power", of = 1, number = NA_real_)), "number", class = "bijectr_error_core")
  expect_error(run(column, of("exp", 0)), "of", class = "bijectr_error_core")
})

test_that("a fit to a program is that to its function, without calls of it in training", {
  calls <- 0
  set.seed(1)
  banana <- function(x) -(x[, 1]^2 + (x[, 2] - x[, 1]^2)^2) / 2
  fit <- fit_flow(banana, d = 2, steps = 60, gradient = "symbolic", start = "standard", evaluate = 0)
  set.seed(1)
  slope <- function(x) {
    calls <<- calls + nrow(x)
    u <- x[, 2] - x[, 1]^2
    cbind(-x[, 1] + 2 * x[, 1] * u, -u)
  }
  by_hand <- fit_flow(banana, d = 2, steps = 60, gradient = slope, start = "standard", evaluate = 0)
  expect_equal(coef(fit), coef(by_hand), tolerance = 1e-6)
  expect_gte(calls, 60 * 256)
  expect_identical(fit$evaluations, by_hand$evaluations)
})
