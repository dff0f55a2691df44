#' @rdname layer_chain
#' @export
layer_invert <- function(layer) new_spec("layer", "invert", layer = as_layer(layer, "layer"))

# What an inverted chain stands for are the inverses of its layers in the opposite order.
#' @export
resolve.bijectr_layer_invert <- function(layer, d, d_condition) {
  invert <- function(x) if (inherits(x, "bijectr_layer_invert")) x$layer else layer_invert(x)
  rev(lapply(resolve(layer$layer, d, d_condition), invert))
}

#' @export
initializer.bijectr_layer_invert <- function(layer, inverted = FALSE) initializer(layer$layer, !inverted)

#' @export
bare.bijectr_layer_invert <- function(layer) bare(layer$layer)

#' @export
brief.bijectr_layer_invert <- function(layer) {
  inner <- brief(layer$layer)
  if (inherits(layer$layer, "bijectr_layer_permute")) inner else paste("inverse", inner)
}
