# What is learned from the training rows before the fit. Moments are summed over chunks of rows, so that the memory for
# them does not grow with the data.

ROWS_PER_CHUNK <- 16384L

# Calls f(i) with row numbers, chunk after chunk, and adds up what it returns.
sum_over_rows <- function(rows, f) {
  total <- 0
  for (first in seq(1, length(rows), by = ROWS_PER_CHUNK)) {
    total <- total + f(rows[first:min(first + ROWS_PER_CHUNK - 1, length(rows))])
  }
  total
}

# Mean and covariance (unbiased; with weights as stats::cov.wt()) of some rows of points, and their number.
row_moments <- function(x, rows, weights = NULL) {
  total <- if (is.null(weights)) length(rows) else sum(weights[rows])
  share <- function(i) if (is.null(weights)) rep(1 / total, length(i)) else weights[i] / total
  center <- sum_over_rows(rows, function(i) colSums(share(i) * rows_at(x, i)))
  squares <- sum_over_rows(rows, function(i) {
    deviation <- rows_at(x, i) - rep(center, each = length(i))
    crossprod(sqrt(share(i)) * deviation)
  })
  effective <- 1 - if (is.null(weights)) 1 / total else sum((weights[rows] / total)^2)
  list(center = center, cov = squares / effective, n = length(rows), names = column_names(x))
}

# Lower triangular root of the covariance; NULL where columns are nearly collinear, because a factor of their
# correlation would blow up rounding errors.
covariance_root <- function(moments) {
  scale <- sqrt(diag(moments$cov))
  root <- tryCatch(chol(moments$cov / tcrossprod(scale)), error = function(e) NULL)
  if (is.null(root) || moments$n <= length(scale) || min(diag(root)) <= 1e-4) NULL else t(root) * scale
}

# The shape of the noise of fit_control(noise =).
noise_root <- function(moments) {
  covariance_root(moments) %||% diag(sqrt(diag(moments$cov)), nrow(moments$cov))
}

check_standardize <- function(standardize) {
  if (is.logical(standardize)) standardize <- if (check_flag(standardize, "standardize")) "whiten" else "none"
  check_choice(standardize, c("whiten", "scale", "none"), "standardize")
}

# An empty list where nothing is to be standardised.
standardizing_layer <- function(moments, standardize) {
  standardize <- check_standardize(standardize)
  if (standardize == "none") return(list())
  scale <- sqrt(diag(moments$cov))
  flat <- which(!(scale > 0))
  if (length(flat)) {
    label <- moments$names[flat[1]] %||% flat[1]
    stop_arg("Column {.field {label}} of {.arg data} is constant in the training rows.")
  }
  root <- if (standardize == "whiten" && length(scale) > 1) covariance_root(moments)
  layer_standardize(moments$center, root %||% scale)
}
