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
  k <- visible_layers(flow, Inf)
  if (length(k) > at_most) {
    shown <- visible_layers(flow, at_most)
    cli::cli_inform("The picture shows {length(shown)} of {length(k)} layers, all of which {.fn animate_layers} shows.")
    k <- shown
  }
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

# The most stages after the base that a picture has room for.
PICTURE_LAYERS <- 24

layers_picture <- function(flow, condition, which, n, window) {
  if (length(which) > 2) stop_arg("{.arg coordinates} must be one or two for {.code type = \"layers\"}.")
  stages <- layer_stages(flow, n, condition, PICTURE_LAYERS)
  z <- stages[[1]][, which[1]]
  seen <- thin_rows(length(z))
  panels <- lapply(seq_along(stages), function(s) {
    labels <- stage_labels(flow, s == length(stages))[which]
    x <- stages[[s]][, which, drop = FALSE]
    if (length(which) == 1) {
      x <- cbind(z, x)
      labels <- c("base", labels)
    }
    limits <- list(shown_range(x[, 1], NULL), shown_range(x[, 2], NULL))
    points <- item_points(x[seen, 1], x[seen, 2], RANK_COLORS, cex = 0.5, value = z[seen])
    new_panel(list(points), limits[[1]], limits[[2]], labels[1], labels[2], names(stages)[s],
      asp = if (length(which) == 2) similar_aspect(limits[[1]], limits[[2]]) else NA
    )
  })
  new_picture(panels, panel_grid(length(panels)), window$main, picture_note(window$note), stages)
}

# Only after the last layer are coordinates those of the data.
stage_labels <- function(flow, last) if (last) axis_labels(flow) else paste("coordinate", seq_len(flow$d))

# Rows and columns of n panels, wider than high and without empty rows.
panel_grid <- function(n) {
  columns <- if (n <= 3) n else ceiling(sqrt(n))
  c(ceiling(n / columns), columns)
}

# Colours of draws by their ranks in the base; the lightest do not show on white.
RANK_COLORS <- grDevices::hcl.colors(80, "YlGnBu", rev = TRUE)[-(1:24)]
