#' Continuous normalizing flow
#'
#' One [layer_continuous()], or several in a row, with the field of FFJORD and settings that suit most tables of a few
#' columns.
#'
#' A step of maximum likelihood solves the differential equation for every row. Where that is too slow,
#' [loss_flow_matching()] evaluates the field once a step, which is twenty times as fast and more: it takes more steps,
#' and its held-out loss is not that of log densities. Some steps of maximum likelihood after it, without noise, add
#' what it lacks: `fit_flow(x, fit, noise = 0, steps = 50)`.
#'
#' @param field The vector field, see [field_mlp()] and [field_planar()].
#' @param flow_layers Number of layers, each with parameters of its own.
#' @inheritParams layer_continuous
#' @param ... Further arguments of [layer_continuous()].
#' @param invert `TRUE` or `FALSE`: a continuous flow costs the same in both directions; `FALSE` reverses the time.
#' @return A layer (for several, a chain of them) for [flow()] and [fit_flow()].
#' @references Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019), *FFJORD: free-form continuous dynamics for
#'   scalable reversible generative models*, arXiv:1810.01367.
#' @family premade flows
#' @family continuous flows
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful, continuous_flow(field_mlp(16), solver_tsit5(step = 0.2)), steps = 50)
#' fit
#' @export
continuous_flow <- function(field = field_mlp(), solver = NULL, flow_layers = 1, ..., invert = TRUE) {
  layer <- layer_repeat(layer_continuous(field, solver, ...), check_count(flow_layers, "flow_layers"))
  # forward() of a continuous layer already goes from the base to the data
  if (check_flag(invert, "invert")) layer else layer_invert(layer)
}
