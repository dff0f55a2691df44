#' Rational map whose inverse is the root of a cubic
#'
#' \eqn{y = x + \alpha u / (1 + \beta u^2)} with \eqn{u = x - c}: spreads the points around \eqn{c} apart for
#' \eqn{\alpha > 0}, draws them together for \eqn{\alpha < 0}, and leaves distant points where they are.
#'
#' @section Parameters:
#' `loc` is \eqn{c}; `alpha` and `beta` are raw. \eqn{\alpha} is a logistic function of its raw value, 0 at 0, with
#' values in \eqn{(-0.999, 7.999)}, where the map is monotone; \eqn{\beta = 0.1 + \mathrm{softplus}(beta + 1)}{beta =
#' 0.1 + softplus(beta + 1)}. At the start \eqn{c = 0}, \eqn{\beta = 1}, and the raw `alpha` is drawn from \eqn{N(0,
#' s^2)} with \eqn{s} the `init_scale`. The log-derivative is \eqn{\log(1 + \alpha (1 - \beta u^2) / (1 + \beta
#' u^2)^2)}{log(1 + alpha (1 - beta u^2) / (1 + beta u^2)^2)}. The inverse solves \eqn{\beta u^3 - \beta v u^2 + (\alpha
#' + 1) u - v = 0} for \eqn{v = y - c}.
#'
#' @param init_scale Standard deviation of the initial raw `alpha`, 0 or more; 0 starts at the identity.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Rezende, Mohamed (2015), *Variational inference with normalizing flows*, arXiv:1505.05770, have radial
#'   maps of this kind; the form is that of <https://github.com/mathisgerdes/bijx>.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_cubic_rational()), d = 1)
#' params(f) <- c(0, 3, 0)
#' forward(f, c(-1, 0, 100))
#' @export
scalar_cubic_rational <- function(init_scale = 0.01) {
  new_spec("scalar", "cubic_rational",
    init_scale = check_number(init_scale, "init_scale", min = 0, below = Inf)
  )
}
