#' Animation of a flow's layers
#'
#' Writes a small animated picture of draws that move from the base through the layers to the data: `plot(x, "layers")`
#' as a film. The file is an SVG that browsers play in an endless loop; it needs no other software, and no script in the
#' page that shows it.
#'
#' @param object A flow or a fit, no stack.
#' @param file Name of the file to write, which should end in `.svg`.
#' @param n Number of draws. The size of the file is about 8 bytes a draw and layer.
#' @param condition Values of the conditioning variables: one row.
#' @param coordinates Names or numbers of the one or two coordinates to show; by default the first two. Of one
#'   coordinate the position in the base is shown on the horizontal axis.
#' @param axes `"free"`: the draws fill the picture after every layer; `"fixed"`: one scale for all, so that distances
#'   can be compared.
#' @param seconds Time a layer takes.
#' @param width,height Size in pixels.
#' @return `file`, invisibly.
#' @seealso [plot.bijectr_flow()]
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 200)
#' file <- animate_layers(fit, tempfile(fileext = ".svg"))
#' file.size(file)
#' # to see it: browseURL(file)
#' @export
animate_layers <- function(object, file, n = 400, condition = NULL, coordinates = NULL, axes = c("free", "fixed"),
                           seconds = 1.5, width = 500, height = 420) {
  check_given("object", "file")
  check_one_flow(object, "{.fn animate_layers}")
  check_file(file, "file")
  n <- check_count(n, "n", min = 10)
  axes <- check_choice(axes, c("free", "fixed"), "axes")
  seconds <- check_number(seconds, "seconds", above = 0, below = Inf)
  size <- c(
    check_number(width, "width", min = 100, below = Inf), check_number(height, "height", min = 100, below = Inf)
  )
  which <- pick_coordinates(coordinates, object, 2)
  if (length(which) > 2) stop_arg("{.arg coordinates} must be one or two.")
  stages <- layer_stages(object, n, condition, at_most = Inf)
  z <- stages[[1]]
  shown <- lapply(stages, function(x) if (length(which) == 1) cbind(z[, which], x[, which]) else x[, which])
  limits <- lapply(shown, function(x) apply(x, 2, grDevices::extendrange, f = 0.04))
  if (axes == "fixed") limits <- rep(list(apply(do.call(rbind, limits), 2, range)), length(limits))
  panel <- list(left = 58, right = size[1] - 12, top = 34, bottom = size[2] - 46)
  last <- length(stages)
  labels <- lapply(seq_len(last), function(s) {
    label <- stage_labels(object, s == last)[which]
    if (length(which) == 1) c("base", label) else label
  })
  # points are at stage s at time `at[s]`; the last one is looked at for a moment longer
  at <- (seq_len(last) - 1) / (last + 1)
  duration <- svg_number(seconds * (last + 1), scientific = FALSE)
  half_way <- c(0, at[-1] - diff(at) / 2, 1)
  frames <- Map(svg_frame, names(stages), limits, labels, half_way[-(last + 1)], half_way[-1],
    MoreArgs = list(panel = panel, duration = duration)
  )
  positions <- Map(svg_positions, shown, limits, list(panel))
  text <- c(
    sprintf(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %1$g %2$g" width="%1$g" height="%2$g" %3$s>',
      size[1], size[2], 'font-family="sans-serif" font-size="12" fill="#222222"'
    ),
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    unlist(frames),
    svg_points(positions, z[, which[1]], c(at, 1), duration),
    "</svg>"
  )
  written <- tryCatch(suppressWarnings(writeLines(text, file)), error = function(e) e)
  if (inherits(written, "error")) stop_arg("{.arg file} cannot be written: {.file {file}}.")
  invisible(file)
}

# With a decimal point, whatever options(OutDec =) says.
svg_number <- function(x, ...) format(x, trim = TRUE, decimal.mark = ".", ...)

# From coordinates to pixels.
svg_positions <- function(x, limits, panel) cbind(svg_x(x[, 1], limits, panel), svg_y(x[, 2], limits, panel))

svg_x <- function(x, limits, panel) {
  round(panel$left + (x - limits[1, 1]) / diff(limits[, 1]) * (panel$right - panel$left), 1)
}

svg_y <- function(y, limits, panel) {
  round(panel$bottom - (y - limits[1, 2]) / diff(limits[, 2]) * (panel$bottom - panel$top), 1)
}

# One path for each of 12 colours, by rank in the base: its dots are strokes of no length. They move from stage to stage
# with the ease of a Bezier curve, which rests a little at each. Without animation the last stage is seen.
svg_points <- function(positions, z, at, duration) {
  colors <- grDevices::hcl.colors(15, "YlGnBu", rev = TRUE)[-(1:3)] # the lightest do not show on white
  class <- ceiling(length(colors) * rank(z, ties.method = "first") / length(z))
  last <- length(positions)
  ease <- paste(rep(".7 0 .3 1", last), collapse = ";")
  vapply(seq_along(colors), function(k) {
    paths <- vapply(positions, function(p) {
      paste(sprintf("M%g %gh0", p[class == k, 1], p[class == k, 2]), collapse = "")
    }, "")
    sprintf(
      paste0(
        '<path d="%s" fill="none" stroke="%s" stroke-width="3.6" stroke-linecap="round"><animate attributeName="d" ',
        'dur="%ss" repeatCount="indefinite" calcMode="spline" keyTimes="%s" keySplines="%s" values="%s"/></path>'
      ),
      paths[last], colors[k], duration, paste(sprintf("%.4f", at), collapse = ";"), ease,
      paste(c(paths, paths[last]), collapse = ";")
    )
  }, "")
}

# Title, box and axes of one stage, which are seen from time `from` to time `to`.
svg_frame <- function(title, limits, labels, from, to, panel, duration) {
  middle <- c(panel$left + panel$right, panel$top + panel$bottom) / 2
  text <- function(x, y, value, ...) sprintf('<text x="%g" y="%g" %s>%s</text>', x, y, paste(...), escape_xml(value))
  ticks <- lapply(1:2, function(j) {
    at <- pretty(limits[, j])
    at[at >= limits[1, j] & at <= limits[2, j]]
  })
  x <- svg_x(ticks[[1]], limits, panel)
  y <- svg_y(ticks[[2]], limits, panel)
  shown <- if (from > 0) c("hidden", "visible", "hidden") else c("visible", "hidden")
  times <- if (from > 0) c(0, from, to) else c(0, to)
  if (to == 1) { # nothing comes after it
    shown <- shown[-length(shown)]
    times <- times[-length(times)]
  }
  c(
    sprintf('<g visibility="%s">', if (to == 1) "visible" else "hidden"),
    if (length(times) > 1) {
      sprintf(
        '<animate attributeName="visibility" dur="%ss" repeatCount="indefinite" calcMode="discrete" %s %s/>', duration,
        sprintf('keyTimes="%s"', paste(sprintf("%.4f", times), collapse = ";")),
        sprintf('values="%s"', paste(shown, collapse = ";"))
      )
    },
    text(middle[1], panel$top - 12, title, 'font-size="14" text-anchor="middle"'),
    text(middle[1], panel$bottom + 38, labels[1], 'text-anchor="middle"'),
    text(14, middle[2], labels[2], 'text-anchor="middle"', sprintf('transform="rotate(-90 14 %g)"', middle[2])),
    sprintf('<path d="M%g %gv5" stroke="#222222"/>', x, panel$bottom),
    text(x, panel$bottom + 19, svg_number(ticks[[1]]), 'text-anchor="middle"'),
    sprintf('<path d="M%g %gh-5" stroke="#222222"/>', panel$left, y),
    text(panel$left - 8, y + 4, svg_number(ticks[[2]]), 'text-anchor="end"'),
    sprintf(
      '<rect x="%g" y="%g" width="%g" height="%g" fill="none" stroke="#222222"/>', panel$left, panel$top,
      panel$right - panel$left, panel$bottom - panel$top
    ),
    "</g>"
  )
}

escape_xml <- function(x) {
  x <- gsub("&", "&amp;", x, fixed = TRUE)
  gsub("<", "&lt;", x, fixed = TRUE)
}
