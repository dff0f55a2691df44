# What the verbs need of conditional and marginal distributions, see conditional.R.

# It may come from a file.
#' @export
check_composed.bijectr_part <- function(object) {
  if (!identical(.subset2(object, "format"), FORMAT_VERSION)) check_format(object[["format"]])
  of <- object[["of"]]
  if (!inherits(of, "bijectr_flow") || is_part(of)) stop_damaged("of")
  check_object(of)
  columns <- c(object[["free"]], object[["fixed"]])
  if (!is.numeric(columns) || !identical(sort(as.numeric(columns)), as.numeric(seq_len(of$d)))) stop_damaged("free")
  if (!identical(as.numeric(object[["d"]]), as.numeric(length(object$free))) || object$d < 1) stop_damaged("d")
  if (!identical(as.numeric(object[["d_condition"]]), 0)) stop_damaged("d_condition")
  if (!some_count(object[["draws"]]) || !isTRUE(object[["exact"]] %in% c(TRUE, FALSE))) stop_damaged("draws")
  if (!isTRUE(object$exact) && !is.null(object[["proposal"]]) && !is.list(object$proposal)) stop_damaged("proposal")
  if (inherits(object, "bijectr_conditional")) {
    given <- object[["given"]]
    whole <- is.matrix(given) && is.numeric(given) && ncol(given) == of$d && nrow(given) > 0 &&
      !anyNA(given[, object$fixed]) && is.numeric(object[["log_evidence"]]) &&
      length(object$log_evidence) == nrow(given) && all(is.finite(object$log_evidence))
    if (!isTRUE(whole)) stop_damaged("given")
  }
  check_blueprint(object)
}

#' @export
flow_supports.bijectr_part <- function(flow) flow_supports(flow$of)[flow$free]

#' @export
count_parameters.bijectr_part <- function(object) count_parameters(object$of)

# Weighted rows of a distribution for the rows `r` that are given, list(z, log_weight), `each` for each of them.
part_rows <- function(part, r, each) {
  weighted_rows(part$of, part$given[r, , drop = FALSE], part$fixed, part$proposal, part$at, each)
}

# Of each of n points the number of the given row that it goes with.
given_row_of_points <- function(part, n, condition) {
  at <- condition %||% rows_given(part, n)
  if (is.null(at)) rep_len(1, n) else at[, 1]
}

#' @export
points_density.bijectr_conditional <- function(object, points, condition) {
  n <- n_rows(points)
  r <- given_row_of_points(object, n, condition)
  z <- object$given[r, , drop = FALSE]
  z[, object$free] <- all_rows(points)
  rows_density(object$of, z, cycle_rows(object$at, n)) - object$log_evidence[r]
}

#' @export
points_density.bijectr_marginal <- function(object, points, condition) {
  n <- n_rows(points)
  each <- if (object$exact) 1 else object$draws
  z <- matrix(NA_real_, n, object$of$d)
  z[, object$free] <- all_rows(points)
  weigh_rows(object$of, z, object$free, object$proposal, object$at, each)$log_mean
}

#' @export
points_drawn.bijectr_conditional <- function(object, n, condition) {
  r <- if (is.null(condition)) rep_len(seq_len(nrow(object$given)), n) else condition[, 1]
  out <- matrix(0, n, object$d)
  for (k in unique(r)) {
    i <- which(r == k)
    out[i, ] <- if (object$exact) {
      part_rows(object, k, length(i))$z[, object$free]
    } else {
      found <- part_rows(object, k, max(object$draws, 10 * length(i)))
      chosen <- sample.int(length(found$log_weight), length(i), TRUE, exp(found$log_weight - max(found$log_weight)))
      found$z[chosen, object$free]
    }
  }
  out
}

# Whole numbers are so in tables; a fit of them alone leaves that to its codec.
#' @export
points_drawn.bijectr_marginal <- function(object, n, condition) {
  z <- points_drawn(object$of, n, cycle_rows(object$at, n))[, object$free, drop = FALSE]
  if (is_whole(object$of)) to_whole(z) else z
}

#' @export
whole_density.bijectr_part <- function(object, points, condition) points_density(object, points, condition)

#' @export
points_proposed.bijectr_part <- function(object, n, condition) points_proposed.default(object, n, condition)

# Of one coordinate: by weighted draws, the same for all points.
weighted_draws <- function(part, r) {
  found <- with_seed(1, if (inherits(part, "bijectr_conditional")) {
    part_rows(part, r, part$draws)
  } else {
    list(z = points_drawn(part$of, part$draws, cycle_rows(part$at, part$draws)), log_weight = numeric(part$draws))
  })
  order <- order(found$z[, part$free])
  w <- exp(found$log_weight - max(found$log_weight))[order]
  list(z = found$z[order, part$free], below = cumsum(w) / sum(w))
}

by_given <- function(part, n, condition, f) {
  r <- given_row_of_points(part, n, condition)
  out <- numeric(n)
  for (k in unique(r)) out[r == k] <- f(weighted_draws(part, k), which(r == k))
  out
}

#' @export
points_cdf.bijectr_part <- function(object, points, condition, lower_tail, log_p) {
  x <- column(points, 1)
  value <- by_given(object, length(x), condition, function(drawn, i) c(0, drawn$below)[findInterval(x[i], drawn$z) + 1])
  if (!lower_tail) value <- 1 - value
  if (log_p) log(value) else value
}

#' @export
points_quantile.bijectr_part <- function(object, p, condition, lower_tail, log_p) {
  p <- if (log_p) exp(p) else p
  if (!lower_tail) p <- 1 - p
  by_given(object, length(p), condition, function(drawn, i) {
    drawn$z[pmin(findInterval(p[i], drawn$below * (1 - 1e-12), left.open = TRUE) + 1L, length(drawn$z))]
  })
}

#' @export
spread_size.bijectr_part <- function(object) RESPONSE_DRAWS

#' @export
points_spread.bijectr_part <- function(object, n, condition) drawn_spread(object, n, condition)

# What a conditional distribution is given: a list by name, and as text.
given_values <- function(part) {
  values <- lapply(part$fixed, function(j) decode(part$of$codecs[[j]], part$given[, j]))
  stats::setNames(values, coordinate_labels(part$of)[part$fixed])
}

given_values_text <- function(part) {
  values <- given_values(part)
  paste(names(values), "=", vapply(values, function(value) {
    shorten_list(if (is.numeric(value)) format_values(value) else as.character(value))
  }, ""), collapse = ", ")
}

#' @export
print.bijectr_part <- function(x, ...) {
  check_object(x)
  of <- x$of
  labels <- coordinate_labels(of)
  conditional <- inherits(x, "bijectr_conditional")
  cat("<", if (conditional) "conditional" else "marginal", " distribution> ", format_coordinates(x), "\n", sep = "")
  if (conditional) {
    cat(strwrap(given_values_text(x), initial = "  given:   ", prefix = strrep(" ", 11)), sep = "\n")
    kind <- if (any(vapply(of$roles[x$fixed], function(role) role$kind != "line", NA))) "density or probability" else
      "density"
    cat("  log ", kind, " of what is given: ", shorten_list(format_nats(x$log_evidence)), "\n", sep = "")
  }
  how <- if (x$exact) {
    "exact"
  } else if (conditional) {
    paste0("by ", x$draws, " weighted draws, which are worth ", shorten_list(format(round(x$ess))))
  } else {
    paste0("log densities by ", x$draws, " weighted draws")
  }
  cat("  ", how, "\n", sep = "")
  invisible(x)
}
