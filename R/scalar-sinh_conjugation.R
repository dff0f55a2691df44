#' Conjugation of an affine map by the hyperbolic sine
#'
#' \eqn{y = c + \alpha \, \mathrm{asinh}(e^\mu (e^\nu \sinh((x - c) / \alpha) + \beta))}{y = c + alpha asinh(e^mu (e^nu
#' sinh((x - c) / alpha) + beta))}: an affine map as the hyperbolic sine sees it. It is smooth, has linear tails of
#' slope 1 and a closed inverse of the same form.
#'
#' @section Parameters:
#' `loc` is \eqn{c} and `beta` is \eqn{\beta}; `alpha`, `mu` and `nu` are raw: \eqn{\alpha = \mathrm{softplus}(alpha) +
#' 0.1}{alpha = softplus(alpha) + 0.1}, \eqn{\mu = \mathrm{asinh}(mu)}{mu = asinh(mu)}, \eqn{\nu =
#' \mathrm{asinh}(nu)}{nu = asinh(nu)}. At the start \eqn{c = \mu = \nu = 0}, \eqn{\alpha = 1} and \eqn{\beta} is drawn
#' from \eqn{N(0, s^2)} with \eqn{s} the `init_scale`. With \eqn{u = (x - c) / \alpha} and \eqn{z} the argument of
#' asinh, the log-derivative is \eqn{\mu + \nu + \log\cosh u - \log(1 + z^2) / 2}{mu + nu + log cosh u - log(1 + z^2) /
#' 2}.
#'
#' Where the hyperbolic sine would overflow its asymptote is used, so that values and log-derivatives are finite and
#' accurate for every double.
#'
#' @inheritParams scalar_cubic_conjugation
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Jones, Pewsey (2009), *Sinh-arcsinh distributions*, Biometrika 96(4), \doi{10.1093/biomet/asp053}.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_sinh_conjugation()), d = 1)
#' forward(f, c(-1, 0, 800))
#' @export
scalar_sinh_conjugation <- function(init_scale = 0.01) {
  new_spec("scalar", "sinh_conjugation",
    init_scale = check_number(init_scale, "init_scale", min = 0, below = Inf)
  )
}
