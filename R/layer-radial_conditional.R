#' @rdname layer_radial
#' @export
layer_radial_conditional <- function(scalar, net = NULL, add_initial = TRUE, center = 0, scale = 1) {
  new_spec("layer", "radial_conditional",
    scalar = check_family(scalar, "scalar", "scalar"),
    net = if (!is.null(net)) check_family(net, "net", "net"),
    add_initial = check_flag(add_initial, "add_initial"),
    center = check_radial(center, "center"),
    scale = check_radial(scale, "scale", above = 0)
  )
}

# In the plane the natural net is periodic in the angle; it takes nothing but a direction.
#' @export
resolve.bijectr_layer_radial_conditional <- function(layer, d, d_condition) {
  layer$net <- layer$net %||% if (d == 2 && d_condition == 0) net_fourier() else net_mlp(50, activation = "tanh")
  list(layer)
}
