# Coordinates of models in Stan, which has unconstrained ones, u, and parameters that are made of them. Where one
# parameter is made of one u, by one of
#
#   a + b u,   lower + e^u,   upper - e^u,   lower + (upper - lower) / (1 + e^-u),
#
# the flow's coordinate x is that parameter; elsewhere x = u. Which it is is found by looking at what becomes of points.
# The log density of x is that of u minus the logarithms of |dx/du|.

# A record for each u: list(curve, lower, upper, a, b, parameter), `parameter` the place among the parameters.
# `constrain(u)` gives the `n_parameters` parameters first.
find_curves <- function(constrain, n, n_parameters) {
  of <- function(u) constrain(u)[seq_len(n_parameters)]
  here <- 0.7 * sin(1.3 * seq_len(n))
  there <- 0.5 * cos(2.1 * seq_len(n))
  start <- of(here)
  # which parameters each coordinate moves, and how many coordinates move each parameter
  moves <- vapply(seq_len(n), function(j) of(replace(here, j, here[j] + 1)) != start, logical(n_parameters))
  moves <- matrix(moves, n_parameters, n)
  alone <- rowSums(moves) == 1
  lapply(seq_len(n), function(j) {
    for (k in which(moves[, j] & alone)) {
      path <- function(base) vapply(CURVE_POINTS, function(u) of(replace(base, j, u))[k], 0)
      y <- path(here)
      found <- if (nearly(y, path(there))) curve_through(y)
      if (!is.null(found)) return(c(found, parameter = k))
    }
    list(curve = "free")
  })
}

CURVE_POINTS <- -2:2

# But for rounding.
nearly <- function(x, y) {
  all(is.finite(x), is.finite(y)) && max(abs(x - y)) <= 1e-9 * (max(x) - min(x)) + 1e-14 * max(abs(x))
}

# The curve that has the values y at CURVE_POINTS, NULL if none of the above.
curve_through <- function(y) {
  u <- CURVE_POINTS
  share <- stats::plogis(u)
  if (!all(is.finite(y)) || y[1] == y[5]) return(NULL)
  width <- (y[5] - y[1]) / (share[5] - share[1])
  tidy <- function(x) round(x, 9 - floor(log10(abs(y[5] - y[1])))) # ends are what somebody has typed
  lower <- tidy(y[3] - 1)
  upper <- tidy(y[3] + 1)
  ends <- tidy(y[3] + c(-1, 1) * width / 2)
  if (nearly(y, y[3] + (y[4] - y[3]) * u)) return(list(curve = "line", a = y[3], b = y[4] - y[3]))
  if (nearly(y, lower + exp(u))) return(list(curve = "above", lower = lower))
  if (nearly(y, upper - exp(u))) return(list(curve = "below", upper = upper))
  if (ends[1] < ends[2] && nearly(y, ends[1] + (ends[2] - ends[1]) * share)) {
    return(list(curve = "between", lower = ends[1], upper = ends[2]))
  }
  NULL
}

# Each of a column: u of x; and by u log|dx/du| and its derivative.
CURVES <- list(
  free = list(to = function(x, at) x, log_slope = function(u, at) 0 * u, bend = function(u, at) 0 * u),
  line = list(
    to = function(x, at) (x - at$a) / at$b, log_slope = function(u, at) 0 * u + log(abs(at$b)),
    bend = function(u, at) 0 * u
  ),
  above = list(to = function(x, at) log(x - at$lower), log_slope = function(u, at) u, bend = function(u, at) 0 * u + 1),
  below = list(to = function(x, at) log(at$upper - x), log_slope = function(u, at) u, bend = function(u, at) 0 * u + 1),
  between = list(
    to = function(x, at) stats::qlogis((x - at$lower) / (at$upper - at$lower)),
    log_slope = function(u, at) {
      log(at$upper - at$lower) + stats::plogis(u, log.p = TRUE) + stats::plogis(-u, log.p = TRUE)
    },
    bend = function(u, at) 1 - 2 * stats::plogis(u)
  )
)

on_curves <- function(x, curves, what) {
  column <- function(j) CURVES[[curves[[j]]$curve]][[what]](as.double(x[, j]), curves[[j]])
  matrix(vapply(seq_along(curves), column, numeric(nrow(x))), nrow(x))
}

# dx/du is negative for those alone.
curve_signs <- function(curves) {
  vapply(curves, function(at) if (at$curve == "below" || at$curve == "line" && at$b < 0) -1 else 1, 0)
}

# The log density of x, by that of u, `density(u, gradient)` -> list(value, gradient).
density_on_curves <- function(density, curves) {
  signs <- curve_signs(curves)
  function(x, gradient) {
    u <- on_curves(x, curves, "to")
    log_slope <- on_curves(u, curves, "log_slope")
    out <- density(u, gradient)
    out$value <- out$value - rowSums(log_slope)
    if (gradient) {
      signs <- rep(signs, each = nrow(x))
      out$gradient <- (out$gradient - on_curves(u, curves, "bend")) * signs * exp(-log_slope)
    }
    out$value[is.nan(out$value)] <- -Inf
    out
  }
}
