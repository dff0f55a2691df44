# The check of a fit to a log density in two panels: errors of means and of standard deviations of the flow's draws, a
# point a coordinate with two standard errors, in the band where the verdict is "trust".

#' @rdname check_flow
#' @export
plot.bijectr_target_check <- function(x, ...) draw_picture(picture_of(x, ...))

#' @exportS3Method
make_picture.bijectr_target_check <- function(x, ..., envir) {
  check_unused(...)
  note <- sprintf("Verdict: %s", x$verdict)
  with(x$moments, new_picture(list(
    errors_panel(what, mean_off, mean_error, TARGET_OFF[["mean"]], "Error of the mean, in sds"),
    errors_panel(what, 100 * sd_off, 100 * sd_error, 100 * TARGET_OFF[["sd"]], "Error of the sd, %")
  ), c(1, 2), note = note, shown = x))
}

#' @rdname check_flow
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_target_check <- function(object, ...) ggplot_picture(picture_of(object, ...))

errors_panel <- function(labels, off, error, forgiven, title) {
  n <- length(labels)
  at <- rev(seq_len(n))
  reach <- 1.1 * max(abs(off) + 2 * error, 1.5 * forgiven)
  bars <- lapply(seq_len(n), function(j) item_lines(off[j] + c(-2, 2) * error[j], c(at[j], at[j]), FLOW_COLOR))
  # a band from the bottom to the top
  items <- c(
    list(item_band(c(-forgiven, forgiven), c(0.5, 0.5), c(n + 0.5, n + 0.5), BAND_COLOR), item_rule(v = 0)), bars,
    list(item_points(off, at, FLOW_COLOR, cex = 1.2))
  )
  new_panel(items, c(-reach, reach), c(0.5, n + 0.5), title, "", ends = "tight",
    yticks = thinned_ticks(at, labels)
  )
}
