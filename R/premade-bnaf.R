#' Block neural autoregressive flow
#'
#' Stacks of [layer_block_autoregressive()] with FlowJAX's name and defaults, a permutation after every layer (a random
#' one for more than two coordinates, the flip for two).
#'
#' @inheritParams coupling_flow
#' @param nn_depth,nn_block_dim Hidden layers, and hidden units a coordinate, of each layer's network.
#' @param invert If `TRUE`, the layers run from data to base: fast log densities, and draws by numerical inversion. If
#'   `FALSE` the other way round.
#' @inheritParams layer_block_autoregressive
#' @inherit coupling_flow return
#' @references De Cao, Titov, Aziz (2019), *Block neural autoregressive flow*, arXiv:1904.04676.
#' @family premade flows
#' @examples
#' set.seed(1)
#' f <- flow(block_neural_autoregressive_flow(), d = 2, d_condition = 2)
#' logdensity(f, cbind(0, 1), condition = cbind(1, 3))
#' sample(f, 3, condition = cbind(1, 3))
#' @export
block_neural_autoregressive_flow <- function(flow_layers = 1, nn_depth = 1, nn_block_dim = 8, invert = TRUE,
                                             activation = c("tanh_plus_linear", "leaky_tanh", "leaky_relu"),
                                             min_slope = 0.01, tolerance = 0, max_steps = 300) {
  layer <- layer_block_autoregressive(
    check_count(nn_depth, "nn_depth", min = 0, max = 14), check_count(nn_block_dim, "nn_block_dim", max = 256),
    activation, min_slope, tolerance, max_steps
  )
  stack_flow(layer, flow_layers, invert)
}
