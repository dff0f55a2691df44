#' Fits as data frames
#'
#' Methods for the generics [generics::glance()], [generics::tidy()] and [generics::augment()], which the tidymodels
#' packages and broom use. They exist once generics, or a package that exports its functions, is loaded.
#'
#' @param x A fit; for `tidy()`, `augment()` and draws also a flow.
#' @param data Points, as `newdata` of [logdensity()].
#' @param newdata The same as `data`, as broom has it; it may have the conditions alone.
#' @param condition Values of the conditioning variables, as in [logdensity()].
#' @param interval A probability: also the ends `.lower` and `.upper` of an interval that holds it, as much below as
#'   above.
#' @param n Number of draws.
#' @param ... Not used.
#' @return `glance()`: a data frame of one row, `NA` where a fit was not evaluated: number of parameters `df`, `nobs`,
#'   `logLik`, mean log densities of held-out rows under the fit (`held_out`) and under a fitted normal distribution
#'   (`held_out_normal`), `status`, `steps`, `seconds`; of a fit to a log density the last three, `df` and its
#'   evaluation: `elbo`, `elbo_se`, `log_z`, `log_z_se`, `ess`, `pareto_k`. `tidy()`: `term` and `estimate` of each raw
#'   parameter; of a stack `member`, `weight`, `flows`, `held_out` (as in [summary()][summary.bijectr_fit()]) of each
#'   member; of a table of mixed columns `block`, `share`, `held_out` of each block. `augment()`: `data` as a data frame
#'   with the log density of each row in `.logdensity`; of conditional fits of one column of numbers also the mean given
#'   the conditions, `.fitted`, and the quantile residual, `.resid`, see [residuals()][residuals.bijectr_fit()].
#'   [posterior::as_draws()]: `n` draws, a `draws_matrix` of the columns that are numbers; of a conditional fit at one
#'   row, `condition`.
#' @family methods
#' @examplesIf requireNamespace("generics", quietly = TRUE)
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 100)
#' generics::glance(fit)
#' head(generics::augment(fit, faithful))
#' @name fit-tidiers
NULL

#' @rdname fit-tidiers
#' @exportS3Method generics::glance
glance.bijectr_fit <- function(x, ...) {
  check_unused(...)
  check_fit(x)
  loglik <- if (is.null(x$loglik) && !is.null(x$nobs)) NA_real_ else logLik.bijectr_fit(x)
  reference <- x$reference
  data.frame(
    df = count_parameters(x), nobs = x$nobs, logLik = as.double(loglik), held_out = reference$flow %||% NA_real_,
    held_out_normal = reference$normal %||% NA_real_,
    status = x$status, steps = x$steps, seconds = x$seconds
  )
}

#' @rdname fit-tidiers
#' @exportS3Method generics::tidy
tidy.bijectr_flow <- function(x, ...) {
  check_unused(...)
  estimate <- coef.bijectr_flow(x)
  data.frame(term = as.character(names(estimate)), estimate = unname(estimate))
}

#' @rdname fit-tidiers
#' @exportS3Method generics::augment
augment.bijectr_flow <- function(x, data, condition = NULL, newdata = NULL, interval = NULL, ...) {
  check_unused(...)
  if (!is.null(newdata)) data <- newdata
  if (is.null(newdata) && missing(data)) stop_arg("{.arg data} is missing: a fit does not keep its data.")
  extrapolation_once(augmented_rows(x, data, condition, interval))
}

augmented_rows <- function(x, data, condition, interval) {
  if (!is.data.frame(data)) data <- open_data(data, "data")
  if (x$d == 1) data <- as_column(data, x$names)
  seen <- !lacks_coordinates(x, data)
  density <- if (seen) logdensity(x, data, condition)
  out <- data
  if (!is.data.frame(data)) {
    whole <- if (has_dropped(x, data)) whole_table(x) else x
    out <- as.data.frame(picture_data(whole, data, gaps = TRUE))
  }
  if (seen) out$.logdensity <- density
  numbers <- x$d == 1 && x$d_condition > 0 && role_kinds(column_roles_of(x)) != "levels"
  given <- condition %||% if (!is.null(x$condition$model) || !seen) data
  if (numbers && !is.null(given)) {
    as_class <- class_of_response(x)
    if (is.null(interval)) {
      out$.fitted <- as_class(as.double(flow_response(x, given, NULL)))
    } else {
      found <- flow_interval(x, given, NULL, "response", interval, FALSE)
      ends <- lapply(c("fit", "lwr", "upr"), function(name) as_class(found[, name]))
      out[c(".fitted", ".lower", ".upper")] <- ends
    }
    if (seen && !is.null(x$nobs)) out$.resid <- residuals.bijectr_fit(x, data, condition)
  } else if (!is.null(interval)) {
    stop_arg("{.arg interval} is for conditional fits of one column of numbers.")
  }
  out
}

#' @rdname fit-tidiers
#' @exportS3Method generics::glance
glance.bijectr_target_fit <- function(x, ...) {
  check_unused(...)
  check_fit(x)
  known <- c("elbo", "elbo_se", "log_z", "log_z_se", "ess", "pareto_k")
  value <- lapply(stats::setNames(known, known), function(name) as.double(x$evaluation[[name]] %||% NA_real_))
  data.frame(df = count_parameters(x), value, status = x$status, steps = x$steps, seconds = x$seconds)
}

#' @rdname fit-tidiers
#' @exportS3Method generics::tidy
tidy.bijectr_stack <- function(x, ...) {
  check_unused(...)
  members <- summary(x)$members
  data.frame(
    member = members$member, weight = members$weight, flows = members$flows, held_out = members[["held out"]]
  )
}

#' @rdname fit-tidiers
#' @exportS3Method generics::tidy
tidy.bijectr_table <- function(x, ...) {
  check_unused(...)
  blocks <- summary(x)$blocks
  data.frame(block = blocks$block, share = blocks$share, held_out = blocks[["held out"]])
}

#' @rdname fit-tidiers
#' @exportS3Method posterior::as_draws
as_draws.bijectr_flow <- function(x, condition = NULL, n = 4000, ...) {
  check_unused(...)
  check_object(x)
  n <- check_count(n, "n")
  if (condition_rows(x, condition) > 1) stop_arg("{.arg condition} must be one row: draws are of one distribution.")
  whole <- whole_table(x)
  numbers <- !vapply(seq_len(whole$d), function(j) is_levels(whole$codecs[[j]]), NA)
  if (!any(numbers)) stop_arg("Draws of {.pkg posterior} are numbers, which no column of {.arg x} is.")
  drawn <- drawn_as_data(x, n, condition)
  columns <- if (is.list(drawn)) drawn[numbers] else as.matrix(drawn)[, numbers, drop = FALSE]
  labels <- coordinate_labels(whole)[numbers]
  z <- matrix(as.double(unlist(columns, use.names = FALSE)), n, dimnames = list(NULL, labels))
  posterior::as_draws_matrix(z)
}

#' @rdname fit-tidiers
#' @param model A fit by formula.
#' @param type A type of [predict()][predict.bijectr_flow()] that has one value a row, or `"probability"` of levels.
#' @details The method of `marginaleffects::get_predict()` lets \pkg{marginaleffects} predict, compare and differentiate
#'   by fits; after `options(marginaleffects_model_classes = "bijectr_fit")` its `predictions()`, `comparisons()` and
#'   `slopes()` take them, with `newdata =` and `vcov = FALSE`: there are no standard errors of neural parameters.
#' @exportS3Method marginaleffects::get_predict
get_predict.bijectr_fit <- function(model, newdata, type = "response", ...) {
  value <- stats::predict(model, newdata, type = type %||% "response")
  if (is.null(dim(value))) return(data.frame(rowid = seq_along(value), estimate = as.double(value)))
  names <- colnames(value)
  if (length(dim(value)) != 2 || is.null(names)) {
    stop_arg("{.val {type}} has more than one value a row of {.arg newdata}.")
  }
  data.frame(
    rowid = rep(seq_len(nrow(value)), ncol(value)), group = rep(names, each = nrow(value)), estimate = as.vector(value)
  )
}
