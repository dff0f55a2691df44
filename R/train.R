# The training loop. The core advances plain vectors by about 0.2 s of steps a call; this loop does what needs R:
# budget, progress, callbacks, checkpoints, interrupts. Nothing depends on where the calls are cut.

# A call copies the state and shuffles the rows of the epoch it is in, so a large state or many rows get longer calls:
# both stay below a few per cent of it. The option is for tests, which cut training in unusual places.
seconds_per_call <- function(state, n_row) {
  getOption("bijectr.seconds_per_call", max(0.2, 1.5e-7 * sum(lengths(state)), 1e-6 * n_row))
}

# Names of state$counters, in the order of ffi-train.c.
COUNTERS <- c(
  "step", "epoch", "position", "moment_step", "rate_factor", "n_failure", "n_stale", "best_loss", "best_step",
  "safe_step", "loss_sum", "loss_weight", "loss_steps"
)

new_state <- function(flow, control) {
  theta <- flow$params
  moment <- numeric(length(theta) * native_optimizer_moments(control$optimizer$kind))
  average <- if (control$ema > 0) theta + 0 else numeric()
  counters <- stats::setNames(numeric(length(COUNTERS)), COUNTERS)
  counters[c("rate_factor", "best_loss")] <- c(1, Inf)
  list(
    counters = counters, theta = theta, moment = moment, average = average, best = theta,
    safe = c(theta, moment, average), seed = draw_seed()
  )
}

# What the core needs to know: data, rows, budgets.
train_setup <- function(data, condition, weights, rows, control, noise_root, loss = NULL) {
  n <- length(rows$train)
  batch_size <- min(control$batch_size, n)
  per_epoch <- ceiling(n / batch_size)
  bounds <- c(control$steps, if (!is.null(control$max_epochs)) control$max_epochs * per_epoch)
  or_zero <- function(x) if (is.null(x)) 0 else as.double(x)
  list(
    data = data, condition = condition, weight = weights, train_row = rows$train - 1L,
    validation_row = rows$validation - 1L, batch_size = batch_size, max_step = or_zero(control$steps),
    max_epoch = or_zero(control$max_epochs), validate_every = or_zero(control$validate_every),
    # the core wants the number of stale validations that ends it
    patience = if (is.null(control$patience)) 0 else control$patience + 1,
    record_every = max(1, ceiling(min(bounds) / 2000)), optimizer = unclass(control$optimizer),
    schedule = unclass(control$schedule), learning_rate = control$learning_rate, schedule_steps = min(bounds),
    clip = or_zero(control$clip), noise = control$noise, noise_root = noise_root, ema = control$ema,
    max_failure = control$max_failures,
    keep_best = control$keep_best && length(rows$validation) > 0, seed = 0, seconds = 0,
    loss = loss, matching = identical(loss$kind, "flow_matching")
  )
}

# Trains from `state` on. Returns the last complete state whatever ended it: list(state, history, status, seconds). The
# caller has suspended interrupts; they are looked for between calls, where state and history belong together.
# `advance(state, seconds)` gives list(state, outcome, history) after about so many seconds.
run_training <- function(flow, setup, state, control, progress, snapshot, advance = native_advance(flow, setup)) {
  started <- Sys.time()
  elapsed <- function() as.double(Sys.time() - started, units = "secs")
  run <- list(state = state, history = NULL, status = "paused", seconds = 0)
  saved <- 0
  bar <- progress_start(progress, setup)
  while (run$status == "paused") {
    left <- if (is.null(control$seconds)) Inf else control$seconds - elapsed()
    failures <- run$state$counters[["n_failure"]]
    step <- advance(run$state, max(0, min(seconds_per_call(run$state, length(setup$train_row)), left)))
    run <- list(
      state = step$state, history = c(run$history, list(step$history)), status = step$outcome, seconds = elapsed()
    )
    if (run$state$counters[["n_failure"]] > failures) report_rollback(run$state$counters)
    progress_update(bar, run, setup)
    if (run$status == "paused" && !is.null(control$seconds) && elapsed() >= control$seconds) run$status <- "time_limit"
    if (run$status == "paused" && callback_says_stop(control$callback, run, snapshot)) run$status <- "stopped"
    if (run$status == "finished") run$status <- finished_status(setup, run$state)
    if (run$status == "paused" && interrupt_pending()) run$status <- "interrupted"
    if (!is.null(control$checkpoint) && (run$status != "paused" || elapsed() - saved >= control$checkpoint_seconds)) {
      write_checkpoint(snapshot(run), control$checkpoint)
      saved <- elapsed()
    }
  }
  progress_end(bar)
  run$history <- do.call(rbind, run$history)
  run
}

# Maximum likelihood, in the core.
native_advance <- function(flow, setup) {
  function(state, seconds) {
    setup$seconds <- seconds
    step <- native_train(flow, setup, state)
    step$state$seed <- state$seed
    step
  }
}

# Takes an interrupt that arrived while they were suspended.
interrupt_pending <- function() {
  tryCatch(
    {
      allowInterrupts(native_check_interrupt())
      FALSE
    },
    interrupt = function(condition) TRUE
  )
}

callback_says_stop <- function(callback, run, snapshot) {
  !is.null(callback) && isFALSE(callback(snapshot(run), last_record(run)))
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

last_record <- function(run) {
  record <- utils::tail(do.call(rbind, run$history), 1)
  counters <- run$state$counters
  data.frame(
    step = counters[["step"]], epoch = counters[["epoch"]], train = if (nrow(record)) record[, 2] else NA_real_,
    validation = counters[["best_loss"]], rate = if (nrow(record)) record[, 4] else NA_real_
  )
}

# A name of its own in the same folder, then a rename: a reader, or a kill, never meets half a file.
write_checkpoint <- function(object, file) {
  part <- tempfile("bijectr-", tmpdir = dirname(file))
  written <- tryCatch(
    {
      suppressWarnings(saveRDS(object, part, compress = FALSE))
      suppressWarnings(file.rename(part, file))
    },
    error = function(e) FALSE
  )
  if (!written) {
    # a full disk must not cost the training
    unlink(part)
    cli::cli_warn("The checkpoint {.file {file}} could not be written.")
  }
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
  best <- counters[["best_loss"]]
  cli::cli_progress_update(
    set = counters[["step"]], id = bar,
    status = if (is.finite(best)) paste0(" | validation ", format(best, digits = 4, nsmall = 3)) else ""
  )
}

progress_end <- function(bar) if (!is.null(bar)) cli::cli_progress_done(id = bar)
