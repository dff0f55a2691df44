#' @rdname sbc
#' @param x A check of calibration.
#' @return `format()`: the lines that `print()` shows.
#' @export
format.bijectr_sbc <- function(x, ...) {
  tests <- x$tests
  order <- utils::head(order(tests$p), 10)
  left <- nrow(tests) - length(order)
  c(
    calibration_head(x, "simulation-based calibration"),
    paste0("  ", format(c("", tests$what[order])), "  ", format(c("p", vapply(tests$p[order], format_p, ""))), "  ",
      c("adjusted", vapply(tests$p_adjusted[order], format_p, ""))),
    if (left > 0) paste0("  and ", left, " more, with larger p")
  )
}

#' @rdname sbc
#' @export
print.bijectr_sbc <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname expected_coverage
#' @param x A check of coverage.
#' @return `format()`: the lines that `print()` shows.
#' @export
format.bijectr_coverage <- function(x, ...) {
  of <- c(density = "by density", tarp = "by distances from random points (tarp)")
  at <- vapply(c(0.5, 0.8, 0.9, 0.95), function(level) which.min(abs(x$coverage$level - level)), 1L)
  shown <- x$coverage[unique(at), ]
  c(
    calibration_head(x, "expected coverage", of[[x$method]]),
    paste0("  level     ", paste(format(round(shown$level, 2), nsmall = 2), collapse = "  ")),
    paste0("  coverage  ", paste(format(round(shown$coverage, 2), nsmall = 2), collapse = "  ")),
    paste0("  area ", format(signif(x$area, 2)), ", p ", format_p(x$p))
  )
}

#' @rdname expected_coverage
#' @export
print.bijectr_coverage <- print.bijectr_sbc

calibration_head <- function(x, title, how = NULL) {
  used <- c(given = "", `held out` = " held out of the fit", training = " that the fit was trained on")
  c(
    strwrap(paste0("<", title, "> ", if (!is.null(how)) paste0(how, "; "), x$description, "; ",
      count_text(x$rows$n), " simulations", used[[x$rows$used]], ", ", count_text(x$draws), " draws of each"
    ), width = getOption("width")),
    calibration_notes(x), # without them the verdict may mislead
    paste("verdict:", x$verdict),
    if (length(x$reasons)) {
      unlist(lapply(x$reasons, listed))
    } else {
      z <- stats::qnorm(x$level / (2 * nrow(x$tests)), lower.tail = FALSE)
      error <- 1 / sqrt(x$rows$n)
      listed(paste("Ranks are uniform as far as can be seen.", noticed_errors(z * error, error, "simulations", 1.4)))
    }
  )
}

calibration_notes <- function(x) {
  unlist(lapply(x$notes, strwrap, initial = "  note: ", prefix = "        ", width = getOption("width")))
}

#' @rdname sbc
#' @param row.names,optional Not used.
#' @return `as.data.frame()`: `tests`.
#' @export
as.data.frame.bijectr_sbc <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_unused(...)
  x$tests
}

#' @rdname expected_coverage
#' @param row.names,optional Not used.
#' @return `as.data.frame()`: `coverage`.
#' @export
as.data.frame.bijectr_coverage <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_unused(...)
  x$coverage
}

# ---- pictures --------------------------------------------------------------------------------------------------------

#' @rdname sbc
#' @param type `"ecdf"`: distribution functions of the ranks less those of uniform ranks, with the band in which all of
#'   one curve stays with a probability of 95 per cent; `"histogram"`: one panel a quantity, with the range of 95 per
#'   cent of single bars.
#' @param quantities Names of some of the quantities; by default of the twelve with the smallest p-values.
#' @return `plot()`: the check, invisibly. `autoplot()`: a plot of ggplot2.
#' @export
plot.bijectr_sbc <- function(x, type = c("ecdf", "histogram"), quantities = NULL, ...) {
  draw_picture(picture_of(x, type, quantities, ...))
}

#' @exportS3Method
make_picture.bijectr_sbc <- function(x, type = c("ecdf", "histogram"), quantities = NULL, ..., envir) {
  check_unused(...)
  type <- check_choice(type, c("ecdf", "histogram"), "type")
  shown <- shown_quantities(x, quantities)
  if (type == "ecdf") return(new_picture(list(ecdf_panel(x, shown)), shown = x))
  panels <- lapply(shown, function(what) rank_panel(x, what))
  columns <- min(length(panels), 4, ceiling(sqrt(length(panels))))
  new_picture(panels, c(ceiling(length(panels) / columns), columns), shown = x)
}

#' @rdname sbc
#' @param object As `x`.
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_sbc <- function(object, ...) ggplot_picture(picture_of(object, ...))

#' @rdname expected_coverage
#' @param object As `x`.
#' @exportS3Method ggplot2::autoplot
autoplot.bijectr_coverage <- autoplot.bijectr_sbc

SBC_PANELS <- 12

shown_quantities <- function(x, quantities) {
  known <- x$tests$what
  if (is.null(quantities)) return(known[sort(utils::head(order(x$tests$p), SBC_PANELS))])
  if (is.character(quantities) && length(quantities) && all(quantities %in% known)) return(quantities)
  stop_arg("{.arg quantities} must be some of {.val {known}}, not {describe(quantities)}.")
}

# Differences from the diagonal, where deviations can be seen.
ecdf_panel <- function(x, shown) {
  band <- simultaneous_band(x$rows$n, x$draws, 0.05)
  z <- band$at / (x$draws + 1)
  curves <- vapply(shown, function(what) {
    ranks <- x$ranks[!is.na(x$ranks[, what]), what]
    counts_below(ranks, band$at) / length(ranks) - z
  }, z)
  low <- band$low / x$rows$n - z
  high <- band$high / x$rows$n - z
  limit <- 1.05 * max(abs(c(curves, low, high)))
  colors <- curve_colors(length(shown))
  lines <- lapply(seq_along(shown), function(k) {
    item_lines(c(0, z, 1), c(0, curves[, k], 0), colors[k], shown[k], lwd = 1.5, lty = (k - 1) %% 6 + 1)
  })
  band <- item_band(c(0, z, 1), c(0, low, 0), c(0, high, 0), BAND_COLOR)
  new_panel(c(list(band, item_rule(h = 0, col = "grey60")), lines), c(0, 1), c(-limit, limit),
    "Rank among draws, as a share", "Share of ranks below, minus rank", inside = length(shown) > 3
  )
}

rank_panel <- function(x, what) {
  ranks <- x$ranks[!is.na(x$ranks[, what]), what]
  n <- length(ranks)
  edges <- round(seq(0, x$draws + 1, length.out = if (n > 400) 21 else 11))
  share <- diff(edges) / (x$draws + 1)
  height <- diff(counts_below(ranks, edges)) / (n * share)
  range <- vapply(c(0.025, 0.975), function(p) stats::qbinom(p, n, share) / (n * share), share)
  at <- edges / (x$draws + 1)
  steps <- rep(at, each = 2)[-c(1, 2 * length(at))]
  items <- list(
    item_band(steps, rep(range[, 1], each = 2), rep(range[, 2], each = 2), BAND_COLOR),
    item_bars(at[-length(at)], at[-1], height, paste0(FLOW_COLOR, "30"), FLOW_COLOR), item_rule(h = 1)
  )
  new_panel(items, c(0, 1), c(0, 1.08 * max(height, range)), "Rank, as a share", "Density", what, ends = "floor")
}

#' @rdname expected_coverage
#' @return `plot()`: the check, invisibly. `autoplot()`: a plot of ggplot2.
#' @export
plot.bijectr_coverage <- function(x, ...) draw_picture(picture_of(x, ...))

#' @exportS3Method
make_picture.bijectr_coverage <- function(x, ..., envir) {
  check_unused(...)
  curve <- x$coverage
  level <- c(0, curve$level, 1)
  items <- list(
    item_band(level, c(0, curve$low, 1), c(0, curve$high, 1), BAND_COLOR), item_rule(col = "grey60"),
    item_lines(level, c(0, curve$coverage, 1), FLOW_COLOR)
  )
  new_picture(list(new_panel(items, c(0, 1), c(0, 1), "Level of the region", "Coverage", asp = 1)), shown = x)
}
