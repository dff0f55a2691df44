#' Layers and nets written in R
#'
#' `layer_r()` makes a layer, `net_r()` a net of R functions, to try an idea before it is written in C: everything
#' else, training, densities, draws, conditions and [check_layer()], is as with other layers. They are slow, as R is
#' called for 128 points at a time and on one thread; `vignette("extending")` shows how a layer is added to the core.
#'
#' @details Functions get matrices with one row a point, `params` as a vector, and `condition` as a matrix or `NULL`; a
#' function that takes fewer arguments is given the first ones (by position: a further
#' argument with a default is given a value, too). Points come in the layer's own units, standardized as a
#' rule, at most 128 at a time, some of which may be there twice. What a function gives for a row must not depend on
#' other rows, nor on random numbers. An error in a function is an error of the call that it was made in.
#'
#' Without `vjp` gradients are central differences, for which `forward` is called twice for each coordinate, condition
#' and parameter: fine for a few, and right to some 9 digits. Without `inverse` the inverse is a root of `forward` by
#' Newton's method. Gradients of the inverse are those of the root in any case.
#'
#' @section Parameters:
#' `params`, a vector, if there are any.
#'
#' @param forward For a layer `function(x, params, condition)`, the map from the base side to the data side: a list of
#'   `value`, a matrix like `x`, and `logdet`, the log absolute determinant of its Jacobian at each row, or one number.
#'   For a net `function(x, params)`: a matrix with one row a point and one column an output.
#' @param inverse `function(x, params, condition)`: a list of the same for the map back; or `NULL`.
#' @param vjp For a layer `function(x, g_value, g_logdet, params, condition)`, for a net `function(x, g_value, params)`:
#'   the gradient of `sum(g_value * value) + sum(g_logdet * logdet)` of `forward`, a list of `x` (a matrix), `params` (a
#'   vector) and `condition` (a matrix), without those that there are not; or `NULL`.
#' @param params Initial parameters, as many as the layer has: numbers, or `function(d, d_condition)` that gives them.
#' @param size How many parameters the net has: a number, or `function(n_in, n_out)` that gives it. Inputs are what the
#'   layer shows the net and then the conditions, outputs the raw parameters that it asks for.
#' @param init Standard deviation of the initial parameters of the net, normal draws; 0: they are zero.
#' @return A layer or a net, for the `layers` of [flow()] and [fit_flow()] and the `net` of [layer_coupling()],
#'   [layer_planar()], bases and others (not of [layer_autoregressive()], which needs masks). A plain list that holds
#'   the functions and prints as the call that makes it. Where they refer to variables, make the layer in a function:
#'   those of the global environment are not saved with a fit.
#' @family layers
#' @examples
#' # y = x + a tanh(x), a > 0, without its inverse: a root is found
#' bend <- layer_r(
#'   forward = function(x, params) {
#'     a <- exp(params)
#'     list(value = x + a * tanh(x), logdet = rowSums(log1p(a / cosh(x)^2)))
#'   },
#'   params = log(0.5)
#' )
#' check_layer(bend, d = 2)
#' fit <- fit_flow(faithful$eruptions, layers = list(bend), steps = 20, progress = FALSE)
#' params(fit)$layers
#' qflow(c(0.1, 0.5, 0.9), fit)
#'
#' # a net of one product with a matrix
#' linear <- net_r(
#'   forward = function(x, params) x %*% matrix(params, ncol(x)),
#'   vjp = function(x, g_value, params) {
#'     list(x = g_value %*% t(matrix(params, ncol(x))), params = c(t(x) %*% g_value))
#'   },
#'   size = function(n_in, n_out) n_in * n_out
#' )
#' all(check_layer(layer_coupling(scalar_affine(), linear), d = 3)$ok)
#' @export
layer_r <- function(forward, inverse = NULL, vjp = NULL, params = numeric()) {
  check_given("forward")
  if (!is.function(params)) {
    if (!is.numeric(params) || !all(is.finite(params))) stop_arg("{.arg params} must be finite numbers or a function.")
    params <- as.double(params)
  }
  new_spec("layer", "r",
    forward = check_hosted(forward, "forward"), inverse = check_hosted(inverse, "inverse", TRUE),
    vjp = check_hosted(vjp, "vjp", TRUE), params = params
  )
}

#' @export
resolve.bijectr_layer_r <- function(layer, d, d_condition) {
  if (!is.function(layer$params)) return(list(layer))
  start <- call_with(layer$params, list(d = d, d_condition = d_condition), "params")
  if (!is.numeric(start) || !all(is.finite(start))) {
    stop_arg("{.arg params} of {.fn layer_r} must give finite numbers, not {describe(start)}.")
  }
  layer["params"] <- list(as.double(start))
  list(layer)
}
