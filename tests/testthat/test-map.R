set.seed(1)
fit <- fit_flow(faithful, steps = 10)

test_that("forward() and inverse() undo each other, values and log-determinants", {
  x <- as.matrix(faithful)
  z <- inverse(fit, x)
  back <- forward(fit, z$value)
  expect_equal(as.matrix(back$value), x, tolerance = 1e-8, ignore_attr = TRUE)
  expect_equal(back$logdet, -z$logdet, tolerance = 1e-8)
})

test_that("the log density is that of the base plus the log-determinant", {
  z <- inverse(fit, faithful)
  expect_equal(logdensity(fit, faithful), rowSums(dnorm(z$value, log = TRUE)) + z$logdet)
})

test_that("log densities are in the units of the data", {
  seconds <- faithful
  seconds$eruptions <- 60 * seconds$eruptions
  set.seed(1)
  scaled <- fit_flow(seconds, steps = 10)
  expect_equal(logdensity(scaled, seconds), logdensity(fit, faithful) - log(60), tolerance = 1e-6)
})

test_that("the density of a fit integrates to one", {
  x <- seq(-3, 10, length.out = 300)
  y <- seq(-20, 160, length.out = 300)
  density <- exp(logdensity(fit, unname(as.matrix(expand.grid(x, y)))))
  expect_equal(sum(density) * diff(x[1:2]) * diff(y[1:2]), 1, tolerance = 1e-3)
})

test_that("points can be data frames, matrices, and vectors of one row", {
  x <- as.matrix(faithful)[1:4, ]
  value <- logdensity(fit, x)
  expect_identical(logdensity(fit, faithful[1:4, ]), value)
  expect_identical(logdensity(fit, unname(x)), value)
  expect_identical(logdensity(fit, cbind(faithful[1:4, ], other = "a")), value)
  expect_identical(logdensity(fit, faithful[1:4, 2:1]), value)
  expect_identical(logdensity(fit, x[, 2:1]), value)
  expect_identical(logdensity(fit, x[1, ]), value[1])
  expect_identical(logdensity(fit, rev(x[1, ])), value[1])
  # names that have nothing to do with the data's: by position, not in silence
  a <- x[, 1]
  b <- x[, 2]
  expect_warning(at <- logdensity(fit, cbind(a, b)), "has a and b where the flow has", class = "bijectr_warning_names")
  expect_identical(at, value)
  expect_identical(logdensity(fit, x[0, ]), numeric())
})

test_that("a row's result does not depend on the other rows or on threads", {
  x <- as.matrix(faithful)[rep(1:272, 20), ]
  all <- logdensity(fit, x)
  expect_identical(all[1:272], logdensity(fit, faithful))
  expect_identical(vapply(1:3, function(i) logdensity(fit, x[i, ]), numeric(1)), all[1:3])
  old <- options(bijectr.threads = 1)
  on.exit(options(old))
  expect_identical(logdensity(fit, x), all)
})

test_that("a call for one row takes no large memory of R", {
  skip_if_not(capabilities("profmem"))
  x <- as.matrix(faithful)[1, , drop = FALSE]
  frame <- faithful[1, ]
  for (i in 1:3) list(logdensity(fit, x), logdensity(fit, frame)) # the workspace is kept from call to call
  expect_length(copies(logdensity(fit, x), 512), 0)
  expect_length(copies(logdensity(fit, frame), 512), 0)
})

test_that("values keep the names of the data", {
  expect_identical(colnames(forward(fit, matrix(0, 1, 2))$value), names(faithful))
})

test_that("a fit survives saveRDS()", {
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  saveRDS(fit, file)
  expect_identical(readRDS(file), fit)
  expect_identical(logdensity(readRDS(file), faithful), logdensity(fit, faithful))
})

test_that("extreme points have finite or -Inf log densities, never NaN", {
  x <- unname(as.matrix(expand.grid(c(-1e100, -1e5, 0, 1e5, 1e100), c(-1e100, 0, 1e100))))
  expect_false(anyNA(logdensity(fit, x)))
})

test_that("what is not a number is not silent", {
  f <- flow(layer_chain(layer_elementwise(scalar_affine("exp")), layer_elementwise(scalar_affine("exp"))), 1)
  params(f) <- c(0, 700, 0, 700)
  x <- c(1, 1e100)
  seen <- FALSE
  out <- withCallingHandlers(forward(f, x), bijectr_warning_nan = function(w) {
    seen <<- TRUE
    invokeRestart("muffleWarning")
  })
  expect_identical(seen, anyNA(unlist(out)))
  expect_warning(tell_nan(c(1, NaN, 2), "The log density"), "log density of row 2", class = "bijectr_warning_nan")
  expect_silent(tell_nan(c(1, Inf), "The log density"))
})

test_that("points of the base at which a layer has no value have no image", {
  f <- flow(list(layer_elementwise(list(scalar_power(0.5), scalar_affine()))), 2)
  z <- rbind(c(4, 1), c(-1, 1), c(1, -1), c(-4, 0))
  expect_warning(out <- forward(f, z), "2 rows of `x` lie where a layer of the flow has no value.*they are.*row 2",
    class = "bijectr_warning_outside"
  )
  expect_identical(is.na(out$value), cbind(c(FALSE, TRUE, FALSE, TRUE), c(FALSE, TRUE, FALSE, TRUE)))
  expect_identical(out$logdet[c(2, 4)], c(-Inf, -Inf))
  expect_silent(inside <- forward(f, z[c(1, 3), ]))
  expect_identical(out$value[c(1, 3), ], inside$value)
  expect_warning(forward(f, z[2, ]), "1 row of `x` lies where .*it is", class = "bijectr_warning_outside")
})
