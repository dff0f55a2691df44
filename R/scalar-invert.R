#' The other direction of a scalar bijection
#'
#' The map whose forward direction is the inverse of the one given, with the same parameters.
#'
#' @section Parameters:
#' Those of `scalar`, under the same names.
#'
#' @param scalar A scalar bijection.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_invert(scalar_exp())), d = 1)
#' forward(f, exp(1:3))$value
#' @export
scalar_invert <- function(scalar) {
  check_family(scalar, "scalar", "scalar")
  if (inherits(scalar, "bijectr_scalar_invert")) return(scalar$scalar)
  new_spec("scalar", "invert", scalar = scalar)
}
