# Means of the response, against distributions whose means are known.

# A flow whose coordinate, the left side `left` of a formula in x, is 1 + 0.5 x + sd e given x, with e normal.
line <- function(left, sd = 0.3, loc = 1) {
  f <- flow(layer_chain(layer_elementwise(scalar_affine("exp")), layer_additive_condition()), 1, d_condition = 1)
  params(f) <- c(loc, log(sd), 0.5)
  f$names <- deparse1(left)
  f$response <- list(parts = stats::setNames(list(left), f$names), variables = all.vars(left))
  f
}
x <- c(-1, 0, 2)
mu <- 1 + 0.5 * x
response <- function(left, ...) predict(line(left, ...), type = "response", condition = x)

test_that("means are in the units of the column", {
  lognormal <- exp(mu + 0.3^2 / 2)
  expect_equal(response(quote(log(y))), lognormal, tolerance = 1e-6)
  expect_equal(response(quote(log(y)), sd = 1), exp(mu + 1 / 2), tolerance = 1e-5)
  expect_equal(response(quote(log(y + 1))), lognormal - 1, tolerance = 1e-6)
  expect_equal(response(quote(log1p(y))), lognormal - 1, tolerance = 1e-6)
  expect_equal(response(quote(-log(2 * (3 - y) / 5))), 3 - 5 / 2 * exp(-mu + 0.3^2 / 2), tolerance = 1e-6)
  expect_equal(response(quote(log2(y))), exp(log(2) * mu + (0.3 * log(2))^2 / 2), tolerance = 1e-6)
  expect_equal(response(quote(log(y, 2))), response(quote(log2(y))), tolerance = 1e-12)
  expect_equal(response(quote(log(y, base = exp(1)))), lognormal, tolerance = 1e-6)
  expect_equal(response(quote(log10(y))), exp(log(10) * mu + (0.3 * log(10))^2 / 2), tolerance = 1e-5)
  expect_equal(response(quote(I(y) / 2 + 1)), 2 * (mu - 1), tolerance = 1e-7)
  expect_equal(response(quote(sqrt(y)), sd = 0.1), mu^2 + 0.1^2, tolerance = 1e-6)
  by_quadrature <- function(g, sd) {
    part <- function(z, m) g(z) * dnorm(z, m, sd)
    vapply(mu, function(m) integrate(part, m - 8 * sd, m + 8 * sd, m = m, rel.tol = 1e-9)$value, 0)
  }
  expect_equal(response(quote(qlogis(y)), sd = 2), by_quadrature(plogis, 2), tolerance = 1e-5)
  expect_equal(response(quote(exp(y)), sd = 0.05), by_quadrature(log, 0.05), tolerance = 1e-6)
  expect_equal(response(quote(expm1(y)), sd = 0.05), by_quadrature(log1p, 0.05), tolerance = 1e-6)
  low <- line(quote(plogis(y)), sd = 0.05, loc = 0.3)
  expected <- integrate(function(z) qlogis(z) * dnorm(z, 0.3, 0.05), 0.01, 0.6, rel.tol = 1e-9)$value
  expect_equal(predict(low, 0, "response"), expected, tolerance = 1e-6)
})

test_that("without a formula, and for columns as they are, means are those of the data", {
  f <- line(quote(y))
  f["response"] <- list(NULL)
  expect_equal(predict(f, x, "response"), mu, tolerance = 1e-7)
  expect_equal(predict(f, data.frame(x = x), "response"), mu, tolerance = 1e-7)
  one <- flow(layer_elementwise(scalar_affine("exp")), 1)
  params(one) <- c(3, 0)
  expect_equal(predict(one, type = "response"), 3)
  expect_equal(predict(one, data.frame(a = 1:4), "response"), rep(3, 4))
  expect_error(predict(one, type = "response", condition = 1), "no conditioning", class = "bijectr_error_argument")
})

test_that("left sides that cannot be inverted say that means are in their units", {
  for (left in expression(y^2, y + w, 0 * y, 1 / y, log(y, base = w), sin(y), y[1])) {
    expect_warning(out <- response(left), "in the units of the left side", class = "bijectr_warning_response")
    expect_equal(out, mu, tolerance = 1e-7)
  }
})

test_that("draws that no response can have are left out, and said where they are many", {
  expect_warning(out <- response(quote(sqrt(y)), sd = 1), class = "bijectr_warning_outside")
  expected <- vapply(mu, function(m) {
    integrate(function(z) z^2 * dnorm(z, m), 0, Inf, rel.tol = 1e-9)$value / pnorm(m)
  }, 0)
  expect_equal(out, expected, tolerance = 2e-3)
  expect_no_warning(response(quote(sqrt(y)), sd = 0.1))
})

test_that("a row's mean is the same among many; rows with a missing condition are NA", {
  f <- line(quote(log(y)))
  many <- rep(c(x, NA), 200) # more than one chunk
  expect_identical(predict(f, type = "response", condition = many), rep(c(response(quote(log(y))), NA), 200))
  expect_identical(predict(f, NA, "response"), NA_real_)
  expect_length(predict(f, matrix(0, 0, 1), "response"), 0)
  expect_error(predict(f, type = "response"), "`condition` is missing", class = "bijectr_error_argument")
  expect_error(predict(f, x, "response", condition = x), "not both", class = "bijectr_error_argument")
})

test_that("several coordinates: means of draws, each in its units", {
  f <- flow(layer_chain(layer_elementwise(scalar_affine("exp")), layer_additive_condition()), 3, d_condition = 1)
  p <- params(f)
  p$layers[[1]] <- list(loc = c(1, 2, 0), scale = log(c(0.3, 0.2, 1)))
  p$layers[[2]]$Wc[] <- c(0.5, 0, 1)
  params(f) <- p
  f$names <- c("log(a)", "b", "c * d")
  f$response <- list(
    parts = list("log(a)" = quote(log(a)), b = quote(b), "c * d" = quote(c * d)), variables = c("a", "b", "c", "d")
  )
  set.seed(1)
  expect_warning(out <- predict(f, c(x, NA), "response"), "c \\* d", class = "bijectr_warning_response")
  expect_identical(dimnames(out), list(NULL, c("a", "b", "c * d")))
  lognormal <- exp(mu + 0.3^2 / 2)
  error <- cbind(lognormal * sqrt(expm1(0.3^2)), 0.2, 1) / sqrt(2000)
  expect_true(all(abs(out[1:3, ] - cbind(lognormal, 2, x)) < 5 * error))
  expect_true(all(is.na(out[4, ])))
  set.seed(1)
  expect_identical(suppressWarnings(predict(f, c(x, NA), "response")), out)
})

test_that("fits by formula take the variables of the right side, factors too", {
  set.seed(3)
  table <- data.frame(x = runif(1500, -1, 1), f = factor(c("u", "v")))
  table$y <- exp(1 + 0.5 * table$x + 0.4 * (table$f == "v") + 0.3 * rnorm(1500))
  layers <- layer_chain(layer_elementwise(scalar_affine("exp")), layer_additive_condition())
  fit <- fit_flow(log(y) ~ x + f, table, layers, steps = 400, learning_rate = 0.02, standardize = "none")
  new <- data.frame(x = c(-0.5, 0.5, NA, 0.5), f = c("u", "u", "v", "v"))
  out <- predict(fit, new, "response")
  truth <- exp(1 + 0.5 * new$x + 0.4 * (new$f == "v") + 0.3^2 / 2)
  expect_lt(max(abs(out / truth - 1)[-3]), 0.06)
  expect_identical(is.na(out), c(FALSE, FALSE, TRUE, FALSE))
  expect_identical(predict(fit, type = "response", condition = new), out)
  expect_identical(predict(fit, table[1:3, ], "response"), predict(fit, table[1:3, c("f", "x")], "response"))
  # columns that are not in the data
  w <- table$y
  outside <- fit_flow(log(w) ~ x, table["x"], layers, steps = 400, learning_rate = 0.02)
  truth <- exp(1.2 + 0.5 * new$x[1:2] + (0.3^2 + 0.2^2) / 2)
  expect_equal(predict(outside, new[1:2, ], "response"), truth, tolerance = 0.08)
  expect_error(predict(fit, new["x"], "response"), "`newdata` lacks the column f", class = "bijectr_error_argument")
})

test_that("means have the class of the data where the left side keeps it", {
  set.seed(4)
  day <- as.Date("2024-03-01") + rnorm(200, sd = 20)
  fit <- fit_flow(data.frame(day), flow(layer_elementwise(scalar_affine("exp")), 1)$layers, steps = 50)
  out <- predict(fit, type = "response")
  expect_s3_class(out, "Date")
  expect_lt(abs(as.numeric(out - mean(day))), 5)
})

test_that("columns that were left out as functions of others have means as well", {
  set.seed(6)
  table <- data.frame(x = runif(400, -1, 1))
  table$a <- exp(0.3 * rnorm(400) + table$x)
  table$b <- rnorm(400, table$x)
  table$twice <- 2 * table$b + 1
  short <- function(formula) {
    layers <- layer_chain(layer_elementwise(scalar_affine("exp")), layer_additive_condition())
    suppressWarnings(classes = "bijectr_warning_no_better", {
      fit_flow(formula, table, layers, collinear = "drop", steps = 300, learning_rate = 0.02)
    })
  }
  fit <- short(cbind(twice, log(a), b) ~ x)
  expect_identical(fit$dropped$names, "b")
  at <- data.frame(x = c(-0.5, 0.5, NA))
  set.seed(1)
  out <- predict(fit, at, "response")
  expect_identical(colnames(out), c("twice", "a", "b"))
  expect_equal(out[, "twice"], 2 * out[, "b"] + 1)
  expect_equal(out[1:2, "a"], exp(c(-0.5, 0.5) + 0.3^2 / 2), tolerance = 0.15)
  expect_identical(which(is.na(out[, "b"])), 3L)
  # one coordinate is left: by quadrature
  alone <- short(cbind(b, twice) ~ x)
  out <- predict(alone, at, "response")
  expect_identical(out, predict(alone, at, "response"))
  expect_equal(out[, "twice"], 2 * out[, "b"] + 1, tolerance = 1e-12)
  expect_identical(predict(alone, at[1:2, , drop = FALSE], "response"), out[1:2, ])
  table$i <- table$a
  expect_equal(
    predict(short(cbind(log(a), -log(i)) ~ x), at, "response")[, "i"] > 0, c(TRUE, TRUE, NA)
  )
})

test_that("by default means in the units of the column are not those of a few draws far out", {
  set.seed(3)
  table <- data.frame(x = rnorm(1000))
  table$y <- exp(table$x + rnorm(1000) * 0.3)
  fit <- fit_flow(log1p(y) ~ x, data = table)
  expect_identical(flow_supports(fit)[[1]]$curve, "softplus")
  at <- c(-1, 0, 1)
  truth <- exp(at + 0.3^2 / 2)
  expect_lt(max(abs(predict(fit, data.frame(x = at), type = "response") / truth - 1)), 0.1)
  curves <- function(...) vapply(flow_supports(fit_flow(..., steps = 1)), function(x) x$curve %||% "", "")
  expect_identical(curves(~ y + log1p(y) + x, table), c("log", "softplus", ""))
  expect_identical(curves(cbind(a = log1p(y), x) ~ 1, table, support = list(a = positive()))[1], "softplus")
  expect_identical(curves(log1p(y) ~ x, table, support = positive(curve = "log")), "log")
  # with gaps a coordinate has a flow of its own
  table$y[1:200] <- NA
  gappy <- fit_flow(cbind(x, log1p(y)) ~ 1, table, na = "model", support = "auto", steps = 1)
  expect_identical(unlist(lapply(gappy$blocks, function(block) flow_supports(block$fit)[[1]]$curve)), "softplus")
})
