#' Radial layers
#'
#' A scalar bijection on the distance from a center: with \eqn{s = S (x - c)}, \eqn{S =
#' \mathrm{diag}(\exp(log\_scale))}{S = diag(exp(log_scale))}, \eqn{r = \sqrt{|s|^2 + 10^{-14}}}{r = sqrt(|s|^2 +
#' 10^(-14))} and \eqn{r' = F(r) - F(0)}, the map is \eqn{y = c + (r' / r) (x - c)} and its log-determinant \eqn{\log
#' F'(r) + (d - 1) \log(r' / r)}{log F'(r) + (d - 1) log(r' / r)}. The inverse is the same with \eqn{F^{-1}(r + F(0))}.
#'
#' In `layer_radial()` \eqn{F} is the same in all directions. In `layer_radial_conditional()` its raw parameters are the
#' outputs of a net of the direction \eqn{s / r}, and of the conditioning variables if there are any.
#'
#' @section Parameters:
#' `center` and `log_scale`, one number a coordinate, and the raw parameters of the scalar bijection under its own
#' names, or those of the net under `net`.
#'
#' @param scalar The scalar bijection, one of the `scalar_*` functions; it must be defined on the whole line. A stack of
#'   several is [scalar_chain()]; \eqn{F(0)} is subtracted once, for the whole stack.
#' @param net The net of the direction, whose outputs are the raw parameters of `scalar` in the order of its help page.
#'   `NULL`: [net_fourier()] in two dimensions without conditions, otherwise `net_mlp(50, activation = "tanh")`.
#' @param add_initial If `TRUE`, the net's output is added to the scalar's initial raw parameters; if `FALSE` it is the
#'   raw parameter itself.
#' @param center,scale Initial center and scale: one number, or one a coordinate.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Rezende, Mohamed (2015), *Variational inference with normalizing flows*, arXiv:1505.05770, for radial
#'   flows of one parameter family.
#' @family layers
#' @examples
#' set.seed(1)
#' f <- flow(layer_radial(scalar_rq_spline(knots = 4)), d = 2)
#' g <- flow(layer_radial_conditional(scalar_rq_spline(knots = 4), center = c(-0.5, -1)), d = 2)
#' str(params(g))
#' @export
layer_radial <- function(scalar, center = 0, scale = 1) {
  new_spec("layer", "radial",
    scalar = check_family(scalar, "scalar", "scalar"),
    center = check_radial(center, "center"),
    scale = check_radial(scale, "scale", above = 0)
  )
}

check_radial <- function(x, name, above = -Inf) {
  if (!is.numeric(x) || length(x) == 0) stop_arg("{.arg {name}} must be numbers, not {describe(x)}.")
  vapply(x, check_number, numeric(1), name = name, above = above, below = Inf)
}
