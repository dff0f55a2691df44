# Small multiples of all pairs of coordinates.

plot_pairs <- function(flow, draws, data, which, colors, main) {
  labels <- coordinate_labels(flow)[which]
  draws <- draws[, which, drop = FALSE]
  data <- if (!is.null(data)) data[, which, drop = FALSE]
  k <- length(which)
  old <- graphics::par(no.readonly = TRUE)
  on.exit(restore_par(old))
  graphics::par(mfrow = c(k, k), mar = rep(0.3, 4), oma = c(4, 4, if (is.null(main)) 1 else 3, 4), mgp = c(2, 0.6, 0))
  limits <- lapply(seq_len(k), function(j) grDevices::extendrange(c(draws[, j], data[, j]), f = 0.04))
  for (i in seq_len(k)) {
    for (j in seq_len(k)) {
      if (i == j) {
        pairs_histogram(draws[, i], data[, i], limits[[i]], labels[i])
      } else {
        plot(NULL, xlim = limits[[j]], ylim = limits[[i]], axes = FALSE, ann = FALSE, xaxs = "i", yaxs = "i")
        if (i > j) pairs_points(draws[, c(j, i)], data[, c(j, i)]) else pairs_density(draws[, c(j, i)], colors)
      }
      pairs_axes(i, j, k)
      graphics::box(col = "grey50")
    }
  }
  if (!is.null(data)) graphics::mtext("grey: draws, red: data", side = 1, outer = TRUE, line = 2.5, adj = 1, cex = 0.7)
  if (!is.null(main)) graphics::mtext(main, outer = TRUE, line = 1, font = 2)
  draws
}

# Axes on the outer edges only. The y axis of the first row's histogram would be a density: it has none.
pairs_axes <- function(i, j, k) {
  if (i == k) graphics::axis(1)
  if (j == 1 && i > 1) graphics::axis(2, las = 1)
  if (j == k && i < k) graphics::axis(4, las = 1)
}

pairs_histogram <- function(draws, data, xlim, label) {
  bars <- density_bars(draws)
  data_bars <- if (!is.null(data)) density_bars(data)
  top <- max(bars$density, data_bars$density)
  plot(NULL, xlim = xlim, ylim = c(0, 1.3 * top), axes = FALSE, ann = FALSE, xaxs = "i", yaxs = "i")
  draw_bars(bars, "grey85", "grey60")
  if (!is.null(data)) draw_steps(data_bars)
  graphics::mtext(label, side = 3, line = -1.3, font = 2, cex = 0.8)
}

pairs_points <- function(draws, data) {
  graphics::points(draws, pch = 20, cex = 0.4, col = DRAW_COLOR)
  if (!is.null(data)) graphics::points(data, pch = 20, cex = 0.25, col = DATA_COLOR)
}

pairs_density <- function(draws, colors) {
  usr <- graphics::par("usr")
  x <- seq(usr[1], usr[2], length.out = 50)
  y <- seq(usr[3], usr[4], length.out = 50)
  density <- kernel_density(draws, x, y)
  draw_map(x, y, density, colors)
}

# Product of normal kernels on a grid. A third narrower than the rule for one normal: flows have several modes.
kernel_density <- function(points, x, y) {
  weights <- function(at, values) {
    width <- stats::bw.nrd0(values) * 2 / 3
    stats::dnorm(outer(at, values, "-") / width) / width
  }
  tcrossprod(weights(x, points[, 1]), weights(y, points[, 2])) / nrow(points)
}
