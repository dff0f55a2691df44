#' Coupling and autoregressive flows
#'
#' Stacks of layers as FlowJAX builds them, with its names and defaults: `flow_layers` layers with a permutation after
#' every one (a random one for more than two coordinates, the flip for two). In a coupling flow half of the coordinates
#' parameterize the map of the other half; in a masked autoregressive flow each coordinate's map depends on those before
#' it.
#'
#' @details With the default scalar no layer stretches by more than \eqn{e^2}, softly, and no net sees a coordinate
#' beyond twice `nn_limit`. Without these bounds scales and shifts grow without end beyond the data, layer after layer,
#' and of many draws a few lie beyond all reason; log densities of fresh rows are as good or better with them. FlowJAX's
#' layers are those with `scalar = scalar_affine()`. Coordinates within a flow are of the order of 1 where the data are
#' standardized, as [fit_flow()] does; where they are not, nets may have to see more: `nn_limit = Inf`.
#'
#' @param scalar The scalar bijection (FlowJAX's transformer).
#' @param flow_layers Number of layers.
#' @param nn_width,nn_depth,nn_activation Width, depth and activation of the conditioner nets, see [net_mlp()].
#' @param invert If `TRUE`, the layers run from data to base: fast log densities (and for autoregressive flows slower
#'   draws). If `FALSE` the other way round.
#' @param init Initial values of the nets, see [net_mlp()]. `"uniform"` is FlowJAX's.
#' @param nn_limit Up to where the nets see coordinates as they are, see [net_bounded()]; `Inf` for everywhere. `NULL`
#'   is 5 if `scalar` is [scalar_affine()] with a `limit`, else `Inf`.
#' @return A layer for [flow()] and [fit_flow()].
#' @references Dinh, Sohl-Dickstein, Bengio (2017), arXiv:1605.08803. Papamakarios, Pavlakou, Murray (2017),
#'   arXiv:1705.07057. Kingma et al. (2016), arXiv:1606.04934. Durkan et al. (2019), arXiv:1906.04032.
#' @family premade flows
#' @examples
#' flow(coupling_flow(scalar_rq_spline(knots = 8)), d = 2)
#' flow(masked_autoregressive_flow(flow_layers = 4, nn_width = 20), d = 3)
#' @export
coupling_flow <- function(scalar = scalar_affine(limit = 2), flow_layers = 8, nn_width = 50, nn_depth = 1,
                          nn_activation = "relu", invert = TRUE, init = "identity", nn_limit = NULL) {
  net <- bounded_net(perceptron(nn_width, nn_depth, nn_activation, init, "nn_"), scalar, nn_limit)
  stack_flow(layer_coupling(scalar, net), flow_layers, invert)
}

#' @rdname coupling_flow
#' @export
masked_autoregressive_flow <- function(scalar = scalar_affine(limit = 2), flow_layers = 8, nn_width = 50, nn_depth = 1,
                                       nn_activation = "relu", invert = TRUE, init = "identity", nn_limit = NULL) {
  net <- bounded_net(perceptron(nn_width, nn_depth, nn_activation, init, "nn_"), scalar, nn_limit)
  stack_flow(layer_autoregressive(scalar, net), flow_layers, invert)
}

# layer, permutation, layer, permutation, ...; the whole turned round where the layers run from data to base.
stack_flow <- function(layer, flow_layers, invert) {
  stack <- layer_repeat(layer_chain(layer, layer_permute()), check_count(flow_layers, "flow_layers"))
  if (check_flag(invert, "invert")) layer_invert(stack) else stack
}

# From where on nets see less of a coordinate than it is, in units of standardised data.
NET_LIMIT <- 5

bounded_net <- function(net, scalar, limit = NULL) {
  check_family(scalar, "scalar", "scalar")
  if (is.null(limit)) limit <- if (is.list(scalar) && !is.null(scalar$limit)) NET_LIMIT else Inf
  if (identical(limit, Inf)) net else net_bounded(net, check_number(limit, "nn_limit", min = 1e-3, max = 1e6))
}

#' The default flow of fit_flow()
#'
#' `default_layers()` is the flow that [fit_flow()] builds, alone (`members = 1`) or as a member of a stack, and
#' `default_control()` are the training settings, for a number of training rows and coordinates. They were chosen by
#' held-out log density on two moons, faithful, iris and quakes (see `bench/settings.R` in the sources).
#'
#' Layers: masked autoregressive spline layers that start at the identity, so that with the whitening layer of
#' [fit_flow()] a fit starts at the normal distribution with the mean and covariance of the data; with conditions,
#' behind an affine one, whose scale is softly bounded between \eqn{e^{-8}} and \eqn{e^8}. The nets have 32 to 64 hidden
#' units. For more than 32 coordinates the autoregressive layers are affine, as those of [masked_autoregressive_flow()],
#' with a spline for each coordinate between them, which keeps parameters and time within bounds; this part was
#' looked at on one simulated table of 60 columns only. Conditions that are codes of levels (those of factors with many
#' levels, see [fit_flow.formula()]) go through a [net_embedding()].
#'
#' Training, for \eqn{n} rows of \eqn{d} columns: Adam with a rate of 0.005 that falls to 0 along a cosine, in even
#' batches of about 512 rows; \eqn{40 \sqrt n}{40 sqrt(n)} steps, 1000 at the least and 8000 at the most (not epochs:
#' small data would be undertrained), so 1265 for 1000 rows and 8000 from 40,000 rows on; 15 per cent of the rows held
#' out, no more than 10,000, none of fewer than 20 rows; a validation every hundredth of the steps, and the parameters
#' of the best one; no `patience`: all steps are made. Noise regularization has the amplitude \eqn{n^{-1 / (d +
#' 4)}}{n^(-1 / (d + 4))}, the rate of a kernel density estimate's bandwidth. With `steps =` there are a hundred
#' validations of these; with `max_epochs =` one an epoch. A fit to a log density has settings of its own, see
#' [fit_flow.function()].
#'
#' @param n Number of rows.
#' @param d Number of coordinates.
#' @param d_condition Number of conditioning variables.
#' @param levels For each conditioning variable the number of its levels if it is one of codes (0, 1, ...), 0 if it is
#'   one of numbers. `NULL`: all are numbers.
#' @param net The net of all layers, one with masks, as [net_mlp()] or a [net_set()] before one; `NULL`: the one
#'   described above. Without conditions a single coordinate has layers without nets.
#' @return `default_layers()`: a layer for [fit_flow()] or [flow()]. `default_control()`: a list of class
#'   `bijectr_control`, see [fit_control()].
#' @seealso [fit_flow()], [fit_control()]
#' @references Durkan, Bekasov, Murray, Papamakarios (2019), *Neural spline flows*, arXiv:1906.04032. Rothfuss et al.
#'   (2019), *Noise regularization for conditional density estimation*, arXiv:1907.08982.
#' @examples
#' default_layers(1000, 2)
#' default_control(1000, 2)
#' # the default with one thing changed
#' set.seed(1)
#' fit_flow(faithful, control = default_control(272, 2), steps = 100)
#' @export
default_layers <- function(n, d, d_condition = 0, levels = NULL, net = NULL) {
  if (!is.null(net)) check_family(net, "net", "net")
  spline <- scalar_rq_spline(knots = 8, interval = 5)
  if (d == 1 && d_condition == 0) return(layer_repeat(layer_elementwise(spline), 3))
  net <- net %||% default_net(d, d_condition, levels)
  # splines are the identity far out; draws of affine layers stay near the data where these are bounded
  layer <- if (d <= MANY_COLUMNS) {
    layer_autoregressive(spline, net)
  } else {
    layer_chain(bounded_affine(net, d, 2), layer_elementwise(spline))
  }
  splines <- layer_repeat(layer_chain(layer, layer_permute()), if (d == 1) 3 else 4)
  # what the conditions say of mean and variance is taken off first
  regression <- if (d_condition > 0) bounded_affine(net, d, 8) else list()
  layer_invert(layer_chain(regression, splines))
}

# Affine autoregressive layers alone: cheap, and very different from splines.
affine_layers <- function(d, d_condition, levels) {
  layer <- bounded_affine(default_net(d, d_condition, levels), d, if (d_condition > 0) 8 else 2)
  layer_invert(layer_repeat(layer_chain(layer, layer_permute()), 4))
}

bounded_affine <- function(net, d, limit) {
  layer_autoregressive(scalar_affine(limit = limit), if (d > 1) net_bounded(net, NET_LIMIT) else net)
}

default_net <- function(d, d_condition, levels) {
  net <- net_mlp(default_width(d + d_condition))
  if (any(levels > 0)) net_embedding(net, which(levels > 0), levels[levels > 0]) else net
}

# Twice the number of inputs, within bounds: the parameters of a masked net grow with width times coordinates.
default_width <- function(n_in) min(64, max(32, 2 * n_in))
MANY_COLUMNS <- 32

#' @rdname default_layers
#' @export
default_control <- function(n, d) {
  steps <- as.integer(round(min(8000, max(1000, 40 * sqrt(n)))))
  validation <- if (n >= 20) min(0.15, 10000 / n) else 0
  fit_control(
    learning_rate = 5e-3, schedule = schedule_cosine(), batch_size = even_batches(n - round(validation * n)),
    steps = steps, validation = validation, validate_every = steps %/% 100L, noise = n^(-1 / (d + 4))
  )
}

# The size of batches of about 512 rows, all alike: a small one at the end of an epoch would count as much as others.
even_batches <- function(n) if (n <= 512) 512L else as.integer(ceiling(n / round(n / 512)))
