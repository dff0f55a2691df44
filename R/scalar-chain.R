#' Chain of scalar bijections
#'
#' The composition \eqn{y = f_m(\ldots f_2(f_1(x)))}{y = f_m(... f_2(f_1(x)))}: the first one given is applied first.
#'
#' @section Parameters:
#' Those of the members, each name with the position of its member before it: `1.loc`, `1.scale`, `2.slope`, .... The
#' log-derivative is the sum of the members'.
#'
#' @param ... Scalar bijections, or lists of them. A chain among them is taken apart into its members.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Tabak, Turner (2013), *A family of nonparametric density estimation algorithms*, Communications on Pure
#'   and Applied Mathematics 66(2), \doi{10.1002/cpa.21423}.
#' @family scalar bijections
#' @examples
#' scalar_chain(scalar_affine(), scalar_exp())
#' stack <- scalar_chain(rep(list(scalar_affine(), scalar_leaky_relu(0.5)), 4))
#' f <- flow(layer_elementwise(stack), d = 1)
#' names(params(f)$layers[[1]])
#' @export
scalar_chain <- function(...) {
  members <- flatten_scalars(list(...))
  if (length(members) == 0) stop_arg("{.arg ...} must hold at least one scalar bijection.")
  new_spec("scalar", "chain", scalars = members)
}

flatten_scalars <- function(scalars) {
  members <- lapply(scalars, function(scalar) {
    if (inherits(scalar, "bijectr_scalar_chain")) return(scalar$scalars)
    if (is.list(scalar) && !inherits(scalar, "bijectr_spec")) return(flatten_scalars(scalar))
    list(check_family(scalar, "scalar", "..."))
  })
  unname(do.call(c, members))
}

#' @export
arguments.bijectr_scalar_chain <- function(spec) spec$scalars
