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

codec_whole <- function() new_codec("whole", "numeric")

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

# The support of the one column of a problem, with `exact` where it is fitted as whole numbers: it was given as such, or
# has none, is whole in steps of 1, and ties are many, see advise_values(). Its support ends at -1/2 where no value is
# below 0, and that end is no further from the median than five times the distance from there to the 5 per cent
# quantile, see ?supports.
support_of_whole <- function(given, x, rows, weights, find) {
  if (is.null(given) && find) given <- found_whole(x, rows, weights)
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
  if (agreement(values$count) <= TIES || !any(diff(values$value) == 1)) return(NULL)
  w <- look$weights[look$rows]
  q <- weighted_quantile(train, c(0.5, 0.05), w) + 0.5
  near_0 <- min(value) >= 0 && q[1] <= 5 * max(0.5, q[1] - q[2])
  cli::cli_warn(c(
    "Column {.field {column_label(x, 1)}} is whole numbers with few values: it is fitted by their probabilities.",
    i = "{.code support = counts({if (near_0) '' else '-Inf'})} says so; {.code support = \"real\"} fits a density."
  ), class = "bijectr_warning_counts")
  if (near_0) counts() else counts(-Inf)
}

# ---- densities -------------------------------------------------------------------------------------------------------

# Log densities of rows as a fit says them: of whole numbers, their log probabilities.
rows_density <- function(object, points, condition) {
  if (is_whole(object)) whole_density(object, points, condition) else points_density(object, points, condition)
}

whole_density <- function(object, points, condition) {
  x <- column(points, 1)
  value <- log_interval(object, x - 0.5, x + 0.5, condition)
  value[x != round(x)] <- -Inf
  value
}

# log(F(upper) - F(lower)) by the tail that has the digits: of F(upper) and 1 - F(lower) the smaller one.
log_interval <- function(object, lower, upper, condition) {
  tails <- function(x, below, i = seq_along(x)) points_cdf(object, matrix(x[i]), rows_at(condition, i), below, TRUE)
  above <- tails(lower, FALSE)
  below <- tails(upper, TRUE)
  by_above <- above < below
  large <- pmin(above, below)
  small <- large
  if (any(by_above)) small[by_above] <- tails(upper, FALSE, which(by_above))
  if (!all(by_above)) small[!by_above] <- tails(lower, TRUE, which(!by_above))
  value <- large + log(-expm1(small - large))
  value[large == -Inf] <- -Inf
  value
}

# Points of the line within the intervals of whole numbers, drawn from a flow of the line: where the fit is right, their
# distribution is that of the flow.
drawn_within <- function(flow, k, condition) {
  ends <- function(below) {
    at <- function(x) points_cdf(flow, matrix(x), condition, below, FALSE)
    cbind(at(k - 0.5), at(k + 0.5))
  }
  below <- ends(TRUE)
  above <- ends(FALSE)
  share <- stats::runif(length(k))
  lower <- below[, 1] < 0.5 # by the tail that has the digits
  p <- ifelse(lower, below[, 1] + share * (below[, 2] - below[, 1]), above[, 2] + share * (above[, 1] - above[, 2]))
  out <- numeric(length(k))
  for (tail in c(TRUE, FALSE)) {
    i <- which(lower == tail)
    if (length(i)) out[i] <- points_quantile(flow, p[i], rows_at(condition, i), tail, FALSE)
  }
  out
}

# ---- training --------------------------------------------------------------------------------------------------------

# The space of training_space() for the loss of intervals.
in_intervals <- function(space, flow, data, condition) {
  inner <- space$flow %||% flow
  base <- inner$base
  trained_df <- base$kind == "student_t" && isTRUE(base$trainable)
  if (trained_df || !base$kind %in% INTERVAL_BASES) {
    stop_arg(c(
      "Whole numbers are fitted on a base of which the core has the distribution function and its gradient, not on
       {.fn base_{base$kind}}{if (trained_df) ' with trained degrees of freedom'}.",
      i = "{.code support = \"real\"} fits a density to them."
    ))
  }
  x <- column(data, 1)
  odd <- which(x != round(x))
  if (length(odd)) {
    stop_arg("Column {.field {column_label(data, 1)}} of {.arg data} must be whole numbers: row {odd[1]} is
              {x[odd[1]]}.")
  }
  scalar <- last_support_layer(flow$layers$layers)$scalar[[1]]
  list(
    flow = space$flow, data = matrix(end_on_the_line(x - 0.5, scalar)), shift = NULL,
    ends = cbind(end_on_the_line(x + 0.5, scalar), -Inf, Inf),
    loss = loss_interval_likelihood(flow_increases(inner, condition))
  )
}

INTERVAL_BASES <- c("normal", "student_t", "logistic", "laplace", "cauchy", "gumbel", "uniform")

# Ends behind the support of a column, infinite where they are not inside.
end_on_the_line <- function(end, scalar) {
  lower <- scalar$lower %||% -Inf
  upper <- scalar$upper %||% Inf
  inside <- end > lower & end < upper
  end[!inside] <- ifelse(end[!inside] <= lower, -Inf, Inf)
  if (is.null(scalar) || !any(inside)) return(end)
  end[inside] <- on_the_line(matrix(end[inside]), layer_elementwise(list(scalar)))$data[, 1]
  end
}
