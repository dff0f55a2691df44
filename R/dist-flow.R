# Fits as elements of vectors of the package distributional: list(object, condition), one row of conditions each.

#' Fits as a vector of distributions
#'
#' One distribution for each row of conditions, as a vector of \pkg{distributional}: `mean()`, `median()`, `quantile()`,
#' `density()`, `distributional::cdf()`, `distributional::generate()`, `distributional::hdr()` and all else that takes
#' such vectors, as the geoms of \pkg{ggdist}, take it.
#'
#' @param object A flow, a fit, or a [conditional()] or [marginal()] distribution of it.
#' @param condition Values of the conditioning variables, as in [logdensity()]: a distribution for each row. Of flows
#'   without conditions there is one distribution.
#' @return A vector of class `distribution`. Means and covariances are those of [predict()][predict.bijectr_flow()],
#'   of several coordinates by draws. The other functions need one coordinate, but
#'   `density()` and `generate()`.
#' @family methods
#' @examplesIf requireNamespace("distributional", quietly = TRUE)
#' set.seed(1)
#' fit <- fit_flow(eruptions ~ waiting, data = faithful, steps = 200)
#' after <- dist_flow(fit, data.frame(waiting = c(50, 80)))
#' after
#' mean(after)
#' quantile(after, 0.9)
#' distributional::hdr(after, 80)
#' @export
dist_flow <- function(object, condition = NULL) {
  rlang::check_installed("distributional", "for vectors of distributions.")
  check_object(object)
  if (object$d_condition > 0) {
    n <- n_rows(take_condition(object, condition, NULL))
  } else {
    take_condition(object, condition, 1) # says that there are none
    n <- if (is_part(object)) count_given(object) else 1
    if (n > 1) stop_arg("{.arg object} must be a distribution of one given row, not {n}.")
  }
  # of one row conditions may be a vector
  given <- if (n == 1) list(condition) else lapply(seq_len(n), function(i) repeat_given(condition, i))
  elements <- lapply(given, function(row) list(object = object, condition = row))
  distributional::new_dist(element = elements, class = "dist_bijectr")
}

# What new_dist() keeps of it.
dist_parts <- function(x) {
  x <- unclass(x)
  x$element %||% x[[1]]
}

#' @export
format.dist_bijectr <- function(x, ...) paste0("flow[", dist_parts(x)$object$d, "d]")

# Points of several coordinates come as a list of matrices, or of the rows of one.
dist_points <- function(at) if (is.list(at) && !is.data.frame(at)) do.call(rbind, at) else at

#' @importFrom stats density
#' @export
density.dist_bijectr <- function(x, at, ...) exp(log_density.dist_bijectr(x, at))

#' @exportS3Method distributional::log_density
log_density.dist_bijectr <- function(x, at, ...) {
  parts <- dist_parts(x)
  logdensity(parts$object, dist_points(at), parts$condition)
}

#' @importFrom stats quantile
#' @export
quantile.dist_bijectr <- function(x, p, ...) {
  parts <- dist_parts(x)
  qflow(p, parts$object, condition = parts$condition)
}

#' @exportS3Method distributional::cdf
cdf.dist_bijectr <- function(x, q, ...) {
  parts <- dist_parts(x)
  pflow(q, parts$object, condition = parts$condition)
}

#' @exportS3Method generics::generate
generate.dist_bijectr <- function(x, times, ...) {
  parts <- dist_parts(x)
  draws <- sample(parts$object, times, parts$condition)
  if (parts$object$d == 1) draws_of_one(draws) else draws
}

# Of one coordinate, in whatever form they came.
draws_of_one <- function(draws) if (is.data.frame(draws)) draws[[1]] else as.vector(draws)

#' @export
mean.dist_bijectr <- function(x, ...) {
  parts <- dist_parts(x)
  value <- flow_response(parts$object, NULL, parts$condition)
  if (parts$object$d == 1) as.double(value) else value
}

#' @exportS3Method distributional::covariance
covariance.dist_bijectr <- function(x, ...) {
  parts <- dist_parts(x)
  value <- flow_covariance(parts$object, NULL, parts$condition)
  if (parts$object$d == 1) value[1] else list(matrix(value[1, , ], parts$object$d))
}

#' @exportS3Method distributional::variance
variance.dist_bijectr <- function(x, ...) {
  parts <- dist_parts(x)
  value <- flow_covariance(parts$object, NULL, parts$condition)
  if (parts$object$d == 1) value[1] else list(diag(matrix(value[1, , ], parts$object$d)))
}
