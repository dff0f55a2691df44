# Points: n rows of d numbers in a form that the core reads where they lie. Either a double matrix, or a list of d
# double vectors of one length, which is what a data frame is: its columns are not copied. Nothing above this file and
# codec.R tells the two forms apart.

n_rows <- function(x) if (is.list(x)) length(x[[1]]) else dim(x)[1]

n_columns <- function(x) if (is.list(x)) length(x) else dim(x)[2]

column_names <- function(x) {
  if (is.list(x)) return(attr(x, "names"))
  names <- dimnames(x)
  if (!is.null(names)) names[[2]]
}

column <- function(x, j) if (is.list(x)) x[[j]] else x[, j]

# Some rows of a column, which is not copied before.
column_at <- function(x, j, i) if (is.list(x)) x[[j]][i] else x[i, j]

# Some rows of all columns, a list of these; NULL, no points, has none.
columns_at <- function(x, i) if (!is.null(x)) lapply(seq_len(n_columns(x)), function(j) column_at(x, j, i))

column_labels <- function(x) column_names(x) %||% as.character(seq_len(n_columns(x)))

column_label <- function(x, j) if (is.null(column_names(x))) as.character(j) else column_names(x)[j]

# Some rows as a matrix: a chunk, so that memory does not grow with the data; with a centre and a scale for each column,
# (x - center) / scale. NULL, no points, has none.
rows_at <- function(x, i, center = NULL, scale = NULL) {
  if (is.null(x)) return(NULL)
  z <- native_rows_at(x, i, center, scale)
  names <- column_names(x)
  if (!is.null(names)) dimnames(z) <- list(NULL, names)
  z
}

all_rows <- function(x) if (is.list(x)) rows_at(x, seq_len(n_rows(x))) else x

# Rows with a missing value; no points have none.
rows_with_gaps <- function(x) {
  if (is.null(x)) return(FALSE)
  if (is.list(x)) Reduce(`|`, lapply(x, has_gap)) else has_gap(x)
}

# The same of a column, which may be a matrix: those of some classes, as survival times, say it of each row themselves.
has_gap <- function(x) {
  gone <- is.na(x)
  if (is.null(dim(gone))) gone else rowSums(gone) > 0
}

keep_columns <- function(x, j) if (is.list(x)) x[j] else x[, j, drop = FALSE]

# Some rows in the form that the points have.
keep_rows <- function(x, i) if (is.list(x)) lapply(x, `[`, i) else x[i, , drop = FALSE]

# Points and conditions without the rows that have missing values, as take_in() gives them.
leave_gaps_out <- function(points, condition, n) {
  at <- list(points = points, condition = condition, n = n)
  whole <- native_all_within(points, LARGEST) && (is.null(condition) || native_all_within(condition, LARGEST))
  if (whole) return(at)
  gone <- rows_with_gaps(points) | rows_with_gaps(condition)
  if (!any(gone)) return(at)
  kept <- which(!gone)
  given <- if (!is.null(condition)) keep_rows(condition, kept)
  list(points = keep_rows(points, kept), condition = given, n = length(kept), rows = n, kept = kept)
}

# One value, or one row of a matrix, for each row that came in.
put_back <- function(value, at) {
  if (!is.null(at$same)) value <- if (is.matrix(value)) value[at$same, , drop = FALSE] else value[at$same]
  if (is.null(at$kept)) return(value)
  if (is.matrix(value)) {
    all <- matrix(NA_real_, at$rows, ncol(value))
    all[at$kept, ] <- value
  } else {
    all <- rep(NA_real_, at$rows)
    all[at$kept] <- value
  }
  all
}

# One row for all of n.
repeat_row <- function(x, n) if (is.list(x)) lapply(x, rep, n) else x[rep(1L, n), , drop = FALSE]

# The numbers from 1 to n in pieces of at most `size`, for what would take too much memory at once.
row_chunks <- function(n, size) {
  size <- max(1, size)
  lapply(seq(1, by = size, length.out = ceiling(n / size)), function(first) first:min(n, first + size - 1))
}

# R lets what is no longer used pile up until its heap is full, by as much as half of a large table: between the stages
# of its fit a collection costs less than anything else.
collect_garbage <- function(data) if (n_rows(data) * n_columns(data) >= 1e6) gc(verbose = FALSE)

# ---- what users have, as points --------------------------------------------------------------------------------------

# Largest magnitude that is taken in data to fit, in conditions and in points of the base: beyond it, sums of squares
# overflow. Points of the data to evaluate may be any finite numbers, as draws from long tails can be.
LARGEST <- 1e150

# Which rows of what a simulator gave have values that no fit takes.
failed_rows <- function(data) {
  columns <- if (is.data.frame(data)) data else as.data.frame(data)
  failed <- function(x) if (is.numeric(x)) !is.finite(x) | abs(x) > LARGEST else is.na(x)
  Reduce(`|`, lapply(columns, failed), logical(NROW(data)))
}

# The user's columns before their codecs read them (see codec.R), with names where all are of use: a double matrix, or
# the columns of a data frame as they are. `name` is the user's argument; names that are the `known` ones are of use.
as_table <- function(x, name, known = NULL) {
  if (is.list(x) && is.data.frame(x)) {
    columns <- x
    names <- attr(x, "names")
    attributes(columns) <- if (are_names(names, known)) list(names = names)
    return(if (length(columns)) columns else matrix(0, nrow(x), 0))
  }
  # a matrix with nothing but such names is not copied: large data mostly are
  has <- attributes(x)
  names <- has$dimnames
  named <- length(names) == 2
  if (is.double(x) && length(has$dim) == 2 && length(has) == 1 + named) {
    if (!named || is.null(names[[1]]) && is.null(names(names)) && are_names(names[[2]], known)) return(x)
  }
  if (!is.numeric(x) || is_no_number(x)) {
    stop_arg(c("{.arg {name}} must be a numeric matrix, data frame or vector, not {.obj_type_friendly {x}}.",
      i = if (is.atomic(x) && is.null(dim(x)) && length(x)) column_cure(x, name)
    ))
  }
  if (is.null(dim(x))) {
    x <- matrix(x, ncol = 1)
  } else if (length(dim(x)) != 2) {
    stop_arg("{.arg {name}} must have two dimensions, not {length(dim(x))}.")
  }
  if (!is.double(x)) storage.mode(x) <- "double"
  names <- dimnames(x)[[2]]
  attributes(x) <- list(dim = dim(x), dimnames = if (!is.null(names) && are_names(names, known)) list(NULL, names))
  x
}

# Those of several columns, each once. None of `cbind(x, x^2)`, which are empty.
names_twice <- function(names) {
  if (is.null(names) || !anyDuplicated.default(names)) return(character())
  out <- unique(names[duplicated(names)])
  out[!is.na(out) & nzchar(out)]
}

# Columns that are looked for by name, in points to evaluate or by a formula, must be there once.
check_once <- function(x, names, name) {
  given <- if (is.list(x) || is.null(dim(x))) attr(x, "names") else colnames(x)
  if (is.null(names) || identical(given, names)) return(invisible())
  twice <- intersect(names_twice(given), names)
  if (length(twice)) {
    stop_arg(c(
      "{.arg {name}} has several columns of the name {.field {twice}}.",
      i = "Which is meant cannot be told: leave the others out, or give them other names."
    ))
  }
}

# Names that are there twice help nobody, and are likely to be a slip.
warn_repeated <- function(names, name) {
  twice <- names_twice(names)
  if (!length(twice)) return(invisible())
  cli::cli_warn(c(
    "{.arg {name}} has several columns of the name {.field {twice}}: its names are not used.",
    i = "Columns are then known by their places. {.code make.unique()} gives each a name of its own."
  ), class = "bijectr_warning_names")
}

# Columns are found by name: names that are missing, empty or repeated, as those of `cbind(x, x^2)`, find none.
are_names <- function(names, known = NULL) {
  is.null(names) || identical(names, known) || !anyNA(names) && all(nzchar(names)) && !anyDuplicated.default(names)
}

# Numbers underneath, whatever the class.
is_plain_column <- function(x) {
  (is.double(x) || is.integer(x)) && (!is.object(x) || !is_no_number(x)) && is.null(dim(x))
}

# Whose numbers mean nothing by themselves: codes of levels, the bits of a 64-bit integer read as a double, counts.
NOT_NUMBERS <- c("factor", "integer64", "table", "Surv")

is_no_number <- function(x) is.object(x) && (isS4(x) || inherits(x, NOT_NUMBERS))

# Classes that say what the numbers mean: plain numbers are not taken for them, nor they for plain numbers.
UNIT_CLASSES <- c("difftime", "Date", "POSIXct", "units")

has_unit <- function(x) is.object(x) && inherits(x, UNIT_CLASSES)

# `gaps`: missing values are let through.
# `cure` is said where a value is missing.
check_finite <- function(x, name, gaps = FALSE, cure = NULL, largest = LARGEST) {
  if (native_all_within(x, largest)) return(x)
  bad <- lapply(seq_len(n_columns(x)), function(j) {
    value <- as_stored(column(x, j))
    which(if (gaps) abs(value) > largest else !is.finite(value) | abs(value) > largest)
  })
  j <- which(lengths(bad) > 0)[1]
  if (is.na(j)) return(x)
  row <- bad[[j]][1]
  value <- column(x, j)[row]
  what <- if (is.finite(value)) paste(format(value), "(too large)") else format(value)
  n_bad <- sum(lengths(bad))
  stop_arg(c(
    "{.arg {name}} has a value that cannot be used: row {row}, column {.field {column_label(x, j)}} is {what}.",
    i = if (n_bad > 1) "{n_bad} values are missing, not finite{if (largest == LARGEST) ' or larger than 1e+150'}.",
    i = if (is.na(value)) cure
  ))
}

# The numbers that stand for a column, whatever its class.
as_stored <- function(x) if (is.object(x)) unclass(x) else x

# What can be done with a column that is not what it must be, as a line of a message.
column_cure <- function(x, label, type = "numeric") {
  text <- if (type != "numeric") {
    "The data of the fit had that class here: give it again."
  } else if (is.factor(x)) {
    "A factor can be a condition, on the right side of a formula."
  } else if (inherits(x, "integer64")) {
    "{.code as.double({label})} makes numbers of it, exact up to 2^53."
  } else if (is.character(x)) {
    cure_of_text(x)
  } else if (is.logical(x)) {
    "{.code as.numeric({label})} makes 0 and 1 of it; or make it a condition, on the right side of a formula."
  } else if (has_unit(x)) {
    "{.code as.numeric({label})} takes the class off; its unit must be the one that the data of the fit had."
  } else if (is.complex(x)) {
    "Its parts are numbers: {.code Re({label})} and {.code Im({label})}."
  } else if (length(dim(x)) == 2) {
    "Give its columns as columns of their own: {.code do.call(data.frame, data)}."
  } else if (is.list(x) && all(lengths(x) == 1)) {
    "{.code unlist({label})} makes a vector of this list."
  } else {
    "Drop it, or make numbers of it first."
  }
  gsub("([{}])", "\\1\\1", cli::format_inline(text, keep_whitespace = FALSE)) # which is no pattern any more
}

are_number_text <- function(x) !is.na(suppressWarnings(as.numeric(x)))

# Whether most of it is.
is_number_text <- function(x) {
  x <- x[!is.na(x)]
  2 * sum(are_number_text(x)) > length(x)
}

cure_of_text <- function(x) {
  x <- x[!is.na(x)]
  number <- are_number_text(x)
  if (length(x) && all(number)) return("It is numbers as text: {.code as.numeric({label})} makes numbers of it.")
  if (!is_number_text(x)) {
    return("Text can be a condition, {.code factor({label})} on the right side of a formula; or drop it.")
  }
  odd <- encodeString(x[!number][1], quote = "\"")
  paste0("Most of it is numbers as text, but not ", gsub("([{}])", "\\1\\1", odd), ": mend that first.")
}
