#' Triangular spline flow
#'
#' A stack as FlowJAX builds it and with its defaults. A layer is \eqn{\mathrm{leaky\_tanh}^{-1} \circ \mathrm{spline}
#' \circ \mathrm{leaky\_tanh}}{leaky_tanh^(-1) o spline o leaky_tanh} on every coordinate, then a weight-normalized
#' lower triangular affine map, then, where there are conditions, the shift \eqn{W_c\, c}{W_c c}; a permutation follows.
#' It has no nets, so few parameters and cheap steps: the parameters of the splines are the same for all rows.
#'
#' @param flow_layers Number of layers.
#' @param knots Number of inner knots of each spline on \eqn{[-1, 1]}, with free slopes at both ends, see
#'   [scalar_rq_spline()].
#' @param tanh_max_val Where the tails of [scalar_leaky_tanh()] begin.
#' @param init Initial matrices, see [layer_triangular_affine()]: `"glorot"` as FlowJAX, `"identity"`, or a function of
#'   the number of coordinates, which is called for each layer.
#' @inheritParams coupling_flow
#' @return A layer for [flow()] and [fit_flow()].
#' @references Durkan, Bekasov, Murray, Papamakarios (2019), *Neural spline flows*, arXiv:1906.04032. Ward (2022),
#'   *FlowJAX: distributions and normalizing flows in JAX*, <https://github.com/danielward27/flowjax>.
#' @family premade flows
#' @examples
#' flow(triangular_spline_flow(flow_layers = 2), d = 2)
#' flow(triangular_spline_flow(flow_layers = 2, init = "identity"), d = 2, d_condition = 1)
#' @export
triangular_spline_flow <- function(flow_layers = 8, knots = 8, tanh_max_val = 3, init = c("glorot", "identity"),
                                   invert = TRUE) {
  squash <- scalar_leaky_tanh(check_number(tanh_max_val, "tanh_max_val", above = 0, max = 15))
  spline <- scalar_rq_spline(knots = knots, interval = c(-1, 1), boundary = "free")
  layer <- layer_chain(
    layer_elementwise(scalar_chain(squash, spline, scalar_invert(squash))),
    layer_triangular_affine(weight_norm = TRUE, init = if (is.character(init)) init[1] else init),
    layer_additive_condition()
  )
  stack_flow(layer, flow_layers, invert)
}
