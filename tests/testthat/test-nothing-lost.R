# What was trained survives errors of the user's functions, time limits, interrupts, and what fails after the training.
x <- local({
  set.seed(1)
  cbind(a = rnorm(300), b = rexp(300))
})
small <- coupling_flow(flow_layers = 2, nn_width = 6)
small_conditional <- function() masked_autoregressive_flow(flow_layers = 1, nn_width = 6)
target <- function(x) -rowSums(x^2) / 2
caught <- function(expr) tryCatch(expr, error = identity)

# The target, interrupted in its tenth call.
make_sleepy <- function() {
  calls <- 0
  function(x) {
    calls <<- calls + 1
    if (calls == 10) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(20)
    }
    target(x)
  }
}

expect_carries_fit <- function(condition, steps_above = 0) {
  expect_s3_class(condition, "bijectr_error_training")
  expect_s3_class(condition, "bijectr_error")
  expect_s3_class(condition$fit, "bijectr_fit")
  expect_identical(condition$fit$status, "failed")
  expect_gt(condition$fit$steps, steps_above)
  expect_true(all(is.finite(coef(condition$fit))))
}

test_that("an error of a callback carries the fit, which resume() finishes as if nothing had been", {
  withr::local_options(bijectr.seconds_per_call = 0)
  control <- list(steps = 60, batch_size = 64, validate_every = 7)
  set.seed(2)
  whole <- do.call(fit_flow, c(list(x, small), control))
  set.seed(2)
  failed <- caught(do.call(fit_flow, c(list(x, small), control, callback = function(fit, record) {
    if (record$step >= 20) stop("the callback's own error")
  })))
  expect_carries_fit(failed, 19)
  expect_match(conditionMessage(failed$parent), "the callback's own error")
  expect_match(conditionMessage(failed), "fit so far")
  rest <- resume(failed$fit, data = x)
  expect_identical(rest$status, "finished")
  expect_identical(coef(rest), coef(whole))
  expect_equal(rest$history, whole$history)
})

test_that("an error of a log density carries the fit; the steps before it are those without it", {
  calls <- 0
  moody <- function(x) {
    calls <<- calls + 1
    if (calls == 40) stop("the target's own error")
    target(x)
  }
  set.seed(3)
  failed <- caught(fit_flow(moody, layer_triangular_affine(), d = 2, steps = 60, batch_size = 32, evaluate = 200))
  expect_carries_fit(failed, 30)
  expect_match(conditionMessage(failed$parent), "the target's own error")
  set.seed(3)
  whole <- fit_flow(target, layer_triangular_affine(), d = 2, steps = 60, batch_size = 32, evaluate = 0)
  expect_identical(coef(resume(failed$fit, target = target)), coef(whole))
  # in the first step there is nothing to carry
  calls <- 38
  first <- caught(fit_flow(moody, layer_triangular_affine(), d = 2, steps = 5, batch_size = 32))
  expect_null(first$fit)
  expect_identical(conditionMessage(first$parent), "the target's own error")
})

test_that("an interrupt ends a log density that sleeps", {
  skip_on_os("windows")
  sleepy <- make_sleepy()
  seconds <- system.time(
    expect_warning(
      fit <- fit_flow(sleepy, layer_triangular_affine(), d = 2, steps = 50, batch_size = 32),
      class = "bijectr_warning_interrupted"
    )
  )[[3]]
  expect_lt(seconds, 10)
  expect_identical(fit$status, "interrupted")
  expect_gt(fit$steps, 5)
  expect_identical(resume(fit, target = target)$steps, 50)
})

test_that("a time limit carries the fit", {
  limited <- function(...) {
    setTimeLimit(elapsed = 0.5, transient = TRUE)
    on.exit(setTimeLimit())
    caught(fit_flow(...))
  }
  failed <- limited(x, small, steps = 1e8, batch_size = 64)
  expect_carries_fit(failed)
  expect_match(conditionMessage(failed$parent), "time limit")
  failed <- limited(target, layer_triangular_affine(), d = 2, steps = 1e6, batch_size = 32)
  expect_carries_fit(failed)
})

test_that("an interrupt is seen within a long step of a continuous layer", {
  skip_on_os("windows")
  skip_if_not_installed("callr")
  session <- callr::r_session$new()
  on.exit(session$close())
  session$run(function() options(bijectr.threads = 1))
  session$call(function() {
    fun <- function(name) get(name, asNamespace("bijectr"))
    set.seed(4)
    y <- matrix(stats::rnorm(4e4), ncol = 2)
    # a step takes minutes
    f <- bijectr::flow(bijectr::layer_continuous(bijectr::field_mlp(c(64, 64)), bijectr::solver_tsit5(0.002)), 2)
    control <- bijectr::fit_control(steps = 100, batch_size = 20000)
    rows <- list(train = seq_len(nrow(y)), validation = integer())
    setup <- fun("data_setup")(list(data = y), NULL, NULL, rows, control, diag(2), bijectr::loss_maximum_likelihood())
    setup[c("seed", "seconds")] <- list(1, 1e3)
    out <- suspendInterrupts(fun("native_train")(f, setup, fun("new_state")(f, control)))
    list(out$outcome, class(out$condition), out$state$counters[["step"]])
  })
  Sys.sleep(3)
  sent <- proc.time()[[3]]
  session$interrupt()
  session$poll_process(30000)
  result <- session$read()$result
  expect_identical(result, list("paused", c("interrupt", "condition"), 0))
  expect_lt(proc.time()[[3]] - sent, if (nzchar(Sys.getenv("BIJECTR_INSTRUMENTED"))) 30 else 3)
})

test_that("what fails after the training is a warning, and the fit is whole", {
  bad_end <- function(x) if (nrow(x) > 5000) stop("too many points") else target(x)
  expect_warning(
    fit <- fit_flow(bad_end, layer_triangular_affine(), d = 2, steps = 20, batch_size = 32),
    "too many points",
    class = "bijectr_warning_evaluation"
  )
  expect_identical(fit$status, "finished")
  expect_null(fit$evaluation)
  expect_true("evaluation" %in% names(fit))
  expect_output(print(fit), "20 steps")
})

test_that("the log density of a region may be NaN", {
  set.seed(1)
  f <- suppressWarnings(suppressMessages(
    fit_flow(function(x) ifelse(x[, 1] > 3, NaN, -x[, 1]^2 / 2), d = 1, steps = 100, batch_size = 64)
  ))
  expect_s3_class(f, "bijectr_fit")
})

test_that("a simulator that fails in a later round costs that round only", {
  prior <- list(
    sample = function(n) matrix(rnorm(n), n), log_density = function(t) dnorm(t[, 1], log = TRUE)
  )
  round <- 0
  simulator <- function(theta) {
    round <<- round + 1
    if (round == 2) stop("the simulator's own error")
    theta + rnorm(nrow(theta))
  }
  failed <- caught(fit_rounds(simulator, prior, 0.5, simulations = 50, steps = 10, layers = small_conditional()))
  expect_s3_class(failed, "bijectr_error_training")
  expect_s3_class(failed$fit, "bijectr_rounds_fit")
  expect_length(failed$fit$rounds, 1)
  expect_length(sample(failed$fit, 3, condition = 0.5), 3)
  expect_match(conditionMessage(failed$parent), "the simulator's own error")
})

test_that("a validation that was stopped is made up for when the training goes on", {
  # an objective whose validation is interrupted once: the same history as without
  f <- flow(layer_elementwise(scalar_affine()), 1)
  run <- function(interrupt_at) {
    validations <- 0
    step <- function(params, at, seed) list(loss = sum(params^2), shown = sum(params^2), gradient = 2 * (params - 1))
    validate <- function(params) {
      validations <<- validations + 1
      if (validations == interrupt_at) stop("not now")
      sum((params - 1)^2)
    }
    control <- fit_control(steps = 20, keep_state = TRUE)
    setup <- objective_setup(new_objective(step, validate), control, 20, validate_every = 5)
    setup$seed <- 1
    state <- new_state(f, control)
    state$seed <- 1
    records <- NULL
    ended <- 0
    repeat {
      setup$seconds <- 10
      out <- native_train(f, setup, state)
      records <- rbind(records, out$history)
      state <- out$state
      if (is.null(out$condition)) break
      ended <- ended + 1
      expect_identical(out$outcome, "paused")
      expect_identical(state$counters[["owed"]], 1)
    }
    list(records = records, theta = state$theta, ended = ended)
  }
  plain <- run(0)
  again <- run(2)
  expect_identical(plain$ended, 0)
  expect_identical(again$ended, 1)
  expect_identical(again$records, plain$records)
  expect_identical(again$theta, plain$theta)
})

# ---- checkpoints, calls, state -------------------------------------------------------------------------------------

test_that("resume(readRDS(checkpoint)) works for data, formulas and log densities", {
  file <- withr::local_tempfile(fileext = ".rds")
  table <- as.data.frame(x)
  for (make in list(
    quote(fit_flow(table, small, steps = 30, checkpoint = file)),
    quote(fit_flow(b ~ a, data = table, layers = small_conditional(), steps = 30, checkpoint = file)),
    quote(fit_flow(target, layer_triangular_affine(), d = 2, steps = 30, evaluate = 0, checkpoint = file))
  )) {
    fit <- eval(make)
    expect_null(fit$state)
    expect_false(is.null(readRDS(file)$state))
    expect_identical(coef(readRDS(file)), coef(fit))
    written <- file.mtime(file)
    more <- resume(readRDS(file), steps = 10)
    expect_identical(more$steps, 40)
    expect_identical(file.mtime(file), written) # a continuation writes where it is told to
    expect_identical(coef(resume(readRDS(file), steps = 10)), coef(more))
  }
})

test_that("a fit with nothing left to do is given back as it is", {
  fit <- fit_flow(x, small, steps = 20)
  expect_identical(resume(fit), fit)
  expect_identical(resume(fit, data = x), fit)
  by_epochs <- fit_flow(x, small, max_epochs = 2)
  expect_identical(resume(by_epochs), by_epochs)
})

test_that("a fit without state goes on from its parameters, and says so", {
  set.seed(5)
  fit <- fit_flow(x, small, steps = 200)
  expect_message(more <- resume(fit, steps = 10, data = x), class = "bijectr_message_new_state")
  expect_identical(more$steps, 210)
  expect_lte(min(more$history$validation, na.rm = TRUE), min(fit$history$validation, na.rm = TRUE))
  expect_gte(more$reference$flow, fit$reference$flow - 1e-12)
})

test_that("calls hold no data and no functions, and say what is missing", {
  fit <- do.call(fit_flow, list(as.data.frame(x), small, steps = 5, callback = function(fit, info) TRUE))
  expect_lt(as.numeric(object.size(fit$call)), 5000)
  expect_identical(fit$call[[1]], quote(fit_flow))
  expect_match(paste(deparse(fit$call), collapse = ""), "<data.frame>")
  expect_error(resume(fit, steps = 5), "`data` must be given", class = "bijectr_error_argument")
  expect_identical(resume(fit, steps = 5, data = as.data.frame(x))$steps, 10)
  expect_null(fit$control$callback)
})

test_that("every fit has every field", {
  fits <- list(
    fit_flow(x, small, steps = 3), fit_flow(b ~ a, data = as.data.frame(x), steps = 3),
    fit_flow(target, layer_triangular_affine(), d = 2, steps = 3, evaluate = 0)
  )
  for (fit in fits) expect_setequal(intersect(names(fit), names(FIT_FIELDS)), names(FIT_FIELDS))
  expect_identical(fits[[3]]$epochs, 0)
})

test_that("patience ends a fit that keeps its last parameters", {
  set.seed(1)
  fit <- fit_flow(as.matrix(faithful), coupling_flow(flow_layers = 2),
    steps = 3000, validate_every = 10, patience = 3, keep_best = FALSE, learning_rate = 0.02,
    schedule = schedule_constant(), keep_state = TRUE
  )
  expect_identical(fit$status, "converged")
  expect_equal(fit$state$counters[["best_loss"]], min(fit$history$validation, na.rm = TRUE))
  expect_identical(unname(coef(fit)), fit$state$theta)
})

# ---- where warnings are errors -------------------------------------------------------------------------------------

test_that("with options(warn = 2) the fit comes with the error", {
  withr::local_options(warn = 2, bijectr.seconds_per_call = 0)
  folder <- withr::local_tempdir()
  file <- file.path(folder, "fit.rds")
  failed <- caught(fit_flow(x, small,
    steps = 50, batch_size = 64, checkpoint = file, checkpoint_seconds = 0,
    callback = function(fit, record) {
      unlink(folder, recursive = TRUE)
      TRUE
    }
  ))
  expect_s3_class(failed, "bijectr_error_training")
  expect_match(conditionMessage(failed$parent), "could not be written")
  expect_gt(failed$fit$steps, 0)

  bad_end <- function(x) if (nrow(x) > 5000) stop("too many points") else target(x)
  failed <- caught(fit_flow(bad_end, layer_triangular_affine(), d = 2, steps = 20, batch_size = 32))
  expect_s3_class(failed, "bijectr_error_training")
  expect_identical(failed$fit$steps, 20)

  calls <- 0
  nowhere <- function(x) {
    calls <<- calls + 1
    if (calls > 10) rep(NaN, nrow(x)) else target(x)
  }
  failed <- suppressMessages(caught(
    fit_flow(nowhere, layer_triangular_affine(), d = 2, steps = 50, batch_size = 32, evaluate = 0)
  ))
  expect_s3_class(failed, "bijectr_error_training")
  expect_identical(failed$fit$status, "diverged")
  expect_gt(failed$fit$steps, 0)
})

test_that("an interrupt with options(warn = 2) does not cost the fit", {
  skip_on_os("windows")
  withr::local_options(warn = 2)
  sleepy <- make_sleepy()
  failed <- caught(fit_flow(sleepy, layer_triangular_affine(), d = 2, steps = 50, batch_size = 32))
  expect_s3_class(failed, "bijectr_error_training")
  expect_identical(failed$fit$status, "interrupted")
})

test_that("an error in the first round of a fit in rounds promises no resume()", {
  prior <- list(sample = function(n) matrix(rnorm(n), n), log_density = function(t) dnorm(t[, 1], log = TRUE))
  withr::local_options(bijectr.seconds_per_call = 0)
  failed <- caught(fit_rounds(function(theta) theta + rnorm(nrow(theta)), prior, 0.5,
    simulations = 50, steps = 40, layers = small_conditional(), callback = function(fit, record) {
      if (record$step > 5) stop("the callback's own error")
    }
  ))
  expect_s3_class(failed, "bijectr_error_training")
  expect_no_match(conditionMessage(failed), "update")
  expect_match(conditionMessage(failed$parent), "the callback's own error")
  expect_s3_class(failed$fit, "bijectr_rounds_fit")
  expect_length(failed$fit$rounds, 1)
  expect_length(sample(failed$fit, 3, condition = 0.5), 3)
})

test_that("a checkpoint that cannot be written warns once, not at every attempt", {
  withr::local_options(bijectr.seconds_per_call = 0)
  folder <- withr::local_tempdir()
  warned <- 0
  withCallingHandlers(
    fit_flow(x, small,
      steps = 50, batch_size = 64, checkpoint = file.path(folder, "fit.rds"), checkpoint_seconds = 0,
      callback = function(fit, record) is.numeric(unlink(folder, recursive = TRUE))
    ),
    bijectr_warning_checkpoint = function(w) {
      warned <<- warned + 1
      invokeRestart("muffleWarning")
    }
  )
  expect_identical(warned, 1)
})

# ---- losses that R computes ----------------------------------------------------------------------------------------

test_that("parameters that a solver cannot follow are rolled back by a loss that R computes, too", {
  f <- flow(layer_elementwise(scalar_affine()), 1)
  control <- fit_control(steps = 20, keep_state = TRUE)
  calls <- 0
  step <- function(params, at, seed) {
    calls <<- calls + 1
    if (calls == 5) stop_core("no root", "BJ_NO_ROOT")
    list(loss = sum(params^2), shown = sum(params^2), gradient = 2 * (params - 1))
  }
  setup <- objective_setup(new_objective(step), control, 20)
  setup[c("seed", "seconds")] <- list(1, 10)
  out <- native_train(f, setup, new_state(f, control))
  expect_identical(out$outcome, "finished")
  expect_identical(out$state$counters[["n_failure"]], 1)
  # before the first step there is nothing to go back to
  calls <- 4
  out <- native_train(f, setup, new_state(f, control))
  expect_s3_class(out$condition, "bijectr_error_core")
  expect_identical(out$state$counters[["step"]], 0)
})

test_that("a rollback in the last epoch ends the training", {
  y <- cbind(c(rnorm(20), 1e200))
  set.seed(1)
  f <- flow(layer_elementwise(scalar_affine()), 1)
  control <- fit_control(max_epochs = 1, batch_size = 7, validation = 0, noise = 0)
  rows <- list(train = seq_len(21), validation = integer())
  setup <- data_setup(list(data = y), NULL, NULL, rows, control, diag(1), loss_maximum_likelihood())
  setup[c("seed", "seconds")] <- list(1, 10)
  out <- native_train(f, setup, new_state(f, control))
  expect_identical(out$outcome, "finished")
  expect_identical(out$state$counters[["n_failure"]], 1)
  expect_identical(out$state$counters[["epoch"]], 1)
  expect_lt(out$state$counters[["step"]], 3)
})

test_that("an interrupted fit in rounds says how it goes on", {
  skip_on_os("windows")
  prior <- list(sample = function(n) matrix(rnorm(n), n), log_density = function(t) dnorm(t[, 1], log = TRUE))
  withr::local_options(bijectr.seconds_per_call = 0)
  said <- NULL
  fit <- withCallingHandlers(
    fit_rounds(function(theta) theta + rnorm(nrow(theta)), prior, 0.5,
      simulations = 50, steps = 40, layers = small_conditional(), callback = function(fit, record) {
        if (record$step > 5) {
          tools::pskill(Sys.getpid(), tools::SIGINT)
          Sys.sleep(5)
        }
      }
    ),
    bijectr_warning_interrupted = function(w) {
      said <<- c(said, conditionMessage(w))
      invokeRestart("muffleWarning")
    }
  )
  expect_identical(fit$status, "interrupted")
  expect_length(said, 1)
  expect_match(said, "layers = fit")
  expect_error(resume(fit), "layers = fit", class = "bijectr_error_argument")
})

test_that("a target that calls flows with R code of their own does not cost the fit", {
  calls <- 0
  bad <- layer_r(forward = function(x, params) {
    calls <<- calls + 1
    if (calls > 60) stop("the layer ended")
    list(value = x + params, logdet = numeric(nrow(x)))
  }, params = c(0.1, 0.1))
  own <- flow(layer_r(forward = function(x, params) list(value = x, logdet = numeric(nrow(x)))), 2)
  target <- function(x) {
    logdensity(own, x)
    -rowSums(x^2) / 2
  }
  control <- fit_control(steps = 400, batch_size = 20)
  ended <- tryCatch(
    suppressMessages(fit_flow(target, bad, d = 2, evaluate = 0, gradient = function(x) -x, control = control)),
    error = identity
  )
  expect_s3_class(ended, "bijectr_error_training")
  expect_match(conditionMessage(ended$parent), "the layer ended")
  expect_gt(ended$fit$steps, 0)
})
