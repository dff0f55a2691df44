#' Fits as data frames
#'
#' Methods for the generics [generics::glance()], [generics::tidy()] and [generics::augment()], which the tidymodels
#' packages and broom use. They exist once generics, or a package that exports its functions, is loaded.
#'
#' @param x A fit; for `glance()` one to data, for `tidy()` and `augment()` also a flow; for `tidy()` no stack.
#' @param data Points, as `newdata` of [logdensity()].
#' @param condition Values of the conditioning variables, as in [logdensity()].
#' @param ... Not used.
#' @return `glance()`: a data frame of one row, `NA` where a fit was not evaluated: number of
#'   parameters `df`, `nobs`, `logLik`, mean log densities of held-out rows under the fit (`held_out`) and
#'   under a fitted normal distribution (`held_out_normal`), `status`, `steps`, `seconds`. `tidy()`: `term` and
#'   `estimate` of each raw parameter. `augment()`: `data` as a data frame with the log density of each row in
#'   `.logdensity`.
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
augment.bijectr_flow <- function(x, data, condition = NULL, ...) {
  check_unused(...)
  if (missing(data)) stop_arg("{.arg data} is missing: a fit does not keep its data.")
  if (!is.data.frame(data)) data <- open_data(data, "data")
  if (x$d == 1) data <- as_column(data, x$names)
  density <- logdensity(x, data, condition)
  out <- data
  if (!is.data.frame(data)) {
    whole <- if (has_dropped(x, data)) whole_table(x) else x
    out <- as.data.frame(picture_data(whole, data, gaps = TRUE))
  }
  out$.logdensity <- density
  out
}
