#' Fixed shift and scale
#'
#' The frozen layer that [fit_flow()] puts next to the data: \eqn{x = L z + m} with numbers that are not trained. It
#' lets the trained layers work on data of mean 0 and variance 1 while log densities stay in the units of the data.
#'
#' @param loc The shift \eqn{m}, one number a coordinate.
#' @param scale Positive numbers, one a coordinate, or a lower triangular matrix \eqn{L} with a positive diagonal (the
#'   transposed Cholesky factor of a covariance matrix whitens).
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @family layers
#' @examples
#' f <- flow(layer_standardize(c(10, 20), t(chol(matrix(c(4, 1, 1, 2), 2)))), d = 2)
#' forward(f, rbind(c(0, 0), c(1, 0)))
#' @export
layer_standardize <- function(loc, scale) {
  if (!is.numeric(loc) || !all(is.finite(loc))) stop_arg("{.arg loc} must hold finite numbers.")
  if (!is.numeric(scale) || !all(is.finite(scale))) stop_arg("{.arg scale} must hold finite numbers.")
  if (is.matrix(scale)) {
    if (any(dim(scale) != length(loc)) || any(scale[upper.tri(scale)] != 0)) {
      stop_arg("{.arg scale} must be a lower triangular matrix with as many rows as {.arg loc} has numbers.")
    }
    diagonal <- diag(scale)
  } else {
    if (length(scale) != length(loc)) stop_arg("{.arg scale} must have as many numbers as {.arg loc}.")
    diagonal <- scale
  }
  if (any(diagonal <= 0)) stop_arg("{.arg scale} must be positive.")
  storage.mode(scale) <- "double"
  new_spec("layer", "standardize",
    loc = as.double(loc), scale = if (is.matrix(scale)) unname(scale) else as.double(scale)
  )
}
