#' Shift by the condition
#'
#' \eqn{y = x + W_c\, c}{y = x + W_c c}, or \eqn{y = x + net(c)}: brings conditions into a stack whose other layers have
#' none. The log-determinant is 0. In a flow without conditions the layer is left out.
#'
#' @section Parameters:
#' Without a net the matrix `Wc` (\eqn{d} rows, a column a condition), all 0 at the start; with one the parameters of
#' the net under `net`.
#'
#' @param net A net, see [net_mlp()]; `NULL` for a linear map without bias.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Ward (2022), *FlowJAX: distributions and normalizing flows in JAX*,
#'   <https://github.com/danielward27/flowjax>.
#' @family layers
#' @examples
#' f <- flow(layer_additive_condition(), d = 2, d_condition = 1)
#' params(f)$layers[[1]]$Wc <- cbind(c(1, -1))
#' forward(f, rbind(c(0, 0), c(0, 0)), condition = 1:2)$value
#' @export
layer_additive_condition <- function(net = NULL) {
  if (!is.null(net)) check_family(net, "net", "net")
  new_spec("layer", "additive_condition", net = net)
}

#' @export
resolve.bijectr_layer_additive_condition <- function(layer, d, d_condition) if (d_condition > 0) list(layer) else list()
