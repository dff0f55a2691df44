#' Polynomial net
#'
#' A conditioner that is linear in products of one-dimensional orthonormal polynomials of its inputs: all products of
#' total degree up to `total_degree` in which no input has a degree above `degree`.
#'
#' @section Parameters:
#' `coef`, one row a term and one column an output. Terms are sorted by total degree, then with falling degree of the
#' first input, of the second, and so on: for two inputs 1, \eqn{x_1}, \eqn{x_2}, \eqn{x_1^2}, \eqn{x_1 x_2}, ....
#' Initial coefficients are `init` times standard normal draws.
#'
#' @param degree Largest degree of one input.
#' @param total_degree Largest total degree of a term.
#' @param basis `"hermite"`: orthonormal under the standard normal; `"legendre"`: orthonormal under the uniform
#'   distribution on (-1, 1).
#' @param init Standard deviation of the initial coefficients. 0 starts the layer that the net serves at its initial
#'   parameters, the identity for most. A cubic of data that reach far beyond the basis's own distribution is large, and
#'   a stack of unbounded affine layers multiplies such numbers: where the loss starts at infinity, take 0.01 or 0.
#' @return A net: an object of class `bijectr_net`, for the `net` of [layer_coupling()], [layer_autoregressive()] and
#'   others. It is a plain list and prints as the call that makes it.
#' @family nets
#' @examples
#' f <- flow(layer_coupling(scalar_affine("exp"), net_polynomial(2)), d = 4)
#' str(params(f))
#' @export
net_polynomial <- function(degree = 3, total_degree = degree, basis = c("hermite", "legendre"),
                           init = 0.1) {
  new_spec("net", "polynomial",
    degree = check_count(degree, "degree", min = 0, max = 100),
    total_degree = check_count(total_degree, "total_degree", min = 0, max = 100),
    basis = check_choice(basis, c("hermite", "legendre"), "basis"),
    init = check_number(init, "init", min = 0)
  )
}
