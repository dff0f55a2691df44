# The training loop. The core advances plain vectors by about 0.2 s of steps a call; this loop does what needs R:
# budget, progress, callbacks, checkpoints. Nothing depends on where the calls are cut.

# A call copies the state and shuffles the rows of the epoch it is in, so a large state or many rows get longer calls:
# both stay below a few per cent of it. The option is for tests, which cut training in unusual places.
seconds_per_call <- function(state, n_row) {
  getOption("bijectr.seconds_per_call", max(0.2, 1.5e-7 * sum(lengths(state)), 1e-6 * n_row))
}

# The state at the beginning: plain vectors, and the seed of all that training draws.
new_state <- function(flow, control) {
  theta <- flow$params
  moment <- numeric(length(theta) * native_optimizer_moments(control$optimizer))
  average <- if (control$ema > 0) theta + 0 else numeric()
  names <- native_train_names()$counters
  counters <- stats::setNames(numeric(length(names)), names)
  counters[c("rate_factor", "best_loss")] <- c(1, Inf)
  list(
    counters = counters, theta = theta, moment = moment, average = average, best = theta,
    safe = c(theta, moment, average), seed = draw_seed()
  )
}

# The state from which a fit is trained further. A fit that kept none starts its optimiser anew.
resumed_state <- function(fit, control, shift = NULL) {
  if (!is.null(fit$state)) return(fit$state)
  cli::cli_inform(c(
    i = "The fit did not keep the state of its optimizer, which starts anew from the fit's parameters.",
    i = "A fit with {.code keep_state = TRUE} goes on as if it had not ended."
  ), class = "bijectr_message_new_state")
  state <- new_state(as_flow(fit), control)
  state$counters[c("step", "epoch")] <- c(fit$steps, fit$epochs)
  validation <- fit$history$validation
  if (control$keep_best && any(is.finite(validation))) {
    best <- which.min(validation)
    state$counters[c("best_loss", "best_step")] <- c(
      validation[best] - (shift %||% c(0, 0))[[2]], fit$history$step[best]
    )
  }
  state
}

# What the core needs to know. `steps` is the length of the schedule.
train_setup <- function(control, steps, ...) {
  or_zero <- function(x) if (is.null(x)) 0 else as.double(x)
  setup <- list(
    max_step = or_zero(control$steps), max_epoch = or_zero(control$max_epochs), pause_epoch = 0,
    validate_every = or_zero(control$validate_every),
    # the core wants the number of stale validations that ends it
    patience = if (is.null(control$patience)) 0 else control$patience + 1,
    record_every = steps_per_record(steps), optimizer = control$optimizer, schedule = control$schedule,
    learning_rate = control$learning_rate, schedule_steps = steps, clip = or_zero(control$clip), ema = control$ema,
    max_failure = control$max_failures
  )
  more <- list(...)
  c(setup[setdiff(names(setup), names(more))], more)
}

# So that the history of a training of so many steps has 2000 points.
steps_per_record <- function(steps) max(1, ceiling(steps / 2000))

# For a loss over rows of data, in the space that training_space() gives: `flow` and `shift` may be NULL, and `ends`
# and `loss` are there for intervals alone, see in_intervals().
data_setup <- function(space, condition, weights, rows, control, noise_root, loss) {
  batch_size <- min(control$batch_size, length(rows$train))
  train_setup(control, data_steps(control, rows),
    data = space$data, condition = condition, weight = weights, train_row = rows$train - 1L,
    validation_row = rows$validation - 1L, batch_size = batch_size, noise = control$noise, noise_root = noise_root,
    loss = space$loss %||% loss, ends = space$ends, flow = space$flow, shift = space$shift
  )
}

steps_per_epoch <- function(control, rows) {
  n <- length(rows$train)
  ceiling(n / min(control$batch_size, n))
}

# The steps that the budget allows.
data_steps <- function(control, rows) budget_steps(control, steps_per_epoch(control, rows))

budget_steps <- function(control, of_epoch) {
  min(control$steps, if (!is.null(control$max_epochs)) control$max_epochs * of_epoch)
}

# For a loss that R computes, whose budget is in steps.
objective_setup <- function(objective, control, steps, validate_every = 0, ...) {
  if (is.null(objective$validate)) validate_every <- 0
  train_setup(control, steps,
    max_step = steps, max_epoch = 0, validate_every = validate_every, objective = objective, ...
  )
}

# Trains from `state` on. Returns the last complete state whatever ended it: list(state, history, status, seconds,
# condition), the condition NULL or the error or interrupt that ended it. The caller has suspended interrupts; the core
# looks for them, and so does this loop.
run_training <- function(flow, setup, state, control, progress, snapshot) {
  started <- Sys.time()
  elapsed <- function() as.double(Sys.time() - started, units = "secs")
  setup$frozen <- frozen_parameters(flow, control$freeze)
  setup$flow <- trained_as(setup$flow %||% flow, control)
  shared <- shared_training(setup)
  check_ranks(shared, setup, state)
  setup <- with_share(setup, shared)
  lead <- is_lead()
  run <- list(state = state, history = NULL, status = "paused", seconds = 0, condition = NULL)
  saved <- 0
  could_write <- TRUE
  n_row <- setup$feed$size %||% length(setup$train_row)
  bar <- progress_start(progress && lead, setup)
  while (run$status == "paused") {
    left <- if (is.null(control$seconds)) Inf else control$seconds - elapsed()
    failures <- run$state$counters[["n_failure"]]
    run <- train_some(flow, setup, run, max(0, min(seconds_per_call(run$state, n_row), left)), shared)
    run$seconds <- elapsed()
    run <- attempted(run, {
      if (lead && run$state$counters[["n_failure"]] > failures) report_rollback(run$state$counters)
      progress_update(bar, run, setup)
    })
    if (run$status == "paused" && run$seconds >= (control$seconds %||% Inf)) run$status <- "time_limit"
    # ranks without shares do not wait for what rank 0 says
    asked <- run$status == "paused" && (lead || is.null(shared))
    if (asked) run <- ask_callback(control$callback, run, snapshot, setup$shift)
    if (run$status == "finished") run$status <- finished_status(setup, run$state)
    if (run$status == "paused") run <- ended_by(run, pending_condition())
    run <- agreed(run, shared)
    due <- run$status != "paused" || elapsed() - saved >= control$checkpoint_seconds
    if (lead && due && !is.null(control$checkpoint)) {
      run <- attempted(run, {
        written <- write_checkpoint(snapshot(run), control$checkpoint)
        # once, and again only after one that went well
        if (!written && could_write) warn_checkpoint(control$checkpoint)
        could_write <- written
      })
      saved <- elapsed()
    }
  }
  progress_end(bar)
  if (!is.null(setup$feed)) setup$feed$end()
  run["history"] <- list(do.call(rbind, as.list(run$history)))
  run
}

# One call of the core, on rows that a source may have to feed it first. An error, too, leaves the state as it was.
train_some <- function(flow, setup, run, seconds, shared = NULL) {
  setup$seconds <- seconds
  sums <- shared$sums$n
  step <- tryCatch(
    {
      if (!is.null(setup$feed)) setup <- setup$feed$rows(setup, run$state)
      native_train(setup$flow, setup, run$state)
    },
    error = identity
  )
  if (inherits(step, "condition")) {
    tell_failure(shared, run$state, sums)
    return(ended_by(run, step))
  }
  run$state <- step$state
  run$history <- c(run$history, list(shifted(step$history, setup$shift)))
  run$status <- step$outcome
  # what came in the last moment of a training that is over has nothing to end
  if (run$status == "paused") ended_by(run, step$condition) else run
}

# Losses in the units of the data.
shifted <- function(history, shift) {
  if (!is.null(shift) && length(history)) history[, 2:3] <- history[, 2:3] + rep(shift, each = nrow(history))
  history
}

# What a condition makes of the training.
ended_by <- function(run, condition) {
  if (is.null(condition)) return(run)
  run$condition <- condition
  if (run$status == "paused") run$status <- if (inherits(condition, "interrupt")) "interrupted" else "failed"
  run
}

# What is done between the calls of the core may fail, too: options(warn = 2) makes an error of a warning.
attempted <- function(run, expr) {
  said <- guarded(expr)
  ended_by(run, if (inherits(said, "error") || (inherits(said, "interrupt") && run$status == "paused")) said)
}

ask_callback <- function(callback, run, snapshot, shift) {
  if (is.null(callback)) return(run)
  said <- guarded(callback(snapshot(run), last_record(run, shift)))
  if (isFALSE(said)) run$status <- "stopped"
  ended_by(run, if (inherits(said, c("error", "interrupt"))) said)
}

finished_status <- function(setup, state) {
  if (setup$max_step > 0 && state$counters[["step"]] >= setup$max_step) "finished" else "max_epochs"
}

report_rollback <- function(counters) {
  cli::cli_inform(c(
    "!" = "The loss was not finite at step {counters[['step']]}: back to the last good state, rate halved to
           {signif(counters[['rate_factor']], 3)} of the schedule."
  ), class = "bijectr_message_rollback")
}

last_record <- function(run, shift = NULL) {
  record <- utils::tail(do.call(rbind, run$history), 1)
  counters <- run$state$counters
  data.frame(
    step = counters[["step"]], epoch = counters[["epoch"]], train = if (nrow(record)) record[, 2] else NA_real_,
    validation = counters[["best_loss"]] + (shift %||% c(0, 0))[[2]], rate = if (nrow(record)) record[, 4] else NA_real_
  )
}

# Whether it could be written: to a name of its own in the same folder, then renamed, so that a reader, or a kill, never
# meets half a file.
write_checkpoint <- function(object, file) {
  part <- tempfile("bijectr-", tmpdir = dirname(file))
  written <- tryCatch(
    {
      suppressWarnings(saveRDS(object, part, compress = FALSE))
      suppressWarnings(file.rename(part, file))
    },
    error = function(e) FALSE
  )
  if (!written) unlink(part)
  written
}

# A full disk must not cost the training.
warn_checkpoint <- function(file) {
  cli::cli_warn(c("The checkpoint {.file {file}} could not be written.",
    i = "The training goes on and tries again. Is the disk full, or the folder gone?"
  ), class = "bijectr_warning_checkpoint")
}

# ---- progress --------------------------------------------------------------------------------------------------------

progress_start <- function(progress, setup) {
  if (!progress) return(NULL)
  cli::cli_progress_bar(
    total = setup$schedule_steps, clear = TRUE, .auto_close = FALSE,
    format = "Fitting {cli::pb_bar} {cli::pb_percent} | step {cli::pb_current}{cli::pb_status} | ETA {cli::pb_eta}"
  )
}

progress_update <- function(bar, run, setup) {
  if (is.null(bar)) return()
  counters <- run$state$counters
  best <- counters[["best_loss"]] + (setup$shift %||% c(0, 0))[[2]]
  cli::cli_progress_update(
    set = counters[["step"]], id = bar,
    status = if (is.finite(best)) paste0(" | validation ", format(best, digits = 4, nsmall = 3)) else ""
  )
}

progress_end <- function(bar) if (!is.null(bar)) cli::cli_progress_done(id = bar)
