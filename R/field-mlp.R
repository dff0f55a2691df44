#' Multilayer perceptron as a vector field
#'
#' The field of FFJORD: \eqn{f(t, z, c)} is a perceptron of the state, the time and the conditions. Its trace is
#' exact, one product of matrices with one or two hidden layers and else summed up over the coordinates, or estimated
#' with probes, see [layer_continuous()].
#'
#' @param width Numbers of hidden units, one a hidden layer.
#' @param activation A smooth activation: `"tanh"`, `"softplus"`, `"elu"`, `"silu"` (or `"swish"`), `"sin"` or
#'   `"sigmoid"`.
#' @param frequencies Number \eqn{m} of Fourier features of the time: beside \eqn{t} itself the net sees \eqn{\sin \pi k
#'   t}{sin pi k t} and \eqn{\cos \pi k t}{cos pi k t}, \eqn{k = 1, \dots, m}.
#' @param init `"identity"` starts the last layer at zero, where nothing moves; `"uniform"` draws all weights and biases
#'   from \eqn{U(-1/\sqrt{n_{in}}, 1/\sqrt{n_{in}})}{U(-1/sqrt(n_in), 1/sqrt(n_in))}; a number draws all weights from
#'   a normal distribution of that standard deviation, with biases of zero.
#' @param precision As in [net_mlp()], for evaluation as well as for training. States and sums of the solver stay in
#'   double precision, and tolerances below 1e-6, as those by which [solver_tsit5()] evaluates by default, want a field
#'   that is, too: one in single precision can take more steps to them than one in double. Training alone is in single
#'   precision by default, see [fit_control()].
#' @section Parameters:
#' `W1`, `b1`, `W2`, ... of the layers. Columns of `W1`: the coordinates, \eqn{t}, its features (sine and cosine of
#' \eqn{k = 1}, then of 2, ...), the conditions.
#' @return A field: an object of class `bijectr_field`, for [layer_continuous()].
#' @references Grathwohl, Chen, Bettencourt, Sutskever, Duvenaud (2019), *FFJORD: free-form continuous dynamics for
#'   scalable reversible generative models*, arXiv:1810.01367.
#' @family continuous flows
#' @examples
#' field_mlp(c(32, 32), "softplus", frequencies = 2)
#' @export
field_mlp <- function(width = c(64, 64), activation = "tanh", frequencies = 0, init = c("identity", "uniform"),
                      precision = c("double", "single")) {
  if (!is.numeric(width) || !length(width) || length(width) > 16) {
    stop_arg("{.arg width} must be 1 to 16 numbers, one a hidden layer, not {describe(width)}.")
  }
  field <- new_spec("field", "mlp",
    width = vapply(width, check_count, integer(1), name = "width"),
    activation = check_activation(activation, names(which(ACTIVATIONS)), "activation"),
    frequencies = check_count(frequencies, "frequencies", min = 0, max = 1000),
    init = check_net_init(init)
  )
  with_precision(field, precision)
}
