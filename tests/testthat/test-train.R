# The training loop: same bits for any number of threads and any cuts, rollback, checkpoints, interrupts.
layers <- function() coupling_flow(scalar_rq_spline(knots = 4), flow_layers = 2, nn_width = 8)
data <- function(n = 700) {
  set.seed(1)
  cbind(x = rnorm(n), y = rexp(n))
}
fit_with <- function(..., n = 700, seed = 2) {
  x <- data(n)
  set.seed(seed)
  fit_flow(x, layers(), control = fit_control(...), progress = FALSE)
}

test_that("a fit is bit-identical for 1 and 2 threads", {
  fit_on <- function(threads) {
    withr::local_options(bijectr.threads = threads)
    # steps long enough (more than 200 us) for threads to be used
    x <- data(5000)
    set.seed(2)
    coef(fit_flow(x, layers(), control = fit_control(steps = 30, batch_size = 5000, noise = 0.1)))
  }
  expect_identical(fit_on(1), fit_on(2))
  expect_identical(fit_on(1), fit_on(3))
})

test_that("nothing depends on where calls are cut", {
  whole <- fit_with(steps = 200, batch_size = 64, validate_every = 30, noise = 0.2, ema = 0.9, keep_state = TRUE)
  x <- data()
  set.seed(2)
  control <- fit_control(
    steps = 200, batch_size = 64, validate_every = 30, noise = 0.2, ema = 0.9, keep_state = TRUE
  )
  pieces <- local({
    # one step a call
    withr::local_options(bijectr.seconds_per_call = 0)
    set.seed(2)
    fit_flow(x, layers(), control = control)
  })
  expect_identical(pieces$state, whole$state)
  expect_identical(coef(pieces), coef(whole))
  expect_identical(pieces$history, whole$history)
})

test_that("resume() goes on exactly as if the fit had not stopped", {
  x <- data()
  control <- function(epochs) {
    fit_control(max_epochs = epochs, batch_size = 64, schedule = schedule_constant(), keep_state = TRUE)
  }
  set.seed(3)
  whole <- fit_flow(x, layers(), control = control(7))
  set.seed(3)
  part <- fit_flow(x, layers(), control = control(3))
  set.seed(99)
  more <- resume(part, epochs = +4)
  expect_identical(more$state, whole$state)
  expect_identical(coef(more), coef(whole))
  expect_equal(more$epochs, 7)
  expect_equal(more$history$step, whole$history$step[match(more$history$step, whole$history$step)])
})

test_that("resume() finds its data in the call, or is told", {
  set.seed(4)
  fit <- fit_flow(faithful, layers(), steps = 10)
  expect_equal(resume(fit, steps = 5)$steps, 15)
  expect_equal(resume(fit, steps = 5, data = faithful)$steps, 15)
  expect_error(resume(fit, steps = 5, data = faithful[1:10, ]), "data")
})

test_that("an interrupt returns the fit so far, and resume() finishes it", {
  skip_on_os("windows")
  x <- data()
  control <- fit_control(steps = 4000, batch_size = 64, validate_every = 500, keep_state = TRUE)
  set.seed(5)
  whole <- fit_flow(x, layers(), control = control)
  set.seed(5)
  stopper <- control
  calls <- 0
  stopper$callback <- function(fit, record) {
    calls <<- calls + 1
    if (calls == 1) tools::pskill(Sys.getpid(), tools::SIGINT)
  }
  withr::local_options(bijectr.seconds_per_call = 0.005)
  expect_warning(fit <- fit_flow(x, layers(), control = stopper), class = "bijectr_warning_interrupted")
  expect_identical(fit$status, "interrupted")
  expect_lt(fit$steps, 4000)
  expect_true(all(is.finite(logdensity(fit, x))))
  fit$control$callback <- NULL
  rest <- resume(fit, data = x)
  expect_identical(rest$state, whole$state)
  expect_identical(coef(rest), coef(whole))
})

test_that("50 interrupts at random moments all return a usable fit", {
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")), "BIJECTR_SLOW is not set")
  skip_if_not_installed("callr")
  session <- callr::r_session$new()
  session$run(function() {
    library(bijectr)
    fit_some <<- function() {
      set.seed(1)
      fit <- suppressWarnings(fit_flow(faithful, steps = 1e6, schedule = schedule_constant()))
      list(fit$status, all(is.finite(logdensity(fit, faithful))))
    }
  })
  for (i in 1:50) {
    session$call(function() fit_some())
    Sys.sleep(0.3 + runif(1))
    session$interrupt()
    session$poll_process(20000)
    expect_identical(session$read()$result, list("interrupted", TRUE))
  }
  session$close()
})

test_that("a loss that is not finite rolls back, halves the rate and says so", {
  # exp scales and a huge rate: parameters overflow after a few steps
  x <- data()
  control <- fit_control(
    steps = 300, batch_size = 64, learning_rate = 300, schedule = schedule_constant(), validation = 0, max_failures = 3,
    keep_state = TRUE
  )
  set.seed(6)
  wild <- function() {
    fit_flow(x, layer_elementwise(scalar_affine("exp")), standardize = "none", control = control)
  }
  messages <- character()
  fit <- withCallingHandlers(wild(),
    bijectr_message_rollback = function(m) {
      messages <<- c(messages, conditionMessage(m))
      invokeRestart("muffleMessage")
    },
    bijectr_warning_diverged = function(w) invokeRestart("muffleWarning")
  )
  expect_match(messages[1], "not finite")
  expect_lt(fit$state$counters[["rate_factor"]], 1)
  expect_true(all(is.finite(coef(fit))))
  if (fit$status == "diverged") expect_equal(fit$state$counters[["n_failure"]], 4)
})

test_that("checkpoints are whole files that resume() can go on from", {
  file <- withr::local_tempfile(fileext = ".rds")
  x <- data()
  set.seed(7)
  seen <- 0
  withr::local_options(bijectr.seconds_per_call = 0.002)
  whole <- fit_flow(x, layers(),
    control = fit_control(
      steps = 3000, batch_size = 64, checkpoint = file, checkpoint_seconds = 0,
      callback = function(fit, record) {
        if (file.exists(file)) {
          seen <<- seen + 1
          stopifnot(inherits(readRDS(file), "bijectr_fit"))
        }
        if (seen == 3) file.copy(file, paste0(file, "-early"))
      }
    )
  )
  expect_gt(seen, 2)
  early <- readRDS(paste0(file, "-early"))
  expect_lt(early$steps, 3000)
  early$control[c("checkpoint", "callback")] <- list(NULL)
  expect_identical(coef(resume(early, data = x)), coef(whole))
  expect_length(list.files(dirname(file), pattern = "^bijectr-"), 0)
})

test_that("a checkpoint that cannot be written costs a warning, not the fit", {
  folder <- withr::local_tempdir()
  control <- fit_control(steps = 3, checkpoint = file.path(folder, "fit.rds"), checkpoint_seconds = 0)
  unlink(folder, recursive = TRUE)
  expect_warning(fit <- fit_flow(data(), layers(), control = control), "could not be written")
  expect_equal(fit$steps, 3)
})

test_that("a process that is killed leaves a readable checkpoint", {
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")), "BIJECTR_SLOW is not set")
  skip_if_not_installed("callr")
  file <- withr::local_tempfile(fileext = ".rds")
  for (i in 1:50) {
    child <- callr::r_bg(function(file) {
      library(bijectr)
      options(bijectr.threads = 1)
      fit_flow(faithful, steps = 1e7, checkpoint = file, checkpoint_seconds = 0)
    }, list(file = file))
    until <- Sys.time() + 20
    while (!file.exists(file) && Sys.time() < until) Sys.sleep(0.05)
    Sys.sleep(runif(1, 0, 0.5))
    child$kill()
    expect_s3_class(readRDS(file), "bijectr_fit")
  }
})

test_that("parallel workers can fit after the parent used threads", {
  skip_on_os("windows")
  withr::local_options(bijectr.threads = 2)
  x <- data(5000)
  fit <- fit_flow(x, layers(), control = fit_control(steps = 20, batch_size = 5000))
  job <- parallel::mcparallel({
    set.seed(1)
    length(coef(fit_flow(x, layers(), control = fit_control(steps = 20, batch_size = 5000))))
  })
  result <- parallel::mccollect(job, wait = FALSE, timeout = 30)
  if (is.null(result)) tools::pskill(job$pid)
  expect_identical(result[[1]], length(coef(fit)))
})

test_that("a fit in pieces of memory: workspace does not grow with the rows", {
  skip_if_not(nzchar(Sys.getenv("BIJECTR_SLOW")), "BIJECTR_SLOW is not set")
  x <- matrix(rnorm(1e7), ncol = 10)
  invisible(gc(reset = TRUE))
  before <- sum(gc()[, 2])
  fit <- fit_flow(x, layers(), control = fit_control(steps = 100, batch_size = 512))
  peak <- sum(gc()[, 6])
  expect_lt(peak - before, 2 * 80)
})

test_that("progress is shown on request and leaves nothing behind", {
  expect_silent(fit_with(steps = 5))
  expect_s3_class(suppressMessages(fit_flow(faithful, layers(), steps = 5, progress = TRUE)), "bijectr_fit")
})

test_that("long vectors of parameters are stepped along range by range, on any number of threads", {
  at <- optimizer_problem(5001)
  expect_gt(length(coef(at$f)), 50000)
  descent <- function() function(g, theta, t) g
  expect_optimizer_ok(opt_adam(), textbook_adam, steps = 3, at = at)
  expect_optimizer_ok(opt_sgd(), descent, steps = 2, at = at)
  norm <- sqrt(sum(at$gradient(at$f$params)^2))
  moved <- trained(opt_sgd(), at$f, at$x, steps = 1, rate = 1e-3, clip = norm / 2) - at$f$params
  expect_equal(sqrt(sum(moved^2)) / 1e-3, norm / 2, tolerance = 1e-6)
  x <- matrix(rnorm(1200), 400)
  with_threads <- function(threads) {
    withr::local_options(bijectr.threads = threads)
    set.seed(1)
    settings <- fit_control(steps = 6, batch_size = 300, ema = 0.9, clip = 1, validation = 0, keep_best = FALSE)
    coef(fit_flow(x, at$f, standardize = "none", control = settings))
  }
  expect_identical(with_threads(1), with_threads(2))
})
