# Pictures as data, which are drawn by base graphics here and by ggplot2 in picture-ggplot.R. What is to be seen is
# computed once, by the plot-*.R files:
#
#   picture   panels in rows and columns, a title, a note below, and the value that plot() returns
#   panel     limits, labels and items, which are drawn in their order
#   item      points, lines, bars, a band, a map, a straight rule: a kind with two methods, draw_item() and gg_item()
#
# An item with a `key` is named in the legend.

# `shape`: rows and columns of panels. `edges`: panels of one row or column share their axes, which stand on the edges.
# `shown`: what plot() returns; NULL: the map that is drawn.
new_picture <- function(panels, shape = c(1, 1), main = NULL, note = NULL, shown = NULL, edges = FALSE) {
  list(panels = panels, shape = shape, main = main, note = note, shown = shown, edges = edges)
}

# `ends`: "room" around the limits, "floor" for none along y, "tight" for none at all. `xticks`, `yticks`: NULL, or
# list(at, labels). `inside`: the legend goes into the panel, not above it.
new_panel <- function(items, xlim, ylim, xlab = "", ylab = "", title = NULL, asp = NA, log = "", ends = "room",
                      xticks = NULL, yticks = NULL, inside = FALSE) {
  list(
    items = Filter(Negate(is.null), items), xlim = xlim, ylim = ylim, xlab = xlab, ylab = ylab, title = title,
    asp = asp, log = log, ends = ends, xticks = xticks, yticks = yticks, inside = inside
  )
}

new_item <- function(kind, ...) structure(list(...), class = paste0("bijectr_item_", kind))

# `value`: numbers that colours stand for, of `col` from low to high.
item_points <- function(x, y, col, key = NULL, pch = 20, cex = point_size(length(x)), value = NULL) {
  if (!length(x)) return(NULL)
  new_item("points", x = x, y = y, col = col, key = key, pch = pch, cex = cex, value = value)
}

item_lines <- function(x, y, col, key = NULL, lwd = 2, lty = 1, steps = FALSE) {
  new_item("lines", x = x, y = y, col = col, key = key, lwd = lwd, lty = lty, steps = steps)
}

# Rectangles that stand on `bottom`.
item_bars <- function(left, right, top, fill, border = NA, key = NULL, bottom = 0) {
  bottom <- rep_len(bottom, length(left))
  new_item("bars", left = left, right = right, top = top, bottom = bottom, fill = fill, border = border, key = key)
}

# Shares of draws and data, see column_shares(), side by side.
share_items <- function(shares, at, scale = 1, bottom = 0) {
  half <- if (is.null(shares$data)) 0.4 else 0
  bars <- function(from, to, share, fill) {
    item_bars(at + from, at + to, bottom + scale * share, fill, "grey60", bottom = bottom)
  }
  list(
    bars(-0.4, half, shares$draws, "grey85"), if (!is.null(shares$data)) bars(0, 0.4, shares$data, DATA_COLOR)
  )
}

# A histogram as bars, or as the line along their tops.
item_histogram <- function(bars, fill, border, key = NULL, bottom = 0) {
  breaks <- bars$breaks
  item_bars(breaks[-length(breaks)], breaks[-1], bottom + bars$density, fill, border, key, bottom)
}

item_outline <- function(bars, key = NULL, bottom = 0) {
  heights <- bottom + c(0, rep(bars$density, each = 2), 0)
  item_lines(rep(bars$breaks, each = 2), heights, opaque(DATA_COLOR), key)
}

item_band <- function(x, low, high, fill, key = NULL) {
  new_item("band", x = x, low = low, high = high, fill = fill, key = key)
}

# `surface(xlim, ylim)` gives list(x, y, density) over limits, which a device may have widened. `levels` of density
# whose lines are drawn, by their names, in the colour `line`. `legend`: whether a key says what colours mean.
item_map <- function(surface, colors, levels = numeric(), legend = FALSE, line = NULL, lwd = 1, lty = 1) {
  new_item("map",
    surface = surface, colors = colors, levels = levels, legend = legend, line = line %||% "grey10",
    lwd = lwd, lty = lty
  )
}

# A straight line: level at `h`, upright at `v`, or from below left to above right.
item_rule <- function(h = NULL, v = NULL, col = "grey40", lty = 1, lwd = 1) {
  new_item("rule", h = h, v = v, col = col, lty = lty, lwd = lwd)
}

# A colour without its transparency.
opaque <- function(color) grDevices::rgb(t(grDevices::col2rgb(color)), maxColorValue = 255)

# ---- base graphics ---------------------------------------------------------------------------------------------------

# Draws a picture, or, `add`, the items of its one panel into the plot that is there, without maps; gives back what is
# shown.
draw_picture <- function(picture, add = FALSE) {
  if (add) return(invisible(add_picture(picture)))
  several <- length(picture$panels) > 1
  if (several) {
    old <- graphics::par(no.readonly = TRUE)
    on.exit(restore_par(old))
    outer <- c(if (is.null(picture$note)) 0 else 1.2, 0, if (is.null(picture$main)) 0 else 2, 0)
    if (picture$edges) {
      side <- max(4, vapply(picture$panels, y_label_line, 1))
      graphics::par(mar = rep(0.3, 4), oma = pmax(outer, c(4.5, side, 1, side)), mgp = c(2, 0.6, 0))
    } else {
      left <- max(3.8, vapply(picture$panels, function(panel) 1.8 + y_label_line(panel, 2.2), 1))
      graphics::par(mar = c(3.4, left, 2, 0.8), oma = outer, mgp = c(2.2, 0.6, 0))
    }
    graphics::par(mfrow = picture$shape)
  } else if (!is.null(picture$panels[[1]]$yticks)) {
    mar <- graphics::par("mar")
    old <- graphics::par(mar = c(mar[1], max(mar[2], 0.5 + y_label_line(picture$panels[[1]])), mar[3:4]))
    on.exit(restore_par(old))
  }
  with_room({
    drawn <- Map(draw_panel, picture$panels, seq_along(picture$panels), list(picture))
    if (several && !is.null(picture$main)) graphics::mtext(picture$main, outer = TRUE, font = 2)
    if (!is.null(picture$note)) draw_note(picture, several)
  })
  invisible(picture$shown %||% drawn[[1]])
}

add_picture <- function(picture) {
  if (length(picture$panels) > 1) stop_arg("{.code add = TRUE} is for pictures of one panel.")
  if (grDevices::dev.cur() == 1) stop_arg("{.code add = TRUE} needs a plot to draw into.")
  map <- NULL
  for (item in picture$panels[[1]]$items) map <- draw_item(item, add = TRUE) %||% map
  picture$shown %||% map
}

# Gives back the map that is drawn, if there is one.
draw_panel <- function(panel, k, picture) {
  graphics::plot.new()
  graphics::plot.window(panel$xlim, panel$ylim, panel$log, panel$asp,
    xaxs = if (panel$ends == "tight") "i" else "r", yaxs = if (panel$ends == "room") "r" else "i"
  )
  map <- NULL
  for (item in panel$items) map <- draw_item(item) %||% map
  if (picture$edges) {
    row <- (k - 1) %/% picture$shape[2] + 1
    at <- (k - 1) %% picture$shape[2] + 1
    if (row == picture$shape[1]) draw_axis(1, panel$xticks)
    if (at == 1) draw_axis(2, panel$yticks)
    if (at == picture$shape[2] && row < at) draw_axis(4, panel$yticks)
    if (!is.null(panel$title)) graphics::mtext(panel$title, 3, -1.3, font = 2, cex = 0.8)
    if (length(picture$panels) == 1) graphics::title(picture$main)
  } else {
    room <- graphics::par("mar")[2] - 1.1
    wanted <- y_label_line(panel)
    draw_axis(1, panel$xticks)
    # numbers that are too wide for the margin are turned, and need one line
    turned <- wanted > room + 0.2 && is.null(panel$yticks)
    draw_axis(2, panel$yticks, if (turned) 0 else 1)
    graphics::title(xlab = panel$xlab)
    graphics::title(ylab = panel$ylab, line = if (turned) room else max(graphics::par("mgp")[1], min(room, wanted)))
    from <- color_key_end(panel, map)
    to <- draw_keys(panel)
    if (length(picture$panels) > 1) {
      draw_title(panel$title, 1, from, to)
    } else {
      draw_title(picture$main %||% panel$title, graphics::par("cex.main"), from, to)
    }
  }
  graphics::box(col = if (picture$edges) "grey50" else "black")
  map
}

draw_axis <- function(side, ticks, las = if (side == 1) 0 else 1) {
  if (!length(ticks$at)) return(graphics::axis(side, las = las))
  cex <- if (side == 1) label_size(ticks) else 1
  graphics::axis(side, ticks$at, ticks$labels, las = las, cex.axis = cex * graphics::par("cex.axis"), gap.axis = 0.1)
}

# Names side by side, in letters so small that none is left out, but not smaller than can be read.
label_size <- function(ticks) {
  if (length(ticks$at) < 2) return(1)
  width <- graphics::strwidth(paste0(ticks$labels, " "), cex = graphics::par("cex.axis"))
  room <- diff(ticks$at) / ((width[-1] + width[-length(width)]) / 2)
  max(0.6, min(1, room))
}

# On which line of the margin the name of the y axis clears the numbers beside it.
y_label_line <- function(panel, least = 0) {
  if (!nzchar(panel$ylab) && is.null(panel$yticks)) return(least)
  labels <- if (length(panel$yticks$at)) panel$yticks$labels else format(pretty(panel$ylim), trim = TRUE)
  # as wide as letters mostly are: strings can be measured only where there is a plot
  inches <- 0.6 * graphics::par("cin")[1] * max(nchar(labels))
  max(least, 1.3 + inches / graphics::par("mai")[2] * graphics::par("mar")[2])
}

# Between plot and title, where they cover nothing, at the right; what the colours of a map are is at the left. Gives
# back how many inches of the figure region are free before them, or NULL.
draw_keys <- function(panel) {
  keyed <- keyed_items(panel$items)
  if (!length(keyed)) return(NULL)
  glyph <- lapply(keyed, key_glyph)
  each <- function(name, missing) unlist(lapply(glyph, function(g) g[[name]] %||% missing))
  place <- if (panel$inside) list("topright") else list("bottomright", inset = c(0, 1), xpd = TRUE, horiz = TRUE)
  labels <- paste0(vapply(keyed, `[[`, "", "key"), " ")
  # a row that is wider than the panel is drawn smaller
  width <- sum(graphics::strwidth(labels, "inches", cex = 0.9)) + 0.45 * length(labels)
  cex <- if (panel$inside) 0.9 else 0.9 * min(1, graphics::par("pin")[1] / width)
  drawn <- do.call(graphics::legend, c(place, list(
    legend = labels, bty = "n", cex = cex, col = each("col", NA), lwd = each("lwd", NA),
    lty = each("lty", NA), pch = each("pch", NA), pt.bg = each("bg", NA), pt.cex = each("cex", 1)
  )))
  if (!panel$inside) graphics::grconvertX(drawn$rect$left, "user", "nfc") * graphics::par("fin")[1]
}

# The first item of each key.
keyed_items <- function(items) {
  keys <- vapply(items, function(item) item$key %||% NA_character_, "")
  items[!is.na(keys) & !duplicated(keys)]
}

# Draws one; gives back NULL, or what a map shows.
draw_item <- function(item, add = FALSE) UseMethod("draw_item")

# How a legend shows it: list(col, lwd, lty, pch, bg, cex).
key_glyph <- function(item) UseMethod("key_glyph")

#' @exportS3Method
draw_item.bijectr_item_points <- function(item, add = FALSE) {
  col <- if (is.null(item$value)) item$col else value_colors(item$value, item$col)
  graphics::points(item$x, item$y, pch = item$pch, cex = item$cex, col = col)
}

#' @exportS3Method
key_glyph.bijectr_item_points <- function(item) list(pch = item$pch, col = opaque(item$col))

# Each value has the colour of its rank.
value_colors <- function(value, colors) {
  colors[ceiling(length(colors) * rank(value, ties.method = "first") / length(value))]
}

#' @exportS3Method
draw_item.bijectr_item_lines <- function(item, add = FALSE) {
  graphics::lines(item$x, item$y,
    col = item$col, lwd = item$lwd, lty = item$lty, type = if (item$steps) "s" else "l", lend = 1
  )
}

#' @exportS3Method
key_glyph.bijectr_item_lines <- function(item) list(col = item$col, lwd = item$lwd, lty = item$lty)

#' @exportS3Method
draw_item.bijectr_item_bars <- function(item, add = FALSE) {
  graphics::rect(item$left, item$bottom, item$right, item$top, col = item$fill, border = item$border)
}

#' @exportS3Method
key_glyph.bijectr_item_bars <- function(item) list(pch = 22, col = item$border, bg = item$fill, cex = 2)

#' @exportS3Method
draw_item.bijectr_item_band <- function(item, add = FALSE) {
  graphics::polygon(c(item$x, rev(item$x)), c(item$low, rev(item$high)), col = item$fill, border = NA)
}

#' @exportS3Method
key_glyph.bijectr_item_band <- function(item) list(pch = 15, col = item$fill, cex = 2)

#' @exportS3Method
draw_item.bijectr_item_rule <- function(item, add = FALSE) {
  a <- if (is.null(item$h) && is.null(item$v)) 0
  graphics::abline(
    a = a, b = if (!is.null(a)) 1, h = item$h, v = item$v, col = item$col, lty = item$lty, lwd = item$lwd
  )
}

#' @exportS3Method
draw_item.bijectr_item_map <- function(item, add = FALSE) {
  usr <- graphics::par("usr")
  map <- item$surface(usr[1:2], usr[3:4])
  if (!add) {
    # far from zero steps are rounded
    even <- function(x) isTRUE(all.equal(diff(x), rep(x[2] - x[1], length(x) - 1)))
    shown <- drawable_density(map$density)
    graphics::image(map$x, map$y, shown,
      zlim = c(0, max(shown, 1e-300)), col = item$colors, add = TRUE, useRaster = even(map$x) && even(map$y)
    )
    if (item$legend) draw_color_key(item$colors, max(shown))
  }
  if (length(item$levels)) {
    graphics::contour(map$x, map$y, map$density,
      levels = item$levels, labels = names(item$levels), add = TRUE, col = item$line, labcex = 0.75, vfont = NULL,
      lwd = item$lwd, lty = item$lty
    )
  }
  map
}
