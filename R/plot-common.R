# Shared by the plots.

# Data are dark and over the model, draws are grey: both can be told apart without colour.
DRAW_COLOR <- "#7F7F7F80"
DATA_COLOR <- "#B2182BB0"
FLOW_COLOR <- "#08519C"
BAND_COLOR <- "grey83" # to be seen on grey panels too
MAP_COLORS <- grDevices::hcl.colors(64, "YlGnBu", rev = TRUE)

# Colours of k curves, which differ in lightness too, and are darker than an estimate beside them.
curve_colors <- function(k) {
  if (k == 1) return(FLOW_COLOR)
  grDevices::hcl(seq(255, 0, length.out = k), 75, seq(25, 52, length.out = k))
}

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

check_colors <- function(colors, name) {
  known <- function(color) !inherits(try(grDevices::col2rgb(color), silent = TRUE), "try-error")
  if (!is.atomic(colors) || !length(colors)) stop_arg("{.arg {name}} must be colors, not {describe(colors)}.")
  bad <- which(!vapply(colors, known, NA))
  if (length(bad)) stop_arg("{.arg {name}} must be colors; element {bad[1]} is {describe(colors[[bad[1]]])}.")
  colors
}

# A few colours are the ends and middles of a scale.
filled_colors <- function(colors) {
  if (length(colors) >= 16 || anyNA(colors)) colors else grDevices::colorRampPalette(colors)(64)
}

check_shares <- function(levels) {
  if (is.numeric(levels) && !anyNA(levels) && all(levels > 0 & levels < 1)) return(levels)
  stop_arg("{.arg levels} must be shares between 0 and 1, not {describe(levels)}.")
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
    if (!"plot.new" %in% all.names(conditionCall(e))) return()
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

# The range of where the mass is, of draws and data alike: the central 99 per cent of each, with a margin, but no
# further than their own ends and a smaller margin.
shown_range <- function(draws, data) {
  one <- function(values) {
    if (!length(values)) return(NULL)
    mass <- grDevices::extendrange(stats::quantile(values, c(0.005, 0.995), names = FALSE), f = 0.1)
    all <- grDevices::extendrange(values, f = 0.04)
    c(max(mass[1], all[1]), min(mass[2], all[2]))
  }
  both <- range(one(draws), one(data))
  if (both[1] < both[2]) both else both[1] + c(-0.5, 0.5) * max(1e-6, abs(both[1]))
}

similar_aspect <- function(xlim, ylim) {
  ratio <- diff(range(xlim)) / diff(range(ylim))
  if (ratio > 2 / 3 && ratio < 3 / 2) 1 else NA
}

# Many points are drawn small.
point_size <- function(n) min(0.6, max(0.2, 14 / sqrt(n)))

PICTURE_DRAWS <- 1000 # if nothing is said

# Points that a picture shows at the most, evenly spaced ones of all.
PICTURE_POINTS <- 5000

thin_rows <- function(n, most = PICTURE_POINTS) {
  if (n <= most) seq_len(n) else unique(round(seq(1, n, length.out = most)))
}

# The words that a picture needs beside what it shows.
picture_note <- function(...) {
  parts <- c(...)
  if (length(parts)) paste(parts, collapse = "; ")
}

count_text <- function(n) format(n, big.mark = ",", trim = TRUE)

thinned_text <- function(n) {
  if (n > PICTURE_POINTS) paste(count_text(PICTURE_POINTS), "of", count_text(n), "points of the data drawn")
}

# Of data in a window of limits, how many rows are not.
outside_text <- function(data, limits) {
  if (is.null(data)) return(NULL)
  out <- Reduce(`|`, Map(function(j, at) data[, j] < at[1] | data[, j] > at[2], seq_along(limits), limits))
  if (any(out)) paste(count_text(sum(out)), if (sum(out) == 1) "row" else "rows", "of the data outside")
}

# Names of coordinates with their units, for axes.
axis_labels <- function(flow) {
  labels <- coordinate_labels(flow)
  units <- vapply(seq_along(labels), function(j) unit_of(flow$codecs[[j]]), "")
  ifelse(nzchar(units), paste0(labels, " [", units, "]"), labels)
}

# Ticks of an axis whose numbers are dates or times: list(at, labels); NULL: numbers.
axis_ticks <- function(codec, limits) {
  if (is.null(codec) || !is_time(codec)) return(NULL)
  at <- pretty(decode(codec, limits))
  value <- encode(codec, at)
  inside <- value >= limits[1] & value <= limits[2]
  list(at = value[inside], labels = (attr(at, "labels") %||% format(at))[inside])
}

# Labels of at most twenty of many values.
thinned_ticks <- function(at, labels) {
  kept <- if (length(at) <= 20) seq_along(at) else seq(1, length(at), by = ceiling(length(at) / 10))
  list(at = at[kept], labels = as.character(labels)[kept])
}

# Shares of values among draws and data, which may be NULL.
column_shares <- function(draws, data, values) {
  share <- function(x) tabulate(match(x, values), length(values)) / length(x)
  list(draws = share(draws), data = if (!is.null(data)) share(data))
}

# ---- conditions ------------------------------------------------------------------------------------------------------

# How near numbers are taken to match a condition in a picture, in standard deviations.
PICTURE_NEAR <- 0.25

# The one row of conditions that a picture is of, a list by name; NULL: there is none.
named_condition <- function(flow, condition) {
  if (is.null(condition) || flow$d_condition == 0) return(NULL)
  values <- if (is.list(condition)) lapply(condition, `[`, 1) else as.list(condition)
  names <- if (is.matrix(condition)) colnames(condition) else names(values)
  names <- names %||% flow$condition$model$variables %||% flow$condition$names
  if (length(names) != length(values)) names <- paste("condition", seq_along(values))
  stats::setNames(values, names)
}

condition_text <- function(values) {
  if (!length(values)) return(NULL)
  paste("given", paste0(names(values), " = ", vapply(values, function(v) format(v, digits = 4), ""), collapse = ", "))
}

# Of data that have columns of the conditions too, the rows that match: equal levels and near numbers. list(rows, text).
matching_rows <- function(data, values) {
  n <- NROW(data)
  if (!length(values) || !is.data.frame(data) || !all(names(values) %in% names(data))) return(list(rows = NULL))
  same <- rep(TRUE, n)
  near <- NULL
  for (name in names(values)) {
    x <- data[[name]]
    if (is_plain_column(x)) {
      width <- PICTURE_NEAR * stats::sd(x, na.rm = TRUE)
      if (!is.finite(width)) width <- 0
      same <- same & !is.na(x) & abs(as.double(x) - as.double(values[[name]])) <= width
      if (length(unique(x[same])) > 1) near <- c(near, paste(name, "within", signif(width, 2)))
    } else {
      same <- same & equals_value(x, values[[name]])
    }
  }
  text <- paste0(
    "data: ", count_text(sum(same)), " of ", count_text(n), " rows", if (length(near)) " with ", toString(near)
  )
  list(rows = which(same), text = text)
}

equals_value <- function(x, value) !is.na(x) & as.character(x) == as.character(value)

# The data that match, NULL where none do, and what is to be said of them: list(data, text, matched).
matching_data <- function(data, values) {
  if (is.null(data)) return(list(matched = FALSE))
  match <- matching_rows(data, values)
  if (is.null(match$rows)) {
    if (NROW(data) == 0) stop_arg("{.arg data} has no rows.")
    return(list(data = data, matched = FALSE))
  }
  list(data = if (length(match$rows)) data[match$rows, , drop = FALSE], text = match$text, matched = TRUE)
}

# Data to draw, a matrix or NULL, and what is to be said of them.
data_to_show <- function(flow, data, condition) {
  if (is.null(data)) return(list())
  match <- matching_data(data, named_condition(flow, condition))
  points <- if (!is.null(match$data)) picture_data(flow, match$data, gaps = TRUE)
  gone <- if (!is.null(points)) rowSums(is.na(points)) > 0
  if (any(gone)) points <- if (!all(gone)) points[!gone, , drop = FALSE]
  apart <- flow$d_condition > 0 && !match$matched
  list(points = points, text = c(
    match$text, if (any(gone)) paste(count_text(sum(gone)), "with missing values"),
    if (apart) "data: all rows, whatever their conditions"
  ))
}
