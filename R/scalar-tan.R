#' Tangent
#'
#' The map \eqn{y = \tan(\pi (x - 1/2))}{y = tan(pi (x - 1/2))} of the unit interval onto the real line: the quantile
#' function of the Cauchy distribution.
#'
#' @section Parameters:
#' None. The log-derivative is \eqn{\log \pi + \log(1 + y^2)}{log pi + log(1 + y^2)}.
#'
#' @section Domain:
#' The map is defined on \eqn{(0, 1)}. A point outside has density 0: its value is reported as 0 with log-determinant
#' `-Inf`. The inverse is defined on the real line; in double precision it is 1 from \eqn{y = 5.7 \cdot 10^{15}}{y = 5.7
#' * 10^15}.
#'
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan (2021), *Normalizing flows for probabilistic
#'   modeling and inference*, Journal of Machine Learning Research 22(57), arXiv:1912.02762.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_tan()), d = 1)
#' forward(f, c(0.25, 0.5, 0.75))
#' @export
scalar_tan <- function() new_spec("scalar", "tan")
