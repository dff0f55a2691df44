# Survival functions of one coordinate, hazards and quantiles at rows of conditions: predict() with `times` or `p`.

# A matrix, one row a row of conditions and one column a time.
flow_survival <- function(flow, newdata, condition, times, type) {
  check_one_coordinate(flow)
  if (is.null(times)) {
    stop_arg(c("{.arg times} is missing.", i = "{.code type = \"{type}\"} needs the times at which it is computed."))
  }
  given <- times
  times <- column(take_coordinates(flow, times, "times")$points, 1)
  at <- take_rows(flow, newdata, condition, TRUE)
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
