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

listed <- function(text) strwrap(text, initial = "  - ", prefix = "    ", width = getOption("width"))

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
  errors <- noticed_errors(x$tolerance + z * one$error, one$error, "rows")
  paste("Nothing that was looked at speaks against the fit.", errors)
}

# `effect`: the smallest mean of a polynomial that is told from 0, with standard error `error`. What is said would be
# seen four times in five. `apart`: by how much larger errors of a spread must be, where it is not polynomials that are
# looked at.
noticed_errors <- function(effect, error, rows, apart = 1) {
  effect <- effect + stats::qnorm(0.8) * error
  if (effect >= 1) return(paste("So few", rows, "would notice large errors only."))
  paste0(
    "Seen would mostly have been shifts of ", format(signif(effect / PLACE_OF_SHIFT, 2)), " standard deviations and ",
    "spreads off by ", format(signif(100 * expm1(apart * effect / PLACE_OF_LOG_SCALE), 2)), " %, or more; less not ",
    "always."
  )
}

#' @rdname check_flow
#' @param what Which panels: some of `"places"` (each column: distribution function of the places, with the band in
#'   which 95 per cent of good fits stay at a point), `"density"` (log densities of rows and draws), and `"tails"`
#'   (extremes of the data as points, in the range of those of as many draws).
#' @return `plot()`: the check, invisibly.
#' @export
plot.bijectr_check <- function(x, what = c("places", "density", "tails"), ...) {
  draw_picture(picture_of(x, what, ...))
}

#' @exportS3Method
make_picture.bijectr_check <- function(x, what = c("places", "density", "tails"), ..., envir) {
  check_unused(...)
  known <- c("places", "density", "tails")
  if (!is.character(what) || !length(what) || !all(what %in% known)) {
    stop_arg("{.arg what} must be some of {.val {known}}, not {describe(what)}.")
  }
  panels <- lapply(what, function(one) {
    switch(one, places = places_of_columns_panel(x), density = places_of_density_panel(x), tails = tails_panel(x))
  })
  new_picture(panels, c(1, length(panels)), shown = x)
}

# Shown as differences from the diagonal, where deviations can be seen.
places_of_columns_panel <- function(x) {
  d <- length(x$labels)
  shown <- c(seq_len(min(d, 6)), if (any(grepl("^latent", colnames(x$ranks)))) d + 1 + seq_len(min(d, 3)))
  u <- seq(0, 1, length.out = 201)
  curves <- vapply(shown, function(j) stats::ecdf(x$ranks[, j])(u) - u, u)
  band <- 1.96 * x$uniformity$error[1] * sqrt(u * (1 - u))
  limit <- max(abs(curves), band) * 1.05
  lines <- lapply(seq_along(shown), function(k) {
    item_lines(u, curves[, k], if (shown[k] <= d) FLOW_COLOR else "#7F7F7F", colnames(x$ranks)[shown[k]],
      lwd = 1.5, lty = (k - 1) %% 6 + 1
    )
  })
  new_panel(c(list(item_band(u, -band, band, BAND_COLOR), item_rule(h = 0, col = "grey60")), lines), c(0, 1),
    c(-limit, limit), "Place among draws", "Share of rows below, minus place", "Places", inside = TRUE
  )
}

places_of_density_panel <- function(x) {
  place <- x$ranks[, "log density"]
  breaks <- seq(0, 1, length.out = if (x$rows$n > 200) 21 else 11)
  bars <- graphics::hist(place[!is.na(place)], breaks = breaks, plot = FALSE)
  items <- list(item_histogram(bars, "grey85", "grey60"), item_rule(h = 1, col = FLOW_COLOR, lwd = 2))
  new_panel(items, c(0, 1), c(0, 1.1 * max(bars$density, 1.5)), "Place among draws (low: rare)", "Density of rows",
    "Log density", ends = "floor"
  )
}

# Each column in units of the range of extremes, low and high end.
tails_panel <- function(x) {
  tails <- utils::head(x$tails[x$tails$what %in% x$labels, ], 20)
  n <- nrow(tails)
  centre <- stats::ave((tails$from + tails$to) / 2, tails$what)
  half <- stats::ave(abs(tails$median - centre), tails$what, FUN = function(v) max(v, 1e-300))
  scaled <- function(v) (v - centre) / half
  marks <- cbind(scaled(tails$from), scaled(tails$to), scaled(tails$median), scaled(tails$data))
  shown <- pmin(pmax(marks, -4), 4)
  y <- rev(seq_len(n))
  far <- abs(marks[, 4]) > 4
  color <- opaque(DATA_COLOR)
  items <- list(
    item_lines(c(rbind(shown[, 1], shown[, 2], NA)), rep(y, each = 3), "grey75", lwd = 6),
    item_points(shown[, 3], y, FLOW_COLOR, pch = 124, cex = 1),
    item_points(shown[!far, 4], y[!far], color, pch = 19, cex = 1),
    item_points(shown[far, 4], y[far], color, pch = 8, cex = 1)
  )
  new_panel(items, range(shown, -1.5, 1.5), c(0.5, n + 0.5), "1: that of as many draws", "", "Extremes",
    yticks = list(at = y, labels = paste0(tails$what, ", ", tails$end))
  )
}

#' @rdname check_flow
#' @param row.names,optional Not used.
#' @return `as.data.frame()`: `uniformity`; of a fit to a log density `moments`.
#' @export
as.data.frame.bijectr_check <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_unused(...)
  x$uniformity
}

#' @export
as.data.frame.bijectr_target_check <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_unused(...)
  x$moments
}
