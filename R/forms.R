# The shapes in which users have their data, and in which they get results back. Whatever comes in is opened here, once:
# behind this file there are plain matrices, vectors and data frames only. What the data came as is the `form` of a
# flow: a list of `kind`, "vector", "matrix" or "frame", and for frames of `class`, that of the data frame. A flow
# without data has none, and gives matrices.

FRAME_CLASSES <- list(
  data.frame = "data.frame", tbl_df = c("tbl_df", "tbl", "data.frame"), data.table = c("data.table", "data.frame")
)

form_of <- function(x) {
  if (is.list(x) && !inherits(x, c("rvar", "POSIXlt"))) {
    known <- if (!inherits(x, "draws")) intersect(class(x), names(FRAME_CLASSES))
    return(list(kind = "frame", class = c(known, "data.frame")[1]))
  }
  if (is.null(x) || length(dim(x)) > 1 || inherits(x, "rvar")) list(kind = "matrix") else list(kind = "vector")
}

# All there are; data frames, which most data are, first.
FORMS <- c(
  lapply(names(FRAME_CLASSES), function(class) list(kind = "frame", class = class)),
  list(list(kind = "matrix"), list(kind = "vector"))
)

is_form <- function(x) {
  if (is.null(x)) return(TRUE)
  for (form in FORMS) if (identical(x, form)) return(TRUE)
  FALSE
}

# ---- in --------------------------------------------------------------------------------------------------------------

# A matrix, a vector without dimensions, or a data frame whose columns have none. `name` is the user's argument.
open_data <- function(x, name) {
  if (!is.object(x) && !is.list(x) && length(dim(x)) != 1) return(x)
  if (inherits(x, c("draws", "rvar"))) x <- open_draws(x, name)
  if (isS4(x) || inherits(x, NOT_DATA)) stop_unusable(x, name)
  if (inherits(x, "POSIXlt")) return(as.POSIXct(x))
  if (is.data.frame(x)) return(open_columns(x))
  if (is.list(x)) {
    if (is.object(x)) return(x)
    rows <- unique(vapply(x, NROW, 0L))
    if (length(rows) > 1) stop_arg("The columns of {.arg {name}} must have one length, not {sort(rows)}.")
    return(open_columns(as_plain_frame(x, c(rows, 0L)[1])))
  }
  if (length(dim(x)) == 1) open_column(x) else x
}

as_plain_frame <- function(columns, n) {
  attributes(columns) <- list(names = names(columns), row.names = .set_row_names(n), class = "data.frame")
  columns
}

# What has numbers in it that are not the data, as has all that is S4: each with its own way out.
NOT_DATA <- c("table", "ftable", "Surv")

stop_unusable <- function(x, name) {
  cure <- if (isS4(x) && inherits(x, "Matrix")) {
    "{.code as.matrix({name})} makes a dense matrix of it."
  } else if (inherits(x, c("table", "ftable"))) {
    "A table holds counts: give the observations that were counted."
  } else if (inherits(x, "Surv")) {
    "Censored times are one coordinate, and stand alone."
  } else if (inherits(x, "stanmodel")) {
    "A Stan model has no data: {.code rstan::sampling({name}, data = , chains = 0)} gives it some, without sampling."
  } else {
    "Turn it into a matrix, a data frame or a vector first."
  }
  stop_arg(c(
    "{.arg {name}} must be a numeric matrix, data frame or vector, not an object of class {.cls {class(x)[1]}}.",
    i = cure
  ))
}

# Draws of the posterior package: their variables, chains put together.
open_draws <- function(x, name) {
  own <- c(".chain", ".iteration", ".draw", ".log_weight")
  if (is.data.frame(x)) {
    columns <- unclass(x)
    return(as_plain_frame(columns[setdiff(names(columns), own)], length(columns[[1]])))
  }
  if (!requireNamespace("posterior", quietly = TRUE)) {
    stop_arg("{.arg {name}} holds draws of the package {.pkg posterior}, which must be installed to read them.")
  }
  x <- posterior::as_draws_matrix(x)
  plain <- matrix(as.double(x), nrow(x), dimnames = list(NULL, dimnames(x)[[2]]))
  plain[, !(colnames(plain) %in% own), drop = FALSE]
}

# Columns with dimensions, as scale() and tapply() make them, are opened; a data frame without any is given back itself.
open_columns <- function(x) {
  columns <- unclass(x)
  odd <- NULL # by a loop, as all that a short call does for each column
  for (j in seq_along(columns)) {
    column <- columns[[j]]
    if (!is.null(dim(column)) || is.object(column) && inherits(column, "POSIXlt")) odd <- c(odd, j)
  }
  if (is.null(odd)) return(x)
  kind <- attributes(x)[c("names", "row.names", "class")]
  columns[odd] <- lapply(columns[odd], open_column)
  attributes(columns) <- kind
  columns
}

open_column <- function(x) {
  if (inherits(x, "POSIXlt")) return(as.POSIXct(x))
  one <- length(dim(x)) == 1 || length(dim(x)) == 2 && dim(x)[2] == 1
  if (one && is.atomic(x) && !inherits(x, "table")) dim(x) <- NULL
  x
}

# ---- out -------------------------------------------------------------------------------------------------------------

# Columns as a data frame of the class of the data. A data.table is made by its own package, which may not be here.
as_frame <- function(columns, names, class) {
  names(columns) <- names
  out <- as_plain_frame(columns, length(columns[[1]]))
  if (is.null(class) || class == "data.frame") return(out)
  if (class == "data.table") {
    return(if (requireNamespace("data.table", quietly = TRUE)) data.table::setDT(out)[] else out)
  }
  class(out) <- FRAME_CLASSES[[class]]
  out
}
