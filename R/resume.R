#' Go on with a training
#'
#' Continues the training of a fit where it ended. To fit anew with something changed, see [update.bijectr_fit()].
#'
#' A fit that kept its state goes on with its optimizer's state and order of rows. These are: a fit with
#' `keep_state = TRUE` in [fit_control()]; one of status `"time_limit"`, `"stopped"` or `"interrupted"`; the fit of an
#' error's condition (`"failed"`); and a checkpoint. With a constant learning rate and without noise the result is the
#' same, bit for bit, as if the first fit had been asked for more epochs (and for validation at the same steps). Other
#' schedules, and noise that fades, are stretched to the new number of steps, so that the result is another one: also
#' for the default settings of [fit_flow()], which have both.
#'
#' A fit without state goes on from the parameters that it returned, those of the best validation, with a fresh
#' optimizer, and says so.
#'
#' The flows of a stack each go on by `steps`, with the rows that they had and a fresh optimizer, and the members are
#' weighed again; `epochs`, `checkpoint` and `callback` are for single flows.
#'
#' A checkpoint, and the fit of an error's condition, was not evaluated: it has no `loglik` and no `reference`.
#' `resume()` evaluates it, also where no training is left to do.
#'
#' @param object A fit, or a checkpoint read with [readRDS()].
#' @param data,condition,weights The data of the fit, in the same order of rows; columns are found by name. By default
#'   they are taken from the fit's call, evaluated where `resume()` is called. Of a fit by formula, `data` is its data
#'   frame, from which `subset` and `na.action` of the call choose the rows again.
#' @param steps,epochs How many more than were made: `resume(fit, epochs = +50)`. Of epochs one that had begun counts.
#'   With neither, a fit that ended early goes on to its original number; one that has reached it, has converged or has
#'   diverged is given back as it is.
#' @param seconds Time budget of the continuation; `NULL`: none.
#' @param checkpoint,callback As in [fit_control()], for the continuation: those of the fit are not used again.
#' @param progress Show a progress bar.
#' @param ... Not used.
#' @return A `bijectr_fit` with the fields of [fit_flow()]: `history`, `steps`, `epochs` and `seconds` are those of the
#'   whole training.
#' @seealso [fit_flow()], [update.bijectr_fit()]
#' @family training
#' @examples
#' fit <- fit_flow(faithful, max_epochs = 2, schedule = schedule_constant(), keep_state = TRUE)
#' resume(fit, epochs = +3)
#' @order 1
#' @export
resume <- function(object, ...) {
  check_given("object")
  UseMethod("resume")
}

#' @export
resume.default <- function(object, ...) {
  stop_arg("{.arg object} must be a fit or a checkpoint, not {.obj_type_friendly {object}}.")
}

#' @rdname resume
#' @order 2
#' @export
resume.bijectr_fit <- function(object, data = NULL, condition = NULL, weights = NULL, steps = NULL, epochs = NULL,
                               seconds = NULL, checkpoint = NULL, callback = NULL, progress = interactive(), ...) {
  check_unused(...)
  check_fit(object)
  envir <- parent.frame()
  share_random(current_cluster())
  control <- continued_control(object, epochs, steps, seconds, checkpoint, callback, progress)
  if (is.null(control) && !is.null(object$loglik)) return(object)
  stream <- if (!is.null(object$source)) stream_again(object, data %||% call_value(object, "data", envir))
  at <- data_again(object, if (is.null(stream)) data else stream$table, condition, weights, envir)
  rows <- object$rows
  object["digest"] <- list(check_same_data(object, told_by(at$data, at$observed), at$condition))
  space <- training_space(object, at$data, rows, at$weights, object$loss)
  found <- if (is_discrete(object$base)) {
    list(scale = 1)
  } else {
    center_and_root(space$data, rows$train, at$weights, object$standardize %||% "auto")
  }
  root <- noise_root(found)
  if (!is.null(at$observed)) space <- in_intervals(space, object, at$observed, at$condition, rows, at$weights)
  settings <- control %||% object$control
  setup <- data_setup(space, at$condition, at$weights, rows, settings, root, object$loss)
  evaluate <- evaluate_data(c(replace(setup, "data", list(at$data)), list(observed = at$observed)), rows, at$unit)
  if (!is.null(stream)) {
    setup <- stream_setup(setup, plan_stream(
      stream, object, space, at$condition, rows, settings, object$source$lanes %||% 1
    ), settings)
    evaluate <- stream_evaluation(evaluate, stream)
  }
  if (is.null(control)) return(evaluated(object, evaluate))
  finish_fit(
    as_flow(object), setup, resumed_state(object, control, space$shift), control, progress, continued_origin(object),
    evaluate
  )
}

# The data of a fit, its conditions and weights, as problems have them (problem.R): given again, or as its call found
# them.
data_again <- function(object, data, condition, weights, envir) {
  at <- if (is.null(object$formula)) {
    from_call <- function(given, name) if (is.null(given)) call_value(object, name, envir) else given
    opened <- open_times(from_call(data, "data"))
    list(
      data = opened$data, observed = opened$observed, condition = from_call(condition, "condition"),
      weights = from_call(weights, "weights")
    )
  } else {
    if (!is.null(condition)) stop_arg("{.arg condition} was given, but the fit has a formula, which makes conditions.")
    parts_again(object, data, weights, envir)
  }
  data <- as_fit_data(at$data)
  n <- n_rows(data)
  data <- without_dropped(data, object, check_weights(at$weights, n))
  if (n_columns(data) != object$d || n != sum(lengths(object$rows[c("train", "validation")]))) {
    stop_arg("{.arg data} are not the data of this fit: they have {n} row{?s} and {n_columns(data)} column{?s}.")
  }
  data <- pick_columns(data, object$names, "data")
  weights <- check_weights(at$weights, n)
  unit <- weight_unit(weights)
  weights <- if (!is.null(weights)) weights / unit
  condition <- as_fit_condition(at$condition, n)
  given <- if (is.null(condition)) 0 else n_columns(condition)
  if (given != object$d_condition) {
    stop_arg("{.arg condition} must have {object$d_condition} column{?s}, as that of the fit, not {given}.")
  }
  if (!is.null(condition)) condition <- pick_columns(condition, object$condition$names, "condition")
  check_columns(condition, object$condition$codecs, "condition")
  if (!is.null(condition)) {
    condition <- encode_columns(condition, object$condition$codecs)
    check_codes(condition, object$condition)
  }
  check_columns(data, object$codecs, "data")
  data <- encode_columns(data, object$codecs)
  observed <- at$observed
  if (!is.null(observed)) {
    data <- pose_times(observed, data, object, list(whole = TRUE), weights)$data
  } else if (is_whole(object)) {
    observed <- observed_whole(data)
  }
  check_inside_flow(object, data, weights)
  list(data = data, observed = observed, condition = condition, weights = weights, unit = unit, n = n)
}

# Data, conditions and weights of a fit by formula, from a data frame or as its call found them.
parts_again <- function(fit, data, weights, envir) {
  data <- formula_data(if (is.null(data)) call_value(fit, "data", envir) else data)
  if (is.null(data)) check_found(all.vars(fit$formula), envir, "it is NULL, and ")
  if (is.null(weights)) weights <- call_value(fit, "weights", envir, data = data)
  if (is_written(fit$call$subset)) {
    stop_arg("The rows that {.arg subset} chose cannot be found again: it was written into the call of the fit.")
  }
  formula_parts(
    eval(fit$formula, envir), data, weights, call_value(fit, "subset", envir, "data", data),
    if (is.null(fit$na.action)) stats::na.fail else stats::na.omit, fit
  )
}

# Variables of a fit without a data frame, which may be gone where the user is now.
check_found <- function(names, envir, why = "") {
  lost <- Filter(function(name) {
    value <- get0(name, envir)
    is.null(value) || is.function(value) || inherits(value, "bijectr_flow")
  }, names)
  if (length(lost)) {
    stop_arg("{.arg data} must be given: {why}{.field {lost}} of the formula cannot be found here.")
  }
}

# The settings of a continuation; NULL where there is nothing left to do. What the user gives is looked at in any case.
continued_control <- function(fit, epochs, steps, seconds, checkpoint, callback, progress) {
  check_flag(progress, "progress")
  own <- unclass(fit$control)
  own[c("seconds", "checkpoint", "callback")] <- list(NULL)
  own$precision <- own$precision %||% "double" # of fits of before
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
  unclass(fit)[c(
    "call", "formula", "loss", "options", "standardize", "rows", "na.action", "digest", "nobs", "censoring", "history",
    "seconds", "source"
  )]
}
