# The record of a fit in rounds, and what becomes of it when it ends.

# `run` holds what was asked for (`problem`, `training`, the `stages` of a round), the rounds begun, the fit of the last
# one that was trained, and the condition that ended it all, NULL as long as nothing has. A stage of a round takes the
# record and gives a new one: whatever ends a stage leaves the record of the stage before, so that neither what was
# simulated nor what was trained is lost. Before anything was simulated there is nothing to lose, and a condition goes
# its way.
next_round <- function(run) {
  run$rounds[[length(run$rounds) + 1]] <- list(
    theta = NULL, log_prior = NULL, data = NULL, failed = 0L, history = NULL
  )
  for (stage in run$stages) {
    after <- if (length(simulated(run))) guarded(stage(run)) else allowInterrupts(stage(run))
    run <- if (inherits(after, "condition")) ended_round(run, after) else after
    if (!is.null(run$ended)) break
  }
  run
}

# An error of the training carries the fit so far.
ended_round <- function(run, condition) {
  if (!is.null(condition$fit)) run <- trained(run, condition$fit)
  run$ended <- condition
  run
}

this_round <- function(run) run$rounds[[length(run$rounds)]]

set_round <- function(run, ...) {
  values <- list(...)
  run$rounds[[length(run$rounds)]][names(values)] <- values
  run
}

# The rounds whose simulator has come back.
simulated <- function(run) Filter(function(round) !is.null(round$data), run$rounds)

# A field of all rounds, of the simulations that have not failed.
of_simulations <- function(run, field) {
  parts <- lapply(run$rounds, function(round) {
    value <- round[[field]]
    whole <- !failed_rows(round$data)
    if (is.matrix(value)) value[whole, , drop = FALSE] else value[whole]
  })
  do.call(if (is.matrix(parts[[1]])) rbind else c, parts)
}

trained <- function(run, fit) {
  run$fit <- fit
  if (fit$status == "interrupted") run$ended <- structure(list(), class = c("interrupt", "condition"))
  set_round(run, history = fit$history)
}

# The fit, with a warning if an interrupt has ended the rounds; or the error that has, with what there is.
conclude_rounds <- function(run, call) {
  ended <- run$ended
  fit <- run$fit
  if (!is.null(fit)) {
    done <- guarded(run$finish(run))
    if (inherits(done, "condition")) ended <- ended %||% done else fit <- done
    if (inherits(ended, "interrupt")) fit$status <- "interrupted"
    fit[c("rounds", "call")] <- list(simulated(run), call)
    class(fit) <- c("bijectr_rounds_fit", setdiff(class(fit), "bijectr_rounds_fit"))
  }
  # where warnings are errors, the warning is one that carries the fit
  k <- length(run$rounds)
  if (inherits(ended, "interrupt") && !is.null(fit)) ended <- guarded(warn_interrupted_rounds(k, fit))
  if (inherits(ended, "condition")) raise_failed_round(ended, k, simulated(run), fit)
  fit
}

# The warning of an interrupted training says how resume() goes on, which fits in rounds do not.
without_advice <- function(expr) {
  withCallingHandlers(expr, bijectr_warning_interrupted = function(w) invokeRestart("muffleWarning"))
}

# What users give to go on with a fit.
layers_to_go_on <- function(fit) if (is.null(fit$likelihood)) "layers = fit" else "layers = fit$likelihood"

warn_interrupted_rounds <- function(n, fit) {
  cli::cli_warn(c(
    "Interrupted in round {n}: this is the fit so far.",
    i = "{.fn fit_rounds} with {.code {layers_to_go_on(fit)}} goes on."
  ), class = "bijectr_warning_interrupted")
}

raise_failed_round <- function(condition, round, log, fit) {
  # the error of a fit in one round says what holds for such fits
  parent <- if (inherits(condition, "bijectr_error_training")) condition$parent else condition
  field <- if (is.null(fit)) "rounds" else "fit"
  what <- if (is.null(fit)) "What was simulated is" else "The fit so far is"
  cli::cli_abort(
    c(
      "Round {round} {if (inherits(parent, 'error')) 'ended in an error' else 'was interrupted'}.",
      i = "{what} in this condition: {.code tryCatch(..., error = identity)${field}} or
           {.code rlang::last_error()${field}}."
    ),
    class = c("bijectr_error_training", "bijectr_error"), parent = if (inherits(parent, "error")) parent, fit = fit,
    rounds = log, call = user_call()
  )
}
