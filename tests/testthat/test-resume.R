# Going on: how much more, with which data, from which call.
x <- local({
  set.seed(1)
  cbind(a = rnorm(200), b = rexp(200))
})
small <- coupling_flow(flow_layers = 2, nn_width = 6)
quadratic <- function(x) -rowSums(x^2) / 2
caught <- function(expr) tryCatch(expr, error = identity)
quietly <- suppressMessages

test_that("more epochs are counted from those that were made", {
  withr::local_options(bijectr.seconds_per_call = 0)
  fit <- fit_flow(x, small, max_epochs = 40, batch_size = 64, callback = function(fit, record) record$epoch < 5)
  expect_identical(fit$status, "stopped")
  expect_lt(fit$epochs, 40)
  longer <- resume(fit, epochs = +2)
  expect_identical(longer$epochs, fit$epochs + 2)
  expect_identical(longer$control$max_epochs, as.integer(fit$epochs + 2))
  expect_identical(resume(fit, steps = 3)$steps, fit$steps + 3)
  expect_identical(resume(fit)$epochs, 40)
})

test_that("a number of steps that no integer holds is refused", {
  fit <- fit_flow(x, small, steps = 5)
  expect_error(resume(fit, steps = .Machine$integer.max), "`steps` is too large", class = "bijectr_error_argument")
  expect_error(resume(fit, epochs = .Machine$integer.max), "`epochs` is too large", class = "bijectr_error_argument")
})

test_that("other data than those of the fit are refused, more rows as well", {
  fit <- fit_flow(x, small, steps = 5, weights = rep(c(0, 1), 100))
  expect_identical(quietly(resume(fit, steps = 2, data = x))$steps, 7)
  for (other in list(rbind(x, x), x[-1, ], cbind(x, c = x[, 1]^2))) {
    expect_error(quietly(resume(fit, steps = 2, data = other)), "not the data of this fit",
      class = "bijectr_error_argument"
    )
  }
})

test_that("the call finds its data wherever they stand in it", {
  for (call in list(
    quote(fit_flow(steps = 5, x, small)), quote(fit_flow(dat = x, steps = 5, layers = small)),
    quote(fit_flow(layers = small, x, steps = 5))
  )) {
    fit <- eval(call)
    expect_identical(fit$call, call)
    expect_identical(quietly(resume(fit, steps = 2))$steps, 7)
  }
  target <- fit_flow(steps = 5, quadratic, d = 2, evaluate = 0)
  expect_identical(quietly(resume(target, steps = 2))$steps, 7)
})

test_that("what stood in dots has to be given again", {
  wrapper <- function(...) fit_flow(...)
  fit <- wrapper(x, small, steps = 5, weights = rep(1:2, 100))
  expect_identical(fit$call$weights, as.name("<dots>"))
  expect_error(quietly(resume(fit, steps = 2, data = x)), "`weights` must be given", class = "bijectr_error_argument")
  expect_identical(quietly(resume(fit, steps = 2, data = x, weights = rep(1:2, 100)))$steps, 7)
})

test_that("a gradient that is a function is not kept, and found again", {
  slope <- function(x) -x
  fit <- fit_flow(quadratic, small, d = 2, steps = 5, gradient = slope, evaluate = 0)
  expect_identical(fit$options$gradient, "function")
  expect_identical(quietly(resume(fit, steps = 2))$steps, 7)
  fit <- do.call(fit_flow, list(quadratic, small, d = 2, steps = 5, gradient = slope, evaluate = 0))
  expect_error(quietly(resume(fit, steps = 2, target = quadratic)), "`gradient` must be given",
    class = "bijectr_error_argument"
  )
  expect_identical(quietly(resume(fit, steps = 2, target = quadratic, gradient = slope))$steps, 7)
})

test_that("resume() evaluates a checkpoint, also where no training is left", {
  file <- withr::local_tempfile(fileext = ".rds")
  fit <- fit_flow(x, small, steps = 20, checkpoint = file)
  checkpoint <- readRDS(file)
  expect_identical(checkpoint$status, "finished")
  expect_error(logLik(checkpoint), "not evaluated", class = "bijectr_error_argument")
  whole <- resume(checkpoint)
  expect_identical(logLik(whole), logLik(fit))
  expect_identical(whole$reference, fit$reference)

  fit <- fit_flow(quadratic, layer_triangular_affine(), d = 2, steps = 20, evaluate = 200, checkpoint = file)
  expect_null(readRDS(file)$evaluation)
  expect_identical(resume(readRDS(file))$evaluation$n, fit$evaluation$n)
})

test_that("settings and formulas that a file brings are looked at before they are used", {
  fit <- fit_flow(b ~ a, data = as.data.frame(x), layers = masked_autoregressive_flow(nn_width = 6), steps = 5)
  for (damage in list(list(steps = NA), list(batch_size = "a"), list(learning_rate = quote(stop("evaluated"))))) {
    bad <- fit
    bad$control[names(damage)] <- damage
    expect_error(resume(bad, steps = 2), "control.* is damaged", class = "bijectr_error")
  }
  bad <- fit
  bad$formula <- quote(stop("evaluated"))
  expect_error(resume(bad, steps = 2), "formula.* is damaged", class = "bijectr_error_argument")
  bad <- fit
  bad$rows$train <- integer()
  expect_error(resume(bad, steps = 2), "rows.* is damaged", class = "bijectr_error_argument")
})

test_that("conditions are those of the fit", {
  given <- cbind(u = rnorm(200), v = rnorm(200))
  fit <- fit_flow(x, masked_autoregressive_flow(nn_width = 6), condition = given, steps = 5)
  expect_error(quietly(resume(fit, steps = 2, condition = given[, 1, drop = FALSE])), "must have 2 columns",
    class = "bijectr_error_argument"
  )
  fit <- fit_flow(b ~ a, data = as.data.frame(x), layers = masked_autoregressive_flow(nn_width = 6), steps = 5)
  expect_error(quietly(resume(fit, steps = 2, condition = given)), "has a formula", class = "bijectr_error_argument")
})

test_that("the rule of a gradient is one word, also in a file", {
  fit <- fit_flow(quadratic, small, d = 2, steps = 5, gradient = c("differences", "symbolic"), evaluate = 0)
  expect_identical(fit$options$gradient, "differences")
  fit$options["gradient"] <- list(NA_character_)
  expect_error(quietly(resume(fit, steps = 2)), "options.* is damaged", class = "bijectr_error_argument")
})

test_that("what is left of a fit that ended early after its last step is done, and its state goes", {
  withr::local_options(bijectr.seconds_per_call = 0)
  set.seed(1)
  whole <- fit_flow(x, small, steps = 6, validate_every = 2)
  set.seed(1)
  failed <- caught(fit_flow(x, small, steps = 6, validate_every = 2, callback = function(fit, record) {
    if (record$step == 5) stop("the callback's own error")
  }))
  rest <- resume(failed$fit, data = x)
  expect_identical(rest$status, "finished")
  expect_null(rest$state)
  expect_identical(coef(rest), coef(whole))

  # complete, but not evaluated
  fit <- failed$fit
  fit[c("status", "steps")] <- list("finished", 6)
  evaluated <- resume(fit, data = x)
  expect_null(evaluated$state)
  expect_type(evaluated$loglik, "double")
})

test_that("an evaluation that fails is a warning, and what the user gives is looked at though nothing is trained", {
  bad_end <- function(x) if (nrow(x) > 5000) stop("too many points") else quadratic(x)
  suppressWarnings(fit <- fit_flow(bad_end, layer_triangular_affine(), d = 2, steps = 10, batch_size = 32))
  expect_null(fit$evaluation)
  expect_warning(again <- resume(fit), "too many points", class = "bijectr_warning_evaluation")
  expect_identical(coef(again), coef(fit))
  expect_identical(resume(fit, target = quadratic)$evaluation$n, 10000L)
  whole <- fit_flow(x, small, steps = 5)
  for (f in list(fit, whole)) {
    expect_error(resume(f, seconds = "a"), "`seconds`", class = "bijectr_error_argument")
    expect_error(resume(f, callback = 3), "`callback`", class = "bijectr_error_argument")
    expect_error(resume(f, progress = 3), "`progress`", class = "bijectr_error_argument")
  }
  expect_error(resume(fit, gradient = "nonsense"), "`gradient`", class = "bijectr_error_argument")
  evaluated <- resume(fit, target = quadratic)
  for (f in list(fit, evaluated)) expect_error(resume(f, target = 3), "`target`", class = "bijectr_error_argument")
})

test_that("another rule for the gradient is used and kept", {
  symbolic <- function(x) -(x[, 1]^2 + x[, 2]^2) / 2
  fit <- fit_flow(symbolic, small, d = 2, steps = 5, evaluate = 0)
  more <- quietly(resume(fit, steps = 2, gradient = "symbolic"))
  expect_identical(more$options$gradient, "symbolic")
  expect_identical(quietly(resume(more, steps = 2))$options$gradient, "symbolic")
})

test_that("noise has the shape that the fit's own standardising gave it", {
  withr::local_options(bijectr.seconds_per_call = 0)
  skewed <- cbind(x, heavy = c(rt(190, 1), 100, -300, rt(8, 1)))
  for (rule in c("robust", "none", "whiten")) {
    for (data in list(x, skewed)) {
      run <- function(callback = NULL) {
        set.seed(4)
        fit_flow(data, small, steps = 20, noise = 0.5, standardize = rule, keep_best = FALSE, callback = callback)
      }
      whole <- run()
      expect_identical(whole$standardize, rule)
      part <- run(function(fit, record) record$step < 7)
      expect_lt(part$steps, 20)
      expect_identical(coef(resume(part, data = data)), coef(whole), info = rule)
    }
  }
  expect_identical(fit_flow(x, small, steps = 2)$standardize, "auto")
})
