# Numbers with a class: dates, times, units, labels. What goes in comes out, and is the same numbers to the flow.

set.seed(1)
numbers <- rnorm(60, 1e4, 300)
classed <- list(
  date = structure(numbers, class = "Date"),
  whole_date = structure(as.integer(numbers), class = "Date"),
  time = as.POSIXct(numbers, origin = "1970-01-01", tz = "America/New_York"),
  minutes = as.difftime(numbers, units = "mins"),
  labelled = structure(numbers,
    label = "a label", labels = c(low = 0), class = c("haven_labelled", "vctrs_vctr", "double")
  ),
  words = structure(numbers, label = "income", units = "USD"),
  hms = structure(numbers, units = "secs", class = c("hms", "difftime")),
  own = structure(numbers, class = "money", currency = "EUR")
)

test_that("numbers of a class come back as they were", {
  for (name in names(classed)) {
    x <- classed[[name]]
    codec <- codec_of(x)
    expect_s3_class(codec, "bijectr_codec_classed")
    expect_true(intact(codec), info = name)
    expect_true(accepts(codec, x), info = name)
    z <- encode(codec, x)
    expect_identical(z, as.double(unclass(x)), ignore_attr = TRUE, info = name)
    expect_null(attributes(z))
    back <- decode(codec, z)
    expect_equal(back, x, info = name)
    expect_identical(attributes(back), attributes(x), info = name)
    expect_identical(unserialize(serialize(codec, NULL)), codec)
  }
})

test_that("fits to numbers of a class are fits to the numbers, at any scale", {
  fitted <- function(x) {
    set.seed(2)
    fit_flow(x, steps = 3)
  }
  for (scale in c(1e-12, 1, 1e12)) {
    x <- as.difftime(numbers * scale, units = "hours")
    fit <- fitted(x)
    expect_identical(coef(fit), coef(fitted(numbers * scale)))
    expect_identical(logdensity(fit, x), logdensity(fitted(numbers * scale), numbers * scale))
    draws <- sample(fit, 3)
    expect_s3_class(draws, "difftime")
    expect_identical(attr(draws, "units"), "hours")
    expect_equal(pflow(qflow(c(0.2, 0.7), fit), fit), c(0.2, 0.7))
  }
  for (name in names(classed)) {
    expect_identical(attributes(sample(fitted(classed[[name]]), 2)), attributes(classed[[name]]), info = name)
    frame <- data.frame(a = rexp(60))
    frame$b <- classed[[name]]
    draws <- sample(fitted(frame), 4)
    expect_identical(attributes(draws$b), attributes(classed[[name]]), info = name)
    expect_identical(logdensity(fitted(frame), frame), logdensity(fitted(data.frame(a = frame$a, b = as.double(unclass(
      frame$b
    )))), data.frame(a = frame$a, b = as.double(unclass(frame$b)))), info = name)
  }
})

test_that("classes that say what numbers mean are not mixed up, labels are no more than words", {
  of <- lapply(classed, codec_of)
  for (name in c("date", "time", "minutes")) {
    for (other in setdiff(c("date", "time", "minutes", "own"), name)) {
      expect_false(accepts(of[[name]], classed[[other]]), info = paste(name, other))
    }
    expect_false(accepts(of[[name]], 1), info = name)
    expect_false(accepts(CODEC_NUMBER, classed[[name]]), info = name)
  }
  for (name in c("labelled", "words", "own")) {
    expect_true(accepts(of[[name]], numbers), info = name)
    expect_true(accepts(CODEC_NUMBER, classed[[name]]), info = name)
    expect_false(accepts(of[[name]], classed$date), info = name)
  }
  frame <- data.frame(day = classed$date, wait = as.difftime(rnorm(60), units = "mins"))
  fit <- fit_flow(frame, steps = 2)
  expect_error(logdensity(fit, data.frame(day = 1, wait = frame$wait[1])),
    "Column day of `newdata` must be of class Date",
    class = "bijectr_error_argument"
  )
  expect_error(logdensity(fit, data.frame(day = classed$date[1], wait = 1)), "of class difftime in mins")
})

test_that("differences of times are read in any unit", {
  fit <- fit_flow(classed$minutes, steps = 2)
  at <- logdensity(fit, classed$minutes[1:4])
  hours <- classed$minutes[1:4]
  units(hours) <- "hours"
  expect_equal(logdensity(fit, hours), at)
})

test_that("units are those of the units package", {
  skip_if_not_installed("units")
  x <- units::set_units(numbers, "m")
  expect_true(intact(codec_of(x)))
  fit <- fit_flow(data.frame(x = x), steps = 2)
  expect_identical(class(sample(fit, 2)$x), "units")
  expect_identical(units::deparse_unit(sample(fit, 2)$x), "m")
  inches <- units::set_units(x, "inch")
  expect_equal(logdensity(fit, data.frame(x = inches)), logdensity(fit, data.frame(x = x)))
  expect_error(logdensity(fit, data.frame(x = units::set_units(1, "kg"))), "must be of class units in m",
    class = "bijectr_error_argument"
  )
  expect_error(logdensity(fit, data.frame(x = 1)), "must be of class units in m")
})

test_that("what stands for places is not kept", {
  expect_identical(codec_of(ts(numbers, start = 1900)), CODEC_NUMBER)
  expect_identical(codec_of(I(numbers)), CODEC_NUMBER)
  expect_identical(codec_of(noquote(numbers)), CODEC_NUMBER)
  expect_identical(codec_of(stats::setNames(numbers, seq_along(numbers))), CODEC_NUMBER)
  expect_identical(codec_of(na.omit(c(NA, numbers))), CODEC_NUMBER)
  expect_identical(codec_of(I(classed$date)), codec_of(classed$date))
  expect_identical(codec_of(structure(numbers, index = seq_along(numbers), class = "zoo")), CODEC_NUMBER)
  whole <- structure(1:3, labels = c(a = 1L), class = c("haven_labelled", "vctrs_vctr", "integer"))
  expect_identical(class(decode(codec_of(whole), c(0.5, 1))), c("haven_labelled", "vctrs_vctr", "double"))
})

test_that("conditions have classes too", {
  frame <- data.frame(y = rnorm(60))
  given <- data.frame(day = classed$date)
  fit <- fit_flow(frame, condition = given, steps = 2)
  expect_true(all(is.finite(logdensity(fit, frame, given))))
  expect_error(logdensity(fit, frame, numbers[1:3]), "condition", class = "bijectr_error_argument")
  expect_error(logdensity(fit, frame, data.frame(day = 3)), "Column day of `condition` must be of class Date")
})

test_that("a codec from a file is looked at", {
  good <- codec_of(classed$minutes)
  damage <- list(
    NULL, 1, list(), list(1), list(class = 3), list(class = "factor"), list(units = "years", class = "difftime"),
    list(class = "difftime"), list(dim = c(2, 2)), list(class = "own", f = sum), list(tzone = 5, class = "POSIXct")
  )
  for (bad in damage) {
    codec <- good
    codec["attributes"] <- list(bad)
    expect_false(intact(codec), info = deparse1(bad))
  }
  fit <- fit_flow(classed$minutes, steps = 2)
  fit$codecs[[1]]$attributes$units <- "years"
  expect_error(sample(fit, 2), "codecs.* is damaged", class = "bijectr_error_argument")
})
