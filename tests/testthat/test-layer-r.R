# y = x + a tanh(x + b c), a = exp(params[1]), b = params[2]: coordinates by themselves, given one condition.
bent_forward <- function(x, params, condition) {
  u <- x + params[2] * condition[, 1]
  list(value = x + exp(params[1]) * tanh(u), logdet = rowSums(log1p(exp(params[1]) / cosh(u)^2)))
}
bent_vjp <- function(x, g_value, g_logdet, params, condition) {
  a <- exp(params[1])
  u <- x + params[2] * condition[, 1]
  s <- 1 / cosh(u)^2
  inner <- g_value * a * s + g_logdet * (-2 * a * s * tanh(u) / (1 + a * s)) # in u
  list(
    x = g_value + inner,
    params = c(sum(g_value * a * tanh(u)) + sum(g_logdet * (a * s / (1 + a * s))), sum(inner * condition[, 1])),
    condition = matrix(rowSums(inner) * params[2])
  )
}
scaled <- function() {
  layer_r(
    function(x, params) list(value = x * exp(params), logdet = ncol(x) * params),
    function(x, params) list(value = x * exp(-params), logdet = -ncol(x) * params),
    function(x, g_value, g_logdet, params) {
      list(x = g_value * exp(params), params = sum(g_value * x * exp(params)) + ncol(x) * sum(g_logdet))
    },
    params = 0.3
  )
}

test_that("layers of R functions keep what layers promise, with gradients given or by differences", {
  set.seed(1)
  for (vjp in list(bent_vjp, NULL)) {
    found <- check_layer(layer_r(bent_forward, vjp = vjp, params = c(0.2, 0.5)), d = 2, d_condition = 1)
    expect_true(all(found$ok), info = paste(found$check[!found$ok], collapse = ", "))
  }
  expect_true(all(check_layer(scaled(), d = 3)$ok))
  expect_true(all(check_layer(list(layer_invert(scaled()), layer_planar()), d = 2)$ok))
})

test_that("they are what a layer of the core with the same formulas is, on one thread and in chunks", {
  set.seed(2)
  f <- flow(list(scaled(), layer_permute(2:1)), 2)
  core <- flow(list(layer_elementwise(scalar_affine(scale = "exp")), layer_permute(2:1)), 2)
  params(core)$layers[[1]] <- list(loc = c(0, 0), scale = c(0.3, 0.3))
  x <- matrix(rnorm(2 * 700), 700)
  old <- options(bijectr.threads = 2L)
  on.exit(options(old))
  expect_equal(logdensity(f, x), logdensity(core, x), tolerance = 1e-13)
  expect_equal(forward(f, x), forward(core, x), tolerance = 1e-13)
  set.seed(3)
  draws <- sample(f, 50)
  set.seed(3)
  expect_equal(draws, sample(core, 50), tolerance = 1e-13)
  expect_identical(unname(unlist(params(f))), 0.3)
})

test_that("they are trained, saved, printed and resolved", {
  set.seed(4)
  x <- rnorm(300, 4, 0.5)
  fit <- suppressWarnings(fit_flow(x, list(scaled()), standardize = "none", steps = 300, learning_rate = 0.05,
                                   progress = FALSE, validation = 0, noise = 0))
  expect_equal(params(fit)$layers[[1]]$params, log(sqrt(mean(x^2))), tolerance = 1e-3)
  file <- tempfile(fileext = ".rds")
  saveRDS(fit, file)
  expect_identical(logdensity(readRDS(file), 4), logdensity(fit, 4))
  again <- eval(parse(text = capture.output(print(scaled()))))
  expect_identical(logdensity(flow(again, 1), 0.7), logdensity(flow(scaled(), 1), 0.7))
  wide <- layer_r(function(x, params) list(value = x + rep(params, each = nrow(x)), logdet = 0),
                  params = function(d) seq_len(d))
  expect_identical(params(flow(wide, 3))$layers[[1]]$params, c(1, 2, 3))
  expect_identical(format(wide), "layer_r(forward = function(x, params) ..., params = function(d) ...)")
  given <- fit_flow(dist ~ speed, data = cars, layers = list(layer_r(bent_forward, params = c(0, 0))), steps = 20,
                    progress = FALSE)
  expect_true(all(is.finite(logdensity(given, cars))))
})

test_that("what a function gives is looked at, and its errors are the call's", {
  at <- function(forward, ...) logdensity(flow(layer_r(forward, ...), 2), matrix(1, 3, 2))
  error <- function(forward, regexp, ...) {
    expect_error(suppressWarnings(at(forward, ...)), regexp, class = "bijectr_error_argument")
  }
  error(function(x) x, "`forward` of `layer_r\\(\\)` must give a list of value and logdet")
  error(function(x) list(value = x), "must give a list of value and logdet")
  error(function(x) list(value = x[, 1], logdet = 0), "value that .* must be a matrix of 32 rows and 2 columns")
  error(function(x) list(value = x, logdet = 1:3), "logdet that .* must be 32 numbers")
  error(function(x) list(value = x, logdet = "a"), "logdet")
  error(function(x) list(x, 0), "of `layer_r\\(\\)` must give", inverse = function(x) NULL)
  expect_error(at(function(x) stop("no such map")), "no such map")
  lost <- flow(layer_r(function(x) list(value = x * NaN, logdet = 0)), 2)
  expect_warning(out <- forward(lost, matrix(1, 3, 2)), class = "bijectr_warning_nan")
  expect_true(all(is.nan(out$value)))
  expect_error(logdensity(lost, matrix(1, 3, 2)), "did not converge", class = "bijectr_error_core")
  expect_identical(at(function(x) list(value = x, logdet = 0)), rowSums(dnorm(matrix(1, 3, 2), log = TRUE)))
  # after an error everything else goes on
  expect_identical(logdensity(flow(layer_flip(), 1), 0), dnorm(0, log = TRUE))
  expect_error(layer_r(1), "`forward` must be a function", class = "bijectr_error_argument")
  expect_error(layer_r(exp), "primitive", class = "bijectr_error_argument")
  expect_error(layer_r(function(x) x, params = NA_real_), "`params`", class = "bijectr_error_argument")
  expect_error(layer_r(), "`forward` is missing", class = "bijectr_error_argument")
  expect_error(flow(layer_r(function(x) x, params = function(d) "a"), 2), "must give finite numbers")
})

test_that("an error or an interrupt in the middle of a training keeps the fit so far", {
  calls <- 0
  tired <- layer_r(
    function(x, params) {
      calls <<- calls + 1
      if (calls > 400) stop("tired")
      list(value = x + params, logdet = 0)
    },
    params = 0
  )
  set.seed(5)
  lost <- tryCatch(fit_flow(rnorm(50), list(tired), steps = 1e4, progress = FALSE), error = identity)
  expect_match(paste(conditionMessage(lost), conditionMessage(lost$parent)), "tired")
  expect_s3_class(lost, "bijectr_error_training")
  expect_s3_class(lost$fit, "bijectr_fit")
})
