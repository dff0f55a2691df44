# Whole numbers in one coordinate: a flow of the line, or of an interval whose ends are halves, of which a row k says
# that it lies in (k - 1/2, k + 1/2]. What such a fit gives are probabilities, P(k) = F(k + 1/2) - F(k - 1/2), and its
# draws and quantiles are whole. That a coordinate is whole is said by its codec; the flows within a stack, which have
# no codecs, are those of the line.

#' @rdname supports
#' @export
counts <- function(lower = 0, upper = Inf) {
  end <- function(x, name, far) if (identical(x, far)) x else check_whole(x, name)
  new_support(end(lower, "lower", -Inf) - 0.5, end(upper, "upper", Inf) + 0.5, whole = TRUE)
}

check_whole <- function(x, name) {
  x <- check_number(x, name)
  if (x != round(x)) stop_arg("{.arg {name}} must be a whole number, not {x}.")
  x
}

codec_whole <- function(integer = FALSE) new_codec("whole", "numeric", integer = integer)

#' @export
accepts.bijectr_codec_whole <- function(codec, x) accepts(NULL, x)

#' @export
intact.bijectr_codec_whole <- function(codec) TRUE

#' @export
encode.bijectr_codec_whole <- function(codec, x) as.double(x)

#' @export
decode.bijectr_codec_whole <- function(codec, z) to_whole(z)

# The k whose interval a point of the line is in; of a quantile on the line the smallest k of which F(k + 1/2) is as
# large as its probability. By z + 1/2, which keeps the digits of a point that is next to an end at -1/2.
to_whole <- function(z) {
  k <- floor(z + 0.5)
  k - (z + 0.5 == k)
}

is_whole <- function(flow) flow$d == 1 && inherits(flow$codecs[[1]], "bijectr_codec_whole")

# ---- what is found ---------------------------------------------------------------------------------------------------

# The support of the one column of a problem, with `exact` where it is fitted as whole numbers: it was given as
# such, or has none, is whole in steps of 1, and counts or has many ties, see advise_values(). Its support ends at
# -1/2 where no value is below 0, and that end is no further from the median than five times the distance from there
# to the 5 per cent quantile, see ?supports.
support_of_whole <- function(given, x, rows, weights, find) {
  if (is.null(given) && find) {
    given <- found_whole(x, rows, weights)
    if (!is.null(given)) warn_counts(column_label(x, 1), counts_call(given), "support = \"real\"")
  }
  if (!is.null(given) && given$whole) given$exact <- TRUE
  given
}

found_whole <- function(x, rows, weights) {
  value <- column(x, 1)
  value <- if (is.null(weights)) value else value[weights > 0]
  if (!all(value == round(value))) return(NULL)
  look <- look_at_rows(rows$train, weights, ROWS_ENOUGH)
  train <- column_at(x, 1, look$rows)
  values <- count_values(train)
  # amounts that are rounded to thousands have steps of their own
  if (!any(diff(values$value) == 1)) return(NULL)
  if (is_binary(values)) return(counts(values$value[1], values$value[2]))
  w <- look$weights[look$rows]
  support <- if (min(value) >= 0) whole_support(train, w) else counts(-Inf)
  counted <- min(value) == 0 && support$lower > -Inf && weighted_quantile(train, 0.95, w) <= COUNTED_MOST
  if (counted || agreement(values$count) > TIES) support
}

# Two values, each of several of many rows, are all that there are.
is_binary <- function(values) length(values$value) == 2 && min(values$count) >= 2 && sum(values$count) >= BINARY_ROWS

BINARY_ROWS <- 20

# Where 0 is among the values and nearly all others are no larger, they count something, however few rows agree;
# measurements that are rounded rarely have a 0.
COUNTED_MOST <- 100

# `says`, `denies`: supports that say that columns are such, and that they are not.
warn_counts <- function(labels, says, denies) {
  cli::cli_warn(c(
    "{cli::qty(length(labels))}Column{?s} {.field {labels}} {?is/are} whole numbers, counts or of few values: {?it
     is/they are} fitted by {?its/their} probabilities.",
    i = "{.code support = {says}} says so; {.code {denies}} fits a density."
  ), class = "bijectr_warning_counts")
}

counts_call <- function(support) {
  ends <- c(support$lower + 0.5, support$upper - 0.5)
  if (is.finite(ends[2])) return(sprintf("counts(%s)", paste(ends, collapse = ", ")))
  if (ends[1] == 0) "counts()" else sprintf("counts(%s)", ends[1])
}

# None below 0 where all are above, and 0 is near.
whole_support <- function(x, w) {
  q <- weighted_quantile(x, c(0.5, 0.05), w) + 0.5
  if (min(x) >= 0 && q[1] <= 5 * max(0.5, q[1] - q[2])) counts() else counts(-Inf)
}

# The values of a problem in whole numbers that are few, all between the ends of its support where it has two, else
# between the smallest and the largest; NULL where they are many.
FEW_VALUES <- 30

few_values <- function(problem) {
  support <- problem$rules$given[[1]]
  x <- column(problem$data, 1)
  if (!is.null(problem$weights)) x <- x[problem$weights > 0]
  ends <- ifelse(is.finite(c(support$lower, support$upper)), c(support$lower + 0.5, support$upper - 0.5), range(x))
  if (problem$rows_are == "levels" || diff(ends) < FEW_VALUES) seq(ends[1], ends[2])
}
