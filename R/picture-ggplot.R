# Pictures, see picture.R, as plots of ggplot2: items are layers, panels are facets. Facets share their scales, so that
# panels whose axes have labels of their own lie at places of their own on that axis, far from all others.

#' @rdname plot.bijectr_flow
#' @param object As `x`.
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_flow <- function(object, ...) ggplot_picture(picture_of(object, envir = parent.frame(), ...))

#' @rdname plot.bijectr_table
#' @param object As `x`.
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_part <- autoplot.bijectr_flow

#' @rdname check_flow
#' @param object A check.
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_check <- autoplot.bijectr_flow

#' @rdname compare_flows
#' @param object A comparison.
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_comparison <- autoplot.bijectr_flow

ggplot_picture <- function(picture) {
  rlang::check_installed("ggplot2", "for pictures by ggplot2.")
  panels <- spread_ticks(picture)
  several <- length(panels) > 1
  plot <- ggplot2::ggplot()
  for (k in seq_along(panels)) {
    panel <- panels[[k]]
    place <- panel_place(k, picture)
    if (several) {
      corners <- data.frame(x = panel$xlim, y = panel$ylim, place)
      plot <- plot + ggplot2::geom_blank(ggplot2::aes(.data$x, .data$y), corners)
    }
    for (item in panel$items) plot <- plot + gg_item(item, panel, place)
  }
  plot <- plot + gg_scales(panels, picture) + ggplot2::labs(title = picture$main, caption = picture$note)
  if (several) return(plot + gg_facets(picture))
  panel <- panels[[1]]
  plot <- plot + ggplot2::labs(x = panel$xlab, y = panel$ylab, subtitle = panel$title)
  tight <- panel$ends == "tight"
  if (is.na(panel$asp)) return(plot + ggplot2::coord_cartesian(panel$xlim, panel$ylim, expand = !tight))
  plot + ggplot2::coord_fixed(panel$asp, panel$xlim, panel$ylim, expand = !tight)
}

# The columns that say in which facet a layer is.
panel_place <- function(k, picture) {
  if (length(picture$panels) == 1) return(list())
  panel <- picture$panels[[k]]
  if (!picture$edges) return(list(.panel = factor(k, seq_along(picture$panels))))
  levels <- seq_len(picture$shape[1])
  list(
    .row = factor((k - 1) %/% picture$shape[2] + 1, levels), .column = factor((k - 1) %% picture$shape[2] + 1, levels)
  )
}

gg_facets <- function(picture) {
  panels <- picture$panels
  plain <- ggplot2::labs(x = NULL, y = NULL)
  if (picture$edges) {
    titles <- Filter(Negate(is.null), lapply(panels, `[[`, "title"))
    label <- ggplot2::as_labeller(function(k) unlist(titles)[as.integer(k)])
    return(list(plain, ggplot2::facet_grid(ggplot2::vars(.data$.row), ggplot2::vars(.data$.column),
      scales = "free", labeller = label
    )))
  }
  titles <- vapply(panels, function(panel) panel$title %||% paste(panel$ylab, "by", panel$xlab), "")
  label <- ggplot2::as_labeller(function(k) titles[as.integer(k)])
  same <- function(name) {
    all <- unique(vapply(panels, `[[`, "", name))
    if (length(all) == 1) all
  }
  list(
    ggplot2::labs(x = same("xlab"), y = same("ylab")),
    ggplot2::facet_wrap(ggplot2::vars(.data$.panel), picture$shape[1], picture$shape[2],
      scales = "free", labeller = label
    )
  )
}

# Panels with ticks of their own, moved apart; those that share an axis by the same.
spread_ticks <- function(picture) {
  panels <- picture$panels
  if (length(panels) == 1) return(panels)
  # beyond all that other panels show
  apart <- 10 * max(1, abs(unlist(lapply(panels, `[`, c("xlim", "ylim")))))
  lapply(seq_along(panels), function(k) {
    panel <- panels[[k]]
    place <- if (picture$edges) panel_place(k, picture) else list(.row = k, .column = k)
    for (axis in c("x", "y")) {
      ticks <- panel[[paste0(axis, "ticks")]]
      at <- as.integer(place[[if (axis == "x") ".column" else ".row"]])
      if (length(ticks$at)) panel <- shift_panel(panel, axis, ticks, at * apart - ticks$at[1])
    }
    panel
  })
}

AXIS_FIELDS <- list(x = c("x", "left", "right", "v"), y = c("y", "top", "bottom", "low", "high", "h"))

shift_panel <- function(panel, axis, ticks, by) {
  panel[[paste0(axis, "lim")]] <- panel[[paste0(axis, "lim")]] + by
  panel[[paste0(axis, "ticks")]]$at <- ticks$at + by
  panel$items <- lapply(panel$items, function(item) {
    for (name in intersect(AXIS_FIELDS[[axis]], names(item))) {
      if (!is.null(item[[name]])) item[[name]] <- item[[name]] + by
    }
    if (!is.null(item$surface)) item$surface <- shifted_surface(item$surface, axis, by)
    item
  })
  panel
}

shifted_surface <- function(surface, axis, by) {
  force(surface)
  function(xlim, ylim) {
    map <- if (axis == "x") surface(xlim - by, ylim) else surface(xlim, ylim - by)
    map[[axis]] <- map[[axis]] + by
    map
  }
}

gg_scales <- function(panels, picture) {
  items <- unlist(lapply(panels, `[[`, "items"), recursive = FALSE)
  colors <- keyed_colors(items, "colour")
  fills <- keyed_colors(items, "fill")
  maps <- Filter(function(item) inherits(item, "bijectr_item_map"), items)
  values <- Filter(function(item) !is.null(item$value), items)
  manual <- function(scale, values) {
    if (length(values)) scale(name = NULL, values = values, breaks = names(values), limits = names(values))
  }
  one <- if (length(panels) == 1) panels[[1]]
  list(
    if (length(values)) {
      ggplot2::scale_colour_gradientn(colours = values[[1]]$col, guide = "none")
    } else {
      manual(ggplot2::scale_colour_manual, colors)
    },
    manual(ggplot2::scale_linetype_manual, keyed_types(items)),
    if (length(maps)) {
      ggplot2::scale_fill_gradientn(
        name = "Density", colours = maps[[1]]$colors, guide = if (maps[[1]]$legend) "colourbar" else "none"
      )
    } else {
      manual(ggplot2::scale_fill_manual, fills)
    },
    gg_axis(panels, "x", if (picture$edges) 0 else 0.05),
    if (!identical(one$log, "y")) {
      gg_axis(panels, "y", if (picture$edges) 0 else if (panels[[1]]$ends == "floor") c(0, 0.03) else 0.05)
    } else {
      ggplot2::scale_y_log10()
    }
  )
}

# A scale that has the ticks of the panels, where these have some, and those of pretty() elsewhere.
gg_axis <- function(panels, axis, room) {
  own <- Filter(Negate(is.null), lapply(panels, `[[`, paste0(axis, "ticks")))
  scale <- if (axis == "x") ggplot2::scale_x_continuous else ggplot2::scale_y_continuous
  expand <- ggplot2::expansion(mult = room)
  if (!length(own)) return(scale(expand = expand))
  at <- unlist(lapply(own, `[[`, "at"))
  labels <- unlist(lapply(own, function(ticks) as.character(ticks$labels)))
  labels <- labels[!duplicated(at)] # panels share axes
  at <- at[!duplicated(at)]
  scale(
    expand = expand,
    breaks = function(limits) {
      inside <- at[at >= limits[1] & at <= limits[2]]
      if (length(inside) || length(panels) == 1) inside else pretty(limits)
    },
    labels = function(breaks) {
      found <- labels[match(breaks, at)]
      ifelse(is.na(found), format(breaks, trim = TRUE), found)
    }
  )
}

# Colours of keys by lines and points ("colour") or by areas ("fill").
keyed_colors <- function(items, aesthetic) {
  keyed <- keyed_items(Filter(function(item) gg_aesthetic(item) == aesthetic, items))
  colors <- vapply(keyed, function(item) if (aesthetic == "fill") item$fill else opaque(item$col), "")
  stats::setNames(colors, vapply(keyed, `[[`, "", "key"))
}

# Types of lines of all keys that have colours of lines and points, so that one legend has both.
keyed_types <- function(items) {
  keyed <- keyed_items(Filter(function(item) gg_aesthetic(item) == "colour", items))
  types <- vapply(keyed, function(item) as.character(item$lty %||% 1), "")
  named <- types %in% LINE_TYPES
  types[!named] <- LINE_TYPES[as.integer(types[!named]) + 1]
  stats::setNames(types, vapply(keyed, `[[`, "", "key"))
}

gg_aesthetic <- function(item) if (inherits(item, c("bijectr_item_bars", "bijectr_item_band"))) "fill" else "colour"

# What a layer maps and what it sets: the colour, and the type of a line, are mapped where the item has a key.
gg_layer <- function(geom, item, data, mapping, ...) {
  aesthetic <- gg_aesthetic(item)
  color <- if (aesthetic == "fill") item$fill else item$col
  set <- list(...)
  if (!is.null(item$key)) {
    data$.key <- item$key
    mapping[[aesthetic]] <- rlang::quo(.data$.key)
    if (!is.null(set$linetype)) mapping$linetype <- mapping[[aesthetic]]
    set$linetype <- NULL
  } else {
    set[[aesthetic]] <- color
  }
  do.call(geom, c(list(mapping, data), set))
}

# Rows of data, and the facet that they are in, see panel_place().
in_facet <- function(place, ...) {
  data <- data.frame(...)
  data[names(place)] <- place
  data
}

# The layers of an item.
gg_item <- function(item, panel, place) UseMethod("gg_item")

#' @exportS3Method
gg_item.bijectr_item_points <- function(item, panel, place) {
  data <- in_facet(place, x = as.double(item$x), y = as.double(item$y))
  data$.value <- if (!is.null(item$value)) rank(item$value, ties.method = "first")
  within <- function(v, limits) !is.na(v) & v >= limits[1] & v <= limits[2]
  # facets would make room for points beyond
  if (length(place)) data <- data[within(data$x, panel$xlim) & within(data$y, panel$ylim), , drop = FALSE]
  if (!nrow(data)) return(NULL)
  shape <- if (item$pch[1] == 20) 16 else item$pch[1]
  size <- 2.5 * item$cex
  if (!is.null(item$value)) {
    mapping <- ggplot2::aes(.data$x, .data$y, colour = .data$.value)
    return(ggplot2::geom_point(mapping, data, shape = shape, size = size))
  }
  alpha <- grDevices::col2rgb(item$col[1], alpha = TRUE)[4] / 255
  gg_layer(ggplot2::geom_point, item, data, ggplot2::aes(.data$x, .data$y),
    shape = shape, size = size, alpha = alpha, na.rm = TRUE
  )
}

#' @exportS3Method
gg_item.bijectr_item_lines <- function(item, panel, place) {
  data <- in_facet(place, x = item$x, y = item$y)
  geom <- if (item$steps) ggplot2::geom_step else ggplot2::geom_path
  gg_layer(geom, item, data, ggplot2::aes(.data$x, .data$y),
    linewidth = item$lwd / 2.2, linetype = item$lty, na.rm = TRUE
  )
}

#' @exportS3Method
gg_item.bijectr_item_bars <- function(item, panel, place) {
  data <- in_facet(place, left = item$left, right = item$right, bottom = item$bottom, top = item$top)
  border <- if (is.na(item$border)) NA else item$border
  gg_layer(ggplot2::geom_rect, item, data, ggplot2::aes(
    xmin = .data$left, xmax = .data$right, ymin = .data$bottom, ymax = .data$top
  ), colour = border, linewidth = 0.3)
}

#' @exportS3Method
gg_item.bijectr_item_band <- function(item, panel, place) {
  data <- in_facet(place, x = item$x, low = item$low, high = item$high)
  gg_layer(ggplot2::geom_ribbon, item, data, ggplot2::aes(.data$x, ymin = .data$low, ymax = .data$high))
}

#' @exportS3Method
gg_item.bijectr_item_rule <- function(item, panel, place) {
  data <- in_facet(place, h = item$h %||% NA_real_, v = item$v %||% NA_real_)
  layer <- if (!is.null(item$h)) {
    list(ggplot2::geom_hline, ggplot2::aes(yintercept = .data$h))
  } else if (!is.null(item$v)) {
    list(ggplot2::geom_vline, ggplot2::aes(xintercept = .data$v))
  } else {
    data$slope <- 1
    data$intercept <- 0
    list(ggplot2::geom_abline, ggplot2::aes(slope = .data$slope, intercept = .data$intercept))
  }
  layer[[1]](layer[[2]], data, colour = item$col, linetype = item$lty, linewidth = item$lwd / 2.2)
}

#' @exportS3Method
gg_item.bijectr_item_map <- function(item, panel, place) {
  map <- item$surface(panel$xlim, panel$ylim)
  density <- drawable_density(map$density)
  if (!item$legend) density <- density / max(density) # panels share their colours
  data <- in_facet(place, expand.grid(x = map$x, y = map$y), density = as.vector(density))
  lines <- if (length(item$levels)) {
    ggplot2::geom_contour(
      ggplot2::aes(.data$x, .data$y, z = .data$density), data, breaks = unname(item$levels), colour = item$line,
      linewidth = 0.3 * item$lwd, linetype = item$lty
    )
  }
  list(ggplot2::geom_raster(ggplot2::aes(.data$x, .data$y, fill = .data$density), data), lines)
}
