#' Planar layer
#'
#' Moves points along one direction by an amount that depends on their projection on another, \eqn{y = x + \hat u\,
#' h(w^\top x + b)}{y = x + uhat h(w' x + b)}: in two dimensions a fold along a line. One layer changes little; stacks
#' of them, see [planar_flow()], are cheap and smooth.
#'
#' @details
#' \eqn{h} is tanh or the leaky rectifier (\eqn{h(a) = a} for \eqn{a \ge 0}, else \eqn{slope \cdot a}{slope * a}). With
#' \eqn{t = w^\top u}{t = w' u} and \eqn{s = \log(1 + \mathrm{softplus}(t))}{s = log(1 + softplus(t))},
#' \deqn{\hat u = u + (s - 1 - t) \frac{w}{|w|^2}, \qquad \log|\det| = \log(1 - h' + h' s)}{
#'   uhat = u + (s - 1 - t) w / |w|^2, log|det| = log(1 - h' + h' s)}
#' so \eqn{w^\top \hat u = s - 1 > -1}{w' uhat = s - 1 > -1} and the layer is invertible whatever its parameters are;
#' this form of the log-determinant does not cancel. With the leaky rectifier the inverse is closed; with tanh it is the
#' root of a monotone equation in one unknown a row, found by Newton's method, and its gradients are exact (implicit
#' function theorem).
#'
#' \eqn{\hat u}{uhat} has no limit as \eqn{w} goes to 0: below \eqn{|w| = 10^{-12}} the denominator stays at
#' \eqn{10^{-24}}, so that \eqn{w = 0} gives \eqn{y = x + u\, h(b)}{y = x + u h(b)}.
#'
#' @section Parameters:
#' Without conditions `w` and `u` (\eqn{d} numbers each) and `b`, all as they are; see `init`. With
#' conditions these \eqn{2 d + 1} numbers are, in this order, the outputs of `net` (its parameters: `net`).
#'
#' @param activation `"tanh"` or `"leaky_relu"`.
#' @param negative_slope Slope of the leaky rectifier below 0, in \eqn{[0, 1]}.
#' @param net Where the flow has conditions: the net that gives the parameters, see [net_mlp()]. `NULL` is a net of one
#'   hidden layer of 50 units. A net that starts at zero would make \eqn{w = u = b = 0}, where all gradients vanish, so
#'   `init = "identity"` is taken as `"uniform"`. Without conditions it is not used.
#' @param init Initial values without conditions: `"identity"` draws `w` and `b` from N(0, 1) and takes the `u` with
#'   which \eqn{\hat u = 0}{uhat = 0}; `"small"` draws all from \eqn{0.01\, N(0, 1)}{0.01 N(0, 1)}, as FlowJAX does,
#'   which makes each layer contract by a half along `w`.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Rezende, Mohamed (2015), *Variational inference with normalizing flows*, arXiv:1505.05770.
#' @family layers
#' @examples
#' f <- flow(layer_planar(), d = 2)
#' params(f)$layers[[1]] <- list(w = c(2, 0), u = c(0, 3), b = 0)
#' y <- forward(f, rbind(c(-1, 0), c(0, 0), c(1, 0)))$value
#' y
#' inverse(f, y)$value
#' @export
layer_planar <- function(activation = c("tanh", "leaky_relu"), negative_slope = 0.01, net = NULL,
                         init = c("identity", "small")) {
  activation <- check_choice(activation, c("tanh", "leaky_relu"), "activation")
  negative_slope <- check_number(negative_slope, "negative_slope", min = 0, max = 1)
  if (!is.null(net)) net <- start_away_from_zero(check_family(net, "net", "net"))
  new_spec("layer", "planar",
    activation = activation, negative_slope = negative_slope, net = net,
    init = check_choice(init, c("identity", "small"), "init")
  )
}

start_away_from_zero <- function(net) {
  if (identical(net$init, "identity")) net$init <- "uniform"
  net
}

# With the net that a flow of so many conditions needs.
#' @export
resolve.bijectr_layer_planar <- function(layer, d, d_condition) {
  layer["net"] <- list(if (d_condition > 0) layer$net %||% net_mlp(init = "uniform"))
  list(layer)
}
