# Columns that are linear functions of others: fit_flow(collinear = "drop") leaves them out of the flow, and the doors
# of blueprint.R put them back. The field `dropped` of a flow, NULL where there are none, is a list, with k columns left
# out:
#   columns      their k numbers among the user's columns, ascending; the others are the coordinates, in their order
#   of           a list of k: the numbers of the coordinates that each is made of
#   coefficients a list of k: the factors of these
#   intercept    k numbers: column = intercept + sum(coefficients * coordinates[of]), all encoded
#   tolerance    k numbers: how far a row may be off, in encoded units, beside rounding
#   names, codecs  as those of a flow, of the columns left out

# Roundings of a row, in units of the machine's precision times its terms.
ROUNDINGS <- 64

is_dropped <- function(x) {
  if (is.null(x)) return(TRUE)
  if (!is.list(x)) return(FALSE)
  k <- length(x[["columns"]])
  numbers <- function(y) is.numeric(y) && !anyNA(y)
  k > 0 && numbers(x[["columns"]]) && all(x[["columns"]] > 0) && is.list(x[["of"]]) &&
    is.list(x[["coefficients"]]) && length(x[["of"]]) == k && all(vapply(x[["of"]], numbers, NA)) &&
    all(vapply(x[["coefficients"]], numbers, NA)) && identical(lengths(x[["of"]]), lengths(x[["coefficients"]])) &&
    numbers(x[["intercept"]]) && length(x[["intercept"]]) == k && numbers(x[["tolerance"]]) &&
    length(x[["tolerance"]]) == k &&
    (is.null(x[["names"]]) || is.character(x[["names"]]) && length(x[["names"]]) == k) &&
    (is.null(x[["codecs"]]) || is.list(x[["codecs"]]) && length(x[["codecs"]]) == k)
}

# ---- in --------------------------------------------------------------------------------------------------------------

# Names and codecs of all columns of the user's, and their number, in the place of those of the coordinates.
whole_table <- function(flow) {
  gone <- flow$dropped
  if (is.null(gone)) return(flow)
  flow <- unclass(flow)
  d <- flow$d + length(gone$columns)
  both <- function(kept, left_out, default) {
    out <- rep(list(default), d)
    out[-gone$columns] <- kept %||% list(default)
    out[gone$columns] <- left_out %||% list(default)
    out
  }
  if (!is.null(flow$names)) flow$names <- unlist(both(flow$names, gone$names, ""))
  if (!is.null(flow$codecs) || !is.null(gone$codecs)) flow$codecs <- both(flow$codecs, gone$codecs, CODEC_NUMBER)
  flow$d <- d
  flow["dropped"] <- list(NULL)
  flow
}

# Whether points have the columns that were left out, too: by name, else by their number.
has_dropped <- function(flow, x) {
  gone <- flow$dropped
  if (is.null(gone)) return(FALSE)
  table <- is.list(x) || !is.null(dim(x))
  names <- if (table) column_names(x) else names(x)
  if (!is.null(names) && any(gone$names %in% names)) return(TRUE)
  if (!is.null(names) && !is.null(flow$names) && all(flow$names %in% names)) return(FALSE)
  # numbers without names are values of the only coordinate
  if (!table && flow$d == 1) return(FALSE)
  (if (table) n_columns(x) else length(x)) == flow$d + length(gone$columns)
}

# All columns, encoded, to coordinates. A row that lacks a value is one that lacks a coordinate.
split_dropped <- function(points, dropped) {
  kept <- keep_columns(points, -dropped$columns)
  off <- logical(n_rows(kept))
  for (i in seq_along(dropped$columns)) {
    value <- column(points, dropped$columns[i])
    far <- abs(value - related(kept, dropped, i))
    size <- abs(value) + abs(dropped$intercept[i]) + related_size(kept, dropped, i)
    off <- off | far > dropped$tolerance[i] + ROUNDINGS * .Machine$double.eps * size
  }
  for (i in dropped$columns) {
    lacks <- which(is.na(column(points, i)))
    if (length(lacks)) if (is.list(kept)) kept[[1]][lacks] <- NA else kept[lacks, 1] <- NA
    off[lacks] <- FALSE
  }
  off[is.na(off)] <- FALSE
  list(points = kept, off = off)
}

# Values of the i-th column that was left out, from coordinates.
related <- function(x, dropped, i) {
  value <- rep(dropped$intercept[i], n_rows(x))
  of <- dropped$of[[i]]
  for (k in seq_along(of)) value <- value + dropped$coefficients[[i]][k] * column(x, of[k])
  value
}

related_size <- function(x, dropped, i) {
  Reduce(`+`, Map(function(b, j) abs(b * column(x, j)), dropped$coefficients[[i]], dropped$of[[i]]), 0)
}

# Log densities, or log-determinants, of points as take_in() gives them: none off the relations, and none where the left
# side of a formula has no value.
density_at <- function(value, at) {
  if (any(at$off)) value[at$off] <- -Inf
  value
}

# ---- out -------------------------------------------------------------------------------------------------------------

# Coordinates, a matrix, with the columns that were left out.
with_dropped <- function(z, dropped) {
  if (is.null(dropped)) return(z)
  out <- matrix(NA_real_, nrow(z), ncol(z) + length(dropped$columns))
  out[, -dropped$columns] <- z
  for (i in seq_along(dropped$columns)) out[, dropped$columns[i]] <- related(z, dropped, i)
  out
}

# "total (of a, b)", for each column that was left out.
format_dropped <- function(x) {
  gone <- x$dropped
  names <- gone$names %||% paste0("x", gone$columns)
  kept <- x$names %||% paste0("x", seq_len(x$d + length(gone$columns))[-gone$columns])
  shorten_list(paste0(names, " (of ", vapply(gone$of, function(of) shorten_list(kept[of]), ""), ")"))
}

print_dropped <- function(x) {
  if (is.null(x$dropped)) return(invisible())
  text <- paste("left out, as linear functions:", format_dropped(x))
  cat(strwrap(text, initial = "  ", prefix = "    ", width = getOption("width")), sep = "\n")
}
