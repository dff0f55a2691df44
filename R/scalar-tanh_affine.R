#' Scale and shift with a bounded scale
#'
#' The map \eqn{y = (x + t) e^{s'}} with \eqn{s' = F \tanh(s / F)}{s' = F tanh(s / F)}, \eqn{F = e^f}: however large the
#' raw scale \eqn{s}, a layer stretches by no more than \eqn{e^F}. All are 0 at the start, which is the identity.
#'
#' @section Parameters:
#' `scale` is \eqn{s} and `loc` is \eqn{t}, one of each for a coordinate, or the outputs of a conditioner.
#' `scale_factor` is \eqn{f}: one number for the whole layer, trained, but never the output of a conditioner. The
#' log-derivative is \eqn{s'}.
#'
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Kingma, Dhariwal (2018), *Glow: generative flow with invertible 1x1 convolutions*, arXiv:1807.03039.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_coupling(scalar_tanh_affine(), net_mlp(width = 4, activation = "tanh")), d = 2)
#' params(f)$layers[[1]]$scale_factor
#' @export
scalar_tanh_affine <- function() new_spec("scalar", "tanh_affine")
