#' Triangular affine layer
#'
#' \eqn{y = A x + loc} with a triangular matrix \eqn{A} of positive diagonal: shifts, scales and correlates coordinates.
#'
#' @details
#' \eqn{T} is the lower (or upper) triangle of `tri` with its diagonal replaced by
#' \eqn{\mathrm{softplus}(tri_{ii})}{softplus(tri_ii)}. The other side of `tri` is ignored. Without weight normalization
#' \eqn{A = T}; with it each row is \eqn{A_i = \mathrm{softplus}(scale_i)\, T_i / |T_i|}{A_i = softplus(scale_i) T_i /
#' |T_i|}, the norm taken with the diagonal. The log-determinant is \eqn{\sum_i \log A_{ii}}{sum_i log A_ii}; the
#' inverse is a triangular solve.
#'
#' @section Parameters:
#' `loc` (\eqn{d} numbers, as they are, 0), `tri` (\eqn{d \times d}{d x d}, raw; the diagonal of \eqn{T} starts at 1,
#' the other entries at 0 or, for `init = "glorot"`, drawn from \eqn{U(-\sqrt{3/d}, \sqrt{3/d})}{U(-sqrt(3/d),
#' sqrt(3/d))}), and with weight normalization `scale` (\eqn{d} numbers, raw; softplus of it starts at 1). So the layer
#' starts at the identity unless `init` says otherwise.
#'
#' @param lower If `TRUE` the lower triangle, otherwise the upper one.
#' @param weight_norm If `TRUE` the rows of the matrix are normalized.
#' @param init `"identity"` or `"glorot"`; or a matrix of \eqn{d \times d}{d x d} numbers, whose entries beside the
#'   diagonal `tri` starts at, or a function of \eqn{d} that gives one, as `function(d) matrix(rnorm(d^2, sd = 0.1),
#'   d)`, which is called when the layer becomes part of a flow.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Salimans, Kingma (2016), *Weight normalization*, arXiv:1602.07868. Glorot, Bengio (2010), *Understanding
#'   the difficulty of training deep feedforward neural networks*, AISTATS.
#' @family layers
#' @examples
#' f <- flow(layer_triangular_affine(), d = 2)
#' params(f)$layers[[1]]$tri[2, 1] <- 0.5
#' forward(f, diag(2))
#' @export
layer_triangular_affine <- function(lower = TRUE, weight_norm = FALSE, init = c("identity", "glorot")) {
  new_spec("layer", "triangular_affine",
    lower = check_flag(lower, "lower"), weight_norm = check_flag(weight_norm, "weight_norm"),
    init = check_triangular_init(init)
  )
}

check_triangular_init <- function(init) {
  if (is.function(init) || is.numeric(init)) init else check_choice(init, c("identity", "glorot"), "init")
}

#' @export
resolve.bijectr_layer_triangular_affine <- function(layer, d, d_condition) {
  if (is.character(layer$init)) return(list(layer))
  start <- if (is.function(layer$init)) layer$init(d) else layer$init
  if (!is.numeric(start) || !is.matrix(start) || any(dim(start) != d) || !all(is.finite(start))) {
    stop_arg("{.arg init} must give a matrix of {d} x {d} finite numbers, not {.obj_type_friendly {start}}.")
  }
  layer$init <- matrix(as.double(start), d)
  list(layer)
}
