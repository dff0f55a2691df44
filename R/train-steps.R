# Training a step at a time from R, for losses that need R: those of a log density that the user wrote, and contrastive
# ones. What the core does in a step of maximum likelihood, here with a gradient that comes from an objective.

# An objective is function(params, step, seed) -> list(loss, shown, gradient): the loss that the gradient belongs to,
# and the one that goes into the history. Its draws are a function of `seed`, which differs between steps.
# `validate(params)` gives a validation loss. Returns what run_training() calls.
step_advance <- function(objective, setup, control, validate = NULL) {
  clip <- if (is.null(control$clip)) 0 else control$clip
  function(state, seconds) {
    ends <- proc.time()[[3]] + seconds
    now <- as.list(state$counters)
    theta <- state$theta
    moment <- state$moment
    average <- state$average
    safe <- state$safe
    best <- state$best
    records <- list()
    outcome <- "paused"
    n <- length(theta)
    rate_at <- function(step) {
      now$rate_factor * native_schedule_rate(setup$schedule, setup$learning_rate, setup$schedule_steps, step)
    }
    repeat {
      at <- objective(theta, now$step, state$seed + now$step + 1e9 * now$n_failure)
      moved <- if (is.finite(at$loss)) {
        native_optimize(theta, moment, at$gradient, setup$optimizer, rate_at(now$step), now$moment_step + 1, clip)
      }
      if (is.null(moved) || !is.finite(moved$norm)) {
        theta <- safe[seq_len(n)]
        moment <- safe[n + seq_along(moment)]
        average <- safe[n + length(moment) + seq_along(average)]
        now$moment_step <- now$safe_step
        now$rate_factor <- now$rate_factor / 2
        now$n_failure <- now$n_failure + 1
        if (now$n_failure > setup$max_failure) outcome <- "diverged"
        if (outcome != "paused" || proc.time()[[3]] >= ends) break
        next
      }
      theta <- moved$theta
      moment <- moved$moment
      if (setup$ema > 0) {
        keep <- min(setup$ema, (1 + now$step) / (10 + now$step))
        average <- keep * average + (1 - keep) * theta
      }
      now$step <- now$step + 1
      now$moment_step <- now$moment_step + 1
      now$loss_sum <- now$loss_sum + at$shown
      now$loss_steps <- now$loss_steps + 1
      over <- now$step >= setup$max_step
      validation <- NA_real_
      if (!is.null(validate) && (over || now$step %% setup$validate_every == 0)) {
        candidate <- if (setup$ema > 0) average else theta
        validation <- validate(candidate)
        if (isTRUE(validation < now$best_loss)) {
          now$best_loss <- validation
          now$best_step <- now$step
          now$n_stale <- 0
          best <- candidate
        } else {
          now$n_stale <- now$n_stale + 1
        }
      }
      if (over || !is.na(validation) || now$loss_steps >= setup$record_every) {
        records[[length(records) + 1]] <- c(now$step, now$loss_sum / now$loss_steps, validation, rate_at(now$step))
        now$loss_sum <- now$loss_steps <- 0
      }
      if (now$step %% 100 == 0) {
        safe <- c(theta, moment, average)
        now$safe_step <- now$moment_step
      }
      if (setup$patience > 0 && now$n_stale >= setup$patience) outcome <- "converged"
      if (over) outcome <- "finished"
      if (outcome != "paused" || proc.time()[[3]] >= ends) break
    }
    state <- list(
      counters = unlist(now), theta = theta, moment = moment, average = average, best = best, safe = safe,
      seed = state$seed
    )
    list(state = state, outcome = outcome, history = if (length(records)) do.call(rbind, records) else matrix(0, 0, 4))
  }
}

# What step_advance() and run_training() need to know.
step_setup <- function(control) {
  if (is.null(control$steps)) stop_arg("{.arg steps} must be given.")
  or_zero <- function(x) if (is.null(x)) 0 else as.double(x)
  list(
    max_step = control$steps, schedule_steps = control$steps, record_every = max(1, ceiling(control$steps / 2000)),
    optimizer = unclass(control$optimizer), schedule = unclass(control$schedule),
    learning_rate = control$learning_rate, ema = control$ema, max_failure = control$max_failures,
    patience = if (is.null(control$patience)) 0 else control$patience + 1,
    validate_every = if (is.null(control$validate_every)) max(1, control$steps %/% 50) else control$validate_every
  )
}

# Threads cost more than they bring in a short step: from the second step on they are used where a step is long. The
# result does not depend on it.
step_threads <- function() {
  threads <- 1L
  list(now = function() threads, took = function(seconds) if (seconds > 2e-3) threads <<- thread_count())
}
