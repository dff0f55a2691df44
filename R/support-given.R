# Supports as the user gives them, for columns by name or place, in the classes of the columns.

# One support a column, NULL where none was given, of d columns with `names` and `codecs` (NULL without).
given_supports <- function(support, lower, upper, d, names, codecs = NULL) {
  given <- chosen_supports(support, lower, upper, d, names)
  lapply(seq_len(d), function(j) {
    codec <- codecs[[j]] %||% CODEC_NUMBER
    if (is.null(given[[j]])) return(if (is_time(codec)) whole_line()) # their 0 says nothing: nothing is to be found
    encode_support(given[[j]], codec, (names %||% seq_len(d))[j])
  })
}

chosen_supports <- function(support, lower, upper, d, names) {
  out <- rep(list(NULL), d)
  if (!is.null(lower) || !is.null(upper)) {
    lower <- column_ends(lower, -Inf, d, names, "lower")
    upper <- column_ends(upper, Inf, d, names, "upper")
    has <- !vapply(lower, is_far, NA) | !vapply(upper, is_far, NA)
    for (j in which(has)) out[[j]] <- new_support(lower[[j]], upper[[j]])
  }
  if (is.null(support) || identical(support, "auto")) return(out)
  if (identical(support, "real")) support <- rep(list(whole_line()), d)
  if (inherits(support, "bijectr_support")) support <- rep(list(support), d)
  wrong <- function(x) {
    stop_arg(c(
      "{.arg support} must be a list with entries as {.code price = positive()}, or itself \"real\" or \"auto\",
       not {describe(x)}.",
      i = "Supports are {.fn positive}, {.fn bounded}, {.fn real} and {.fn counts}."
    ))
  }
  if (!is.list(support)) wrong(support)
  support[vapply(support, identical, NA, "real")] <- list(whole_line())
  for (entry in support) if (!inherits(entry, "bijectr_support")) wrong(entry)
  at <- column_places(support, d, names, "support")
  twice <- at[!vapply(out[at], is.null, NA)]
  if (length(twice) && !identical(unique(support), list(whole_line()))) {
    label <- (names %||% seq_len(d))[twice[1]]
    stop_arg("{.arg support} and {.arg lower} or {.arg upper} both speak of column {.field {label}}.")
  }
  free <- vapply(out[at], is.null, NA)
  out[at[free]] <- support[free]
  out
}

# One end a column, `far` where none was given.
column_ends <- function(x, far, d, names, name) {
  out <- rep(list(far), d)
  if (is.null(x)) return(out)
  if (inherits(x, "POSIXlt")) x <- as.POSIXct(x)
  if (anyNA(x)) {
    at <- which(is.na(x))[1]
    stop_arg("{.arg {name}} is missing for column {.field {(names(x) %||% seq_along(x))[at]}}.")
  }
  if (!is.list(x) && !is.numeric(x) && !has_unit(x)) {
    stop_arg("{.arg {name}} must be numbers, one a column, not {describe(x)}.")
  }
  at <- column_places(x, d, names, name)
  for (i in seq_along(at)) {
    end <- if (is.list(x)) x[[i]] else unname(x[i])
    if (identical(end, -far)) stop_arg("{.arg {name}} must not be {end}: the support would be empty.")
    out[[at[i]]] <- support_end(end, name, far)
  }
  out
}

# Which columns the entries of a list or vector are for: by name, or all in order.
column_places <- function(x, d, names, name) {
  if (is.null(names(x))) {
    if (length(x) == d) return(seq_len(d))
    stop_arg("{.arg {name}} must have names, or one entry a column ({d}), not {length(x)} without names.")
  }
  at <- match(names(x), names)
  unknown <- names(x)[is.na(at)]
  if (length(unknown)) {
    stop_arg(c(
      "{.arg {name}} has {.field {unknown}}, which {?is no column/are no columns} of the data.",
      i = meant(unknown, names, "Did you mean {.field {near}}?")
    ))
  }
  if (anyDuplicated(at)) stop_arg("{.arg {name}} has {.field {names(x)[duplicated(at)][1]}} twice.")
  at
}

# ---- by the codecs of columns ----------------------------------------------------------------------------------------

is_time <- function(codec) inherits(decode(codec, 0), c("Date", "POSIXct"))

# With ends as the numbers that the codec of the column makes of them.
encode_support <- function(support, codec, label) {
  for (name in c("lower", "upper")) {
    end <- support[[name]]
    if (is_far(end)) next
    if (!is_bare_zero(end, decode(codec, 0)) && !accepts(codec, end)) {
      stop_arg(c(
        "Column {.field {label}} of {.arg data} is {codec$type}, but its support {format(support)} is not.",
        i = if (is_time(codec)) {
          "Its ends must be of that class, as in {.code bounded(as.Date(\"2020-01-01\"), Inf)} for dates."
        } else {
          "Its ends must be such values too."
        }
      ))
    }
    support[[name]] <- encode(codec, end)
  }
  if (!is_number_codec(codec)) support$codec <- codec
  support
}
