# Pictures of tables of mixed columns, and of conditional and marginal distributions: of draws.

#' Pictures of a table of mixed columns
#'
#' One panel a column: shares of levels and whole numbers as bars, of draws and of data where these are given, and
#' histograms of other columns.
#'
#' @param x A fit to a table of mixed columns, see [fit_flow()], or a [conditional()] distribution of one given row or a
#'   [marginal()] one.
#' @param type `"density"`, or the same by `"samples"`: panels of columns; `"pairs"`: all pairs of up to five columns,
#'   of which those of levels are codes, spread a little. `"survival"` is for one column of numbers with a density.
#' @param n Number of draws.
#' @param data The data, or other rows, to be shown beside the draws; `NULL`: none.
#' @param condition Conditions of the draws: one row, or `n`. Of a conditional fit they must be given.
#' @param coordinates Names or numbers of the columns to show; by default the first 12, or 5 of pairs.
#' @param main Title. `NULL`: none.
#' @param ... For distributions of one or two columns of numbers with densities: what
#'   [plot()][plot.bijectr_flow()] of a flow takes.
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
plot.bijectr_table <- function(x, type = c("density", "samples", "pairs"), n = 2000, data = NULL, condition = NULL,
                               coordinates = NULL, main = NULL, ...) {
  check_unused(...)
  check_object(x)
  type <- check_choice(type, c("density", "samples", "pairs"), "type")
  plot_draws(x, x$roles, type, check_count(n, "n"), data, condition, coordinates, main)
}

#' @rdname plot.bijectr_table
#' @export
plot.bijectr_part <- function(x, type = c("density", "samples", "pairs", "survival"), n = 2000, data = NULL,
                              coordinates = NULL, main = NULL, ...) {
  check_object(x)
  type <- check_choice(type, c("density", "samples", "pairs", "survival"), "type")
  if (count_given(x) > 1) {
    stop_arg("A picture is of one row that is given, not {count_given(x)}: {.arg x} is a distribution for each.")
  }
  roles <- column_roles_of(x)
  # densities of other marginal distributions are means of draws, at each point
  cheap <- x$exact || inherits(x, "bijectr_conditional")
  if (x$d <= 2 && cheap && all(role_kinds(roles) == "line")) {
    return(plot.bijectr_flow(x, type, data = data, n = n, coordinates = coordinates, main = main, ...))
  }
  check_unused(...)
  if (type == "survival") stop_arg("Survival functions are drawn of one column of numbers with a density.")
  plot_draws(x, roles, type, check_count(n, "n"), data, NULL, coordinates, main)
}

# Draws in panels, or in pairs; `roles` of the columns, see table-blocks.R.
plot_draws <- function(x, roles, type, n, data, condition, coordinates, main) {
  most <- if (type == "pairs") 5 else 12
  which <- pick_coordinates(coordinates, x, min(x$d, most))
  draws <- points_drawn(x, n, if (x$d_condition > 0) take_condition(x, condition, n))
  rows <- if (!is.null(data)) take_coordinates(x, data, "data")$points
  if (type == "pairs" && length(which) > 1) {
    spread <- function(z) {
      z <- all_rows(z)
      apart <- which(role_kinds(roles) %in% c("levels", "whole"))
      for (j in apart) z[, j] <- z[, j] + stats::runif(nrow(z), -0.25, 0.25)
      z
    }
    colors <- grDevices::hcl.colors(64, "YlGnBu", rev = TRUE)
    with_room(plot_pairs(x, spread(draws), if (!is.null(rows)) spread(rows), which, colors, main))
  } else {
    with_room(plot_columns(draws, rows, roles, coordinate_labels(x), which, main))
  }
  invisible(give_back(x, draws, form = list(kind = "frame", class = "data.frame"), drawn = TRUE))
}

plot_columns <- function(draws, rows, roles, labels, which, main) {
  old <- graphics::par(no.readonly = TRUE)
  on.exit(restore_par(old))
  shape <- grDevices::n2mfrow(length(which))
  graphics::par(
    mfrow = shape, mar = c(2.6, 2.6, 1.8, 0.6), mgp = c(1.6, 0.5, 0), oma = c(1.4, 0, if (is.null(main)) 0 else 2, 0)
  )
  for (j in which) {
    role <- roles[[j]]
    data <- if (!is.null(rows)) column(rows, j)
    if (role$kind %in% c("levels", "whole")) {
      values <- if (role$kind == "levels") seq_len(role$count) - 1 else sort(unique(c(draws[, j], data)))
      share <- function(x) tabulate(match(x, values), length(values)) / length(x)
      bars <- rbind(share(draws[, j]), if (!is.null(data)) share(data))
      graphics::barplot(bars,
        beside = TRUE, names.arg = if (role$kind == "levels") role$names else values,
        col = c("grey85", DATA_COLOR)[seq_len(nrow(bars))], border = "grey60", las = 1, ylab = "share"
      )
    } else {
      bars <- density_bars(draws[, j])
      own <- if (!is.null(data)) density_bars(data)
      plot(NULL,
        xlim = range(draws[, j], data), ylim = c(0, max(bars$density, own$density)), xlab = "", ylab = "density",
        las = 1
      )
      draw_bars(bars, "grey85", "grey60")
      if (!is.null(own)) draw_steps(own)
    }
    graphics::title(labels[j], cex.main = 1, line = 0.5)
  }
  if (!is.null(rows)) graphics::mtext("grey: draws, red: data", side = 1, outer = TRUE, adj = 1, cex = 0.7)
  if (!is.null(main)) graphics::mtext(main, outer = TRUE, font = 2)
}
