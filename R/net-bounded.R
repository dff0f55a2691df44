#' Net with bounded inputs
#'
#' Bounds what another net sees: a coordinate \eqn{x} goes in as it is up to `limit`, and beyond as
#' \eqn{sign(x) \, limit \, (2 - limit / |x|)}{sign(x) limit (2 - limit / |x|)}, which is smooth and never more than
#' twice the limit. Conditions go in as they are; [fit_flow()] has `extrapolate` for them.
#'
#' The common nets are linear far out. In an autoregressive layer one coordinate that comes out far off then makes the
#' shift of the next as large, that the one after it, and a few draws land beyond all reason. Behind this net no
#' shift and no scale is larger than at the edge of what it has seen. The coordinates within a flow are of the order
#' of 1, so data that are not extremely heavy-tailed do not notice.
#'
#' @section Parameters:
#' Those of `net`.
#'
#' @param net The net behind it, in [layer_autoregressive()] one with masks ([net_mlp()]).
#' @param limit From where on inputs are bent, in units of the layer, from 0.001 to a million.
#' @return A net: an object of class `bijectr_net`, for the `net` of [layer_coupling()], [layer_autoregressive()] and
#'   others. It is a plain list and prints as the call that makes it.
#' @family nets
#' @examples
#' layer <- layer_autoregressive(scalar_affine(limit = 2), net_bounded(net_mlp(16)))
#' f <- flow(layer, d = 3)
#' logdensity(f, rbind(c(0, 0, 1e6)))
#' @export
net_bounded <- function(net, limit = 5) {
  new_spec("net", "bounded",
    net = check_family(net, "net", "net"), limit = check_number(limit, "limit", min = 1e-3, max = 1e6)
  )
}
