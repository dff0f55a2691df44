# What tables of mixed columns predict beyond what flows do: probabilities of levels, and pictures of columns.

#' @rdname predict.bijectr_flow
#' @section Levels and whole numbers: A fit by formula with one factor, ordered or not, logical column or text on
#'   the left side has `type = "probability"`, a matrix with one row a row of conditions and one column a level, and
#'   `"class"`, the most probable level of each row (the median of an ordered factor), in the class of the column;
#'   so has a [conditional()] or [marginal()] distribution of one such column. They have no `"response"`.
#'   Probabilities of whole numbers are `exp(logdensity())`.
#' @export
predict.bijectr_table <- function(object, newdata,
                                  type = c(
                                    "logdensity", "density", "distribution", "quantile", "response", "survival",
                                    "cumhazard", "probability", "class"
                                  ), condition = NULL, times = NULL, p = NULL, ...) {
  check_unused(...)
  check_object(object)
  type <- check_choice(type, eval(formals()$type), "type")
  levels <- role_kinds(object$roles) == "levels"
  if (type %in% c("probability", "class")) {
    if (!all(levels) || object$d > 1) {
      stop_arg(c(
        "{.code type = \"{type}\"} is for one column of levels, given others.",
        i = "Probabilities of levels of a joint fit are those of {.fn marginal} and {.fn conditional}."
      ))
    }
    return(predict_levels(object, if (!missing(newdata)) newdata, condition, type))
  }
  predict.bijectr_flow(object, newdata, type, condition, times, p)
}

# Of one column of levels, with others given.
#' @export
predict.bijectr_part <- function(object, newdata, type = "logdensity", condition = NULL, ...) {
  check_object(object)
  if (!identical(type, "probability") && !identical(type, "class")) {
    return(predict.bijectr_flow(object, newdata, type, condition, ...))
  }
  check_unused(...)
  codec <- object$codecs[[1]]
  if (object$d > 1 || !is_levels(codec)) stop_arg("{.code type = \"{type}\"} is for one column of levels.")
  n <- count_given(object)
  value <- vapply(seq_along(codec$levels) - 1, function(code) {
    points_density(object, matrix(code, n, 1), NULL)
  }, numeric(n))
  share <- exp(matrix(value, n))
  share <- share / rowSums(share) # they are means of draws
  colnames(share) <- codec$levels
  if (type == "probability") share else decode(codec, predicted_codes(share, codec$as == "ordered"))
}

# Of rows of probabilities the most probable code, of ordered levels the median.
predicted_codes <- function(share, ordered) {
  if (!ordered) return(max.col(share, "first") - 1)
  half <- t(apply(share, 1, cumsum)) >= 0.5 - 1e-12
  max.col(matrix(half, nrow(share)), "first") - 1
}

predict_levels <- function(table, newdata, condition, type) {
  at <- take_rows(table, newdata, condition)
  block <- table$blocks[[1]]
  role <- table$roles[[1]]
  z <- matrix(0, at$n, 1)
  given <- block_given(table, block, z, at$condition, seq_len(at$n))
  share <- exp(level_shares(block$fit, role$count, given, at$n))
  if (type == "probability") {
    colnames(share) <- role$names
    share <- put_back(share, at)
    if (!is.null(at$kept)) colnames(share) <- role$names
    return(if (is.null(at$repeats)) share else share[rep(1, at$repeats), , drop = FALSE])
  }
  code <- put_back(if (at$n > 0) predicted_codes(share, role$ordered) else numeric(), at)
  decode(table$codecs[[1]], if (is.null(at$repeats)) code else rep(code, at$repeats))
}

#' Pictures of a table of mixed columns
#'
#' One panel a column: shares of levels and whole numbers as bars, of draws and of data where these are given, and
#' histograms of other columns.
#'
#' @param x A fit to a table of mixed columns, see [fit_flow()].
#' @param type `"density"`, or the same by `"samples"`: panels of columns; `"pairs"`: all pairs of up to five columns,
#'   of
#'   which those of levels are codes, spread a little.
#' @param n Number of draws.
#' @param data The data, or other rows, to be shown beside the draws; `NULL`: none.
#' @param condition Conditions of the draws: one row, or `n`. Of a conditional fit they must be given.
#' @param coordinates Names or numbers of the columns to show; by default the first 12, or 5 of pairs.
#' @param main Title. `NULL`: none.
#' @param ... Not used.
#' @return The draws that were shown, a data frame, invisibly.
#' @family methods
#' @examples
#' set.seed(1)
#' fit <- fit_flow(iris, members = c("normal", "cells"))
#' plot(fit, data = iris)
#' @export
plot.bijectr_table <- function(x, type = c("density", "samples", "pairs"), n = 2000, data = NULL, condition = NULL,
                               coordinates = NULL, main = NULL, ...) {
  check_unused(...)
  check_object(x)
  type <- check_choice(type, c("density", "samples", "pairs"), "type")
  n <- check_count(n, "n")
  most <- if (type == "pairs") 5 else 12
  which <- pick_coordinates(coordinates, x, min(x$d, most))
  draws <- points_drawn(x, n, if (x$d_condition > 0) take_condition(x, condition, n))
  rows <- if (!is.null(data)) take_coordinates(x, data, "data")$points
  if (type == "pairs" && length(which) > 1) {
    spread <- function(z) {
      z <- all_rows(z)
      for (j in which(role_kinds(x$roles) %in% c("levels", "whole"))) {
        z[, j] <- z[, j] + stats::runif(nrow(z), -0.25, 0.25)
      }
      z
    }
    colors <- grDevices::hcl.colors(64, "YlGnBu", rev = TRUE)
    with_room(plot_pairs(x, spread(draws), if (!is.null(rows)) spread(rows), which, colors, main))
  } else {
    with_room(plot_columns(x, draws, rows, which, main))
  }
  invisible(give_back(x, draws, form = list(kind = "frame", class = "data.frame")))
}

plot_columns <- function(table, draws, rows, which, main) {
  old <- graphics::par(no.readonly = TRUE)
  on.exit(restore_par(old))
  shape <- grDevices::n2mfrow(length(which))
  graphics::par(
    mfrow = shape, mar = c(2.6, 2.6, 1.8, 0.6), mgp = c(1.6, 0.5, 0), oma = c(1.4, 0, if (is.null(main)) 0 else 2, 0)
  )
  labels <- coordinate_labels(table)
  for (j in which) {
    role <- table$roles[[j]]
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
