# Densities and draws of one and two coordinates.

density_picture_1d <- function(flow, draws, data, condition, window) {
  xlim <- window$xlim %||% shown_range(draws, data)
  x <- seq(xlim[1], xlim[2], length.out = max(window$grid, 401))
  density <- exp(logdensity(flow, x, condition))
  bars <- if (!is.null(data)) density_bars(data, xlim)
  ylim <- window$ylim %||% c(0, 1.04 * max(top_density(density), bars$density))
  items <- list(
    if (!is.null(bars)) item_histogram(bars, "grey85", "grey60", "data"),
    item_lines(x, density, window[["col"]] %||% FLOW_COLOR, if (!is.null(bars)) "flow")
  )
  picture_of_window(window, items, list(xlim, ylim), "floor", shown = data.frame(x = x, density = density),
    note = outside_text(data, list(xlim))
  )
}

# Of whole numbers: probabilities, or shares of draws, as stems beside the shares of the data as bars.
whole_picture <- function(flow, draws, data, condition, window, sampled) {
  draws <- to_whole(draws)
  limits <- round(window$xlim %||% (shown_range(draws, data) + c(-0.5, 0.5)))
  values <- as.double(seq(limits[1], limits[2]))
  if (length(values) > 2000) stop_arg("{.arg xlim} spans more than 2000 whole numbers.")
  shares <- column_shares(draws, data, values)
  found <- if (sampled) shares$draws else exp(logdensity(flow, values, condition))
  own <- shares$data
  stems <- item_lines(rep(values, each = 3), rbind(0, found, NA), window[["col"]] %||% FLOW_COLOR)
  items <- list(
    if (!is.null(own)) item_bars(values - 0.45, values + 0.45, own, "grey85", "grey60", "data"),
    stems, item_points(values, found, window[["col"]] %||% FLOW_COLOR,
      if (!is.null(own)) if (sampled) "draws" else "flow", cex = 1
    )
  )
  ylim <- window$ylim %||% c(0, 1.06 * max(found, own))
  picture_of_window(window, items, list(limits + c(-0.6, 0.6), ylim), "floor",
    shown = if (sampled) draws else data.frame(x = values, density = found),
    note = outside_text(data, list(limits + c(-0.5, 0.5))), ylab = if (sampled) "Share" else "Probability"
  )
}

# A picture of one panel with what the user asks for. `limits`: of x and y.
picture_of_window <- function(window, items, limits, ends, shown = NULL, note = NULL, ylab = "Density", asp = NA) {
  panel <- new_panel(items, limits[[1]], limits[[2]], window$xlab %||% window$labels[1], window$ylab %||% ylab,
    asp = asp, ends = ends, xticks = axis_ticks(window$codecs[[1]], limits[[1]]),
    yticks = if (length(window$labels) == 2) axis_ticks(window$codecs[[2]], limits[[2]])
  )
  new_picture(list(panel), main = window$main, note = picture_note(window$note, note), shown = shown)
}

# Freedman-Diaconis widths; bounded, because heavy tails would ask for a million bars. Heights are densities of all
# points, those beyond `limits` too, between which bars are.
density_bars <- function(x, limits = NULL) {
  inside <- if (is.null(limits)) x else x[x >= limits[1] & x <= limits[2]]
  if (!length(inside)) return(list(breaks = limits, density = 0))
  bars <- if (min(inside) < max(inside)) grDevices::nclass.FD(inside) else 1
  # whole breaks would be integers, whose sums overflow at numbers as large as times are
  breaks <- as.double(pretty(range(inside), max(5, min(bars, 80))))
  out <- graphics::hist(inside, breaks = if (length(breaks) > 1) breaks else 5, plot = FALSE)
  list(breaks = out$breaks, density = out$density * length(inside) / length(x))
}

density_picture_2d <- function(flow, draws, data, condition, window) {
  limits <- window_limits(window, draws, data)
  surface <- function(xlim, ylim) {
    x <- seq(xlim[1], xlim[2], length.out = window$grid)
    y <- seq(ylim[1], ylim[2], length.out = window$grid)
    points <- cbind(rep(x, times = window$grid), rep(y, each = window$grid))
    list(x = x, y = y, density = matrix(exp(logdensity(flow, points, condition)), window$grid))
  }
  levels <- drawn_levels(region_levels(exp(logdensity(flow, unname(draws), condition)), window$levels))
  items <- list(item_map(surface, window$colors, levels, TRUE, window[["col"]]), item_data(data))
  picture_of_window(window, items, limits, "tight", ylab = window$labels[2],
    note = c(thinned_text(NROW(data)), outside_text(data, limits)), asp = window_aspect(window, limits)
  )
}

window_limits <- function(window, draws, data) {
  list(window$xlim %||% shown_range(draws[, 1], data[, 1]), window$ylim %||% shown_range(draws[, 2], data[, 2]))
}

window_aspect <- function(window, limits) {
  asp <- window$asp %||% similar_aspect(limits[[1]], limits[[2]])
  as.double(asp)
}

# Points of the data, no more than can be seen.
item_data <- function(data, key = NULL, pch = 20) {
  if (is.null(data)) return(NULL)
  data <- data[thin_rows(nrow(data)), , drop = FALSE]
  item_points(data[, 1], data[, 2], DATA_COLOR, key, pch)
}

# Density levels whose regions hold the given shares of the distribution, from the densities at draws.
region_levels <- function(density_at_draws, shares) {
  stats::setNames(stats::quantile(density_at_draws, 1 - shares, na.rm = TRUE, names = FALSE),
    if (length(shares)) paste0(100 * shares, "%") else character()
  )
}

# Where a density is flat, shares have no lines of their own.
drawn_levels <- function(levels) {
  flat <- duplicated(levels) | duplicated(levels, fromLast = TRUE)
  levels[is.finite(levels) & levels > 0 & !flat]
}

samples_picture_1d <- function(flow, draws, data, condition, window) {
  xlim <- window$xlim %||% shown_range(draws, data)
  bars <- density_bars(draws, xlim)
  own <- if (!is.null(data)) density_bars(data, xlim)
  ylim <- window$ylim %||% c(0, 1.04 * max(bars$density, own$density))
  items <- list(
    item_histogram(bars, window[["col"]] %||% "grey85", "grey60", if (!is.null(own)) "draws"),
    if (!is.null(own)) item_outline(own, "data")
  )
  picture_of_window(window, items, list(xlim, ylim), "floor", draws, outside_text(data, list(xlim)))
}

samples_picture_2d <- function(flow, draws, data, condition, window) {
  limits <- window_limits(window, draws, data)
  seen <- draws[thin_rows(nrow(draws)), , drop = FALSE]
  items <- list(
    item_points(seen[, 1], seen[, 2], window[["col"]] %||% DRAW_COLOR, if (!is.null(data)) "draws"),
    item_data(data, "data", 3)
  )
  picture_of_window(window, items, limits, "room", draws, c(thinned_text(NROW(data)), outside_text(data, limits)),
    ylab = window$labels[2], asp = window_aspect(window, limits)
  )
}
