#' Map onto an interval
#'
#' The line onto the open interval from `lower` to `upper`, increasing and without parameters: next to the data it gives
#' a coordinate its support.
#'
#' \tabular{ll}{
#'   both ends infinite \tab \eqn{y = x} \cr
#'   `lower` \eqn{= a} alone, `"log"` \tab \eqn{y = a + e^x} \cr
#'   `lower` \eqn{= a} alone, `"softplus"` \tab
#'     \eqn{y = a + s \log(1 + e^{x / s})}{y = a + s log(1 + e^(x / s))} with \eqn{s} = `scale` \cr
#'   `lower` \eqn{= a} alone, `"power"` \tab
#'     \eqn{y = a + s ((1 + p \log(1 + e^{x / s}))^{1 / p} - 1)}{y = a + s ((1 + p log(1 + e^(x / s)))^(1 / p) - 1)}
#'     with \eqn{p} = `power` \cr
#'   `upper` alone \tab the same from the other side: \eqn{y = b - e^{-x}},
#'     \eqn{y = b - s \log(1 + e^{-x / s})}{y = b - s log(1 + e^(-x / s))} \cr
#'   both finite \tab \eqn{y = a + (b - a) / (1 + e^{-x})}
#' }
#' With a `reach` the curves `"log"` and `"power"` go on along their tangent from this distance on, so that what is far
#' out on the line is about as far in the data, and no more its exponential or power.
#'
#' `"log"` suits values over several orders of magnitude. `"softplus"` is the identity but for a shift far from the end,
#' so that the tail away from it stays as it is. `"power"` is between them: `"softplus"` for a power of 1, `"log"` in
#' the limit of 0. Its powers far out straighten the tails of gamma and Weibull distributions, for which
#' a logarithm is too much.
#'
#' Values are accurate near the ends, with all digits of the distance from an end that is 0. They never leave the open
#' interval: where rounding would, the value is the last number inside it.
#'
#' @section Parameters:
#' None.
#'
#' @section Domain:
#' The inverse is defined on the open interval. A point outside has density 0: its inverse is reported as 0 with
#' log-determinant `-Inf`.
#'
#' @param lower,upper Ends of the interval, of which either or both may be infinite.
#' @param curve `"log"`, `"softplus"` or `"power"`, where one end alone is finite.
#' @param scale For `"softplus"` and `"power"`: the distance from the end, in units of the data, at which the map bends.
#' @param power For `curve = "power"`: from 0.01 to 1.
#' @param reach For `"log"` and `"power"`: the distance from the end, in units of the data, from which on the map is
#'   straight; `Inf`: nowhere.
#' @return A scalar bijection: an object of class `bijectr_scalar`, for [layer_elementwise()], [layer_coupling()],
#'   [layer_autoregressive()] and others. It is a plain list and prints as the call that makes it.
#' @references Stan Development Team, *Stan Reference Manual*, Constraint transforms.
#' @family scalar bijections
#' @examples
#' supports <- list(scalar_support(0), scalar_support(0, 100), scalar_support())
#' f <- flow(layer_elementwise(supports), d = 3)
#' forward(f, rbind(c(-1, -1, -1), c(0, 0, 0), c(50, 50, 50)))$value
#' inverse(f, rbind(c(1, 50, 0)))
#' @export
scalar_support <- function(lower = -Inf, upper = Inf, curve = c("log", "softplus", "power"), scale = 1, power = 0.5,
                           reach = Inf) {
  lower <- check_end(lower, "lower")
  upper <- check_end(upper, "upper")
  curve <- check_choice(curve, c("log", "softplus", "power"), "curve")
  scale <- check_number(scale, "scale", min = 1e-300, max = 1e300)
  power <- check_number(power, "power", min = 0.01, max = 1)
  if (!identical(reach, Inf)) reach <- check_number(reach, "reach", min = 1e-300, max = 1e300)
  ends <- c(lower, upper)
  if (lower >= upper) stop_arg("{.arg lower} must be below {.arg upper}, but they are {lower} and {upper}.")
  if (all(is.finite(ends)) && !is.finite(upper - lower)) {
    stop_arg("{.arg lower} and {.arg upper} are too far apart: {lower} and {upper}.")
  }
  if (upper - lower < max(1e-300, 4 * .Machine$double.eps * abs(ends[is.finite(ends)]))) {
    stop_arg("{.arg lower} and {.arg upper} are too near each other: {lower} and {upper}.")
  }
  # what the core does not use is not there
  one_sided <- sum(is.finite(ends)) == 1
  spec <- new_spec("scalar", "support",
    lower = if (is.finite(lower)) lower, upper = if (is.finite(upper)) upper, curve = if (one_sided) curve,
    scale = if (one_sided && curve != "log") scale
  )
  if (one_sided && curve == "power") spec$power <- power
  if (one_sided && curve != "softplus" && is.finite(reach)) spec$reach <- reach
  spec
}

# One number, which may be infinite.
check_end <- function(x, name) if (is.numeric(x) && length(x) == 1 && is.infinite(x)) x else check_number(x, name)
