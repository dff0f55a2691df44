# What R knows of layers beyond their specifications: generics, with methods in the files of the kinds.

# The layers, from base to data, that a layer stands for in a flow of d coordinates given d_condition variables, with
# all that depends on these decided. No layers: it does nothing there. A composition resolves its parts.
resolve <- function(layer, d, d_condition) UseMethod("resolve")

#' @export
resolve.default <- function(layer, d, d_condition) list(layer)

# How a fit without `start` finds the layer's parameters: a function of the rows on the layer's data side and their
# weights (or NULL) that gives a list of parameters, or NULL where the core's initial values stand.
initializer <- function(layer, inverted = FALSE) UseMethod("initializer")

#' @export
initializer.default <- function(layer, inverted = FALSE) NULL

# The layer without the layer_invert() around it.
bare <- function(layer) UseMethod("bare")

#' @export
bare.default <- function(layer) layer

# A few words for summaries and titles.
brief <- function(layer) UseMethod("brief")

#' @export
brief.default <- function(layer) paste(c(layer$kind, layer$scalar$kind), collapse = " ")

resolve_all <- function(layers, d, d_condition) {
  as.list(unlist(lapply(layers, resolve, d = d, d_condition = d_condition), recursive = FALSE))
}

# Goes from the data to the base and gives every layer that has an initializer() its parameters.
initialize_from_data <- function(flow, data, condition = NULL, weights = NULL) {
  layers <- flow$layers$layers
  initializers <- lapply(layers, initializer)
  before <- length(layers) # `data` stands between this layer and the next
  for (i in rev(which(!vapply(initializers, is.null, NA)))) {
    data <- inverse_through(flow, seq_len(before)[seq_len(before) > i], data, condition)
    p <- params(flow)
    p$layers[[i]] <- initializers[[i]](data, weights)
    params(flow) <- p
    before <- i
  }
  flow
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
