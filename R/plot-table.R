# Pictures of tables of mixed columns, and of conditional and marginal distributions: of draws.

#' Pictures of a table of mixed columns
#'
#' One panel a column: shares of levels and whole numbers as bars, of draws and of data where these are given, and
#' histograms of other columns.
#'
#' @param x A fit to a table of mixed columns, see [fit_flow()], or a [conditional()] distribution of one given row or a
#'   [marginal()] one.
#' @param type `"density"`, or the same by `"samples"`: panels of columns; `"pairs"`: all pairs of up to five columns,
#'   of which those of levels are codes, spread a little; `"fan"` and `"check"` as [plot()][plot.bijectr_flow()] of
#'   other fits has them. `"survival"` is for one column of numbers with a density.
#' @param n Number of draws.
#' @param data The data, or other rows, to be shown beside the draws; `NULL`: none.
#' @param condition Conditions of the draws: one row, or `n`. Of a conditional fit they must be given.
#' @param coordinates Names or numbers of the columns to show; by default the first 12, or 5 of pairs.
#' @param main Title. `NULL`: none.
#' @param add As in [plot()][plot.bijectr_flow()] of a flow.
#' @param ... For `"fan"`: `over`, `at`, `xlim`, `ylim`, `xlab`, `ylab` and `col`. For distributions of one or two
#'   columns of numbers with densities: what [plot()][plot.bijectr_flow()] of a flow takes.
#' @return The draws that were shown, a data frame, invisibly.
#' @details Conditional distributions of one or two columns of numbers with densities have the pictures of flows, see
#'   [plot.bijectr_flow()], as have marginal ones that are exact; else pictures are of draws.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(iris, members = c("normal", "cells"))
#' plot(fit, data = iris)
#' plot(conditional(fit, Species = "setosa"), data = iris[iris$Species == "setosa", -5])
#' @export
plot.bijectr_table <- function(x, type = c("density", "samples", "pairs", "fan", "check"), n = 2000, data = NULL,
                               condition = NULL, coordinates = NULL, main = NULL, ...) {
  draw_picture(picture_of(x, type,
    n = n, data = data, condition = condition, coordinates = coordinates, main = main, ..., envir = parent.frame()
  ))
}

#' @exportS3Method
make_picture.bijectr_table <- function(x, type = "density", n = 2000, data = NULL, condition = NULL,
                                       coordinates = NULL, main = NULL, ..., envir) {
  check_object(x)
  type <- check_choice(type, c("density", "samples", "pairs", "fan", "check"), "type")
  if (type == "fan") return(fan_picture(x, envir, data = data, main = main, ...))
  if (type == "check") return(check_picture(x, envir, data, condition, main, ...))
  check_unused(...)
  draws_picture(x, x$roles, type, check_count(n, "n", min = 10), data, condition, coordinates, main)
}

#' @rdname plot.bijectr_table
#' @export
plot.bijectr_part <- function(x, type = c("density", "samples", "pairs", "survival"), n = 2000, data = NULL,
                              coordinates = NULL, main = NULL, ..., add = FALSE) {
  picture <- picture_of(x, type, n = n, data = data, coordinates = coordinates, main = main, ...)
  invisible(extrapolation_once(draw_picture(picture, check_flag(add, "add"))))
}

#' @exportS3Method
make_picture.bijectr_part <- function(x, type = c("density", "samples", "pairs", "survival"), n = 2000, data = NULL,
                                      coordinates = NULL, main = NULL, ..., envir) {
  check_object(x)
  type <- check_choice(type, c("density", "samples", "pairs", "survival"), "type")
  if (count_given(x) > 1) {
    stop_arg("A picture is of one row that is given, not {count_given(x)}: {.arg x} is a distribution for each.")
  }
  roles <- column_roles_of(x)
  note <- NULL
  if (inherits(x, "bijectr_conditional")) {
    match <- matching_data(data, given_values(x))
    data <- match$data
    note <- c(paste("given", given_values_text(x)), match$text)
  }
  # densities of other marginal distributions, but not their survival functions, are means of draws at each point
  by_flow <- x$exact || inherits(x, "bijectr_conditional") || type == "survival"
  if (x$d <= 2 && by_flow && all(role_kinds(roles) == "line")) {
    picture <- make_picture.bijectr_flow(x, type, data = data, n = n, coordinates = coordinates, main = main, ...)
  } else {
    check_unused(...)
    if (type == "survival") stop_arg("Survival functions are drawn of one column of numbers with a density.")
    picture <- draws_picture(x, roles, type, check_count(n, "n", min = 10), data, NULL, coordinates, main)
  }
  picture["note"] <- list(picture_note(note, picture$note))
  picture
}

# Draws in panels, or in pairs; `roles` of the columns, see table-blocks.R.
draws_picture <- function(x, roles, type, n, data, condition, coordinates, main) {
  most <- if (type == "pairs") 5 else 12
  which <- pick_coordinates(coordinates, x, min(x$d, most))
  draws <- points_drawn(x, n, if (x$d_condition > 0) take_condition(x, condition, n))
  match <- matching_data(data, named_condition(x, condition))
  rows <- if (!is.null(match$data)) take_coordinates(x, match$data, "data")$points
  note <- c(condition_text(named_condition(x, condition)), match$text)
  shown <- give_back(x, draws, form = list(kind = "frame", class = "data.frame"), drawn = TRUE)
  left_out <- setdiff(seq_len(x$d), which)
  if (is.null(coordinates) && length(left_out)) {
    cli::cli_inform("The picture shows {length(which)} of {x$d} columns: {.arg coordinates} picks others.")
  }
  if (type == "pairs" && length(which) > 1) {
    apart <- role_kinds(roles[which]) %in% c("levels", "whole")
    spread <- function(z) {
      z <- all_rows(z)[, which, drop = FALSE]
      for (j in which(apart)) z[, j] <- z[, j] + stats::runif(nrow(z), -0.25, 0.25)
      z
    }
    ticks <- lapply(roles[which], function(role) {
      if (role$kind == "levels") thinned_ticks(seq_len(role$count) - 1, role$names)
    })
    window <- list(colors = MAP_COLORS, labels = axis_labels(x)[which], ticks = ticks, note = note, main = main,
      apart = apart
    )
    picture <- pairs_picture(spread(draws), if (!is.null(rows)) spread(rows), window)
  } else {
    panels <- lapply(which, function(j) {
      column_panel(draws[, j], if (!is.null(rows)) column(rows, j), roles[[j]], axis_labels(x)[j], x$codecs[[j]])
    })
    note <- c(note, if (!is.null(rows)) "gray: draws, dark red: data")
    picture <- new_picture(panels, grDevices::n2mfrow(length(which)), main, picture_note(note))
  }
  picture$shown <- shown
  picture
}

# Shares of levels and whole numbers, or histograms, of draws beside data.
column_panel <- function(draws, data, role, label, codec) {
  if (!role$kind %in% c("levels", "whole")) {
    limits <- shown_range(draws, data)
    bars <- density_bars(draws, limits)
    own <- if (!is.null(data)) density_bars(data, limits)
    items <- list(item_histogram(bars, "grey85", "grey60"), if (!is.null(own)) item_outline(own))
    return(new_panel(items, limits, c(0, 1.04 * max(bars$density, own$density)), "", "Density", label,
      ends = "floor", xticks = axis_ticks(codec, limits)
    ))
  }
  values <- if (role$kind == "levels") seq_len(role$count) - 1 else sort(unique(c(draws, data)))
  at <- seq_along(values)
  shares <- column_shares(draws, data, values)
  items <- share_items(shares, at)
  new_panel(items, c(0.4, length(at) + 0.6), c(0, 1.04 * max(unlist(shares))), "", "Share", label,
    ends = "floor", xticks = thinned_ticks(at, if (role$kind == "levels") role$names else values)
  )
}
