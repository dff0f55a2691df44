#' Masked autoregressive layer
#'
#' Coordinate \eqn{i} goes through a scalar bijection whose parameters depend on the coordinates before it:
#' \eqn{y_i = f(x_i; \theta(x_1, \dots, x_{i-1}, c))}. A masked net computes all parameters at once, so `forward()`
#' costs one evaluation of the net; the inverse finds one coordinate after the other and costs about as much in all,
#' because each step computes only the units that have become known.
#'
#' @inheritParams layer_coupling
#' @param net The conditioner: [net_mlp()], which can be masked.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Germain, Gregor, Murray, Larochelle (2015), *MADE*, arXiv:1502.03509. Papamakarios, Pavlakou, Murray
#'   (2017), *Masked autoregressive flow for density estimation*, arXiv:1705.07057. Kingma et al. (2016), *Improved
#'   variational inference with inverse autoregressive flow*, arXiv:1606.04934.
#' @family layers
#' @examples
#' f <- flow(layer_autoregressive(scalar_rq_spline(knots = 4)), d = 3)
#' x <- matrix(rnorm(6), 2)
#' y <- forward(f, x)
#' inverse(f, y$value)$value - x
#' @export
layer_autoregressive <- function(scalar = scalar_affine(), net = net_mlp(), add_initial = TRUE) {
  new_spec("layer", "autoregressive",
    scalar = check_conditioned(scalar, "autoregressive"),
    net = check_family(net, "net", "net"),
    add_initial = check_flag(add_initial, "add_initial")
  )
}
