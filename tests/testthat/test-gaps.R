# Tables with gaps: na = "model".
small <- masked_autoregressive_flow(flow_layers = 1, nn_width = 8)

# a depends on b, c depends on a; values of b are missing at random, those of c where a is large.
gappy <- function(n) {
  set.seed(1)
  a <- rnorm(n)
  b <- 0.8 * a + 0.6 * rnorm(n)
  c <- a + rexp(n)
  data.frame(
    a = a, b = ifelse(runif(n) < 0.3, NA, b), day = as.Date("2024-01-01") + 10 * rnorm(n),
    c = ifelse(runif(n) < plogis(2 * a - 1), NA, c)
  )
}
table <- gappy(300)
fit <- local({
  set.seed(2)
  fit_flow(table, small, na = "model", steps = 60)
})

test_that("a fit has a block for whole columns, and one for each column with gaps", {
  expect_s3_class(fit, "bijectr_fit")
  expect_identical(lapply(fit$blocks, `[[`, "columns"), list(c(1L, 3L), 2L, 4L))
  expect_identical(fit$nobs, 300L)
  # every value that was observed counts
  expect_identical(vapply(fit$blocks, function(b) b$fit$nobs, 0L), c(300L, sum(!is.na(table$b)), sum(!is.na(table$c))))
  expect_equal(as.numeric(logLik(fit)), sum(logdensity(fit, table)))
  held_out <- fit$rows$validation
  expect_equal(fit$held_out_loglik, sum(logdensity(fit, table[held_out, ])))
  for (block in fit$blocks) expect_true(block$fit$d_condition > 0)
  expect_output(print(fit), "block 3: c given a, day, b")
  expect_output(print(summary(fit)), "Block 2 \\(b\\)")
  expect_length(coef(fit), sum(vapply(fit$blocks, function(b) length(coef(b$fit)), 0L)))
})

test_that("the density of a row is that of its pattern and of what it has", {
  row <- table[1:6, ]
  row$b <- c(0.3, NA, 0.3, NA, -1, 2)
  row$c <- c(1, 1, NA, NA, 2, 3)
  whole <- logdensity(fit, row)
  expect_true(all(is.finite(whole)))
  expect_identical(logdensity(fit, row[c(4, 2), ]), whole[c(4, 2)])
  expect_identical(logdensity(fit, row[, 4:1]), whole)
  # over all patterns, and over the values of b, probabilities add up to one
  m <- as.matrix(expand.grid(c(FALSE, TRUE), c(FALSE, TRUE)))
  expect_equal(sum(exp(pattern_log_density(fit$patterns, m))), 1)
  grid <- seq(-8, 8, by = 0.01)
  at <- row[rep(3, length(grid)), ]
  at$b <- grid
  marginal <- sum(exp(logdensity(fit, at))) * 0.01
  first <- fit$blocks[[1]]
  given <- data.frame("gap in b" = 0, "gap in c" = 1, check.names = FALSE)
  x <- data.frame(a = row$a[3], day = as.numeric(row$day[3]))
  missing <- matrix(FALSE, 1, 2)
  missing[, fit$gaps == 4] <- TRUE
  expect_equal(log(marginal), logdensity(first$fit, x, given) + pattern_log_density(fit$patterns, missing),
    tolerance = 1e-4
  )
})

test_that("patterns are the shares of the training rows, one row more spread over all", {
  missing <- rbind(c(TRUE, FALSE), c(FALSE, FALSE), c(FALSE, FALSE), c(TRUE, TRUE))
  patterns <- count_patterns(missing, NULL)
  expect_equal(patterns$rate, c(2.5, 1.5) / 5)
  p <- exp(pattern_log_density(patterns, rbind(c(FALSE, FALSE), c(FALSE, TRUE))))
  expect_equal(p, c((2 + 0.5 * 0.7) / 5, 0.5 * 0.3 / 5))
  weighted <- count_patterns(missing, c(2, 1, 0, 1))
  expect_equal(pattern_log_density(count_patterns(missing, 1e-3 * c(2, 1, 0, 1)), missing),
    pattern_log_density(weighted, missing)
  )
  rate <- weighted$rate
  expect_equal(exp(pattern_log_density(weighted, missing[c(1, 4), ]))[1] * 4 - rate[1] * (1 - rate[2]), 1.5)
  set.seed(1)
  drawn <- draw_patterns(patterns, 20000)
  expect_equal(mean(!drawn[, 1] & !drawn[, 2]), p[1], tolerance = 0.03)
  expect_equal(mean(!drawn[, 1] & drawn[, 2]), p[2], tolerance = 0.1)
})

test_that("draws have gaps, or values in their places, and the types of the data", {
  set.seed(3)
  draws <- sample(fit, 4000)
  expect_s3_class(draws, "data.frame")
  expect_s3_class(draws$day, "Date")
  expect_named(draws, names(table))
  expect_equal(colMeans(is.na(draws)), colMeans(is.na(table)), tolerance = 0.15)
  expect_false(anyNA(sample(fit, 50, gaps = FALSE)))
  expect_identical(nrow(sample(fit, 0)), 0L)
  sets <- simulate(fit, 2, seed = 1)
  expect_identical(vapply(sets, nrow, 0L), c(sim_1 = 300L, sim_2 = 300L))
  expect_identical(simulate(fit, 2, seed = 1), sets)
  expect_identical(predict(fit, table[1:3, ], "density"), exp(logdensity(fit, table[1:3, ])))
})

test_that("dependence is learned through gaps", {
  set.seed(4)
  wide <- gappy(1500)[c("a", "b", "c")]
  fit <- fit_flow(wide, small, na = "model", steps = 400)
  draws <- sample(fit, 4000, gaps = FALSE)
  expect_equal(cor(draws$a, draws$b), 0.8, tolerance = 0.1)
  # c is missing where a is large: the draws know it
  drawn <- sample(fit, 4000)
  expect_gt(mean(drawn$a[is.na(drawn$c)]) - mean(drawn$a[!is.na(drawn$c)]), 0.5)
})

test_that("columns with gaps depend on each other in whole draws", {
  set.seed(8)
  a <- rnorm(1500)
  d <- data.frame(a = a, b = a + 0.3 * rnorm(1500))
  d$a[runif(1500) < 0.3] <- NA
  d$b[runif(1500) < 0.4] <- NA
  fit <- fit_flow(d, na = "model", steps = 400)
  draws <- sample(fit, 4000, gaps = FALSE)
  expect_gt(cor(draws$a, draws$b), 0.9)
  whole <- stats::na.omit(sample(fit, 4000))
  expect_gt(cor(whole$a, whole$b), 0.9)
})

test_that("matrices, weights, conditions, and tables where every column has gaps", {
  set.seed(5)
  x <- as.matrix(table[c("a", "b")])
  x[5:20, "a"] <- NA
  given <- data.frame(g = rnorm(300))
  fit <- fit_flow(x, na = "model", condition = given, weights = rep(0:1, 150), steps = 20)
  expect_identical(fit$nobs, 150L)
  expect_length(fit$blocks, 2)
  at <- logdensity(fit, x[1:25, ], given[1:25, , drop = FALSE])
  expect_true(all(is.finite(at)))
  expect_error(logdensity(fit, x[1:3, ]), "`condition` is missing", class = "bijectr_error_argument")
  expect_true(is.matrix(sample(fit, 3, condition = given[1, , drop = FALSE])))
  one <- fit_flow(replace(rnorm(60), 4:9, NaN), na = "model", steps = 5)
  expect_identical(is.na(logdensity(one, c(0, NA))), c(FALSE, FALSE))
})

test_that("without gaps it is a fit as any other; errors are clear", {
  expect_identical(class(fit_flow(faithful, na = "model", steps = 3)), c("bijectr_fit", "bijectr_flow"))
  expect_error(fit_flow(table, steps = 3), "na = \"model\"", class = "bijectr_error_argument")
  expect_error(fit_flow(table, na = "omit", steps = 3), "`na` must be one of", class = "bijectr_error_argument")
  expect_error(fit_flow(data.frame(a = rnorm(9), b = NA_real_), na = "model"), "b of `data` has no values",
    class = "bijectr_error_argument"
  )
  expect_error(logdensity(fit, transform(table, a = NA_real_)), "had no gaps", class = "bijectr_error_argument")
  expect_error(inverse(fit, table), "several flows", class = "bijectr_error_argument")
  expect_error(dflow(table, fit), "several flows", class = "bijectr_error_argument")
  expect_error(params(fit), "several flows", class = "bijectr_error_argument")
  expect_error(plot(fit), "several flows", class = "bijectr_error_argument")
  expect_error(resume(fit, steps = 3), "several flows", class = "bijectr_error_argument")
})

test_that("a fit with gaps comes back from a file, and a damaged one is told", {
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  expect_identical(logdensity(readRDS(file), table), logdensity(fit, table))
  for (field in c("gaps", "center", "patterns", "blocks", "d")) {
    bad <- fit
    bad[[field]] <- if (field == "blocks") list(1) else -1
    expect_error(logdensity(bad, table), paste0(field, ".* is damaged"), class = "bijectr_error_argument")
  }
})

test_that("an error of a later block has the fits before it", {
  withr::local_options(bijectr.seconds_per_call = 0)
  failed <- tryCatch(
    fit_flow(table, small, na = "model", steps = 20, callback = function(fit, record) {
      if (fit$d == 1 && record$step > 3) stop("the callback's own error")
    }),
    error = identity
  )
  expect_s3_class(failed, "bijectr_error_training")
  expect_match(conditionMessage(failed), "Block 2")
  expect_s3_class(failed$blocks[[1]], "bijectr_fit")
  expect_gt(failed$blocks[[2]]$steps, 3)
})

test_that("a damaged fit says which field is", {
  set.seed(1)
  x <- data.frame(a = rnorm(40), b = c(NA, rnorm(39)))
  fit <- fit_flow(x, na = "model", steps = 4)
  wrong <- list(
    d_condition = numeric(), form = list(kind = sum), held_out_loglik = list(1), rows = "a", condition = Sys.Date()
  )
  for (field in names(wrong)) {
    damaged <- fit
    damaged[field] <- wrong[field]
    expect_error(print(damaged), field, class = "bijectr_error_argument", info = field)
  }
})

test_that("what is wrong is told in the words of the table, before anything is fitted", {
  g <- data.frame(id = rnorm(100), income = c(rep(NA, 50), rexp(50)))
  never <- function(fit, record) stop("trained")
  refused <- function(message, data, ...) {
    expect_error(fit_flow(data, na = "model", steps = 5, callback = never, ...), message,
      class = "bijectr_error_argument"
    )
  }
  g$income[77] <- -3
  refused("income.*row 77", g, support = list(income = positive()))
  a <- rnorm(200)
  d <- data.frame(a = a, b = replace(2 * a, 1:20, NA))
  refused("b of `data` is a linear function of a", d)
  d$b <- d$b + rnorm(200)
  refused("`layers` is a flow of 2 coordinates, but 1 column", d, layers = flow(layer_flip(), 2))
  refused("`checkpoint` is for fits of one flow", g, checkpoint = tempfile())
  refused("income of `data` has fewer than two values", g, weights = as.numeric(is.na(g$income)))
})

test_that("warnings are given once, and with the names of the table", {
  set.seed(6)
  wide <- as.data.frame(matrix(rnorm(40 * 12), 40))
  for (j in 1:12) wide[sample(40, 4), j] <- NA
  classes <- character()
  withCallingHandlers(fit_flow(wide, na = "model", steps = 2), warning = function(w) {
    classes <<- c(classes, class(w)[1])
    invokeRestart("muffleWarning")
  })
  expect_identical(sum(classes == "bijectr_warning_few_rows"), 1L)
  expect_false(any(c("bijectr_warning_constant_condition", "bijectr_warning_extrapolation") %in% classes))
})

test_that("a missing condition gives NA in its place, and update() fits anew", {
  g <- data.frame(a = rnorm(100), b = replace(rexp(100), 1:30, NA))
  given <- data.frame(x = rnorm(100))
  fit <- fit_flow(g, condition = given, na = "model", steps = 5)
  at <- logdensity(fit, g[1:3, ], condition = data.frame(x = c(0, NA, 1)))
  expect_identical(is.na(at), c(FALSE, TRUE, FALSE))
  expect_identical(at[c(1, 3)], logdensity(fit, g[c(1, 3), ], condition = data.frame(x = c(0, 1))))
  again <- update(fit, steps = 7)
  expect_s3_class(again, "bijectr_gaps_fit")
  expect_identical(again$steps, 14)
})

test_that("by formula: a joint density is that of the columns", {
  again <- function(...) {
    set.seed(2)
    suppressWarnings(fit_flow(..., na = "model", steps = 12), classes = "bijectr_warning_few_rows")
  }
  plain <- again(table[c("a", "b", "c")], small)
  fit <- again(~ a + b + c, data = table, layers = small)
  expect_identical(coef(fit), coef(plain))
  expect_identical(logdensity(fit, table), logdensity(plain, table))
  expect_identical(formula(fit), ~ a + b + c, ignore_formula_env = TRUE)
  expect_identical(attr(terms(fit), "term.labels"), c("a", "b", "c"))
  expect_s3_class(sample(fit, 3), "data.frame")
  expect_identical(update(fit, ~ . - c, data = table, layers = small)$names, c("a", "b"))
  # what is not missing is an ordinary fit
  expect_s3_class(again(~ a + day, data = table, layers = small), c("bijectr_fit", "bijectr_flow"), exact = TRUE)
  # transformed columns have gaps where their own columns have
  bent <- again(~ a + exp(b) + log(c + 9), data = table, layers = small)
  at <- data.frame(a = table$a, "exp(b)" = exp(table$b), "log(c + 9)" = log(table$c + 9), check.names = FALSE)
  expect_identical(logdensity(bent, table), logdensity(bent, at))
  expect_true(all(is.finite(logdensity(bent, table))))
  off <- data.frame(a = 0, b = c(NA, 1), c = c(-10, NA))
  expect_identical(is.finite(logdensity(bent, off)), c(FALSE, TRUE))
  expect_identical(logdensity(bent, off)[1], -Inf)
  expect_error(again(~ a + log(c - 2), data = table), "column log\\(c - 2\\) is NaN", class = "bijectr_error_argument")
})

test_that("by formula: conditions, weights and rows", {
  g <- table[c("a", "b", "c")]
  g$f <- factor(rep(c("u", "v", "w"), 100))
  g$w <- rep(c(1, 2, 0, 1), 75)
  set.seed(3)
  fit <- fit_flow(cbind(b, c) ~ a + f, data = g, weights = w, na = "model", steps = 8)
  expect_identical(fit$nobs, 225L)
  expect_identical(fit$condition$names, c("a", "fv", "fw"))
  at <- logdensity(fit, g[1:9, ])
  expect_true(all(is.finite(at)))
  expect_equal(logdensity(fit, g[1:9, c("c", "b")], condition = g[1:9, c("f", "a")]), at)
  expect_identical(names(sample(fit, 2, condition = g[1:2, ])), c("b", "c"))
  expect_identical(is.na(logdensity(fit, transform(g[1:3, ], a = c(0, NA, 0)))), c(FALSE, TRUE, FALSE))
  short <- function(...) fit_flow(b ~ a, na = "model", steps = 3, ...)
  expect_identical(short(data = g, subset = f != "u")$nobs, 200L)
  g$a[c(3, 5)] <- NA
  expect_error(short(data = g), "row 3, column a is NA.*only the left side", class = "bijectr_error_argument")
  fit <- short(data = g, na.action = na.omit)
  expect_identical(as.vector(fit$na.action), c(3L, 5L))
  expect_identical(fit$nobs, 298L)
  expect_error(fit_flow(b ~ 1, data = g), "na = \"model\".*learns from them", class = "bijectr_error_argument")
  expect_error(fit_flow(~ a + b, data = g, na = "model", collinear = "drop"), "missing values",
    class = "bijectr_error_argument"
  )
})

test_that("codes among conditions are looked up in all blocks", {
  set.seed(4)
  shop <- sprintf("s%02d", rep(1:15, 20))
  g <- data.frame(a = rnorm(300), b = rnorm(300, rep(1:15, 20)), shop)
  g$b[sample(300, 60)] <- NA
  fit <- fit_flow(cbind(a, b) ~ shop, data = g, na = "model", steps = 4)
  expect_identical(fit$condition$levels, 15L)
  expect_identical(vapply(fit$blocks, function(b) b$fit$condition$levels[1], 0L), c(15L, 15L))
  for (block in fit$blocks) expect_s3_class(block$fit$condition$codecs[[1]], "bijectr_codec_number")
  expect_identical(logdensity(fit, g[1:5, ]), logdensity(fit, g[5:1, ])[5:1])
  # by layers that look up
  layers <- layer_autoregressive(scalar_affine(), net_embedding(net_mlp(8), columns = 1, levels = 15))
  code <- data.frame(z = rep(0:14, 20))
  fit <- fit_flow(g[c("a", "b")], layers, condition = code, na = "model", steps = 4)
  for (block in fit$blocks) expect_s3_class(block$fit$condition$codecs[[1]], "bijectr_codec_number")
  expect_error(logdensity(fit, g[1, 1:2], data.frame(z = 15)), "codes of levels", class = "bijectr_error_argument")
})

test_that("print() shows supports, and predict() says what it cannot do", {
  set.seed(5)
  g <- data.frame(a = rexp(200), b = replace(rnorm(200), 1:30, NA), c = replace(runif(200), 90:99, NA))
  given <- list(a = positive(), c = bounded(0, 1), b = real())
  fit <- fit_flow(g, na = "model", support = given, steps = 3)
  expect_output(print(fit), "support: a \\(0, Inf\\) by [a-z]+, c \\(0, 1\\)")
  expect_output(print(fit_flow(g["b"], na = "model", steps = 3)), "<flow fit of a table with gaps>[^:]*gaps")
  refused <- function(type, message) {
    expect_error(predict(fit, g, type), message, class = "bijectr_error_argument")
  }
  refused("latent", "needs one flow.*no point on a base side")
  refused("response", "mean of whole draws")
  refused("distribution", "one flow of one coordinate")
  refused("quantile", "one flow of one coordinate")
  refused("nonsense", "`type` must be one of")
  expect_identical(predict(fit, g[1:3, ]), logdensity(fit, g[1:3, ]))
})

test_that("seconds is the budget of the whole call", {
  withr::local_options(bijectr.seconds_per_call = 0)
  g <- data.frame(a = rnorm(200), b = replace(rnorm(200), 1:30, NA), c = replace(rnorm(200), 90:99, NA))
  fit <- fit_flow(g, small, na = "model", steps = 1e6, seconds = 0.2)
  budget <- vapply(fit$blocks, function(b) b$fit$control$seconds, 0)
  spent <- vapply(fit$blocks, function(b) b$fit$seconds, 0)
  expect_lte(budget[1], 0.2)
  expect_lte(budget[2], max(1e-9, 0.2 - spent[1]))
  expect_lte(budget[3], max(1e-9, 0.2 - sum(spent[1:2])))
  expect_true(all(vapply(fit$blocks, function(b) b$fit$steps, 0) > 0))
  expect_identical(fit$status, "time_limit")
  expect_true(is.finite(fit$loglik))
})

test_that("weights of any size make the same fit, and rows of weight 0 count for nothing", {
  set.seed(6)
  g <- data.frame(a = rnorm(200), b = rnorm(200), c = rnorm(200))
  g$b[1:30] <- NA
  g$c[20:90] <- NA
  w <- runif(200)
  weighted <- function(data, weights) {
    set.seed(7)
    suppressWarnings(classes = "bijectr_warning_few_rows", {
      fit_flow(data, small, na = "model", weights = weights, steps = 8, validation = 171:190)
    })
  }
  fit <- weighted(g, w)
  for (unit in c(2^-600, 2^400)) {
    other <- weighted(g, unit * w)
    expect_identical(coef(other), coef(fit))
    expect_identical(other$patterns, fit$patterns)
    expect_identical(other$loglik / unit, fit$loglik)
  }
  expect_equal(coef(weighted(g, 1e-200 * w)), coef(fit), tolerance = 1e-6)
  # the last rows, whatever is in them
  w[191:200] <- 0
  fit <- weighted(g, w)
  odd <- g
  odd$a[191:193] <- NA
  odd$b[191:200] <- 1e9
  odd$c[194:200] <- NA
  other <- weighted(odd, w)
  expect_identical(other$gaps, fit$gaps)
  expect_identical(other$patterns, fit$patterns)
  expect_identical(other$center, fit$center)
  expect_identical(lapply(other$blocks, `[[`, "flags"), lapply(fit$blocks, `[[`, "flags"))
  expect_equal(other$loglik, sum((w * logdensity(other, g))[w > 0]))
  # the median counts rows by their weights, as often as copies would
  missing <- cbind(c(FALSE, FALSE, FALSE, TRUE))
  expect_identical(fill_gaps(cbind(c(1, 2, 9, NA)), missing, c(1, 1, 3, 1))[4], 9)
  expect_identical(fill_gaps(cbind(c(1, 2, 9, NA)), missing)[4], 2)
  # gaps in such rows only are none
  all <- data.frame(a = rnorm(60), b = replace(rnorm(60), 5, NA))
  ordinary <- fit_flow(all, na = "model", weights = as.numeric(1:60 != 5), steps = 2)
  expect_identical(class(ordinary), c("bijectr_fit", "bijectr_flow"))
})

test_that("conditions out of range are told of once", {
  set.seed(8)
  g <- data.frame(a = rnorm(100), b = replace(rnorm(100), 1:20, NA))
  fit <- fit_flow(g, condition = data.frame(x = runif(100)), na = "model", steps = 3)
  far <- data.frame(x = 9)
  told <- function(expr) {
    n <- 0
    withCallingHandlers(expr, bijectr_warning_extrapolation = function(w) {
      n <<- n + 1
      invokeRestart("muffleWarning")
    })
    n
  }
  expect_identical(told(sample(fit, 5, condition = far)), 1)
  expect_identical(told(simulate(fit, 4, n = 5, condition = far)), 1)
  expect_identical(told(logdensity(fit, g[1:3, ], condition = far)), 1)
})
