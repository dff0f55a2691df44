# Whether residuals are normal, in three panels, see residuals.R: with U the places Phi(r) of n residuals r,
#
#   places    a histogram of U, which is flat, and where 95 per cent of the heights of good fits are
#   QQ        ordered residuals against normal quantiles at (i - 1/2) / n
#   worm      their differences from these, with the 95 per cent band of each order statistic (van Buuren and
#             Fredriks, 2001): U_(i) has a beta distribution with i and n + 1 - i

plot_check <- function(fit, envir, data = NULL, condition = NULL, main = NULL, ...) {
  check_unused(...)
  if (fit$d > 1) {
    stop_arg(c(
      "{.code type = \"check\"} is for one coordinate; this fit has {fit$d}.",
      i = "{.code plot(check_flow(object, data))} shows several."
    ))
  }
  rows <- rows_of_call(fit, data, condition, envir)
  r <- residuals.bijectr_fit(fit, rows$data, rows$condition)
  r <- sort(r[is.finite(r)])
  if (length(r) < 3) stop_arg("There are fewer than three rows with residuals.")
  old <- graphics::par(
    mfrow = c(1, 3), mar = c(4.1, 4.1, 2.1, 1.1), oma = c(0, 0, if (is.null(main)) 0 else 2, 0)
  )
  on.exit(restore_par(old))
  with_room({
    check_places_panel(stats::pnorm(r))
    check_quantiles_panel(r, FALSE)
    check_quantiles_panel(r, TRUE)
    if (!is.null(main)) graphics::mtext(main, outer = TRUE, font = 2)
  })
  invisible(r)
}

check_places_panel <- function(u) {
  n <- length(u)
  breaks <- seq(0, 1, length.out = if (n > 400) 21 else 11)
  bars <- graphics::hist(u, breaks = breaks, plot = FALSE)
  share <- breaks[2]
  band <- stats::qbinom(c(0.025, 0.975), n, share) / (n * share)
  plot(NULL,
    xlim = c(0, 1), ylim = c(0, 1.08 * max(bars$density, band)), yaxs = "i", las = 1, xlab = "Place of a row",
    ylab = "Density", main = ""
  )
  graphics::rect(0, band[1], 1, band[2], col = "grey92", border = NA)
  draw_bars(bars, "#08519C30", "#08519C")
  graphics::abline(h = 1, col = "grey40")
  graphics::box()
}

# `r`: residuals, ascending; `differences` from normal quantiles, or themselves.
check_quantiles_panel <- function(r, differences) {
  n <- length(r)
  x <- stats::qnorm((seq_len(n) - 0.5) / n)
  i <- unique(round(seq(1, n, length.out = 201)))
  band <- vapply(c(0.025, 0.975), function(q) stats::qnorm(stats::qbeta(q, i, n + 1 - i)), numeric(length(i)))
  y <- r - if (differences) x else 0
  if (differences) band <- band - x[i]
  middle <- abs(x) < 2.5 # the ends of bands of differences are wide
  ylim <- if (differences) range(band[abs(x[i]) < 2.5, ], y[middle]) else range(y, band)
  plot(NULL,
    xlim = range(x), ylim = ylim, las = 1, xlab = "Normal quantile", main = "",
    ylab = if (differences) "Residual less quantile" else "Residual"
  )
  graphics::polygon(c(x[i], rev(x[i])), c(band[, 1], rev(band[, 2])), col = "grey92", border = NA)
  graphics::abline(0, if (differences) 0 else 1, col = "grey40")
  shown <- unique(round(seq(1, n, length.out = 2000))) # of very many
  graphics::points(x[shown], y[shown], pch = 20, cex = point_size(as.matrix(r)), col = "#08519C")
  graphics::box()
}
