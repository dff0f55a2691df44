#' Posterior predictive draws
#'
#' Draws parameters from a posterior given an observation, and simulates data from each. If the model is right, the
#' observation looks like one of these.
#'
#' @inheritParams sbc
#' @param fit A fit of parameters given data, as [fit_rounds()], which keeps draws within the prior, or `fit_flow(theta,
#'   condition = data)` make it; or a flow of the parameters without conditions, as fits to a log density or a model
#'   are: then with `observed`.
#' @param simulator A function of a matrix of parameters, one row each, or of a data frame of them for a fit to one,
#'   that returns data with a row for each, a matrix or a data frame.
#' @param condition The observation that the parameters are drawn given, one row; by default that of a fit in rounds.
#' @param n Number of draws.
#' @param observed What the simulated data are compared with: one number a column of these, by default `condition`.
#'   Where the simulator returns other columns than the fit takes, there is no comparison unless it is given.
#' @return An object of class `bijectr_predictive`, a list:
#'   * `data`: what the simulator returned, with `NA` in rows that are not finite, and `failed`, the number of these;
#'   * `theta`: the parameters, one row each, as [sample()] gives them;
#'   * `quantiles`: a data frame with one row a column of `data`: `what`, the quantiles `low` (5 per cent), `median` and
#'     `high` (95 per cent), `observed`, and `below`, the share of the simulated values that are lower, equal ones
#'     counted half (both `NA` without an observation).
#' @seealso [check_simulator()] asks whether the prior could have made the observation.
#' @family inference
#' @examples
#' set.seed(1)
#' simulator <- function(theta) theta + 0.5 * rnorm(length(theta))
#' theta <- matrix(rnorm(1000), 500, dimnames = list(NULL, c("a", "b")))
#' fit <- fit_flow(theta, condition = simulator(theta), members = 1, steps = 200)
#' predicted <- posterior_predictive(fit, simulator, c(a = 0.5, b = 1), n = 500)
#' predicted
#' plot(predicted)
#' @export
posterior_predictive <- function(fit, simulator, condition = NULL, n = 1000, observed = NULL, ...) {
  check_unused(...)
  check_given("fit", "simulator")
  if (!is.function(simulator)) stop_arg("{.arg simulator} must be a function, not {.obj_type_friendly {simulator}}.")
  n <- check_count(n, "n")
  if (condition_rows(fit, condition) != 1) stop_arg("{.arg condition} must be one row, the observation.")
  given <- if (is.null(observed)) condition %||% fit[["observed"]] else observed
  theta <- sample(fit, n, condition = condition)
  data <- of_user(simulator(if (is.null(dim(theta))) matrix(theta) else theta), "The simulator")
  check_simulated_rows(data, n)
  failed <- sum(failed_rows(data))
  data <- blank_failed(data)
  structure(
    list(
      data = data, theta = theta, failed = failed, quantiles = predictive_quantiles(data, given, !is.null(observed))
    ),
    class = "bijectr_predictive"
  )
}

predictive_quantiles <- function(data, observed, asked) {
  columns <- as.list(as.data.frame(data))
  if (length(dim(data)) < 2 || is.null(colnames(data))) names(columns) <- paste("column", seq_along(columns))
  if (!all(vapply(columns, is.numeric, NA))) return(NULL)
  observed <- unlist(observed)
  if (!is.null(names(observed)) && setequal(names(observed), names(columns))) observed <- observed[names(columns)]
  if (!is.null(observed) && (!is.numeric(observed) || length(observed) != length(columns))) {
    if (asked) stop_arg("{.arg observed} must be {length(columns)} number{?s}, one a column of the simulated data.")
    observed <- NULL
  }
  observed <- as.double(observed %||% rep(NA_real_, length(columns)))
  each <- function(p) vapply(columns, stats::quantile, 0, p, na.rm = TRUE, names = FALSE, USE.NAMES = FALSE)
  below <- mapply(function(x, at) mean((x < at) + (x == at) / 2, na.rm = TRUE), columns, observed, USE.NAMES = FALSE)
  below[is.na(observed)] <- NA
  data.frame(
    what = names(columns), low = each(0.05), median = each(0.5), high = each(0.95), observed = observed, below = below
  )
}

#' @rdname posterior_predictive
#' @param x Posterior predictive draws.
#' @return `format()`: the lines that `print()` shows.
#' @export
format.bijectr_predictive <- function(x, ...) {
  n <- NROW(x$data)
  table <- utils::head(x$quantiles, 20)
  if (!is.null(table) && all(is.na(table$observed))) table <- table[1:4]
  table[-1] <- lapply(table[-1], signif, 3)
  c(
    paste0("<posterior predictive draws> ", count_text(n), if (x$failed > 0) paste0(", ", x$failed, " of them failed")),
    if (!is.null(table)) paste0("  ", utils::capture.output(print(table, row.names = FALSE))),
    if (NROW(x$quantiles) > 20) paste0("  and ", nrow(x$quantiles) - 20, " more columns")
  )
}

#' @rdname posterior_predictive
#' @export
print.bijectr_predictive <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname posterior_predictive
#' @param row.names,optional Not used.
#' @return `as.data.frame()`: `quantiles`.
#' @export
as.data.frame.bijectr_predictive <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_unused(...)
  x$quantiles
}

#' @rdname posterior_predictive
#' @return `plot()`: the draws, invisibly; each column in units of the range from its 5 to its 95 per cent quantile,
#'   from -1 to 1, with the observation as a point. `autoplot()`: a plot of ggplot2.
#' @export
plot.bijectr_predictive <- function(x, ...) draw_picture(picture_of(x, ...))

#' @rdname posterior_predictive
#' @param object As `x`.
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_predictive <- function(object, ...) ggplot_picture(picture_of(object, ...))

#' @exportS3Method
make_picture.bijectr_predictive <- function(x, ..., envir) {
  check_unused(...)
  table <- utils::head(x$quantiles, 30)
  if (is.null(table)) stop_arg("There is nothing to show: not all columns of the simulated data are numbers.")
  center <- (table$low + table$high) / 2
  half <- pmax((table$high - table$low) / 2, 1e-300)
  scaled <- function(v) (v - center) / half
  n <- nrow(table)
  y <- rev(seq_len(n))
  at <- scaled(table$observed)
  far <- !is.na(at) & abs(at) > 3
  shown <- pmin(pmax(at, -3), 3)
  color <- opaque(DATA_COLOR)
  near <- !far & !is.na(at)
  items <- list(
    item_lines(rep(c(-1, 1, NA), n), rep(y, each = 3), "grey75", lwd = 6),
    item_points(scaled(table$median), y, FLOW_COLOR, pch = 124, cex = 1),
    item_points(shown[near], y[near], color, pch = 19, cex = 1),
    item_points(shown[far], y[far], color, pch = 8, cex = 1)
  )
  new_picture(list(new_panel(items, range(shown, -1.5, 1.5, na.rm = TRUE), c(0.5, n + 0.5),
    "Observation; -1 to 1: 90 % of the predictive draws", "", yticks = list(at = y, labels = table$what)
  )), shown = x)
}
