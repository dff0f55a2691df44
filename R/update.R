#' Go on training
#'
#' Continues the training of a fit where it ended. A fit that kept its state (`keep_state = TRUE` in [fit_control()], or
#' one that ended early, or a checkpoint) goes on with its optimiser state and order of rows: for a constant learning
#' rate and without noise the result is the same, bit for bit, as if the first fit had been asked for more epochs (and
#' for validation at the same steps). Other schedules, and noise that fades, are stretched to the new number of steps. A
#' fit without state goes on from its parameters, with a fresh optimiser, and says so.
#'
#' @param object A fit, or a checkpoint read with [readRDS()].
#' @param epochs,steps How many more: `update(fit, epochs = +50)`. With neither, a fit that was interrupted, stopped or
#'   ran out of time goes on to its original number; one that has reached it is given back as it is.
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
  control <- continued_control(object, epochs, steps, seconds, checkpoint, callback)
  if (is.null(control)) return(object)
  from_call <- function(given, name) if (is.null(given)) call_value(object, name, envir) else given
  data <- from_call(data, "data")
  if (!is.null(object$formula)) {
    formula <- eval(object$formula, envir)
    table <- data
    data <- formula_parts(formula, table)$data
    if (object$d_condition > 0) {
      table <- table %||% mget(object$condition$model$variables, envir, inherits = TRUE)
      if (!is.matrix(table)) table <- list2DF(table)
      condition <- model_conditions(table, object$condition$model, object$condition$names, "data")
    }
  }
  data <- as_fit_data(data)
  n <- n_rows(data)
  rows <- object$rows
  if (n != length(rows$train) + length(rows$validation) || n_columns(data) != object$d) {
    # rows without weight are in neither set
    if (n < max(rows$train, rows$validation, 0) || n_columns(data) != object$d) {
      stop_arg("{.arg data} are not the data of this fit: they have {n} row{?s} and {n_columns(data)} column{?s}.")
    }
  }
  weights <- check_weights(from_call(weights, "weights"), n)
  condition <- as_fit_condition(from_call(condition, "condition"), n)
  if ((object$d_condition > 0) == is.null(condition)) stop_arg("{.arg condition} does not fit this fit.")
  check_columns(condition, object$condition$codecs, "condition")
  if (!is.null(condition)) condition <- encode_columns(condition, object$condition$codecs)
  check_columns(data, object$codecs, "data")
  data <- encode_columns(data, object$codecs)
  root <- noise_root(row_moments(data, rows$train, weights))
  setup <- data_setup(data, condition, weights, rows, control, root, object$loss)
  finish_fit(
    as_flow(object), setup, resumed_state(object, control), control, progress, continued_origin(object),
    evaluate_data(setup, rows)
  )
}

# The settings of a continuation; NULL where there is nothing left to do.
continued_control <- function(fit, epochs, steps, seconds, checkpoint, callback) {
  control <- fit$control
  epochs <- check_count(epochs, "epochs", null = TRUE)
  steps <- check_count(steps, "steps", null = TRUE)
  if (!is.null(epochs)) {
    done <- control$max_epochs %||% ceiling(fit$steps / steps_per_epoch(control, fit$rows))
    control$max_epochs <- as.integer(done + epochs)
    control["steps"] <- list(NULL)
  }
  if (!is.null(steps)) {
    control$steps <- as.integer(fit$steps + steps)
    if (is.null(epochs)) control["max_epochs"] <- list(NULL)
  }
  control[c("seconds", "checkpoint", "callback")] <- list(seconds, checkpoint, callback)
  over <- c(fit$steps >= control$steps, fit$epochs >= control$max_epochs, fit$status %in% c("converged", "diverged"))
  if (is.null(epochs) && is.null(steps) && any(over)) return(NULL)
  do.call(fit_control, unclass(control))
}

# What a continuation takes over from the fit.
continued_origin <- function(fit) {
  unclass(fit)[c("call", "formula", "loss", "options", "rows", "nobs", "history", "seconds")]
}
