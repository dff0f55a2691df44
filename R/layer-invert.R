#' @rdname layer_chain
#' @export
layer_invert <- function(layer) new_spec("layer", "invert", layer = as_layer(layer, "layer"))
