#' Scalar bijection on every coordinate
#'
#' Applies a scalar bijection to each coordinate, \eqn{y_i = f(x_i; \theta_i)}.
#'
#' @param scalar The scalar bijection, one of the `scalar_*` functions.
#' @param shared If `TRUE` all coordinates have the same parameters, otherwise each has its own.
#' @return A layer: an object of class `bijectr_layer`.
#' @family layers
#' @examples
#' f <- flow(layer_elementwise(scalar_leaky_relu(0.5), shared = TRUE), d = 2)
#' forward(f, rbind(c(-1, 1), c(2, -2)))
#' @export
layer_elementwise <- function(scalar, shared = FALSE) {
  new_spec("layer", "elementwise",
    scalar = check_family(scalar, "scalar", "scalar"), shared = check_flag(shared, "shared")
  )
}
