target <- function(x) {
  r <- x[, 1] - 2
  s <- exp(x[, 2] / 3)
  -r^2 * s - sin(x[, 2]) - x[, 2]^4
}
by_hand <- function(x) {
  r <- x[, 1] - 2
  s <- exp(x[, 2] / 3)
  cbind(-2 * r * s, -r^2 * s / 3 - cos(x[, 2]) - 4 * x[, 2]^3)
}

test_that("the three kinds of gradients agree", {
  set.seed(1)
  x <- matrix(rnorm(40), 20)
  for (gradient in list("differences", "symbolic", by_hand)) {
    at <- target_with_gradient(target, gradient, 2, NULL)(x)
    expect_equal(at$value, target(x))
    expect_equal(at$gradient, by_hand(x), tolerance = 1e-9)
  }
  one <- target_with_gradient(function(x) sin(5 * x) * exp(-5 * x^2), "symbolic", 1, NULL)(x[, 1, drop = FALSE])
  expect_equal(one$gradient[, 1], (5 * cos(5 * x[, 1]) - 10 * x[, 1] * sin(5 * x[, 1])) * exp(-5 * x[, 1]^2))
})

test_that("central differences are one call of the target, relative at large arguments", {
  calls <- 0
  counted <- function(x) {
    calls <<- calls + 1
    expect_identical(dim(x), c(15L, 2L))
    x[, 1]^2 - x[, 2]
  }
  at <- target_with_gradient(counted, "differences", 2, NULL)(matrix(c(1e6, 1, 0, 0, 0, 1e-3), 3))
  expect_identical(calls, 1)
  expect_equal(at$gradient[, 1], c(2e6, 2, 0), tolerance = 1e-8)
  expect_equal(at$gradient[2:3, 2], c(-1, -1), tolerance = 1e-8)
})

test_that("coordinates have names", {
  named <- function(x) -x[, "slope"]^2 * k + x[, "at"]
  k <- 3
  x <- matrix(c(1, 2, 3, 4), 2)
  for (gradient in c("differences", "symbolic")) {
    at <- target_with_gradient(named, gradient, 2, c("at", "slope"))(x)
    expect_equal(at$gradient, cbind(1, -6 * x[, 2]), tolerance = 1e-8)
  }
})

test_that("what has no symbolic gradient is told", {
  expect_error(target_with_gradient(function(x) rowSums(x), "symbolic", 2, NULL), "no symbolic gradient")
  expect_error(target_with_gradient(function(x) besselJ(x[, 1], 0), "symbolic", 1, NULL), "besselJ")
  expect_error(target_with_gradient(function(x) x[, 3], "symbolic", 2, NULL), "no symbolic gradient")
  expect_error(target_with_gradient(sum, "symbolic", 1, NULL), "no symbolic gradient")
  # a constant, and a coordinate that is not used
  at <- target_with_gradient(function(x) -x[, 2]^2, "symbolic", 2, NULL)(matrix(1, 3, 2))
  expect_equal(at$gradient, cbind(c(0, 0, 0), -2))
})

test_that("values of the wrong shape are told", {
  expect_error(target_with_gradient(function(x) sum(x), "differences", 2, NULL)(matrix(0, 3, 2)), "return 15 numbers")
  expect_error(target_with_gradient(function(x) x[, 1], function(x) x[, 1], 2, NULL)(matrix(0, 3, 2)), "3 x 2 matrix")
})

test_that("values alone are asked of the target alone, the same bit for bit", {
  set.seed(1)
  x <- matrix(rnorm(40), 20)
  rows <- NULL
  counted <- function(x) {
    rows <<- c(rows, nrow(x))
    target(x)
  }
  slopes <- 0
  slope <- function(x) {
    slopes <<- slopes + 1
    by_hand(x)
  }
  for (gradient in list("differences", "symbolic", slope)) {
    at <- target_with_gradient(if (is.function(gradient)) counted else target, gradient, 2, NULL)
    expect_identical(at(x, gradient = FALSE), at(x)["value"])
  }
  expect_identical(slopes, 1)
  rows <- NULL
  target_with_gradient(counted, "differences", 2, NULL)(x, gradient = FALSE)
  expect_identical(rows, 20L)
  # the evaluation of a fit
  rows <- NULL
  fit_flow(counted, layer_elementwise(scalar_affine()), d = 2, steps = 1, batch_size = 7, evaluate = 1234)
  expect_identical(rows, c(35L, 35L, 1234L, 2L)) # and where the target is known again
})

test_that("differences stay within the support of a scale near 0, and below an end above", {
  log_density <- function(x) suppressWarnings(-3 * log(x[, 1]) + 2 * log(1 - x[, 2]) - x[, 1] * x[, 2])
  by_hand <- function(x) cbind(-3 / x[, 1] - x[, 2], -2 / (1 - x[, 2]) - x[, 1])
  x <- rbind(c(0.5, 0.5), c(2e-6, 0.2), c(1e-9, 1 - 1e-7), c(3, 1 - 1e-6))
  at <- target_with_gradient(log_density, "differences", 2, NULL)(x)
  expect_equal(at$gradient[1:2, ], by_hand(x)[1:2, ], tolerance = 1e-6)
  expect_equal(at$gradient[3:4, 1], by_hand(x)[3:4, 1], tolerance = 1e-6)
  expect_true(all(is.finite(at$gradient)))
  expect_true(all(at$gradient[3:4, 2] < -1e4)) # only one side is there
  # where there is no value there is no slope
  outside <- target_with_gradient(log_density, "differences", 2, NULL)(rbind(c(-1, 0.5), x[1, ]))
  expect_true(is.nan(outside$gradient[1, 1]))
})

test_that("an error of the user's function says whose it is", {
  expect_error(fit_flow(function(x) stop("no such table"), d = 2), "The target ended in an error.*no such table",
               class = "bijectr_error")
  expect_error(
    fit_flow(target, d = 2, gradient = function(x) stop("no slope")), "`gradient` ended in an error.*no slope"
  )
})

test_that("a fit knows another log density of the same name", {
  density <- function(x) rowSums(dnorm(x, 1, log = TRUE))
  set.seed(1)
  fit <- fit_flow(density, d = 2, names = c("a", "b"))
  expect_length(fit$digest$data, 3)
  expect_identical(check_flow(fit)$verdict, "trust")
  elsewhere <- local({
    density <- function(x) rowSums(dnorm(x, 3, log = TRUE))
    list(
      importance = tryCatch(importance_sample(fit), error = conditionMessage),
      resume = tryCatch(resume(fit, steps = +10), error = conditionMessage), given = importance_sample(fit, density)
    )
  })
  expect_match(elsewhere$importance, "`target` must be given: what the call of the fit names is another")
  expect_match(elsewhere$resume, "`target` must be given")
  expect_s3_class(elsewhere$given, "bijectr_importance")
  # one that is never the same cannot be known again
  noisy <- function(x) -rowSums(x^2) / 2 + 1e-4 * rnorm(nrow(x))
  fit <- suppressWarnings(fit_flow(noisy, d = 2))
  expect_null(fit$digest)
  expect_s3_class(importance_sample(fit), "bijectr_importance")
})

test_that("functions that lose the dimensions of one row see two", {
  rows <- integer()
  dropping <- function(x) {
    rows <<- c(rows, nrow(x))
    dnorm(x[, 3], log = TRUE) - rowSums(x[, 1:2]^2) / 2
  }
  slope <- function(x) cbind(-x[, 1:2], -x[, 3])
  target <- target_with_gradient(dropping, slope, 3, NULL)
  x <- matrix(c(1, 2, 3), 1)
  expect_equal(target(x), list(value = dropping(x[c(1, 1), ])[1], gradient = -x))
  expect_equal(target(x, FALSE)$value, target(rbind(x, 0))$value[1])
  expect_true(all(rows > 1))
  two <- function(x) {
    a <- -rowSums(x[, 1:2]^2) / 2
    b <- -rowSums((x[, 1:2] - 10)^2) / 2
    pmax(a, b) + log1p(exp(-abs(a - b)))
  }
  set.seed(1)
  fit <- fit_flow(two, d = 2)
  expect_equal(fit$evaluation$log_z, log(4 * pi), tolerance = 0.01)
})

test_that("differences stay within the supports that were told", {
  outside <- 0
  beta <- function(x) {
    outside <<- outside + sum(x[, 1] < 0 | x[, 1] > 1) # the ends themselves are what draws may round to
    dbeta(x[, 1], 0.3, 0.3, log = TRUE) + dnorm(x[, 2], log = TRUE)
  }
  set.seed(1)
  fit <- fit_flow(beta, names = c("p", "x"), support = list(p = bounded(0, 1)), steps = 30, start = "standard")
  check_flow(fit, target = beta, draws = 1000)
  expect_identical(outside, 0)
  x <- cbind(c(1e-9, 1e-3, 0.5, 1 - 1e-9), 0.3)
  at <- difference_gradient(beta, x, support_limits(fit))
  exact <- cbind(-0.7 / x[, 1] + 0.7 / (1 - x[, 1]), -0.3)
  expect_equal(at$gradient, exact, tolerance = 1e-6)
})
