# Distributions over a few values of one coordinate, given conditions or not: members of the stacks of factors, and
# beside flows of those of whole numbers. Each is plain data of class bijectr_categories and one of its own, with
# `kind`, `d`
# (1), `d_condition`, `values` (the numbers that the coordinate can be, ascending), `params` (numbers), and what its
# method of log_shares() needs beside. What a distribution does with points, see density.R, follows from these shares.

new_categories <- function(kind, values, d_condition, params, ...) {
  structure(
    list(kind = kind, d = 1L, d_condition = as.integer(d_condition), values = values, params = params, ...),
    class = c(paste0("bijectr_", kind), "bijectr_categories")
  )
}

# Log probabilities of the values, one row for each of n rows of conditions.
log_shares <- function(object, condition, n) UseMethod("log_shares")

#' @export
check_member.bijectr_categories <- function(object, d, d_condition) {
  whole <- is.numeric(object[["values"]]) && length(object$values) > 0 && !anyNA(object$values) &&
    is.numeric(object[["params"]]) && !anyNA(object$params) &&
    identical(as.numeric(object[["d_condition"]]), as.numeric(d_condition)) && isTRUE(intact_categories(object))
  if (!whole) stop_damaged("members")
}

# And whether it has what its kind needs.
intact_categories <- function(object) UseMethod("intact_categories")

#' @export
intact_categories.default <- function(object) FALSE

# ---- what a distribution does with points ----------------------------------------------------------------------------

#' @export
points_density.bijectr_categories <- function(object, points, condition) {
  at <- match(column(points, 1), object$values)
  value <- log_shares(object, condition, length(at))[cbind(seq_along(at), at)]
  value[is.na(at)] <- -Inf
  value
}

#' @export
whole_density.bijectr_categories <- function(object, points, condition) points_density(object, points, condition)

# Of whole numbers.
#' @export
interval_density.bijectr_categories <- function(object, observed, condition) {
  points_density(object, matrix(observed$lower + 0.5), condition)
}

#' @export
points_drawn.bijectr_categories <- function(object, n, condition) {
  total <- cumulated_shares(object, condition, n, TRUE)
  at <- 1L + rowSums(total[, -ncol(total), drop = FALSE] < stats::runif(n))
  matrix(object$values[at])
}

#' @export
points_cdf.bijectr_categories <- function(object, points, condition, lower_tail, log_p) {
  x <- column(points, 1)
  at <- findInterval(x, object$values)
  k <- length(object$values)
  total <- cumulated_shares(object, condition, length(x), lower_tail)
  # beyond an end there is nothing; above, P(X > x) begins with the value behind x
  from <- if (lower_tail) at else at + 1L
  value <- ifelse(from >= 1 & from <= k, total[cbind(seq_along(x), pmin(pmax(from, 1L), k))], 0)
  if (log_p) log(value) else value
}

#' @export
points_quantile.bijectr_categories <- function(object, p, condition, lower_tail, log_p) {
  p <- if (log_p) exp(p) else p
  total <- cumulated_shares(object, condition, length(p), lower_tail)
  k <- ncol(total)
  slack <- 1 + 1e-12 # sums that are p but for rounding have reached it
  at <- if (lower_tail) {
    1L + rowSums(total[, -k, drop = FALSE] * slack < p)
  } else {
    1L + rowSums(total[, -1, drop = FALSE] > p * slack)
  }
  object$values[at]
}

# P(X <= value), or P(X >= value).
cumulated_shares <- function(object, condition, n, lower_tail) {
  share <- exp(log_shares(object, condition, n))
  k <- ncol(share)
  order <- if (lower_tail) seq_len(k) else rev(seq_len(k))
  for (j in seq_len(k - 1)) share[, order[j + 1]] <- share[, order[j]] + share[, order[j + 1]]
  share
}

# Weights of rows by value: n rows, a column a value.
indicate_values <- function(x, values, w = NULL) {
  out <- matrix(0, length(x), length(values))
  out[cbind(seq_along(x), match(x, values))] <- w %||% 1
  out
}

#' @export
coef.bijectr_categories <- function(object, ...) object$params
