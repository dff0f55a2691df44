# Densities and draws of one and two coordinates.

plot_density_1d <- function(flow, draws, data, condition, grid, window) {
  xlim <- window$xlim %||% shown_range(draws, data)
  x <- seq(xlim[1], xlim[2], length.out = max(grid, 401))
  density <- exp(logdensity(flow, x, condition))
  bars <- if (!is.null(data)) density_bars(data)
  ylim <- window$ylim %||% c(0, 1.04 * max(top_density(density), bars$density))
  plot(NULL,
    xlim = xlim, ylim = ylim, xlab = coordinate_labels(flow), ylab = "Density", main = window$main, yaxs = "i", las = 1
  )
  if (!is.null(bars)) draw_bars(bars, "grey85", "grey60")
  graphics::lines(x, density, lwd = 2, col = "#08519C")
  graphics::box()
  if (!is.null(bars)) {
    legend_above(c("flow", "data"),
      lwd = c(2, NA), col = c("#08519C", "grey60"), pch = c(NA, 22), pt.bg = "grey85", pt.cex = 2
    )
  }
  data.frame(x = x, density = density)
}

# Freedman-Diaconis widths; bounded, because heavy tails would ask for a million bars.
density_bars <- function(x) {
  bars <- if (min(x) < max(x)) grDevices::nclass.FD(x) else 1
  graphics::hist(x, breaks = max(5, min(bars, 80)), plot = FALSE)
}

draw_bars <- function(bars, fill, border) {
  graphics::rect(utils::head(bars$breaks, -1), 0, bars$breaks[-1], bars$density, col = fill, border = border)
}

plot_density_2d <- function(flow, draws, data, condition, grid, window, colors) {
  labels <- coordinate_labels(flow)
  usr <- open_map(draws, data, window, labels)
  x <- seq(usr[1], usr[2], length.out = grid)
  y <- seq(usr[3], usr[4], length.out = grid)
  points <- cbind(rep(x, times = grid), rep(y, each = grid))
  density <- matrix(exp(logdensity(flow, points, condition)), grid)
  draw_map(x, y, density, colors)
  levels <- region_levels(exp(logdensity(flow, unname(draws), condition)))
  draw_regions(x, y, density, levels, labels = TRUE)
  if (!is.null(data)) graphics::points(data, pch = 20, cex = point_size(data), col = DATA_COLOR)
  finish_map()
  list(x = x, y = y, density = density)
}

# An empty plot of two coordinates; returns its edges. The map is drawn out to them whatever the aspect ratio.
open_map <- function(draws, data, window, labels) {
  xlim <- window$xlim %||% shown_range(draws[, 1], data[, 1])
  ylim <- window$ylim %||% shown_range(draws[, 2], data[, 2])
  plot(NULL,
    xlim = xlim, ylim = ylim, asp = window$asp %||% similar_aspect(xlim, ylim), xaxs = "i", yaxs = "i", axes = FALSE,
    xlab = labels[1], ylab = labels[2], main = window$main
  )
  graphics::par("usr")
}

draw_map <- function(x, y, density, colors) {
  density[!is.finite(density)] <- top_density(density)
  # far from zero steps are rounded
  even <- function(x) isTRUE(all.equal(diff(x), rep(x[2] - x[1], length(x) - 1)))
  graphics::image(x, y, density, col = colors, add = TRUE, useRaster = even(x) && even(y))
}

# Axes over the map, which covers what was drawn before it.
finish_map <- function() {
  graphics::axis(1)
  graphics::axis(2, las = 1)
  graphics::box()
}

# Density levels whose regions hold the given shares of the distribution, from the densities at draws.
region_levels <- function(density_at_draws, shares = c(0.5, 0.8, 0.95)) {
  stats::setNames(stats::quantile(density_at_draws, 1 - shares, na.rm = TRUE, names = FALSE), paste0(100 * shares, "%"))
}

draw_regions <- function(x, y, density, levels, labels) {
  # where a density is flat, shares have no lines of their own
  flat <- duplicated(levels) | duplicated(levels, fromLast = TRUE)
  levels <- levels[is.finite(levels) & levels > 0 & !flat]
  if (!length(levels)) return()
  graphics::contour(x, y, density,
    levels = levels, labels = names(levels), drawlabels = labels, add = TRUE, col = "grey10", labcex = 0.75,
    vfont = NULL
  )
}

plot_samples_1d <- function(flow, draws, data, window) {
  bars <- density_bars(draws)
  data_bars <- if (!is.null(data)) density_bars(data)
  xlim <- window$xlim %||% range(bars$breaks, data_bars$breaks)
  ylim <- window$ylim %||% c(0, 1.04 * max(bars$density, data_bars$density))
  plot(NULL,
    xlim = xlim, ylim = ylim, xlab = coordinate_labels(flow), ylab = "Density", main = window$main, yaxs = "i", las = 1
  )
  draw_bars(bars, "grey85", "grey60")
  if (!is.null(data)) {
    draw_steps(data_bars)
    legend_draws(pch = c(22, NA), lwd = c(NA, 2), pt.cex = 2)
  }
  graphics::box()
  draws
}

draw_steps <- function(bars) {
  graphics::lines(
    rep(bars$breaks, each = 2), c(0, rep(bars$density, each = 2), 0), col = substr(DATA_COLOR, 1, 7), lwd = 2
  )
}

plot_samples_2d <- function(flow, draws, data, window) {
  labels <- coordinate_labels(flow)
  xlim <- window$xlim %||% range(draws[, 1], data[, 1])
  ylim <- window$ylim %||% range(draws[, 2], data[, 2])
  plot(draws,
    xlim = xlim, ylim = ylim, asp = window$asp %||% similar_aspect(xlim, ylim), xlab = labels[1], ylab = labels[2],
    main = window$main, pch = 20, cex = point_size(draws), col = DRAW_COLOR, las = 1
  )
  if (!is.null(data)) {
    graphics::points(data, pch = 3, cex = point_size(data), col = DATA_COLOR)
    legend_draws(pch = c(20, 3))
  }
  draws
}
