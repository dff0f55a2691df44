#' Conditional and marginal distributions of a joint fit
#'
#' `conditional()` is the distribution of the other columns of a fit where some are given; `marginal()` that of some
#' columns, whatever the others are. Both are distributions with the verbs of flows.
#'
#' @param fit A fit of a joint density, or a flow: of a table of mixed columns, a stack or a single one.
#' @param ... For `conditional()` values of columns, by name, in their own classes, as `Species = "setosa"`; or one data
#'   frame of them. Several values of a column are several rows that are given, each with a distribution of its own, and
#'   single values are repeated.
#' @param columns For `marginal()`: names or numbers of the columns to keep.
#' @param condition For a fit that is itself conditional: one row of its conditioning variables, which are fixed so.
#' @param draws How many weighted draws a density or a sample takes, for each row that is given, where it is not exact.
#' @details The columns of a fit to a mixed table have an order, see [fit_flow()]: levels, whole numbers, columns with
#'   atoms, and all others together. Where the columns that are given come before all others, both distributions are
#'   exact: draws are draws, and log densities are sums of those of blocks. Else they are by importance sampling:
#'   free columns that come before given ones are drawn, or gone through where they are levels with few combinations
#'   (a tenth of `draws` at the most), and weighed by the density of what is given; free columns beside given ones
#'   in the last block are proposed by a mixture of normals that was fitted to draws, and weighed by the density of
#'   the block. Densities are means of such weights, with seeds of their own, so that the same call has the same
#'   values; where only levels are free before what is given, they are sums over these, without error. Draws are
#'   chosen by weight. `print()` and the field `ess` say how many draws of equal weight that is worth; where it is
#'   less than 50 there is a warning of class `bijectr_warning_ess`: values that hardly any draw comes near to, or
#'   columns that nearly determine each other. Distribution functions and quantiles of one free column are by draws.
#' @return A flow of class `bijectr_conditional` or `bijectr_marginal`, for [logdensity()], [sample()], [predict()],
#'   [dflow()], [plot()] and others, of the free columns (in the order of the fit), with the fields of a flow's
#'   blueprint and `of`, the fit; `fixed`, the numbers of the columns that are given or left out; `given`, their values;
#'   `exact`; `log_evidence`, of each row that is given the log density (or probability) of what is given; `ess` and
#'   `error`, its standard error.
#'
#'   Of several rows that are given, `sample(x, size)` draws `size` rows in turn from the first, the second, ..., and
#'   points to evaluate go with the rows that are given one by one.
#' @references Gelfand, Smith (1990), *Sampling-based approaches to calculating marginal densities*, Journal of the
#'   American Statistical Association 85, 398-409, \doi{10.1080/01621459.1990.10476213}. Kong, Liu, Wong (1994),
#'   *Sequential imputations and Bayesian missing data problems*, Journal of the American Statistical Association 89,
#'   278-288, \doi{10.1080/01621459.1994.10476469}.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(iris, members = c("normal", "cells"))
#' setosa <- conditional(fit, Species = "setosa")
#' setosa
#' sample(setosa, 3)
#'
#' # by importance sampling: of the last block some columns are given
#' large <- conditional(fit, Sepal.Length = 7, Sepal.Width = 3)
#' large
#' table(sample(large, 200)$Species)
#'
#' petals <- marginal(fit, c("Petal.Length", "Petal.Width"))
#' logdensity(petals, iris[1:3, ])
#' @export
conditional <- function(fit, ..., condition = NULL, draws = 2000) {
  check_given("fit")
  if (!inherits(fit, "bijectr_flow")) {
    stop_arg(c(
      "{.arg fit} must be a flow or a fit, not {.obj_type_friendly {fit}}.",
      i = "Values of columns called {.field f}, {.field fi}, {.field fit}, {.field condition} or {.field draws} are
           given in a data frame: {.code conditional(fit, data.frame(f = \"a\"))}."
    ))
  }
  check_object(fit)
  draws <- check_count(draws, "draws", min = 100)
  values <- list(...)
  if (length(values) == 1 && is.data.frame(values[[1]]) && is.null(names(values))) values <- as.list(values[[1]])
  if (!length(values) || is.null(names(values)) || !all(nzchar(names(values)))) {
    stop_arg("Columns that are given need names, as in {.code conditional(fit, Species = \"setosa\")}.")
  }
  check_divisible(fit)
  at <- fixed_condition(fit, condition)
  fixed <- column_numbers(fit, names(values), "...")
  if (length(fixed) == fit$d) stop_arg("All columns are given: {.fn logdensity} says how likely they are.")
  n <- max(lengths(values))
  if (n == 0) stop_arg("There must be at least one value of what is given, not none.")
  values <- lapply(values, function(x) {
    if (!length(x) %in% c(1, n)) stop_arg("Columns that are given must have 1 or {n} value{?s}.")
    if (length(x) < n) x[rep(1L, n)] else x
  })
  given <- given_points(fit, list2DF(values), fixed)
  out <- new_part(fit, fixed, at, draws, "conditional")
  out$given <- given
  found <- weigh_rows(fit, given, fixed, out$proposal, at, if (out$exact) 1 else draws)
  if (out$exact) found$ess[] <- draws
  out[c("log_evidence", "ess", "error")] <- found[c("log_mean", "ess", "error")]
  if (any(out$log_evidence == -Inf)) {
    row <- which(out$log_evidence == -Inf)[1]
    stop_arg("The fit gives no density to what is given{if (n > 1) paste(' in row', row)}: there is no distribution.")
  }
  if (!out$exact && min(out$ess) < LEAST_ESS) {
    cli::cli_warn(c(
      "The {draws} draws of this conditional distribution are worth {format(min(out$ess), digits = 2)}: what is given is
       far from draws of the fit, or nearly determines other columns.",
      i = "More {.arg draws} help; so may a fit by formula, with these columns on the right side."
    ), class = "bijectr_warning_ess")
  }
  out
}

LEAST_ESS <- 50

#' @rdname conditional
#' @export
marginal <- function(fit, columns, condition = NULL, draws = 2000) {
  check_given("fit", "columns")
  check_object(fit)
  draws <- check_count(draws, "draws", min = 100)
  check_divisible(fit)
  at <- fixed_condition(fit, condition)
  if (is.character(columns)) {
    kept <- column_numbers(fit, columns, "columns")
  } else {
    if (!is.numeric(columns) || anyNA(columns) || !all(columns %in% seq_len(fit$d)) || anyDuplicated(columns)) {
      stop_arg("{.arg columns} must be names or numbers of columns of the fit, each once.")
    }
    kept <- as.integer(columns)
  }
  if (!length(kept)) stop_arg("{.arg columns} must name at least one column.")
  new_part(fit, setdiff(seq_len(fit$d), kept), at, draws, "marginal")
}

# ---- pieces ----------------------------------------------------------------------------------------------------------

check_divisible <- function(fit) {
  if (inherits(fit, "bijectr_part")) {
    stop_arg(c(
      "{.arg fit} is a conditional or marginal distribution already.",
      i = "Of the fit itself, {.code conditional()} takes all that is given at once, and parts of its draws are those of
           {.fn sample}."
    ))
  }
  if (!is.null(fit$dropped)) {
    stop_arg("Fits with {.code collinear = \"drop\"} have no conditional and marginal distributions.")
  }
  if (!is.null(fit$response)) {
    stop_arg("The left side of the formula of this fit is computed from columns: it has no parts that could be given.")
  }
}

# The one row of conditions that a fit is fixed at, encoded; NULL where it has none.
fixed_condition <- function(fit, condition) {
  if (fit$d_condition == 0) return(NULL)
  condition <- take_condition(fit, condition, NULL)
  if (n_rows(condition) != 1) stop_arg("{.arg condition} must be one row, not {n_rows(condition)}.")
  all_rows(condition)
}

column_numbers <- function(fit, names, name) {
  known <- coordinate_labels(fit)
  unknown <- setdiff(names, known)
  if (length(unknown)) {
    stop_arg(c(
      "{.arg {name}} has {.field {unknown}}, which {?is no column/are no columns} of the fit.",
      i = meant(unknown, known, "Did you mean {.field {near}}?") %||% "It has {.field {known}}."
    ))
  }
  if (anyDuplicated(names)) stop_arg("{.arg {name}} has {.field {names[duplicated(names)][1]}} twice.")
  match(names, known)
}

# Values of some columns, encoded: a matrix of all columns, NA in the others.
given_points <- function(fit, values, fixed) {
  codecs <- if (!is.null(fit$codecs)) fit$codecs[fixed]
  x <- take_points(values, length(fixed), names(values), codecs, "...")
  z <- matrix(NA_real_, n_rows(x), fit$d)
  z[, fixed] <- all_rows(x)
  z
}

# A part of a fit: a distribution of the columns that are not `fixed`.
new_part <- function(fit, fixed, condition, draws, kind) {
  free <- setdiff(seq_len(fit$d), fixed)
  given <- if (kind == "conditional") fixed else free # in the density
  form <- fit$form
  if (!is.null(form) && form$kind == "vector") form <- list(kind = "matrix")
  structure(
    list(
      format = FORMAT_VERSION, d = length(free), d_condition = 0L, names = coordinate_labels(fit)[free],
      codecs = if (!is.null(fit$codecs)) fit$codecs[free], condition = NULL, response = NULL, form = form,
      dropped = NULL, of = fit, free = free, fixed = fixed, at = condition, draws = draws,
      exact = is_exact_given(fit, given),
      proposal = make_proposal(fit, given, condition)
    ),
    class = c(paste0("bijectr_", kind), "bijectr_part", "bijectr_flow")
  )
}
