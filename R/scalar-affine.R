#' Scale and shift
#'
#' The map \eqn{y = s x + t} of the real line. The shift \eqn{t} starts at 0 and the scale \eqn{s} at 1.
#'
#' @section Parameters:
#' `loc` is the shift. `scale` is raw: \eqn{s = \mathrm{softplus}(scale) + min\_scale}{s = softplus(scale) + min_scale}
#' for `scale = "softplus"`, \eqn{s = \exp(scale)}{s = exp(scale)} for `scale = "exp"`. The log-derivative is \eqn{\log
#' s}{log s}.
#'
#' @param scale How the raw scale becomes a positive one: `"softplus"` or `"exp"`.
#' @param min_scale Smallest scale that `"softplus"` can give, 0 or more. A floor keeps a flow from collapsing onto
#'   single points of the data.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Dinh, Sohl-Dickstein, Bengio (2017), *Density estimation using Real NVP*, arXiv:1605.08803.
#' @family scalar bijections
#' @examples
#' scalar_affine()
#' flow(layer_elementwise(scalar_affine(scale = "exp")), d = 1)
#' @export
scalar_affine <- function(scale = c("softplus", "exp"), min_scale = 1e-2) {
  new_spec("scalar", "affine",
    scale = check_choice(scale, c("softplus", "exp"), "scale"),
    min_scale = check_number(min_scale, "min_scale", min = 0, below = Inf)
  )
}
