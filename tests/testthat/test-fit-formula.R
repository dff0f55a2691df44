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

test_that("a formula without a left side is a joint density of its terms", {
  plain <- from_seed(table[c("y1", "y2")])
  fit <- from_seed(~ y1 + y2, table)
  expect_identical(coef(fit), coef(plain))
  expect_identical(fit$names, c("y1", "y2"))
  expect_identical(fit$formula, quote(~ y1 + y2))
  expect_identical(coef(from_seed(table[c("y1", "y2")], ~.)), coef(plain))
  expect_identical(coef(from_seed(~ y1 + y2 - x - 1, table)), coef(plain))
  fit <- from_seed(~ exp(y1) + y2, table)
  expect_identical(fit$names, c("exp(y1)", "y2"))
  expect_identical(logdensity(fit, table[1:3, ]), logdensity(fit, cbind(exp(table$y1), table$y2)[1:3, ]))
})

test_that("the left side is computed from its columns, in its own units", {
  positive <- transform(table, y1 = exp(y1))
  fit <- from_seed(log(y1) ~ x, positive)
  plain <- from_seed(table["y1"], condition = table["x"])
  expect_equal(coef(fit), coef(plain))
  expect_equal(logdensity(fit, positive), logdensity(plain, table["y1"], condition = table["x"]))
  expect_identical(fit$names, "log(y1)")
  set.seed(3)
  draws <- as.data.frame(sample(fit, 5, condition = table[1:5, ]))
  expect_named(draws, "log(y1)")
  # draws are points as they are, also beside the column that they could be computed from
  expect_identical(
    logdensity(fit, cbind(draws, y1 = 1), condition = table[1:5, ]), logdensity(fit, draws[[1]], table[1:5, "x"])
  )
  expect_error(logdensity(fit, table["x"]), "lacks the column y1.*left side", class = "bijectr_error_argument")
  expect_error(logdensity(fit, transform(table, y1 = "a")), "left side of the formula",
    class = "bijectr_error_argument"
  )
  expect_error(few(cbind(y1 = log(y1), y2) ~ x, positive), "use another name", class = "bijectr_error_argument")
})

test_that("constants, centres and scales of the left side are those of the fit", {
  k <- 10
  fit <- from_seed(cbind(log(y1 + k), scale(y2), a = x) ~ 1, table)
  expect_identical(fit$names, c("log(y1 + k)", "scale(y2)", "a"))
  rm(k)
  expect_equal(logdensity(fit, table[1:3, ]), logdensity(fit, table)[1:3])
  expect_equal(
    logdensity(fit, table[1:3, ]),
    logdensity(fit, cbind(log(table$y1 + 10), scale(table$y2), table$x)[1:3, ])
  )
  expect_length(logdensity(fit, table[0, ]), 0)
})

test_that("columns of a matrix do not take the names of others", {
  fit <- from_seed(exp(cbind(y1, y2)) ~ x, table)
  expect_identical(fit$names, c("exp(cbind(y1, y2)).y1", "exp(cbind(y1, y2)).y2"))
  y <- as.matrix(exp(table[1:2]))
  expect_equal(logdensity(fit, table), logdensity(fit, unname(y), condition = table))
  expect_identical(from_seed(as.matrix(table[1:2]) ~ x, table)$names, c("y1", "y2"))
  expect_identical(from_seed(y ~ 1)$names, c("y1", "y2"))
  expect_identical(from_seed(y ~ 1, table)$names, c("y.y1", "y.y2"))
  withr::local_pdf(withr::local_tempfile())
  expect_identical(colnames(plot(fit, "samples", condition = table[1, ], data = table)), fit$names)
})

test_that("weights and subset are looked for in the data first, then where the formula was written", {
  n <- nrow(table)
  w <- rep(0, n)
  wanted <- transform(table, w = as.numeric(f != "a"))
  expect_identical(few(y1 ~ x, wanted, weights = w)$nobs, 60L)
  plain <- from_seed(table["y1"], condition = table["x"], weights = wanted$w)
  expect_identical(coef(from_seed(y1 ~ x, wanted, weights = w)), coef(plain))
  expect_identical(few(y1 ~ x, table, weights = 1 - w)$nobs, 90L)
  make <- function() {
    v <- rep(1:2, length.out = n)
    list(formula = y1 ~ x, weights = v)
  }
  v <- rep(0, n)
  expect_identical(few(make()$formula, table, weights = v)$nobs, 90L)
  # nor there: the caller's own
  wrapper <- function(formula, own) few(formula, table, weights = own)
  expect_identical(wrapper(y1 ~ x, rep(1, n))$nobs, 90L)
  # a name that is nowhere beside one that is a column
  expect_error(few(y1 ~ x, table, subset = x > nowhere), "object 'nowhere' not found",
    class = "bijectr_error_argument"
  )
  expect_error(few(y1 ~ x, table, subset = nowhere > 1), "`subset` cannot be evaluated",
    class = "bijectr_error_argument"
  )
  expect_error(few(y1 ~ x, table, weights = 1:2), "90 numbers", class = "bijectr_error_argument")
  expect_error(few(y1 ~ x, table, subset = 91), "`subset` must name rows", class = "bijectr_error_argument")
  expect_error(few(y1 ~ x, table, subset = c(TRUE, FALSE)), "one value a row", class = "bijectr_error_argument")
})

test_that("subset chooses rows before anything is learned from them", {
  plain <- from_seed(table[table$f != "a", c("y1", "y2")], condition = cbind(table$x, c)[table$f != "a", ])
  fit <- from_seed(cbind(y1, y2) ~ x + f, table, subset = f != "a")
  expect_identical(coef(fit), coef(plain))
  expect_identical(fit$nobs, 60L)
  expect_identical(sort(c(fit$rows$train, fit$rows$validation)), 1:60)
  expect_identical(coef(from_seed(cbind(y1, y2) ~ x + f, table, subset = -which(f == "a"))), coef(plain))
  weighted <- few(y1 ~ x, table, subset = c(NA, rep(TRUE, 49), rep(FALSE, 40)), weights = rep(1:0, c(20, 70)))
  expect_identical(weighted$nobs, 19L)
  expect_error(logdensity(fit, table), "new level", class = "bijectr_error_argument")
})

test_that("na.action says what becomes of missing values", {
  gap <- table
  gap$y1[3] <- NA
  gap$f[5] <- NA
  gap$x[7] <- NaN
  expect_error(few(cbind(y1, y2) ~ x + f, gap, subset = 4:90), "row 7, column x is NaN.*na.omit",
    class = "bijectr_error_argument"
  )
  fit <- from_seed(cbind(y1, y2) ~ x + f, gap, na.action = na.omit)
  expect_identical(coef(fit), coef(from_seed(cbind(y1, y2) ~ x + f, table[-c(3, 5, 7), ])))
  expect_identical(fit$nobs, 87L)
  expect_identical(as.vector(stats::na.action(fit)), c(3L, 5L, 7L))
  expect_output(print(summary(fit)), "held out, 3 observations deleted")
  expect_s3_class(few(y1 ~ x, gap, na.action = "na.exclude")$na.action, "exclude")
  expect_error(few(y1 ~ 1, gap, na.action = na.pass), "row 3, column y1 is NA", class = "bijectr_error_argument")
  expect_error(few(y1 ~ x, gap, na.action = 3), "`na.action`", class = "bijectr_error_argument")
  # columns that the formula does not use may have gaps
  expect_identical(few(y2 ~ 1, gap)$nobs, 90L)
  # and with weights, one a row of the data
  expect_identical(few(y1 ~ 1, gap, weights = rep(0:1, c(3, 87)), na.action = na.omit)$nobs, 87L)
})

test_that("formula(), terms() and model.frame() are those of other models", {
  fit <- few(log(y2 + 9) ~ x + f, table, subset = x > -1)
  like <- lm(log(y2 + 9) ~ x + f, table, subset = x > -1)
  expect_identical(deparse(formula(fit)), deparse(formula(like)))
  expect_identical(attr(terms(fit), "term.labels"), attr(terms(like), "term.labels"))
  here <- fit_flow(log(y2 + 9) ~ x + f, data = table, subset = x > -1, steps = 2)
  expect_equal(model.frame(here), model.frame(like), ignore_attr = TRUE)
  expect_identical(nrow(model.frame(here, data = table)), sum(table$x > -1))
  expect_error(model.frame(fit), "`data` must be given", class = "bijectr_error_argument")
  expect_identical(deparse(formula(few(. ~ x + f, table))), "cbind(y1, y2) ~ x + f")
  expect_error(formula(few(table["x"])), "not made by formula", class = "bijectr_error_argument")
  expect_error(terms(few(table["x"])), "not made by formula", class = "bijectr_error_argument")
  expect_error(model.frame(few(table["x"])), "not made by formula", class = "bijectr_error_argument")
  expect_error(family(fit), "no family", class = "bijectr_error_argument")
})

test_that("resume() chooses the rows again", {
  small <- masked_autoregressive_flow(flow_layers = 2, nn_width = 8)
  gap <- transform(table, w = seq_len(90))
  gap$y1[3] <- NA
  fit <- fit_flow(y1 ~ poly(x, 2) + f,
    data = gap, layers = small, steps = 5, subset = f != "a", weights = w, na.action = na.omit, keep_state = TRUE
  )
  expect_identical(fit$nobs, 59L)
  more <- resume(fit, steps = 3)
  expect_identical(more$steps, 8)
  expect_identical(more$na.action, fit$na.action)
  expect_identical(coef(resume(fit, steps = 3, data = gap)), coef(more))
  expect_error(resume(fit, steps = 3, data = gap[1:50, ]), "not the data of this fit", class = "bijectr_error_argument")
})

test_that("resume() goes on with the formula", {
  small <- masked_autoregressive_flow(flow_layers = 2, nn_width = 8)
  fit <- from_seed(cbind(y1, y2) ~ x + f, data = table)
  more <- resume(fit_flow(cbind(y1, y2) ~ x + f, data = table, layers = fit, steps = 20), steps = 10)
  expect_identical(more$steps, 30)
  expect_identical(logdensity(more, table[1:2, ]), logdensity(more, table)[1:2])
  set.seed(1)
  fit <- fit_flow(cbind(y1, y2) ~ x + f, data = table, layers = small, steps = 20, keep_state = TRUE)
  more <- resume(fit, steps = 10)
  expect_identical(coef(resume(fit, steps = 10, data = table)), coef(more))
  set.seed(1)
  swapped <- fit_flow(table, cbind(y1, y2) ~ x + f, layers = small, steps = 20, keep_state = TRUE)
  expect_identical(coef(resume(swapped, steps = 10)), coef(more))
  without_table <- function() {
    y <- as.matrix(table[c("y1", "y2")])
    x <- table$x
    f <- table$f
    set.seed(1)
    resume(fit_flow(y ~ x + f, layers = small, steps = 20, keep_state = TRUE), steps = 10)
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
  refused(few(~ x * y1, table), "no interactions")
  refused(few(~1, table), "no coordinates on either side")
  refused(few(y1 ~ ., NULL), "`data`, which must be given")
  refused(few(y1 ~ nothing, table), "nothing")
  k <- 2
  refused(few(y1 ~ I(x * k), table), "needs k, which is not in `data`")
  refused(few(y1 ~ offset(x), table), "offset")
  refused(few(y1 ~ x + stats::offset(y2), table), "offset")
  refused(few(cbind(y1, offset(y2)) ~ x, table), "offset")
  refused(few(y1 ~ x, table, offset = y2), "`offset` means nothing")
  refused(few(y1 ~ cluster(x), table), "cluster")
  refused(few(y1 ~ survival::frailty(x), table), "frailty")
  refused(few(y1 ~ x + tt(x), table), "tt")
  refused(few(y1 ~ x, table, condition = table$x), "conditions stand on its right side")
  refused(few(y1 ~ x, "table"), "must be a data frame")
  fit <- from_seed(y1 ~ x + f, table)
  refused(logdensity(fit, table["y1"]), "`condition` is missing: the flow is conditional on x and f")
  refused(logdensity(fit, 1, data.frame(x = 1)), "`condition` lacks the column f")
  refused(logdensity(fit, 1, data.frame(x = 1, f = "z")), "new level")
  refused(logdensity(fit, 1, data.frame(x = 1, f = 2)), "does not fit the formula")
  refused(sample(fit, 1, data.frame(x = NA_real_, f = "a")), "`condition` has a value .* row 1, column x is NA")
  refused(logdensity(fit, gap), "`newdata` has a value .* row 5, column x is Inf")
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

test_that("a training that starts from a fit by formula has the conditions of that fit", {
  fit <- few(y1 ~ poly(x, 2) + f, table)
  start <- function(formula, data) fit_flow(formula, data = data, layers = fit, steps = 1)
  other <- transform(table, x = 3 * x + 1)
  expect_identical(start(y1 ~ f + poly(x, 2), other)$condition$model, fit$condition$model)
  # a level less, and other numbers for the levels
  some <- start(y1 ~ poly(x, 2) + f, transform(table[table$f != "a", ], f = factor(f, c("c", "b"))))
  expect_identical(some$condition$names, fit$condition$names)
  expect_error(start(y1 ~ poly(x, 2) + f, transform(table, f = factor(f, labels = c("b", "c", "d")))),
    "factor f has new level", class = "bijectr_error_argument"
  )
  expect_error(start(y1 ~ poly(x, 2), table), "but the fit that the training\\s+starts from has",
    class = "bijectr_error_argument"
  )
  local({ # a function of the formula's own environment
    twice <- function(x) 2 * x
    fit <- few(y1 ~ twice(x), table)
    expect_identical(fit_flow(y1 ~ twice(x), data = table, layers = fit, steps = 1)$condition$names, "twice(x)")
  })
})

test_that("resume() notices other conditions of a formula", {
  fit <- fit_flow(y1 ~ poly(x, 2) + f, data = table, steps = 3, keep_state = TRUE)
  expect_no_warning(resume(fit, steps = 1))
  for (other in list(transform(table, x = 2 * x), transform(table, x = rev(x)), transform(table, f = rev(f)))) {
    expect_warning(resume(fit, steps = 1, data = other), "`data` is not what", class = "bijectr_warning_data")
  }
})

test_that("a column of the left side may be a matrix", {
  wide <- table["x"]
  wide$m <- cbind(p = table$y1, q = table$y2)
  wide$z <- rev(table$y2)
  fit <- few(m ~ x, wide)
  expect_identical(fit$names, c("p", "q"))
  expect_identical(logdensity(fit, wide[1:2, ]), logdensity(fit, wide$m[1:2, ], condition = wide[1:2, ]))
  fit <- few(cbind(m, z) ~ x, wide)
  expect_identical(logdensity(fit, wide[2:3, ]), logdensity(fit, cbind(wide$m, z = wide$z), condition = wide)[2:3])
  colnames(wide$m) <- NULL
  fit <- few(m ~ x, wide)
  expect_null(fit$names)
  expect_identical(logdensity(fit, wide[1:2, ]), logdensity(fit, wide$m[1:2, ], condition = wide[1:2, ]))
})

test_that("sides that share their variables, single levels and lost variables are named", {
  refused <- function(expr, message) expect_error(expr, message, class = "bijectr_error_argument")
  refused(few(y1 ~ y1, table), "y1 stands on both sides")
  refused(few(exp(y1) ~ x + y1, table), "y1 stands on both sides")
  k <- 2
  refused(few(cbind(y2, y1 * k) ~ y1, table), "y1 stands on both sides")
  expect_identical(few(y1 * x ~ x, table)$names, "y1 * x")
  refused(few(y1 ~ x + f, table[table$f == "a", ]), "f of `formula` has one level in these rows")
  y <- table$y1
  v <- table$x
  fit <- fit_flow(y ~ v, steps = 2, keep_state = TRUE)
  rm(v)
  refused(resume(fit, steps = 1), "`data` must be given: it is NULL, and v of the formula")
})

test_that("the data of a call are made once for a model frame", {
  made <- 0
  make <- function() {
    made <<- made + 1
    mtcars
  }
  fit <- fit_flow(mpg ~ wt, data = make(), steps = 1)
  made <- 0
  expect_identical(model.frame(fit)$wt, mtcars$wt)
  expect_identical(made, 1)
})

test_that("a training that starts from a fit by formula has the left side of that fit", {
  basis <- list(
    scale(y2) ~ x, cbind(poly(y2, 2), exp(y1)) ~ x, splines::ns(y2, df = 2) ~ 1, ~ exp(base::scale(y1)) + y2,
    cbind(b = y2, a = log(scale(y1) + 9)) ~ x
  )
  other <- transform(table, y1 = 2 * y1 + 1, y2 = y2 / 3 - 2)
  start <- function(formula, data) {
    fit_flow(formula, data = data, layers = fit, steps = 1, validation = 0, noise = 0, batch_size = 90)
  }
  for (formula in basis) {
    set.seed(1)
    fit <- few(formula, table, keep_state = TRUE)
    expect_equal(logdensity(fit, table[5:9, ]), logdensity(fit, table)[5:9], info = deparse1(formula))
    onward <- start(formula, other)
    expect_identical(onward$response, fit$response)
    # the first loss is that of the fit at these data
    expect_equal(onward$history$train[1], -mean(logdensity(fit, other)), info = deparse1(formula))
    expect_warning(more <- resume(fit, other, steps = 1), class = "bijectr_warning_data")
    expect_identical(more$response, fit$response)
    expect_equal(as.numeric(logLik(more)), sum(logdensity(more, other)))
  }
  refused <- function(expr, message) expect_error(expr, message, class = "bijectr_error_argument")
  refused(fit_flow(scale(y1) ~ x, data = table, layers = fit), "left side of `formula` is `scale\\(y1\\)`.*has `b`")
  refused(fit_flow(cbind(b = y1, a = scale(y1)) ~ x, data = table, layers = fit), "left side")
  # in any order, and columns that are there already
  turned <- start(cbind(a = log(scale(y1) + 9), b = y2) ~ x, other)
  expect_equal(turned$history$train[1], onward$history$train[1])
  expect_identical(logdensity(turned, other), logdensity(turned, other[, 3:1])[seq_len(90)])
  ready <- cbind(other, list2DF(list(a = log(drop(scale(other$y1)) + 9), b = other$y2)))
  expect_identical(fit_flow(cbind(a, b) ~ x, data = ready, layers = fit, steps = 1)$names, c("b", "a"))
  # variables that are not in the data
  w <- table$y2
  fit <- few(scale(w) ~ x, table["x"])
  w <- 2 * w
  onward <- start(scale(w) ~ x, table["x"])
  expect_equal(onward$history$train[1], -mean(logdensity(fit, data.frame(w, x = table$x))))
})

test_that("points where the left side has no value have no density", {
  set.seed(5)
  prices <- data.frame(price = exp(rnorm(90)), x = table$x)
  given <- data.frame(x = c(0, 0, NA, 0, 0))
  at <- data.frame(price = c(0, -1, 0, NA, 2), given)
  fit <- few(log(price) ~ x, prices)
  support <- fit_flow(prices["price"], fit$layers,
    condition = prices["x"], support = list(price = positive()), steps = 2
  )
  expect_no_warning(value <- logdensity(fit, at))
  expect_identical(is.finite(value), c(FALSE, FALSE, FALSE, FALSE, TRUE))
  expect_identical(value[1:4], logdensity(support, at["price"], given)[1:4])
  expect_identical(value[1:4], c(-Inf, -Inf, NA, NA))
  expect_identical(dflow(at, fit)[1:4], c(0, 0, NA, NA))
  expect_identical(predict(fit, at[5, ], "density"), exp(value[5]))
  expect_warning(back <- inverse(fit, at[c(1, 2, 5), ]), "2 rows of `x` lie", class = "bijectr_warning_outside")
  expect_identical(back$logdet[1:2], c(-Inf, -Inf))
  expect_identical(is.na(back$value[, 1]), c(TRUE, TRUE, FALSE))
  expect_warning(latent <- predict(fit, at, "latent"), "outside the support", class = "bijectr_warning_outside")
  expect_identical(is.na(latent[, 1]), c(TRUE, TRUE, TRUE, TRUE, FALSE))
  # 0 is at the end of the line, -1 nowhere
  expect_warning(p <- pflow(at, fit), "1 row of `q`", class = "bijectr_warning_outside")
  expect_identical(p[1:4], c(0, NA, NA, NA))
  expect_identical(pflow(at[1, ], fit, lower.tail = FALSE), 1)
  # what is no number is a value of the table, not of the left side
  expect_error(logdensity(fit, data.frame(price = Inf, x = 0)), "is Inf", class = "bijectr_error_argument")
  two <- few(cbind(sqrt(price), 1 / x, y = price) ~ 1, prices)
  at <- data.frame(price = c(-1, 1, 1, NA), x = c(1, 0, 1, 0))
  expect_identical(logdensity(two, at)[-3], c(-Inf, -Inf, NA))
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  zero <- given[1, , drop = FALSE]
  matching <- transform(at[1:2, ], x = zero$x)
  expect_warning(plot(fit, "samples", data = matching, condition = zero), "1 row of `data` has no",
    class = "bijectr_warning_outside"
  )
})

test_that("data to fit with such values are refused, by row and column", {
  prices <- transform(table, price = exp(y1))
  prices$price[c(4, 8)] <- c(0, -2)
  prices$price[6] <- NA
  refused <- function(expr, message) expect_error(expect_no_warning(expr), message, class = "bijectr_error_argument")
  refused(few(log(price) ~ x, prices), "row 4, column log\\(price\\) is -Inf.*price is 0.*2 rows")
  refused(few(log(price) ~ x, prices, subset = -4, na.action = na.omit), "row 8, column log\\(price\\) is NaN.*is -2")
  refused(few(log(price) ~ x, prices, subset = -c(4, 8)), "row 6, column log\\(price\\) is NA")
  expect_identical(few(log(price) ~ x, prices, subset = -c(4, 8), na.action = na.omit)$nobs, 87L)
  refused(few(cbind(y2, sqrt(cbind(price, y1 + 9))) ~ x, prices[7:9, ]), "row 2, column sqrt.* is NaN")
})

test_that("conditions with classes of their own, and factors on the left side, are taken", {
  skip_if_not_installed("survival")
  d <- survival::lung
  fit <- fit_flow(age ~ survival::Surv(time, status), data = d, members = "normal", progress = FALSE)
  expect_identical(fit$d_condition, 2L)
  set.seed(51)
  e <- data.frame(y = rbinom(60, 2, 0.5), x = rnorm(60))
  fit <- fit_flow(factor(y) ~ x, data = e, members = "frequencies", progress = FALSE)
  expect_identical(colnames(predict(fit, e[1:3, ], type = "probability")), c("0", "1", "2"))
  expect_true(all(is.finite(logdensity(fit, e[1:3, ]))))
  expect_error(fit_flow(cut(x, 3) ~ y, data = e, progress = FALSE), "other values where other rows")
})
