# Quantiles over one condition, the others at typical values.

FAN_PROBS <- c(0.05, 0.25, 0.5, 0.75, 0.95)
FAN_COLORS <- c("#DEEBF7", "#9ECAE1") # from outside to inside
FAN_POINTS <- 5000 # data that are shown at the most

plot_fan <- function(fit, envir, over = NULL, data = NULL, at = NULL, main = NULL, xlim = NULL, ylim = NULL,
                     xlab = NULL, ylab = NULL, ...) {
  check_unused(...)
  names <- fit$condition$model$variables
  if (fit$d > 1 || is.null(names)) {
    stop_arg("{.code type = \"fan\"} is for fits of one coordinate by formula, with conditions on the right side.")
  }
  check_order(fit)
  rows <- rows_of_call(fit, data, NULL, envir)$data
  numbers <- names[vapply(names, function(name) is_plain_column(rows[[name]]), NA)]
  over <- if (is.null(over)) numbers[1] else check_choice(over, names, "over")
  if (is.na(over) || !over %in% numbers) stop_arg("{.arg over} must be a condition of numbers, as {.field {numbers}}.")
  others <- fan_others(rows, setdiff(names, over), at)
  x <- rows[[over]]
  xlim <- check_limits(xlim, "xlim") %||% range(as.double(x), na.rm = TRUE)
  grid <- seq(xlim[1], xlim[2], length.out = 101)
  new <- list2DF(c(stats::setNames(list(decode(codec_of(x), grid)), over), lapply(others, rep, length(grid))))
  q <- extrapolation_once(flow_quantiles(fit, new, NULL, FAN_PROBS))
  same <- !is.na(x)
  for (name in names(others)) same <- same & equals_value(rows[[name]], others[[name]])
  shown <- which(same)
  shown <- shown[unique(round(seq(1, length(shown), length.out = min(length(shown), FAN_POINTS))))]
  y <- if (length(shown)) picture_data(fit, rows[shown, , drop = FALSE], gaps = TRUE)[, 1]
  given <- if (length(others)) paste0(names(others), " = ", vapply(others, format, "", digits = 3), collapse = ", ")
  with_room(draw_fan(
    grid, q, list(x = as.double(x[shown]), y = y), xlim, check_limits(ylim, "ylim"), xlab %||% over,
    ylab %||% coordinate_labels(fit), main, given
  ))
  invisible(data.frame(stats::setNames(list(grid), over), q, check.names = FALSE))
}

# Typical values of conditions, medians and the most frequent levels, but for those that are given.
fan_others <- function(rows, names, at) {
  if (!is.null(at) && (!is.list(at) || is.null(names(at)) || !all(names(at) %in% names))) {
    stop_arg("{.arg at} must be a list of values of {.field {names}}, by name.")
  }
  lapply(stats::setNames(names, names), function(name) {
    if (!is.null(at[[name]])) return(at[[name]][1])
    x <- rows[[name]]
    x <- x[!is.na(x)]
    if (is.numeric(x)) return(sort(x)[(length(x) + 1) %/% 2])
    x[match(names(which.max(table(as.character(x)))), as.character(x))]
  })
}

equals_value <- function(x, value) !is.na(x) & as.character(x) == as.character(value)

draw_fan <- function(grid, q, data, xlim, ylim, xlab, ylab, main, given) {
  plot(NULL,
    xlim = xlim, ylim = ylim %||% range(q, data$y, na.rm = TRUE, finite = TRUE), xlab = xlab, ylab = ylab,
    main = main, las = 1
  )
  for (k in 1:2) graphics::polygon(c(grid, rev(grid)), c(q[, k], rev(q[, 6 - k])), col = FAN_COLORS[k], border = NA)
  graphics::lines(grid, q[, 3], lwd = 2, col = "#08519C")
  if (length(data$y)) graphics::points(data$x, data$y, pch = 20, cex = point_size(as.matrix(data$y)), col = DATA_COLOR)
  if (!is.null(given)) graphics::mtext(paste("at", given), side = 1, line = 4, adj = 1, cex = 0.8)
  legend_above(c("median", "50 %", "90 %"),
    lwd = c(2, NA, NA), col = c("#08519C", FAN_COLORS[2:1]), pch = c(NA, 15, 15)
  )
  graphics::box()
}
