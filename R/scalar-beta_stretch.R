#' Stretch of the unit interval
#'
#' \eqn{y = x^a / (x^a + (1 - x)^a)}, that is \eqn{\mathrm{logit}\, y = a \, \mathrm{logit}\, x}{logit y = a logit x}:
#' it draws the points of the unit interval towards its ends for \eqn{a > 1}, towards its middle for \eqn{a < 1}.
#'
#' @section Parameters:
#' `a` is raw: \eqn{a = \mathrm{softplus}(raw)}{a = softplus(raw)}, kept within \eqn{2^{\pm 300}}{2^(+-300)}; 1 at the
#' start, the identity. The log-derivative is \eqn{\log a + \log(y (1 - y)) - \log(x (1 - x))}{log a + log(y (1 - y)) -
#' log(x (1 - x))}.
#'
#' @section Domain:
#' Both directions are defined on \eqn{(0, 1)}. A point outside has density 0: its value is reported as 0 with
#' log-determinant `-Inf`.
#'
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references The form is that of <https://github.com/mathisgerdes/bijx>.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_beta_stretch()), d = 1)
#' params(f) <- 2
#' forward(f, c(0.1, 0.5, 0.9))
#' @export
scalar_beta_stretch <- function() new_spec("scalar", "beta_stretch")
