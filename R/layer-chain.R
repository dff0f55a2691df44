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
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @family layers
#' @examples
#' block <- layer_chain(layer_coupling(), layer_flip())
#' flow(layer_repeat(block, 4), d = 2)
#' flow(layer_invert(layer_repeat(block, 4)), d = 2)
#' @export
layer_chain <- function(...) {
  layers <- not_too_deep(unlist_layers(list(...)))
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
  as.list(unlist(lapply(unname(x), unlist_layers), recursive = FALSE))
}

# What users may give as `layers`: a layer or a list of them.
as_layer <- function(x, name) {
  if (is.function(x)) x <- called_constructor(x, name)
  if (is.list(x) && !inherits(x, "bijectr_spec")) return(layer_chain(x))
  check_family(x, "layer", name)
}

# A constructor that was named and not called, `layers = coupling_flow`, is called with its defaults.
called_constructor <- function(f, name) {
  made <- tryCatch(f(), error = identity)
  if (inherits(made, "bijectr_layer")) return(made)
  stop_arg(c(
    "{.arg {name}} must be layers, not a function.",
    i = if (inherits(made, "error")) "Call it with the arguments that it needs: {conditionMessage(made)}"
  ))
}

#' @export
resolve.bijectr_layer_chain <- function(layer, d, d_condition) resolve_all(layer$layers, d, d_condition)

#' @export
resolve.bijectr_layer_repeat <- function(layer, d, d_condition) {
  resolve_all(rep(list(layer$layer), layer$times), d, d_condition)
}

#' @export
arguments.bijectr_layer_chain <- function(spec) spec$layers
