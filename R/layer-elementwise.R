#' Scalar bijections on the coordinates
#'
#' Applies a scalar bijection to each coordinate, \eqn{y_i = f(x_i; \theta_i)}, or to each coordinate one of its own,
#' \eqn{y_i = f_i(x_i; \theta_i)}.
#'
#' @section Parameters:
#' With one scalar those of it under their names, for each coordinate one (or a row of a matrix). With a list of scalars
#' `params()` shows a list with one entry a coordinate, each with the parameters of its scalar; coordinates without
#' parameters have none.
#'
#' @param scalar The scalar bijection, one of the `scalar_*` functions; or a list of them, one for each coordinate.
#' @param shared If `TRUE` all coordinates have the same parameters, otherwise each has its own. A list of scalars
#'   shares nothing.
#' @return A layer: an object of class `bijectr_layer`, for the `layers` of [flow()] and [fit_flow()]. It is a plain
#'   list and prints as the call that makes it.
#' @family layers
#' @examples
#' f <- flow(layer_elementwise(scalar_leaky_relu(0.5), shared = TRUE), d = 2)
#' forward(f, rbind(c(-1, 1), c(2, -2)))
#'
#' # a positive coordinate, one between 0 and 1, and any number
#' f <- flow(layer_elementwise(list(scalar_exp(), scalar_sigmoid(), scalar_affine())), d = 3)
#' forward(f, rbind(c(-1, 0, 1)))$value
#' params(f)$layers[[1]][[3]]
#' @export
layer_elementwise <- function(scalar, shared = FALSE) {
  check_given("scalar")
  shared <- check_flag(shared, "shared")
  if (is.list(scalar) && !inherits(scalar, "bijectr_spec")) {
    if (length(scalar) == 0) stop_arg("{.arg scalar} must hold one scalar bijection for each coordinate.")
    if (shared) stop_arg("{.arg shared} must be FALSE where {.arg scalar} is a list: each coordinate has its own.")
    scalar <- lapply(seq_along(scalar), function(i) check_family(scalar[[i]], "scalar", paste0("scalar[[", i, "]]")))
  } else {
    check_family(scalar, "scalar", "scalar")
  }
  new_spec("layer", "elementwise", scalar = scalar, shared = shared)
}

#' @export
resolve.bijectr_layer_elementwise <- function(layer, d, d_condition) {
  if (!inherits(layer$scalar, "bijectr_spec") && is.list(layer$scalar) && length(layer$scalar) != d) {
    stop_arg(c(
      "The list {.arg scalar} of {.fn layer_elementwise} has {length(layer$scalar)} scalar bijection{?s},
       but there {cli::qty(d)}{?is/are} {d} coordinate{?s}.",
      i = "It must have one for each; {.fn scalar_support} leaves a coordinate as it is."
    ))
  }
  list(layer)
}

#' @export
brief.bijectr_layer_elementwise <- function(layer) {
  if (inherits(layer$scalar, "bijectr_spec")) return(NextMethod())
  kinds <- unique(vapply(layer$scalar, function(scalar) scalar$kind, ""))
  paste("elementwise", if (length(kinds) > 3) paste(length(kinds), "kinds") else paste(kinds, collapse = ", "))
}
