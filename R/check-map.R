# The integral of a density, and the map of a single flow: is the inverse one, and the log determinant the derivative?

INTEGRAL_ERROR <- 0.02

# With conditions at three rows of them: the first, the middle and the last.
density_integrals <- function(subject, places) {
  d <- length(subject$labels)
  if (d > 2 || !subject$lebesgue || places$broken > 0) return(NULL)
  given <- subject$given
  rows <- if (is.null(given)) NA else unique(round(seq(1, nrow(given), length.out = 3)))
  found <- lapply(rows, function(i) {
    at <- if (!is.na(i)) given[i, , drop = FALSE]
    draws <- if (is.na(i)) places$draws else draw_rows(subject$flow, 2000, at[rep(1, 2000), , drop = FALSE])
    draws <- draws[!not_finite(draws), , drop = FALSE]
    # in units of the columns: densities of very small ones are beyond the largest number
    unit <- integral_units(draws)
    density <- function(x) {
      value <- exp(quietly(logdensity(subject$flow, x * rep(unit, each = nrow(x)), at)) + sum(log(unit)))
      value[is.nan(value)] <- 0
      value
    }
    if (is_discrete(subject$flow$base)) {
      codes <- matrix(seq_len(subject$flow$base$levels) - 1)
      return(data.frame(row = i, value = sum(density(codes / unit)) / unit, error = 0))
    }
    draws <- draws / rep(unit, each = nrow(draws))
    data.frame(row = i, if (d == 1) integral_of_line(density, draws[, 1]) else integral_of_plane(density, draws))
  })
  found <- do.call(rbind, found)
  lost <- is.na(found$error) | found$error > INTEGRAL_ERROR / 2
  structure(found, note = if (any(lost)) "The integral of the density is not known well enough: its peaks are sharp.")
}

# Powers of 2 near the ranges of the middle halves of draws; 1 where a column has none.
integral_units <- function(draws) {
  vapply(seq_len(ncol(draws)), function(j) {
    range <- if (nrow(draws)) diff(stats::quantile(draws[, j], c(0.25, 0.75), names = FALSE)) else 0
    if (range > 0 && is.finite(range)) 2^round(log2(range)) else 1
  }, 0)
}

# Between quantiles of draws by rules of Gauss and Kronrod, and beyond them out to infinity.
integral_of_line <- function(density, draws) {
  if (!length(draws)) return(data.frame(value = NA_real_, error = NA_real_))
  breaks <- unique(stats::quantile(draws, c(0, 0.001, 0.01, seq(0.05, 0.95, 0.05), 0.99, 0.999, 1), names = FALSE))
  scale <- diff(range(breaks))
  if (!(scale > 0)) return(data.frame(value = NA_real_, error = NA_real_))
  unit <- (breaks - breaks[1]) / scale
  of_unit <- function(t) pmin(scale * density(matrix(breaks[1] + scale * t)), 1e300)
  parts <- mapply(function(from, to) {
    one <- tryCatch(
      stats::integrate(of_unit, from, to, subdivisions = 200, rel.tol = 1e-5, stop.on.error = FALSE),
      error = function(e) list(value = NA_real_, abs.error = NA_real_)
    )
    c(one$value, one$abs.error)
  }, c(-Inf, unit), c(unit, Inf))
  data.frame(value = sum(parts[1, ]), error = sum(parts[2, ]))
}

# Gauss's rule of three points in the cells of a grid whose lines are quantiles of draws, and a few beyond them; once
# more with half as many lines, for the error.
integral_of_plane <- function(density, draws) {
  values <- vapply(c(80, 40), function(cells) {
    sides <- lapply(1:2, function(j) grid_side(draws[, j], cells))
    if (!length(sides[[1]]$x) || !length(sides[[2]]$x)) return(NA_real_)
    x <- cbind(rep(sides[[1]]$x, times = length(sides[[2]]$x)), rep(sides[[2]]$x, each = length(sides[[1]]$x)))
    sum(pmin(density(x), 1e300) * as.vector(outer(sides[[1]]$weight, sides[[2]]$weight)))
  }, 0)
  data.frame(value = values[1], error = abs(diff(values)))
}

grid_side <- function(x, cells) {
  x <- x[is.finite(x)]
  if (!length(x)) return(list(x = numeric(), weight = numeric()))
  # equal shares where draws are many, equal steps where the range is wide
  shares <- stats::quantile(x, seq(0, 1, length.out = cells %/% 2 + 1), names = FALSE)
  middle <- stats::quantile(x, c(0.01, 0.99), names = FALSE)
  steps <- seq(middle[1], middle[2], length.out = cells %/% 2 + 1)
  beyond <- diff(middle) * 1.5^seq(-6, 8)
  far <- c(middle[1] - beyond, middle[2] + beyond)
  reach <- range(x) + c(-1, 1) * diff(middle)
  lines <- sort(unique(c(shares, steps, far[far > reach[1] & far < reach[2]], reach)))
  width <- diff(lines)
  node <- sqrt(3 / 5) / 2
  list(
    x = c(outer(c(0.5 - node, 0.5, 0.5 + node), width) + rep(utils::head(lines, -1), each = 3)),
    weight = c(outer(c(5, 8, 5) / 18, width))
  )
}

integral_reasons <- function(found) {
  if (is.null(found)) return(NULL)
  bad <- which(found$error <= INTEGRAL_ERROR / 2 & abs(found$value - 1) > INTEGRAL_ERROR)
  if (!length(bad)) return(NULL)
  paste0(
    "The density integrates to ", format(signif(found$value[bad[1]], 4)), ", not to 1. ",
    "Of a continuous or a numerically inverted flow, ask for smaller errors of its solver; else this is a bug."
  )
}

# ---- map -------------------------------------------------------------------------------------------------------------

MAP_ROWS <- 100
JACOBIAN_ROWS <- 5
ROUND_TRIP_ERROR <- 1e-4
JACOBIAN_ERROR <- 0.02

look_at_map <- function(subject, places) {
  inside <- which(is.finite(places$log_density))
  nothing <- list(round_trip = NA_real_, jacobian = NA_real_)
  if (!length(inside)) return(c(nothing, note = "No row has a density: its map is not looked at."))
  if (!is.null(places$no_inverse)) return(nothing)
  i <- inside[unique(round(seq(1, length(inside), length.out = MAP_ROWS)))]
  x <- subject$x[i, , drop = FALSE]
  given <- if (!is.null(subject$given)) subject$given[i, , drop = FALSE]
  spread <- apply(subject$x, 2, function(x) max(stats::IQR(x) / 1.349, 1e-3 * stats::sd(x), 1e-300))
  back <- quietly(inverse(subject$flow, x, condition = given))
  there <- quietly(forward(subject$flow, back$value, condition = given))
  error <- abs(unname(there$value) - x) / pmax(rep(spread, each = nrow(x)), abs(x))
  jacobian <- jacobian_errors(subject$flow, back$value, given, there$logdet, spread)
  list(
    round_trip = if (all(is.na(error))) NA_real_ else max(error, na.rm = TRUE),
    jacobian = if (all(is.na(jacobian))) NA_real_ else max(jacobian, na.rm = TRUE)
  )
}

# Central differences of `forward()` on the base side, where every point has neighbours, in three steps, of which the
# nearest counts: near kinks of splines one is better, far out another.
jacobian_errors <- function(flow, z, given, logdet, spread) {
  d <- ncol(z)
  rows <- unique(round(seq(1, nrow(z), length.out = if (d > 50) 2 else JACOBIAN_ROWS)))
  vapply(rows, function(i) {
    found <- vapply(c(1e-3, 1e-4, 1e-5), function(h) {
      step <- diag(h, d)
      points <- rbind(step, -step) + rep(z[i, ], each = 2 * d)
      at <- if (!is.null(given)) given[rep(i, 2 * d), , drop = FALSE]
      x <- tryCatch(unname(quietly(forward(flow, points, condition = at))$value), bijectr_error = function(e) NULL)
      if (is.null(x)) return(NA_real_)
      slopes <- (x[seq_len(d), , drop = FALSE] - x[d + seq_len(d), , drop = FALSE]) / (2 * h)
      slopes <- sweep(slopes, 2, spread, "/")
      if (!all(is.finite(slopes))) return(NA_real_)
      abs(determinant(slopes)$modulus + sum(log(spread)) - logdet[i])
    }, 0)
    if (all(is.na(found))) NA_real_ else min(found, na.rm = TRUE)
  }, 0)
}

map_reasons <- function(map) {
  c(
    if (isTRUE(map$round_trip > ROUND_TRIP_ERROR)) {
      paste0(
        "forward(inverse(x)) misses x by ", format(signif(map$round_trip, 2)), " of its spread: the inverse is not ",
        "one. Ask for smaller errors of a solver, or fit again with smaller parameters (weight decay, clip)."
      )
    },
    if (isTRUE(map$jacobian > JACOBIAN_ERROR)) {
      paste0(
        "The log determinant differs from that of central differences by ", format(signif(map$jacobian, 2)), ". ",
        "Ask for smaller errors of a solver; else this is a bug."
      )
    }
  )
}
