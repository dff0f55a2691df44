#' Power
#'
#' The map \eqn{y = x^p} of the positive half line onto itself; decreasing if \eqn{p < 0}.
#'
#' @section Parameters:
#' None. The log of the absolute derivative is \eqn{\log |p| + (p - 1) \log x}{log |p| + (p - 1) log x}.
#'
#' @section Domain:
#' Both directions are defined on \eqn{(0, \infty)}. A point outside has density 0: its value is reported as 0 with
#' log-determinant `-Inf`.
#'
#' @param exponent The exponent \eqn{p}, not 0.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Box, Cox (1964), *An analysis of transformations*, Journal of the Royal Statistical Society B 26(2),
#'   \doi{10.1111/j.2517-6161.1964.tb00553.x}.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_power(0.5)), d = 1)
#' forward(f, c(1, 4, 9))
#' @export
scalar_power <- function(exponent) {
  exponent <- check_number(exponent, "exponent", above = -Inf, below = Inf)
  if (exponent == 0) stop_arg("{.arg exponent} must not be 0: the power would be constant.")
  new_spec("scalar", "power", exponent = exponent)
}
