#' Heavy tails
#'
#' The tail transform of Hickling and Prangle: it takes a normal coordinate to one with Pareto tails, each side with a
#' weight of its own,
#' \deqn{y = \mu + \sigma \frac{\mathrm{sign}(x)}{\lambda}
#'   \left(\mathrm{erfc}(|x| / \sqrt 2)^{-\lambda} - 1\right),}{
#'   y = mu + sigma (sign(x) / lambda) (erfc(|x| / sqrt(2))^(-lambda) - 1),}
#' \eqn{\lambda} the weight of the side that \eqn{x} is on. Next to the data it gives a flow tails that smooth layers of
#' a normal base cannot have.
#'
#' Far out \eqn{P(|y| > t)} falls as \eqn{t^{-1 / \lambda}}: a Student t distribution with \eqn{\nu} degrees of freedom
#' has \eqn{\lambda = 1 / \nu}, a Cauchy distribution 1. Near 0 the slope is \eqn{\sigma \sqrt{2 / \pi}}{sigma sqrt(2 /
#' pi)}. As \eqn{\lambda} goes to 0 the tails become exponential, not normal: a coordinate with normal tails does better
#' without. The density has a cusp at \eqn{\mu}, which further layers smooth.
#'
#' All is computed on the log scale, so that values keep their digits for \eqn{|x|} of 38 and beyond.
#'
#' @section Parameters:
#' `loc`, `scale`, `left` and `right` are raw, and in units of the arguments, so that a step of an optimizer is the same
#' at every scale of the data: \eqn{\mu} is the argument `loc` plus the argument `scale` times the raw `loc`,
#' \eqn{\sigma} the argument `scale` times \eqn{\mathrm{softplus}(scale) + 0.01}{softplus(scale) + 0.01}, and the
#' weights are \eqn{\mathrm{softplus}(left) + 10^{-7}}{softplus(left) + 10^(-7)} and \eqn{\mathrm{softplus}(right) +
#' 10^{-7}}{softplus(right) + 10^(-7)}.
#'
#' @param loc,scale The \eqn{\mu} and \eqn{\sigma} to start with.
#' @param tail The weights to start with, of the left and of the right tail; one number is for both. From 1e-6 to 100.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Hickling, Prangle (2025), *Flexible tails for normalizing flows*, Proceedings of the 42nd International
#'   Conference on Machine Learning, PMLR 267, 23155-23178, arXiv:2406.16971, \doi{10.48550/arXiv.2406.16971}.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_tail(tail = c(0.1, 0.5))), d = 1)
#' forward(f, c(-4, -2, 0, 2, 4))$value
#' inverse(f, c(-1e6, 1e6))$value
#' @export
scalar_tail <- function(loc = 0, scale = 1, tail = c(0.1, 0.1)) {
  if (!is.numeric(tail) || !length(tail) %in% 1:2) stop_arg("{.arg tail} must be 2 numbers, not {describe(tail)}.")
  for (weight in tail) check_number(weight, "tail", min = 1e-6, max = 100)
  new_spec("scalar", "tail",
    loc = check_number(loc, "loc", min = -1e300, max = 1e300),
    scale = check_number(scale, "scale", min = 1e-290, max = 1e290), tail = rep_len(as.double(tail), 2)
  )
}
