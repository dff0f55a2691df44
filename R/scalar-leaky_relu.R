#' Leaky rectifier with a trained slope
#'
#' \eqn{y = x} for \eqn{x > 0}, \eqn{y = \alpha x} otherwise.
#'
#' @section Parameters:
#' `slope` is raw: \eqn{\log \alpha}{log alpha} for `parameterization = "log"`, \eqn{\alpha} itself for `"identity"`.
#' The log-derivative is 0 or \eqn{\log |\alpha|}{log |alpha|}; \eqn{|\alpha|} is kept within \eqn{2^{\pm
#' 100}}{2^(+-100)}.
#'
#' @param slope Initial \eqn{\alpha}, above 0. `NULL` draws it from \eqn{U(0, 0.9)}, though not below 0.001.
#' @param parameterization What the optimizer moves: `"log"` keeps \eqn{\alpha} positive whatever it does; with
#'   `"identity"` training could carry it to negative values, where the map has no inverse.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Maas, Hannun, Ng (2013), *Rectifier nonlinearities improve neural network acoustic models*, ICML Workshop
#'   on Deep Learning for Audio, Speech and Language Processing.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_leaky_relu(0.5)), d = 1)
#' forward(f, c(-2, 2))
#' @export
scalar_leaky_relu <- function(slope = NULL, parameterization = c("log", "identity")) {
  new_spec("scalar", "leaky_relu",
    slope = check_number(slope, "slope", above = 0, below = Inf, null = TRUE),
    parameterization = check_choice(parameterization, c("log", "identity"), "parameterization")
  )
}
