#' Conjugation of a shift by a cubic
#'
#' \eqn{y = c + g^{-1}(g(x - c) + \beta)} with \eqn{g(u) = a u + b u^3}: a shift by \eqn{\beta} as \eqn{g} sees it. It
#' moves points near \eqn{c} far and distant points little, from the real line onto itself, with a closed inverse; a
#' stack of them (see [scalar_chain()]) bends a density into any shape.
#'
#' @section Parameters:
#' `loc` is \eqn{c} and `beta` is \eqn{\beta}; `a` and `b` are raw, the coefficients are \eqn{\exp(2 \tanh(raw /
#' 2))}{exp(2 tanh(raw / 2))}, between 0.135 and 7.39. At the start `loc` is 0, `beta` is drawn from \eqn{N(0, s^2)}
#' with \eqn{s} the `init_scale`, and the coefficients are 1 and 0.3. The log-derivative is \eqn{\log g'(x - c) - \log
#' g'(y - c)}{log g'(x - c) - log g'(y - c)}.
#'
#' The inverse is the same map with \eqn{-\beta}. Both are finite and accurate for every double, also where \eqn{g}
#' itself would overflow.
#'
#' @param init_scale Standard deviation of the initial `beta`, 0 or more; 0 starts at the identity.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references The form is that of <https://github.com/mathisgerdes/bijx>.
#' @family scalar bijections
#' @examples
#' stack <- scalar_chain(rep(list(scalar_cubic_conjugation()), 8))
#' f <- flow(layer_elementwise(stack), d = 1)
#' forward(f, c(-1, 0, 2))
#' @export
scalar_cubic_conjugation <- function(init_scale = 0.01) {
  new_spec("scalar", "cubic_conjugation",
    init_scale = check_number(init_scale, "init_scale", min = 0, below = Inf)
  )
}
