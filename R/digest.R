# What a fit keeps of its data, encoded columns, to know them again. Conditions of a formula may differ in the last bit
# from call to call: of these it is two sums, to be compared with a tolerance.
data_digest <- function(data, condition, formula = NULL) {
  given <- if (!is.null(condition)) if (is.null(formula)) native_digest(condition) else wave_sums(condition)
  list(rows = n_rows(data), data = native_digest(data), condition = given)
}

# sum_k x_k cos(k) / sqrt(n) and the same of sin(k), over all values: no two orders of rows or columns have the same.
wave_sums <- function(x) {
  x <- as.vector(all_rows(x))
  k <- seq_along(x)
  c(sum(x * cos(k)), sum(x * sin(k))) / sqrt(length(x))
}

same_digest <- function(before, now, formula = NULL) {
  if (is.null(before) || is.null(now)) return(TRUE)
  if (is.null(formula)) return(identical(before, now))
  isTRUE(all(abs(before - now) <= 1e-8 * (1 + abs(before))))
}

# Data, encoded, with which a training goes on: others than those of the fit are announced. Returns their digest.
check_same_data <- function(fit, data, condition = NULL) {
  before <- fit$digest
  now <- data_digest(data, condition, fit$formula)
  same <- is.null(before) || identical(before$rows, now$rows) && identical(before$data, now$data) &&
    same_digest(before$condition, now$condition, fit$formula)
  if (!same) {
    what <- if (is.null(fit$formula) && identical(before$data, now$data)) "condition" else "data"
    cli::cli_warn(c(
      "{.arg {what}} is not what the fit was made from: the training goes on with other values.",
      i = "To learn from other data alone, fit anew: {.code fit_flow(data, fit)} starts from the fit."
    ), class = "bijectr_warning_data")
  }
  now
}

# What a fit keeps of its target: a point and the value there. NULL where that is no number, or not always the same.
target_digest <- function(fit, target) {
  found <- guarded({
    flow <- as_flow(fit)
    point <- native_map(flow, matrix(0, 2, flow$d), NULL, inverse = FALSE)$value
    value <- target(point, FALSE)$value
    if (is.finite(value[1]) && identical(value[1], value[2])) list(rows = 1L, data = c(value[1], point[1, ]))
  })
  if (!inherits(found, "condition")) found
}

# That a function which was found by its name is not another one. An error that it ends in is told where it is used.
check_same_target <- function(fit, target) {
  kept <- fit$digest$data
  if (is.null(kept)) return(invisible())
  point <- matrix(kept[-1], 2, fit$d, byrow = TRUE, dimnames = list(NULL, fit$names))
  value <- tryCatch(target_values(as_target(target)(point), 2)[1], error = function(e) NA)
  if (is.na(value) || isTRUE(abs(value - kept[1]) <= 1e-6 * (1 + abs(kept[1])))) return(invisible())
  stop_arg(c(
    "{.arg target} must be given: what the call of the fit names is another log density here.",
    x = "At a point of the fit it is {format_nats(value)}, and was {format_nats(kept[1])}."
  ))
}
