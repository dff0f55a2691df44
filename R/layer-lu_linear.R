#' @rdname layer_householder
#' @export
layer_lu_linear <- function(permutation = NULL) {
  new_spec("layer", "lu_linear", permutation = layer_permute(permutation)$permutation)
}

#' @export
resolve.bijectr_layer_lu_linear <- function(layer, d, d_condition) {
  list(if (is.null(layer$permutation)) layer_lu_linear(draw_permutation(d)) else layer)
}
