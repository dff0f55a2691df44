# Whether residuals are normal, in three panels, see residuals.R: with U the places Phi(r) of n residuals r,
#
#   places    a histogram of U, which is flat, and where 95 per cent of the heights of good fits are
#   QQ        ordered residuals against normal quantiles at (i - 1/2) / n
#   worm      their differences from these, with the 95 per cent band of each order statistic (van Buuren and
#             Fredriks, 2001): U_(i) has a beta distribution with i and n + 1 - i

check_picture <- function(fit, envir, data = NULL, condition = NULL, main = NULL, ...) {
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
  panels <- list(places_panel(stats::pnorm(r)), quantiles_panel(r, FALSE), quantiles_panel(r, TRUE))
  own <- if (is.null(data)) "rows that the fit was made from: new ones would look less good"
  new_picture(panels, c(1, 3), main, own, shown = r)
}

places_panel <- function(u) {
  n <- length(u)
  bars <- graphics::hist(u, breaks = seq(0, 1, length.out = if (n > 400) 21 else 11), plot = FALSE)
  share <- bars$breaks[2]
  band <- stats::qbinom(c(0.025, 0.975), n, share) / (n * share)
  items <- list(
    item_band(c(0, 1), band[c(1, 1)], band[c(2, 2)], BAND_COLOR),
    item_histogram(bars, paste0(FLOW_COLOR, "30"), FLOW_COLOR), item_rule(h = 1)
  )
  new_panel(items, c(0, 1), c(0, 1.08 * max(bars$density, band)), "Place of a row", "Density", "Places", ends = "floor")
}

# `r`: residuals, ascending; `differences` from normal quantiles, or themselves.
quantiles_panel <- function(r, differences) {
  n <- length(r)
  x <- stats::qnorm((seq_len(n) - 0.5) / n)
  i <- thin_rows(n, 201)
  band <- vapply(c(0.025, 0.975), function(q) stats::qnorm(stats::qbeta(q, i, n + 1 - i)), numeric(length(i)))
  y <- r - if (differences) x else 0
  if (differences) band <- band - x[i]
  middle <- abs(x) < 2.5 # the ends of bands of differences are wide
  ylim <- if (differences) range(band[abs(x[i]) < 2.5, ], y[middle]) else range(y, band)
  seen <- thin_rows(n, 2000)
  items <- list(
    item_band(x[i], band[, 1], band[, 2], BAND_COLOR), if (differences) item_rule(h = 0) else item_rule(),
    item_points(x[seen], y[seen], FLOW_COLOR)
  )
  new_panel(items, range(x), ylim, "Normal quantile", if (differences) "Residual less quantile" else "Residual",
    if (differences) "Worm plot" else "QQ plot"
  )
}
