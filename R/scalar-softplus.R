#' Softplus
#'
#' The map \eqn{y = \log(1 + e^x)}{y = log(1 + e^x)} of the real line onto \eqn{(0, \infty)}, close to the identity for
#' large \eqn{x}.
#'
#' @section Parameters:
#' None. The log-derivative is \eqn{-\log(1 + e^{-x})}{-log(1 + e^(-x))}.
#'
#' @section Domain:
#' The inverse is defined on \eqn{(0, \infty)}. A point outside has density 0: its inverse is
#' reported as 0 with log-determinant `-Inf`.
#'
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021), *Normalizing flows for probabilistic
#'   modeling and inference*, Journal of Machine Learning Research 22(57), arXiv:1912.02762.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_softplus()), d = 1)
#' forward(f, c(-1, 0, 2))
#' inverse(f, c(0.1, 1, 10))
#' @export
scalar_softplus <- function() new_spec("scalar", "softplus")
