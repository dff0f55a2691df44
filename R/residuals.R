# Residuals, fitted values and deviance of fits: what R's tools for models ask for, of a whole distribution.
#
# Of one coordinate a row's residual is Phi^-1(U), with U uniform between F(y-) and F(y), the ends of the probability
# below the row: normal whatever the distribution where the fit is right (Dunn and Smyth, 1996). Where F has no step at
# y there is nothing at random in it; of a time that is known to lie in (a, b] the ends are F(a) and F(b), of one seen
# after an entry time e they are of the distribution beyond it. Of several coordinates they are the points on the base.

#' Residuals and fitted values
#'
#' Randomized quantile residuals of one coordinate, points on the base side of several; means at the rows; and -2 times
#' the log likelihood of rows held out.
#'
#' @param object A fit.
#' @param data The rows, as in [logdensity()]; by default those of the data that the call of the fit names, which must
#'   be found: a fit does not keep its data.
#' @param condition Values of the conditioning variables, for fits that are not by formula; by default those that the
#'   call names.
#' @param ... Not used.
#' @return `residuals()`: of one coordinate a vector with one residual a row, which are draws of a standard normal
#'   distribution where the fit is right; of several a matrix of the points on the base side, which a stack has not.
#'   `fitted()`: means of the response at the rows, as [predict()] with `type = "response"`. Both are `NA` for rows
#'   with missing values, and for those that `na.action = na.exclude` left out. `deviance()`: a number, -2 times the log
#'   likelihood of rows held out where there is one, else of all rows; there is no saturated model to compare with.
#' @details Residuals of whole numbers, ordered levels, columns of which many rows have one value, and censored times
#'   are random, governed by [set.seed()]: a row has a range of probabilities, in which a place is drawn. Rows with
#'   which a fit was trained look a little too good.
#' @references Dunn, Smyth (1996), *Randomized quantile residuals*, Journal of Computational and Graphical Statistics 5,
#'   236-244, \doi{10.1080/10618600.1996.10474708}.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(eruptions ~ waiting, data = faithful, steps = 200)
#' r <- residuals(fit)
#' c(mean(r), sd(r))
#' head(fitted(fit))
#' deviance(fit)
#' @name residuals.bijectr_fit
NULL

#' @rdname residuals.bijectr_fit
#' @importFrom stats nobs residuals fitted deviance
#' @export
residuals.bijectr_fit <- function(object, data = NULL, condition = NULL, ...) {
  check_unused(...)
  check_object(object)
  rows <- rows_of_call(object, data, condition, parent.frame())
  if (object$d > 1) {
    check_one_flow(object, "{.fn residuals} of several coordinates")
    return(with_excluded(latent_points(object, rows$data, rows$condition), rows))
  }
  check_order(object)
  at <- take_in(object, rows$data, "data", rows$condition, gaps = TRUE)
  ends <- places_of_rows(object, at)
  u <- ends$low + stats::runif(at$n) * (ends$high - ends$low)
  exact <- ends$low == ends$high
  value <- as.double(ifelse(exact, ends$normal, stats::qnorm(u)))
  with_excluded(put_back(value, at), rows)
}

#' @rdname residuals.bijectr_fit
#' @export
fitted.bijectr_fit <- function(object, data = NULL, condition = NULL, ...) {
  check_unused(...)
  check_object(object)
  rows <- rows_of_call(object, data, condition, parent.frame())
  given <- if (object$d_condition == 0) rows$data else given_of_rows(object, rows)
  with_excluded(flow_response(object, given, NULL), rows)
}

# Of the rows of rows_of_call() what the fit is given.
given_of_rows <- function(fit, rows) if (is.null(fit$condition$model)) rows$condition else rows$data

conditions_of_call <- function(fit, envir) given_of_rows(fit, rows_of_call(fit, NULL, NULL, envir))

#' @rdname residuals.bijectr_fit
#' @export
deviance.bijectr_fit <- function(object, ...) {
  check_unused(...)
  if (!inherits(object, "bijectr_gaps_fit")) check_fit(object)
  value <- object$held_out_loglik %||% NA_real_
  if (is.na(value)) value <- as.double(stats::logLik(object))
  -2 * value
}

# What rows_of_call() gave values for, with NA at those that `na.action = na.exclude` had left out.
with_excluded <- function(value, rows) {
  if (is.null(rows$excluded)) return(value)
  error <- attr(value, "error")
  value <- stats::naresid(rows$excluded, value)
  if (!is.null(error)) attr(value, "error") <- stats::naresid(rows$excluded, error)
  value
}

# The data and conditions of the call of a fit, where they are not given; and which rows na.exclude() left out of them.
rows_of_call <- function(fit, data, condition, envir) {
  if (is.null(fit$nobs)) stop_arg("This fit was not made from data: it has no rows.")
  if (!is.null(data)) return(list(data = data, condition = condition))
  if (!is.null(fit[["formula"]])) {
    parts <- parts_again(fit, NULL, NULL, envir)
    data <- formula_data(call_value(fit, "data", envir))
    rows <- list(data = if (is.null(parts$kept)) data else data[parts$kept, , drop = FALSE], condition = NULL)
    if (inherits(fit$na.action, "exclude") && !is.null(parts$na_action)) {
      rows$excluded <- structure(parts$na_action, class = "exclude")
    }
  } else {
    data <- call_value(fit, "data", envir)
    if (is.null(data)) stop_arg("{.arg data} must be given: the call of the fit names none.")
    if (is.null(condition) && fit$d_condition > 0) condition <- call_value(fit, "condition", envir)
    rows <- list(data = data, condition = condition)
  }
  warn_other_data(fit, rows$data)
  rows
}

# What is found by a name may be something else by now.
warn_other_data <- function(fit, data) {
  before <- fit$digest
  if (is.null(before)) return()
  now <- tryCatch(
    {
      side <- take_side(fit, data, "data", gaps = TRUE)
      data_digest(told_again(fit, side$points, side$observed), NULL)
    },
    error = function(e) NULL
  )
  if (is.null(now) || identical(before$rows, now$rows) && identical(before$data, now$data)) return()
  cli::cli_warn(c(
    "What the call of the fit names as its data is not what the fit was made from.",
    i = "{.arg data} says which rows are meant."
  ), class = "bijectr_warning_data")
}

# Probabilities at the ends of what is known of rows, list(low, high, normal): `normal`, where both are equal, the
# residual, by the tail that keeps digits.
places_of_rows <- function(fit, at) {
  y <- column(at$points, 1)
  cdf <- function(x, lower_tail = TRUE, log_p = FALSE) {
    points_cdf(fit, matrix(x), at$condition, lower_tail, log_p)
  }
  seen <- at$observed
  if (!is.null(seen)) {
    given <- function(x) (cdf(x) - cdf(seen$from)) / (cdf(seen$to) - cdf(seen$from))
    low <- given(seen$lower)
    high <- given(seen$upper)
  } else if (is_whole(fit)) {
    low <- cdf(floor(y) - 0.5)
    high <- cdf(floor(y) + 0.5)
  } else {
    high <- cdf(y)
    low <- if (is_table(fit)) high - step_of_rows(fit, y, at) else high
  }
  if (!is.null(seen)) return(list(low = low, high = high, normal = stats::qnorm(low)))
  below <- cdf(y, TRUE, TRUE)
  above <- cdf(y, FALSE, TRUE)
  upper <- stats::qnorm(above, lower.tail = FALSE, log.p = TRUE)
  normal <- ifelse(below < above, stats::qnorm(below, log.p = TRUE), upper)
  list(low = low, high = high, normal = normal)
}

# Probabilities of the values themselves, 0 where they have densities, of a table of one column.
step_of_rows <- function(table, y, at) {
  role <- table$roles[[1]]
  has <- role$kind == "levels" | y %in% role$atoms
  ifelse(has, exp(rows_density(table, at$points, at$condition)), 0)
}
