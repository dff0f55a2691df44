#' Hyperbolic tangent with linear tails
#'
#' \eqn{\tanh x}{tanh x} for \eqn{|x| < m}, beyond it the tangent lines at \eqn{\pm m}{+-m}, so that the map is onto the
#' real line. It brings data of any range near \eqn{[-1, 1]}, where a spline can shape them; its inverse brings them
#' back.
#'
#' @section Parameters:
#' None. The log-derivative is \eqn{2 (\log 2 - |x| - \log(1 + e^{-2 |x|}))}{2 (log 2 - |x| - log(1 + e^(-2 |x|)))}
#' inside and its value at \eqn{m} outside.
#'
#' @param max_value Where the tails begin, \eqn{m}, above 0 and at most 15: beyond that the tails are too flat to be
#'   inverted in double precision.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Ward (2022), *FlowJAX: distributions and normalizing flows in JAX*,
#'   <https://github.com/danielward27/flowjax>.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_leaky_tanh()), d = 1)
#' forward(f, c(0, 3, 100))
#' @export
scalar_leaky_tanh <- function(max_value = 3) {
  new_spec("scalar", "leaky_tanh", max_value = check_number(max_value, "max_value", above = 0, max = 15))
}
