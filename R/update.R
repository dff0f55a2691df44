#' Go on training
#'
#' Continues the training of a fit where it ended, with its optimiser state and order of rows: for a constant learning
#' rate and without noise the result is the same, bit for bit, as if the first fit had been asked for more epochs (and
#' for validation at the same steps). Other schedules, and noise that fades, are stretched to the new number of steps.
#'
#' @param object A fit.
#' @param epochs,steps How many more: `update(fit, epochs = +50)`. With neither, a fit that was interrupted, stopped or
#'   ran out of time goes on to its original number.
#' @param seconds Time budget of the continuation; `NULL`: none.
#' @param data,condition,weights The data of the fit. By default they are taken from the fit's call, as `update()` of a
#'   linear model does.
#' @param progress Show a progress bar.
#' @param ... Not used.
#' @return A `bijectr_fit`.
#' @examples
#' fit <- fit_flow(faithful, max_epochs = 2, schedule = schedule_constant())
#' update(fit, epochs = +3)
#' @importFrom stats update
#' @export
update.bijectr_fit <- function(object, epochs = NULL, steps = NULL, seconds = NULL, data = NULL, condition = NULL,
                               weights = NULL, progress = interactive(), ...) {
  check_unused(...)
  check_flow(object)
  envir <- parent.frame()
  from_call <- function(given, name) if (is.null(given)) eval(object$call[[name]], envir) else given
  if (is.null(object$formula)) {
    if (is.null(data)) data <- eval(object$call[["data"]] %||% object$call[[2]], envir)
  } else {
    formula <- eval(object$formula, envir)
    table <- from_call(data, "data")
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
  if (!is.null(condition)) condition <- encode_columns(condition, object$condition$codecs)
  control <- object$control
  per_epoch <- ceiling(length(rows$train) / min(control$batch_size, length(rows$train)))
  epochs <- check_count(epochs, "epochs", null = TRUE)
  steps <- check_count(steps, "steps", null = TRUE)
  if (!is.null(epochs)) {
    control$max_epochs <- as.integer((control$max_epochs %||% ceiling(object$steps / per_epoch)) + epochs)
    control["steps"] <- list(NULL)
  }
  if (!is.null(steps)) {
    control$steps <- as.integer(object$steps + steps)
    if (is.null(epochs)) control["max_epochs"] <- list(NULL)
  }
  control["seconds"] <- list(check_number(seconds, "seconds", above = 0, null = TRUE))
  data <- encode_columns(data, object$codecs)
  root <- noise_root(row_moments(data, rows$train, weights))
  setup <- train_setup(data, condition, weights, rows, control, root, object$loss)
  fit <- finish_fit(as_flow(object), setup, object$state, control, progress, rows, object$history, object$seconds)
  fit$call <- object$call
  fit
}

# The flow alone, without what a fit adds.
as_flow <- function(object) {
  fields <- c("format", "d", "d_condition", "base", "layers", "params", "names", "codecs", "condition")
  structure(unclass(object)[fields], class = "bijectr_flow")
}

`%||%` <- function(x, y) if (is.null(x)) y else x
