#' Compare fits on the same rows
#'
#' Mean log densities of several fits on the same rows, and how sure their differences are: rows that are hard for one
#' fit are mostly hard for all, so that differences are known better than the means.
#'
#' Only fits of the same coordinates can be compared: a density of `log(y)` and one of `y` have different units. Rows
#' that a fit was trained on flatter it; where `data` are those of a fit, which is known by their digest, or the rows of
#' these that one of the fits held out and another did not, such rows are told of (a warning of class
#' `bijectr_warning_training_rows`). Other parts of the data of a fit are not recognized.
#'
#' A stack, what [fit_flow()] fits by default, is trained on all rows of its data, each of its members on most of them:
#' there is no `fit$rows$validation` on which it could be compared. Keep rows aside that no fit is given, as in the
#' example, or let [flow_cv()] do so, which compares candidates on rows that none of their fits has seen.
#' @param ... Fits or flows, of any kind, under the names that they shall have; else they are called as they are
#'   written. One list of them will do, too.
#' @param data Rows, as [logdensity()] takes them. Rows with a missing value for one of the fits are left out for all.
#' @param condition Values of the conditioning variables of the fits that have some: one row, or as many as `data`.
#' @param weights Case weights of `data`, or `NULL`.
#' @return An object of class `bijectr_comparison`, a list:
#'   * `table`: a data frame, best first, with `name`, `mean` log density in nats, its standard `error`, the
#'     `difference` to the best, the standard error of that, `difference_error`, from the differences row by row, the
#'     numbers of `rows` in them and of rows where the density is `zero`, and the `reason` why a candidate has no
#'     figures;
#'   * `logdensity`: a matrix of log densities with one row a row of `data` and one column a fit; `NA` for rows that
#'     were left out;
#'   * `weights`; `notes`; of [flow_cv()] also `folds`, the fold of each row, `seconds`, what each fit took, and
#'     `fits`, a data frame with one row a fit: its `candidate`, `fold`, `status` and `reason`.
#' @seealso [check_flow()]
#' @family checking
#' @examples
#' set.seed(1)
#' rows <- sample(272, 200)
#' normal <- fit_flow(faithful[rows, ], layer_elementwise(scalar_affine()), steps = 100)
#' spline <- fit_flow(faithful[rows, ], steps = 300)
#' found <- compare_flows(normal, spline, data = faithful[-rows, ])
#' found
#' plot(found)
#' @export
compare_flows <- function(..., data, condition = NULL, weights = NULL) {
  check_given("data")
  fits <- list(...)
  written <- vapply(as.list(substitute(list(...)))[-1], deparse1, "")
  if (length(fits) == 1 && is.list(fits[[1]]) && !inherits(fits[[1]], "bijectr_flow") && !is_gaps_fit(fits[[1]])) {
    fits <- fits[[1]]
    written <- paste("fit", seq_along(fits))
  }
  if (!length(fits)) stop_arg("There are no fits to compare.")
  names(fits) <- candidate_names(fits, written)
  for (name in names(fits)) check_comparable(fits[[name]], fits[[1]], name, names(fits)[1])
  density <- lapply(names(fits), function(name) {
    fit <- fits[[name]]
    logdensity(fit, data, if (fit$d_condition > 0) condition)
  })
  density <- matrix(unlist(density), ncol = length(fits), dimnames = list(NULL, names(fits)))
  weights <- check_weights(weights, nrow(density))
  warn_training_rows(fits, data, condition, density, weights)
  new_comparison(density, weights)
}

is_gaps_fit <- function(x) inherits(x, "bijectr_gaps_fit")

# Names that were given, else what was written; each once.
candidate_names <- function(x, written) {
  given <- names(x) %||% rep("", length(x))
  make.unique(ifelse(is.na(given) | !nzchar(given), written, given))
}

check_comparable <- function(fit, first, name, first_name) {
  if (is_gaps_fit(fit)) {
    check_gaps_fit(fit)
  } else {
    if (!inherits(fit, "bijectr_flow")) {
      stop_arg("{.arg {name}} must be a flow or a fit, not {.obj_type_friendly {fit}}.")
    }
    check_object(fit)
  }
  same <- fit$d == first$d && (is.null(fit$names) || is.null(first$names) || setequal(fit$names, first$names))
  if (same) return(invisible())
  shown <- lapply(list(fit, first), function(x) shorten_list(coordinate_labels(x)))
  stop_arg(c(
    "Fits of other coordinates cannot be compared: {.arg {name}} is one of {shown[[1]]}, {.arg {first_name}} of
     {shown[[2]]}.",
    i = "Their densities have different units. Fit both to the same columns, and the same left side of a formula."
  ))
}

warn_training_rows <- function(fits, data, condition, density, weights) {
  trained <- vapply(fits, function(fit) {
    side <- take_side(fit, data, "data", gaps = TRUE)
    given <- if (fit$d_condition > 0) {
      without_extrapolation(take_condition(fit, condition, n_rows(side$points), data, gaps = TRUE)) # the verbs warned
    }
    kept <- which(rep_len(!rows_with_gaps(given), n_rows(side$points)))
    if (!is_gaps_fit(fit)) kept <- setdiff(kept, which(rows_with_gaps(side$points)))
    rows <- rows_of_fit(fit, all_rows(side$points), if (!is.null(given)) all_rows(given), kept,
      side$observed
    )
    if (rows$used == "given") 0 else length(fit$rows$train)
  }, 0)
  trained <- pmax(trained, trained_on_held_out(fits, density, weights))
  seen <- trained[trained > 0]
  if (!length(seen)) return(invisible())
  cure <- if (any(vapply(fits, is_stack, NA))) {
    "A stack is trained on all rows of its data. Compare on rows that were in the data of no fit; or use {.fn flow_cv}."
  } else {
    "Compare on rows that no fit has seen, as {.code data[fit$rows$validation, ]} of fits with the same
     {.arg validation}; or use {.fn flow_cv}."
  }
  cli::cli_warn(c(
    "{.arg data} are rows that {.arg {names(seen)}} {?was/were} trained on ({seen[1]} of them), which {?flatters
     it/flatter them}.",
    i = cure
  ), class = "bijectr_warning_training_rows")
}

# Where the rows are those that one fit held out, which is known by their number and their mean log density: how many of
# them the others were trained on, that were made from the same data.
trained_on_held_out <- function(fits, density, weights) {
  out <- rep(0, length(fits))
  for (i in seq_along(fits)) {
    held_out <- fits[[i]]$rows$validation
    known <- fits[[i]]$reference$flow
    here <- which(!is.na(density[, i]))
    if (!length(held_out) || length(here) != length(held_out) || !is.numeric(known) || !is.finite(known)) next
    of <- density[here, i]
    means <- c(mean(of), if (!is.null(weights)) sum(weights[here] * of) / sum(weights[here]))
    if (!any(abs(means - known) <= 1e-9 * max(1, abs(known)), na.rm = TRUE)) next
    out <- pmax(out, vapply(fits, function(fit) {
      if (!identical(fit$digest[c("rows", "data")], fits[[i]]$digest[c("rows", "data")])) return(0)
      length(intersect(fit$rows$train, held_out))
    }, 0))
  }
  out
}

# ---- figures ---------------------------------------------------------------------------------------------------------

# `density`: a matrix with one column a candidate; `reasons`: of those that have none, a character vector with NA for
# the others.
new_comparison <- function(density, weights = NULL, reasons = rep(NA_character_, ncol(density)), notes = NULL, ...) {
  names <- colnames(density)
  counted <- if (is.null(weights)) rep(TRUE, nrow(density)) else weights > 0
  valid <- which(is.na(reasons))
  used <- which(counted & rowSums(is.na(density[, valid, drop = FALSE])) == 0)
  lost <- sum(counted) - length(used)
  if (length(valid) && lost > 0) {
    notes <- c(notes, paste(lost, "rows have no figure for all candidates and are left out."))
  }
  if (!length(used)) valid <- integer()
  of <- density[used, , drop = FALSE]
  share <- if (is.null(weights)) rep(1, length(used)) else weights[used]
  share <- share / sum(share)
  means <- colSums(share * of)
  best <- valid[which.max(means[valid])]
  difference <- of - if (length(best)) of[, best] else 0
  error <- function(x) {
    apply(x, 2, function(v) if (all(is.finite(v))) sqrt(sum(share^2 * (v - sum(share * v))^2)) else NA_real_)
  }
  table <- data.frame(
    name = names, mean = means, error = error(of), difference = means - c(means[best], NA)[1],
    difference_error = error(difference), rows = length(used), zero = colSums(of == -Inf, na.rm = TRUE),
    reason = reasons
  )
  table[setdiff(seq_along(names), valid), c("mean", "error", "difference", "difference_error", "rows", "zero")] <- NA
  table <- table[order(-table$mean, na.last = TRUE), ]
  rownames(table) <- NULL
  structure(list(table = table, logdensity = density, weights = weights, notes = notes, ...),
    class = "bijectr_comparison"
  )
}

#' @rdname compare_flows
#' @param x A comparison.
#' @param digits Digits after the decimal point.
#' @export
print.bijectr_comparison <- function(x, digits = 3, ...) {
  check_unused(...)
  digits <- check_count(digits, "digits", min = 0, max = 15)
  width <- getOption("width")
  table <- x$table
  cv <- !is.null(x$folds)
  count <- table$rows[!is.na(table$rows)]
  rows <- if (length(count)) paste(format(max(count), big.mark = ","), "rows") else "no rows"
  cat("<comparison of flows> mean log density in nats, ", rows,
    if (cv) paste0(" held out in ", max(x$folds, na.rm = TRUE), " folds"), "\n", sep = "")
  number <- function(v) ifelse(is.na(v), "", formatC(v, digits = digits, format = "f"))
  shown <- cbind(mean = number(table$mean), "+-" = number(table$error), difference = number(table$difference),
    "+-" = number(table$difference_error))
  best <- !is.na(table$difference) & table$difference == 0
  shown[best, 3:4] <- ""
  rownames(shown) <- table$name
  print(shown, quote = FALSE, right = TRUE)
  lines <- c(
    if (any(table$zero > 0, na.rm = TRUE)) {
      bad <- which(table$zero > 0)
      paste0(table$name[bad], ": ", table$zero[bad], " rows have density 0.")
    },
    ifelse(is.na(table$reason), NA, paste0(table$name, ": ", table$reason)), x$notes
  )
  for (text in lines[!is.na(lines)]) cat(strwrap(text, initial = "  ", prefix = "    ", width = width), sep = "\n")
  invisible(x)
}

#' @rdname compare_flows
#' @return `plot()`: the comparison, invisibly; a picture of the differences to the best, with two standard errors.
#' @export
plot.bijectr_comparison <- function(x, ...) draw_picture(picture_of(x, ...))

#' @exportS3Method
make_picture.bijectr_comparison <- function(x, ..., envir) {
  check_unused(...)
  table <- x$table[is.finite(x$table$difference), ]
  if (!nrow(table)) stop_arg("There is nothing to show: no candidate has figures.")
  error <- ifelse(is.na(table$difference_error), 0, table$difference_error)
  y <- rev(seq_len(nrow(table)))
  low <- table$difference - 2 * error
  high <- table$difference + 2 * error
  items <- list(
    item_rule(v = 0, col = "grey60", lty = 2),
    item_lines(c(rbind(low, high, NA)), rep(y, each = 3), FLOW_COLOR),
    item_points(table$difference, y, FLOW_COLOR, pch = 19, cex = 1)
  )
  panel <- new_panel(items, range(low, high, 0), c(0.5, nrow(table) + 0.5),
    "Mean log density, difference to the best (nats)",
    yticks = list(at = y, labels = substr(table$name, 1, 24))
  )
  new_picture(list(panel), shown = x)
}

#' @rdname compare_flows
#' @param row.names,optional Not used.
#' @return `as.data.frame()`: `table`.
#' @export
as.data.frame.bijectr_comparison <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_unused(...)
  x$table
}
