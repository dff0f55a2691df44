# Draws from the base on their way through the layers.

# The flow of the first k layers, with their parameters. Between layers coordinates have no names.
prefix_flow <- function(flow, k) {
  belongs <- function(path) path[1] == "base" || (path[1] == "layers" && as.integer(path[2]) <= k)
  slots <- Filter(function(slot) belongs(slot$path), param_slots(flow))
  out <- as_flow(flow)
  out$layers$layers <- flow$layers$layers[seq_len(k)]
  out["params"] <- list(flow$params[as.integer(unlist(lapply(slots, `[[`, "index")))])
  if (k < length(flow$layers$layers)) out["names"] <- list(NULL)
  out
}

# Numbers of layers after which there is something to see: a permutation goes with the layer that follows.
visible_layers <- function(flow, at_most) {
  moves <- vapply(flow$layers$layers, function(layer) !inherits(bare(layer), "bijectr_layer_permute"), NA)
  k <- which(moves | seq_along(moves) == length(moves))
  if (length(k) > at_most) k <- k[unique(round(seq(1, length(k), length.out = at_most)))]
  k
}

# The draws in the base and after each visible layer, under titles that say which.
layer_stages <- function(flow, n, condition, at_most = 15) {
  k <- visible_layers(flow, at_most)
  condition <- take_condition(flow, condition, n)
  z <- native_draw(flow, n, condition, draw_seed())
  colnames(z) <- NULL
  stages <- c(list(z), lapply(k, function(i) native_map(prefix_flow(flow, i), z, condition, inverse = FALSE)$value))
  shown <- Reduce(`&`, lapply(stages, can_be_drawn))
  check_drawable(shown)
  if (!all(shown)) stages <- lapply(stages, function(x) x[shown, , drop = FALSE])
  layer_title <- function(i) paste0(i, ": ", brief(flow$layers$layers[[i]]))
  names(stages) <- c(paste(flow$base$kind, "base"), vapply(k, layer_title, ""))
  stages
}

plot_layers <- function(flow, n, condition, which, main) {
  if (length(which) > 2) stop_arg("{.arg coordinates} must be one or two for {.code type = \"layers\"}.")
  stages <- layer_stages(flow, n, condition)
  titles <- names(stages)
  z <- stages[[1]]
  old <- graphics::par(no.readonly = TRUE)
  on.exit(restore_par(old))
  graphics::par(
    mfrow = panel_grid(length(stages)), mar = c(3.2, 4, 2, 0.8), mgp = c(2, 0.6, 0),
    oma = c(0, 0, if (is.null(main)) 0 else 2, 0)
  )
  fill <- base_colors(z[, which[1]])
  for (s in seq_along(stages)) {
    labels <- stage_labels(flow, s == length(stages))
    if (length(which) == 1) {
      layer_panel_1d(z[, which], stages[[s]][, which], fill, labels[which], titles[s])
    } else {
      layer_panel_2d(stages[[s]][, which], fill, labels[which], titles[s])
    }
  }
  if (!is.null(main)) graphics::mtext(main, outer = TRUE, font = 2)
  stages
}

# Only after the last layer are coordinates those of the data.
stage_labels <- function(flow, last) if (last) coordinate_labels(flow) else paste("coordinate", seq_len(flow$d))

# Rows and columns of n panels, wider than high and without empty rows.
panel_grid <- function(n) {
  columns <- if (n <= 3) n else ceiling(sqrt(n))
  c(ceiling(n / columns), columns)
}

# Each draw keeps the colour of its rank in the base.
base_colors <- function(z) {
  palette <- grDevices::hcl.colors(80, "YlGnBu", rev = TRUE)[-(1:16)] # the lightest do not show on white
  palette[ceiling(length(palette) * rank(z, ties.method = "first") / length(z))]
}

layer_panel_2d <- function(x, fill, labels, title) {
  asp <- similar_aspect(range(x[, 1]), range(x[, 2]))
  plot(x,
    pch = 20, cex = 0.5, col = fill, asp = asp, xlab = labels[1], ylab = "", las = 1, cex.main = 0.9, main = title
  )
  graphics::title(ylab = labels[2], line = 2.8)
}

# One coordinate: where each base draw has got to.
layer_panel_1d <- function(z, x, fill, label, title) {
  plot(z, x, pch = 20, cex = 0.5, col = fill, xlab = "base", ylab = "", las = 1, cex.main = 0.9, main = title)
  graphics::title(ylab = label, line = 2.8)
}
