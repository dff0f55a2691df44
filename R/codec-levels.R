# Columns that are one of a few levels: factors, ordered or not, logical values, text. The core has codes, 0 for the
# first level; codes of the levels of such a column have probabilities, not densities, see table.R. Factors keep levels
# that no row has: they are unlikely, not unheard of. Text has those that were seen.

codec_levels <- function(x) {
  levels <- if (is.factor(x)) {
    levels(x)
  } else if (is.logical(x)) {
    c("FALSE", "TRUE")
  } else {
    sort(unique(x), method = "radix")
  }
  as <- if (is.ordered(x)) "ordered" else if (is.factor(x)) "factor" else typeof(x)
  type <- switch(as,
    factor = "a factor", ordered = "an ordered factor", logical = "logical", character = "text"
  )
  new_codec("levels", type, levels = levels, as = as)
}

# Numbers as text are meant as numbers, and refused as text.
has_levels <- function(x) is.factor(x) || is.null(dim(x)) && (is.logical(x) || is.character(x) && !is_number_text(x))

is_levels <- function(codec) inherits(codec, "bijectr_codec_levels")

# Numbers are codes already, as the core gives and takes them.
#' @export
accepts.bijectr_codec_levels <- function(codec, x) {
  if (codec$as == "logical") return(is.logical(x))
  is.factor(x) || is.character(x) || is.logical(x) && all(is.na(x))
}

#' @export
encode.bijectr_codec_levels <- function(codec, x) {
  if (is.double(x)) x else as.double(match(as.character(x), codec$levels) - 1L)
}

#' @export
decode.bijectr_codec_levels <- function(codec, z) {
  value <- codec$levels[z + 1]
  switch(codec$as,
    factor = , ordered = factor(value, codec$levels,
      exclude = if (!anyNA(codec$levels)) NA, ordered = codec$as == "ordered"
    ),
    logical = value == "TRUE", value
  )
}

#' @export
intact.bijectr_codec_levels <- function(codec) {
  is.character(codec[["levels"]]) && length(codec$levels) > 0 && !anyDuplicated(codec$levels) &&
    isTRUE(codec[["as"]] %in% c("factor", "ordered", "logical", "character"))
}

# The columns of levels among some, as codes. Levels that the fit does not know are refused by name; NA stays.
codes_of_levels <- function(x, codecs, name) {
  if (!is.list(x)) return(x)
  for (j in which(vapply(codecs, is_levels, NA))) {
    code <- encode(codecs[[j]], x[[j]])
    unknown <- which(is.na(code) & !is.na(x[[j]]))
    if (length(unknown)) {
      level <- as.character(x[[j]][unknown[1]])
      stop_arg(c(
        "Column {.field {column_label(x, j)}} of {.arg {name}} has the level {.val {level}} in row {unknown[1]}, which
         the data of the fit had not.",
        i = "They had {.val {codecs[[j]]$levels}}."
      ))
    }
    x[[j]] <- code
  }
  x
}
