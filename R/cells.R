# Normal distributions by cell: a member for columns that are given factors or other conditions of few values. Rows with
# the same values of some conditions are a cell. Of all rows
#
#   z = B' (1, c) + e
#
# by least squares; of the n rows of a cell, with residuals of mean m and squares S about it,
#
#   mean        B' (1, c) + m n / (n + 1)
#   covariance  by an inverse Wishart prior whose mean is the covariance P of all residuals within their cells, and
#               which counts as `strength` (d + 1) rows
#
# and what they predict is a t distribution (Gelman et al. 2013, Bayesian Data Analysis, section 3.6). Values that no
# cell has are given the distribution of residuals of mean 0 and covariance P.
#
# A member is plain data of class bijectr_cells: `d`, `d_condition`, `by` (numbers of conditions), `keys` (values of
# these, a row a cell), and `flows`, one a cell and one for all other values; `params` are those of all flows.

CELL_STRENGTHS <- c(1, 4, 16)
CELL_VALUES <- 12 # of a condition
CELL_CHOICES <- 12

# By which conditions there can be cells: each of few values by itself, and all of these together. `groups` says which
# conditions are of one column.
cell_sizes <- function(problem) {
  given <- problem$condition
  if (is.null(given)) return(list())
  groups <- problem$rules$groups %||% seq_len(n_columns(given))
  look <- look_at_rows(problem$rows$train, problem$weights, rows_enough(n_columns(given)))
  x <- rows_at(given, look$rows)
  few <- Filter(function(by) {
    count <- length(unique(cell_keys(x[, by, drop = FALSE])))
    count > 1 && count <= CELL_VALUES
  }, unname(split(seq_along(groups), groups)))
  if (!length(few)) return(list())
  choices <- unique(c(list(sort(unlist(few))), utils::head(few, CELL_CHOICES)))
  unlist(lapply(choices, function(by) {
    lapply(CELL_STRENGTHS, function(strength) list(by = by, strength = strength, group = by))
  }), recursive = FALSE)
}

# One string a row, the same where values agree to twelve digits.
cell_keys <- function(given) do.call(paste, lapply(seq_len(ncol(given)), function(j) signif(given[, j], 12)))

cells_member <- function(problem, rows, size) {
  at <- closed_rows(problem, rows)
  d <- ncol(at$z)
  w <- at$w %||% rep(1, nrow(at$z))
  x <- with_intercept(at$given)
  found <- weighted_regression(x, at$z, w)
  key <- cell_keys(at$given[, size$by, drop = FALSE])
  first <- which(!duplicated(key))
  cell <- match(key, key[first])
  count <- as.vector(rowsum(w, cell))
  mean <- rowsum(w * found$residual, cell) / count
  centered <- found$residual - mean[cell, , drop = FALSE]
  free <- max(sum(w) - length(first) - ncol(x) + 1, 1)
  within <- crossprod(sqrt(w) * centered) + crossprod(sqrt(count / (count + 1)) * mean) # of means as of one row each
  within <- within / (free + length(first)) + diag(1e-9, d)
  prior <- size$strength * (d + 1)
  flow <- function(shift, squares, n) {
    df <- prior + n # of the inverse Wishart distribution, less d + 1: its mean is `scale` / df
    scale <- (prior * within + squares) * (1 + 1 / (n + 1))
    raw <- raw_mvstudent_t(found$coefficient[1, ] + shift, t(chol(scale / (df + 2))), df + 2)
    closed_flow(problem, base_mvstudent_t(), raw, found$coefficient[-1, , drop = FALSE])
  }
  flows <- lapply(seq_along(first), function(k) {
    i <- which(cell == k)
    flow(mean[k, ] * count[k] / (count[k] + 1), crossprod(sqrt(w[i]) * centered[i, , drop = FALSE]), count[k])
  })
  flows <- c(flows, list(flow(0, 0, 0)))
  list(structure(
    list(
      kind = "cells", d = d, d_condition = ncol(at$given), by = size$by, layers = flows[[1]]$layers,
      keys = unname(at$given[first, size$by, drop = FALSE]), flows = flows,
      params = unlist(lapply(flows, `[[`, "params"))
    ),
    class = "bijectr_cells"
  ))
}

#' @export
check_member.bijectr_cells <- function(object, d, d_condition) {
  whole <- is.numeric(object[["by"]]) && all(object$by %in% seq_len(d_condition)) && is.matrix(object[["keys"]]) &&
    is.numeric(object$keys) && ncol(object$keys) == length(object$by) && is.list(object[["flows"]]) &&
    length(object$flows) == nrow(object$keys) + 1
  if (!isTRUE(whole)) stop_damaged("members")
  for (flow in object$flows) check_member(flow, d, d_condition)
}

# The flow of each row, by its cell.
cells_of_rows <- function(object, condition) {
  here <- cell_keys(rows_at(condition, seq_len(n_rows(condition)))[, object$by, drop = FALSE])
  at <- match(here, cell_keys(object$keys))
  ifelse(is.na(at), length(object$flows), at)
}

# `f(flow, i)` of the rows i of each cell, put together: a vector, or a matrix with one row a row.
by_cell <- function(object, condition, f) {
  cell <- cells_of_rows(object, condition)
  out <- NULL
  for (k in unique(cell)) {
    i <- which(cell == k)
    value <- f(object$flows[[k]], i)
    if (is.null(out)) out <- if (is.matrix(value)) matrix(0, length(cell), ncol(value)) else numeric(length(cell))
    if (is.matrix(value)) out[i, ] <- value else out[i] <- value
  }
  out
}

#' @export
points_density.bijectr_cells <- function(object, points, condition) {
  by_cell(object, condition, function(flow, i) points_density(flow, rows_at(points, i), rows_at(condition, i)))
}

#' @export
points_drawn.bijectr_cells <- function(object, n, condition) {
  by_cell(object, condition, function(flow, i) points_drawn(flow, length(i), rows_at(condition, i)))
}

#' @export
points_cdf.bijectr_cells <- function(object, points, condition, lower_tail, log_p) {
  by_cell(object, condition, function(flow, i) {
    points_cdf(flow, rows_at(points, i), rows_at(condition, i), lower_tail, log_p)
  })
}

#' @export
points_quantile.bijectr_cells <- function(object, p, condition, lower_tail, log_p) {
  by_cell(object, condition, function(flow, i) points_quantile(flow, p[i], rows_at(condition, i), lower_tail, log_p))
}

#' @export
coef.bijectr_cells <- function(object, ...) object$params
