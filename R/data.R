# From what users have to numeric matrices, with one clear error for what cannot be used.

# Largest magnitude that is taken: beyond it, sums of squares overflow.
LARGEST <- 1e150

# A double matrix with column names where the input had them. `name` is the user's argument.
as_numeric_matrix <- function(x, name) {
  if (is.data.frame(x)) {
    bad <- which(!vapply(x, is_plain_column, logical(1)))
    if (length(bad)) {
      column <- names(x)[bad[1]]
      stop_arg(c(
        "Column {.field {column}} of {.arg {name}} must be numeric, not {.obj_type_friendly {x[[bad[1]]]}}.",
        i = if (length(bad) > 1) "The same holds for {.field {names(x)[bad[-1]]}}.",
        i = "Drop it, or turn it into numbers first."
      ))
    }
    x <- if (length(x)) as.matrix(x) else matrix(0, nrow(x), 0)
  } else if (!is.numeric(x) || inherits(x, "integer64")) {
    stop_arg("{.arg {name}} must be a numeric matrix, data frame or vector, not {.obj_type_friendly {x}}.")
  } else if (is.null(dim(x))) {
    x <- matrix(x, ncol = 1)
  } else if (length(dim(x)) != 2) {
    stop_arg("{.arg {name}} must have two dimensions, not {length(dim(x))}.")
  }
  if (!is.double(x)) storage.mode(x) <- "double"
  if (!are_names(colnames(x))) colnames(x) <- NULL
  # only what is needed is copied: large data are mostly plain matrices already
  plain <- list(dim = dim(x), dimnames = if (!is.null(colnames(x))) list(NULL, colnames(x)))
  plain <- plain[lengths(plain) > 0]
  if (!identical(attributes(x)[names(plain)], plain) || length(attributes(x)) != length(plain)) attributes(x) <- plain
  x
}

# Columns are found by name: names that are missing, empty or repeated, as those of `cbind(x, x^2)`, find none.
are_names <- function(names) is.null(names) || !(anyNA(names) || any(names == "") || anyDuplicated(names))

# The bits of a 64-bit integer read as a double mean nothing.
is_plain_column <- function(x) is.numeric(x) && is.null(dim(x)) && !is.factor(x) && !inherits(x, "integer64")

column_label <- function(x, j) if (is.null(colnames(x))) as.character(j) else colnames(x)[j]

check_finite_matrix <- function(x, name) {
  # column by column, without a copy of the whole; sums of finite numbers may overflow: then a closer look is taken
  total <- 0
  for (j in seq_len(ncol(x))) total <- total + sum(abs(x[, j]))
  if (is.finite(total) && total < LARGEST) return(x)
  bad <- which(!is.finite(x) | abs(x) > LARGEST)
  if (!length(bad)) return(x)
  row <- (bad[1] - 1) %% nrow(x) + 1
  column <- column_label(x, (bad[1] - 1) %/% nrow(x) + 1)
  what <- if (is.finite(x[bad[1]])) paste(format(x[bad[1]]), "(too large)") else format(x[bad[1]])
  stop_arg(c(
    "{.arg {name}} has a value that cannot be used: row {row}, column {.field {column}} is {what}.",
    i = if (length(bad) > 1) "{length(bad)} values are missing, not finite or larger than {LARGEST}."
  ))
}

# Points to evaluate: columns by name where both sides have names, else by position. Infinite and missing values are let
# through to a clear error.
as_points <- function(x, flow, name) {
  if (missing(x)) stop_arg("{.arg {name}} is missing.")
  if (is.null(dim(x)) && is.numeric(x) && flow$d > 1 && length(x) == flow$d) {
    x <- matrix(x, 1, dimnames = list(NULL, names(x)))
  }
  if (is.data.frame(x)) x <- pick_columns(x, flow$names, name)
  x <- as_numeric_matrix(x, name)
  x <- pick_columns(x, flow$names, name)
  if (ncol(x) != flow$d) {
    stop_arg("{.arg {name}} must have {flow$d} column{?s}, one a coordinate, not {ncol(x)}.")
  }
  check_finite_matrix(x, name)
}

# A matrix whose names have nothing to do with those of the data is taken by position: `cbind(x, y)` names its columns
# after variables. The names of a data frame are meant.
pick_columns <- function(x, names, name) {
  if (is.null(names) || is.null(colnames(x))) return(x)
  missing <- setdiff(names, colnames(x))
  if (!is.data.frame(x) && length(missing) == length(names) && ncol(x) == length(names)) return(x)
  if (length(missing)) {
    stop_arg(c(
      "{.arg {name}} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.",
      i = "It has {.field {colnames(x)}}."
    ))
  }
  x[, names, drop = FALSE]
}

# Conditions as the core wants them: n rows, standardised as in the fit. NULL where the flow has none. For a fit by
# formula they may stand in `newdata`, the points.
as_conditions <- function(condition, flow, n, newdata = NULL) {
  if (flow$d_condition == 0) {
    if (!is.null(condition)) stop_arg("{.arg condition} was given, but the flow has no conditioning variables.")
    return(NULL)
  }
  scaling <- flow$condition
  d <- flow$d_condition
  if (!is.null(scaling$model)) {
    found <- is.null(condition) && has_columns(newdata, scaling$model$variables)
    if (found || !is.null(condition)) {
      condition <- model_conditions(
        if (found) newdata else condition, scaling$model, scaling$names, if (found) "newdata" else "condition"
      )
    }
  }
  if (is.null(condition)) {
    variables <- scaling$model$variables
    if (!is.null(variables)) stop_arg("{.arg condition} is missing: the flow is conditional on {.field {variables}}.")
    stop_arg("{.arg condition} is missing: the flow is conditional on {d} variable{?s}.")
  }
  if (is.null(dim(condition)) && is.numeric(condition) && length(condition) == d && d > 1) {
    condition <- matrix(condition, 1, dimnames = list(NULL, names(condition)))
  }
  if (is.data.frame(condition)) condition <- pick_columns(condition, scaling$names, "condition")
  condition <- as_numeric_matrix(condition, "condition")
  condition <- pick_columns(condition, scaling$names, "condition")
  if (ncol(condition) != flow$d_condition) {
    stop_arg("{.arg condition} must have {flow$d_condition} column{?s}, not {ncol(condition)}.")
  }
  check_finite_matrix(condition, "condition")
  if (nrow(condition) == 1 && n != 1) condition <- condition[rep(1L, n), , drop = FALSE]
  if (nrow(condition) != n) {
    stop_arg("{.arg condition} must have 1 row or as many rows as there are points ({n}), not {nrow(condition)}.")
  }
  if (is.null(scaling)) return(condition)
  scale_columns(condition, scaling$loc, scaling$scale)
}

scale_columns <- function(x, loc, scale) (x - rep(loc, each = nrow(x))) / rep(scale, each = nrow(x))

# Data to fit: at least two rows, and something to learn in each column.
as_fit_data <- function(data, name = "data") {
  data <- as_numeric_matrix(data, name)
  if (ncol(data) == 0) stop_arg("{.arg {name}} has no columns.")
  if (nrow(data) < 2) stop_arg("{.arg {name}} must have at least two rows, not {nrow(data)}.")
  check_finite_matrix(data, name)
  constant <- which(vapply(seq_len(ncol(data)), function(j) min(data[, j]) == max(data[, j]), logical(1)))
  if (length(constant)) {
    column <- column_label(data, constant[1])
    stop_arg("Column {.field {column}} of {.arg {name}} is constant: it has no density.")
  }
  data
}
