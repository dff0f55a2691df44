#' Separate nets for the parameters of a scalar bijection
#'
#' Several nets side by side on the same input: net \eqn{j} computes raw parameter \eqn{j} of every transformed
#' coordinate, in the order in which the scalar's help page lists them. RealNVP has one net for the shift and one for
#' the log scale.
#'
#' @param ... Nets, as many as the scalar bijection has raw parameters. `params()` shows them under their numbers.
#' @return A net: an object of class `bijectr_net`, for the `net` of [layer_coupling()], [layer_autoregressive()] and
#'   others. It is a plain list and prints as the call that makes it.
#' @references Dinh, Sohl-Dickstein, Bengio (2017), *Density estimation using Real NVP*, arXiv:1605.08803.
#' @family nets
#' @examples
#' nets <- net_separate(net_mlp(8, activation = "tanh"), net_mlp(4, activation = "tanh"))
#' f <- flow(layer_coupling(scalar_affine("exp"), nets), d = 2)
#' str(params(f))
#' @export
net_separate <- function(...) {
  nets <- unname(list(...))
  if (length(nets) == 0) stop_arg("{.arg ...} must be at least one net.")
  new_spec("net", "separate", nets = lapply(nets, check_family, family = "net", name = "..."))
}

#' @export
arguments.bijectr_net_separate <- function(spec) spec$nets
