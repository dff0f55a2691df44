#' Shift and scale that start from data
#'
#' \eqn{y_i = \exp(scale_i)\, x_i + loc_i}{y_i = exp(scale_i) x_i + loc_i}, an elementwise affine layer whose initial
#' values [fit_flow()] takes from the training rows: such that the layer's output on its base side has mean 0 and
#' variance 1 in every coordinate. Between the layers of a deep stack it keeps values in range at the start. In a flow
#' that is not fitted it starts at the identity.
#'
#' @section Parameters:
#' `loc` and `scale` (\eqn{d} each): those of [scalar_affine()] with `scale = "exp"`.
#'
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Kingma, Dhariwal (2018), *Glow: generative flow with invertible 1x1 convolutions*, arXiv:1807.03039.
#' @family layers
#' @examples
#' flow(layer_repeat(layer_chain(layer_actnorm(), layer_coupling(), layer_lu_linear()), 4), d = 3)
#' @export
layer_actnorm <- function() new_spec("layer", "actnorm")

# For the core it is an elementwise layer; its class says how it is initialised.
#' @export
resolve.bijectr_layer_actnorm <- function(layer, d, d_condition) {
  elementwise <- layer_elementwise(scalar_affine(scale = "exp"))
  list(structure(elementwise, class = c("bijectr_layer_actnorm", class(elementwise))))
}

# Mean 0 and variance 1 on the base side.
#' @export
initializer.bijectr_layer_actnorm <- function(layer, inverted = FALSE) {
  function(x, weights) {
    center <- weighted_columns(x, weights)
    spread <- sqrt(weighted_columns((x - rep(center, each = nrow(x)))^2, weights))
    spread[!(spread > 0)] <- 1
    if (inverted) list(loc = -center / spread, scale = -log(spread)) else list(loc = center, scale = log(spread))
  }
}

weighted_columns <- function(x, weights) {
  if (is.null(weights)) colMeans(x) else colSums(x * weights) / sum(weights)
}
