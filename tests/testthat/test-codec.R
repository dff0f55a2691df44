# Codecs: a column of the user's to numbers and back.

test_that("plain numbers are as they are", {
  codec <- codec_of(c(1.5, 2))
  expect_s3_class(codec, "bijectr_codec_number")
  for (x in list(c(1.5, -2, 0), c(3L, -1L, 0L), I(c(1, 2)))) {
    z <- encode(codec, x)
    expect_type(z, "double")
    expect_null(attributes(z))
    expect_equal(decode(codec, z), as.double(x))
  }
})

test_that("standardised numbers come back", {
  codec <- codec_standard(3, 0.25)
  x <- c(-1e6, 0.1, 3, 7L)
  expect_identical(encode(codec, x), (x - 3) / 0.25)
  expect_equal(decode(codec, encode(codec, x)), x, tolerance = 1e-15)
  expect_equal(encode(codec, decode(codec, -2:2)), as.double(-2:2), tolerance = 1e-15)
  expect_identical(encode(codec, 2:4), encode(codec, c(2, 3, 4)))
})

test_that("columns that no codec takes have none", {
  big <- structure(c(1, 2), class = "integer64")
  for (x in list("a", TRUE, factor(1), table(1:2), list(1), matrix(1:2), big, 1i)) {
    expect_null(codec_of(x))
    expect_false(accepts(CODEC_NUMBER, x))
    expect_false(accepts(codec_standard(0, 1), x))
  }
  expect_true(accepts(codec_standard(0, 1), 1:2))
})

test_that("codecs are plain data", {
  for (codec in list(CODEC_NUMBER, CODEC_INTEGER, codec_standard(1, 2))) {
    file <- tempfile()
    saveRDS(codec, file)
    expect_identical(readRDS(file), codec)
    expect_true(all(vapply(codec, is.atomic, NA)))
    expect_type(codec$type, "character")
  }
})

test_that("columns that are all numbers need no codecs, and doubles are not copied", {
  x <- list(a = c(1, 2), b = 3:4)
  expect_null(column_codecs(list(a = c(1, 2), b = c(3, 4)), "data"))
  expect_identical(column_codecs(x, "data"), list(CODEC_NUMBER, CODEC_INTEGER))
  z <- encode_columns(x)
  expect_identical(z, list(a = c(1, 2), b = c(3, 4)))
  skip_if_not(capabilities("profmem"))
  big <- list(a = numeric(1e5), b = numeric(1e5))
  expect_length(copies(encode_columns(big), 1e5), 0)
  big$a <- integer(1e5)
  expect_length(copies(encode_columns(big), 1e5), 1)
})

test_that("a matrix stays a matrix", {
  x <- cbind(a = c(1, 2), b = c(3, 5))
  codecs <- list(codec_standard(1, 2), CODEC_NUMBER)
  expect_identical(encode_columns(x, codecs), cbind(a = c(0, 0.5), b = c(3, 5)))
  expect_identical(encode_columns(as.list(as.data.frame(x)), codecs), list(a = c(0, 0.5), b = c(3, 5)))
})

# Rain and heat, and the same with the heat in the numbers that it is learned in.
weather <- function() {
  set.seed(1)
  plain <- data.frame(rain = rexp(80), heat = 10 * rnorm(80))
  classed <- plain
  classed$heat <- fahrenheit(32 + 1.8 * plain$heat)
  list(classed = classed, plain = plain)
}
fitted_to <- function(...) {
  set.seed(2)
  fit_flow(..., steps = 5)
}

test_that("a vector of a class with a codec is a column", {
  local_fahrenheit()
  at <- weather()
  fit <- fitted_to(at$classed$heat)
  plain <- fitted_to(at$plain$heat)
  expect_equal(coef(fit), coef(plain))
  expect_equal(logdensity(fit, at$classed$heat), logdensity(plain, at$plain$heat))
  expect_s3_class(qflow(0.3, fit), "fahrenheit")
  expect_equal(pflow(qflow(c(0.3, 0.6), fit), fit), c(0.3, 0.6))
  named <- fitted_to(at$classed["heat"])
  expect_equal(dflow(at$classed$heat, named), dflow(at$plain$heat, plain))
  expect_s3_class(augment.bijectr_flow(named, at$classed$heat)$heat, "fahrenheit")
  expect_error(logdensity(fitted_to(at$classed), at$classed$heat), "must have 2 columns")
  expect_error(fit_flow(factor(1:9)), "a level of its own in every row", class = "bijectr_error_argument")
})

test_that("the left side of a formula takes classes that have a codec", {
  local_fahrenheit()
  at <- weather()
  fit <- fitted_to(heat ~ rain, at$classed)
  expect_equal(coef(fit), coef(fitted_to(heat ~ rain, at$plain)))
  expect_identical(fit$names, "heat")
  expect_s3_class(sample(fit, 3, condition = data.frame(rain = 1))$heat, "fahrenheit")
  both <- fitted_to(cbind(rain, heat) ~ 1, at$classed)
  expect_equal(coef(both), coef(fitted_to(cbind(rain, heat) ~ 1, at$plain)))
  expect_equal(resume(both, steps = 2, data = at$classed)$steps, 7)
  # a class beside a transformation
  both <- fitted_to(cbind(log(rain + 9), heat) ~ 1, at$classed)
  expect_s3_class(sample(both, 3)$heat, "fahrenheit")
  expect_length(logdensity(both, at$classed), nrow(at$classed))
})

test_that("conditions of a class with a codec are encoded, then standardised", {
  local_fahrenheit()
  at <- weather()
  fit <- fitted_to(at$plain["rain"], condition = at$classed["heat"], keep_state = TRUE)
  plain <- fitted_to(at$plain["rain"], condition = at$plain["heat"])
  expect_equal(coef(fit), coef(plain))
  codec <- fit$condition$codecs[[1]]
  expect_true(intact(codec))
  expect_equal(encode(codec, at$classed$heat), encode(plain$condition$codecs[[1]], at$plain$heat))
  expect_equal(decode(codec, encode(codec, at$classed$heat)), at$classed$heat)
  two <- at$plain$heat[1:2]
  expect_equal(logdensity(fit, 1:2, fahrenheit(32 + 1.8 * two)), logdensity(plain, 1:2, two))
  expect_equal(logdensity(fit, 1:2, fahrenheit(32 + 1.8 * two[1])), logdensity(plain, 1:2, two[1]))
  expect_error(logdensity(fit, 1, at$plain[1, "heat", drop = FALSE]), "in degrees Fahrenheit")
  expect_error(
    resume(fit, steps = 1, data = at$plain["rain"], condition = at$plain["heat"]), "in degrees Fahrenheit"
  )
  codec$of$kind <- NULL
  class(codec$of) <- "bijectr_codec"
  expect_false(intact(codec))
  codec$of <- 1
  expect_false(intact(codec))
})

test_that("pictures are of numbers", {
  local_fahrenheit()
  at <- weather()
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  fit <- fitted_to(at$classed)
  plain <- fitted_to(at$plain)
  for (type in c("density", "samples", "pairs", "layers")) {
    shown <- function(fit, data) {
      set.seed(3)
      plot(fit, type, data = data, n = 50, grid = 11)
    }
    expect_equal(shown(fit, at$classed), shown(plain, at$plain), info = type)
  }
  for (type in c("density", "samples")) {
    expect_true(is.numeric(unlist(plot(fitted_to(at$classed$heat), type, data = at$classed$heat, n = 50))), info = type)
  }
})

test_that("targets see columns, chains hold numbers", {
  local_fahrenheit()
  at <- weather()
  fit <- fitted_to(at$classed)
  plain <- fitted_to(at$plain)
  target <- function(x) -x[, 1]^2 - (unclass(x[, 2]) / 10)^2
  classed_target <- function(x) {
    expect_s3_class(x$heat, "fahrenheit")
    target(cbind(x$rain, (unclass(x$heat) - 32) / 1.8))
  }
  chains <- function(...) {
    set.seed(3)
    sample_imh(..., size = 5, warmup = 5)
  }
  expect_equal(chains(fit, classed_target), chains(plain, target))
  set.seed(4)
  weighed <- importance_sample(fit, classed_target, 50)
  set.seed(4)
  expect_equal(weighed$log_weights, importance_sample(plain, target, 50)$log_weights)
})

test_that("a column that is no numbers is refused with what can be done with it", {
  cure <- function(x, name = "g") {
    data <- data.frame(y = c(1.5, 2, 4))
    data[[name]] <- x
    e <- expect_error(fit_flow(data), class = "bijectr_error_argument")
    expect_match(conditionMessage(e), paste("Column", name, "of"), fixed = TRUE)
    cli::ansi_strip(gsub("\\s+", " ", conditionMessage(e)))
  }
  expect_match(cure(factor(1:3)), "a level of its own in every row")
  expect_match(cure(c("1", NA, "2.5")), "`as.numeric(g)` makes numbers of it", fixed = TRUE)
  expect_match(cure(c("1", "a{x}", "2")), "but not \"a{x}\": mend that", fixed = TRUE)
  expect_match(cure(c("a", "b", "1")), "a level of its own in every row")
  expect_match(cure(structure(c(1, 2, 3), class = "integer64")), "`as.double(g)`", fixed = TRUE)
  expect_match(cure(list(1, 2, 3)), "`unlist(g)`", fixed = TRUE)
  expect_match(cure(list(1, 2:3, 3)), "Drop it, or make numbers of it")
  expect_match(cure(1i * 1:3), "`Re(g)` and `Im(g)`", fixed = TRUE)
  expect_match(cure(matrix(1:6, 3)), "do.call(data.frame, data)", fixed = TRUE)
  expect_match(cure(list(1, 2, 3), "a{b}"), "`unlist(a{b})`", fixed = TRUE)
})

test_that("new columns of another class are refused with what the data of the fit had", {
  days <- data.frame(day = as.Date("2024-01-01") + c(0, 3, 10, 20))
  fit <- suppressWarnings(fit_flow(days, steps = 2))
  e <- expect_error(logdensity(fit, data.frame(day = c("a", "b"))), class = "bijectr_error_argument")
  expect_match(conditionMessage(e), "had that class here")
  fit <- suppressWarnings(fit_flow(data.frame(wait = c(1.5, 2, 4, 6)), steps = 2))
  new <- data.frame(wait = as.difftime(1:2, units = "mins"))
  e <- expect_error(logdensity(fit, new), class = "bijectr_error_argument")
  expect_match(gsub("\\s+", " ", conditionMessage(e)), "`as.numeric(wait)` takes the class off", fixed = TRUE)
})

test_that("a vector that is no numbers is refused with what can be done with it", {
  expect_error(fit_flow(c("1", "2")), "as.numeric\\(data\\)", class = "bijectr_error_argument")
  expect_error(logdensity(fit_flow(c(1, 2, 4), steps = 1), factor(1:3)), "right side of a formula",
    class = "bijectr_error_argument"
  )
})

test_that("draws of integers are integers, and stay in their support", {
  set.seed(5)
  d <- data.frame(few = rpois(200, 2), amount = pmax(1L, as.integer(10 * rexp(200))), x = rnorm(200))
  members <- stack_members(c("normal", "student_t"))
  fit <- suppressWarnings(fit_flow(d, members = members, progress = FALSE))
  s <- sample(fit, 2000)
  expect_identical(lapply(s, typeof), lapply(d, typeof))
  expect_gte(min(s$amount), 1)
  expect_true(all(is.finite(logdensity(fit, s))))
  expect_type(simulate(fit, 1, seed = 1)[[1]]$amount, "integer")
  expect_type(sample(marginal(fit, "amount"), 3)$amount, "integer")
  alone <- fit_flow(d$amount, members = members, progress = FALSE)
  expect_type(sample(alone, 3), "integer")
  expect_type(forward(fit_flow(d["amount"], steps = 5), 0.123)$value$amount, "double") # no draw
  expect_identical(logdensity(alone, 1:3), logdensity(alone, c(1, 2, 3)))
  counted <- suppressWarnings(fit_flow(d$few, members = members, progress = FALSE))
  expect_true(is_whole(counted))
  expect_type(sample(counted, 3), "integer")
  # what no integer can hold
  expect_identical(as_settled(list(c(1, 2^40)), list(CODEC_INTEGER)), list(c(1, 2^40)))
  expect_identical(as_settled(list(c(1, NA), 2), list(CODEC_INTEGER, NULL)), list(c(1L, NA), 2))
  # 0.3 of what is above 0 is 1, and 99.8 of what is below 100 is 99
  part <- list(d = 2, codecs = list(CODEC_INTEGER, CODEC_INTEGER), layers = list(layers = list(list(
    kind = "elementwise",
    scalar = list(scalar_support(0, Inf), scalar_support(0, 100))
  ))))
  z <- cbind(c(0.3, 2.4), c(99.8, 0.2))
  expect_identical(settled_draws(part, z), cbind(c(1, 2), c(99, 1)))
})

test_that("draws of integers do not become values of positive probability, and targets see matrices", {
  set.seed(6)
  n <- 300
  d <- data.frame(x = as.integer(round(rnorm(n, 100, 10))), y = rnorm(n))
  role <- list(kind = "atoms", atoms = 100)
  part <- structure(list(d = 1, codecs = list(CODEC_INTEGER), roles = list(role), blocks = list()),
    class = c("bijectr_table", "bijectr_flow")
  )
  expect_identical(settled_draws(part, matrix(c(99.6, 100, 100.4, 98.2)))[, 1], c(99, 100, 101, 98))
  v <- fit_flow(as.integer(round(rnorm(100, 100, 20))), members = "normal", support = "real", progress = FALSE)
  s <- importance_sample(v, function(x) dnorm(x[, 1], 100, 20, log = TRUE), n = 50)
  expect_true(is.matrix(s$draws) || is.numeric(s$draws))
  x <- d$x
  y <- d$y
  expect_true(is.matrix(sample(fit_flow(x ~ y, members = "normal", support = "real", progress = FALSE), 2, y[1])))
})
