#' Shift and scale that start from data
#'
#' \eqn{y_i = \exp(scale_i)\, x_i + loc_i}, an elementwise affine layer whose initial values [fit_flow()] takes from the
#' training rows: such that the layer's output on its base side has mean 0 and variance 1 in every coordinate. Between
#' the layers of a deep stack it keeps values in range at the start. In a flow that is not fitted it starts at the
#' identity.
#'
#' @section Parameters:
#' `loc` and `scale` (\eqn{d} each): those of [scalar_affine()] with `scale = "exp"`.
#'
#' @return A layer: an object of class `bijectr_layer`.
#' @references Kingma, Dhariwal (2018), *Glow: generative flow with invertible 1x1 convolutions*, arXiv:1807.03039.
#' @family layers
#' @examples
#' flow(layer_repeat(layer_chain(layer_actnorm(), layer_coupling(), layer_lu_linear()), 4), d = 3)
#' @export
layer_actnorm <- function() new_spec("layer", "actnorm")

# The elementwise layer that it becomes in a flow; the mark is for initialize_from_data().
resolve_actnorm <- function() {
  layer <- layer_elementwise(scalar_affine(scale = "exp"))
  layer$actnorm <- TRUE
  layer
}

# Goes from the data to the base and gives every actnorm layer, in this order, the initial values that make mean 0 and
# variance 1 of its output on the base side.
initialize_from_data <- function(flow, data, condition = NULL, weights = NULL) {
  layers <- flow$layers$layers
  is_actnorm <- function(layer) isTRUE(layer$actnorm) || (layer$kind == "invert" && isTRUE(layer$layer$actnorm))
  at <- rev(which(vapply(layers, is_actnorm, logical(1))))
  before <- length(layers)
  for (i in at) {
    data <- inverse_through(flow, seq_len(before)[seq_len(before) > i], data, condition)
    center <- weighted_columns(data, weights)
    spread <- sqrt(weighted_columns((data - rep(center, each = nrow(data)))^2, weights))
    spread[!(spread > 0)] <- 1
    p <- params(flow)
    p$layers[[i]] <- if (layers[[i]]$kind == "invert") {
      list(loc = -center / spread, scale = -log(spread))
    } else {
      list(loc = center, scale = log(spread))
    }
    params(flow) <- p
    before <- i
  }
  flow
}

weighted_columns <- function(x, weights) {
  if (is.null(weights)) colMeans(x) else colSums(x * weights) / sum(weights)
}

# Rows of `data` taken back through some of the layers of a flow, neighbours of each other.
inverse_through <- function(flow, which, data, condition) {
  if (length(which) == 0) return(data)
  slots <- param_slots(flow)
  inside <- vapply(slots, function(slot) {
    slot$path[1] == "layers" && as.integer(slot$path[2]) %in% which
  }, logical(1))
  part <- flow
  part$base <- base_normal()
  part$layers$layers <- flow$layers$layers[which]
  part["params"] <- list(as.double(flow$params[unlist(lapply(slots[inside], `[[`, "index"))]))
  native_map(part, data, condition, inverse = TRUE)$value
}
