#' Scale and shift
#'
#' The map \eqn{y = s x + t} of the real line. The shift \eqn{t} starts at 0 and the scale \eqn{s} at 1.
#'
#' With a `limit` the logarithm of the scale is softly bounded:
#' \eqn{\log s = v / (1 + (v / limit)^4)^{1/4}}{log s = v / (1 + (v / limit)^4)^(1/4)}, where \eqn{v} is the logarithm
#' without a bound. It is the same within 1.5 per cent as far as half the limit, and never beyond the limit. The
#' gradient falls as a power of the distance, so that a raw scale far out finds its way back. Where a net makes the
#' scale, no layer can then stretch without end, however far a point lies from what the net has seen.
#'
#' @section Parameters:
#' `loc` is the shift. `scale` is raw: \eqn{s = \mathrm{softplus}(scale) + min\_scale}{s = softplus(scale) + min_scale}
#' for `scale = "softplus"`, \eqn{s = \exp(scale)}{s = exp(scale)} for `scale = "exp"`. The log-derivative is \eqn{\log
#' s}{log s}.
#'
#' @param scale How the raw scale becomes a positive one: `"softplus"` or `"exp"`.
#' @param min_scale Smallest scale that `"softplus"` can give, 0 or more. A floor keeps a flow from collapsing onto
#'   single points of the data.
#' @param limit Bound of the absolute value of \eqn{\log s}{log s}, from 0.01 to 80; `Inf` for none.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Dinh, Sohl-Dickstein, Bengio (2017), *Density estimation using Real NVP*, arXiv:1605.08803.
#' @family scalar bijections
#' @seealso [scalar_tanh_affine()], whose bound is trained; [net_bounded()] for what nets see far out
#' @examples
#' scalar_affine()
#' flow(layer_elementwise(scalar_affine(scale = "exp")), d = 1)
#' scalar_affine(limit = 2)
#' @export
scalar_affine <- function(scale = c("softplus", "exp"), min_scale = 1e-2, limit = Inf) {
  scale <- check_choice(scale, c("softplus", "exp"), "scale")
  min_scale <- check_number(min_scale, "min_scale", min = 0, below = Inf)
  if (identical(limit, Inf)) return(new_spec("scalar", "affine", scale = scale, min_scale = min_scale))
  limit <- check_number(limit, "limit", min = 0.01, max = 80)
  new_spec("scalar", "affine", scale = scale, min_scale = min_scale, limit = limit)
}
