# The frozen layer next to the data that centres and scales them, and the shape of the noise, which is the same matrix.

STANDARDIZE <- c("robust", "whiten", "scale", "none")

# What becomes of columns on their way to the trained layers, as the user asked for it.
column_rules <- function(standardize = TRUE, extrapolate = "pull", support = NULL, lower = NULL, upper = NULL,
                         collinear = "error") {
  list(
    standardize = check_standardize(standardize),
    extrapolate = check_choice(extrapolate, c("pull", "linear"), "extrapolate"),
    collinear = check_choice(collinear, c("error", "drop"), "collinear"),
    support = support, lower = lower, upper = upper
  )
}

# Codes of levels stay as they are.
rules_of_codes <- function(rules) {
  if (rules$standardize == "auto") rules$standardize <- "none"
  rules$whole <- FALSE
  rules$codes <- TRUE
  rules
}

# TRUE: what suits the data.
check_standardize <- function(standardize) {
  if (is.logical(standardize)) standardize <- if (check_flag(standardize, "standardize")) "auto" else "none"
  if (identical(standardize, "auto")) return(standardize)
  check_choice(standardize, STANDARDIZE, "standardize")
}

# Centre and lower triangular root of the training rows, as list(kind, center, root, scale, look): `kind` is how they
# were found, "robust" or "whiten", `root` is NULL where there are too few rows for one, and `look` are the rows that
# have told, see look_at_rows().
center_and_root <- function(x, rows, weights, standardize) {
  look <- look_at_rows(rows, weights, rows_enough(n_columns(x)))
  found <- if (!look$all) {
    # what is refused is refused for all rows
    tryCatch(
      root_of_rows(rows_at(x, look$rows), seq_along(look$rows), NULL, standardize),
      bijectr_error_argument = function(e) NULL
    )
  }
  if (is.null(found)) {
    look <- list(rows = rows, weights = weights, all = TRUE)
    found <- root_of_rows(x, rows, weights, standardize)
  }
  c(found, list(look = look))
}

root_of_rows <- function(x, rows, weights, standardize) {
  check_flat(x, rows, weights)
  moments <- row_moments(x, rows, weights)
  scale <- moment_scale(moments)
  if (standardize %in% c("auto", "robust")) {
    robust <- robust_columns(x, rows, weights, moments)
    if (standardize == "robust" || any(scale > LONG_TAILS * robust$scale)) {
      return(c(kind = "robust", robust[c("center", "scale")], list(root = robust_root(x, rows, weights, robust))))
    }
  }
  root <- covariance_root(moments, x, rows, weights)
  check_dependence(root, moments)
  list(kind = "whiten", center = moments$center, scale = scale, root = root)
}

check_flat <- function(x, rows, weights) {
  flat <- flat_columns(x, rows, weights)
  if (length(flat)) {
    stop_arg("Column {.field {column_label(x, flat[1])}} of {.arg data} is constant in the training rows.")
  }
}

# Median and robust scale of each column; the standard deviation where all but a few values are the same.
robust_columns <- function(x, rows, weights, moments = row_moments(x, rows, weights)) {
  w <- if (!is.null(weights)) weights[rows]
  found <- vapply(seq_len(n_columns(x)), function(j) robust_scale(column_at(x, j, rows), w), c(center = 0, scale = 0))
  scale <- ifelse(is.na(found["scale", ]), moment_scale(moments), found["scale", ])
  list(center = unname(found["center", ]), scale = unname(scale))
}

# The root of correlations in which a row counts the less the further out it lies, times the robust scales. Rows count
# as a whole, not values: so columns that nearly depend on each other do so still.
robust_root <- function(x, rows, weights, robust) {
  d <- length(robust$scale)
  counted <- numeric(n_rows(x))
  for (first in seq(1, length(rows), by = ROWS_PER_CHUNK)) {
    i <- rows[first:min(first + ROWS_PER_CHUNK - 1, length(rows))]
    z <- abs(rows_at(x, i, robust$center, robust$scale))
    furthest <- do.call(pmax, lapply(seq_len(d), function(j) z[, j]))
    counted[i] <- pmin(1, FAR_OUT / furthest)^2
  }
  if (!is.null(weights)) counted <- counted * weights
  moments <- row_moments(x, rows, counted)
  root <- covariance_root(moments, x, rows, counted)
  check_dependence(root, moments)
  if (!is.null(root)) root / moment_scale(moments) * robust$scale
}

# An empty list where nothing is to be standardised.
standardizing_layer <- function(found, standardize) {
  if (standardize == "none") return(list())
  root <- if (standardize != "scale" && length(found$scale) > 1) found$root
  layer_standardize(found$center, root %||% found$scale)
}

# The shape of the noise of fit_control(noise =).
noise_root <- function(found) found$root %||% diag(found$scale, length(found$scale))
