# Survival functions of one coordinate, beside the estimate of Kaplan and Meier.

# Rows over which curves are averaged at the most.
SURVIVAL_ROWS <- 500

# `rows`: those of take_rows(), one curve each, or averaged where `together`. `steps`: what kaplan_meier() gives, or
# NULL.
survival_picture <- function(flow, rows, together, labels, steps, window) {
  ends <- by_rows(rows, 2, function(i, condition) {
    ends <- rep(c(0.005, 0.97), each = length(i))
    points_quantile(flow, ends, rows_at(condition, rep(seq_along(i), 2)), TRUE, FALSE)
  })
  xlim <- window$xlim %||% c(if (min(ends) < 0) min(ends[, 1]) else 0, max(stats::median(ends[, 2]), steps$time))
  x <- seq(xlim[1], xlim[2], length.out = max(window$grid, 401))
  survival <- by_rows(rows, length(x), function(i, condition) {
    given <- if (!is.null(condition)) rows_at(condition, rep(seq_along(i), length(x)))
    survival_at(flow, rep(x, each = length(i)), given, "survival")
  })
  if (together) survival <- matrix(colMeans(survival), 1)
  k <- nrow(survival)
  colors <- rep_len(window[["col"]] %||% curve_colors(k), k)
  curves <- lapply(seq_len(k), function(i) {
    item_lines(x, survival[i, ], colors[i], if (k <= 8) labels[i], lty = (i - 1) %% 6 + 1)
  })
  estimate <- if (!is.null(steps)) {
    item_lines(steps$time, steps$survival, "grey60", "Kaplan-Meier", lwd = 1, steps = TRUE)
  }
  panel <- new_panel(c(list(estimate), curves), xlim, window$ylim %||% c(0, 1), window$xlab %||% window$labels,
    window$ylab %||% "Survival", inside = TRUE, xticks = axis_ticks(window$codecs[[1]], xlim)
  )
  new_picture(list(panel),
    main = window$main, note = picture_note(window$note), shown = list(x = x, survival = survival, data = steps)
  )
}

# What is shown: list(rows, together, labels), curves at rows of `newdata`, at one `condition`, or the mean over the
# rows of the data.
survival_rows <- function(flow, newdata, condition, data) {
  together <- flow$d_condition > 0 && is.null(newdata) && is.null(condition) && !is.null(data)
  rows <- take_rows(flow, if (together) data else newdata, condition)
  rows$repeats <- NULL
  if (together && rows$n > SURVIVAL_ROWS) {
    i <- unique(round(seq(1, rows$n, length.out = SURVIVAL_ROWS)))
    rows <- list(condition = rows_at(rows$condition, i), n = length(i))
  }
  if (rows$n == 0) stop_arg("There is no row without missing conditions.")
  kept <- rows$kept %||% seq_len(rows$n)
  rows[c("kept", "rows")] <- NULL
  labels <- if (together) {
    "mean over the rows"
  } else if (flow$d_condition == 0) {
    "flow"
  } else if (is.data.frame(newdata)) {
    row_labels(newdata[kept, intersect(flow$condition$model$variables, names(newdata)), drop = FALSE])
  } else {
    paste("row", kept)
  }
  list(rows = rows, together = together, labels = labels)
}

# What tells rows of conditions from each other, or their names.
row_labels <- function(rows) {
  differ <- vapply(rows, function(x) length(unique(x)) > 1, NA)
  if (!any(differ) || sum(differ) > 3) return(paste("row", row.names(rows)))
  shown <- lapply(which(differ), function(j) paste(names(rows)[j], "=", vapply(rows[[j]], format, "", digits = 4)))
  do.call(paste, c(unname(shown), sep = ", "))
}

# The steps of the estimate for data, censored or not: a data frame of time and survival.
kaplan_meier <- function(flow, data) {
  rlang::check_installed("survival", "for the estimate of Kaplan and Meier.")
  side <- take_side(flow, data, "data", gaps = TRUE)
  time <- column(side$points, 1)
  rows <- side$observed %||% list(lower = time, upper = time, from = rep(-Inf, length(time)))
  there <- which(!is.na(time))
  lower <- rows$lower[there]
  upper <- rows$upper[there]
  entry <- rows$from[there]
  bounded <- lower == -Inf | upper < Inf & lower < upper
  y <- if (any(bounded)) {
    survival::Surv(ifelse(lower == -Inf, NA, lower), ifelse(upper == Inf, NA, upper), type = "interval2")
  } else if (any(entry > -Inf)) {
    survival::Surv(ifelse(entry == -Inf, min(lower) - 1, entry), lower, upper < Inf)
  } else {
    survival::Surv(lower, upper < Inf)
  }
  found <- survival::survfit(y ~ 1)
  data.frame(time = c(min(0, found$time), found$time), survival = c(1, found$surv))
}
