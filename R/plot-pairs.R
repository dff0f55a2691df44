# Small multiples of all pairs of coordinates.

# Draws of which histograms and densities are made, so that they are smooth, and points that are shown of them.
PAIRS_DRAWS <- 5000
PAIRS_POINTS <- 1000

# `labels`, `codecs`: of the coordinates that are shown, the columns of draws and data; `apart`: whether these are whole
# numbers, moved a little to be seen.
pairs_picture <- function(draws, data, window) {
  k <- ncol(draws)
  apart <- window$apart %||% logical(k)
  limits <- lapply(seq_len(k), function(j) {
    limits <- shown_range(draws[, j], data[, j])
    if (apart[j]) round(limits) + c(-0.6, 0.6) else limits
  })
  ticks <- window$ticks %||% lapply(seq_len(k), function(j) axis_ticks(window$codecs[[j]], limits[[j]]))
  seen <- draws[thin_rows(nrow(draws), PAIRS_POINTS), , drop = FALSE]
  panels <- list()
  for (i in seq_len(k)) {
    for (j in seq_len(k)) {
      items <- if (i == j) {
        (if (apart[i]) pairs_shares else pairs_histogram)(draws[, i], data[, i], limits[[i]])
      } else if (i > j) {
        own <- if (!is.null(data)) data[, c(j, i), drop = FALSE]
        list(item_points(seen[, j], seen[, i], window[["col"]] %||% DRAW_COLOR, cex = 0.4), item_data(own))
      } else {
        list(item_map(kernel_surface(draws[, j], draws[, i]), window$colors))
      }
      panels <- c(panels, list(new_panel(items, limits[[j]], limits[[i]], window$labels[j], window$labels[i],
        title = if (i == j) window$labels[i], ends = "tight", xticks = ticks[[j]], yticks = ticks[[i]]
      )))
    }
  }
  note <- picture_note(window$note, if (!is.null(data)) "gray: draws, dark red: data", thinned_text(NROW(data)))
  new_picture(panels, c(k, k), window$main, note, draws, edges = TRUE)
}

# Heights are those of the panel, whose axis is that of the coordinate.
pairs_histogram <- function(draws, data, limits) {
  bars <- density_bars(draws, limits)
  own <- if (!is.null(data)) density_bars(data, limits)
  scale <- diff(limits) / (1.3 * max(bars$density, own$density))
  bars$density <- bars$density * scale
  own$density <- own$density * scale
  list(
    item_histogram(bars, "grey85", "grey60", bottom = limits[1]),
    if (!is.null(data)) item_outline(own, bottom = limits[1])
  )
}

pairs_shares <- function(draws, data, limits) {
  draws <- round(draws)
  data <- if (!is.null(data)) round(data)
  values <- sort(unique(c(draws, data)))
  values <- values[values > limits[1] & values < limits[2]]
  shares <- column_shares(draws, data, values)
  share_items(shares, values, diff(limits) / (1.3 * max(unlist(shares))), limits[1])
}

# The density of points by a product of normal kernels on a grid. A third narrower than the rule for one normal: flows
# have several modes.
kernel_surface <- function(x_points, y_points) {
  force(x_points)
  force(y_points)
  weights <- function(at, values) {
    width <- stats::bw.nrd0(values) * 2 / 3
    stats::dnorm(outer(at, values, "-") / width) / width
  }
  function(xlim, ylim) {
    x <- seq(xlim[1], xlim[2], length.out = 50)
    y <- seq(ylim[1], ylim[2], length.out = 50)
    list(x = x, y = y, density = tcrossprod(weights(x, x_points), weights(y, y_points)) / length(x_points))
  }
}
