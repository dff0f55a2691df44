# What is computed for each of many rows of conditions.

# Points that are computed in one call at the most: memory does not grow with the rows.
BY_ROWS_CHUNK <- 2e5

# What `compute(i, condition)` gives for rows i of conditions, `m` values each, as a matrix: chunk by chunk, of which
# each row takes `size` points. Without conditions all rows are alike.
by_rows <- function(at, m, compute, size = m) {
  value <- matrix(0, at$n, m)
  for (i in row_chunks(at$n, BY_ROWS_CHUNK %/% max(1, size))) {
    if (m > 0) value[i, ] <- compute(i, rows_at(at$condition, i))
  }
  value <- put_back(value, at)
  if (is.null(at$repeats)) value else value[rep(1, at$repeats), , drop = FALSE]
}

# Quantiles at a matrix of probabilities, one row a row of encoded conditions.
quantiles_of_rows <- function(flow, condition, p) {
  given <- if (!is.null(condition)) rows_at(condition, rep(seq_len(nrow(p)), ncol(p)))
  z <- as.vector(p)
  there <- which(!is.na(z))
  z[there] <- points_quantile(flow, z[there], rows_at(given, there), TRUE, FALSE)
  matrix(z, nrow(p))
}
