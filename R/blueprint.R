# The two doors between the user's columns and the core's numbers: take_in() and give_back(). Nothing else encodes,
# scales, matches names, or puts names on.
#
# What they go by is the blueprint of a flow, six of its fields beside the numbers of columns `d` and `d_condition`:
#   names       of the coordinates, NULL without
#   codecs      one a coordinate, see codec.R; NULL: all are plain numbers
#   condition   NULL for a flow without data, whose conditions are plain numbers; else a list of
#     names, codecs  as above, of the conditioning variables
#     model          of a formula: what makes these columns from a data frame, see blueprint-formula.R
#     levels         where nets look conditions up or count by them: of each, one more than the largest whole number
#                    that it may hold, as the number of levels of which it holds codes; 0 where it may be any number
#   response    of a formula whose left side is computed from columns: what makes the coordinates from these
#   dropped     columns of the user's that are linear functions of the coordinates, see dropped.R; NULL without any
#   form        what the data came as, see forms.R; NULL for a flow without data, which gives matrices
# A fit learns them from its training rows; whatever holds such fields can stand for a flow here.
#
# Points come out of the door as a matrix or as a list of columns (points.R), which the core reads where they lie. A
# source of rows that are not in memory, a file or a query, will come in here too: take_in() will hand on the source
# with the codecs of its columns, the border will make a bj_rows of it whose read() asks for some rows and encodes them,
# and what looks at points by rows_at() needs no change.

# These fields of a fit to be, from data and conditions as as_fit_data() and as_fit_condition() give them, and the
# numbers of the training rows. A flow that training starts from keeps its codecs. `nets`: layers and a base, for what
# the nets in them do with conditions, see condition-uses.R.
blueprint <- function(data, condition, train, model = NULL, start = NULL, response = NULL, weights = NULL,
                      extrapolate = "pull", form = NULL, dropped = NULL, nets = NULL) {
  codecs <- if (is.null(start)) column_codecs(data, "data") else start$codecs
  check_columns(data, codecs, "data")
  side <- start$condition
  if (!is.null(condition)) {
    if (is.null(side)) {
      sets <- pooled_sets(nets, n_columns(condition))
      levels <- whole_levels(nets, n_columns(condition))
      side <- list(names = column_names(condition))
      side$codecs <- standard_codecs(condition, train, weights, extrapolate, sets)
      whole <- union(which(levels > 0), match(model$codes, side$names))
      side$codecs[whole] <- list(CODEC_NUMBER) # codes and counts stay as they are
      if (any(levels > 0)) side$levels <- levels
    }
    check_columns(condition, side$codecs, "condition")
    side$codecs <- widened_codecs(side$codecs, condition, weights)
    side["model"] <- list(model %||% side$model)
  }
  list(
    names = column_names(data) %||% start$names, codecs = codecs, condition = side, response = response, form = form,
    dropped = dropped
  )
}

# ---- in --------------------------------------------------------------------------------------------------------------

# Points and conditions to evaluate, list(points, condition, n). Columns are found by name where both sides have names,
# else by position. `name` is the user's argument. Points on the base side, `latent`, have the names of the coordinates
# but are numbers already. With `gaps` rows with missing values are left out: `kept` are the numbers of the others, of
# `rows` in all, and put_back() gives NA in their places.
take_in <- function(flow, x, name, condition = NULL, latent = FALSE, gaps = FALSE) {
  if (missing(x)) stop_missing(name)
  part <- if (is_part(flow)) flow
  flow <- unclass(flow) # no look for methods of `$`
  side <- if (latent) {
    list(points = take_points(x, flow$d, flow$names, NULL, name, ", one a coordinate", gaps))
  } else {
    take_side(flow, x, name, gaps)
  }
  points <- side$points
  n <- n_rows(points)
  given <- if (flow$d_condition > 0 || !is.null(condition)) take_condition(flow, condition, n, x, gaps)
  if (!is.null(part)) given <- rows_given(part, n, name)
  at <- if (gaps) leave_gaps_out(points, given, n) else list(points = points, condition = given, n = n)
  if (!is.null(side$off)) at$off <- if (is.null(at$kept)) side$off else side$off[at$kept]
  if (!is.null(side$observed)) {
    at$observed <- if (is.null(at$kept)) side$observed else keep_rows(side$observed, at$kept)
  }
  at
}

# Conditions alone, n rows, or as many as there are if `n` is NULL; NULL where the flow has none. For a fit by formula
# they may stand in `newdata`, the points. `argument` is the user's.
take_condition <- function(flow, condition, n, newdata = NULL, gaps = FALSE, argument = "condition") {
  d <- flow$d_condition
  if (d == 0) {
    if (!is.null(condition)) stop_arg("{.arg {argument}} was given, but the flow has no conditioning variables.")
    return(NULL)
  }
  side <- flow$condition
  model <- side$model
  if (!is.null(model)) {
    found <- is.null(condition) && has_columns(newdata, model$variables)
    if (found || !is.null(condition)) {
      name <- if (found) "newdata" else argument
      condition <- conditions_of_model(if (found) newdata else condition, model, side$names, name, gaps)
    }
  }
  if (is.null(condition) && !is.null(flow$observed)) condition <- matrix(flow$observed, 1) # of a fit in rounds
  if (is.null(condition)) {
    which <- if (is.null(model$variables)) "{d} variable{?s}" else "{.field {model$variables}}"
    stop_arg(paste0("{.arg {argument}} is missing: the flow is conditional on ", which, "."))
  }
  condition <- take_points(condition, d, side$names, side$codecs, argument, gaps = gaps)
  check_codes(condition, side)
  warn_extrapolation(condition, side)
  rows <- n_rows(condition)
  if (is.null(n)) return(condition)
  if (rows == 1 && n != 1) return(repeat_row(condition, n))
  if (rows != n) {
    stop_arg("{.arg {argument}} must have 1 row or as many rows as there are points ({n}), not {rows}.")
  }
  condition
}

# Rows of the variables that lack one are rows of NA.
conditions_of_model <- function(given, model, names, name, gaps) {
  variables <- if (gaps && is.data.frame(given)) unclass(given)[intersect(names(given), model$variables)]
  gone <- Reduce(`|`, lapply(variables, has_gap), FALSE)
  if (!any(gone)) return(model_conditions(given, model, names, name))
  if (all(gone)) return(matrix(NA_real_, length(gone), length(names), dimnames = list(NULL, names)))
  rows <- seq_along(gone)
  rows[gone] <- which(!gone)[1] # a row that is whole stands in, so that messages have the numbers of rows right
  out <- model_conditions(as.data.frame(given)[rows, , drop = FALSE], model, names, name)
  out[gone, ] <- NA
  out
}

# Points on the data side, list(points, off, observed): `off` says which rows the flow gives no density, as they do not
# fulfil the relations or have no place on the left side of a formula; NULL where all have one. `observed` is what is
# known of censored times, see times.R; NULL elsewhere.
take_side <- function(flow, x, name, gaps) {
  times <- if (flow$d == 1) find_times(x, flow$names)
  if (is.null(flow$response) && is.null(times)) return(take_coordinates(flow, x, name, gaps))
  taken <- if (is.null(times)) {
    take_response(open_data(x, name), flow, name)
  } else {
    read <- read_times(times, name)
    list(points = read$value, observed = read$rows)
  }
  side <- take_coordinates(flow, taken$points, name, gaps)
  if (!is.null(taken$off)) side$off <- taken$off | (side$off %||% FALSE)
  side$observed <- taken$observed
  side
}

take_coordinates <- function(flow, x, name, gaps = FALSE) {
  gone <- flow$dropped
  if (!is.null(gone)) if (has_dropped(flow, open_data(x, name))) flow <- whole_table(flow) else gone <- NULL
  points <- take_points(x, flow$d, flow$names, flow$codecs, name, ", one a coordinate", gaps, .Machine$double.xmax)
  if (is.null(gone)) list(points = points) else split_dropped(points, gone)
}

take_points <- function(x, d, names, codecs, name, each = "", gaps = FALSE, largest = LARGEST) {
  x <- open_data(x, name)
  if (gaps) x <- blanks_to_numbers(x)
  as_row <- d > 1 && is.atomic(x) && is.null(dim(x))
  if (d == 1) {
    x <- if (has_levels(x) && is_levels(codecs[[1]])) list2DF(stats::setNames(list(x), names)) else as_column(x, names)
  }
  check_once(x, names, name)
  if (is.list(x) && is.data.frame(x)) {
    x <- as_table(pick_columns(x, names, name), name, names)
    check_columns(x, if (n_columns(x) == d) codecs, name)
    if (n_columns(x) == d) x <- codes_of_levels(x, codecs, name)
  } else {
    if (length(x) == d && d > 1 && is.null(dim(x)) && is.numeric(x)) {
      x <- matrix(x, 1, dimnames = if (!is.null(names(x))) list(NULL, names(x)))
    }
    x <- pick_columns(as_table(x, name, names), names, name)
  }
  if (as_row && n_columns(x) != d) {
    stop_arg("{.arg {name}} must have {d} columns{each}, or be {d} numbers for one row, not {length(x)} number{?s}.")
  }
  if (n_columns(x) != d) stop_arg("{.arg {name}} must have {d} column{?s}{each}, not {n_columns(x)}.")
  if (!is.list(x) && !is.null(codecs)) stop_bare(x, codecs, name)
  check_finite(x, name, gaps, largest = largest)
  encode_columns(x, codecs)
}

# Numbers of a matrix or vector have no class: where it would say what they mean, as days or minutes, none are taken.
stop_bare <- function(x, codecs, name) {
  for (j in seq_along(codecs)) {
    if (accepts(codecs[[j]], 0) || !any(is.finite(x[, j]))) next
    stop_arg(c(
      "Column {.field {column_label(x, j)}} of {.arg {name}} must be {codecs[[j]]$type}, not plain numbers.",
      i = if (is_levels(codecs[[j]])) {
        "Give its levels, by name: {.val {codecs[[j]]$levels}}."
      } else {
        "Give values of that class, as the data had: {.fn as.difftime}, {.fn as.Date} and {.fn as.POSIXct} make such of
         numbers."
      }
    ))
  }
}

# NA by itself is a logical value.
blanks_to_numbers <- function(x) {
  if (is.list(x)) {
    columns <- if (is.data.frame(x)) unclass(x)
    for (j in seq_along(columns)) if (is.logical(columns[[j]])) x[[j]] <- blanks_to_numbers(x[[j]])
  } else if (is.logical(x) && length(x) && all(is.na(x))) {
    storage.mode(x) <- "double"
  }
  x
}

# A matrix whose names have nothing to do with those of the data is taken by position, with a warning: `cbind(x, y)`
# names its columns after variables. The names of a data frame are meant.
pick_columns <- function(x, names, name) {
  if (is.null(names)) return(x)
  given <- column_names(x)
  if (is.null(given) || identical(given, names)) return(x)
  missing <- setdiff(names, given)
  if (!is.list(x) && length(missing) == length(names) && length(given) == length(names)) {
    warn_names(given, names, name)
    return(x)
  }
  if (length(missing)) {
    stop_arg(c(
      "{.arg {name}} lacks the {cli::qty(missing)}column{?s} {.field {missing}}.",
      i = meant(missing, setdiff(given, names), NEAR_COLUMN) %||% "It has {.field {given}}."
    ))
  }
  if (!is.list(x)) return(x[, names, drop = FALSE])
  if (!is.data.frame(x)) return(x[names])
  structure(as.list(x)[names], row.names = attr(x, "row.names"), class = "data.frame")
}

warn_names <- function(given, names, name) {
  cli::cli_warn(c(
    "{.arg {name}} has {.field {given}} where the flow has {.field {names}}: columns are taken in order.",
    i = "Give them the names of the flow, or none: {.code unname({name})}."
  ), class = "bijectr_warning_names")
}

# ---- in, to fit ------------------------------------------------------------------------------------------------------

open_table <- function(x, name = "data") {
  x <- as_column(open_data(x, name))
  if (is.integer(x) && is.null(dim(x))) x <- list2DF(list(x)) # columns have codecs
  warn_repeated(if (is.data.frame(x)) names(x) else colnames(x), name)
  as_table(x, name)
}

# Data to fit, as a table of columns that codecs can read: at least two rows, and something to learn in each column.
as_fit_data <- function(data, name = "data", cure = NULL) {
  data <- open_table(data, name)
  if (n_columns(data) == 0) stop_arg("{.arg {name}} has no columns.")
  column_codecs(data, name)
  if (n_rows(data) < 2) stop_arg("{.arg {name}} must have at least two rows, not {n_rows(data)}.")
  check_finite(data, name, cure = cure)
  flat <- flat_columns(data)
  if (length(flat)) {
    stop_arg("Column {.field {column_label(data, flat[1])}} of {.arg {name}} is constant: it has no density.")
  }
  data
}

# Conditions to fit, one row a row of the data; NULL without any.
as_fit_condition <- function(condition, n) {
  if (is.null(condition)) return(NULL)
  condition <- open_table(condition, "condition")
  if (n_columns(condition) == 0) stop_arg("{.arg condition} has no columns.")
  column_codecs(condition, "condition")
  if (n_rows(condition) != n) {
    stop_arg("{.arg condition} must have as many rows as {.arg data} ({n}), not {n_rows(condition)}.")
  }
  check_finite(condition, "condition")
}

# ---- out -------------------------------------------------------------------------------------------------------------

# Points of the core, a matrix, as the user knows them: with the names of the data, decoded, in the form of the data.
# Where columns are more than numbers a matrix is a data frame. `latent`: points on the base side have names only.
# `drawn`: draws, which are integers where the column was.
give_back <- function(flow, z, latent = FALSE, form = flow[["form"]], drawn = FALSE) {
  force(form)
  if (drawn) z <- settled_draws(flow, z)
  flow <- unclass(flow)
  if (!latent && !is.null(flow$dropped)) {
    z <- with_dropped(z, flow$dropped)
    flow <- whole_table(flow)
  }
  kind <- form[["kind"]] %||% "matrix"
  if (latent || kind == "matrix" && all(vapply(flow$codecs, is_number_codec, NA))) return(name_columns(z, flow$names))
  columns <- lapply(seq_len(flow$d), function(j) decoded(flow, z, j))
  if (drawn) columns <- as_settled(columns, flow$codecs)
  if (kind == "vector" && flow$d == 1) return(columns[[1]])
  as_frame(columns, coordinate_labels(flow), form[["class"]])
}

# One coordinate of it.
decoded <- function(flow, z, j) decode(flow$codecs[[j]], z[, j])

# Names for pictures and tables, which cannot do without.
coordinate_labels <- function(flow) if (is.null(flow$names)) paste0("x", seq_len(flow$d)) else flow$names
