#' Multilayer perceptron
#'
#' The usual conditioner: dense layers \eqn{h_l = a(W_l h_{l-1} + b_l)}, the last one linear. In
#' [layer_autoregressive()] the weights are masked (hidden unit \eqn{j} has rank \eqn{j \bmod (d - 1)}{j mod (d - 1)},
#' and sees only inputs and units of at most its own rank).
#'
#' @param width Number of hidden units, one number for all hidden layers or one for each.
#' @param depth Number of hidden layers; 0 gives a linear map.
#' @param activation Activation: `"relu"`, `"tanh"`, `"elu"`, `"gelu"` (its tanh form), `"silu"` (also called
#'   `"swish"`), `"softplus"`, `"sin"`, `"sigmoid"`, `"leaky_relu"` (of slope 0.01 below zero) or `"selu"`.
#' @param init `"identity"` starts the last layer at exactly zero, so that the layer it serves starts at its initial
#'   scalar; `"uniform"` draws all weights and biases from \eqn{U(-1/\sqrt{n_{in}}, 1/\sqrt{n_{in}})}{U(-1/sqrt(n_in),
#'   1/sqrt(n_in))}, as the hidden layers then are too. Or a number: all weights are normal draws of that standard
#'   deviation, and biases are zero; 0.01 is bijx's.
#' @param precision `"single"`: weights, inputs and hidden layers are numbers of 4 bytes, of some seven digits, which
#'   takes half the time where products of matrices take it; what comes out, and all that is made of it, is in double
#'   precision. A map and its inverse use the same net, so they are inverse to each other to all digits still.
#'   [fit_control()] has it for a training alone, where it is the default for nets of 128 units and more.
#' @return A net: an object of class `bijectr_net`, for the `net` of [layer_coupling()], [layer_autoregressive()] and
#'   others. It is a plain list and prints as the call that makes it.
#' @family nets
#' @examples
#' net_mlp(width = 32, depth = 2, activation = "tanh")
#' net_mlp(width = 256, depth = 2, precision = "single")
#' @export
net_mlp <- function(width = 50, depth = length(width), activation = "relu", init = c("identity", "uniform"),
                    precision = c("double", "single")) {
  with_precision(perceptron(width, depth, activation, init), precision)
}

# `prefix`: of the names that the arguments have where the user gave them.
perceptron <- function(width, depth, activation, init, prefix = "") {
  of <- function(name) paste0(prefix, name)
  depth <- check_count(depth, of("depth"), min = 0, max = 33)
  if (!length(width) %in% c(1L, depth)) {
    stop_arg("{.arg {of('width')}} must be one number, or one for each of the {depth} hidden layers.")
  }
  width <- vapply(width, check_count, integer(1), name = of("width"))
  new_spec("net", "mlp",
    width = rep_len(width, depth),
    activation = check_activation(activation, names(ACTIVATIONS), of("activation")),
    init = check_net_init(init)
  )
}

# The activations of perceptrons by name, and whether one is smooth enough for a vector field.
ACTIVATIONS <- c(
  relu = FALSE, tanh = TRUE, elu = TRUE, gelu = FALSE, silu = TRUE, softplus = TRUE, sin = TRUE, sigmoid = TRUE,
  leaky_relu = FALSE, selu = FALSE
)

# The name by which the core knows one.
check_activation <- function(x, known, name) {
  x <- check_choice(x, c(known, if ("silu" %in% known) "swish"), name)
  if (x == "swish") "silu" else x
}
