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

check_colors <- function(colors) {
  known <- function(color) !inherits(try(grDevices::col2rgb(color), silent = TRUE), "try-error")
  if (!is.atomic(colors) || !length(colors)) stop_arg("{.arg colors} must be colours, not {describe(colors)}.")
  bad <- which(!vapply(colors, known, NA))
  if (length(bad)) stop_arg("{.arg colors} must be colours; element {bad[1]} is {describe(colors[[bad[1]]])}.")
  colors
}

# A picture is of one row of conditions, in any of the forms that take_condition() reads.
check_one_row <- function(condition, d_condition) {
  rows <- if (length(dim(condition)) == 2) {
    nrow(condition)
  } else if (is.list(condition)) {
    max(0, lengths(condition))
  } else if (d_condition == 1) {
    length(condition)
  } else {
    1
  }
  if (rows > 1) stop_arg("{.arg condition} must be one row for a plot, not {rows}.")
}

# Which points can be drawn: finite, and not too large for what is computed of them.
can_be_drawn <- function(points) rowSums(is.finite(points) & abs(points) <= LARGEST) == ncol(points)

# Draws that cannot be drawn are left out, and told of once. `shown`: for each draw whether it is shown.
check_drawable <- function(shown) {
  if (all(shown)) return(invisible())
  lost <- "{sum(!shown)} of {length(shown)} draws {cli::qty(sum(!shown))}{?is/are} not finite or larger than {LARGEST}"
  if (sum(shown) < 2) stop_arg(paste0("There is nothing to show: ", lost, "."))
  cli::cli_warn(paste0(lost, ": the picture is without them."), class = "bijectr_warning_plot")
}

draws_to_show <- function(flow, n, condition) {
  draws <- draw_points(flow, n, condition)
  shown <- can_be_drawn(draws)
  check_drawable(shown)
  name_columns(draws[shown, , drop = FALSE], flow$names)
}

# The largest density in the picture. At a pole it is infinite.
top_density <- function(density) {
  finite <- density[is.finite(density)]
  if (!length(finite)) stop_arg("There is nothing to show: the density is not finite anywhere in the picture.")
  max(finite)
}

# What is drawn on a device that has no room for it.
with_room <- function(code) {
  withCallingHandlers(code, error = function(e) {
    if (!identical(as.list(conditionCall(e))[1], list(quote(plot.new)))) return()
    stop_arg(c(
      "The picture does not fit on the graphics device: {conditionMessage(e)}.",
      i = "Make the device larger, or the margins smaller."
    ))
  })
}

# Margins that do not fit could not be set again: that must not hide what went wrong.
restore_par <- function(old) try(graphics::par(old), silent = TRUE)

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
picture_data <- function(flow, data, gaps = FALSE) {
  taken <- take_response(open_data(data, "data"), flow, "data")
  points <- all_rows(take_coordinates(flow, taken$points, "data", gaps)$points)
  if (is.null(taken$off)) return(points)
  cli::cli_warn(
    "{sum(taken$off)} row{?s} of {.arg data} {?has/have} no place on the left side of the formula and {?is/are} not
     shown.",
    class = "bijectr_warning_outside"
  )
  points[taken$off, ] <- NA
  if (gaps) points else points[!taken$off, , drop = FALSE]
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
