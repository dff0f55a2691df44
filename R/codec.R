# Codecs: what stands between one column of the user's and the numbers of the core. A codec is plain data, its kind and
# some numbers, so that a flow that holds codecs can be saved, compared and read from a file. A kind of codec is a set
# of methods in one file, R/codec-<kind>.R, of these generics, and nothing else knows it:
#
#   codec_of(x)       the codec for a column of data to fit, by its class; NULL where no kind takes such a column
#   accepts(codec, x) whether a column of new data is one that the codec reads
#   encode(codec, x)  the column as doubles, of length(x)
#   decode(codec, z)  the way back: a column as the user had it
#   intact(codec)     whether it has the numbers that these read
#
# and the field `type`, in words for messages, of the columns it takes ("numeric").
#
# The numbers that encode() makes are what the core's densities are of. For a codec that changes no number, as that of
# dates, they are also densities in the units of the column. A codec whose encode() bends, as the logarithm of a bounded
# column, or rescales, changes the unit: its log-derivative log |d encode / dx| belongs to the log density of the row.
# Such a kind leaves the bending to a frozen layer next to the data, which counts it in every direction, in draws and in
# gradients alike, and encodes by what is left.

codec_of <- function(x) UseMethod("codec_of")

# Where there is no codec, NULL, a column is one of plain numbers; no look for methods then, which costs a short call
# more than the work.
accepts <- function(codec, x) {
  if (is.null(codec)) return(accepts.bijectr_codec_number(codec, x))
  UseMethod("accepts")
}

encode <- function(codec, x) {
  if (is.null(codec)) return(encode.bijectr_codec_number(codec, x))
  UseMethod("encode")
}

decode <- function(codec, z) {
  if (is.null(codec)) return(decode.bijectr_codec_number(codec, z))
  UseMethod("decode")
}

# Whether a codec, which may come from a file, has the numbers that its methods read.
intact <- function(codec) UseMethod("intact")

#' @export
intact.default <- function(codec) FALSE

new_codec <- function(kind, type, ...) {
  structure(list(kind = kind, type = type, ...), class = c(paste0("bijectr_codec_", kind), "bijectr_codec"))
}

# ---- plain numbers: as they are --------------------------------------------------------------------------------------

CODEC_NUMBER <- new_codec("number", "numeric")
CODEC_INTEGER <- new_codec("number", "numeric", integer = TRUE) # stored as integers, see codec-integer.R

#' @export
accepts.bijectr_codec_number <- function(codec, x) is_plain_column(x) && (!is.object(x) || !has_unit(x))

#' @export
intact.bijectr_codec_number <- function(codec) TRUE

# A double vector without attributes is given back itself, not a copy.
#' @export
encode.bijectr_codec_number <- function(codec, x) as.double(x)

#' @export
decode.bijectr_codec_number <- function(codec, z) z

# Whether it is one, whole.
is_codec <- function(x) inherits(x, "bijectr_codec") && intact(x)

is_number_codec <- function(codec) is.null(codec) || inherits(codec, "bijectr_codec_number")

# ---- all columns -----------------------------------------------------------------------------------------------------

# The codecs of data to fit; NULL where all columns are plain numbers, as those of a matrix are.
column_codecs <- function(x, name) {
  if (!is.list(x)) return(NULL)
  codecs <- lapply(x, codec_of)
  stop_wrong_columns(x, vapply(codecs, is.null, NA), "numeric", name)
  if (all(vapply(codecs, identical, NA, CODEC_NUMBER))) NULL else unname(codecs)
}

# New columns must be such as their codecs read.
check_columns <- function(x, codecs, name) {
  if (!is.list(x)) return(invisible())
  wrong <- NULL
  for (j in seq_along(x)) if (!accepts(codecs[[j]], x[[j]]) && !is_blank(x[[j]])) wrong <- c(wrong, j)
  if (is.null(wrong)) return(invisible())
  codec <- codecs[[wrong[1]]] %||% CODEC_NUMBER
  stop_wrong_columns(x, seq_along(x) %in% wrong, codec$type, name)
}

# A column without a value is one of any kind.
is_blank <- function(x) is.double(x) && !is.object(x) && is.null(dim(x)) && length(x) > 0 && all(is.na(x))

# Columns to points. A matrix stays one, and doubles without a codec are not copied.
encode_columns <- function(x, codecs = NULL) {
  if (is.list(x)) {
    for (j in seq_along(x)) x[[j]] <- encode(codecs[[j]], x[[j]])
  } else if (!is.null(codecs)) {
    for (j in seq_along(codecs)) x[, j] <- encode(codecs[[j]], x[, j])
  }
  x
}

# Whether a vector is of a class with a codec of its own.
has_codec <- function(x) {
  if (is.list(x) || is.null(attributes(x)) || !is.null(dim(x))) return(FALSE)
  codec <- codec_of(x)
  !is.null(codec) && !identical(codec, CODEC_NUMBER)
}

# Such a vector is a data frame of one column.
as_column <- function(x, name = NULL) if (has_codec(x)) list2DF(stats::setNames(list(x), name)) else x

stop_wrong_columns <- function(x, wrong, type, name) {
  bad <- which(wrong)
  if (!length(bad)) return(invisible())
  label <- names(x) %||% as.character(seq_along(x))
  stop_arg(c(
    "Column {.field {label[bad[1]]}} of {.arg {name}} must be {type}, not {.obj_type_friendly {x[[bad[1]]]}}.",
    i = if (length(bad) > 1) "The same holds for {.field {label[bad[-1]]}}.",
    i = column_cure(x[[bad[1]]], label[bad[1]], type)
  ))
}

# A double matrix, with column names where the input had them: for functions of the user and for arguments that are no
# points of a flow.
as_numeric_matrix <- function(x, name) {
  x <- as_table(open_data(x, name), name)
  check_columns(x, NULL, name)
  all_rows(encode_columns(x))
}
