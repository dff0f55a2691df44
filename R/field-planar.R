#' Gated planar field
#'
#' The vector field of planar continuous flows: a sum of planar layers, each with a gate that opens and closes with
#' time,
#' \deqn{f(t, z) = \sum_i g_i(t) \, (z + \hat u_i \tanh(w_i^\top z + b_i)).}{
#'   f(t, z) = sum_i g_i(t) (z + uhat_i tanh(w_i' z + b_i)).}
#' Its trace has a closed form, so it is exact in any dimension at no extra cost.
#'
#' @details
#' \eqn{\hat u_i}{uhat_i} comes from \eqn{u_i} as in [layer_planar()], so that each term alone is an invertible map. The
#' identity inside the bracket is that of FlowJAX's planar layer: a gate also stretches space as a whole.
#'
#' Gates are evaluated once for each time at which the solver evaluates the field, not once a row, as long as all rows
#' share these times: with steps of one length and without conditions. Where they do not, a step costs an order of
#' magnitude more.
#'
#' @section Parameters:
#' `w` and `u` (a row a unit, a column a coordinate), `b` (one a unit), all as they are, and `gate`, for each unit the
#' parameters of its net.
#'
#' @param units Number of planar terms.
#' @param gate The net of a gate, see [net_mlp()]: its inputs are the time and, where the flow has them, the conditions.
#' @param init `"identity"` draws `w` and `b` from N(0, 1) and takes the `u` with which \eqn{\hat u = 0}{uhat = 0};
#'   `"small"` draws all of them from \eqn{0.01\, N(0, 1)}{0.01 N(0, 1)}, as FlowJAX does.
#' @return A field: an object of class `bijectr_field`, for [layer_continuous()].
#' @references Chen, Rubanova, Bettencourt, Duvenaud (2018), *Neural ordinary differential equations*,
#'   arXiv:1806.07366, section 4.
#' @family continuous flows
#' @examples
#' flow(layer_continuous(field_planar(units = 5, gate = net_mlp(8, init = "uniform"))), d = 2)
#' @export
field_planar <- function(units = 20, gate = net_mlp(c(40, 40, 40), init = "uniform"), init = c("identity", "small")) {
  new_spec("field", "planar",
    units = check_count(units, "units"), gate = check_family(gate, "net", "gate"),
    init = check_choice(init, c("identity", "small"), "init")
  )
}

# With steps of one length all rows share the times of the gates.
#' @export
default_solver.bijectr_field_planar <- function(field) solver_tsit5(step = 0.05)
