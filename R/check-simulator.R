#' Could the simulator have made what was observed?
#'
#' A posterior that was learned from simulations is a guess where the observation is unlike all of them: the model is
#' misspecified, and what the flow says there nobody has checked. A flow is fitted to simulated data, and its log
#' density at the observation compared with that at simulations which it has not seen (Schmitt et al. 2021, Ward et al.
#' 2022).
#'
#' The p-value is exact if observation and simulations are alike, whatever the fit: all have the same chance to be the
#' one of lowest density. It says that the *prior* predictive distribution could have made the observation;
#' [posterior_predictive()] asks the posterior.
#'
#' @param data Simulated data, of parameters from the prior: a numeric matrix or data frame with one row a simulation.
#'   Rows that are not finite are left out.
#' @param observed The observation: one number a column of `data`.
#' @param fit A fit to other simulated data, without conditions; all of `data` are compared with then. By default
#'   [fit_flow()] is given three quarters of `data`, and the others are compared with.
#' @param level A p-value below it is told by a warning of class `bijectr_warning_misspecified`.
#' @param ... What [fit_flow()] is to be told, as `members = 1` or `steps`.
#' @return An object of class `bijectr_simulator_check`, a list:
#'   * `p`: the share of held-out simulations (and the observation) whose log density is not above that of the
#'     observation, its Monte Carlo `error`, and `n`, the number of these simulations;
#'   * `logdensity`: a list of `observed` and `simulated`, the log densities;
#'   * `coordinates`: a data frame with a row a column of `data`: `what`, `observed`, the `median` of the simulated
#'     values, `p`, the two-sided probability of a value as far out, and `p_given_others`, the same of the residual of
#'     its linear regression on the other columns, by which values are seen that do not go together;
#'   * `failed`: the number of simulations that were left out; `fit`, `level`.
#' @references Schmitt, Buerkner, Koethe, Radev (2021), *Detecting model misspecification in amortized Bayesian
#'   inference with neural networks*, arXiv:2112.08866.
#'
#'   Ward, Cannon, Beaumont, Fasiolo, Schmon (2022), *Robust neural posterior estimation and statistical model
#'   criticism*, arXiv:2210.06564.
#' @seealso [sbc()], [posterior_predictive()]
#' @family inference
#' @examples
#' set.seed(1)
#' theta <- rnorm(400)
#' data <- cbind(mean = theta + 0.3 * rnorm(400), sd = sqrt(rchisq(400, 9) / 9))
#' check_simulator(data, c(0.5, 1.1), members = 1, steps = 200)
#' # more spread than the simulator ever makes
#' suppressWarnings(check_simulator(data, c(0.5, 3), members = 1, steps = 200))
#' @export
check_simulator <- function(data, observed, fit = NULL, level = 0.05, ...) {
  check_given("data", "observed")
  level <- check_number(level, "level", above = 0, below = 1)
  if (!is.null(fit)) check_unused(...)
  failed <- failed_rows(open_data(data, "data"))
  data <- as_numeric_matrix(repeat_given(open_data(data, "data"), which(!failed)), "data")
  labels <- colnames(data) %||% paste("column", seq_len(ncol(data)))
  observed <- observed_row(observed, data)
  if (nrow(data) < 40) stop_arg("{.arg data} must have at least 40 finite rows, not {nrow(data)}.")
  held_out <- seq_len(nrow(data))
  if (is.null(fit)) {
    held_out <- sort(sample.int(nrow(data), nrow(data) %/% 4))
    varies <- apply(data[-held_out, , drop = FALSE], 2, function(x) any(x != x[1]))
    if (!any(varies)) stop_arg("All rows of {.arg data} are equal.")
    fit <- fit_flow(data[-held_out, varies, drop = FALSE], ...)
  } else {
    varies <- rep(TRUE, ncol(data))
  }
  # where all simulations that the fit has seen agree, another value is one that the simulator does not make
  constant <- colMeans(data[, !varies, drop = FALSE])
  score <- function(x) {
    value <- quietly(logdensity(fit, x[, varies, drop = FALSE]))
    value[rowSums(x[, !varies, drop = FALSE] != rep(constant, each = nrow(x))) > 0] <- -Inf
    value[is.na(value)] <- -Inf
    value
  }
  simulated <- score(data[held_out, , drop = FALSE])
  own <- score(observed)
  m <- length(simulated)
  p <- (1 + sum(simulated <= own)) / (m + 1)
  found <- structure(
    list(
      p = p, error = sqrt(p * (1 - p) / m), n = m, logdensity = list(observed = own, simulated = simulated),
      coordinates = observed_coordinates(data, observed, labels), failed = sum(failed), fit = fit, level = level
    ),
    class = "bijectr_simulator_check"
  )
  if (p < level) {
    cli::cli_warn(c(
      "The observation is unlike the simulations: {format_p(p)} of them have as low a density.",
      i = "Posteriors given it are guesses. The field {.field coordinates} says what is out of place: mend the
           simulator, or leave such summaries out."
    ), class = "bijectr_warning_misspecified")
  }
  found
}

observed_row <- function(observed, data) {
  if (is.null(dim(observed)) && !is.list(observed)) observed <- rbind(observed)
  observed <- check_finite(as_numeric_matrix(observed, "observed"), "observed")
  if (nrow(observed) == 1 && ncol(observed) == ncol(data)) {
    return(name_columns(unname(pick_columns(observed, colnames(data), "observed")), colnames(data)))
  }
  stop_arg("{.arg observed} must be {ncol(data)} number{?s}, one a column of {.arg data}, not {length(observed)}.")
}

# Two-sided places of the observation among all simulations, column by column, and of what is left of each column after
# a regression on the others.
observed_coordinates <- function(data, observed, labels) {
  two_sided <- function(x, at) min(1, 2 * (1 + min(sum(x <= at), sum(x >= at))) / (length(x) + 1))
  each <- function(f) vapply(seq_len(ncol(data)), f, 0)
  residual <- function(j) {
    if (ncol(data) == 1) return(NA_real_)
    slope <- stats::lm.fit(cbind(1, data[, -j, drop = FALSE]), data[, j])$coefficients
    slope[is.na(slope)] <- 0
    left <- function(x) drop(x[, j] - cbind(1, x[, -j, drop = FALSE]) %*% slope)
    two_sided(left(data), left(observed))
  }
  data.frame(
    what = labels, observed = drop(observed), median = each(function(j) stats::median(data[, j])),
    p = each(function(j) two_sided(data[, j], observed[, j])), p_given_others = each(residual), row.names = NULL
  )
}

#' @rdname check_simulator
#' @param x A check.
#' @return `format()`: the lines that `print()` shows.
#' @export
format.bijectr_simulator_check <- function(x, ...) {
  table <- x$coordinates
  worst <- pmin(table$p, table$p_given_others, na.rm = TRUE)
  shown <- utils::head(table[order(worst), ], 10)
  shown[-1] <- lapply(shown[-1], signif, 3)
  c(
    paste0("<check of a simulator> ", count_text(x$n), " simulations held out",
      if (x$failed > 0) paste0(", ", count_text(x$failed), " failed")),
    paste0("verdict: the observation is ", if (x$p < x$level) "unlike" else "like", " the simulations, p ",
      format_p(x$p), " (error ", format(signif(x$error, 2)), ")"),
    paste0("  log density ", format_nats(x$logdensity$observed), ", of simulations ",
      format_nats(stats::median(x$logdensity$simulated)), " (median)"),
    paste0("  ", utils::capture.output(print(shown, row.names = FALSE))),
    if (nrow(table) > nrow(shown)) paste("  and", nrow(table) - nrow(shown), "more, less far out")
  )
}

#' @rdname check_simulator
#' @export
print.bijectr_simulator_check <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}
