# fit_flow() by formula: the same fit as with data and condition, and conditions from data frames.
few <- function(...) fit_flow(..., layers = masked_autoregressive_flow(flow_layers = 2, nn_width = 8), steps = 20)
from_seed <- function(...) {
  set.seed(1)
  few(...)
}

table <- local({
  set.seed(2)
  n <- 90
  f <- factor(rep(c("a", "b", "c"), length.out = n))
  x <- rnorm(n)
  data.frame(y1 = x + rnorm(n), y2 = as.integer(f) + rnorm(n), x = x, f = f)
})
b <- as.numeric(table$f == "b")
c <- as.numeric(table$f == "c")

test_that("a formula gives the fit of its data and conditions, wherever it stands", {
  plain <- from_seed(table[c("y1", "y2")], condition = table["x"])
  fit <- from_seed(cbind(y1, y2) ~ x, table)
  expect_identical(coef(fit), coef(plain))
  expect_identical(fit$names, c("y1", "y2"))
  expect_identical(fit$condition$names, "x")
  formula <- cbind(y1, y2) ~ x
  expect_identical(coef(from_seed(formula, data = table)), coef(plain))
  expect_identical(coef(from_seed(data = table, formula)), coef(plain))
  expect_identical(coef(from_seed(data = table, formula = formula)), coef(plain))
  expect_identical(coef(from_seed(table, formula)), coef(plain))
  expect_identical(coef(from_seed(formula, as.matrix(table[1:3]))), coef(plain))
  expect_identical(coef(with(table, from_seed(cbind(y1, y2) ~ x))), coef(plain))
})

test_that("factors have treatment contrasts, whatever the options and the intercept", {
  withr::local_options(contrasts = c("contr.sum", "contr.poly"))
  plain <- from_seed(table[c("y1", "y2")], condition = cbind(x = table$x, fb = b, fc = c))
  expect_identical(coef(from_seed(cbind(y1, y2) ~ x + f, table)), coef(plain))
  expect_identical(coef(from_seed(cbind(y1, y2) ~ x + f - 1, table)), coef(plain))
  strings <- transform(table, f = as.character(f))
  expect_identical(coef(from_seed(cbind(y1, y2) ~ x + f, strings)), coef(plain))
  ordered <- transform(table, f = factor(f, ordered = TRUE))
  fit <- from_seed(cbind(y1, y2) ~ x + f, ordered)
  expect_identical(coef(fit), coef(plain))
  expect_identical(fit$condition$names, c("x", "fb", "fc"))
})

test_that("a dot stands for the columns that the other side does not name", {
  fit <- from_seed(cbind(y1, y2) ~ x + f, table)
  expect_identical(coef(from_seed(cbind(y1, y2) ~ ., table)), coef(fit))
  expect_identical(coef(from_seed(. ~ x + f, table)), coef(fit))
  expect_error(few(. ~ ., table), "stands for no column", class = "bijectr_error_argument")
})

test_that("~ 1 is no condition", {
  fit <- from_seed(cbind(y1, y2) ~ 1, table)
  expect_identical(coef(fit), coef(from_seed(table[c("y1", "y2")])))
  expect_identical(fit$d_condition, 0L)
  expect_length(logdensity(fit, table), nrow(table))
})

test_that("conditions come from data frames: given ones, or those of newdata", {
  fit <- from_seed(cbind(y1, y2) ~ x * f, table)
  plain <- from_seed(
    table[c("y1", "y2")],
    condition = cbind(x = table$x, fb = b, fc = c, "x:fb" = table$x * b, "x:fc" = table$x * c)
  )
  y <- as.matrix(table[c("y1", "y2")])
  model <- cbind(table$x, b, c, table$x * b, table$x * c)
  expect <- logdensity(plain, y, condition = unname(model))
  expect_identical(logdensity(fit, table), expect)
  expect_identical(logdensity(fit, y, condition = table), expect)
  # two of three levels, as strings, and in another order
  some <- data.frame(f = c("c", "a"), x = 1:2)
  same <- rbind(c(1, 0, 1, 0, 1), c(2, 0, 0, 0, 0))
  z <- y[1:2, ]
  expect_identical(logdensity(fit, z, some), logdensity(plain, z, same))
  expect_identical(forward(fit, z, some), forward(plain, z, same))
  expect_identical(inverse(fit, table)$value, inverse(plain, y, unname(model))$value)
  expect_identical(predict(fit, table, "latent"), predict(plain, y, "latent", condition = unname(model)))
  expect_identical(c(logLik(fit, newdata = table)), sum(expect))
  draw <- function(...) {
    set.seed(3)
    sample(...)
  }
  expect_identical(draw(fit, 2, condition = some), draw(plain, 2, condition = same))
  withr::local_pdf(withr::local_tempfile())
  expect_identical(colnames(plot(fit, "samples", condition = some[1, ], data = table)), c("y1", "y2"))
})

test_that("one coordinate: distribution functions find their conditions too", {
  fit <- from_seed(y1 ~ x, table)
  at <- data.frame(y1 = c(-1, 1), x = c(0, 2))
  p <- pflow(at, fit)
  expect_identical(p, pflow(at$y1, fit, condition = at["x"]))
  expect_identical(predict(fit, at, "distribution"), p)
  expect_identical(dflow(at, fit), dflow(at$y1, fit, condition = cbind(x = at$x)))
  expect_equal(qflow(p, fit, condition = at), at$y1, tolerance = 1e-6)
  # one plain number for one plain variable
  expect_identical(dflow(1, fit, condition = 2), dflow(at, fit)[2])
  expect_identical(dflow(1, fit, condition = c(x = 2)), dflow(at, fit)[2])
})

test_that("transformations of the right side are remembered", {
  fit <- from_seed(cbind(y1, y2) ~ poly(x, 2) + sin(pi * x), table)
  p <- poly(table$x, 2)
  plain <- from_seed(table[c("y1", "y2")], condition = cbind(p[, 1], p[, 2], sin(pi * table$x)))
  expect_equal(coef(fit), coef(plain))
  # the polynomials of the fit, not those of the new rows
  expect_equal(logdensity(fit, table[1:3, ]), logdensity(fit, table)[1:3])
  expect_error(logdensity(fit, cbind(1, 1), condition = 2), "data frame with the column x",
    class = "bijectr_error_argument"
  )
})

test_that("left sides have names", {
  named <- function(formula) from_seed(formula, table)$names
  expect_identical(named(y1 ~ x), "y1")
  expect_identical(named(exp(y1) ~ x), "exp(y1)")
  expect_identical(named(cbind(a = y1, exp(y2)) ~ x), c("a", "exp(y2)"))
  fit <- from_seed(exp(y1) ~ x, table)
  plain <- from_seed(exp(table$y1), condition = table$x)
  expect_identical(logdensity(fit, 2, condition = 0.5), logdensity(plain, 2, condition = 0.5))
})

test_that("a fit by formula is plain data", {
  fit <- from_seed(cbind(y1, y2) ~ log(x + 10) + f, data = table)
  has_environment <- function(x) {
    inside <- c(attributes(x), if (is.list(x)) unclass(x))
    is.environment(x) || is.function(x) || any(vapply(inside, has_environment, logical(1)))
  }
  expect_false(has_environment(fit))
  expect_true(has_environment(list(y ~ x))) # the check itself
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  expect_identical(readRDS(file), fit)
  expect_identical(fit$formula, quote(cbind(y1, y2) ~ log(x + 10) + f))
})

test_that("update() goes on with the formula", {
  small <- masked_autoregressive_flow(flow_layers = 2, nn_width = 8)
  fit <- from_seed(cbind(y1, y2) ~ x + f, data = table)
  more <- update(fit_flow(cbind(y1, y2) ~ x + f, data = table, layers = fit, steps = 20), steps = 10)
  expect_identical(more$steps, 30)
  expect_identical(logdensity(more, table[1:2, ]), logdensity(more, table)[1:2])
  set.seed(1)
  fit <- fit_flow(cbind(y1, y2) ~ x + f, data = table, layers = small, steps = 20, keep_state = TRUE)
  more <- update(fit, steps = 10)
  expect_identical(coef(update(fit, steps = 10, data = table)), coef(more))
  set.seed(1)
  swapped <- fit_flow(table, cbind(y1, y2) ~ x + f, layers = small, steps = 20, keep_state = TRUE)
  expect_identical(coef(update(swapped, steps = 10)), coef(more))
  without_table <- function() {
    y <- as.matrix(table[c("y1", "y2")])
    x <- table$x
    f <- table$f
    set.seed(1)
    update(fit_flow(y ~ x + f, layers = small, steps = 20, keep_state = TRUE), steps = 10)
  }
  expect_identical(coef(without_table()), coef(more))
})

test_that("what cannot be used is named", {
  refused <- function(expr, message) expect_error(expr, message, class = "bijectr_error_argument")
  gap <- table
  gap$y2[3] <- NA
  refused(few(cbind(y1, y2) ~ x, gap), "row 3, column y2 is NA")
  gap <- table
  gap$f[4] <- NA
  refused(few(cbind(y1, y2) ~ x + f, gap), "row 4, column f is NA")
  gap$x[5] <- Inf
  refused(few(cbind(y1, y2) ~ x, gap), "row 5, column x is Inf")
  refused(few(cbind(y1, f) ~ x, table), "Column f of `data` must be numeric")
  refused(few(f ~ x, table), "Column f of `data` must be numeric")
  refused(few(~x, table), "no left side")
  refused(few(y1 ~ nothing, table), "nothing")
  k <- 2
  refused(few(y1 ~ I(x * k), table), "needs k, which is not in `data`")
  refused(few(y1 ~ offset(x), table), "offset")
  refused(few(y1 ~ x, table, condition = table$x), "conditions stand on its right side")
  refused(few(y1 ~ x, "table"), "must be a data frame")
  fit <- from_seed(y1 ~ x + f, table)
  refused(logdensity(fit, table["y1"]), "`condition` is missing: the flow is conditional on x and f")
  refused(logdensity(fit, 1, data.frame(x = 1)), "`condition` lacks the column f")
  refused(logdensity(fit, 1, data.frame(x = 1, f = "z")), "new level")
  refused(logdensity(fit, 1, data.frame(x = 1, f = 2)), "does not fit the formula")
  refused(logdensity(fit, 1, data.frame(x = NA_real_, f = "a")), "`condition` has a value .* row 1, column x is NA")
  refused(logdensity(fit, gap), "`newdata` has a value .* column f is NA")
})

test_that("conditions without rows, of unequal lengths or of strange types", {
  fit <- fit_flow(Sepal.Length ~ Species, data = iris, steps = 5)
  expect_identical(logdensity(fit, iris[0, ]), numeric())
  expect_error(logdensity(fit, 3, condition = list(Species = c("setosa", "virginica"), b = 1:3)), "one length",
    class = "bijectr_error_argument"
  )
  table <- data.frame(y = rnorm(20), one = "a", z = complex(real = 1:20, imaginary = 1))
  expect_error(fit_flow(y ~ one, data = table, steps = 3), "2 or more levels", class = "bijectr_error_argument")
  expect_error(fit_flow(y ~ z, data = table, steps = 3), "complex", class = "bijectr_error_argument")
})
