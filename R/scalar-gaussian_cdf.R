#' Distribution function of the normal distribution
#'
#' The map \eqn{y = \Phi(x)} of the real line onto \eqn{(0, 1)}. After [scalar_affine()] in a [scalar_chain()] it is
#' that of a normal distribution with trained mean and standard deviation.
#'
#' @section Parameters:
#' None. The log-derivative is \eqn{-x^2 / 2 - \log\sqrt{2 \pi}}{-x^2 / 2 - log sqrt(2 pi)}.
#'
#' @section Domain:
#' The inverse, the quantile function, is defined on \eqn{(0, 1)}. A point outside has density 0: its inverse is
#' reported as 0 with log-determinant `-Inf`. In double precision \eqn{\Phi(x)} is 1 from \eqn{x = 8.3} and 0 below
#' \eqn{x = -38}.
#'
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Wichura (1988), *Algorithm AS 241: the percentage points of the normal distribution*, Applied Statistics
#'   37(3), \doi{10.2307/2347330}, for the inverse.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_gaussian_cdf()), d = 1)
#' forward(f, c(-1.96, 0, 1.96))
#' @export
scalar_gaussian_cdf <- function() new_spec("scalar", "gaussian_cdf")
