#' Radial flow
#'
#' Layers that move points along rays from a trained center, each by a stack of smooth scalar bijections of the radius
#' whose parameters depend on the direction (`conditional = TRUE`) or not.
#'
#' @param scalar The scalar bijection of the stack.
#' @param depth Number of scalar bijections in the stack of one layer.
#' @param flow_layers Number of layers, each with a center and a net of its own.
#' @param net,center,scale See [layer_radial_conditional()].
#' @param conditional If `FALSE`, one set of parameters serves all directions: [layer_radial()], without a net.
#' @param invert If `FALSE`, the layers run from base to data, if `TRUE` from data to base. Both directions cost the
#'   same.
#' @inherit coupling_flow return
#' @family premade flows
#' @examples
#' set.seed(1)
#' f <- flow(radial_flow(scalar_rq_spline(knots = 4), depth = 2, center = c(-0.5, -1)), d = 2)
#' logdensity(f, cbind(0, 1))
#' @export
radial_flow <- function(scalar = scalar_cubic_conjugation(), depth = 64, flow_layers = 1, net = NULL, center = 0,
                        scale = 1, conditional = TRUE, invert = FALSE) {
  stack <- scalar_chain(rep(list(check_family(scalar, "scalar", "scalar")), check_count(depth, "depth")))
  layer <- if (check_flag(conditional, "conditional")) {
    layer_radial_conditional(stack, net, center = center, scale = scale)
  } else {
    if (!is.null(net)) stop_arg("{.arg net} has no use with {.code conditional = FALSE}.")
    layer_radial(stack, center = center, scale = scale)
  }
  layers <- layer_repeat(layer, check_count(flow_layers, "flow_layers"))
  if (check_flag(invert, "invert")) layer_invert(layers) else layers
}
