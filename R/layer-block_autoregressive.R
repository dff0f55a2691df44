#' Block neural autoregressive layer
#'
#' A network of `depth` hidden layers with `block_dim` units a coordinate, whose weights are block triangular: output
#' \eqn{i} depends on the coordinates up to \eqn{i}, and increases in \eqn{x_i} because the weights of its own block are
#' positive. The Jacobian is triangular and its diagonal a product of small positive matrices.
#'
#' `inverse()` solves for one coordinate after the other by a bracketed Newton iteration, to the last few bits; the
#' slopes of the network bound where the root can lie, so it is found for every input. Gradients through the inverse are
#' exact (implicit function theorem). It costs some ten evaluations of the network, so let `forward` be the direction
#' that is needed most.
#'
#' @section Parameters:
#' Linear map \eqn{l = 1, \dots, depth + 1} has raw weights `W1`, `W2`, ..., raw row scales `scale1`, ... and biases
#' `b1`, .... With \eqn{T} equal to \eqn{W} below the diagonal blocks, \eqn{\mathrm{softplus}(W)}{softplus(W)} on them
#' and 0 above, row \eqn{i} of the matrix used is \eqn{\mathrm{softplus}(scale_i) T_i / |T_i|}{softplus(scale_i) T_i /
#' |T_i|}. Entries of \eqn{W} above the blocks take part in nothing. Conditioning variables enter as \eqn{Wc\,c} in the
#' first map, at depth 0 too. Between the maps stands the `activation`. The start is FlowJAX's:
#' weights are Glorot's uniform draws, rows have length \eqn{1 / |T_i|}, biases and `Wc` are uniform draws up to one
#' over the root of the number of inputs.
#'
#' @param depth Number of hidden layers, 0 to 14; 0 gives a triangular affine map.
#' @param block_dim Hidden units a coordinate, 1 to 256.
#' @param activation What stands between the maps: `"tanh_plus_linear"`, \eqn{\tanh(t) + m\,t}{tanh(t) + m t};
#'   `"leaky_tanh"`, \eqn{\tanh(t)}{tanh(t)} up to where its slope is \eqn{m}, and straight from there; or
#'   `"leaky_relu"`, \eqn{t}, and \eqn{m\,t}{m t} below 0. It must increase without bound, or there would be no inverse.
#'   FlowJAX's `LeakyTanh(3)` is `"leaky_tanh"` with `min_slope = 1 / cosh(3)^2`.
#' @param min_slope \eqn{m}, the smallest slope of the activation, from 1e-4 to 1.
#' @param tolerance,max_steps Of the inverse: it ends where a step of Newton's method, relative to the point, is at most
#'   the tolerance (0: in the last bits), with an error after so many steps.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references De Cao, Titov, Aziz (2019), *Block neural autoregressive flow*, arXiv:1904.04676.
#' @family layers
#' @examples
#' set.seed(1)
#' f <- flow(layer_block_autoregressive(depth = 1, block_dim = 4), d = 2)
#' x <- matrix(rnorm(6), 3)
#' y <- forward(f, x)
#' inverse(f, y$value)$value - x
#' @export
layer_block_autoregressive <- function(depth = 1, block_dim = 8,
                                       activation = c("tanh_plus_linear", "leaky_tanh", "leaky_relu"), min_slope = 0.01,
                                       tolerance = 0, max_steps = 300) {
  new_spec("layer", "block_autoregressive",
    depth = check_count(depth, "depth", min = 0, max = 14),
    block_dim = check_count(block_dim, "block_dim", min = 1, max = 256),
    activation = check_choice(activation, c("tanh_plus_linear", "leaky_tanh", "leaky_relu"), "activation"),
    min_slope = check_number(min_slope, "min_slope", min = 1e-4, max = 1),
    tolerance = check_number(tolerance, "tolerance", min = 0, max = 1),
    max_steps = check_count(max_steps, "max_steps", max = 1e6)
  )
}
