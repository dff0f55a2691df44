#' Fourier net of an angle
#'
#' For a direction in the plane: with the angle \eqn{\theta} of the two inputs and \eqn{v = (\theta + \pi) / (2 \pi)},
#' the features are \eqn{\sin(2 \pi k v) / k}{sin(2 pi k v) / k}, \eqn{\cos(2 \pi k v) / k}{cos(2 pi k v) / k} for
#' \eqn{k = 1, \dots, m}, and 1. The outputs are linear in them, without a bias, so they are smooth and periodic
#' functions of the angle. The net of [layer_radial_conditional()] in two dimensions.
#'
#' @section Parameters:
#' `weight`, one row an output and one column a feature, sines first; with a hidden layer one column a hidden unit, and
#' `hidden_weight`, one row a hidden unit and one column a feature (there is no activation between).
#'
#' @param m Number of frequencies.
#' @param hidden Number of hidden units, or `NULL`.
#' @param init `"identity"` starts `weight` at exactly zero; `"uniform"` draws it, as `hidden_weight` always is, from
#'   \eqn{U(-1/\sqrt{n_{in}}, 1/\sqrt{n_{in}})}{U(-1/sqrt(n_in), 1/sqrt(n_in))}; a number draws both from normal
#'   distributions of that standard deviation, as bijx does with 0.01.
#' @return A net: an object of class `bijectr_net`, for the `net` of [layer_coupling()], [layer_autoregressive()] and
#'   others. It is a plain list and prints as the call that makes it.
#' @family nets
#' @examples
#' f <- flow(layer_coupling(scalar_affine(), net_fourier(2), mask = c(TRUE, TRUE, FALSE)), d = 3)
#' str(params(f))
#' @export
net_fourier <- function(m = 3, hidden = NULL, init = c("identity", "uniform")) {
  new_spec("net", "fourier",
    m = check_count(m, "m", max = 1000),
    hidden = check_count(hidden, "hidden", null = TRUE),
    init = check_net_init(init)
  )
}
