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
#' first map, at depth 0 too. Between the maps stands \eqn{\tanh(t) + 0.01 t}{tanh(t) + 0.01 t}. The start is FlowJAX's:
#' weights are Glorot's uniform draws, rows have length \eqn{1 / |T_i|}, biases and `Wc` are uniform draws up to one
#' over the root of the number of inputs.
#'
#' @param depth Number of hidden layers, 0 to 14; 0 gives a triangular affine map.
#' @param block_dim Hidden units a coordinate, 1 to 256.
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
layer_block_autoregressive <- function(depth = 1, block_dim = 8) {
  new_spec("layer", "block_autoregressive",
    depth = check_count(depth, "depth", min = 0, max = 14),
    block_dim = check_count(block_dim, "block_dim", min = 1, max = 256)
  )
}
