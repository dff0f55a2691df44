# Rows of a fit by formula: which are used, and what becomes of missing values.

# The rows of the evaluated columns that are `kept`, see subset_rows(), and that `na_action` leaves. Without either
# nothing is copied. The first `n_left` columns are those of the left side, at which it does not look if they are
# `gappy`.
used_rows <- function(table, kept, weights, na_action, n_left, gappy) {
  n <- NROW(table[[1]])
  other <- which(vapply(table, NROW, 1L) != n)
  if (length(other)) {
    stop_arg("{.field {names(table)[c(1, other[1])]}} of {.arg formula} differ in length: {n} and
              {NROW(table[[other[1]]])}.")
  }
  if (!is.null(weights)) {
    if (!is.numeric(weights)) stop_arg("{.arg weights} must be numeric, not {.obj_type_friendly {weights}}.")
    if (length(weights) != n) check_weights(weights, n)
    table[["(weights)"]] <- as.double(weights)
  }
  names <- names(table)
  table <- structure(table, class = "data.frame", row.names = .set_row_names(n))
  if (!is.null(kept)) table <- table[kept, , drop = FALSE]
  na_action <- na_function(na_action)
  left_out <- NULL
  left <- if (gappy) seq_len(n_left)
  looked <- setdiff(seq_along(names), left)
  if (identical(na_action, stats::na.fail)) {
    check_complete(table, kept, looked, n_left)
  } else if (!identical(na_action, stats::na.pass) && length(looked)) {
    seen <- na_action(if (gappy) table[looked] else table)
    if (!is.data.frame(seen) || length(seen) != length(looked)) {
      stop_arg("{.arg na.action} must return the columns that it is given.")
    }
    left_out <- attr(seen, "na.action")
    if (!is.null(left_out)) kept <- (if (is.null(kept)) seq_len(n) else kept)[-unclass(left_out)]
    rest <- if (is.null(left_out)) table[left] else table[-unclass(left_out), left, drop = FALSE]
    table <- c(as.list(rest), as.list(seen)) # in this order, as the left side comes first
  }
  weights <- if (!is.null(weights)) table[[length(names)]]
  list(table = stats::setNames(as.list(table), names), weights = weights, kept = kept, na_action = left_out)
}

subset_rows <- function(subset, n, data) {
  if (is.null(subset)) return(NULL)
  if (is.logical(subset)) {
    if (length(subset) != n) stop_arg("{.arg subset} must have one value a row ({n}), not {length(subset)}.")
    return(which(subset))
  }
  if (is.character(subset)) subset <- match(subset, row.names(data))
  rows <- tryCatch(seq_len(n)[subset], error = function(e) NA)
  if (anyNA(rows)) stop_arg("{.arg subset} must name rows of {.arg data}, which has {n}.")
  rows
}

na_function <- function(na_action) {
  if (is.null(na_action)) return(stats::na.pass)
  if (is.character(na_action) && length(na_action) == 1) na_action <- get0(na_action, mode = "function")
  if (!is.function(na_action)) stop_arg("{.arg na.action} must be a function such as {.fn na.omit}.")
  na_action
}

# The first missing value in the columns that are looked at, by the row of the user's data. What is not finite is told
# later.
check_complete <- function(table, kept, looked, n_left) {
  for (j in looked[names(table)[looked] != "(weights)"]) {
    name <- names(table)[j]
    value <- table[[j]]
    if (!anyNA(value)) next
    at <- which(has_gap(value))[1]
    named <- is.matrix(value) && is.numeric(value) && length(colnames(value))
    if (named) name <- colnames(value)[which(is.na(value[at, ]))[1]]
    row <- if (is.null(kept)) at else kept[at]
    what <- if (is.numeric(value) && !is.matrix(value) && is.nan(value[at])) "NaN" else "NA"
    stop_arg(c(
      "{.arg data} has a value that cannot be used: row {row}, column {.field {name}} is {what}.",
      i = if (j <= n_left && !("(lower)" %in% names(table)) && !has_levels(value)) {
        "{.code na.action = na.omit} leaves such rows out; {.code na = \"model\"} learns from them."
      } else {
        "{.code na.action = na.omit} leaves such rows out{if (looked[1] > 1) ': only the left side may have gaps'}."
      }
    ))
  }
}

drop_levels <- function(columns) {
  for (j in seq_along(columns)) if (is.factor(columns[[j]])) columns[[j]] <- columns[[j]][, drop = TRUE]
  structure(columns, class = "data.frame", row.names = .set_row_names(if (length(columns)) NROW(columns[[1]]) else 0L))
}
