#' Logistic function
#'
#' The map \eqn{y = 1 / (1 + e^{-x})} of the real line onto \eqn{(0, 1)}.
#'
#' @section Parameters:
#' None. The log-derivative is \eqn{-|x| - 2 \log(1 + e^{-|x|})}{-|x| - 2 log(1 + e^(-|x|))}.
#'
#' @section Domain:
#' The inverse is defined on \eqn{(0, 1)}. A point outside has density 0: its inverse is
#' reported as 0 with log-determinant `-Inf`.
#'
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021), *Normalizing flows for probabilistic
#'   modeling and inference*, Journal of Machine Learning Research 22(57), arXiv:1912.02762.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_sigmoid()), d = 1)
#' forward(f, c(-1, 0, 2))
#' inverse(f, c(0.1, 0.5, 0.9))
#' @export
scalar_sigmoid <- function() new_spec("scalar", "sigmoid")
