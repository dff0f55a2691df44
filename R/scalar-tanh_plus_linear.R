#' Hyperbolic tangent plus a line
#'
#' The map \eqn{y = \tanh x + m x}{y = tanh x + m x} of the real line onto itself: steep around 0, of slope \eqn{m} in
#' the tails. It is the activation of [layer_block_autoregressive()] as a bijection of its own.
#'
#' @section Parameters:
#' None. The log-derivative is \eqn{\log(m + 1 - \tanh(x)^2)}{log(m + 1 - tanh(x)^2)}. The inverse is found by Newton's
#' method, to about \eqn{10^{-16} / m}.
#'
#' @param min_slope The slope of the tails, \eqn{m}, at least `1e-6` and at most 1.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references De Cao, Titov, Aziz (2019), *Block neural autoregressive flow*, arXiv:1904.04676.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_tanh_plus_linear()), d = 1)
#' forward(f, c(0, 3, 100))
#' @export
scalar_tanh_plus_linear <- function(min_slope = 0.01) {
  new_spec("scalar", "tanh_plus_linear", min_slope = check_number(min_slope, "min_slope", min = 1e-6, max = 1))
}
