# What is said of a response over one condition, the others at typical values: quantiles of numbers, probabilities of
# levels.

FAN_PROBS <- c(0.05, 0.25, 0.5, 0.75, 0.95)
FAN_COLORS <- c("#DEEBF7", "#9ECAE1") # from outside to inside

fan_picture <- function(fit, envir, over = NULL, data = NULL, at = NULL, main = NULL, xlim = NULL, ylim = NULL,
                        xlab = NULL, ylab = NULL, col = NULL, ...) {
  check_unused(...)
  names <- fit$condition$model$variables
  if (is.null(names)) {
    stop_arg("{.code type = \"fan\"} is for fits by formula, with conditions on the right side.")
  }
  check_object(fit)
  rows <- rows_of_call(fit, data, NULL, envir)$data
  if (length(over) > 1) stop_arg("{.arg over} must be one condition, not {length(over)}.")
  over <- if (is.null(over)) first_of_numbers(rows, names) else check_choice(over, names, "over")
  others <- fan_others(rows, setdiff(names, over), at)
  stepped <- in_levels(fit$condition$model$terms, over)
  grid <- fan_grid(rows[[over]], check_limits(xlim, "xlim"), over, stepped)
  new <- list2DF(c(stats::setNames(list(grid$values), over), lapply(others, rep, length(grid$at))))
  match <- matching_rows(rows, others)
  if (!length(others)) match$rows <- which(!is.na(rows[[over]]))
  seen <- match$rows[thin_rows(length(match$rows))]
  seen <- seen[!is.na(rows[[over]][seen])]
  window <- list(
    xlab = xlab %||% over, ylab = ylab, ylim = check_limits(ylim, "ylim"), col = col %||% FLOW_COLOR, x = grid,
    place = grid$place(rows[[over]][seen])
  )
  picture <- if (fit$d == 1 && role_kinds(column_roles_of(fit)) == "levels") {
    fan_of_levels(fit, new, window)
  } else {
    fan_of_numbers(fit, new, rows[seen, , drop = FALSE], window)
  }
  given <- condition_text(others)
  picture["main"] <- list(main)
  drawn <- any(vapply(picture$panels[[1]]$items, function(item) identical(item$key, "data"), NA))
  picture["note"] <- list(picture_note(given, if (length(others) && (drawn || !length(seen))) match$text))
  picture$shown <- data.frame(stats::setNames(list(grid$values), over), picture$shown, check.names = FALSE)
  picture
}

first_of_numbers <- function(rows, names) {
  numbers <- names[vapply(names, function(name) is_plain_column(rows[[name]]), NA)]
  if (length(numbers)) numbers[1] else names[1]
}

# Where a picture looks along the condition: list(values, at, place, ticks), values in its class, their places on the
# axis, and a function that gives the places of others. `half`: half the width of a bar at a place, or NULL for curves.
fan_grid <- function(x, xlim, name, stepped) {
  if (all(is.na(x))) stop_arg("{.arg data} have no values of {.field {name}}.")
  if (is_plain_column(x) && !stepped) {
    xlim <- xlim %||% range(as.double(x), na.rm = TRUE)
    if (xlim[1] == xlim[2]) stop_arg("{.arg data} have one value of {.field {name}} only: {.arg xlim} says a range.")
    at <- seq(xlim[1], xlim[2], length.out = 101)
    codec <- codec_of(x)
    return(list(
      values = decode(if (is.integer(x)) CODEC_NUMBER else codec, at), at = at, xlim = xlim, place = as.double,
      ticks = axis_ticks(codec, xlim)
    ))
  }
  if (!is.null(xlim)) stop_arg("{.arg xlim} is for conditions of numbers, which {.field {name}} is not.")
  levels <- if (is.factor(x)) levels(droplevels(x)) else as.character(sort(unique(x)))
  values <- x[match(levels, as.character(x))]
  at <- seq_along(levels)
  list(
    values = values, at = at, xlim = c(0.5, length(at) + 0.5), half = 0.35, ticks = thinned_ticks(at, levels),
    place = function(x) match(as.character(x), levels)
  )
}

# Whether a formula makes levels of a variable, as factor(x) does.
in_levels <- function(terms, name) {
  classes <- attr(terms, "dataClasses")
  made <- names(classes)[classes %in% c("factor", "ordered", "character", "logical")]
  any(vapply(setdiff(made, name), function(term) name %in% all.vars(str2lang(term)), NA))
}

fan_panel <- function(window, items, ylim, ylab, ends = "room", yticks = NULL) {
  new_panel(items, window$x$xlim, window$ylim %||% ylim, window$xlab, window$ylab %||% ylab,
    ends = ends, xticks = window$x$ticks, yticks = yticks
  )
}

# A curve with a band, or, at levels, bars with a line each.
fan_area <- function(x, low, high, fill, key) {
  if (is.null(x$half)) return(item_band(x$at, low, high, fill, key))
  item_bars(x$at - x$half, x$at + x$half, high, fill, NA, key, low)
}

fan_curve <- function(x, y, col, key, lty = 1) {
  if (is.null(x$half)) return(item_lines(x$at, y, col, key, lty = lty))
  item_lines(c(rbind(x$at - x$half, x$at + x$half, NA)), rep(y, each = 3), col, key, lty = lty)
}

fan_of_numbers <- function(fit, new, rows, window) {
  q <- extrapolation_once(flow_quantiles(fit, new, NULL, FAN_PROBS))
  whole <- whole_table(fit)
  labels <- axis_labels(whole)
  if (length(dim(q)) == 2) q <- array(q, c(dim(q), 1), list(NULL, colnames(q), labels))
  y <- if (nrow(rows)) picture_data(whole, rows, gaps = TRUE)
  panels <- lapply(seq_along(labels), function(j) {
    qj <- matrix(q[, , j], nrow(q))
    own <- if (!is.null(y)) y[, j]
    items <- list(
      fan_area(window$x, qj[, 1], qj[, 5], FAN_COLORS[1], "90 %"),
      fan_area(window$x, qj[, 2], qj[, 4], FAN_COLORS[2], "50 %"),
      fan_curve(window$x, qj[, 3], window$col, "median"),
      if (length(own)) item_points(window$place, y[, j], DATA_COLOR, "data")
    )
    own <- own[is.finite(own)]
    ylim <- range(if (length(own)) shown_range(own, NULL), qj, finite = TRUE)
    fan_panel(window, items, ylim, labels[j], yticks = axis_ticks(whole$codecs[[j]], ylim))
  })
  shown <- matrix(q, nrow(q))
  colnames(shown) <- if (length(labels) == 1) {
    colnames(q)
  } else {
    paste(rep(labels, each = length(FAN_PROBS)), colnames(q))
  }
  new_picture(panels, panel_grid(length(panels)), shown = shown)
}

fan_of_levels <- function(fit, new, window) {
  p <- predict(fit, new, type = "probability")
  colors <- curve_colors(ncol(p))
  items <- lapply(seq_len(ncol(p)), function(k) {
    fan_curve(window$x, p[, k], colors[k], colnames(p)[k], (k - 1) %% 6 + 1)
  })
  panel <- fan_panel(window, items, c(0, 1), paste("Probability of", coordinate_labels(fit)))
  panel$inside <- ncol(p) > 5
  new_picture(list(panel), shown = p)
}

# Typical values of conditions, medians and the most frequent levels, but for those that are given.
fan_others <- function(rows, names, at) {
  if (!is.null(at) && (!is.list(at) || is.null(names(at)) || !all(names(at) %in% names))) {
    stop_arg("{.arg at} must be a list of values of {.field {names}}, by name.")
  }
  lapply(stats::setNames(names, names), function(name) {
    if (length(at[[name]]) > 1) stop_arg("{.arg at} must have one value of {.field {name}}, not {length(at[[name]])}.")
    if (!is.null(at[[name]])) return(at[[name]])
    x <- rows[[name]]
    x <- x[!is.na(x)]
    if (is_plain_column(x)) return(sort(x)[(length(x) + 1) %/% 2])
    x[match(names(which.max(table(as.character(x)))), as.character(x))]
  })
}
