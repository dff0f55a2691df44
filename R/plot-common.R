# Shared by the plots.

# Data are dark and over the model, draws are grey: both can be told apart without colour.
DRAW_COLOR <- "#7F7F7F80"
DATA_COLOR <- "#B2182BB0"

check_limits <- function(x, name) {
  if (is.null(x)) return(NULL)
  if (!is.numeric(x) || length(x) != 2 || !all(is.finite(x)) || x[1] == x[2]) {
    stop_arg("{.arg {name}} must be two different finite numbers, not {describe(x)}.")
  }
  sort(x)
}

# NA is for plot(): no fixed ratio.
check_aspect <- function(asp) {
  if (is.null(asp) || identical(asp, NA)) asp else check_number(asp, "asp", above = 0, below = Inf)
}

# Columns to show, as numbers.
pick_coordinates <- function(coordinates, flow, at_most) {
  if (is.null(coordinates)) return(seq_len(min(flow$d, at_most)))
  found <- if (is.character(coordinates)) match(coordinates, flow$names) else coordinates
  bad <- which(!(found %in% seq_len(flow$d)))
  if (length(bad) || !length(found)) {
    stop_arg("{.arg coordinates} must be names or numbers of the {flow$d} coordinate{?s}, not {describe(coordinates)}.")
  }
  as.integer(found)
}

# Data as a matrix of numbers: what codecs make of them is drawn.
picture_data <- function(flow, data) {
  all_rows(take_points(data, flow$d, flow$names, flow$codecs, "data", ", one a coordinate"))
}

# The range to show of one coordinate: all data, else the central 99 percent of draws, and a margin.
shown_range <- function(draws, data) {
  if (!is.null(data) && min(data) == max(data)) data <- c(data, draws) # one point has no range
  values <- if (is.null(data)) stats::quantile(draws, c(0.005, 0.995), names = FALSE) else range(data)
  grDevices::extendrange(values, f = if (is.null(data)) 0.15 else 0.08)
}

similar_aspect <- function(xlim, ylim) {
  ratio <- diff(range(xlim)) / diff(range(ylim))
  if (ratio > 2 / 3 && ratio < 3 / 2) 1 else NA
}

# Many points are drawn small.
point_size <- function(points) min(0.6, max(0.2, 14 / sqrt(nrow(points))))

# Between plot and title, where it covers nothing.
legend_above <- function(...) {
  graphics::legend("bottomright", ..., inset = c(0, 1), xpd = TRUE, horiz = TRUE, bty = "n", cex = 0.9)
}

legend_draws <- function(...) {
  legend_above(c("draws", "data"), col = c("#7F7F7F", substr(DATA_COLOR, 1, 7)), pt.bg = "grey85", ...)
}
