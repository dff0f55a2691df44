# The two doors between the user's columns and the core's numbers: take_in() and give_back(). Nothing else encodes,
# scales, matches names, or puts names on.
#
# What they go by is the blueprint of a flow, five of its fields beside the numbers of columns `d` and `d_condition`:
#   names       of the coordinates, NULL without
#   codecs      one a coordinate, see codec.R; NULL: all are plain numbers
#   condition   NULL for a flow without data, whose conditions are plain numbers; else a list of
#     names, codecs  as above, of the conditioning variables
#     model          of a formula: what makes these columns from a data frame, see blueprint-formula.R
#   response    of a formula whose left side is computed from columns: what makes the coordinates from these
# A fit learns them from its training rows; whatever holds such fields can stand for a flow here.
#
# Points come out of the door as a matrix or as a list of columns (points.R), which the core reads where they lie. A
# source of rows that are not in memory, a file or a query, will come in here too: take_in() will hand on the source
# with the codecs of its columns, the border will make a bj_rows of it whose read() asks for some rows and encodes them,
# and what looks at points by rows_at() needs no change.

# The three fields of a fit to be, from data and conditions as as_fit_data() and as_fit_condition() give them, and the
# numbers of the training rows. A flow that training starts from keeps its codecs.
blueprint <- function(data, condition, train, model = NULL, start = NULL, response = NULL, weights = NULL,
                      extrapolate = "pull") {
  codecs <- if (is.null(start)) column_codecs(data, "data") else start$codecs
  check_columns(data, codecs, "data")
  side <- start$condition
  if (!is.null(condition)) {
    if (is.null(side)) {
      side <- list(names = column_names(condition), codecs = standard_codecs(condition, train, weights, extrapolate))
    }
    check_columns(condition, side$codecs, "condition")
    side$codecs <- widened_codecs(side$codecs, condition, weights)
    side["model"] <- list(model %||% side$model)
  }
  list(names = column_names(data), codecs = codecs, condition = side, response = response)
}

# ---- in --------------------------------------------------------------------------------------------------------------

# Points and conditions to evaluate, list(points, condition, n). Columns are found by name where both sides have names,
# else by position. `name` is the user's argument. Points on the base side, `latent`, have the names of the coordinates
# but are numbers already.
take_in <- function(flow, x, name, condition = NULL, latent = FALSE) {
  if (missing(x)) stop_arg("{.arg {name}} is missing.")
  flow <- unclass(flow) # no look for methods of `$`
  points <- if (latent) x else take_response(x, flow, name)
  points <- take_points(points, flow$d, flow$names, if (!latent) flow$codecs, name, ", one a coordinate")
  n <- n_rows(points)
  given <- if (flow$d_condition > 0 || !is.null(condition)) take_condition(flow, condition, n, x)
  list(points = points, condition = given, n = n)
}

# Conditions alone, n rows; NULL where the flow has none. For a fit by formula they may stand in `newdata`, the points.
take_condition <- function(flow, condition, n, newdata = NULL) {
  d <- flow$d_condition
  if (d == 0) {
    if (!is.null(condition)) stop_arg("{.arg condition} was given, but the flow has no conditioning variables.")
    return(NULL)
  }
  model <- flow$condition$model
  if (!is.null(model)) {
    found <- is.null(condition) && has_columns(newdata, model$variables)
    if (found || !is.null(condition)) {
      condition <- model_conditions(
        if (found) newdata else condition, model, flow$condition$names, if (found) "newdata" else "condition"
      )
    }
  }
  if (is.null(condition)) {
    variables <- model$variables
    if (!is.null(variables)) stop_arg("{.arg condition} is missing: the flow is conditional on {.field {variables}}.")
    stop_arg("{.arg condition} is missing: the flow is conditional on {d} variable{?s}.")
  }
  condition <- take_points(condition, d, flow$condition$names, flow$condition$codecs, "condition")
  warn_extrapolation(condition, flow$condition)
  rows <- n_rows(condition)
  if (rows == 1 && n != 1) return(repeat_row(condition, n))
  if (rows != n) {
    stop_arg("{.arg condition} must have 1 row or as many rows as there are points ({n}), not {rows}.")
  }
  condition
}

take_points <- function(x, d, names, codecs, name, each = "") {
  if (d == 1) x <- as_column(x, names)
  if (is.list(x) && is.data.frame(x)) {
    x <- as_table(pick_columns(x, names, name), name)
    check_columns(x, if (n_columns(x) == d) codecs, name)
  } else {
    if (length(x) == d && d > 1 && is.null(dim(x)) && is.numeric(x)) {
      x <- matrix(x, 1, dimnames = if (!is.null(names(x))) list(NULL, names(x)))
    }
    x <- pick_columns(as_table(x, name), names, name)
  }
  if (n_columns(x) != d) stop_arg("{.arg {name}} must have {d} column{?s}{each}, not {n_columns(x)}.")
  check_finite(x, name)
  encode_columns(x, codecs)
}

# A matrix whose names have nothing to do with those of the data is taken by position: `cbind(x, y)` names its columns
# after variables. The names of a data frame are meant.
pick_columns <- function(x, names, name) {
  if (is.null(names)) return(x)
  given <- column_names(x)
  if (is.null(given) || identical(given, names)) return(x)
  missing <- setdiff(names, given)
  if (!is.data.frame(x) && length(missing) == length(names) && length(given) == length(names)) return(x)
  if (length(missing)) {
    stop_arg(c(
      "{.arg {name}} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.",
      i = "It has {.field {given}}."
    ))
  }
  if (!is.list(x)) return(x[, names, drop = FALSE])
  if (!is.data.frame(x)) return(x[names])
  structure(as.list(x)[names], row.names = attr(x, "row.names"), class = "data.frame")
}

# ---- in, to fit ------------------------------------------------------------------------------------------------------

# Data to fit, as a table of columns that codecs can read: at least two rows, and something to learn in each column.
as_fit_data <- function(data, name = "data") {
  data <- as_table(as_column(data), name)
  if (n_columns(data) == 0) stop_arg("{.arg {name}} has no columns.")
  column_codecs(data, name)
  if (n_rows(data) < 2) stop_arg("{.arg {name}} must have at least two rows, not {n_rows(data)}.")
  check_finite(data, name)
  for (j in seq_len(n_columns(data))) {
    value <- as_stored(column(data, j))
    if (is_flat(value)) {
      stop_arg("Column {.field {column_label(data, j)}} of {.arg {name}} is constant: it has no density.")
    }
  }
  data
}

# Conditions to fit, one row a row of the data; NULL without any.
as_fit_condition <- function(condition, n) {
  if (is.null(condition)) return(NULL)
  condition <- as_table(as_column(condition), "condition")
  if (n_columns(condition) == 0) stop_arg("{.arg condition} has no columns.")
  column_codecs(condition, "condition")
  if (n_rows(condition) != n) {
    stop_arg("{.arg condition} must have as many rows as {.arg data} ({n}), not {n_rows(condition)}.")
  }
  check_finite(condition, "condition")
}

# Conditions are standardised by their training rows: by mean and standard deviation, or where they have long tails by
# median and quantile range. One that is constant there is shifted only. Rows of weight zero count for nothing.
standard_codecs <- function(condition, train, weights = NULL, extrapolate = "pull") {
  codecs <- column_codecs(condition, "condition")
  x <- encode_columns(condition, codecs)
  moments <- row_moments(x, train, weights)
  robust <- robust_columns(x, train, weights, moments)
  long <- moment_scale(moments) > LONG_TAILS * robust$scale
  center <- ifelse(long, robust$center, moments$center)
  scale <- ifelse(long, robust$scale, moment_scale(moments))
  scale[flat_columns(x, train, weights)] <- 1
  pull <- extrapolate == "pull"
  unname(Map(codec_standard, unname(center), unname(scale), if (is.null(codecs)) list(NULL) else codecs, pull = pull))
}

# ---- out -------------------------------------------------------------------------------------------------------------

# Points of the core, a matrix, as the user knows them: with the names of the data, decoded. A matrix where all columns
# are numbers, else a data frame. `latent`: points on the base side have names only.
give_back <- function(flow, z, latent = FALSE) {
  if (latent || is.null(flow$codecs)) return(name_columns(z, flow$names))
  columns <- lapply(seq_along(flow$codecs), function(j) decode(flow$codecs[[j]], z[, j]))
  list2DF(stats::setNames(columns, coordinate_labels(flow)))
}

# Names for pictures and tables, which cannot do without.
coordinate_labels <- function(flow) if (is.null(flow$names)) paste0("x", seq_len(flow$d)) else flow$names
