#' Rational-quadratic spline
#'
#' A monotone spline on an interval, the identity outside it. The most flexible of the scalar bijections for its number
#' of parameters, with a closed inverse; the usual choice in coupling and autoregressive layers.
#'
#' @details
#' With \eqn{n = knots + 1} bins on \eqn{[lo, hi]}, knots \eqn{(X_k, Y_k)}, widths \eqn{w_k}, heights \eqn{h_k}, slopes
#' \eqn{d_k} at the knots, \eqn{s = h_k / w_k} and \eqn{\xi = (x - X_k) / w_k} in the bin of \eqn{x},
#' \deqn{y = Y_k + h_k \frac{s \xi^2 + d_k \xi (1 - \xi)}{s + (d_k + d_{k+1} - 2 s) \xi (1 - \xi)}}{
#'   y = Y_k + h_k (s xi^2 + d_k xi (1 - xi)) / (s + (d_k + d_(k+1) - 2 s) xi (1 - xi))}
#' \deqn{\frac{dy}{dx} = s^2 \frac{d_{k+1} \xi^2 + 2 s \xi (1 - \xi) + d_k (1 - \xi)^2}
#'   {(s + (d_k + d_{k+1} - 2 s) \xi (1 - \xi))^2}}{
#'   dy / dx = s^2 (d_(k+1) xi^2 + 2 s xi (1 - xi) + d_k (1 - xi)^2) / ((s + (d_k + d_(k+1) - 2 s) xi (1 - xi))^2)}
#' Both ends of the interval belong to its inside. Outside, \eqn{y = x}.
#'
#' @section Parameters:
#' `widths` and `heights` are raw, \eqn{n} each: \eqn{w = min\_width + (hi - lo - n \cdot min\_width)
#' \mathrm{softmax}(widths)}{w = min_width + (hi - lo - n * min_width) softmax(widths)}, heights likewise. `slopes` are
#' raw: \eqn{d = \mathrm{softplus}(slopes) + min\_slope}{d = softplus(slopes) + min_slope}, capped at \eqn{2^{100}};
#' their number is `knots` for `boundary = "linear"`, `knots + 2` for `"free"` and `knots + 1` for `"circular"`, the
#' first of which is the slope of both ends. The initial values make the spline the identity: widths and heights 0, all
#' slopes 1.
#'
#' @param knots Number of inner knots, at least 1.
#' @param interval The interval `c(lo, hi)`, or one number `B` for `c(-B, B)`.
#' @param min_width Smallest width and height of a bin, in units of `x` (not a share of the interval).
#' @param min_slope Smallest slope at a knot.
#' @param boundary Slopes at the ends of the interval: `"linear"` fixes them at 1, so that the density is continuous
#'   there; `"free"` makes them parameters; `"circular"` makes both the same parameter, for angles.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Durkan, Bekasov, Murray, Papamakarios (2019), *Neural spline flows*, arXiv:1906.04032; for angles Rezende
#'   et al. (2020), *Normalizing flows on tori and spheres*, arXiv:2002.02428.
#' @family scalar bijections
#' @examples
#' f <- flow(layer_elementwise(scalar_rq_spline(knots = 4, interval = 3)), d = 1)
#' params(f) <- 0.5 * rnorm(length(coef(f)))
#' x <- seq(-4, 4, length.out = 101)
#' plot(x, forward(f, x)$value, type = "l")
#' @export
scalar_rq_spline <- function(knots = 8, interval = c(-4, 4), min_width = 1e-3, min_slope = 1e-3,
                             boundary = c("linear", "free", "circular")) {
  knots <- check_count(knots, "knots")
  interval <- check_interval(interval)
  size <- diff(interval)
  min_width <- check_number(min_width, "min_width", min = 1e-8 * size)
  if ((knots + 1) * min_width >= size) {
    stop_arg(c(
      "{.arg min_width} is too large: {knots + 1} bins of at least {min_width} do not fit into an interval of {size}.",
      i = "Widths are absolute, not shares of the interval."
    ))
  }
  new_spec("scalar", "rq_spline",
    knots = knots,
    interval = interval,
    min_width = min_width,
    min_slope = check_number(min_slope, "min_slope", above = 0, below = Inf),
    boundary = check_choice(boundary, c("linear", "free", "circular"), "boundary")
  )
}

check_interval <- function(interval) {
  if (!is.numeric(interval) || !length(interval) %in% 1:2 || !all(is.finite(interval))) {
    stop_arg("{.arg interval} must be {.code c(lo, hi)} or one number, not {.obj_type_friendly {interval}}.")
  }
  if (length(interval) == 1) interval <- c(-interval, interval)
  if (interval[1] >= interval[2]) {
    stop_arg("{.arg interval} must increase, not run from {interval[1]} to {interval[2]}.")
  }
  as.double(interval)
}
