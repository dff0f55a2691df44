#' Plots of flows and fits
#'
#' Pictures in base graphics. `"density"` is a curve for one coordinate, a density map for two, and falls to `"pairs"`
#' for more. Colours run from light to dark, so that they survive a grey print.
#'
#' @param x A flow or a fit.
#' @param type What to show:
#'   * `"density"`: the density in the units of the data; for two coordinates with lines around the regions of highest
#'     density that hold 50, 80 and 95 percent of the distribution;
#'   * `"samples"`: draws (a histogram, a scatter plot, or `"pairs"`);
#'   * `"pairs"`: all pairs of coordinates: draws below the diagonal, histograms on it, densities of the draws above it;
#'   * `"layers"`: how draws from the base move through the layers, one panel for each layer that is not a permutation;
#'     each point keeps its colour, that of its first coordinate in the base; not for stacks;
#'   * `"survival"`: for one coordinate, \eqn{P(T > t)} at each row of `newdata`, or at `condition`; without either, for
#'     a conditional flow, its mean over (up to 500) rows of `data`. Of `data`, censored times among them, the estimate
#'     of Kaplan and Meier is drawn too (Turnbull's for intervals), by the survival package;
#'   * `"loss"`: for fits, training and validation loss against optimiser steps; the dashed line is the best validation.
#'     Not for stacks, which have no training of their own;
#'   * `"check"`: for fits of one coordinate, whether [residuals()][residuals.bijectr_fit()] of `data` (by default those
#'     that the call names) are normal: their places, a normal QQ plot, and a worm plot, differences from it, each with
#'     the band in which 95 per cent of good fits are at a point;
#'   * `"fan"`: for fits of one coordinate by formula, 5, 25, 50, 75 and 95 per cent quantiles over one condition,
#'     `over`, the first of numbers by default; others are at the values in the list `at`, or at medians and the most
#'     frequent levels of the data, which the picture names. The data that have these values are drawn too.
#' @param data Data to draw into the picture, as in [fit_flow()]: points, or a histogram for one coordinate. A fit does
#'   not keep its data; without them the picture covers the range of draws.
#' @param condition Values of the conditioning variables: one row.
#' @param newdata For `"survival"`: rows of the conditioning variables, one curve each.
#' @param n Number of draws.
#' @param coordinates For `"pairs"` and `"layers"`: names or numbers of the coordinates to show; by default the first 5
#'   and the first 2.
#' @param grid Number of points along each axis at which densities are evaluated.
#' @param xlim,ylim Ranges of the axes of `"density"`, `"samples"` and `"survival"`.
#' @param asp Aspect ratio of maps and scatter plots. `NULL` takes 1 if both axes span similar lengths, and else fills
#'   the plot.
#' @param colors Colours of densities, from low to high.
#' @param main Title.
#' @param ... For `"check"`: `data`, `condition` and `main`; for `"fan"`: `over`, `at`, `data`, `main`, `xlim`, `ylim`,
#'   `xlab` and `ylab`.
#' @return What is shown, invisibly. `"density"`: a data frame of `x` and `density`, or a list `x`, `y`, `density` (a
#'   matrix with one row a value of `x`). `"samples"` and `"pairs"`: the matrix of draws. `"layers"`: a list of
#'   matrices, one a panel. `"survival"`: a list of `x`, `survival` (a matrix with one row a curve) and `data` (a data
#'   frame of `time` and `survival`, or `NULL`). `"loss"`: the `history` of the fit. `"check"`: the
#'   residuals, ascending. `"fan"`: a data frame of the condition and the quantiles.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(faithful, steps = 200)
#' plot(fit, data = faithful)
#' plot(fit, "loss")
#' plot(fit, "layers")
#' plot(fit_flow(faithful$waiting, steps = 200), data = faithful$waiting)
#'
#' # the probability of an eruption longer than so many minutes, after waits of 50 and 80
#' fit <- fit_flow(eruptions ~ waiting, data = faithful, steps = 200)
#' plot(fit, "survival", newdata = data.frame(waiting = c(50, 80)))
#' plot(fit, "fan")
#' plot(fit, "check")
#' @export
plot.bijectr_flow <- function(x, type = c("density", "samples", "pairs", "layers", "survival"), data = NULL,
                              condition = NULL, newdata = NULL, n = 1000, coordinates = NULL, grid = 151, xlim = NULL,
                              ylim = NULL, asp = NULL, colors = grDevices::hcl.colors(64, "YlGnBu", rev = TRUE),
                              main = NULL, ...) {
  check_unused(...)
  check_object(x)
  type <- check_choice(type, c("density", "samples", "pairs", "layers", "survival"), "type")
  if (!is.null(newdata) && type != "survival") stop_arg("{.arg newdata} is for {.code type = \"survival\"}.")
  n <- check_count(n, "n", min = 10)
  grid <- check_count(grid, "grid", min = 2)
  if (type == "survival") {
    check_one_coordinate(x)
    steps <- if (!is.null(data)) kaplan_meier(x, data)
    curves <- survival_rows(x, newdata, condition, data)
    data <- NULL
  }
  if (!is.null(data)) data <- picture_data(x, data)
  if (!is.null(data) && nrow(data) == 0) stop_arg("{.arg data} has no rows.")
  if (x$d > 2 && type %in% c("density", "samples")) type <- "pairs"
  check_one_row(condition, x$d_condition)
  colors <- check_colors(colors)
  window <- list(
    xlim = check_limits(xlim, "xlim"), ylim = check_limits(ylim, "ylim"), asp = check_aspect(asp), main = main
  )
  x[c("codecs", "form")] <- list(NULL) # draws, too, stay numbers
  shown <- extrapolation_once({
    draws <- if (!type %in% c("layers", "survival")) draws_to_show(x, n, condition)
    with_room(switch(type,
      density = if (x$d == 1) {
        plot_density_1d(x, draws, data, condition, grid, window)
      } else {
        plot_density_2d(x, draws, data, condition, grid, window, colors)
      },
      samples = if (x$d == 1) plot_samples_1d(x, draws, data, window) else plot_samples_2d(x, draws, data, window),
      pairs = plot_pairs(x, draws, data, pick_coordinates(coordinates, x, 5), colors, main),
      layers = plot_layers(x, n, condition, pick_coordinates(coordinates, x, 2), main),
      survival = plot_survival(x, curves$rows, curves$together, curves$labels, steps, grid, window)
    ))
  })
  invisible(shown)
}

#' @rdname plot.bijectr_flow
#' @export
plot.bijectr_fit <- function(x, type = c("density", "samples", "pairs", "layers", "survival", "loss", "check", "fan"),
                             ...) {
  type <- check_choice(type, c("density", "samples", "pairs", "layers", "survival", "loss", "check", "fan"), "type")
  if (type %in% c("layers", "loss")) check_one_flow(x, paste0("{.code type = \"", type, "\"}"))
  if (type == "check") return(plot_check(x, parent.frame(), ...))
  if (type == "fan") return(plot_fan(x, parent.frame(), ...))
  if (type != "loss") return(plot.bijectr_flow(x, type, ...))
  plot_loss(x, ...)
}

plot_loss <- function(fit, main = NULL, ...) {
  check_unused(...)
  check_fit(fit)
  history <- fit$history
  shown <- c(history$train, history$validation)
  shown <- shown[is.finite(shown)]
  if (!length(shown)) stop_arg("This fit has no history of losses.")
  # a steep beginning must not flatten what comes after: a logarithmic axis if the loss allows it, else a cut
  steep <- diff(range(shown)) > 4 * diff(stats::quantile(shown, c(0, 0.9)))
  log_axis <- steep && min(shown) > 0 && max(shown) / min(shown) > 5
  ylim <- range(shown)
  if (steep && !log_axis) ylim[2] <- ylim[1] + 2 * diff(stats::quantile(shown, c(0, 0.9)))
  with_room(plot(NULL,
    xlim = c(1, max(history$step, 2)), ylim = ylim, log = if (log_axis) "y" else "", xlab = "Optimiser step",
    ylab = loss_label(fit$loss), main = main, las = 1
  ))
  graphics::lines(history$step, history$train, col = "grey60")
  validated <- which(is.finite(history$validation))
  if (length(validated)) {
    best <- validated[which.min(history$validation[validated])]
    graphics::abline(v = history$step[best], lty = 2, col = "grey40")
    graphics::lines(history$step[validated], history$validation[validated], col = "#08519C", lwd = 2)
  }
  used <- c(TRUE, length(validated) > 0)
  legend_above(c("training (minibatches)", "validation")[used], col = c("grey60", "#08519C")[used], lwd = c(1, 2)[used])
  invisible(history)
}
