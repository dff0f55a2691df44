# Draws man/figures/logo.svg and logo.png, and the icons of the website: a normal density above, one of two modes below,
# and between them the lines along which a bijection carries points from one to the other. Letters are strokes, so that
# no font is needed.
#
# Shapes are polygons and lines in the plane of the hexagon, whose corners are 100 from its center.
hexagon <- function(size) {
  angle <- seq(90, 390, 60) * pi / 180
  cbind(size * cos(angle), size * sin(angle))
}

# The bijection: quantiles of the mixture at probabilities of the normal
mixture <- list(weight = c(0.52, 0.48), mean = c(-1.25, 1.3), sd = c(0.42, 0.62))
mix <- function(x, f) {
  mixture$weight[1] * f(x, mixture$mean[1], mixture$sd[1]) + mixture$weight[2] * f(x, mixture$mean[2], mixture$sd[2])
}
carry <- function(z) vapply(z, function(u) uniroot(function(y) mix(y, pnorm) - pnorm(u), c(-6, 6), tol = 1e-9)$root, 0)

unit <- 25
above <- 38
below <- -7
bell <- local({
  z <- seq(-2.9, 2.9, length.out = 60)
  cbind(unit * z, above + 1.5 + 106 * dnorm(z))
})
modes <- local({
  y <- seq(-2.75, 3.15, length.out = 90)
  cbind(unit * y, below - 1.5 - 60 * mix(y, dnorm))
})
paths <- lapply(seq(-2.4, 2.4, 0.3), function(z) {
  t <- seq(0, 1, length.out = 25)
  s <- t^2 * (3 - 2 * t)
  cbind(unit * ((1 - s) * z + s * carry(z)), above + t * (below - above))
})

# The name in strokes; letters are 1 high without what sticks out, `at` is where the next begins.
arc <- function(x, y, r, from, to) {
  a <- seq(from, to, length.out = 2 + ceiling(abs(to - from) / 12)) * pi / 180
  cbind(x + r * cos(a), y + r * sin(a))
}
line <- function(...) matrix(c(...), ncol = 2, byrow = TRUE)
dot <- function(x, y) line(x, y, x, y + 0.01)
letters_of_name <- list(
  list(1.0, line(0, 1.75, 0, 0), arc(0.5, 0.5, 0.5, 0, 360)), # b
  list(0.0, line(0, 1, 0, 0), dot(0, 1.5)), # i
  list(0.0, rbind(line(0, 1), arc(-0.35, -0.25, 0.35, 0, -90)), dot(0, 1.5)), # j
  list(1.0, rbind(line(0, 0.5, 1, 0.5), arc(0.5, 0.5, 0.5, 0, 310))), # e
  list(0.87, arc(0.5, 0.5, 0.5, 45, 315)), # c
  list(0.55, rbind(line(0.15, 1.5), arc(0.5, 0.35, 0.35, 180, 275)), line(-0.1, 1, 0.5, 1)), # t
  list(0.45, line(0, 1, 0, 0), arc(0.42, 0.55, 0.42, 180, 80)) # r
)
name <- local({
  size <- 11.6
  gap <- 0.44
  width <- sum(vapply(letters_of_name, `[[`, 0, 1)) + gap * (length(letters_of_name) - 1)
  at <- -width / 2
  strokes <- list()
  for (letter in letters_of_name) {
    for (s in letter[-1]) strokes <- c(strokes, list(cbind(size * (s[, 1] + at), size * s[, 2] - 67)))
    at <- at + letter[[1]] + gap
  }
  strokes
})

color <- c(edge = "#6BAED6", ground = "#08306B", above = "#C6DBEF", below = "#F59A2E", name = "#FFFFFF")
shade <- colorRamp(color[c("above", "below")])

draw_png <- function(file, width, height) {
  png(file, width, height, bg = "transparent", type = if (capabilities("cairo")) "cairo" else getOption("bitmapType"))
  on.exit(dev.off())
  par(mar = c(0, 0, 0, 0), lend = "round", ljoin = "round")
  plot.new()
  plot.window(c(-86.7, 86.7), c(-100.4, 100.4), asp = 1, xaxs = "i", yaxs = "i")
  # with a border of its own color: R smooths the edges of lines only
  area <- function(p, fill) polygon(p, col = fill, border = fill, lwd = 0.5)
  per_unit <- height / 200.8 * 96 / 72 # widths of lines are in 1/96 inch, of which a device of 72 dots an inch has 0.75
  area(hexagon(100), color["edge"])
  area(hexagon(95.5), color["ground"])
  area(bell, color["above"])
  area(modes, color["below"])
  for (p in paths) {
    n <- nrow(p)
    t <- (seq_len(n - 1) - 0.5) / (n - 1)
    segments(p[-n, 1], p[-n, 2], p[-1, 1], p[-1, 2], col = rgb(shade(t), maxColorValue = 255), lwd = 1.3 * per_unit)
  }
  for (s in name) lines(s, col = color["name"], lwd = 2.9 * per_unit)
}

draw_svg <- function(file) {
  points <- function(p) paste(sprintf("%g,%g", round(p[, 1], 2), round(-p[, 2], 2)), collapse = " ")
  area <- function(p, fill) sprintf('<polygon points="%s" fill="%s"/>', points(p), fill)
  path <- function(p) sprintf('<polyline points="%s"/>', points(p))
  group <- function(lines, stroke, width) {
    c(sprintf(
      '<g fill="none" stroke="%s" stroke-width="%g" stroke-linecap="round" stroke-linejoin="round">', stroke, width
    ), lines, "</g>")
  }
  writeLines(c(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-86.7 -100.4 173.4 200.8" width="240" height="278">',
    "<title>bijectr</title>",
    sprintf('<linearGradient id="carry" gradientUnits="userSpaceOnUse" x1="0" x2="0" y1="%g" y2="%g">', -above, -below),
    sprintf('<stop offset="0" stop-color="%s"/>', color["above"]),
    sprintf('<stop offset="1" stop-color="%s"/>', color["below"]),
    "</linearGradient>",
    area(hexagon(100), color["edge"]), area(hexagon(95.5), color["ground"]),
    area(bell, color["above"]), area(modes, color["below"]),
    group(vapply(paths, path, ""), "url(#carry)", 1.3),
    group(vapply(name, path, ""), color["name"], 2.9),
    "</svg>"
  ), file)
}

draw_svg("man/figures/logo.svg")
draw_png("man/figures/logo.png", 256, 297)

# those that pkgdown would ask a service of the network for
icons <- "pkgdown/favicon"
dir.create(icons, showWarnings = FALSE, recursive = TRUE)
for (size in c(16, 32)) draw_png(sprintf("%s/favicon-%dx%d.png", icons, size, size), size, size)
for (size in c(60, 76, 120)) draw_png(sprintf("%s/apple-touch-icon-%dx%d.png", icons, size, size), size, size)
draw_png(file.path(icons, "apple-touch-icon.png"), 180, 180)
