# Standardised numbers: conditioning variables. Conditions have no density, so the change of scale needs no
# log-derivative. Beyond the range of the conditions of the fit the nets have learned nothing, and what they say there
# can be anything, a scale of nothing too: such conditions are pulled in. With z the standardised number and h the end
# of the range,
#   z -> h + PULL tanh((z - h) / PULL) for z > h,
# whose slope is 1 at the end, and which stays within PULL of it; likewise at the other end.

# How far beyond the range conditions reach, in standard deviations.
PULL <- 0.5

# `of`: the codec that makes numbers of the column; NULL, and no field: it is one of numbers. `range`: the smallest and
# largest number of the fit; NULL: not known. `pull`: whether numbers beyond are pulled in. `pool`: the number of the
# set of which the column is an observation, all of which have the same codec; NA, and no field: of none.
codec_standard <- function(loc, scale, of = NULL, range = NULL, pull = FALSE, pool = NA) {
  codec <- new_codec("standard", (of %||% CODEC_NUMBER)$type, loc = loc, scale = scale)
  codec$of <- of
  codec$range <- range
  codec$pull <- pull
  if (!is.na(pool)) codec$pool <- pool
  codec
}

#' @export
accepts.bijectr_codec_standard <- function(codec, x) accepts(.subset2(codec, "of"), x)

#' @export
intact.bijectr_codec_standard <- function(codec) {
  codec <- unclass(codec)
  numbers <- c(codec[["loc"]], codec[["scale"]])
  of <- codec[["of"]]
  range <- codec[["range"]]
  is.numeric(numbers) && length(numbers) == 2 && all(is.finite(numbers)) && numbers[2] > 0 &&
    (is.null(range) || (is.numeric(range) && length(range) == 2 && all(is.finite(range)))) &&
    (is.null(codec[["pull"]]) || isTRUE(codec[["pull"]]) || isFALSE(codec[["pull"]])) &&
    (is.null(codec[["pool"]]) || some_count(codec[["pool"]])) && (is.null(of) || is_codec(of))
}

#' @export
encode.bijectr_codec_standard <- function(codec, x) {
  codec <- unclass(codec) # no look for methods of `$`
  z <- (encode(codec$of, x) - codec$loc) / codec$scale
  if (is.null(codec$range) || is.null(codec$pull) || !codec$pull) return(z)
  beyond_ends(z, codec, function(excess) PULL * tanh(excess / PULL))
}

#' @export
decode.bijectr_codec_standard <- function(codec, z) {
  if (!is.null(codec$range) && isTRUE(codec$pull)) {
    z <- beyond_ends(z, codec, function(excess) PULL * atanh(pmin(pmax(excess / PULL, -1), 1)))
  }
  decode(codec$of, z * codec$scale + codec$loc)
}

# Ends of the range as encode() has them, to the bit.
standard_range <- function(codec) (codec$range - codec$loc) / codec$scale

# Numbers within the range are given back as they are.
beyond_ends <- function(z, codec, map) {
  ends <- standard_range(codec)
  if (!any(z < ends[1] | z > ends[2], na.rm = TRUE)) return(z)
  below <- which(z < ends[1])
  above <- which(z > ends[2])
  if (length(below)) z[below] <- ends[1] + map(z[below] - ends[1])
  if (length(above)) z[above] <- ends[2] + map(z[above] - ends[2])
  z
}

# ---- of conditions to fit --------------------------------------------------------------------------------------------

# Conditions are standardised by their training rows: by mean and standard deviation, or where they have long tails by
# median and quantile range. One that is constant there is shifted only. Rows of weight zero count for nothing. Those of
# a set, see pooled_sets(), are standardised by all of these, so that they stay exchangeable.
standard_codecs <- function(condition, train, weights = NULL, extrapolate = "pull", sets = list()) {
  codecs <- column_codecs(condition, "condition")
  x <- encode_columns(condition, codecs)
  look <- look_at_rows(train, weights, rows_enough(n_columns(x)))
  found <- standard_columns(x, look$rows, look$weights)
  found$scale[flat_columns(x, train, weights)] <- 1
  pool <- rep(NA_integer_, n_columns(x))
  for (k in seq_along(sets)) {
    at <- sets[[k]]$columns
    all <- pooled_column(sets[[k]], x, look$rows, look$weights)
    one <- standard_columns(all$x, seq_along(all$x), all$weights)
    if (length(flat_columns(all$x, NULL, all$weights))) one$scale <- 1
    found$center[at] <- one$center
    found$scale[at] <- one$scale
    pool[at] <- k
  }
  found$scale[which(found$scale == 0)] <- 1
  of <- if (is.null(codecs)) list(NULL) else codecs
  pull <- extrapolate == "pull"
  unname(Map(codec_standard, unname(found$center), unname(found$scale), of, pull = pull, pool = pool))
}

# Of each column of points, from some rows.
standard_columns <- function(x, rows, weights) {
  moments <- row_moments(x, rows, weights)
  robust <- robust_columns(x, rows, weights, moments)
  long <- moment_scale(moments) > LONG_TAILS * robust$scale
  list(
    center = ifelse(long, robust$center, moments$center), scale = ifelse(long, robust$scale, moment_scale(moments))
  )
}

# ---- ranges ----------------------------------------------------------------------------------------------------------

# The codecs of conditions to fit, with the range of all rows that count; that of an earlier fit grows. Those of a set
# have one range.
widened_codecs <- function(codecs, condition, weights = NULL) {
  for (j in seq_along(codecs)) {
    codec <- codecs[[j]]
    if (!inherits(codec, "bijectr_codec_standard")) next
    value <- encode(codec$of, column(condition, j))
    codecs[[j]]$range <- range(codec$range, native_ranges(list(value), NULL, weights))
  }
  pool <- vapply(codecs, function(codec) codec[["pool"]] %||% NA_integer_, 1L)
  for (k in unique(pool[!is.na(pool)])) {
    all <- range(unlist(lapply(codecs[pool %in% k], `[[`, "range")))
    for (j in which(pool %in% k)) codecs[[j]]$range <- all
  }
  codecs
}

# One such warning, however often `expr` meets the same conditions.
extrapolation_once <- function(expr) {
  told <- FALSE
  withCallingHandlers(expr, bijectr_warning_extrapolation = function(w) {
    if (told) invokeRestart("muffleWarning")
    told <<- TRUE
  })
}

# Where what is said of many conditions together is no matter of a few that lie beyond the range.
without_extrapolation <- function(expr) {
  withCallingHandlers(expr, bijectr_warning_extrapolation = function(w) invokeRestart("muffleWarning"))
}

# Says which conditions, encoded ones, lie beyond the range that the fit has seen. `side`: that of a blueprint.
warn_extrapolation <- function(condition, side) {
  text <- NULL
  codecs <- side$codecs
  for (j in seq_along(codecs)) {
    codec <- codecs[[j]]
    if (!inherits(codec, "bijectr_codec_standard")) next
    codec <- unclass(codec)
    if (is.null(codec$range)) next
    z <- column(condition, j)
    ends <- standard_range(codec)
    beyond <- z < ends[1] | z > ends[2]
    if (!any(beyond, na.rm = TRUE)) next
    n <- sum(beyond, na.rm = TRUE)
    label <- if (is.null(side$names)) as.character(j) else side$names[j]
    of <- codec$of %||% side$model$codecs[[label]] # where the variable is a column of the matrix
    seen <- format(decode(of, codec$range), digits = 4, trim = TRUE)
    text <- c(text, cli::format_inline("{.field {label}} goes beyond {seen[1]} to {seen[2]} in {n} row{?s}."))
  }
  if (is.null(text)) return(invisible())
  pulled <- any(vapply(codecs, function(codec) isTRUE(codec$pull), NA))
  cli::cli_warn(c(
    "{.arg condition} goes beyond the values that the flow was fitted to.",
    stats::setNames(gsub("([{}])", "\\1\\1", text), rep("*", length(text))),
    i = if (pulled) {
      "Such values are pulled in, to half a standard deviation beyond the range at most: see {.arg extrapolate} of
       {.fn fit_flow}."
    } else {
      "What the flow says there is a guess: see {.arg extrapolate} of {.fn fit_flow}."
    }
  ), class = "bijectr_warning_extrapolation")
}
