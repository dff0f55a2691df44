#' Compositions of layers
#'
#' `layer_chain()` applies layers one after another, the first one first. `layer_invert()` turns a layer round.
#' `layer_repeat()` chains several layers of the same structure, each with parameters (and random permutations) of its
#' own.
#'
#' A flow keeps its layers as one flat chain from base to data: chains in chains are flattened, and an inverted chain
#' becomes the chain of the inverted layers in the opposite order. `params()` lists layers in that order.
#'
#' @param ... Layers, or lists of layers.
#' @param layer A layer.
#' @param times How many times.
#' @return A layer: an object of class `bijectr_layer`.
#' @family layers
#' @examples
#' block <- layer_chain(layer_coupling(), layer_flip())
#' flow(layer_repeat(block, 4), d = 2)
#' flow(layer_invert(layer_repeat(block, 4)), d = 2)
#' @export
layer_chain <- function(...) {
  layers <- unlist_layers(list(...))
  new_spec("layer", "chain", layers = layers)
}

#' @rdname layer_chain
#' @export
layer_repeat <- function(layer, times) {
  new_spec("layer", "repeat", layer = as_layer(layer, "layer"), times = check_count(times, "times"))
}

# Lists of layers, nested or not, as one list.
unlist_layers <- function(x) {
  if (inherits(x, "bijectr_layer")) return(list(x))
  if (!is.list(x) || inherits(x, "bijectr_spec")) check_family(x, "layer", "layers")
  unlist(lapply(unname(x), unlist_layers), recursive = FALSE)
}

# What users may give as `layers`: a layer or a list of them.
as_layer <- function(x, name) {
  if (is.list(x) && !inherits(x, "bijectr_spec")) return(layer_chain(x))
  check_family(x, "layer", name)
}

# The flat list of layers of a flow of d coordinates, base side first, with everything that depends on d and on the
# number of conditions decided.
flatten_layers <- function(layer, d, d_condition = 0, inverted = FALSE) {
  parts <- switch(layer$kind,
    chain = layer$layers,
    `repeat` = rep(list(layer$layer), layer$times),
    invert = return(flatten_layers(layer$layer, d, d_condition, !inverted)),
    NULL
  )
  if (!is.null(parts)) {
    parts <- lapply(parts, flatten_layers, d = d, d_condition = d_condition, inverted = inverted)
    return(unlist(if (inverted) rev(parts) else parts, recursive = FALSE))
  }
  layer <- resolve_layer(layer, d, d_condition)
  if (is.null(layer)) return(list())
  if (inverted) layer <- layer_invert(layer)
  list(layer)
}

# NULL for a layer that does nothing here.
resolve_layer <- function(layer, d, d_condition) {
  i <- seq_len(d)
  switch(layer$kind,
    flip = layer_permute(rev(i)),
    roll = layer_permute((i - 1 - layer$shift) %% d + 1),
    permute = if (is.null(layer$permutation)) layer_permute(draw_permutation(d)) else layer,
    lu_linear = if (is.null(layer$permutation)) layer_lu_linear(draw_permutation(d)) else layer,
    householder = if (is.null(layer$n_reflections)) layer_householder(d) else layer,
    actnorm = resolve_actnorm(),
    additive_condition = if (d_condition > 0) layer,
    planar = resolve_planar(layer, d_condition),
    radial_conditional = resolve_radial_conditional(layer, d, d_condition),
    continuous = resolve_continuous(layer, d),
    layer
  )
}

draw_permutation <- function(d) {
  if (d <= 2) return(rev(seq_len(d)))
  repeat {
    permutation <- sample.int(d)
    if (any(permutation != seq_len(d))) return(permutation)
  }
}
