# Numbers with a class or a label: dates, times, differences of times, numbers with units, labelled numbers. The codec
# keeps the attributes that belong to all values of the column and puts them on what goes out; the core has the numbers
# as they are stored. Draws of dates are not whole.

# Classes that say nothing of single values, or write numbers in a way that not all have, and those whose attributes
# stand for places.
LOOSE_CLASSES <- c("AsIs", "noquote", "roman", "octmode", "hexmode")
SERIES_CLASSES <- c("ts", "mts", "zoo", "zooreg", "xts", "dist")

# Attributes that belong to places and not to values; of columns without a class only some words are kept.
PLACE_ATTRIBUTES <- c("names", "dim", "dimnames", "row.names", "tsp", "index", "na.action", "Size", "Labels")
WORD_ATTRIBUTES <- c("label", "labels", "units")

DIFFTIME_SECONDS <- c(secs = 1, mins = 60, hours = 3600, days = 86400, weeks = 604800)

codec_classed <- function(kept) {
  class <- kept[["class"]]
  unit <- unit_text(kept)
  type <- if (is.null(class)) "numeric" else paste0("of class ", class[1], if (nzchar(unit)) paste(" in", unit))
  new_codec("classed", type, attributes = kept)
}

# The unit of numbers with such attributes, or "".
unit_text <- function(kept) {
  unit <- kept[["units"]]
  if (is.list(unit)) unit <- paste(lapply(unclass(unit), paste, collapse = "*"), collapse = "/")
  if (has_unit(structure(0, class = kept[["class"]])) && length(unit) == 1) sub("/$", "", unit) else ""
}

unit_of <- function(codec) if (inherits(codec, "bijectr_codec_classed")) unit_text(codec$attributes) else ""

is_plain_data <- function(x) is.atomic(x) || is.list(x) && all(vapply(unclass(x), is.atomic, NA))

# What is kept of a column's attributes; NULL where there is nothing.
kept_attributes <- function(x) {
  has <- attributes(x)
  if (is.null(has)) return(NULL)
  class <- setdiff(has[["class"]], LOOSE_CLASSES)
  if (any(class %in% SERIES_CLASSES)) class <- NULL
  words <- if (length(class)) setdiff(names(has), PLACE_ATTRIBUTES) else WORD_ATTRIBUTES
  has <- Filter(is_plain_data, has[names(has) %in% words])
  if (is.integer(x) && "vctrs_vctr" %in% class) { # which checks that what goes out is of the type it says
    class[class == "integer"] <- "double"
    if (is.integer(has[["labels"]])) storage.mode(has[["labels"]]) <- "double"
  }
  if (length(class)) has[["class"]] <- class # where it stood
  if (length(has)) has
}

# Any vector of numbers; where its class says nothing beside them they are plain ones.
#' @export
codec_of.default <- function(x) {
  if (!is_plain_column(x)) return(NULL)
  kept <- kept_attributes(x)
  if (!is.null(kept)) return(codec_classed(kept))
  if (is.integer(x)) CODEC_INTEGER else CODEC_NUMBER
}

#' @export
accepts.bijectr_codec_classed <- function(codec, x) {
  if (!is_plain_column(x)) return(FALSE)
  own <- codec$attributes[["class"]]
  unit <- intersect(UNIT_CLASSES, own)
  if (length(unit)) return(inherits(x, unit) && (unit[1] != "units" || !is.null(in_units(codec, x))))
  given <- kept_attributes(x)[["class"]]
  is.null(given) || any(given %in% own) && !has_unit(x)
}

#' @export
encode.bijectr_codec_classed <- function(codec, x) {
  if (is.object(x) && inherits(x, "units")) x <- in_units(codec, x)
  factor <- 1
  if (is.object(x) && inherits(x, "difftime")) {
    factor <- DIFFTIME_SECONDS[c(attr(x, "units"), codec$attributes[["units"]])]
    factor <- factor[[1]] / factor[[2]]
  }
  attributes(x) <- NULL
  if (factor == 1) as.double(x) else as.double(x) * factor
}

# In the units of the codec; NULL where they do not fit, or the package that knows how is not there.
in_units <- function(codec, x) {
  if (identical(attr(x, "units"), codec$attributes[["units"]])) return(x)
  if (!requireNamespace("units", quietly = TRUE)) return(NULL)
  tryCatch(units::set_units(x, codec$attributes[["units"]], mode = "standard"), error = function(e) NULL)
}

#' @export
decode.bijectr_codec_classed <- function(codec, z) {
  attributes(z) <- codec$attributes
  z
}

#' @export
intact.bijectr_codec_classed <- function(codec) {
  kept <- codec[["attributes"]]
  if (!is.list(kept)) return(FALSE)
  class <- kept[["class"]]
   length(kept) > 0 && are_names(names(kept)) && !is.null(names(kept)) &&
    !any(names(kept) %in% PLACE_ATTRIBUTES) && all(vapply(kept, is_plain_data, NA)) &&
    (is.null(class) || is.character(class) && !any(class %in% NOT_NUMBERS)) &&
    (!("difftime" %in% class) || isTRUE(kept[["units"]] %in% names(DIFFTIME_SECONDS))) &&
    (is.null(kept[["tzone"]]) || is.character(kept[["tzone"]]))
}
