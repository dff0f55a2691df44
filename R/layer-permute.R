#' Permutations of the coordinates
#'
#' Fixed maps that only reorder coordinates, so that the next layer treats them differently. They have no parameters,
#' and their log-determinant is 0.
#'
#' @param permutation Whole numbers \eqn{p} with \eqn{y_i = x_{p_i}}. `NULL` draws one when the flow is made: at random
#'   for more than two coordinates (never the identity), the flip for two, nothing for one.
#' @param shift How far `layer_roll()` moves coordinates: \eqn{y_i = x_{i - shift}}, round the end.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @family layers
#' @examples
#' forward(flow(layer_permute(c(3, 1, 2)), d = 3), t(1:3))$value
#' forward(flow(layer_flip(), d = 3), t(1:3))$value
#' forward(flow(layer_roll(1), d = 3), t(1:3))$value
#' @export
layer_permute <- function(permutation = NULL) {
  if (!is.null(permutation)) {
    if (!is.numeric(permutation) || !identical(sort(as.integer(permutation)), seq_along(permutation))) {
      stop_arg("{.arg permutation} must hold each of 1, ..., d once.")
    }
    permutation <- as.integer(permutation)
  }
  new_spec("layer", "permute", permutation = permutation)
}

#' @rdname layer_permute
#' @export
layer_flip <- function() new_spec("layer", "flip")

#' @rdname layer_permute
#' @export
layer_roll <- function(shift = 1) {
  new_spec("layer", "roll", shift = check_count(shift, "shift", min = -.Machine$integer.max))
}

#' @export
resolve.bijectr_layer_permute <- function(layer, d, d_condition) {
  list(if (is.null(layer$permutation)) layer_permute(draw_permutation(d)) else layer)
}

#' @export
resolve.bijectr_layer_flip <- function(layer, d, d_condition) list(layer_permute(rev(seq_len(d))))

#' @export
resolve.bijectr_layer_roll <- function(layer, d, d_condition) {
  list(layer_permute((seq_len(d) - 1 - layer$shift) %% d + 1))
}

draw_permutation <- function(d) {
  if (d <= 2) return(rev(seq_len(d)))
  repeat {
    permutation <- sample.int(d)
    if (any(permutation != seq_len(d))) return(permutation)
  }
}
