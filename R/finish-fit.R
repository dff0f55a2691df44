# From a flow and a setup to a fit: training, evaluation, and what a fit is. Nothing that was trained is lost to what
# comes later.

# Trains, evaluates, and raises what ended the training, with the fit. Interrupts wait: the trainer and the evaluation
# look for them, and there is always a fit to return. `origin` holds fields of the fit that are known before the
# training, and those of an earlier training that this one goes on with; `evaluate(fit)` gives fields.
finish_fit <- function(flow, setup, state, control, progress, origin, evaluate, class = NULL) {
  setup$seed <- state$seed
  snapshot <- function(run) new_fit(flow, run, control, origin, class)
  suspendInterrupts({
    run <- run_training(flow, setup, state, control, check_flag(progress, "progress"), snapshot)
    fit <- snapshot(run)
    if (run$status != "failed") {
      # where warnings are errors, an error carries the fit
      found <- guarded(evaluate(fit))
      fit <- add_evaluation(fit, found)
      run <- attempted(run, {
        warn_unfinished(run, flow)
        warn_unevaluated(found)
        advise_fit(fit)
      })
    }
    pending_condition() # one that comes now changes nothing
  })
  if (inherits(run$condition, "error")) raise_failure(run, fit, state)
  if (!keeps_state(fit)) fit["state"] <- list(NULL)
  fit
}

keeps_state <- function(fit) fit$control$keep_state || fit$status %in% c("time_limit", "stopped", "interrupted")

# An error after some steps carries them; before the first there is nothing to carry.
raise_failure <- function(run, fit, state) {
  if (run$state$counters[["step"]] == state$counters[["step"]]) stop(run$condition)
  cli::cli_abort(
    c("The fit ended in an error at step {fit$steps}.",
      i = "The fit so far is in this condition: {.code tryCatch(..., error = identity)$fit} or
           {.code rlang::last_error()$fit}; {.fn resume} goes on from there."
    ),
    class = c("bijectr_error_training", "bijectr_error"), parent = run$condition, fit = fit, call = user_call()
  )
}

# A fit of which only the evaluation is missing.
evaluated <- function(fit, evaluate) {
  found <- suspendInterrupts(guarded(evaluate(fit)))
  fit <- add_evaluation(fit, found)
  warn_unevaluated(found)
  if (!keeps_state(fit)) fit["state"] <- list(NULL)
  fit
}

# What is computed after the training must not cost it: `found` is a list of fields, or what ended the evaluation.
add_evaluation <- function(fit, found) {
  if (!inherits(found, "condition")) fit[names(found)] <- found
  fit
}

warn_unevaluated <- function(found) {
  if (!inherits(found, "condition")) return(invisible())
  reason <- if (inherits(found, "interrupt")) "it was interrupted" else conditionMessage(found)
  cli::cli_warn(c("The fit could not be evaluated after the training: {reason}", i = "The fit itself is whole."),
    class = "bijectr_warning_evaluation"
  )
}

# Rows that count.
count_rows <- function(n, weights) if (is.null(weights)) n else sum(weights > 0)

# Fields of a fit to data. `unit`: that of the weights, see weight_unit().
evaluate_data <- function(setup, rows, unit = 1) {
  function(fit) {
    collect_garbage(setup$data)
    setup$codes <- is_discrete(fit$base)
    density <- rows_density(fit, setup$data, setup$condition, setup$observed)
    found <- c(
      log_likelihoods(density, setup$weight, rows, unit),
      list(reference = fit_reference(setup, rows, density))
    )
    rm(density)
    collect_garbage(setup$data)
    c(found, list(quantiles = if (is.null(fit$censoring)) {
      fit_quantiles(fit, setup$data, setup$condition, setup$weight, rows$train)
    }))
  }
}

log_likelihoods <- function(density, weights, rows, unit = 1) {
  used <- if (is.null(weights)) density else ifelse(weights > 0, weights * density, 0) * unit
  held_out <- rows$validation
  list(loglik = sum(used), held_out_loglik = if (length(held_out)) sum(used[held_out]) else NA_real_)
}

warn_unfinished <- function(run, flow) {
  if (run$status == "interrupted") {
    cli::cli_warn(c(
      "Training was interrupted at step {run$state$counters[['step']]}: this is the fit so far.",
      i = "{.code resume(fit)} goes on from here."
    ), class = "bijectr_warning_interrupted")
  }
  if (run$status == "diverged") {
    cli::cli_warn(c(
      "Training diverged: the loss was not finite {run$state$counters[['n_failure']]} times.",
      i = "The best parameters so far are returned. A lower {.arg learning_rate} may help.",
      i = if (solved_to_tolerance(flow$layers)) {
        "Rows that a solver has not brought home within its {.arg max_steps} count as such losses, too."
      }
    ), class = "bijectr_warning_diverged")
  }
}

new_fit <- function(flow, run, control, origin, class = NULL) {
  state <- run$state
  counters <- state$counters
  records <- if (is.matrix(run$history)) run$history else do.call(rbind, as.list(run$history))
  if (is.null(records)) records <- matrix(0, 0, 4)
  colnames(records) <- c("step", "train", "validation", "rate")
  kept <- if (control$keep_best && is.finite(counters[["best_loss"]])) {
    state$best
  } else if (control$ema > 0) {
    state$average
  } else {
    state$theta
  }
  flow["params"] <- list(kept)
  control[c("callback", "cluster")] <- list(NULL)
  known <- list(
    control = control, status = run$status, steps = counters[["step"]],
    epochs = counters[["epoch"]] %/% (origin$source$buffers %||% 1),
    seconds = (origin$seconds %||% 0) + run$seconds, history = rbind(origin$history, as.data.frame(records)),
    state = state
  )
  fields <- fit_fields(origin)
  fields[names(known)] <- known
  structure(c(unclass(flow), fields), class = c(class, "bijectr_fit", "bijectr_flow"))
}

# The call of the generic, from within one of its methods. Dots in it are resolved: they may hide any argument.
user_fit_call <- function() {
  call <- sys.call(-2)
  dots <- vapply(seq_along(call), function(i) identical(call[[i]], quote(...)), NA)
  if (any(dots)) call <- match_fit_call(call, parent.frame(2))
  plain_call(call)
}

# With names, as the methods of fit_flow() match their arguments.
match_fit_call <- function(call, envir) match.call(function(data, layers, ..., d) NULL, call, envir = envir)

# A call as a user would type it: what do.call() or dots have written into it, data and functions, is replaced by its
# class.
plain_call <- function(call) {
  typed <- function(x) is.language(x) || is.null(x) || (is.atomic(x) && !is.object(x) && length(x) <= 10)
  if (!is.language(call[[1]])) call[[1]] <- quote(fit_flow)
  for (i in seq_along(call)[-1]) {
    if (is_empty_argument(call[[i]])) next
    if (inherits(call[[i]], "formula")) call[[i]] <- bare_formula(call[[i]])
    if (is.name(call[[i]]) && grepl("^[.]{2}[0-9]+$", call[[i]])) call[[i]] <- as.name("<dots>")
    if (!typed(call[[i]])) call[[i]] <- as.name(paste0("<", class(call[[i]])[1], ">"))
  }
  call
}

is_written <- function(x) is.name(x) && startsWith(as.character(x), "<")

# Without its environment.
bare_formula <- function(formula) as.call(as.list(formula))

# The value of an argument of a fit's call, where the user is now; NULL if the call does not have it. `given`: the
# argument with which the user can give it instead; `data`: a data frame whose columns come first.
call_value <- function(fit, name, envir, given = name, data = NULL) {
  if (is.null(fit$call)) return(NULL)
  value <- as.list(match_fit_call(fit$call, envir))[[name]]
  if (is_written(value)) {
    stop_arg("{.arg {given}} must be given: it was written into the call of the fit, which does not keep it.")
  }
  rows <- name == "data" && !is.null(fit$nobs)
  tryCatch(if (rows) found_rows(value, data, envir) else eval(value, data, envir), error = function(e) {
    stop_arg(c(
      "{.arg {given}} must be given: what the call of the fit names, {.code {deparse1(value)}}, cannot be found here.",
      x = "{conditionMessage(e)}",
      i = "A fit does not keep what it was made from: a function that makes fits returns that beside them."
    ))
  })
}

# Data. A name that is a function here, as `df` is where no table of that name can be seen, is not what was meant.
found_rows <- function(value, data, envir) {
  found <- eval(value, data, envir)
  if (is.name(value) && is.function(found)) {
    found <- get0(as.character(value), envir, mode = "list") %||% get0(as.character(value), envir, mode = "numeric")
    if (is.null(found)) stop("it is a function here")
  }
  found
}
