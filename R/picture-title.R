# Titles of panels, and the key of colors that stands beside them, in base graphics.

# A title stands over the middle of its panel. Where keys (`from`, `to`: inches of the figure region that they leave)
# or the ends of the region are in its way it is moved, and where it is still too wide drawn smaller; where keys leave
# nothing, it has the whole region.
draw_title <- function(title, cex, from = NULL, to = NULL) {
  if (is.null(title)) return()
  place <- title_place(title, cex, from, to)
  size <- graphics::par("fin")
  x <- graphics::grconvertX(place[["middle"]] / size[1], "nfc", "user")
  y <- graphics::grconvertY(1 - graphics::par("mai")[3] / 2 / size[2], "nfc", "user")
  graphics::text(x, y, title,
    cex = place[["cex"]], font = graphics::par("font.main"), col = graphics::par("col.main"), xpd = NA
  )
}

# Its middle and half of its width, in inches of the figure region, and its size.
title_place <- function(title, cex, from, to) {
  ends <- c(0, graphics::par("fin")[1])
  room <- c(from %||% ends[1], to %||% ends[2])
  if (diff(room) < 0.2) room <- ends
  room <- room + c(0.04, -0.04) # not into the next panel
  wide <- graphics::strwidth(title, "inches", cex = cex, font = graphics::par("font.main"))
  shrunk <- max(0.3, min(1, diff(room) / wide))
  half <- shrunk * wide / 2
  wanted <- graphics::par("mai")[2] + graphics::par("pin")[1] / 2
  c(middle = min(max(wanted, room[1] + half), room[2] - half), half = half, cex = shrunk * cex)
}

draw_color_key <- function(colors, top) {
  usr <- graphics::par("usr")
  size <- graphics::par("cxy")
  y <- usr[4] + c(0.45, 0.95) * size[2]
  x <- usr[1] + graphics::strwidth("Density 0  ", cex = 0.9)
  end <- x + 0.16 * (usr[2] - usr[1])
  graphics::text(usr[1], mean(y), "Density 0", adj = c(0, 0.5), cex = 0.9, xpd = TRUE)
  graphics::rasterImage(grDevices::as.raster(matrix(colors, 1)), x, y[1], end, y[2], xpd = TRUE)
  graphics::text(end, mean(y), paste0(" ", signif(top, 2)), adj = c(0, 0.5), cex = 0.9, xpd = TRUE)
}

# How many inches of the figure region it takes; NULL: there is none.
color_key_end <- function(panel, map) {
  shown <- vapply(panel$items, function(item) isTRUE(item$legend), NA)
  if (!any(shown)) return(NULL)
  text <- paste0("Density 0  ", signif(max(drawable_density(map$density)), 2), "  ")
  graphics::par("mai")[2] + 0.16 * graphics::par("pin")[1] + graphics::strwidth(text, "inches", cex = 0.9)
}

# At a pole a density is infinite.
drawable_density <- function(density) {
  density[!is.finite(density)] <- top_density(density)
  density
}

# What is said below a picture, in one line or, where that would be too small to read, in two.
draw_note <- function(picture, several) {
  line <- if (!several) graphics::par("mar")[1] - 1.1 else if (picture$edges) 2.9 else 0
  width <- if (several) graphics::par("din")[1] else sum(graphics::par("mai")[2], graphics::par("pin")[1])
  fitting <- function(text) 0.75 * min(1, 0.97 * width / max(graphics::strwidth(text, "inches", cex = 0.75)))
  text <- picture$note
  if (fitting(text) < 0.65) text <- in_two_lines(text)
  at <- if (length(text) == 1) line else line + c(-0.2, 0.5)
  graphics::mtext(text, 1, at, outer = several, adj = if (several) 0.985 else 1, cex = fitting(text))
}

# Broken at the space nearest to the middle.
in_two_lines <- function(text) {
  spaces <- gregexpr(" ", text, fixed = TRUE)[[1]]
  if (spaces[1] < 0) return(text)
  at <- spaces[which.min(abs(spaces - nchar(text) / 2))]
  c(substr(text, 1, at - 1), substr(text, at + 1, nchar(text)))
}
