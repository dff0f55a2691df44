# Survival functions of one coordinate, hazards and quantiles at rows of conditions: predict() with `times` or `p`.

# Points that are computed in one call at the most: memory does not grow with rows and times.
SURVIVAL_CHUNK <- 2e5

# A matrix, one row a row of conditions and one column a time.
flow_survival <- function(flow, newdata, condition, times, type) {
  check_one_coordinate(flow)
  if (is.null(times)) {
    stop_arg(c("{.arg times} is missing.", i = "{.code type = \"{type}\"} needs the times at which it is computed."))
  }
  given <- times
  times <- column(take_coordinates(flow, times, "times")$points, 1)
  at <- take_rows(flow, newdata, condition)
  value <- by_rows(at, length(times), function(i, condition) {
    survival_at(flow, rep(times, each = length(i)), if (!is.null(condition)) {
      rows_at(condition, rep(seq_along(i), length(times)))
    }, type)
  })
  colnames(value) <- names(given) %||% format(given, trim = TRUE, digits = 7)
  value
}

survival_at <- function(flow, time, condition, type) {
  whole <- is_whole(flow)
  if (type == "hazard" && !whole && (is_table(flow) || is_part(flow) && is_table(flow$of))) {
    stop_arg("Hazards are those of one column of times; this is one of a table, or has values of positive probability.")
  }
  point <- matrix(if (whole) floor(time) + 0.5 else time)
  log_survival <- points_cdf(flow, point, condition, FALSE, TRUE)
  if (type == "survival") return(exp(log_survival))
  if (type == "cumhazard") return(-log_survival)
  # of whole numbers the probability of this one, where no smaller one was
  before <- if (whole) points_cdf(flow, matrix(ceiling(time) - 0.5), condition, FALSE, TRUE) else log_survival
  exp(rows_density(flow, matrix(time), condition) - before)
}

# Quantiles, one row a row of conditions and one column a probability.
flow_quantiles <- function(flow, newdata, condition, p) {
  labels <- names(p) %||% percent_labels(check_probabilities(p, "p", FALSE))
  p <- check_probabilities(p, "p", FALSE)
  if (flow$d > 1) return(drawn_quantiles(flow, newdata, condition, p, labels))
  check_one_coordinate(flow)
  at <- take_rows(flow, newdata, condition)
  value <- by_rows(at, length(p), function(i, condition) {
    z <- quantiles_of_rows(flow, condition, matrix(p, length(i), length(p), TRUE))
    as.double(decoded(flow, matrix(z), 1))
  })
  colnames(value) <- labels
  value
}

# What `compute(i, condition)` gives for rows i of conditions, `m` values each, as a matrix: chunk by chunk, of which
# each row takes `size` points. Without conditions all rows are alike.
by_rows <- function(at, m, compute, size = m) {
  value <- matrix(0, at$n, m)
  for (i in row_chunks(at$n, SURVIVAL_CHUNK %/% max(1, size))) {
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
