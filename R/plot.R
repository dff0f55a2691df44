#' Plots of flows and fits
#'
#' Pictures in base graphics by `plot()`, and the same as a plot of ggplot2 by `autoplot()`, where ggplot2 is installed.
#' `"density"` is a curve for one coordinate, a density map for two, and falls to `"pairs"` for more. Colors run from
#' light to dark, so that they survive a gray print.
#'
#' @param x A flow or a fit.
#' @param type What to show:
#'   * `"density"`: the density in the units of the data; for two coordinates with lines around the regions of highest
#'     density that hold the shares `levels` of the distribution;
#'   * `"samples"`: draws (a histogram, a scatter plot, or `"pairs"`);
#'   * `"pairs"`: all pairs of coordinates: draws below the diagonal, histograms on it, densities of the draws above it;
#'   * `"layers"`: how draws from the base move through the layers, one panel for each layer that is not a permutation,
#'     24 at the most; each point keeps its color, that of its first coordinate in the base; not for stacks;
#'   * `"survival"`: for one coordinate, \eqn{P(T > t)} at each row of `newdata`, or at `condition`; without either, for
#'     a conditional flow, its mean over (up to 500) rows of `data`. Of `data`, censored times among them, the estimate
#'     of Kaplan and Meier is drawn too (Turnbull's for intervals), by the survival package;
#'   * `"loss"`: for fits, training and validation loss against optimizer steps; the dashed line is the best validation.
#'     Of fits to a log density, the bound of its integral that the loss is the negative of, as the ELBO. Not for
#'     stacks, which have no training of their own;
#'   * `"check"`: for fits of one coordinate, whether [residuals()][residuals.bijectr_fit()] of `data` (by default those
#'     that the call names) are normal: their places, a normal QQ plot, and a worm plot, differences from it, each with
#'     the band in which 95 per cent of good fits are at a point;
#'   * `"fan"`: for fits by formula, 5, 25, 50, 75 and 95 per cent quantiles of each coordinate, or the probabilities of
#'     levels, over one condition, `over`, the first of numbers by default; others are at the values in the list `at`,
#'     or at medians and the most frequent levels of the data, which the picture names.
#' @param data Data to draw into the picture, as in [fit_flow()]: points, or a histogram for one coordinate; of very
#'   many points 5000, evenly spaced. A fit does not keep its data; without them the picture covers the range of draws.
#'   Of data frames that have columns of the conditions, rows that match those of the picture are drawn: those with the
#'   same levels, and numbers within a quarter of a standard deviation. What was left out is written below the picture.
#' @param condition Values of the conditioning variables: one row.
#' @param newdata For `"survival"`: rows of the conditioning variables, one curve each.
#' @param n Number of draws. `NULL`: 1000, of `"pairs"` 5000.
#' @param coordinates For `"pairs"` and `"layers"`: names or numbers of the coordinates to show; by default the first 5
#'   and the first 2.
#' @param grid Number of points along each axis at which densities are evaluated.
#' @param xlim,ylim Ranges of the axes, of pictures of one panel and of `"fan"`. By default they are where the mass is:
#'   the central 99 per cent of draws and of `data`, with a margin.
#' @param asp Aspect ratio of maps and scatter plots. `NULL` takes 1 if both axes span similar lengths, and else fills
#'   the plot.
#' @param colors Colors of density maps, from low to high; `NULL`: light yellow to dark blue.
#' @param main Title.
#' @param xlab,ylab Names of the axes, of pictures of one panel and of `"fan"`; by default those of the columns with
#'   their units.
#' @param col The color of curves and draws.
#' @param levels Shares of the distribution, between 0 and 1, around which density maps have lines.
#' @param add Draw into the plot that is there: curves, points, and of density maps the lines.
#' @param ... `lwd` and `lty`, widths and types of lines, `pch` and `cex`, signs and sizes of points, as in
#'   [graphics::par()], in place of those that the picture has. For `"check"`: `data`, `condition` and `main`; for
#'   `"fan"`: `over`, `at`, `data`, `main`, `xlim`, `ylim`, `xlab`, `ylab` and `col`; for `"loss"`: `main`,
#'   `xlim`, `ylim`, `xlab`, `ylab` and `col`. Of `autoplot()`: what `plot()` takes, but for `add`.
#' @return `plot()`: what is shown, invisibly. `"density"`: a data frame of `x` and `density`, or a list `x`, `y`,
#'   `density` (a matrix with one row a value of `x`). `"samples"` and `"pairs"`: the matrix of draws. `"layers"`: a
#'   list of matrices, one a panel. `"survival"`: a list of `x`, `survival` (a matrix with one row a curve) and `data`
#'   (a data frame of `time` and `survival`, or `NULL`). `"loss"`: the `history` of the fit. `"check"`: the residuals,
#'   ascending. `"fan"`: a data frame of the condition and the quantiles or probabilities. `autoplot()`: a plot of
#'   ggplot2, to which layers, scales and themes can be added.
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
#' plot(fit, condition = data.frame(waiting = 80), data = faithful)
#' plot(fit, condition = data.frame(waiting = 70), col = "darkred", add = TRUE)
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   ggplot2::autoplot(fit, "fan") + ggplot2::theme_minimal()
#' }
#' @export
plot.bijectr_flow <- function(x, type = c("density", "samples", "pairs", "layers", "survival"), data = NULL,
                              condition = NULL, newdata = NULL, n = NULL, coordinates = NULL, grid = 151, xlim = NULL,
                              ylim = NULL, asp = NULL, colors = NULL, main = NULL, xlab = NULL, ylab = NULL, col = NULL,
                              levels = c(0.5, 0.8, 0.95), add = FALSE, ...) {
  add <- check_flag(add, "add")
  invisible(extrapolation_once(draw_picture(picture_of(x, type,
    data = data, condition = condition, newdata = newdata, n = n, coordinates = coordinates, grid = grid, xlim = xlim,
    ylim = ylim, asp = asp, colors = colors, main = main, xlab = xlab, ylab = ylab, col = col, levels = levels, ...
  ), add)))
}

#' @rdname plot.bijectr_flow
#' @export
plot.bijectr_fit <- function(x, type = c("density", "samples", "pairs", "layers", "survival", "loss", "check", "fan"),
                             ..., add = FALSE) {
  add <- check_flag(add, "add")
  envir <- parent.frame()
  invisible(extrapolation_once(draw_picture(picture_of(x, type, ..., envir = envir), add)))
}

# The picture of make_picture(), with what the user wants in place of what it would have.
picture_of <- function(x, ..., envir = NULL, lwd = NULL, lty = NULL, pch = NULL, cex = NULL) {
  style <- list(
    lwd = check_number(lwd, "lwd", above = 0, below = Inf, null = TRUE), lty = check_line_type(lty),
    pch = check_sign(pch), cex = check_number(cex, "cex", above = 0, below = Inf, null = TRUE)
  )
  restyle(make_picture(x, ..., envir = envir), Filter(Negate(is.null), style))
}

# The picture of an object, see picture.R. `envir`: where the data that the call of a fit names are looked for.
make_picture <- function(x, ..., envir) UseMethod("make_picture")

#' @exportS3Method
make_picture.bijectr_flow <- function(x, type = "density", data = NULL, condition = NULL, newdata = NULL, n = NULL,
                                      coordinates = NULL, grid = 151, xlim = NULL, ylim = NULL, asp = NULL,
                                      colors = NULL, main = NULL, xlab = NULL, ylab = NULL, col = NULL,
                                      levels = c(0.5, 0.8, 0.95), ..., envir) {
  check_unused(...)
  check_object(x)
  type <- check_choice(type, c("density", "samples", "pairs", "layers", "survival"), "type")
  if (!is.null(newdata) && type != "survival") stop_arg("{.arg newdata} is for {.code type = \"survival\"}.")
  if (x$d > 2 && type %in% c("density", "samples")) type <- "pairs"
  n <- check_count(n %||% if (type == "pairs") PAIRS_DRAWS else PICTURE_DRAWS, "n", min = 10)
  grid <- check_count(grid, "grid", min = 2)
  if (type %in% c("pairs", "layers") && !(is.null(xlim) && is.null(ylim))) {
    stop_arg("{.arg xlim} and {.arg ylim} are for pictures of one panel, not for {.code type = \"{type}\"}.")
  }
  window <- list(
    xlim = check_limits(xlim, "xlim"), ylim = check_limits(ylim, "ylim"), asp = check_aspect(asp), main = main,
    xlab = xlab, ylab = ylab, grid = grid, levels = check_shares(levels), labels = axis_labels(x), codecs = x$codecs,
    colors = if (is.null(colors)) MAP_COLORS else filled_colors(check_colors(colors, "colors")),
    col = if (!is.null(col)) check_colors(col, "col")
  )
  if (type == "survival") {
    check_one_coordinate(x)
    steps <- if (!is.null(data)) kaplan_meier(x, data)
    curves <- survival_rows(x, newdata, condition, data)
    return(survival_picture(x, curves$rows, curves$together, curves$labels, steps, window))
  }
  check_one_row(condition, x$d_condition)
  data <- data_to_show(x, data, condition)
  window$note <- c(condition_text(named_condition(x, condition)), data$text)
  if (is_whole(x) && type %in% c("density", "samples")) {
    draws <- draws_to_show(x, n, condition)
    return(whole_picture(x, draws, data$points, condition, window, type == "samples"))
  }
  x[c("codecs", "form")] <- list(NULL) # draws, too, stay numbers
  if (type == "layers") {
    return(layers_picture(x, condition, pick_coordinates(coordinates, x, 2), n, window))
  }
  draws <- draws_to_show(x, n, condition)
  if (type == "pairs") {
    which <- pick_coordinates(coordinates, x, 5)
    if (is.null(coordinates) && x$d > 5) {
      cli::cli_inform("The picture shows 5 of {x$d} coordinates: {.arg coordinates} picks others.")
    }
    window[c("labels", "codecs")] <- list(window$labels[which], window$codecs[which])
    own <- if (!is.null(data$points)) data$points[, which, drop = FALSE]
    return(pairs_picture(draws[, which, drop = FALSE], own, window))
  }
  picture <- if (type == "density") {
    if (x$d == 1) density_picture_1d else density_picture_2d
  } else {
    if (x$d == 1) samples_picture_1d else samples_picture_2d
  }
  picture(x, draws, data$points, condition, window)
}

#' @exportS3Method
make_picture.bijectr_fit <- function(x, type = "density", ..., envir) {
  type <- check_choice(type, c("density", "samples", "pairs", "layers", "survival", "loss", "check", "fan"), "type")
  if (type %in% c("layers", "loss")) check_one_flow(x, paste0("{.code type = \"", type, "\"}"))
  switch(type,
    check = check_picture(x, envir, ...),
    fan = fan_picture(x, envir, ...),
    loss = loss_picture(x, ...),
    make_picture.bijectr_flow(x, type, ..., envir = envir)
  )
}

# Losses of draws are shown as what they are the negative of: bounds of log Z, which rise.
loss_picture <- function(fit, main = NULL, xlab = NULL, ylab = NULL, xlim = NULL, ylim = NULL, col = NULL, ...) {
  check_unused(...)
  check_fit(fit)
  history <- fit$history
  sign <- if (is_draw_loss(fit$loss)) -1 else 1 # bounds of log Z
  shown <- sign * c(history$train, history$validation)
  shown <- shown[is.finite(shown)]
  if (!length(shown)) stop_arg("This fit has no history of losses.")
  # a steep beginning must not flatten what comes after: a logarithmic axis if the loss allows it, else a cut
  steep <- diff(range(shown)) > 4 * diff(stats::quantile(sign * shown, c(0, 0.9)))
  log_axis <- sign > 0 && steep && min(shown) > 0 && max(shown) / min(shown) > 5
  limits <- range(shown)
  if (steep && !log_axis) {
    reach <- 2 * diff(stats::quantile(sign * shown, c(0, 0.9)))
    if (sign > 0) limits[2] <- limits[1] + reach else limits[1] <- limits[2] - reach
  }
  validated <- which(is.finite(history$validation))
  both <- length(validated) > 0
  items <- list(
    item_lines(history$step, sign * history$train, "grey60", if (both) "training (minibatches)", lwd = 1),
    if (both) item_rule(v = history$step[validated[which.min(history$validation[validated])]], lty = 2),
    if (both) {
      item_lines(history$step[validated], sign * history$validation[validated], col %||% FLOW_COLOR, "validation")
    }
  )
  panel <- new_panel(items, check_limits(xlim, "xlim") %||% c(1, max(history$step, 2)),
    check_limits(ylim, "ylim") %||% limits, xlab %||% "Optimizer step",
    ylab %||% loss_label(fit$loss), log = if (log_axis) "y" else ""
  )
  new_picture(list(panel), main = main, shown = history)
}
