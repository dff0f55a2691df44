#' Go on training
#'
#' Continues the training of a fit where it ended.
#'
#' A fit that kept its state goes on with its optimiser's state and order of rows. These are: a fit with
#' `keep_state = TRUE` in [fit_control()]; one of status `"time_limit"`, `"stopped"` or `"interrupted"`; the fit of an
#' error's condition (`"failed"`); and a checkpoint. With a constant learning rate and without noise the result is the
#' same, bit for bit, as if the first fit had been asked for more epochs (and for validation at the same steps). Other
#' schedules, and noise that fades, are stretched to the new number of steps, so that the result is another one: also
#' for the default settings of [fit_flow()], which have both.
#'
#' A fit without state goes on from the parameters that it returned, those of the best validation, with a fresh
#' optimiser, and says so.
#'
#' A checkpoint, and the fit of an error's condition, was not evaluated: it has no `loglik` and no `reference`.
#' `update()` evaluates it, also where no training is left to do.
#'
#' @param object A fit, or a checkpoint read with [readRDS()].
#' @param epochs,steps How many more than were made: `update(fit, epochs = +50)`. Of epochs one that had begun counts.
#'   With neither, a fit that ended early goes on to its original number; one that has reached it, has converged or has
#'   diverged is given back as it is.
#' @param seconds Time budget of the continuation; `NULL`: none.
#' @param data,condition,weights The data of the fit. By default they are taken from the fit's call, as `update()` of a
#'   linear model does.
#' @param checkpoint,callback As in [fit_control()], for the continuation: those of the fit are not used again.
#' @param progress Show a progress bar.
#' @param ... Not used.
#' @return A `bijectr_fit`.
#' @examples
#' fit <- fit_flow(faithful, max_epochs = 2, schedule = schedule_constant(), keep_state = TRUE)
#' update(fit, epochs = +3)
#' @importFrom stats update
#' @export
update.bijectr_fit <- function(object, epochs = NULL, steps = NULL, seconds = NULL, data = NULL, condition = NULL,
                               weights = NULL, checkpoint = NULL, callback = NULL, progress = interactive(), ...) {
  check_unused(...)
  check_fit(object)
  envir <- parent.frame()
  control <- continued_control(object, epochs, steps, seconds, checkpoint, callback, progress)
  if (is.null(control) && !is.null(object$loglik)) return(object)
  from_call <- function(given, name) if (is.null(given)) call_value(object, name, envir) else given
  data <- from_call(data, "data")
  if (!is.null(object$formula)) {
    if (!is.null(condition)) stop_arg("{.arg condition} was given, but the fit has a formula, which makes conditions.")
    table <- data
    data <- formula_parts(eval(object$formula, envir), table)$data
    if (object$d_condition > 0) {
      table <- table %||% mget(object$condition$model$variables, envir, inherits = TRUE)
      if (!is.matrix(table)) table <- list2DF(table)
      condition <- model_conditions(table, object$condition$model, object$condition$names, "data")
    }
  }
  data <- as_fit_data(data)
  n <- n_rows(data)
  rows <- object$rows
  if (n_columns(data) != object$d || !identical(sort(c(rows$train, rows$validation)), seq_len(n))) {
    stop_arg("{.arg data} are not the data of this fit: they have {n} row{?s} and {n_columns(data)} column{?s}.")
  }
  weights <- check_weights(from_call(weights, "weights"), n)
  condition <- as_fit_condition(from_call(condition, "condition"), n)
  given <- if (is.null(condition)) 0 else n_columns(condition)
  if (given != object$d_condition) {
    stop_arg("{.arg condition} must have {object$d_condition} column{?s}, as that of the fit, not {given}.")
  }
  check_columns(condition, object$condition$codecs, "condition")
  if (!is.null(condition)) condition <- encode_columns(condition, object$condition$codecs)
  check_columns(data, object$codecs, "data")
  data <- encode_columns(data, object$codecs)
  root <- noise_root(row_moments(data, rows$train, weights))
  setup <- data_setup(data, condition, weights, rows, control %||% object$control, root, object$loss)
  evaluate <- evaluate_data(setup, rows)
  if (is.null(control)) return(evaluated(object, evaluate))
  finish_fit(
    as_flow(object), setup, resumed_state(object, control), control, progress, continued_origin(object), evaluate
  )
}

# The settings of a continuation; NULL where there is nothing left to do. What the user gives is looked at in any case.
continued_control <- function(fit, epochs, steps, seconds, checkpoint, callback, progress) {
  check_flag(progress, "progress")
  own <- unclass(fit$control)
  own[c("seconds", "checkpoint", "callback")] <- list(NULL)
  control <- tryCatch(do.call(fit_control, own, quote = TRUE), error = function(e) stop_damaged("control"))
  more <- function(n, done, name) {
    n <- check_count(n, name, null = TRUE)
    if (is.null(n)) return(NULL)
    if (done + n > .Machine$integer.max) stop_arg("{.arg {name}} is too large: the fit has made {done} already.")
    as.integer(done + n)
  }
  steps <- more(steps, fit$steps, "steps")
  epochs <- more(epochs, fit$epochs, "epochs")
  given <- !is.null(steps) || !is.null(epochs)
  if (given) control[c("steps", "max_epochs")] <- list(steps, epochs)
  control[c("seconds", "checkpoint", "callback")] <- list(seconds, checkpoint, callback)
  control <- do.call(fit_control, unclass(control))
  if (given || ended_early(fit)) control
}

ended_early <- function(fit) !(fit$status %in% COMPLETE)

# What a continuation takes over from the fit.
continued_origin <- function(fit) {
  unclass(fit)[c("call", "formula", "loss", "options", "rows", "nobs", "history", "seconds")]
}
