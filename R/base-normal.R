#' Base distributions
#'
#' The distribution that a flow starts from, with independent coordinates.
#'
#' @param trainable If `TRUE` the distribution has parameters that are trained with the layers: `mean` and raw `scale`
#'   (\eqn{s = \mathrm{softplus}(scale)}{s = softplus(scale)}) of the normal, raw `df` (\eqn{\nu =
#'   \mathrm{softplus}(df)}{nu = softplus(df)}) of the Student t, one a coordinate.
#' @param parameter `"scale"` as above, or `"variance"`: the raw parameter is that of the variance, \eqn{s^2 =
#'   \mathrm{softplus}(variance)}{s^2 = softplus(variance)}, and starts at a draw from U(0, 1) where `scale` is 1.
#' @param df Degrees of freedom, above 0; the initial value if trainable.
#' @param net A net of the conditions, see [net_mlp()]. Location and scale (of the normal mean and scale, or variance)
#'   of each coordinate are then its outputs given the conditions of each row, added to the raw values of `loc` and
#'   `scale`; of a flow without conditions they are trained as `mean` or `loc` and `scale`. `NULL`: all rows have the
#'   same.
#' @param loc,scale Location and scale, of the normal its mean and standard deviation: one number, or one a coordinate.
#'   Where they are trained, or given by a net, this is where they start (but see `parameter`).
#' @param min,max Ends of the interval.
#' @return A base distribution: an object of class `bijectr_base`, for the `base` of [flow()] and [fit_flow()]. It is a
#'   plain list and prints as the call that makes it.
#' @references Bailey (1994), *Polar generation of random variates with the t-distribution*, Mathematics of Computation
#'   62, 779-781, \doi{10.2307/2153537}, for draws from the Student t.
#' @order 1
#' @family base distributions
#' @examples
#' f <- flow(layer_elementwise(scalar_affine()), d = 1, base = base_student_t(df = 3))
#' logdensity(f, c(-1, 0, 1)) - dt(c(-1, 0, 1), df = 3, log = TRUE)
#'
#' # linear regression whose spread depends on the condition, too
#' set.seed(1)
#' base <- base_normal(net = net_mlp(depth = 0))
#' f <- fit_flow(dist ~ speed,
#'   data = cars, layers = list(), base = base, steps = 500, learning_rate = 0.05
#' )
#' quantile(f, c(0.05, 0.5, 0.95), condition = data.frame(speed = c(5, 15, 25)))
#' @export
base_normal <- function(trainable = FALSE, parameter = c("scale", "variance"), net = NULL, loc = 0, scale = 1) {
  new_spec("base", "normal",
    trainable = check_flag(trainable, "trainable"),
    parameter = check_choice(parameter, c("scale", "variance"), "parameter"), net = check_base_net(net),
    loc = check_loc(loc), scale = check_scale(scale)
  )
}

#' @export
base_distribution.bijectr_base_normal <- function(base, raw) {
  mean <- raw$mean %||% base$loc %||% 0
  scale <- if (is.null(raw$mean)) base$scale %||% 1 else softplus(raw[[base$parameter]])
  if (base$parameter == "variance" && !is.null(raw$mean)) scale <- sqrt(scale)
  list(
    cdf = function(z, ...) stats::pnorm(z, mean, scale, ...),
    quantile = function(p, ...) stats::qnorm(p, mean, scale, ...)
  )
}

#' @export
given_raw.bijectr_base_normal <- function(base, given) {
  stats::setNames(list(given[, 1], given[, 2]), c("mean", base$parameter))
}
