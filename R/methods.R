#' Fits as R models
#'
#' The methods that R's tools for models ask for. [AIC()] and [BIC()] are errors that say why: a flow has many
#' parameters and is trained with early stopping, so that its likelihood is no maximum, and a stack has the parameters
#' of all its flows. Held-out log densities compare fits: [compare_flows()], [flow_cv()], `logLik()` with `newdata`.
#'
#' `print()` shows the mean log density of the rows that were held out, beside that of a fitted normal distribution. Of
#' a single flow its parameters were chosen by these rows; of a stack members and weights have not seen them, see
#' [summary.bijectr_fit()]. A stack has its members there too, with their weights, the largest first.
#'
#' @param x,object A fit.
#' @param newdata Points to take the log likelihood of, see [logdensity()]; by default the data of the fit, training and
#'   held-out rows together, with their weights.
#' @param condition Values of the conditioning variables of `newdata`: one row for all, or one row a point.
#' @param formula,data A fit by formula, and its data frame; by default the one that its call names.
#' @param ... Not used.
#' @return `print()`: the fit, invisibly. `nobs()`: the number of rows of positive weight that the fit was given.
#'   `logLik()`: the sum of log densities in nats, an object of class `logLik` with the number of parameters as `df`.
#'   `formula()`, `terms()` and `model.frame()`, of fits by formula: what they are for [lm()]; in the model frame are
#'   the rows that were used.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 100)
#' fit
#' nobs(fit)
#' logLik(fit)
#' logLik(fit, newdata = head(faithful))
#' fit <- fit_flow(mpg ~ wt, data = mtcars, subset = cyl > 4, steps = 50)
#' formula(fit)
#' nrow(model.frame(fit))
#' @name fit-methods
NULL

#' @rdname fit-methods
#' @export
print.bijectr_fit <- function(x, ...) {
  check_fit(x)
  cat("<flow fit> ", format_coordinates(x), ", ", format_parameters(x), "\n", sep = "")
  layers <- strwrap(format_layers(x), initial = "  layers:  ", prefix = strrep(" ", 11), width = getOption("width"))
  cat(layers, sep = "\n")
  print_supports(x)
  print_dropped(x)
  print_censoring(x)
  print_source(x)
  cat("  trained: ", format_training(x), "\n", sep = "")
  reference <- x$reference
  if (!is.null(reference)) {
    held_out <- !is.na(reference$flow)
    shown <- if (held_out) c(reference$flow, reference$normal) else c(reference$flow_train, reference$normal_train)
    of <- if (held_out) "of held-out rows" else "of training rows"
    cat("  mean ", likelihood_words(x), " ", of, ": ", format_nats(shown[1]),
      if (!is.na(shown[2])) paste0(" (normal: ", format_nats(shown[2]), ")"), "\n",
      sep = ""
    )
  }
  invisible(x)
}

#' @rdname fit-methods
#' @importFrom stats nobs
#' @export
nobs.bijectr_fit <- function(object, ...) {
  check_fit(object)
  if (is.null(object$nobs)) stop_arg("This fit was not made from data: it has no number of observations.")
  object$nobs
}

#' @rdname fit-methods
#' @importFrom stats coef logLik
#' @export
logLik.bijectr_fit <- function(object, newdata = NULL, condition = NULL, ...) {
  check_unused(...)
  check_fit(object)
  if (is.null(newdata)) {
    if (!is.null(condition)) stop_arg("{.arg condition} was given without {.arg newdata}.")
    if (is.null(object$nobs)) stop_arg("This fit was not made from data: {.arg newdata} must be given.")
    if (is.null(object$loglik)) {
      stop_arg(c(
        "This fit was not evaluated: it is a checkpoint, or an error ended it.",
        i = "{.fn resume} goes on and evaluates it; or give {.arg newdata}."
      ))
    }
    value <- object$loglik
    n <- object$nobs
  } else {
    each <- logdensity(object, newdata, condition)
    value <- sum(each)
    n <- length(each)
  }
  structure(value, df = count_parameters(object), nobs = n, class = "logLik")
}

# ---- fits by formula -------------------------------------------------------------------------------------------------

#' @rdname fit-methods
#' @importFrom stats formula terms model.frame family
#' @export
formula.bijectr_fit <- function(x, ...) {
  check_fit(x)
  if (is.null(x$formula)) stop_arg("This fit was not made by formula: it has none.")
  stats::as.formula(x$formula, parent.frame())
}

#' @rdname fit-methods
#' @export
terms.bijectr_fit <- function(x, ...) stats::terms(formula.bijectr_fit(x))

#' @rdname fit-methods
#' @export
model.frame.bijectr_fit <- function(formula, data = NULL, ...) {
  envir <- parent.frame()
  of <- stats::as.formula(formula.bijectr_fit(formula), envir)
  data <- formula_data(if (is.null(data)) call_value(formula, "data", envir) else data)
  parts <- parts_again(formula, data, NULL, envir)
  environment(of) <- times_env(of[[2]], envir)
  frame <- stats::model.frame(of, data, na.action = stats::na.pass)
  if (!is.null(parts$kept)) {
    terms <- attr(frame, "terms")
    frame <- structure(droplevels(frame[parts$kept, , drop = FALSE]), terms = terms, na.action = formula$na.action)
  }
  if (!is.null(parts$weights)) frame[["(weights)"]] <- parts$weights
  frame
}

# ---- what flows do not have ------------------------------------------------------------------------------------------

# Without these the defaults would answer NULL, or tell of their own insides.

#' @export
family.bijectr_fit <- function(object, ...) {
  stop_arg("A flow has no family: {.code object$base} is its base distribution.")
}

#' @rdname fit-methods
#' @importFrom stats AIC BIC
#' @export
AIC.bijectr_fit <- function(object, ...) refuse_criterion("AIC")

#' @rdname fit-methods
#' @export
BIC.bijectr_fit <- function(object, ...) refuse_criterion("BIC")

refuse_criterion <- function(name) {
  stop_arg(c(
    "{name} is for maxima of the likelihood of few parameters: a flow has many, and stops before the maximum.",
    i = "{.fn compare_flows} and {.fn flow_cv} compare fits by rows held out."
  ))
}

#' @importFrom stats vcov confint anova sigma
#' @export
vcov.bijectr_fit <- function(object, ...) refuse_coefficients(object, "Covariances of")

#' @export
confint.bijectr_fit <- function(object, ...) refuse_coefficients(object, "Intervals of")

refuse_coefficients <- function(fit, what) {
  stop_arg(c(
    "{what} the parameters of a flow mean nothing: many sets of them are the same distribution.",
    i = if (inherits(fit, "bijectr_target_fit")) {
      "Of what the target is a density of {.fn summary} has standard deviations and quantiles, and
       {.code cov(sample(fit, 1e4))} covariances."
    } else {
      "{.code predict(fit, newdata, interval = 0.9)} has intervals of the response, {.fn sample} draws it."
    }
  ))
}

#' @export
anova.bijectr_fit <- function(object, ...) {
  stop_arg(c(
    "Flows are not nested models: there is no analysis of deviance.",
    i = "{.fn compare_flows} and {.fn flow_cv} compare fits by rows held out."
  ))
}

#' @export
sigma.bijectr_fit <- function(object, ...) {
  stop_arg(c(
    "A flow has no residual standard deviation: its spread may depend on everything that it is given.",
    i = "{.code predict(fit, newdata, type = \"covariance\")} has variances."
  ))
}

# One line.
#' @export
format.bijectr_flow <- function(x, ...) paste0("<", kind_words(x), "> ", format_coordinates(x))

# A fit is a long list: str() of what holds it shows a line, as format(); str(unclass(fit)) the list.
#' @importFrom utils str
#' @export
str.bijectr_flow <- function(object, ...) cat(" ", format(object), "\n", sep = "")

kind_words <- function(x) {
  if (is_stack(x)) return("stack of flows")
  if (is_table(x)) return("table of blocks")
  if (inherits(x, "bijectr_conditional")) return("conditional distribution")
  if (inherits(x, "bijectr_marginal")) return("marginal distribution")
  if (inherits(x, "bijectr_target_fit")) return("flow fit to a log density")
  if (inherits(x, "bijectr_fit")) "flow fit" else "flow"
}

# ---- pieces of what is printed ---------------------------------------------------------------------------------------

format_coordinates <- function(x) {
  names <- if (!is.null(x$names)) paste0(" (", shorten_list(x$names), ")")
  given <- if (x$d_condition > 0) {
    paste0(" given ", if (is.null(x$condition$names)) x$d_condition else shorten_list(x$condition$names))
  }
  paste0(x$d, if (x$d == 1) " coordinate" else " coordinates", names, given)
}

format_parameters <- function(x) paste(format(length(x$params), big.mark = ","), "parameters")

# Layers from base to data, kinds only, repeats counted: "normal base, 4 x (permute, autoregressive rq_spline), ...".
format_layers <- function(x) {
  text <- gsub(" ", "\u00a0", vapply(x$layers$layers, brief, character(1)), fixed = TRUE)
  shown <- collapse_runs(text)
  repeated <- grepl("^[0-9]+ x .*, ", shown)
  shown[repeated] <- sub(" x (.*)$", " x (\\1)", shown[repeated])
  gsub("\u00a0", " ", paste(c(paste(x$base$kind, "base"), shown), collapse = ", "), fixed = TRUE)
}

# Columns that are not the whole line: "price (0, Inf) by log, share (0, 1)"; NULL without any.
format_supports <- function(x) {
  supports <- flow_supports(x)
  bent <- which(!vapply(supports %||% list(), is_real, NA))
  if (!length(bent)) return(NULL)
  shorten_list(paste(coordinate_labels(x)[bent], vapply(supports[bent], format, "")))
}

print_supports <- function(x) {
  text <- format_supports(x)
  if (is.null(text)) return(invisible())
  cat(strwrap(text, initial = "  support: ", prefix = strrep(" ", 11), width = getOption("width")), sep = "\n")
}

# Of censored times, how many rows are what.
print_censoring <- function(x) {
  if (is.null(x$censoring)) return(invisible())
  text <- format_censoring(x$censoring)
  cat(strwrap(text, initial = "  rows:    ", prefix = strrep(" ", 11), width = getOption("width")), sep = "\n")
}

# What the figures of rows are: those of censored times are probabilities, too.
likelihood_words <- function(x) if (is.null(x$censoring)) "log density" else "log likelihood"

format_training <- function(x) {
  count <- function(n, one) paste0(format(n, big.mark = ","), " ", one, if (n != 1) "s")
  paste0(
    count(x$steps, "step"), if (isTRUE(x$epochs > 0)) paste0(" (", count(x$epochs, "epoch"), ")"), " in ",
    format_seconds(x$seconds), ", status \"", x$status, "\""
  )
}

format_nats <- function(x) formatC(x, digits = 3, format = "f")
