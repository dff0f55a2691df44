#' Planar flow
#'
#' A stack of planar layers with a permutation after every one, as FlowJAX builds it and with its defaults. In
#' [fit_flow()] a step costs little, and densities are smooth; many layers (20 for two moons) are needed.
#'
#' With `invert = TRUE` and tanh, draws solve one equation in one unknown a row and layer; FlowJAX has no inverse there.
#' With conditions each layer's parameters are the outputs of a net.
#'
#' @param flow_layers Number of layers.
#' @param negative_slope `NULL` for tanh, or the slope below 0 of a leaky rectifier, see [layer_planar()].
#' @param nn_width,nn_depth,nn_activation Width, depth and activation of the nets, see [net_mlp()]; only used with
#'   conditions.
#' @param init Initial values without conditions, see [layer_planar()]; `"small"` is FlowJAX's.
#' @inheritParams coupling_flow
#' @return A layer for [flow()] and [fit_flow()].
#' @references Rezende, Mohamed (2015), *Variational inference with normalizing flows*, arXiv:1505.05770.
#' @family premade flows
#' @examples
#' flow(planar_flow(20), d = 2)
#' flow(planar_flow(4, negative_slope = 0.1), d = 3, d_condition = 1)
#' @export
planar_flow <- function(flow_layers = 8, negative_slope = NULL, nn_width = 50, nn_depth = 1, nn_activation = "relu",
                        invert = TRUE, init = c("identity", "small")) {
  net <- perceptron(nn_width, nn_depth, nn_activation, "uniform", "nn_")
  layer <- if (is.null(negative_slope)) {
    layer_planar("tanh", net = net, init = init)
  } else {
    layer_planar("leaky_relu", negative_slope, net = net, init = init)
  }
  stack_flow(layer, flow_layers, invert)
}
