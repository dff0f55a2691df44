#' Coupling layer
#'
#' Leaves some coordinates as they are and sends the others through a scalar bijection whose parameters a net computes
#' from the first: \eqn{y_1 = x_1}, \eqn{y_2 = f(x_2; \theta(x_1, c))}. Both directions cost one evaluation of the net.
#'
#' @param scalar The scalar bijection, one of the `scalar_*` functions.
#' @param net The conditioner, one of the `net_*` functions. Its outputs are the raw parameters of `scalar`, coordinate
#'   after coordinate.
#' @param mask Logical, one value a coordinate: `TRUE` where the coordinate stays unchanged. `NULL` keeps the first
#'   `d %/% 2`.
#' @param swap Without a `mask`: if `TRUE`, the first `d %/% 2` coordinates are transformed and the others stay.
#' @param add_initial If `TRUE`, the net's output is added to the scalar's initial raw parameters, so that a zero output
#'   is the initial scalar (for most the identity); if `FALSE` the output is the raw parameter itself.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @references Dinh, Sohl-Dickstein, Bengio (2017), *Density estimation using Real NVP*, arXiv:1605.08803. Durkan,
#'   Bekasov, Murray, Papamakarios (2019), *Neural spline flows*, arXiv:1906.04032.
#' @family layers
#' @examples
#' f <- flow(layer_coupling(scalar_affine(), net_mlp(width = 8)), d = 2)
#' str(params(f))
#' @export
layer_coupling <- function(scalar = scalar_affine(), net = net_mlp(), mask = NULL, add_initial = TRUE,
                           swap = FALSE) {
  if (!is.null(mask)) {
    if (!is.logical(mask) || anyNA(mask)) {
      stop_arg("{.arg mask} must be logical without missing values, not {.obj_type_friendly {mask}}.")
    }
    if (all(mask)) stop_arg("{.arg mask} leaves no coordinate to transform: at least one value must be FALSE.")
  }
  new_spec("layer", "coupling",
    scalar = check_conditioned(scalar, "coupling"),
    net = check_family(net, "net", "net"),
    mask = mask,
    add_initial = check_flag(add_initial, "add_initial"),
    swap = check_flag(swap, "swap")
  )
}

# With the mask that `swap` stands for.
#' @export
resolve.bijectr_layer_coupling <- function(layer, d, d_condition) {
  layer$mask <- layer$mask %||% ((seq_len(d) <= d %/% 2) != layer$swap)
  layer$swap <- FALSE
  list(layer)
}

# A scalar that a net can give parameters: without any, the layer would do the same to all points.
check_conditioned <- function(scalar, kind) {
  check_family(scalar, "scalar", "scalar")
  alone <- new_spec("layer", "elementwise", scalar = scalar, shared = FALSE)
  base <- new_spec("base", "uniform", min = 0, max = 1)
  flow <- list(d = 1, d_condition = 0, base = base, layers = new_spec("layer", "chain", layers = list(alone)))
  if (length(native_init(flow, 1)) > 0) return(scalar)
  stop_arg(c(
    "{.arg scalar} must have parameters that the net of {.fn layer_{kind}} can give it; {.code {format(scalar)}} has
     none.",
    i = "{.code layer_elementwise({format(scalar)})} is a layer of it."
  ))
}
