#' Trainable rotations and linear maps
#'
#' Linear layers that mix all coordinates, a trainable alternative to [layer_permute()]. `layer_householder()` is an
#' orthogonal map, a product of reflections; `layer_lu_linear()` a general invertible matrix in its LU decomposition, as
#' in Glow.
#'
#' @details
#' `layer_householder()`: \eqn{y = H_m \ldots H_1 x}{y = H_m... H_1 x} with \eqn{H_i = I - 2 v_i v_i^\top / |v_i|^2}{H_i
#' = I - 2 v_i v_i' / |v_i|^2}. The log-determinant is 0, and the inverse is the transpose. A vector \eqn{v_i = 0}
#' reflects nothing.
#'
#' `layer_lu_linear()`: \eqn{y = P L (U + S) x} with a fixed permutation \eqn{P}, \eqn{L} lower triangular with a unit
#' diagonal, \eqn{U} strictly upper triangular, \eqn{S = \mathrm{diag}(\exp(log\_scale))}{S = diag(exp(log_scale))}. The
#' log-determinant is \eqn{\sum_i log\_scale_i}; the inverse takes two triangular solves.
#'
#' @section Parameters:
#' `layer_householder()`: `v`, \eqn{d} rows and a column a reflection, as they are, drawn from \eqn{N(0, 1)}.
#'
#' `layer_lu_linear()`: `lower` and `upper` (\eqn{d \times d}{d x d}; only the entries strictly below and above the
#' diagonal are used) and `log_scale` (\eqn{d}), as they are, all 0: the layer starts at the permutation. Scales are
#' kept within \eqn{e^{\pm 230}}{e^(+-230)}.
#'
#' @param n_reflections Number of reflections; `NULL` is one a coordinate, which reaches all rotations.
#' @param permutation Whole numbers \eqn{p}, \eqn{(P q)_i = q_{p_i}}. `NULL` draws one when the flow is made, as
#'   [layer_permute()] does.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Tomczak, Welling (2016), *Improving variational auto-encoders using Householder flow*, arXiv:1611.09630.
#'   Kingma, Dhariwal (2018), *Glow: generative flow with invertible 1x1 convolutions*, arXiv:1807.03039.
#' @family layers
#' @examples
#' set.seed(1)
#' f <- flow(layer_householder(), d = 3)
#' q <- t(forward(f, diag(3))$value)
#' round(crossprod(q), 10)
#' flow(layer_repeat(layer_chain(layer_coupling(), layer_lu_linear()), 4), d = 3)
#' @export
layer_householder <- function(n_reflections = NULL) {
  new_spec("layer", "householder", n_reflections = check_count(n_reflections, "n_reflections", null = TRUE))
}

#' @export
resolve.bijectr_layer_householder <- function(layer, d, d_condition) {
  list(if (is.null(layer$n_reflections)) layer_householder(d) else layer)
}
