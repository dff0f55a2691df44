# Rows of conditions beside points, probabilities and draws, as users give them.

# How many rows of conditions there are: one row of several conditions may be a vector.
condition_rows <- function(flow, condition) {
  if (is_part(flow)) return(count_given(flow))
  if (is.list(condition) && length(condition)) return(NROW(condition[[1]]))
  if (is.null(condition) || is.null(dim(condition)) && flow$d_condition != 1) 1 else NROW(condition)
}

# Points, or probabilities, and rows of conditions, the shorter repeated as R's distribution functions do:
# list(x, condition). A conditional distribution of several given rows has these in the place of conditions.
go_together <- function(flow, x, condition, name) {
  k <- condition_rows(flow, condition)
  n <- if (length(dim(x)) == 2 || flow$d == 1) NROW(x) else 1
  if (k > 1 && n > 0 && n != k && max(n, k) %% min(n, k) > 0) {
    stop_arg("{.arg {name}} and {.arg condition} go together: {n} and {k} rows do not.")
  }
  if (k > n && n > 0) {
    if (is.null(dim(x)) && flow$d > 1) x <- matrix(x, 1, dimnames = if (!is.null(names(x))) list(NULL, names(x)))
    x <- repeat_given(x, rep_len(seq_len(n), k))
  }
  if (k > 1 && n > k && !is_part(flow)) condition <- repeat_given(condition, rep_len(seq_len(k), n))
  list(x = x, condition = condition)
}

# Rows of what users give as points or conditions.
repeat_given <- function(x, i) {
  if (is.data.frame(x)) return(x[i, , drop = FALSE])
  if (is.list(x)) return(lapply(x, repeat_given, i))
  if (length(dim(x)) == 2) x[i, , drop = FALSE] else x[i]
}

# list(n, condition, of): `size` draws at each row of conditions, `of` which they are, or, NULL, one at each where there
# are so many rows.
rows_to_draw <- function(flow, size, condition) {
  rows <- if (is_part(flow)) 1 else condition_rows(flow, condition)
  if (rows == 1 || rows == size) return(list(n = size, condition = condition))
  of <- rep(seq_len(rows), each = size)
  list(n = length(of), condition = repeat_given(condition, of), of = of)
}

# Which row of conditions draws belong to: a column `.row` of data frames, names of vectors, row names of matrices.
name_rows <- function(draws, of) {
  if (is.null(of)) {
    draws
  } else if (is.data.frame(draws)) {
    as_frame(c(list(of), as.list(draws)), c(".row", names(draws)), intersect(class(draws), names(FRAME_CLASSES))[1])
  } else if (is.null(dim(draws))) {
    stats::setNames(draws, of)
  } else {
    rownames(draws) <- of
    draws
  }
}
