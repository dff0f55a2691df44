#' RealNVP
#'
#' Affine coupling layers from data to base, \eqn{z_2 = x_2 \exp(s(x_1)) + t(x_1)}{z_2 = x_2 exp(s(x_1)) + t(x_1)}, with
#' separate nets \eqn{s} and \eqn{t}. The first layer transforms the first `d %/% 2` coordinates given the others, the
#' second the others given those, and so on. The tutorials' base is `base_normal(trainable = TRUE, parameter =
#' "variance")`, an argument of [flow()].
#'
#' @param flow_layers Number of layers.
#' @param net The net, used twice in each layer with parameters of its own: for \eqn{t} (`params()` shows it first) and
#'   for \eqn{s}.
#' @param bounded If `TRUE`, the log scale is kept within trained bounds, \eqn{z_2 = (x_2 + t) \exp(\tanh(s / e^f)
#'   e^f)}{z_2 = (x_2 + t) exp(tanh(s / e^f) e^f)}: see [scalar_tanh_affine()].
#' @inherit coupling_flow return
#' @references Dinh, Sohl-Dickstein, Bengio (2017), *Density estimation using Real NVP*, arXiv:1605.08803.
#' @family premade flows
#' @examples
#' set.seed(1)
#' f <- flow(realnvp_flow(), d = 4, base = base_normal(trainable = TRUE, parameter = "variance"))
#' sample(f, 2)
#' flow(realnvp_flow(net = net_polynomial(3)), d = 4)
#' @export
realnvp_flow <- function(flow_layers = 2, net = net_mlp(32, activation = "tanh"), bounded = FALSE) {
  flow_layers <- check_count(flow_layers, "flow_layers")
  check_family(net, "net", "net")
  scalar <- if (check_flag(bounded, "bounded")) scalar_tanh_affine() else scalar_affine(scale = "exp")
  layer <- function(swap) layer_coupling(scalar, net_separate(net, net), swap = swap)
  layer_invert(layer_chain(lapply(seq_len(flow_layers), function(l) layer(swap = l %% 2 == 1))))
}
