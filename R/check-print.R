#' @rdname check_flow
#' @param x A check.
#' @export
print.bijectr_check <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname check_flow
#' @return `format()`: the lines that `print()` shows.
#' @export
format.bijectr_check <- function(x, ...) {
  width <- getOption("width")
  listed <- function(text) strwrap(text, initial = "  - ", prefix = "    ", width = width)
  count <- function(n) format(n, big.mark = ",", trim = TRUE)
  used <- c(given = "", `held out` = " held out of the fit", training = " that the fit was trained on")
  rows <- paste0(count(x$rows$n), " rows", used[[x$rows$used]])
  if (x$rows$used == "given" && x$rows$n < x$rows$of) rows <- paste0(rows, " (of ", count(x$rows$of), ")")
  c(
    strwrap(paste0("<check of a flow> ", x$description, "; ", rows, ", ", count(x$draws), " draws"), width = width),
    paste("verdict:", x$verdict),
    if (length(x$reasons)) unlist(lapply(x$reasons, listed)) else listed(noticed_text(x)),
    paste0(
      "  log density  ", format_nats(x$density[["rows"]]), " (rows), ", format_nats(x$density[["draws"]]), " (draws)"
    ),
    if (!is.null(x$integral)) paste0("  integral     ", paste(format(signif(x$integral$value, 5)), collapse = ", ")),
    if (!is.null(x$map)) {
      paste0("  map          round trip ", format(signif(x$map$round_trip, 2)), ", log determinant ",
        format(signif(x$map$jacobian, 2)))
    },
    paste0("  places       ", worst_text(x$uniformity, paste(x$uniformity$what, x$uniformity$aspect, sep = ", "))),
    paste0("  clouds       p ", format_p(x$energy$p)),
    paste0("  tails        ", worst_text(x$tails, paste0(x$tails$what, ", ", x$tails$end))),
    unlist(lapply(x$notes, function(text) strwrap(text, initial = "  note: ", prefix = "        ", width = width)))
  )
}

format_p <- function(p) if (p < 1e-4) "< 0.0001" else format(signif(p, 2))

worst_text <- function(found, label) {
  i <- which.min(found$p)
  paste0("p ", format_p(found$p[i]), if (found$p[i] < 1) paste0(" (", label[i], ")"))
}

# Which errors would have been noticed, with the normal distribution as a yardstick: by how much the first two
# polynomials move with its location and the logarithm of its scale.
PLACE_OF_SHIFT <- sqrt(3 / pi)
PLACE_OF_LOG_SCALE <- 1.233

noticed_text <- function(x) {
  one <- x$uniformity[1, ]
  z <- stats::qnorm(x$level * CHECK_SHARES[["main"]] / (4 + 4 * length(x$labels)), lower.tail = FALSE)
  effect <- x$tolerance + z * one$error
  shift <- if (effect < 1) paste("shifts of", format(signif(effect / PLACE_OF_SHIFT, 1)), "standard deviations")
  spread <- if (effect < 1) paste0("spreads off by ", format(signif(100 * expm1(effect / PLACE_OF_LOG_SCALE), 1)), " %")
  paste0(
    "Nothing that was looked at speaks against the fit. ",
    if (is.null(shift)) {
      "So few rows would notice large errors only."
    } else {
      paste0("Seen would have been ", shift, " and ", spread, ", or more; not less.")
    }
  )
}

#' @rdname check_flow
#' @param what Which panels: some of `"places"` (each column: distribution function of the places, with the band in
#'   which 95 per cent of good fits stay at a point), `"density"` (log densities of rows and draws), and `"tails"`
#'   (extremes of the data as points, in the range of those of as many draws).
#' @return `plot()`: the check, invisibly.
#' @export
plot.bijectr_check <- function(x, what = c("places", "density", "tails"), ...) {
  check_unused(...)
  known <- c("places", "density", "tails")
  if (!is.character(what) || !length(what) || !all(what %in% known)) {
    stop_arg("{.arg what} must be some of {.val {known}}, not {describe(what)}.")
  }
  old <- graphics::par(mfrow = c(1, length(what)), mar = c(4.1, 4.1, 3.1, 1.1))
  on.exit(restore_par(old))
  with_room(for (one in what) {
    switch(one, places = plot_places(x), density = plot_places_of_density(x), tails = plot_tails(x))
  })
  invisible(x)
}

# Shown as differences from the diagonal, where deviations can be seen.
plot_places <- function(x) {
  d <- length(x$labels)
  shown <- c(seq_len(min(d, 6)), if (any(grepl("^latent", colnames(x$ranks)))) d + 1 + seq_len(min(d, 3)))
  colors <- ifelse(shown <= d, "#08519C", "#7F7F7F")
  u <- seq(0, 1, length.out = 201)
  curves <- vapply(shown, function(j) stats::ecdf(x$ranks[, j])(u) - u, u)
  band <- 1.96 * x$uniformity$error[1] * sqrt(u * (1 - u))
  limit <- max(abs(curves), band) * 1.05
  plot(NULL, xlim = c(0, 1), ylim = c(-limit, limit), las = 1, xlab = "Place among draws",
    ylab = "Share of rows below, minus place", main = "Places"
  )
  graphics::polygon(c(u, rev(u)), c(band, rev(-band)), col = "grey92", border = NA)
  graphics::abline(h = 0, col = "grey60")
  graphics::matlines(u, curves, lty = seq_along(shown), col = colors, lwd = 1.5)
  graphics::legend("topright", colnames(x$ranks)[shown], lty = seq_along(shown), col = colors, bty = "n", cex = 0.8)
  graphics::box()
}

plot_places_of_density <- function(x) {
  place <- x$ranks[, "log density"]
  bars <- graphics::hist(place[!is.na(place)], breaks = seq(0, 1, length.out = if (x$rows$n > 200) 21 else 11),
    plot = FALSE
  )
  plot(NULL, xlim = c(0, 1), ylim = c(0, 1.1 * max(bars$density, 1.5)), yaxs = "i", las = 1, main = "Log density",
    xlab = "Place among draws (low: rare)", ylab = "Density of rows"
  )
  draw_bars(bars, "grey85", "grey60")
  graphics::abline(h = 1, col = "#08519C", lwd = 2)
  graphics::box()
}

# Each column in units of the range of extremes, low and high end.
plot_tails <- function(x) {
  tails <- utils::head(x$tails[x$tails$what %in% x$labels, ], 20)
  n <- nrow(tails)
  centre <- stats::ave((tails$from + tails$to) / 2, tails$what)
  half <- stats::ave(abs(tails$median - centre), tails$what, FUN = function(v) max(v, 1e-300))
  scaled <- function(v) (v - centre) / half
  marks <- cbind(scaled(tails$from), scaled(tails$to), scaled(tails$median), scaled(tails$data))
  shown <- pmin(pmax(marks, -4), 4)
  y <- rev(seq_len(n))
  graphics::par(mar = c(4.1, 7.1, 3.1, 1.1))
  plot(NULL, xlim = range(shown, -1.5, 1.5), ylim = c(0.5, n + 0.5), yaxt = "n", ylab = "", main = "Extremes",
    xlab = "1: that of as many draws"
  )
  graphics::segments(shown[, 1], y, shown[, 2], y, col = "grey75", lwd = 6, lend = 1)
  graphics::points(shown[, 3], y, pch = 124, col = "#08519C")
  graphics::points(shown[, 4], y, pch = ifelse(abs(marks[, 4]) > 4, 8, 19), col = substr(DATA_COLOR, 1, 7))
  graphics::axis(2, y, paste0(tails$what, ", ", tails$end), las = 1, tick = FALSE, cex.axis = 0.8)
}
