#' @rdname layer_householder
#' @export
layer_lu_linear <- function(permutation = NULL) {
  new_spec("layer", "lu_linear", permutation = layer_permute(permutation)$permutation)
}
